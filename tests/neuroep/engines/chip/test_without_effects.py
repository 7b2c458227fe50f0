"""With all effects of a chip switched off, a run is that of exact arithmetic, whatever the chip was."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pytest

from hw_models.chip import Chip, effects, layers
from neuroep.runs import building
from neuroep.runs.session import Session
from tests.neuroep.engines.chip.conftest import UPDATES, corpus_of, described
from tests.neuroep.engines.chip.test_every_field import FIELDS, OFFSETS, PCM, PULSED
from tests.neuroep.engines.chip.test_idle_fields import CHIPS

ROUNDING = 2e-5
ROUNDS_MORE = {"crossbar.zero": 2e-4}
"""Conductances about a level are rounded to single precision once more."""
INTEGERS = 0.01
"""What states of 16 bits and weights of 8 bits leave on an event-driven array."""
CASES = {f"field {name}": beside | {name: value} for name, (beside, value) in FIELDS.items()}
CASES |= {f"chip {name}": chip for name, chip in CHIPS.items()}


def whole(chip: Chip | None) -> tuple[list[np.ndarray], dict[str, np.ndarray], dict[str, int]]:
    """Return outputs and weights of a small run that learns on a chip, what its devices hold, and its counters."""
    config = described(None, {}).model_copy(update={"chip": chip})
    tables = described(None, {}).to_dict()
    about = {name: tables[name] for name in ("data", "network", "training")}
    session = Session.open(config, corpus=corpus_of(json.dumps(about, sort_keys=True)))
    engine = session.engine
    speeds = building.rates(config, session.network, 0)
    for step, batch in enumerate(itertools.islice(session.batches("train"), UPDATES)):
        measured = session.estimator.measure(engine, batch.keyed("train", step), step)
        engine.update(measured.contrasts, speeds)
    outputs = engine.outputs(engine.settle(batch.keyed("evaluate", 0), session.estimator.free)).copy()
    return [outputs, *engine.parameters().values()], engine.device_state(), engine.counters()


def run(chip: Chip | None) -> list[np.ndarray]:
    """Return outputs and weights of a small run that learns on a chip."""
    return whole(chip)[0]


@pytest.fixture(scope="module")
def exact() -> list[np.ndarray]:
    """What exact arithmetic gives."""
    return run(None)


@pytest.mark.parametrize("name", CASES)
def test_without_any_effect_a_chip_is_exact(exact, name):
    chip = described(CASES[name], {}).chip
    events = chip.substrate == "event_driven"
    bound = INTEGERS if events else ROUNDS_MORE.get(name.removeprefix("field "), ROUNDING)
    for found, wanted in zip(run(effects.without(chip)), exact, strict=True):
        assert np.abs(found - wanted).max() < bound


@pytest.mark.parametrize("name", ["chip ideal", "field device.mismatch", "field adc.bits"])
def test_with_its_effects_it_is_not(exact, name):
    """But the chip without any."""
    chip = described(CASES[name], {}).chip
    far = max(np.abs(found - wanted).max() for found, wanted in zip(run(chip), exact, strict=True))
    assert (far > ROUNDING) == bool(effects.present(chip))


KEPT = {
    "means over sweeps": ({"device.read_noise": 0.1, "nudged.mean_sweeps": 3}, "read noise"),
    "duration of pulses": (PULSED | PCM | {"timing.pulse": 1e-3}, "learning in memory"),
    "auto-zero": (OFFSETS | {"readout.auto_zero": "mean"}, "holder mismatch"),
    "leak": (PULSED | {"device.leak": 0.1}, "learning in memory"),
    "retention": (PULSED | {"device.retention": 1e-3, "timing.integration": 1e-6}, "learning in memory"),
    "seldom calibrated": ({"adc.bits": 6, "calibration_every": 1}, "ADC bits"),
}
"""Chips, and the effect of which they keep something when it is switched off."""


@pytest.mark.parametrize("name", KEPT)
def test_what_a_chip_keeps_without_effect_has_none(name):
    """States, weights, devices, clock and counters are those of a chip that was written without it.

    Before, means were taken over the last sweeps all the same, a clock that nothing moves made all reads one, and
    devices, clock and holders kept states that no other chip has.
    """
    fields, gone = KEPT[name]
    left = effects.without(described(fields, {}).chip, [gone])
    assert left.kept
    written = Chip.parse(layers.without(left.to_dict(), [*left.kept, layers.KEPT]))
    (first, devices, counted), (wanted, there, others) = map(whole, (left, written))
    for one, other in zip(first, wanted, strict=True):
        np.testing.assert_array_equal(one, other)
    assert counted == others and devices.keys() == there.keys()
    for key, values in devices.items():
        assert np.asarray(values).tobytes() == np.asarray(there[key]).tobytes(), key
