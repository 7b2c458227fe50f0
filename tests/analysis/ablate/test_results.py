"""What an ablation found, as tables and as plain values, read back from its directory."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from analysis import ablate
from analysis.ablate.conditions import AS_IT_IS, IDEAL, WITHOUT
from analysis.ablate.results import Ablation, aligned, points
from neuroep.errors import ConfigError
from tests.neuroep.runs.test_tables import check


def test_the_largest_cost_comes_first(small):
    means = [cost.without.mean for cost in small.costs]
    assert means == sorted(means, reverse=True)
    for cost in small.costs:
        off, own = small.accuracies(WITHOUT, cost.effect), small.accuracies(AS_IT_IS)
        assert cost.without.mean == pytest.approx(sum(off[s] - own[s] for s in range(3)) / 3)
    assert small.ideal.mean == pytest.approx(sum(small.accuracies(IDEAL).values()) / 3)


def test_it_is_read_back(small):
    again = ablate.load(small.out)
    assert again.as_dict() == small.as_dict() and again.as_text() == small.as_text()
    assert json.loads(json.dumps(again.as_dict())) == again.as_dict()


def test_the_table(small):
    lines = small.as_text().splitlines()
    assert lines[0].startswith("as it is ") and ", without any effect " in lines[0]
    ends = ["+-", "whole", "unpaired"]
    assert lines[2].split() == ["effect", "off", *ends, "alone", *ends, "chips"]
    assert [line.split("  ")[0].strip() for line in lines[3:7]] == [cost.effect for cost in small.costs]
    assert "not seen by mode 'deploy': read-out bits" in lines
    whole = "+-: standard error over chips, on these samples; whole: over chips and samples; unpaired: what"
    assert any(line.startswith(whole) for line in lines)
    assert any(line.startswith("* differs from 0 by the whole error") for line in lines)
    assert lines[-1] == f"33 trials; written to {small.out}"


def test_marks_go_by_samples_too(small):
    """Twenty samples of chips that differ in little: what the spread of three chips calls certain is not."""
    for cost in small.costs:
        right = small.right(WITHOUT, cost.effect), small.right(AS_IT_IS)
        moved = np.array([right[0][s] - right[1][s] for s in range(3)])
        assert cost.without.mean == pytest.approx(np.nanmean(moved, axis=1).mean())
        assert cost.without.whole >= cost.without.error
        assert cost.without.beyond.changed == (np.nansum(np.abs(moved), axis=0) > 0).sum()


def test_without_samples_it_is_as_before(small):
    """Ledgers of earlier versions do not tell which samples were right."""
    bare = Ablation(replace(small.sweep, right={}))
    for cost, before in zip(bare.costs, small.costs, strict=True):
        assert cost.without.error == before.without.error and cost.without.beyond is None
    assert bare.as_dict()["costs"][0]["without"]["whole"] is None and " - " in bare.as_text()


def test_a_sweep_is_no_ablation(sweep):
    with pytest.raises(ConfigError, match="holds a sweep, and no ablation"):
        ablate.load(sweep(["chip.adc.bits=3"]))
    with pytest.raises(ConfigError, match="is no sweep"):
        ablate.load("nowhere")


def test_numbers_that_are_not_known():
    assert points(math.nan) == points(math.inf) == "-" and points(0.01234) == "+1.23"
    assert points(-1e-18) == points(0.0) == points(-0.00004) == "+0.00" and points(-0.0, "") == "0.00"
    assert aligned([("a", "bc"), ("abc", "d")]) == ["a    bc", "abc   d"]


def test_it_is_a_table(small, tmp_path):
    check(small, tmp_path)
    row = small.table()[0]
    assert (row["effect"], row["off_mean"], row["off_seeds"]) == (small.costs[0].effect, small.costs[0].without.mean, 3)
