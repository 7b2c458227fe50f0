"""Faults of a chip: all of its fields at once, a line each, and what fields are to each other only after those."""

from __future__ import annotations

import pickle

import pytest

from hw_models.chip import Chip, Device, Timing, faults, files
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


@pytest.mark.parametrize(
    ("field", "text", "told"),
    [
        ("device.mismatch", "5%", "should be a number; 5 % is 0.05"),
        ("device.g_max", "25 uS", "should be a number; write the number alone, in uS"),
        ("device.retention", "5%", "should be a number; write the number alone, in s"),
        ("device.age", "1h", "should be a number; write the number alone, in s"),
        ("device.read_noise", "-2,5", "should be a number; with a point, -2.5"),
        ("adc.offset_spread", "0.5 LSB", "should be a number; write the number alone"),
        ("adc.bits", "4 bit", "should be a whole number; write the number alone, in bit"),
        ("adc.bits", "4", "should be a whole number"),
        ("adc.bits", "50%", "should be a whole number"),
        ("device.mismatch", "x5", "should be a number"),
    ],
)
def test_a_number_with_its_unit_is_told_how_it_is_written(tmp_path, field, text, told):
    """Before, "should be a number" was all that stood behind 5% and 25uS."""
    path = tmp_path / "chip.toml"
    path.write_text("[{}]\n{} = '{}'\n".format(*field.split("."), text))
    with pytest.raises(ChipError) as caught:
        files.load(path)
    assert caught.value.lines[0].endswith(f"{field} = '{text}': {told}")


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


BETWEEN = """\
[device]
g_min = 30.0
stuck_low = 0.6
stuck_high = 0.6
drift_mean = [0.0, 0.1, 0.2, 0.1]
rtn_share = 0.5
rtn_amplitude = 0.0
iv = "sinh"
relaxation_times = [100.0, 10.0]
[adc]
bits = 1
range = 2.0
percentile = 99.0
[update]
scheme = "chopped"
[update.transfer]
gamma = 2.0
[readout]
hold_droop = 0.1
hold_time = 1e-3
range = 1.0
signal = "difference"
"""
PULSE = """\
[device.pulse]
dw_min = 3.0
corrupt = 0.7
unresponsive = 0.7
response = "table"
table_up = [1.0, -1.0, 0.5]
table_down = [1.0, 0.5]
w_max_spread = 0.1
bound_correlation = 0.5
"""
AMONG = {
    BETWEEN: (
        "device.g_min", "device.stuck_high", "device.drift_mean", "device.rtn_amplitude", "device.read_voltage",
        "device.relaxation_times", "adc.bits", "adc.percentile", "update.transfer.gamma",
        "readout.hold_time", "readout.range",
    ),
    PULSE: ("dw_min", "unresponsive", "table_up", "table_down", "bound_correlation"),
}  # fmt: skip


@pytest.mark.parametrize("text", [BETWEEN, PULSE])
def test_a_table_tells_all_that_its_fields_are_to_each_other(wrong, text):
    """Each table told the first such fault, and the next one once that was mended."""
    wrong.write_text(text)
    with pytest.raises(ChipError) as caught:
        files.load(wrong)
    told = [line.removeprefix(f"{wrong}: ").removeprefix("device.pulse.") for line in caught.value.lines]
    for name in AMONG[text]:
        assert sum(line.startswith(f"{name} = ") for line in told) == 1, (name, told)
    assert len(told) == len(AMONG[text])


def test_tables_together_tell_all_too(wrong):
    wrong.write_text(
        '[crossbar]\nmapping = "offset"\nslices = 2\nslice_bits = 4\n[device]\nlevels = 4\ndisturb = 0.1\n'
        "[device.cell]\n"
        'kind = "one_sided"\n[device.pulse]\nw_min = 0.0\n[update]\nscheme = "pulsed"\n'
    )
    with pytest.raises(ChipError) as caught:
        files.load(wrong)
    told = "\n".join(caught.value.lines)
    for line in ("device.cell.kind = 'one_sided': a pair needs", "crossbar.slice_bits = 4: 16 levels, the device has 4",
                 "device.disturb = 0.1: it is of weights on one slice", "update.scheme = 'pulsed': bit slices are"):
        assert line in told


def test_a_part_made_in_python_tells_what_is_wrong_between_its_fields():
    with pytest.raises(ChipError) as caught:
        Device(g_min=30.0, stuck_low=0.6, stuck_high=0.6)
    assert [line.split(" = ")[0] for line in caught.value.lines] == ["Device: g_min", "Device: stuck_high"]


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


@pytest.mark.parametrize(
    ("written", "shown"),
    [("0.000000001", "1e-09"), ("1000000000", "1e+09"), ("4294967295", "4294967295"), ("12345678.5", "12345678.5")],
)
def test_bounds_are_short_where_that_is_the_same_number(written, shown):
    assert faults._plain(f"Input should be less than {written}") == f"should be less than {shown}"
