"""Settling: energy falls, fixed points do not depend on the order, layer-wise sweeps resolve 2-cycles, stop rules."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from neuroep.data.batch import Batch, TokenVectors
from neuroep.engines import settling
from neuroep.engines.schedule import ORDERS, Schedule
from neuroep.errors import ConfigError
from tests import cases

ALL = ("change", "energy", "states")
on_every_engine = pytest.mark.parametrize("where", cases.ENGINES)
on_both = pytest.mark.parametrize("where", ["local", "cpu"])
every_network = pytest.mark.parametrize("name", cases.NETWORKS)


def rises(trace):
    """Largest rise of any sample's energy from one sweep to the next, relative to its size."""
    energy = np.array(trace.energy)
    return (np.diff(energy, axis=0) / np.maximum(1, np.abs(energy[1:]))).max()


class TestEnergy:
    @on_both
    @given(
        seed=st.integers(0, 10**6),
        name=st.sampled_from(cases.NETWORKS),
        potential=st.sampled_from(["hard_sigmoid", "smooth_sigmoid", "tanh"]),
        scale=st.sampled_from([0.5, 3.0, 30.0]),
        mask=st.booleans(),
    )
    @settings(max_examples=25, deadline=None, derandomize=True)
    def test_never_rises_under_layer_wise_settling(self, where, seed, name, potential, scale, mask):
        """Free, nudged up from there, nudged down from there; weights up to thirty times those of a fresh network."""
        net = cases.network(name, potential=potential, mask=mask)
        engine = cases.engine(where, net, cases.parameters(net, seed, scale))
        clamped = engine.clamp(cases.batch(net, 4, seed))
        free = engine.settle(clamped, Schedule(steps=12), record=("energy",))
        assert rises(free.trace) <= 1e-13
        for beta in (0.7, -0.7 * min(1, net.output.potential.curvature / 2)):
            nudged = engine.settle(clamped, Schedule(steps=12), beta=beta, start=free, record=("energy",))
            assert rises(nudged.trace) <= 1e-13
            start = engine.fork(free.state)
            start.beta = beta
            assert (nudged.trace.energy[0] <= engine.energy(clamped, start) + 1e-12).all()

    @on_both
    @every_network
    def test_never_rises_when_neurons_go_part_of_the_way(self, where, name):
        net = cases.network(name, potential="tanh")
        engine = cases.engine(where, net, cases.parameters(net, scale=8.0))
        clamped = engine.clamp(cases.batch(net))
        start = engine.settle(clamped, Schedule(steps=1))
        relaxed = engine.settle(clamped, Schedule(steps=25, dt=0.3), beta=0.8, start=start, record=("energy",))
        assert rises(relaxed.trace) <= 1e-13
        assert (relaxed.trace.energy[-1] < relaxed.trace.energy[0]).any()

    @on_both
    def test_can_rise_under_synchronous_settling(self, where):
        """What the tests above would see if settling were wrong."""
        net, values, batch = inhibition()
        engine = cases.engine(where, net, values)
        found = engine.settle(batch, Schedule("synchronous", steps=8), record=("energy",))
        assert rises(found.trace) > 0.1

    @on_every_engine
    def test_is_that_of_the_final_state_whenever_it_is_asked_for(self, where):
        net = cases.network("inference")
        engine = cases.engine(where, net)
        settled = engine.settle(cases.batch(net), Schedule(steps=4), beta=0.3, record=("energy",))
        np.testing.assert_array_equal(settled.energy, settled.trace.energy[-1])
        assert settled.energy.shape == (5,)

    @on_every_engine
    def test_of_a_nudged_state_counts_the_nudge(self, where):
        """F_beta = E + beta/2 |s - y|^2 at one and the same state."""
        net = cases.network()
        engine, batch = cases.engine(where, net), cases.batch(net)
        clamped = engine.clamp(batch)
        settled = engine.settle(clamped, Schedule(steps=4), beta=0.6)
        free = engine.fork(settled.state)
        free.beta = 0.0
        miss = engine.outputs(settled) - np.eye(2)[batch.labels]
        wanted = engine.energy(clamped, free) + 0.3 * (miss**2).sum(1)
        np.testing.assert_allclose(settled.energy, wanted, rtol=0, atol=1e-13)


