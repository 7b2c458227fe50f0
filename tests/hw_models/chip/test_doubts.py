"""What is hardly meant is said in one line, and nothing of what chips usually are."""

from __future__ import annotations

import numpy as np
import pytest

from hw_models import presets
from hw_models.arrays.crossbar import Crossbar
from hw_models.chip import Chip
from hw_models.chip.doubts import PREFIXED, doubts
from hw_models.chip.pages import page
from hw_models.cost.constants import SCALES
from hw_models.errors import ChipError

TIMED = {"integration": 1e-7}
PAIR = {"cell": {"kind": "one_sided"}, "pulse": {"w_min": 0.0, "noise": 0.1}}


@pytest.mark.parametrize("name", [*presets.names()])
def test_presets_raise_no_doubt(name):
    assert doubts(presets.load(name)) == [] and doubts(Chip()) == []


@pytest.mark.parametrize(("tables", "start"), [
    ({"timing": {"integration": 100.0}}, "timing.integration = 100 s: durations are in seconds"),
    ({"timing": {"row": 1e5}}, "timing.row = 100000 s: "),
    ({"timing": {"tau": 1.0}}, "timing.tau = 1 s: time constants are in seconds"),
    ({"timing": {"tau": {"x": 1e-7, "y": 3.0}}}, "timing.tau.y = 3 s: "),
    ({"temperature": 25.0, "timing": TIMED, "device": {"read_voltage": 0.2}}, "temperature = 25 K is -248 deg C: "),
    ({"device": {"g_max": 25e-6}}, "device.g_max = 2.5e-05 uS: "),
    ({"timing": TIMED, "temperature": 300.0, "device": {"read_voltage": 200.0}}, "device.read_voltage = 200 V: "),
    ({"readout": {"hold_noise": 1.3}}, "readout.hold_noise = 1.3 is more than a whole state"),
    ({"crossbar": {"rows": 8, "columns": 6}, "adc": {"columns": 64}, "timing": {"adc": 1e-8}}, "adc.columns = 64 "),
    ({"device": {"mismatch": 8.0}}, "device.mismatch = 8 is 800% of g: it is a share, 8 % is 0.08"),
    ({"device": {"read_noise": 3.0, "read_noise_law": "proportional"}}, "device.read_noise = 3 is 300% of g: "),
    ({"device": {"read_noise": 3.0, "read_noise_law": "sqrt"}}, "device.read_noise = 3 is 300% of sqrt(g g_max): "),
    ({"device": {"read_noise": 0.5, "read_noise_law": "pcm"}}, "device.read_noise = 0.5: with read_noise_law 'pcm' "),
    ({"device": {"read_noise": 0.1, "read_noise_law": "pcm", "read_noise_cap": 0.1}}, "device.read_noise = 0.1: with "),
    ({"transposed": {"devices": "own", "mismatch": 5.0}}, "transposed.mismatch = 5 is 500% of g: "),
    ({"adc": {"bits": 8, "noise": 2.0}}, "adc.noise = 2 is 200% of full scale: "),
    ({"neuron": {"gain_spread": 5.0}}, "neuron.gain_spread = 5 is 500% of the gain: "),
    ({"update": {"scheme": "pulsed"}, "device": {"pulse": {"noise": 30.0}}}, "device.pulse.noise = 30 is 3000% of a "),
    ({"update": {"scheme": "agad"}}, "update.scheme = 'agad' without a table device.pulse: pulses make 'constant' "),
    ({"update": {"scheme": "tiki_taka"}, "device": PAIR}, "device.cell.kind = 'one_sided': with update.scheme = "),
    ({"cost": {"adc_energy": 1.6e-12}}, "cost.adc_energy = 1.6e-12 pJ: this constant is in pJ"),
    ({"cost": {"dac_energy": {"4": 1.0, "6": 2e-12}}}, "cost.dac_energy.6 = 2e-12 pJ: "),
])  # fmt: skip
def test_one_line_names_field_value_and_unit(tables, start):
    lines = doubts(Chip.parse(tables))
    assert len(lines) == 1 and lines[0].startswith(start) and "\n" not in lines[0]


DRIFTS = {"g_min": 6.0, "g_max": 34.5, "drift_mean": (0.0, 0.0418, 0.0418, 0.0418), "drift_start": 1.0, "age": 1e5}


