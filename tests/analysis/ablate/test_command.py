"""The command: its tables, its flags, its help, and one line for what cannot be."""

from __future__ import annotations

import pytest

from analysis import ablate
from analysis.sweep import execution
from neuroep.errors import DivergenceError
from tests.analysis.ablate.conftest import CHIP

FEW = (*CHIP, "--samples", "20", "--workers", "1", "--quiet")


def test_the_tables(neuroep, trained, small, tmp_path):
    out = tmp_path / "out"
    found = neuroep("ablate", trained, *FEW, "--seeds", 3, "--pairs", 2, "--out", out)
    assert (found.code, found.err) == (0, "")
    assert found.out.splitlines()[:-1] == small.as_text().splitlines()[:-1]
    assert found.out.splitlines()[-1].endswith(f"33 trials; written to {out}")
    again = neuroep("ablate", trained, *FEW, "--seeds", 3, "--pairs", 2, "--out", out)
    assert again.out == found.out


def test_flags_reach_the_ablation(neuroep, trained, tmp_path):
    flags = ("--effect", "ADC bits", "--effect", "mismatch", "--until", 0.5, "--max-seeds", 4, "--split", "train")
    found = neuroep("ablate", trained, *FEW, *flags, "--pairs", 0, "--out", tmp_path / "out")
    assert found.code == 0
    result = ablate.load(tmp_path / "out")
    design = result.design
    assert design["chosen"] == ["ADC bits", "mismatch"] and design["pairs"] == 0
    assert (design["seeds"], design["until"], design["max_seeds"]) == (4, 0.5, 4)
    assert result.sweep.about["split"] == "train" and result.sweep.about["samples"] == 20
    assert {cost.effect for cost in result.costs} == {"ADC bits", "mismatch"} and not result.pairs


def test_an_ablation_of_which_all_trials_failed_fails(neuroep, trained, tmp_path, ablated, monkeypatch):
    def failing(spec):
        raise DivergenceError("dense_1", 2)

    monkeypatch.setattr(execution, "execute", failing)
    ablated(tmp_path / "out", effects=["ADC bits"], pairs=0, seeds=1)
    asked = ("--effect", "ADC bits", "--pairs", 0, "--seeds", 1)
    found = neuroep("ablate", trained, *FEW, *asked, "--out", tmp_path / "out")
    assert found.code == 2 and found.err.count("\n") == 1
    assert found.err.startswith("neuroep: error: all 4 trials failed, the first by: diverged: ")
    assert "4 trials, 4 failed; written to" in found.out


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((), "an ablation needs a chip: add --chip NAME"),
        (("--chip", "ideal"), "chip 'ideal' has no effect: there is nothing to switch off"),
        ((*CHIP, "--effect", "ADC bit"), "unknown effect 'ADC bit': "),
        ((*CHIP, "--pairs", "-2"), "pairs is -2: allowed are whole numbers from 0"),
        ((*CHIP, "--mode", "depoly"), "unknown mode 'depoly'"),
        ((*CHIP, "--seeds", "many"), "seeds"),
        ((*CHIP, "--vary", "chip.adc.bits=3,4"), "--vary"),
    ],
)
def test_one_line_for_what_cannot_be(neuroep, trained, tmp_path, arguments, expected):
    assert expected in neuroep("ablate", trained, *arguments, "--out", tmp_path / "out").line
    assert not (tmp_path / "out").exists()


def test_help_tells_of_it(neuroep):
    assert "--effect NAME" in neuroep("ablate", "--help").out
    assert "switch off the effects of a chip" in neuroep("--help").out
    lines = neuroep("chips", "--effects").out.splitlines()
    assert any(line.startswith("ADC bits: adc.bits = unset, adc.range = unset") for line in lines)