class TestFixedPoint:
    @pytest.mark.parametrize("potential", ["hard_sigmoid", "smooth_sigmoid", "tanh"])
    @every_network
    @on_every_engine
    def test_does_not_depend_on_the_order(self, where, name, potential):
        """Layer-wise, synchronous and relaxed dynamics end in one state, free and nudged."""
        net = cases.network(name, potential=potential)
        engine = cases.engine(where, net, cases.parameters(net, scale=0.8))
        clamped = engine.clamp(cases.batch(net))
        for beta in (0.0, 0.4, -0.4):
            ends = []
            for order, dt in (("layerwise", 1.0), ("synchronous", 1.0), ("layerwise", 0.6), ("synchronous", 0.4)):
                schedule = Schedule(order, steps=3000, tolerance=1e-14, dt=dt, check_every=1)
                ends.append(engine.settle(clamped, schedule, beta=beta))
                assert ends[-1].converged
            for end in ends[1:]:
                cases.assert_close(engine.states(end), engine.states(ends[0]), 1e-11)
                np.testing.assert_allclose(end.energy, ends[0].energy, rtol=1e-11)

    @on_both
    def test_does_not_depend_on_the_start(self, where):
        net = cases.network("inference")
        engine = cases.engine(where, net, cases.parameters(net, scale=0.8))
        clamped = engine.clamp(cases.batch(net))
        far = engine.settle(clamped, Schedule(steps=5), beta=3.0)
        ends = [engine.settle(clamped, cases.TIGHT, start=start) for start in (None, far)]
        cases.assert_close(engine.states(ends[1]), engine.states(ends[0]), 1e-12)


def inhibition():
    """Two outputs and three hidden neurons that switch each other off: w = -20, b = 10; attention has no say."""
    net = cases.network("sentiment", dense=(3, 2))
    values = {name: np.zeros_like(value) for name, value in cases.parameters(net).items()}
    values["dense_2.weight"][:] = -20.0
    values["dense_1.bias"][:] = values["dense_2.bias"][:] = 10.0
    return net, values, cases.batch(net)


class TestCycles:
    @on_every_engine
    def test_layer_wise_settling_resolves_a_two_cycle(self, where):
        """All at once: everything on, everything off, for ever. Layer by layer: one on, the other off, at rest."""
        net, values, batch = inhibition()
        engine = cases.engine(where, net, values)
        schedule = {"steps": 100, "tolerance": 1e-9, "check_every": 1}
        cycling = engine.settle(batch, Schedule("synchronous", **schedule), record=("states",))
        assert (cycling.steps, cycling.converged, cycling.residual) == (100, False, 1.0)
        first, second, third = (engine.to_numpy(s.values["output"]) for s in cycling.trace.states[-3:])
        np.testing.assert_array_equal(first, third)
        np.testing.assert_array_equal(first, 1 - second)
        resolved = engine.settle(batch, Schedule("layerwise", **schedule))
        assert resolved.converged and resolved.steps <= 3
        states = engine.states(resolved)
        assert (states["output"] == 1).all() and not states["hidden_1"].any()

    @on_both
    def test_so_it_does_with_large_random_weights(self, where):
        """Over twenty draws: synchronous settling fails on some, layer-wise settling on none."""
        net = cases.network("sentiment", dense=(7, 2))
        batch, cycles = cases.batch(net), 0
        for seed in range(20):
            engine = cases.engine(where, net, cases.parameters(net, seed, 25.0))
            clamped = engine.clamp(batch)
            ends = [engine.settle(clamped, Schedule(o, steps=400, tolerance=1e-8)) for o in ORDERS]
            assert ends[0].converged
            cycles += not ends[1].converged
        assert cycles >= 3

    @on_both
    def test_so_does_a_smaller_time_step(self, where):
        net, values, batch = inhibition()
        values["dense_2.weight"][:] = -2.4
        values["dense_1.bias"][:] = values["dense_2.bias"][:] = 3.0
        engine = cases.engine(where, net, values)
        ends = [engine.settle(batch, Schedule("synchronous", steps=3000, tolerance=1e-12, dt=dt)) for dt in (1.0, 0.2)]
        assert [end.converged for end in ends] == [False, True]


