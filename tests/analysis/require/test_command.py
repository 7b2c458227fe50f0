"""The command: its tables, its flags, its help, and one line for what cannot be."""

from __future__ import annotations

import pytest

from analysis import require
from tests.analysis.require.conftest import NOISY, PRICED

FEW = ("--samples", "60", "--workers", "1", "--quiet")


def test_the_table_of_a_border(neuroep, learned, bits, tmp_path):
    given = ("--field", "chip.adc.bits=2:9", "--target", 0.8, "--seeds", 2, "--max-seeds", 4)
    out = tmp_path / "out"
    found = neuroep("require", learned, *NOISY, *given, *FEW, "--out", out)
    assert (found.code, found.err) == (0, "")
    assert found.out.splitlines()[:-1] == bits.as_text().splitlines()[:-1]
    again = neuroep("require", learned, *NOISY, *given, *FEW, "--out", out)
    assert again.out == found.out


def test_flags_reach_the_requirement(neuroep, learned, tmp_path):
    given = ("--field", "chip.device.mismatch=0..1", "--steps", 3, "--target", 0.6, "--confidence", 0.9, "--seeds", 2)
    more = ("--max-seeds", 2, "--split", "train", "--chip", "ideal", "--chip.adc.bits", 8)
    found = neuroep("require", learned, *given, *more, *FEW, "--out", tmp_path / "out")
    assert found.code == 0
    design = require.load(tmp_path / "out").design
    assert design["axes"] == {"chip.device.mismatch": [0.0, 0.5, 1.0]} and design["steps"] == 3
    assert (design["target"], design["confidence"], design["seeds"], design["max_seeds"]) == (0.6, 0.9, 2, 2)


def test_flags_reach_the_front(neuroep, learned, tmp_path):
    given = ("--field", "chip.adc.bits=3,6", "--against", "latency", "--resolution", 0.1, "--seeds", 1)
    found = neuroep("require", learned, *PRICED, *given, *FEW, "--out", tmp_path / "out")
    assert found.code == 0
    design = require.load(tmp_path / "out").design
    assert (design["against"], design["resolution"], design["seeds"]) == ("latency", 0.1, 1)
    assert found.out.splitlines()[2].split() == ["chip.adc.bits", "accuracy", "latency"]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("--target", "0.9"), "--field"),
        (("--field", "chip.adc.bits"), "no target is given"),
        (("--field", "chip.adc.bitz=2:4", "--target", "0.9"), "did you mean 'chip.adc.bits'?"),
        (("--field", "chip.adc.bits", "--target", "90"), "target is 90.0: allowed are shares between 0 and 1"),
        (("--field", "chip.adc.bits", "--target", "0.9", "--until", "0.1"), "--until"),
        (("--field", "chip.adc.bits", "--target", "0.9", "--steps", "1"), "steps is 1: a range has at least 2"),
    ],
)
def test_one_line_for_what_cannot_be(neuroep, learned, tmp_path, arguments, expected):
    assert expected in neuroep("require", learned, *NOISY, *arguments, "--out", tmp_path / "out").line
    assert not (tmp_path / "out").exists()


def test_help_tells_of_it(neuroep):
    assert "--against PRICE" in neuroep("require", "--help").out
    assert "the values of fields that meet a target accuracy" in neuroep("--help").out
