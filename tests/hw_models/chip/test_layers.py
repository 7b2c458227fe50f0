"""Layers of a chip: what a later one silences is kept, however its fields belong together."""

from __future__ import annotations

import pytest

from hw_models import presets
from hw_models.chip import Chip, files, layers
from hw_models.chip.faults import Idle
from hw_models.errors import ChipError

PAIRS = ["nandakumar_2020_pcm"]


def over(base: Chip, **tables) -> Chip:
    return Chip.checked(files.laid_over(base.to_dict(), tables))


@pytest.mark.parametrize("name", presets.names())
def test_a_master_copy_silences_all_that_belongs_to_pulses(name):
    """Before, devices of a pair were refused: the search ended where defaults of their pulses did not fit the cell."""
    chip = presets.load(name)
    if not chip.update.in_memory:
        pytest.skip("learns by reprogramming")
    own = {"crossbar": {"reference": "digital"}} if chip.crossbar.reference == "device" else {}
    found = over(chip, update={"scheme": "digital"}, **own)
    resting = {each for each in chip.differences() if each.startswith(("device.pulse.", "device.cell."))}
    assert resting <= set(found.kept)
    assert not any(each.startswith(("device.pulse.", "device.cell.")) for each in found.differences())


@pytest.mark.parametrize("name", PAIRS)
def test_what_rests_acts_again(name):
    chip = presets.load(name)
    resting = over(chip, update={"scheme": "digital"})
    again = over(resting, update={"scheme": chip.update.scheme})
    assert again.differences() == chip.differences() and again.kept is None


@pytest.mark.parametrize("name", PAIRS)
def test_a_layer_is_refused_for_what_it_sets_in_vain_itself(name):
    chip = over(presets.load(name), update={"scheme": "digital"})
    with pytest.raises(Idle, match=r"device\.pulse\.noise = 0\.5: it acts only with an update\.scheme"):
        over(chip, device={"pulse": {"noise": 0.5}})


def test_idle_fields_are_found_within_and_across_parts():
    pulse = {"response": "power", "gamma_up": 1.5, "w_min": 0.0, "noise": 0.0, "noise_law": "log_normal"}
    values = {"device": {"pulse": pulse, "cell": {"kind": "one_sided"}}}
    found = layers.idle(Chip, values)
    wanted = {f"device.pulse.{name}" for name in ("response", "gamma_up", "w_min", "noise_law")} | {"device.cell.kind"}
    assert found.keys() == wanted
    assert "it acts only with noise above 0" in found["device.pulse.noise_law"]


def test_other_faults_end_the_search():
    assert layers.idle(Chip, {"device": {"g_min": 30.0}, "adc": {"stochastic": True}}) in ({}, {
        "adc.stochastic": "adc.stochastic = True: it acts only with bits"
    })  # fmt: skip


def test_a_file_may_state_its_read_voltage_which_a_circuit_takes(tmp_path):
    """Before, it was refused without prices, though 'neuroep export' uses it."""
    (tmp_path / "a.toml").write_text("[device]\nread_voltage = 0.2\n")
    chip = files.load(tmp_path / "a.toml")
    assert chip.device.read_voltage == 0.2 and chip.kept == ("device.read_voltage",) and chip.is_ideal


def test_all_that_is_set_in_vain_is_told_at_once():
    """A line for each; before, a file was mended three times."""
    values = {"device": {"pulse": {"dw_min": 0.01, "noise": 0.3}, "drift_start": 2.0}, "cost": {"phase_bits": 4}}
    with pytest.raises(ChipError) as caught:
        Chip.parse(values)
    told = caught.value.lines
    assert str(caught.value).splitlines() == told and all(line.count("it acts only") == 1 for line in told)
    names = ("device.drift_start", "device.pulse.dw_min", "device.pulse.noise", "cost.phase_bits")
    assert sorted(line.split(" ")[1] for line in told) == sorted(names)


def test_what_is_set_in_vain_is_told_beside_what_does_not_go_together():
    values = {"device": {"drift_start": 2.0}, "crossbar": {"slices": 2, "slice_bits": 2}}
    values |= {"timing": {"row": 1e-7}, "update": {"scheme": "pulsed"}}
    with pytest.raises(ChipError) as caught:
        Chip.parse(values)
    names = [line.split(" ")[1] for line in caught.value.lines]
    assert names == ["device.drift_start", "timing.row", "update.scheme"]