def move_everything(engine, clamped, state, group, schedule):
    """What ``_update_group`` does without the book of stale layers."""
    return engine.relax(clamped, state, group, schedule)


class TestStaleLayers:
    @pytest.mark.parametrize("schedule", cases.SCHEDULES)
    @every_network
    @on_both
    def test_skipping_them_changes_nothing(self, where, name, schedule, monkeypatch):
        net = cases.network(name, potential="tanh")
        engine = cases.engine(where, net)
        clamped = engine.clamp(cases.batch(net))

        def chain():
            found = engine.settle(clamped, cases.SCHEDULES[schedule])
            for beta, other in ((0.4, cases.SCHEDULES[schedule]), (0.4, Schedule(steps=3)), (-0.4, Schedule(steps=3))):
                found = engine.settle(clamped, other, beta=beta, start=found)
                yield found

        skipping = [(engine.states(settled), settled.energy, settled.steps) for settled in chain()]
        monkeypatch.setattr(settling, "_update_group", move_everything)
        for (states, energy, steps), settled in zip(skipping, chain(), strict=True):
            cases.assert_close(states, engine.states(settled), 1e-13)
            np.testing.assert_allclose(energy, settled.energy, rtol=1e-13)
            assert steps == settled.steps

    @on_both
    def test_from_a_fixed_point_only_the_output_moves_first(self, where):
        net = cases.network("inference")
        engine = cases.engine(where, net)
        clamped = engine.clamp(cases.batch(net))
        free = engine.settle(clamped, cases.TIGHT)
        at_rest = engine.fork(free.state)
        at_rest.stale = frozenset()
        moved, relax = [], engine.relax
        engine.relax = lambda c, state, names, s: moved.append(names) or relax(c, state, names, s)
        some = engine.settle(clamped, Schedule(steps=1), beta=0.3, start=at_rest)
        assert moved == [("output",), ("hidden_1",)]
        everything = engine.settle(clamped, Schedule(steps=1), beta=0.3, start=free)
        cases.assert_close(engine.states(some), engine.states(everything), 1e-12)

    @pytest.mark.parametrize(
        ("schedule", "beta", "left"),
        [
            (Schedule(steps=1), 0.0, {"hidden_1"}),
            (Schedule(steps=1), 0.3, {"hidden_1"}),
            (Schedule(steps=1, dt=0.5), 0.3, {"hidden_1", "output"}),
            (Schedule("synchronous", steps=1), 0.0, {"hidden_1"}),
            (Schedule("synchronous", steps=1), 0.3, {"hidden_1", "output"}),
            (Schedule("synchronous", steps=1, dt=0.5), 0.0, {"hidden_1", "output"}),
        ],
    )
    @on_both
    def test_what_is_left_stale_after_the_output_moved(self, where, schedule, beta, left):
        """Its neighbour; the output itself unless it went all the way to its minimiser for the given neighbours."""
        net = cases.network("inference")
        engine = cases.engine(where, net)
        clamped = engine.clamp(cases.batch(net))
        state = engine.settle(clamped, Schedule(steps=2), beta=beta).state
        state.stale = frozenset({"output"})
        settling._update_group(engine, clamped, state, ("output",), schedule)
        assert state.stale == left

    @on_both
    def test_a_state_at_rest_costs_nothing(self, where):
        net = cases.network()
        engine = cases.engine(where, net)
        clamped = engine.clamp(cases.batch(net))
        free = engine.settle(clamped, Schedule(steps=3))
        still = engine.fork(free.state)
        still.stale = frozenset()
        found = engine.settle(clamped, Schedule(steps=4, tolerance=1e-9), start=still)
        assert (found.steps, found.residual, found.converged) == (1, 0.0, True)
        cases.assert_same(engine.states(found), engine.states(free))


