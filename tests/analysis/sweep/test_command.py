"""The command: its table, its flags, and one line for what cannot be."""

from __future__ import annotations

import pytest

from analysis.sweep import execution, results
from neuroep.errors import DivergenceError

VARY = ("--vary", "chip.adc.bits=3,8", "--chip", "pcm", "--samples", "20")


def test_the_table(neuroep, trained, tmp_path):
    out = tmp_path / "out"
    arguments = ("--seeds", 2, "--workers", 1, "--quiet", "--out", out)
    found = neuroep("sweep", trained, *VARY, *arguments)
    assert (found.code, found.err) == (0, "")
    head, *lines = found.out.splitlines()
    assert head.split() == ["chip.adc.bits", "accuracy", "spread", "seeds", "failed", "energy", "latency", "area"]
    assert [line.split()[0] for line in lines[:2]] == ["3", "8"]
    assert lines[-1].startswith(f"4 trials; written to {out}")
    sweep = results.load(out)
    assert {row["seed"] for row in sweep.rows} == {0, 1}
    assert sweep.about["mode"] == "deploy" and sweep.about["samples"] == 20
    again = neuroep("sweep", trained, *VARY, *arguments)
    assert again.out == found.out


@pytest.mark.parametrize(("below", "code"), [(9, 2), (8, 0)])
def test_a_sweep_of_which_all_trials_failed_fails(neuroep, sweep, trained, tmp_path, monkeypatch, below, code):
    """Its table is printed and kept all the same; one trial that succeeds is a result."""
    real = execution.execute

    def failing(spec):
        if spec["config"]["chip"]["adc"]["bits"] < below:
            raise DivergenceError("dense_1", 2)
        return real(spec)

    monkeypatch.setattr(execution, "execute", failing)
    sweep(["chip.adc.bits=3,8"], overrides=["--chip", "pcm"])
    found = neuroep("sweep", trained, *VARY, "--workers", 1, "--quiet", "--out", tmp_path / "out")
    assert found.code == code and f"2 trials, {2 if code else 1} failed; written to" in found.out
    line = "neuroep: error: all 2 trials failed, the first by: diverged: state of 'dense_1' is not finite"
    assert found.err.startswith(line) == bool(code) and found.err.count("\n") == bool(code)


def test_flags_reach_the_sweep(neuroep, trained, tmp_path):
    flags = ["--vary", "chip.device.read_noise=0..0.1", "--design", "lhs", "--points", 3, "--design-seed", 5]
    rule = ["--seeds", 2, "--until", 0.5, "--max-seeds", 3, "--split", "train", "--samples", 20, "--workers", 1]
    found = neuroep("sweep", trained, "--chip", "pcm", *flags, *rule, "--out", tmp_path / "out")
    assert found.code == 0
    about = results.load(tmp_path / "out").about
    asked = about["designs"][0]
    assert (asked["design"], asked["points"], asked["design_seed"]) == ("lhs", 3, 5)
    assert (asked["seeds"], asked["until"], asked["max_seeds"]) == (2, 0.5, 3)
    assert about["split"] == "train"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--vary", "chip.adc.bitz=3"], "did you mean 'chip.adc.bits'"),
        (["--vary", "chip.adc.bits="], "no values"),
        (["--vary", "chip.adc.bits"], "should be NAME=VALUES"),
        (["--vary", "chip.adc.bits=99"], "chip.adc.bits = 99"),
        (["--vary", "chip.adc.bits=3", "--design", "gird"], "did you mean 'grid'"),
        (["--vary", "chip.adc.bits=3", "--mode", "lern"], "did you mean 'learn'"),
        (["--vary", "chip.adc.bits=3", "--seeds", "0"], "seeds is 0"),
        (["--vary", "chip.adc.bits=3", "--workers", "0"], "workers is 0"),
        ([], "--vary"),
    ],
)
def test_what_cannot_be_is_one_line_and_code_2(neuroep, trained, tmp_path, arguments, expected):
    found = neuroep("sweep", trained, "--chip", "pcm", *arguments, "--out", tmp_path / "out")
    assert found.code == 2
    assert expected in found.line
    assert not (tmp_path / "out").exists()


def test_a_directory_of_another_sweep(neuroep, trained, tmp_path):
    out = ("--workers", 1, "--out", tmp_path / "out")
    assert neuroep("sweep", trained, *VARY, *out).code == 0
    found = neuroep("sweep", trained, "--chip", "hermes", "--vary", "chip.adc.bits=3", "--samples", "20", *out)
    assert found.code == 2
    assert "holds another sweep" in found.line
