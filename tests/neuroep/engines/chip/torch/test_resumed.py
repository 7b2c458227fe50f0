"""Chips with many faults at once on tensors: they go on where they stood, on either engine."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from neuroep.engines.twins import twin
from tests.neuroep.engines.chip.conftest import assembled
from tests.neuroep.engines.chip.test_resumed_together import CHIPS, same, step

SEEN = ("a fast array that is seen", "a tracked array that is seen")
NAMES = ("all but wear", "offset, analog", "wires", *SEEN, "pulses")


def opened(chip, kind, dtype="float32"):
    """Return the parts of the small run on an engine, read as whoever trains does."""
    parts = assembled(chip, {"engine.kind": kind, "engine.dtype": dtype, "engine.device": "cpu"})
    parts.engine.read_at(0.0)
    return parts, replace(parts.estimator, order="mirrored" if "readout.hold_offset" in chip else "sample", null=True)


def outputs(parts):
    """Return the outputs of a free phase."""
    batch = next(iter(parts.shuffled(0))).keyed("look", 0)
    return parts.engine.outputs(parts.engine.settle(batch, parts.estimator.free)).copy()


@pytest.mark.parametrize("name", NAMES)
def test_a_chip_goes_on_where_it_stood(name):
    parts, estimator = opened(CHIPS[name], "reference")
    step(parts, 0, estimator)
    kept = parts.engine.parameters(), parts.engine.optimiser_state(), parts.engine.device_state()
    other, _ = opened(CHIPS[name], "reference")
    step(other, 5, estimator)
    other.engine.load_parameters(kept[0])
    other.engine.read_at(0.0)
    other.engine.load_optimiser_state(*kept[1:])
    for each in (parts, other):
        step(each, 1, estimator)
    same(parts, other)
    np.testing.assert_array_equal(outputs(parts), outputs(other))


@pytest.mark.parametrize("name", NAMES)
def test_what_one_engine_kept_the_other_goes_on_with(name):
    """In double precision, where nothing but rounding differs."""
    parts, estimator = opened(CHIPS[name], "local", "float64")
    other, _ = opened(CHIPS[name], "reference", "float64")
    step(parts, 0, estimator)
    other.engine.load_parameters(parts.engine.parameters())
    other.engine.read_at(0.0)
    other.engine.load_optimiser_state(parts.engine.optimiser_state(), parts.engine.device_state())
    for each in (parts, other):
        step(each, 1, estimator)
    for key, values in parts.engine.parameters().items():
        np.testing.assert_allclose(other.engine.parameters()[key], values, rtol=0, atol=1e-9)
    np.testing.assert_allclose(outputs(other), outputs(parts), rtol=0, atol=1e-9)
    counted = [each.engine.counters() | {"settle_steps": 0} for each in (parts, other)]  # the engine's own are not kept
    assert counted[0] == counted[1]


def test_a_twin_leaves_the_first_alone():
    parts, estimator = opened(CHIPS["all but wear"], "reference")
    step(parts, 0, estimator)
    before = {key: values.copy() for key, values in parts.engine.device_state().items()}
    again = twin(parts.engine)
    batch = next(iter(parts.shuffled(0))).keyed("twin", 0)
    again.update(estimator.measure(again, batch, 0).contrasts, parts.rates(0))
    for key, values in parts.engine.device_state().items():
        np.testing.assert_array_equal(values, before[key], err_msg=key)