class TestStopping:
    @on_every_engine
    def test_fixed_steps(self, where):
        net = cases.network()
        found = cases.engine(where, net).settle(cases.batch(net), Schedule(steps=9))
        assert found.steps == 9 and found.residual > 0 and not found.converged and found.trace is None

    @pytest.mark.parametrize("check", [1, 3])
    @on_every_engine
    def test_tolerance(self, where, check):
        """The first look at which the last sweep moved nothing by more than the tolerance ends the phase."""
        net = cases.network()
        engine, batch = cases.engine(where, net), cases.batch(net)
        changes = engine.settle(batch, Schedule(steps=60), record=("change",)).trace.change
        wanted = next(step for step in range(check, 61, check) if changes[step - 1] <= 1e-6)
        found = engine.settle(batch, Schedule(steps=60, tolerance=1e-6, check_every=check))
        assert 1 < wanted < 60
        assert (found.steps, found.converged) == (wanted, True)
        assert found.residual == pytest.approx(changes[wanted - 1], rel=1e-6)

    @on_every_engine
    def test_not_converged_within_the_steps(self, where):
        net = cases.network()
        found = cases.engine(where, net).settle(cases.batch(net), Schedule(steps=2, tolerance=1e-12))
        assert found.steps == 2 and not found.converged and found.residual > 1e-12

    @on_every_engine
    def test_default_schedule_converges(self, where):
        net = cases.network()
        found = cases.engine(where, net, dtype="float32").settle(cases.batch(net))
        assert found.converged and found.residual <= 1e-5 and found.steps < 50

    @on_every_engine
    def test_residual_is_the_largest_change_of_any_layer(self, where):
        net = cases.network("inference")
        engine, batch = cases.engine(where, net), cases.batch(net)
        found = engine.settle(batch, Schedule(steps=6), record=ALL)
        assert len(found.trace.change) == len(found.trace.energy) == len(found.trace.states) == 6
        states = [{k: engine.to_numpy(v) for k, v in state.values.items()} for state in found.trace.states]
        for before, after, change in zip(states[:-1], states[1:], found.trace.change[1:], strict=True):
            assert change == pytest.approx(max(np.abs(after[k] - before[k]).max() for k in after), rel=1e-12)
        assert found.residual == found.trace.change[-1]
        cases.assert_same(states[-1], engine.states(found))


class TestStart:
    @pytest.mark.parametrize("schedule", ["layerwise", "synchronous", "layerwise_slow", "synchronous_slow"])
    @every_network
    @on_every_engine
    def test_two_halves_are_one_phase(self, where, name, schedule):
        net = cases.network(name)
        engine, whole = cases.engine(where, net), cases.SCHEDULES[schedule]
        clamped = engine.clamp(cases.batch(net))
        halves = [Schedule(whole.order, steps, dt=whole.dt) for steps in (2, whole.steps - 2)]
        first = engine.settle(clamped, halves[0], beta=0.3)
        second = engine.settle(clamped, halves[1], beta=0.3, start=first)
        cases.assert_same(engine.states(second), engine.states(engine.settle(clamped, whole, beta=0.3)))

    @every_network
    @on_every_engine
    def test_is_left_untouched(self, where, name):
        net = cases.network(name)
        engine = cases.engine(where, net)
        clamped = engine.clamp(cases.batch(net))
        free = engine.settle(clamped, Schedule(steps=3))
        before = {key: value.copy() for key, value in engine.states(free).items()}
        weights = [engine.attention_weights(clamped, free.state, layer.name).copy() for layer in net.attention]
        for schedule in (Schedule(steps=3), Schedule("synchronous", steps=3, dt=0.5)):
            engine.settle(clamped, schedule, beta=0.9, start=free)
        cases.assert_same(engine.states(free), before)
        for layer, wanted in zip(net.attention, weights, strict=True):
            np.testing.assert_array_equal(engine.attention_weights(clamped, free.state, layer.name), wanted)
        assert free.state.beta == 0

    @on_both
    def test_a_clamped_batch_settles_like_the_batch(self, where):
        net = cases.network("pooled_inference")
        engine, batch = cases.engine(where, net), cases.batch(net)
        clamped = engine.clamp(batch)
        found, wanted = (engine.states(engine.settle(b, Schedule(steps=3))) for b in (clamped, batch))
        cases.assert_same(found, wanted)


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        (
            {"order": "layer-wise"},
            r"unknown order 'layer-wise': allowed are layerwise, synchronous; did you mean 'layerwise'\?",
        ),
        ({"steps": 0}, "steps is 0: allowed are whole numbers from 1"),
        ({"tolerance": -1e-3}, "tolerance is -0.001: allowed are numbers from 0"),
        ({"tolerance": math.nan}, "tolerance is nan: allowed are numbers from 0"),
        ({"tolerance": math.inf}, "tolerance is inf: allowed are numbers from 0"),
        ({"dt": 0.0}, "dt is 0.0: allowed is 0 < dt <= 1"),
        ({"dt": 1.5}, "dt is 1.5: allowed is 0 < dt <= 1"),
        ({"check_every": 0}, "check_every is 0: allowed are whole numbers from 1"),
    ],
)
def test_schedules_out_of_range(settings, line):
    with pytest.raises(ConfigError, match=f"^{line}$"):
        Schedule(**settings)