def test_a_reference_that_does_not_drift_with_the_devices():
    """What the line says of weight 0 is what a crossbar reads there."""
    chip = Chip.parse({"device": DRIFTS, "crossbar": {"mapping": "offset", "weight_range": 1.0}})
    bar = Crossbar(chip, (1, 2), 0, "a")
    bar.program(np.float32([[0.0, 1.0]]))
    read = float(bar.forward(np.float32([[1.0, 0.0]]))[0, 0])
    (line,) = doubts(chip)
    assert read == pytest.approx(-(1 - 100001**-0.0418) * 40.5 / 28.5, abs=1e-3) and f"reads as {read:.2g} of" in line
    assert line.startswith("device.age = 100000 s: 62% is left of conductances, and crossbar.reference = 'digital' ")


@pytest.mark.parametrize("changed", [
    {"device": DRIFTS | {"age": 2.0}},
    {"device": DRIFTS | {"drift_compensation": True}},
    {"crossbar": {"mapping": "offset", "reference": "analog"}},
    {"crossbar": {"mapping": "differential"}},
])  # fmt: skip
def test_a_reference_that_drifts_or_has_no_time_to_raises_none(changed):
    assert doubts(Chip.parse({"device": DRIFTS, "crossbar": {"mapping": "offset"}} | changed)) == []


@pytest.mark.parametrize("tables", [
    {"device": {"read_noise": 3.0}},
    {"device": {"mismatch": 0.9}},
    {"update": {"scheme": "pulsed"}, "device": {"pulse": {"noise": 5.0, "w_max": 2.0}}},
    {"update": {"scheme": "agad"}, "device": {"pulse": {"dw_min": 0.01}}},
])  # fmt: skip
def test_what_devices_have_raises_none(tables):
    assert doubts(Chip.parse(tables)) == []


def test_a_small_conductance_is_doubted_sooner_where_it_cannot_be():
    """0.3 nS is a device; beside a g_min of 2 uS, 3e-4 is 300 uS in siemens."""
    assert doubts(Chip.parse({"device": {"g_max": 3e-4}})) == []
    with pytest.raises(ChipError, match=r"0\.0003 S is 300: is that meant\?"):
        Chip.parse({"device": {"g_min": 2.0, "g_max": 3e-4}})


@pytest.mark.parametrize(("tables", "told"), [
    ({"device": {"stuck_low": 8}}, "stuck_low = 8: should be less than or equal to 1; it is a share, 8 % is 0.08"),
    ({"neuron": {"nudge_mismatch": 5.0}}, "should be less than or equal to 0.3; it is a share, 5 % is 0.05"),
    ({"device": {"pulse": {"step_correlation": 8.0}}}, "should be less than or equal to 1"),
    ({"device": {"stuck_low": 800}}, "should be less than or equal to 1"),
    ({"device": {"g_min": 2.0, "g_max": 40e-6}}, "conductances are in microsiemens, 4e-05 S is 40: is that meant?"),
    ({"device": {"g_min": 2.0, "g_max": 1.0}}, "device.g_min = 2.0: it should be below g_max = 1.0 uS"),
    ({"device": {"drift_mean": [0.03]}}, "nu: clip(a ln(g/g_max) + b, low, high) as (a, b, low, high)"),
])  # fmt: skip
def test_percentages_of_bounded_shares_are_told(tables, told):
    with pytest.raises(ChipError) as caught:
        Chip.parse(tables)
    assert str(caught.value).endswith(told)


@pytest.mark.parametrize(("field", "value", "many"), [
    ("drift_mean", [0.03], "4 numbers, and it has 1"),
    ("drift_mean", [1.0] * 5, "4 numbers, and it has 5"),
    ("relaxation_times", [1.0], "2 numbers, and it has 1"),
    ("read_noise_band", [1.0], "2 numbers, and it has 1"),
])  # fmt: skip
def test_a_list_of_another_length_says_what_its_numbers_are(field, value, many):
    """Before, 'drift_mean.1 = [0.03]: Field required'."""
    with pytest.raises(ChipError, match=rf"device.{field} = .*: should be a list of {many}: [A-Z]"):
        Chip.parse({"device": {field: value}})


def test_a_page_asks_what_is_hardly_meant():
    assert "  is that meant? device.mismatch = 8 is" in page(Chip.parse({"device": {"mismatch": 8.0}}))
    assert "is that meant?" not in page(presets.load("pcm"))


def test_units_are_those_that_bills_scale():
    assert set(PREFIXED) == set(SCALES)


def test_what_is_kept_without_effect_raises_none():
    chip = Chip.parse({"timing": {"integration": 100.0}}).model_copy(update={"kept": ("timing.integration",)})
    assert doubts(chip) == []
