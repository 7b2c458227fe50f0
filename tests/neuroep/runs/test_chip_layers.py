"""Files of chips under what a command line sets: checked once all is laid over each other, and named by their fault."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from analysis.sweep import plans
from analysis.sweep.designs import axis, points
from hw_models.chip import Chip, files
from hw_models.chip.rules import RULES
from hw_models.errors import ChipError
from neuroep.errors import ConfigError
from neuroep.runs import advice, config
from neuroep.runs.config import load
from neuroep.runs.session import Session

PULSES = "[device.pulse]\ndw_min = 0.01\nnoise = 0.1\nw_max = 0.6\n"
AGAD = ["--chip.update.scheme", "agad"]


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., str]:
    """Write a file of that name, and return its path."""

    def written(name: str, text: str) -> str:
        (tmp_path / name).write_text(text, encoding="utf-8")
        return str(tmp_path / name)

    return written


@pytest.fixture
def plain(write) -> str:
    """A configuration without a chip."""
    return write("c.toml", "[network]\ntokens = 4\n")


def lines_of(*arguments) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(*arguments)
    assert str(caught.value).splitlines() == caught.value.lines
    return caught.value.lines


def line_of(*arguments) -> str:
    line, = lines_of(*arguments)
    return line


@pytest.mark.parametrize("scheme", [name for name in RULES if name != "digital"])
def test_pulses_of_a_file_act_with_a_scheme_of_the_command_line(plain, write, scheme):
    """Before, the file was refused by itself, whatever stood beside it."""
    chip = load(plain, ["--chip", write("mine.toml", PULSES), "--chip.update.scheme", scheme]).chip
    assert (chip.update.scheme, chip.device.pulse.dw_min, chip.name, chip.kept) == (scheme, 0.01, "mine", None)


@pytest.mark.parametrize(
    ("text", "given"),
    [
        ("[adc]\nmargin = 2.0\n", ["--chip.adc.bits", "8"]),
        ("[crossbar]\nreference = 'device'\n", [*AGAD, "--chip.crossbar.mapping", "offset"]),
        ("[device]\nage = 10.0\ndrift_compensation = true\n", ["--chip.device.drift_mean", "0,0.05,0.05,0.05"]),
        ("[device.cell]\nkind = 'one_sided'\n[device.pulse]\nw_min = 0.0\n", AGAD),
        ("[update.transfer]\nevery = 2\n", AGAD),
        ("[events]\nthreshold = 0.1\n", ["--chip.substrate", "event_driven"]),
    ],
)
def test_whatever_a_command_line_makes_fit_is_taken(plain, write, text, given):
    path = write("mine.toml", text)
    assert all(line.startswith(f"{path}: ") for line in lines_of(plain, ["--chip", path]))
    assert load(plain, ["--chip", path, *given]).chip.name == "mine"


def test_what_acts_with_nothing_is_refused_as_of_its_file_with_all_schemes(plain, write):
    path = write("mine.toml", PULSES)
    for given in ([], ["--chip.adc.bits", "8"]):
        lines = lines_of(plain, ["--chip", path, *given])
        pulsing = ", ".join(name for name in RULES if name != "digital")
        assert f"{path}: device.pulse.dw_min = 0.01: it acts only with an update.scheme that sends " in lines[0]
        assert len(lines) == 3 and all(line.endswith(pulsing) for line in lines)
    with pytest.raises(ChipError, match=r"it acts only with an update\.scheme"):
        files.load(path)


def test_a_fault_is_named_with_the_file_in_which_it_stands(plain, write):
    """Before, all were said to be of the configuration."""
    below = write("below.toml", "[adc]\nbits = 40\n")
    above = write("above.toml", "preset = 'below.toml'\n[dac]\nbits = 8\n")
    assert line_of(plain, ["--chip", above]).startswith(f"{below}: adc.bits = 40: ")
    with pytest.raises(ChipError, match=rf"^{below}: adc\.bits = 40: "):
        files.load(above)
    assert load(plain, ["--chip", above, "--chip.adc.bits", "6"]).chip.adc.bits == 6
    assert line_of(plain, ["--chip", below, "--chip.adc.bits", "41"]).startswith("chip.adc.bits = 41: ")
    assert "; it is a field of a chip: a chip's file is given by chip=, " in line_of(below)
    own = write("own.toml", "[chip.adc]\nbits = 42\n")
    assert line_of(own).startswith(f"{own}: chip.adc.bits = 42: ")
    named = write("named.toml", f"[chip]\npreset = '{below}'\n")
    assert line_of(named).startswith(f"{below}: adc.bits = 40: ")
    unknown = write("unknown.toml", "[adc]\nbts = 4\n")
    assert line_of(plain, ["--chip", unknown]).startswith(f"{unknown}: unknown key 'adc.bts' = 4: allowed are bits")
    empty = write("empty.toml", "[adc]\nbits = {}\n")
    assert line_of(plain, ["--chip", empty]) == f"{empty}: adc.bits = {{}}: should be a whole number"
    assert line_of(plain, ["--epochs", "0"]).startswith("training.epochs = 0: ")
    assert line_of(plain, ["--chip", "pcn"]).startswith("unknown chip 'pcn': ")
    missing = write("missing.toml", "chip = 'none.toml'\n")
    assert line_of(missing).startswith(f"{missing}: cannot read chip '")
    number = write("number.toml", "preset = 3\n")
    assert line_of(plain, ["--chip", number]) == f"{number}: preset = 3: should be the name of a chip or a file"
    kept = write("kept.toml", "kept = 'adc.bits'\n")
    assert line_of(plain, ["--chip", kept]) == f"{kept}: kept = 'adc.bits': should be a list of names"
    wrong = write("wrong.toml", "preset = 'pcn'\n")
    assert line_of(plain, ["--chip", wrong]).startswith(f"{wrong}: preset: unknown chip 'pcn': ")


def test_names_of_files_that_are_nearly_there(plain, write, tmp_path, monkeypatch):
    write("mychip.toml", "[adc]\nbits = 8\n")
    monkeypatch.chdir(tmp_path)
    assert line_of(plain, ["--chip", "mychp.toml"]).endswith(f"; did you mean '{tmp_path}/mychip.toml'?")
    assert "did you mean" not in line_of(plain, ["--chip", "reviews.toml"])
    for name in ("mychip.tml", "mychip"):
        assert line_of(plain, ["--chip", name]).endswith("files of chips are named .toml; did you mean 'mychip.toml'?")
    write("other.txt", "")
    assert "write './other.txt', or name it .toml" in line_of(plain, ["--chip", "other.txt"])


def test_durations_that_a_file_states_act_with_the_scheme_of_the_command_line(plain, write):
    path = write("mine.toml", "[timing]\nintegration = 1e-7\npulse = 1e-8\nrow = 1e-6\n")
    assert load(plain, ["--chip", path]).chip.kept == ("timing.pulse",)
    assert load(plain, ["--chip", path, *AGAD]).chip.kept is None


def test_sweeps_plan_with_such_files(trained, write):
    path = write("mine.toml", PULSES)
    choices = points([axis("chip.adc.bits=4,6")], "grid")
    assert len(plans.make(trained, choices, ["--chip", path, *AGAD]).points) == 2
    plan = plans.make(trained, points([axis(f"chip={path},ecram")], "grid"), AGAD)
    assert plan.chips[path]["update"]["scheme"] == "agad"
    with pytest.raises(ConfigError, match=rf"device\.pulse\.dw_min = 0\.01: it acts only .* \(in {path}\)$"):
        plans.make(trained, choices, ["--chip", path])


def test_sessions_open_with_such_files(trained, write):
    session = Session.open(trained, chip=write("mine.toml", PULSES), overrides=AGAD)
    assert session.config.chip.device.pulse.w_max == 0.6


def test_default_devices_under_pulses_are_named(plain, write):
    """Before, a chip without a word of pulses trained on devices that nobody had chosen, without a word."""
    found = advice.doubts(load(plain, ["--chip", write("mine.toml", "[adc]\nbits = 8\n"), *AGAD]))
    assert len(found) == 1
    assert found[0].startswith("chip.update.scheme = 'agad' without a table device.pulse: pulses make 'constant' steps")
    assert advice.doubts(load(plain, ["--chip", write("mine.toml", PULSES), *AGAD])) == []


def test_a_read_voltage_that_only_a_circuit_takes_is_not_told(caplog):
    config.tell_kept(Chip.checked({"device": {"read_voltage": 0.2}, "kept": ["device.read_voltage"]}))
    assert not caplog.records
    config.tell_kept(Chip.checked({"name": "a", "timing": {"pulse": 1e-6}, "kept": ["timing.pulse"]}))
    assert len(caplog.records) == 1
