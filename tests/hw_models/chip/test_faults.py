"""Faults of a chip: all of its fields at once, a line each, and what fields are to each other only after those."""

from __future__ import annotations

import pickle

import pytest

from hw_models.chip import Chip, Timing, faults, files
from hw_models.errors import ChipError

WRONG = """\
citation = 3
[adc]
bits = 99
bitz = 4
[device]
g_max = -1
programming_noise = [0.1, "x"]
read_noise_law = "propotional"
drift_mean = [1.0, 2.0]
[dac]
stochastic = true
"""
TOLD = [
    "citation = 3: should be a text",
    "device.g_max = -1: should be greater than 0",
    "device.programming_noise.1 = 'x': should be a number",
    "device.read_noise_law = 'propotional': should be 'additive', 'proportional', 'sqrt' or 'pcm'; did you mean "
    "'proportional'?",
    "device.drift_mean = [1.0, 2.0]: should be a list of 4 numbers, and it has 2",
    "adc.bits = 99: should be less than or equal to 24",
    "unknown key 'adc.bitz' = 4",
]


@pytest.fixture
def wrong(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(WRONG)
    return path


def test_a_file_tells_all_wrong_fields_at_once(wrong):
    """Types, bounds, choices, lengths and names; that rounding needs bits is not told before (it was never reached)."""
    with pytest.raises(ChipError) as caught:
        files.load(wrong)
    found = caught.value.lines
    assert str(caught.value) == "\n".join(found)
    assert sorted(line.split(": ")[1] for line in found) == sorted(line.split(": ")[0] for line in TOLD)
    for expected in TOLD:
        assert any(line.startswith(f"{wrong}: {expected}") for line in found), expected
    assert "did you mean 'adc.bits'" in next(line for line in found if "bitz" in line)
    wrong.write_text("[dac]\nstochastic = true\n[adc]\nstochastic = true\n[crossbar]\nslices = 3\n")
    with pytest.raises(ChipError) as caught:
        files.load(wrong)
    names = [line.split(" ")[1] for line in caught.value.lines]
    assert names == ["dac.stochastic", "adc.stochastic", "crossbar.slice_bits"]


def test_each_fault_names_the_file_in_which_it_stands(wrong, tmp_path):
    over = tmp_path / "over.toml"
    over.write_text('preset = "mine.toml"\n[events]\nthreshold = -1\n')
    with pytest.raises(ChipError) as caught:
        files.load(over)
    assert sum(line.startswith(f"{wrong}: ") for line in caught.value.lines) == len(TOLD)
    assert f"{over}: events.threshold = -1: should be greater than or equal to 0" in caught.value.lines


def test_a_part_made_in_python_tells_all_too():
    with pytest.raises(ChipError) as caught:
        Timing(pulse=-1.0, row="x")
    assert caught.value.lines == [
        "Timing: pulse = -1.0: should be greater than or equal to 0", "Timing: row = 'x': should be a number",
    ]  # fmt: skip
    assert pickle.loads(pickle.dumps(caught.value)).lines == caught.value.lines


def test_a_line_end_in_a_value_makes_no_line(tmp_path):
    with pytest.raises(ChipError) as caught:
        Chip.parse({"adc": {"bits": "a\nb"}, "dac": {"bits": "c\nd"}})
    assert len(str(caught.value).splitlines()) == 2


def test_very_many_faults_are_counted():
    with pytest.raises(ChipError) as caught:
        Chip.parse({f"x{n}": n for n in range(50)})
    assert len(caught.value.lines) == faults.MOST + 1 and caught.value.lines[-1] == "and 30 more"
    assert faults.told(["a"] * (faults.MOST + 1)) == ["a"] * (faults.MOST + 1)


def test_a_command_prints_each_and_ends_with_code_2(neuroep, wrong):
    found = neuroep("chips", wrong)
    assert (found.code, found.out) == (2, "")
    lines = found.err.splitlines()
    assert len(lines) == len(TOLD) and all(line.startswith(f"neuroep: error: {wrong}: ") for line in lines)
