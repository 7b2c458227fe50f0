"""What a requirement found, in words, tables and plain values."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from analysis import require
from analysis.require.results import REQUIRE, Requirement
from analysis.sweep.results import Sweep
from neuroep.errors import ConfigError
from tests.neuroep.runs.test_tables import check


def made(accuracies: dict[float, list[float]], target: float = 0.87) -> Requirement:
    """Return a requirement of given accuracies by the value of a field."""
    name = "chip.device.mismatch"
    rows = tuple(
        {name: value, "seed": seed, "accuracy": each, "error": None}
        for value, found in accuracies.items()
        for seed, each in enumerate(found)
    )
    design = {"design": REQUIRE, "axes": {name: list(accuracies)}, "target": target, "confidence": 0.95, "seeds": 2}
    design |= {"max_seeds": 2, "against": None, "planned": len(rows), "done": True}
    return Requirement(Sweep(Path("x"), {"fields": [name], "designs": [design]}, rows))


def test_a_border_in_words():
    found = made({0.0: [0.9, 0.9], 0.1: [0.88, 0.88], 0.2: [0.8, 0.8], 0.3: [0.5, 0.5]})
    assert found.said[0] == "chip.device.mismatch meets 87 % up to 0.1; 0.2 misses it"
    assert "assumed: accuracy goes one way along chip.device.mismatch (falling)" in found.said[1]
    assert found.contradictions == [] and len(found.said) == 2


def test_an_open_verdict_is_told():
    found = made({0.0: [0.9, 0.9], 0.1: [0.84, 0.95], 0.2: [0.8, 0.8]})
    assert found.said[0].endswith("up to 0.1; 0.2 misses it; open by the confidence asked for: 0.1")


def test_met_by_all_and_by_none():
    assert made({0.0: [0.9] * 2, 0.5: [0.88] * 2}).said[0] == "chip.device.mismatch meets 87 % up to 0.5"
    assert made({0.0: [0.6] * 2, 0.5: [0.5] * 2}).said[0] == "no value of chip.device.mismatch meets 87 %"


def test_a_contradiction_is_told():
    found = made({0.0: [0.95] * 2, 0.1: [0.8] * 2, 0.2: [0.9] * 2, 0.3: [0.5] * 2})
    assert found.said[-1] == "contradicted: 0.2 meets the target and 0.1 misses it"


def test_it_is_read_back(bits):
    again = require.load(bits.out)
    assert again.as_dict() == bits.as_dict() and again.as_text() == bits.as_text()
    assert json.loads(json.dumps(again.as_dict())) == again.as_dict()


def test_the_tables(bits, front):
    lines = bits.as_text().splitlines()
    assert lines[3].split() == ["chip.adc.bits", "accuracy", "+-", "chips", "80", "%"]
    assert len(lines) == 4 + len(bits.verdicts) + 2
    assert lines[-2] == "+-: standard error of the mean over the chips of a point"
    assert lines[-1] == f"{len(bits.sweep.rows)} trials; written to {bits.out}"
    lines = front.as_text().splitlines()
    assert lines[0].startswith(f"{len(front.means)} of 24 points run: ")
    assert any(line.split() == ["chip.adc.bits", "chip.dac.bits", "accuracy", "energy"] for line in lines)
    assert any("is the cheapest that meets 80 %" in line or "no point that was run meets" in line for line in lines)
    prices = [one.price for one in front.front]
    assert prices == sorted(prices)


def test_a_sweep_is_no_requirement(sweep):
    with pytest.raises(ConfigError, match="holds a sweep, and no requirement"):
        require.load(sweep(["chip.adc.bits=3"]))


def test_it_is_a_table(bits, front, tmp_path):
    check(bits, tmp_path)
    assert [row["meets"] for row in bits.table()] == [found.met for found in bits.verdicts.values()]
    check(front, tmp_path)
    on = [row for row in front.table() if row["on_the_front"]]
    assert sorted(row["energy"] for row in on) == [one.price for one in front.front]
