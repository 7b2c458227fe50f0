"""Which samples were right, there and back, and from a trial that a ledger holds."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.sweep import results as sweeps
from analysis.sweep.right import packed, unpacked


@pytest.mark.parametrize("size", [1, 7, 8, 1000])
def test_there_and_back(size):
    rng = np.random.default_rng(size)
    right = rng.random(size) < 0.9
    assert (unpacked(packed(right, None, size)) == right).all()
    drawn = np.sort(rng.permutation(size)[: max(size // 3, 1)])
    found = unpacked(packed(right[drawn], drawn, size))
    assert np.flatnonzero(~np.isnan(found)).tolist() == drawn.tolist()
    assert (found[drawn] == right[drawn]).all()


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
