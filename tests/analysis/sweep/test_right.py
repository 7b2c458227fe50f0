"""Which samples were right, there and back, and from a trial that a ledger holds."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.sweep import results as sweeps
from analysis.sweep.right import SamplesSeen, counts, packed, unpacked


@pytest.mark.parametrize("size", [1, 7, 8, 1000])
def test_there_and_back(size):
    rng = np.random.default_rng(size)
    right = rng.random(size) < 0.9
    assert (unpacked(packed(right, None, size)) == right).all()
    drawn = np.sort(rng.permutation(size)[: max(size // 3, 1)])
    found = unpacked(packed(right[drawn], drawn, size))
    assert np.flatnonzero(~np.isnan(found)).tolist() == drawn.tolist()
    assert (found[drawn] == right[drawn]).all()


def test_how_many_samples():
    assert counts(packed(np.ones(5, dtype=bool), None, 5)) == (5, 5)
    assert counts(packed(np.zeros(2, dtype=bool), np.array([1, 7]), 9)) == (2, 9)


@pytest.mark.parametrize("seen", [1, 20, 300, 1000])
def test_drawn_samples_scatter(seen):
    """20,000 draws of some of 1,000 samples, of which 900 are right, within 4 sigma of a standard deviation."""
    drawn = np.random.default_rng(0).hypergeometric(900, 100, seen, 20000) / seen
    assert drawn.std() == pytest.approx(SamplesSeen(seen, 1000).scatter(0.9), rel=0.04, abs=1e-12)


def test_it_is_short():
    right = np.random.default_rng(0).random(1000) < 0.9
    assert len(packed(right, None, 1000)) < 200


@pytest.mark.parametrize("text", ["", "8:1", "8:1:!", "8:1:eJw=", "x:1:eJz7/x8AAv8B/w==", "90:1:eJz7/x8AAv8B/w=="])
def test_what_is_no_such_text(text):
    with pytest.raises(ValueError, match="is no record of samples"):
        unpacked(text)


def test_trials_tell_which_samples_were_right(sweep):
    """As many as their accuracy says, of those that their seeds draw; tables have no such column."""
    found = sweep(["chip.adc.bits=3,6"], overrides=["--chip", "rram"], seeds=2)
    assert "right" not in found.table()[0]
    again = sweeps.load(found.out)
    assert again.right.keys() == {row["id"] for row in found.rows}
    drawn = {}
    for row in found.rows:
        right = unpacked(again.right[row["id"]])
        assert np.nanmean(right) == pytest.approx(row["accuracy"], abs=1e-12)
        assert np.isfinite(right).sum() == row["samples"] == 20
        drawn.setdefault(row["seed"], []).append(np.isfinite(right))
    assert all((one == other).all() for one, other in drawn.values())
    assert (drawn[0][0] != drawn[1][0]).any()