@pytest.mark.parametrize(
    ("potential", "floor"), [("hard_sigmoid", 2.0), ("smooth_sigmoid", 4.0), ("tanh", 1.0), ("linear", 1.0)]
)
@on_both
def test_beta_must_leave_the_energy_convex(where, potential, floor):
    net = cases.network(potential=potential)
    engine, batch = cases.engine(where, net, cases.parameters(net, scale=0.2)), cases.batch(net)
    for beta in (-floor, -floor - 1):
        with pytest.raises(
            ConfigError, match=f"^beta is {beta}: with output potential '{potential}' it must exceed -{floor}$"
        ):
            engine.settle(batch, Schedule(steps=2), beta=beta)
    engine.settle(batch, Schedule(steps=2), beta=-0.99 * floor)
    for beta in (math.nan, math.inf):
        with pytest.raises(ConfigError, match=f"^beta is {beta}"):
            engine.settle(batch, Schedule(steps=2), beta=beta)


@on_both
def test_unknown_record(where):
    net = cases.network()
    line = r"^unknown record 'energies': allowed are change, energy, states; did you mean 'energy'\?$"
    with pytest.raises(ConfigError, match=line):
        cases.engine(where, net).settle(cases.batch(net), Schedule(steps=2), record=("energies",))


@on_every_engine
def test_one_token_of_everything(where):
    """The smallest batch there is: one sample, one token, one number."""
    net = cases.network("sentiment", tokens=1, dim=1, dense=(1,))
    batch = Batch({"text": TokenVectors(np.full((1, 1, 1), 2.0), np.array([1]))}, np.array([0]))
    values = {"query.weight": np.ones((1, 1)), "dense_1.weight": np.full((1, 1), 0.25), "dense_1.bias": np.full(1, 0.1)}
    engine = cases.engine(where, net, values)
    found = engine.settle(batch, Schedule(steps=5, tolerance=1e-12, check_every=1))
    assert engine.outputs(found) == pytest.approx(0.5 * (0.25 * 2 + 0.1))
    assert found.converged
    s = engine.outputs(found)[0, 0]
    assert found.energy == pytest.approx(s * s - s * 0.6 - 2.0 * 2.0)


@pytest.mark.parametrize("where", ["local", "cpu"])
def test_recording_changes_nothing(where):
    net = cases.network()
    engine, batch = cases.engine(where, net), cases.batch(net)
    schedule = Schedule(steps=100, tolerance=1e-3, check_every=7)
    plain = engine.settle(batch, schedule)
    recorded = engine.settle(batch, schedule, record=("change", "energy", "states"))
    assert plain.steps == recorded.steps and plain.residual == recorded.residual
    cases.assert_same(engine.states(plain), engine.states(recorded))


@pytest.mark.parametrize("where", ["local", "cpu"])
def test_energy_is_refused_once_the_weights_are_others(where):
    net = cases.network()
    engine, batch = cases.engine(where, net), cases.batch(net)
    free = engine.settle(batch, Schedule(steps=5))
    measured = cases.estimator().measure(engine, batch)
    engine.update(measured.contrasts, {synapse.name: 1e-3 for synapse in net.synapses})
    with pytest.raises(ConfigError, match="energy asked for after the weights changed"):
        _ = free.energy


@pytest.mark.parametrize("steps", [0, 2.5, -1])
def test_steps_are_whole_numbers(steps):
    with pytest.raises(ConfigError, match=r"^steps is .*: allowed are whole numbers from 1$"):
        Schedule(steps=steps)
