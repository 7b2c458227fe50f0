"""Droop of held states by the seconds that a chip's clock says they wait: capacitors in a loop, one by one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hw_models.chip import Chip
from hw_models.errors import ChipError
from neuroep.engines.schedule import Schedule
from neuroep.gradients import estimators
from tests.neuroep.engines.chip import test_phases_together as together
from tests.neuroep.engines.chip.conftest import UPDATES, assembled
from tests.neuroep.engines.chip.test_phases import HELD, gradient, norm, opened

TIMES = {"timing.integration": 2e-7, "timing.digital": 1e-7, "timing.hold": 5e-7}
SWEEP = 2 * 3e-7
"""Two groups of layers, a product each."""
HOLD = 5e-7
LEAKS = HELD | TIMES | {"readout.hold_time": 2e-4}


class Capacitors:
    """What capacitors show that leak while the phases behind theirs settle, second by second."""

    def __init__(self, steps: int, increments: bool, holds: int) -> None:
        self.steps, self.increments, self.hold = steps, increments, holds * HOLD

    def waited(self, mine: int, later: int) -> float:
        """Return for how long a state waits: through phases and holds up to that of the later one [s]."""
        now, ends = self.hold, {0: self.hold}
        if self.increments:
            now += SWEEP
        for number in range(1, max(mine, later) + 1):
            for _ in range(self.steps):
                now += SWEEP
            now += self.hold
            ends[number] = now
        return ends[max(mine, later)] - ends[mine]

    def held(self, engine, layer, values, numbers, later, chopped):
        """Stand in for the capacitors of the other tests, which leak by phases."""
        holders = engine.substrate._holders[layer]
        swapped, found = chopped(len(values)), np.zeros(values.shape)
        for b in range(len(values)):
            mine, other = (int(np.broadcast_to(each, len(values))[b]) for each in (numbers, later))
            holder = int(mine > other) ^ int(swapped[b])
            left = np.exp(-self.waited(mine, other) / holders.readout.hold_time)
            for i in range(values.shape[1]):
                found[b, i] = values[b, i] * (1 + holders.gain[holder, i]) * left + holders.offset[holder, i]
        return found


@pytest.mark.parametrize(
    ("kind", "points", "order"),
    [("centred", 2, order) for order in ("fixed", "batch", "sample", "mirrored")]
    + [("positive", 2, "fixed"), ("positive", 2, "mirrored"), ("centred", 4, "fixed"), ("centred", 4, "mirrored")],
)
@pytest.mark.parametrize(
    "more", [{}, {"nudged.drive": "increments"}, {"device.phase_drift": 1e-3}, {"readout.holds": 3}], ids=str
)
@pytest.mark.parametrize("zero", [False, True])
def test_states_droop_for_as_long_as_the_clock_says(monkeypatch, zero, more, kind, points, order):
    """In every order of phases, those of increments too, whose drives are read before any nudged phase is held."""
    chip = LEAKS | {"readout.hold_offset": 0.03, "readout.hold_gain": 0.05} | more
    chip |= {"readout.hold_noise": 1e-13} if "readout.holds" in more else {}
    engine, estimator, batch = opened(chip | ({"readout.auto_zero": "sample"} if zero else {}))
    estimator = replace(estimator, kind=kind, order=order, points=points, beta=0.25, null=kind == "centred")
    holds = more.get("readout.holds", 1)
    for step in (0, 1):
        phases = estimator.settle(engine, batch.keyed("train", step), step)
        steps = {settled.steps for settled in phases.settled}
        assert len(steps) == 1
        monkeypatch.setattr(together, "held", Capacitors(steps.pop(), "nudged.drive" in more, holds).held)
        wanted = together.by_hand(engine, estimator, phases, step, zero)
        pairs = estimators.pairs(estimator.formula(step), estimator.beta, phases)
        found = engine.gradient(engine.contrasts(phases.clamped, pairs))
        for name, exact in wanted.items():
            np.testing.assert_allclose(found[f"{name}.weight"], exact, atol=1e-10 + 1e-9 * np.abs(exact).max())


@pytest.mark.parametrize(
    "longer", [{"sweeps": 4}, {"timing.integration": 1.1e-6}, {"adc.columns": 3, "timing.adc": 1e-6}], ids=str
)
def test_whatever_makes_a_phase_longer_makes_it_worse(longer):
    """More sweeps, slower products, shared converters; a droop for each phase knows none of it."""
    sweeps = longer.get("sweeps", 1)
    chip = {name: value for name, value in longer.items() if name != "sweeps"}
    off = []
    for how in ({}, chip):
        engine, estimator, batch = opened(LEAKS | how)
        ideal, _, _ = opened({})
        schedule = Schedule(steps=6 * (sweeps if how is chip else 1))
        estimator = replace(estimator, beta=0.2, nudged=schedule, free=Schedule(steps=60))
        keyed = batch.keyed("train", 0)
        off.append(norm(gradient(engine, estimator, keyed), gradient(ideal, estimator, keyed)))
    assert off[1] > 1.8 * off[0]


def test_it_is_the_droop_of_a_phase_that_takes_as_long():
    """hold_droop = (time of a nudged phase)/(R C), learning too."""
    steps = assembled(LEAKS, {}).config.settling.nudged_steps
    droop = (steps * SWEEP + HOLD) / LEAKS["readout.hold_time"]
    by_phase = HELD | TIMES | {"readout.hold_droop": droop}
    weights = []
    for chip in (LEAKS, by_phase):
        parts = assembled(chip, {"engine.dtype": "float64"})
        for number, batch in zip(range(UPDATES), parts.shuffled(0), strict=False):
            measured = parts.estimator.measure(parts.engine, batch.keyed("train", number), number)
            parts.engine.update(measured.contrasts, parts.rates(0))
        weights.append(parts.engine.parameters())
    for name, values in weights[0].items():
        np.testing.assert_allclose(values, weights[1][name], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    ("readout", "timing", "line"),
    [
        ({"hold_time": 1e-3}, {}, "hold_time = 0.001: it acts only where phases take time"),
        ({"hold_time": 1e-3}, {"row": 1e-6}, "hold_time = 0.001: it acts only where phases take time"),
        ({"hold_time": 1e-3, "hold_droop": 0.1}, {"hold": 1e-6}, "hold_time = 0.001: hold_droop = 0.1 stands beside"),
        ({"hold_time": 1e-3, "signal": "states", "bits": 4}, {"hold": 1e-6}, "it acts only with signal difference"),
        ({"hold_time": 0.0}, {"hold": 1e-6}, "readout.hold_time = 0.0"),
    ],
)
def test_it_needs_a_clock_and_stands_alone(readout, timing, line):
    with pytest.raises(ChipError, match=line) as caught:
        Chip.parse({"readout": {"signal": "difference"} | readout, "timing": timing})
    assert any(line in each for each in caught.value.lines) and "\n" not in caught.value.lines[0]
