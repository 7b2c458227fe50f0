"""The table of causes and cures: every name is a field that there is, and every change is one that may be."""

from __future__ import annotations

import pytest

from hw_models.chip import Chip
from neuroep.runs import config, cures
from neuroep.runs.sections import settings

ALL = [(f"{n} {cure.setting}", cure) for n, cure in enumerate(cures.cures())]


def test_every_field_named_is_one_of_the_chip_or_of_the_settings():
    known, fields = settings(), Chip.settings()
    for cause in cures.CAUSES:
        assert cause.fields and set(cause.fields) <= fields.keys(), cause.name
    for cure in cures.cures():
        assert cure.setting in known, cure.setting
    names = [cause.name for cause in cures.CAUSES]
    assert len(set(names)) == len(names)


SICK = [
    "--chip.adc.bits", "5", "--chip.dac.bits", "4", "--chip.adc.noise", "0.01", "--chip.dac.noise", "0.01",
    "--chip.device.read_noise", "0.05", "--chip.neuron.state_bits", "4", "--chip.neuron.state_noise", "0.01",
    "--chip.attention.state.bits", "5", "--chip.attention.state.noise", "0.01", "--chip.attention.exp_bits", "4",
    "--chip.attention.kind", "analog", "--chip.readout.bits", "6", "--chip.readout.noise", "0.01",
    "--chip.readout.signal", "difference", "--chip.readout.hold_noise", "1e-3", "--chip.neuron.gain_spread", "0.1",
    "--chip.wires.r_word", "1.0", "--chip.adc.gain_spread", "0.1", "--chip.dac.digit_bits", "2",
    "--chip.device.phase_drift", "1e-4", "--chip.device.nudge_shift", "1e-4", "--chip.transposed.devices", "own",
    "--chip.transposed.weight_error", "0.1", "--chip.transposed.gain", "0.1", "--chip.readout.hold_offset", "1e-3",
    "--chip.readout.hold_gain", "1e-3", "--chip.readout.hold_droop", "1e-3",
    "--chip.device.rtn_share", "0.1", "--chip.temperature", "300.0", "--chip.device.read_voltage", "0.2",
    "--chip.timing.integration", "1e-7",
]  # fmt: skip


@pytest.fixture(scope="module")
def sick():
    return config.changed(config.Config(), ["--chip", "ideal", *SICK])


def test_a_cause_taken_away_is_gone(sick):
    """Nothing of the others changes, and of the ideal chip nothing is left to take."""
    ideal = config.changed(config.Config(), ["--chip", "ideal"])
    seen = set()
    for cause in cures.CAUSES:
        assert cause.without(ideal) == ()
        if not cause.without(sick):
            continue
        seen.add(cause.name)
        without = config.changed(sick, cause.without(sick)).chip.differences()
        assert not set(cause.fields) & without.keys(), cause.name
    bent = config.changed(ideal, ["--chip.device.iv", "cubic", "--chip.device.iv_cubic", "0.1", "--chip.dac.bits", "6"])
    events = config.changed(ideal, ["--chip", "loihi2", "--chip.events.state_bits", "8"])
    for other, name in ((bent, "bent currents of the devices"), (events, "resolution of event-driven states")):
        (cause,) = (each for each in cures.CAUSES if each.name == name)
        assert not set(cause.fields) & config.changed(other, cause.without(other)).chip.differences().keys()
        seen.add(name)
    assert seen == {cause.name for cause in cures.CAUSES}


PULSED = ("--chip.update.scheme", "pulsed")


@pytest.mark.parametrize("cure", [cure for _, cure in ALL], ids=[name for name, _ in ALL])
def test_a_cure_changes_its_setting_and_says_how(sick, cure):
    """Where it changes something: as an override that the command line takes."""
    overrides = cure.overrides(sick)
    if not overrides:
        return
    needed = {"chip.events": ("--chip", "loihi2"), "chip.update.train": PULSED, "chip.device.pulse": PULSED}
    extra = next((more for start, more in needed.items() if cure.setting.startswith(start)), ())
    sick = config.changed(sick, extra)
    overrides = cure.overrides(sick)
    name, text, *_ = overrides
    changed = config.changed(sick, overrides)
    assert name == f"--{cure.setting}" and cures.value_of(changed, cure.setting) != cures.value_of(sick, cure.setting)
    told = cure.told(sick)
    assert told.startswith(f"{cure.setting} ") and f"-> {text}: " in told


def test_numbers_go_no_further_than_they_may():
    base = config.changed(config.Config(), ["--chip", "ideal", "--chip.adc.bits", "24", "--beta", "0.5"])
    assert cures.more_bits("chip.adc.bits", 2).overrides(base) == ()
    assert cures.LARGER_BETA.overrides(base) == ()
    assert cures.to("estimator.beta", 0.5, "no").overrides(base) == ()
    assert cures.room("chip.adc", 5.0)[1].overrides(base) == ("--chip.adc.margin", "8.0")


def test_a_cause_and_a_cure_name_settings_as_a_command_line_takes_them():
    """Before, a cure was told without its table, and a cause without any field."""
    found = config.parse({"chip": {"adc": {"bits": 5}}})
    cause = next(each for each in cures.CAUSES if each.name == "resolution of the ADC")
    assert cause.set(found) == ("chip.adc.bits",)
    assert cause.cures[0].told(found) == f"chip.adc.bits 5 -> 7: {cause.cures[0].why}"
    assert all(each.set(config.parse({"chip": {}})) == () for each in cures.CAUSES)
