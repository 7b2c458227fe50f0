"""Recorders and the iterator they read: what a settling phase shows after each sweep."""

from __future__ import annotations

import numpy as np
import pytest

from neuroep.engines import recorders
from neuroep.engines.recorders import Trace
from neuroep.engines.schedule import Schedule
from neuroep.errors import ConfigError, DivergenceError
from neuroep.learning.contrast import Pair
from neuroep.learning.optimisers import SGD
from tests import cases

on_both = pytest.mark.parametrize("where", ["local", "cpu"])
SCHEDULES = (
    Schedule(steps=7),
    Schedule("synchronous", steps=6, dt=0.6),
    Schedule(steps=200, tolerance=1e-4),
    Schedule(steps=200, tolerance=1e-3, check_every=4),
)


@on_both
@pytest.mark.parametrize("beta", [0.0, 0.4])
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_settling_is_a_loop_over_the_iterator(where, schedule, beta):
    """States, changes and energies of the recorders are those of whoever iterates himself, bit by bit."""
    net = cases.network("inference")
    engine = cases.engine(where, net)
    clamped = engine.clamp(cases.batch(net))
    settled = engine.settle(clamped, schedule, beta, record=("energy", "states", "change"))
    phase = engine.sweeps(clamped, schedule, beta)
    for number, state in enumerate(phase):
        assert state is phase.state and phase.steps == number + 1
        assert phase.change == settled.trace.change[number]
        np.testing.assert_array_equal(phase.energy(), settled.trace.energy[number])
        for name, value in settled.trace.states[number].values.items():
            np.testing.assert_array_equal(state.values[name], value)
    assert phase.ended and phase.steps == settled.steps == len(settled.trace.states)
    ended = phase.settled()
    assert (ended.residual, ended.converged, ended.at_levels) == (settled.residual, settled.converged, False)
    cases.assert_same(engine.states(ended), engine.states(settled))
    with pytest.raises(StopIteration):
        next(phase)


@on_both
def test_an_ended_phase_can_be_swept_on(where):
    net = cases.network()
    engine = cases.engine(where, net)
    clamped = engine.clamp(cases.batch(net))
    phase = engine.sweeps(clamped, Schedule(steps=3))
    list(phase)
    phase.sweep()
    cases.assert_same(engine.states(phase.settled()), engine.states(engine.settle(clamped, Schedule(steps=4))))


@on_both
def test_every_sweep_is_counted(where):
    net = cases.network()
    engine, batch = cases.engine(where, net), cases.batch(net)
    for _ in engine.sweeps(batch, Schedule(steps=3)):
        pass
    engine.settle(batch, Schedule(steps=2))
    assert engine.counters()["settle_steps"] == 5 * batch.size


@on_both
def test_the_start_is_left_alone_and_copies_stay(where):
    net = cases.network()
    engine = cases.engine(where, net)
    clamped = engine.clamp(cases.batch(net))
    free = engine.settle(clamped, cases.TIGHT)
    before = {name: value.copy() for name, value in engine.states(free).items()}
    phase = engine.sweeps(clamped, Schedule(steps=2), 0.5, free)
    kept = phase.copy()
    list(phase)
    cases.assert_same(engine.states(free), before)
    cases.assert_same({name: engine.to_numpy(value) for name, value in kept.values.items()}, before)
    assert any((engine.states(phase.settled())[name] != value).any() for name, value in before.items())


@on_both
def test_weights_may_change_between_two_sweeps(where):
    """Continual EP by hand (Ernoult et al. 2020): an update of what each nudged sweep changed, with SGD at rate r.

    The updates of one phase add up to that of the whole phase as the rate goes to 0.
    """
    net, beta, steps = cases.network(potential="smooth_sigmoid"), 0.3, 8
    batch, values, rates = cases.batch(net), cases.parameters(net), {s.name: 1e-6 for s in net.synapses}
    schedule = Schedule("synchronous", steps=steps)
    engine = cases.engine(where, net, values, optimiser=SGD())
    clamped = engine.clamp(batch)
    free = engine.settle(clamped, cases.TIGHT)
    phase = engine.sweeps(clamped, schedule, beta, free)
    before = phase.copy()
    for state in phase:
        engine.update(engine.contrasts(clamped, [Pair(state, before, beta)]), rates)
        before = phase.copy()
    whole = cases.estimator("positive", beta, nudged=schedule).gradient(cases.engine(where, net, values), batch)
    for name, start in values.items():
        moved = (start - engine.parameters()[name]) / 1e-6
        np.testing.assert_allclose(moved, whole[name], rtol=0, atol=1e-4 * np.abs(whole[name]).max() + 1e-9)


@on_both
def test_a_change_is_looked_at_when_asked(where):
    """Without a tolerance and with looks at the end only, a recorder of changes finds the sweep that is not finite."""
    net = cases.network()
    values = cases.parameters(net)
    engine, batch = cases.engine(where, net, values), cases.batch(net)
    batch.inputs["text"].vectors[0, 0, 0] = np.nan
    with pytest.raises(DivergenceError) as error:
        engine.settle(batch, Schedule(steps=9, check_every=9), record=("change",))
    assert error.value.step == 1


def test_one_trace_after_the_other():
    first, second = Trace([1.0], [np.ones(2)], []), Trace([2.0, 3.0], [], [])
    both = first.then(second)
    assert both.change == [1.0, 2.0, 3.0] and len(both.energy) == 1 and first.change == [1.0]


def test_recorders_come_in_one_order():
    assert recorders.chosen(("states", "change")) == [recorders.RECORDERS["change"], recorders.RECORDERS["states"]]


def test_an_unknown_recorder():
    with pytest.raises(ConfigError, match=r"^unknown record 'state': allowed are change, energy, states; did you mean"):
        recorders.chosen(("state",))
