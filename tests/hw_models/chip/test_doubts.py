"""What is hardly meant is said in one line, and nothing of what chips usually are."""

from __future__ import annotations

import pytest

from hw_models import presets
from hw_models.chip import Chip
from hw_models.chip.doubts import PREFIXED, doubts
from hw_models.cost.constants import SCALES

TIMED = {"integration": 1e-7}


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
    ({"cost": {"adc_energy": 1.6e-12}}, "cost.adc_energy = 1.6e-12 pJ: this constant is in pJ"),
    ({"cost": {"dac_energy": {"4": 1.0, "6": 2e-12}}}, "cost.dac_energy.6 = 2e-12 pJ: "),
])  # fmt: skip
def test_one_line_names_field_value_and_unit(tables, start):
    lines = doubts(Chip.parse(tables))
    assert len(lines) == 1 and lines[0].startswith(start) and "\n" not in lines[0]


def test_units_are_those_that_bills_scale():
    assert set(PREFIXED) == set(SCALES)


def test_what_is_kept_without_effect_raises_none():
    chip = Chip.parse({"timing": {"integration": 100.0}}).model_copy(update={"kept": ("timing.integration",)})
    assert doubts(chip) == []
