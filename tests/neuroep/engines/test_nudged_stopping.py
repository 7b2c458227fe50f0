"""When a nudged phase stops: on the relative change of its displacement, worst layer, when the nudge has arrived."""

from __future__ import annotations

import numpy as np
import pytest

from hw_models.chip import Chip, Device, Neuron
from neuroep.engines.settling import Schedule
from neuroep.gradients import angles
from neuroep.learning.contrast import Pair
from neuroep.network import (
    AttentionLayer,
    DenseLayer,
    DenseSynapse,
    Network,
    Projection,
    Sequence,
    builders as networks,
    potentials,
)
from tests import cases

ORDERS = [("layerwise", 1.0), ("synchronous", 1.0), ("layerwise", 0.4), ("synchronous", 0.6)]
on_both = pytest.mark.parametrize("where", ["local", "cpu"])
every_order = pytest.mark.parametrize(("order", "dt"), ORDERS)


def faint(net, scale=3e-4):
    """Weights with which the attention layers move about ten thousand times less than the outputs."""
    values = cases.parameters(net)
    values["dense_1.weight"] *= scale
    return values


def arrivals(net, order):
    """Slow twin: follow the layers that have moved, one at a time."""
    moved = {}
    for sweep in range(1, 20):
        for group in Schedule(order).groups(net):
            before = set(moved)
            for name in group:
                joined = any(
                    (name in s.pre and s.post in before) or (name == s.post and set(s.pre) & before) for s in net.dense
                )
                if (name == net.output.name or joined) and name not in moved:
                    moved[name] = sweep
    return moved


class TestArrivals:
    @pytest.mark.parametrize("order", ["layerwise", "synchronous"])
    @pytest.mark.parametrize("name", cases.NETWORKS)
    def test_are_those_of_a_slow_twin(self, name, order):
        net = cases.network(name)
        assert Schedule(order).arrivals(net) == arrivals(net, order)

    def test_of_the_paper_s_sentiment_network(self):
        net = cases.network("sentiment")
        wanted = {"output": 1, "hidden_2": 2, "hidden_1": 3, "attention": 4}
        assert Schedule("synchronous").arrivals(net) == wanted
        assert Schedule().arrivals(net) == {
            "output": 1,
            "hidden_2": 1 + (net.parity[0][0] == "attention"),
            "hidden_1": 2,
            "attention": 2 + (net.parity[0][0] == "attention"),
        }

    @on_both
    @every_order
    def test_are_when_the_states_first_move(self, where, order, dt):
        """From a free state at rest, exactly these layers have moved after every sweep."""
        net = cases.network("inference", potential="tanh")
        engine = cases.engine(where, net)
        clamped = engine.clamp(cases.batch(net))
        free = engine.settle(clamped, cases.TIGHT)
        schedule = Schedule(order, steps=5, dt=dt)
        nudged = engine.settle(clamped, schedule, 0.3, free, ("states",))
        for name, first in schedule.arrivals(net).items():
            still = free.state.values[name]
            away = [np.abs(engine.to_numpy(s.values[name] - still)).max() for s in nudged.trace.states]
            assert all(step < 1e-12 for step in away[: first - 1]) and away[first - 1] > 1e-9


class TestRule:
    @on_both
    @every_order
    @pytest.mark.parametrize("check", [1, 3])
    @pytest.mark.parametrize("tolerance", [0.3, 0.03, 1e-4])
    @pytest.mark.parametrize("beta", [0.3, -0.3])
    def test_is_the_first_look_at_which_no_displacement_changes_by_more(self, where, order, dt, check, tolerance, beta):
        net = cases.network("sentiment", potential="tanh")
        engine = cases.engine(where, net, faint(net))
        clamped = engine.clamp(cases.batch(net))
        free = engine.settle(clamped, cases.TIGHT)
        path = engine.settle(clamped, Schedule(order, steps=90, dt=dt), beta, free, ("states",)).trace.states
        states = [{n: engine.to_numpy(v) for n, v in s.values.items()} for s in [free.state, *path]]
        least = max(arrivals(net, order).values())
        for step in range(check, 91, check):
            ratios = [
                np.abs(states[step][n] - states[step - 1][n]).max() / dt / np.abs(states[step][n] - states[0][n]).max()
                for n in states[0]
                if np.abs(states[step][n] - states[0][n]).max() > 0
            ]
            if step >= least and max(ratios) <= tolerance:
                break
        found = engine.settle(clamped, Schedule(order, 90, tolerance, dt, check), beta, free)
        assert (found.steps, found.converged) == (step, True) and step < 90
        assert found.residual == pytest.approx(max(ratios), rel=1e-3)

    @pytest.mark.parametrize("tolerance", [0.1, 0.03, 0.01])
    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    @on_both
    def test_the_nudge_reaches_the_attention_layer(self, where, tolerance, dtype):
        """Its states move by 1e-6 (float64) or 1e-4, which a tolerance in units of the states calls nothing.

        With max|delta s| <= 0.01 the query's gradient was 0 (100 % wrong); now the worst layer is as good as asked.
        """
        net = cases.network("sentiment", potential="smooth_sigmoid")
        values, batch = faint(net, 3e-4 if dtype == "float64" else 3e-2), cases.batch(net, 12)
        exact = cases.estimator(beta=0.1).gradient(cases.engine("cpu", net, values), batch)
        free, nudged = Schedule(steps=200, tolerance=1e-6), Schedule(steps=200, tolerance=tolerance)
        estimator = cases.estimator(beta=0.1, free=free, nudged=nudged)
        engine = cases.engine(where, net, values, dtype=dtype)
        phases = estimator.settle(engine, batch)
        ends = (settled.state.values["attention"] for settled in (phases.nudged[1], phases.free))
        moved = np.abs(np.subtract(*map(engine.to_numpy, ends)))
        assert 0 < moved.max() < (1e-5 if dtype == "float64" else 1e-3)
        found = estimator.gradient(engine, batch)
        errors = {n: angles.relative_error(found[n], exact[n]) for n in exact if n.endswith("weight")}
        assert max(errors.values()) < 2 * tolerance, errors
        assert phases.nudged[1].steps < 12

    @on_both
    def test_does_not_stop_before_the_nudge_has_arrived_whatever_else_is_at_rest(self, where):
        """A free state still drifting slowly changes by a small share of itself long before the nudge is there."""
        net = cases.network("sentiment", potential="tanh")
        engine = cases.engine(where, net, faint(net))
        clamped = engine.clamp(cases.batch(net))
        free = engine.settle(clamped, Schedule(steps=3, dt=0.3))
        found = engine.settle(clamped, Schedule("synchronous", steps=50, tolerance=1e9), 0.3, free)
        assert found.steps == 4

    @pytest.mark.parametrize("beta", [0.3, -0.3])
    @on_both
    def test_dead_outputs_do_not_move_and_end_the_phase(self, where, beta):
        """Nothing moves: 0/0 is rest, neither convergence in the first sweep nor a phase without end."""
        net = cases.network("sentiment")
        values = cases.parameters(net)
        values["dense_3.weight"][:], values["dense_3.bias"][:] = 0.0, -10.0
        engine = cases.engine(where, net, values)
        clamped = engine.clamp(cases.batch(net))
        free = engine.settle(clamped, Schedule(steps=300))
        found = engine.settle(clamped, Schedule(steps=50, tolerance=0.01), beta, free)
        assert not engine.outputs(found).any()
        assert (found.residual, found.converged) == (0.0, True)
        assert found.steps == max(Schedule().arrivals(net).values())

    @on_both
    def test_a_dead_layer_does_not_hold_up_the_others(self, where):
        net = cases.network("sentiment")
        values = cases.parameters(net)
        values["dense_1.weight"][:], values["dense_1.bias"][:] = 0.0, -10.0
        engine = cases.engine(where, net, values)
        clamped = engine.clamp(cases.batch(net))
        free = engine.settle(clamped, cases.TIGHT)
        found = engine.settle(clamped, Schedule(steps=50, tolerance=0.01), 0.3, free)
        states = engine.states(found)
        assert not states["hidden_1"].any() and np.abs(states["hidden_2"] - engine.states(free)["hidden_2"]).max() > 0
        assert found.converged and found.steps < 20

    @on_both
    def test_a_layer_that_the_nudge_cannot_reach_is_left_out(self, where):
        """A second attention layer that no synapse reads."""
        text, dim = Sequence("text", 5, 4), 4
        layers = (
            AttentionLayer("heard", "text", "text", 0.5, "pooled", dim),
            AttentionLayer("unheard", "text", "text", 0.5, "pooled", dim),
            DenseLayer("output", 2, potentials.named("tanh")),
        )
        synapses = (
            Projection("query", "text", "heard", (dim, dim)),
            Projection("idle", "text", "unheard", (dim, dim)),
            DenseSynapse("dense", ("heard",), "output", (2, dim)),
        )
        net = Network((text,), layers, synapses)
        engine = cases.engine(where, net, networks.initial_parameters(net, 0))
        clamped = engine.clamp(cases.batch(net))
        assert set(Schedule().arrivals(net)) == {"heard", "output"}
        start = engine.settle(clamped, Schedule(steps=2, dt=0.3))
        found = engine.settle(clamped, Schedule(steps=200, tolerance=0.01, dt=0.3), 0.3, start)
        assert found.converged and found.steps < 60

    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    @on_both
    def test_rounding_is_no_change(self, where, dtype):
        """A displacement of few units in the last place comes to rest although its last bits may go to and fro."""
        net = cases.network("pooled_inference", potential="tanh")
        engine = cases.engine(where, net, dtype=dtype)
        clamped = engine.clamp(cases.batch(net))
        free = engine.settle(clamped, Schedule(steps=300))
        beta = 1e2 * np.finfo(dtype).eps
        found = engine.settle(clamped, Schedule(steps=300, tolerance=1e-3), beta, free)
        assert found.converged and found.steps < 60

    @every_order
    def test_both_engines_take_the_same_steps(self, order, dt):
        for name in cases.NETWORKS:
            net = cases.network(name, potential="smooth_sigmoid")
            steps = []
            for where in ("local", "cpu"):
                engine = cases.engine(where, net, cases.parameters(net))
                estimator = cases.estimator(free=Schedule(order, 500, 1e-6, dt), nudged=Schedule(order, 500, 0.02, dt))
                phases = estimator.settle(engine, cases.batch(net, 7))
                steps.append([phases.free.steps, *(settled.steps for settled in phases.nudged.values())])
            assert steps[0] == steps[1] and max(steps[0]) < 500

    @pytest.mark.parametrize("parts", [{"device": Device(read_noise=0.01)}, {"neuron": Neuron(state_noise=0.01)}])
    def test_noise_in_every_read_keeps_a_phase_going_to_its_end(self, parts):
        net = cases.network("pooled_sentiment")
        engine = cases.engine("local", net, chip=Chip(**parts))
        clamped = engine.clamp(cases.batch(net))
        free = engine.settle(clamped, Schedule(steps=9, tolerance=1e-3))
        found = engine.settle(clamped, Schedule(steps=9, tolerance=0.01), 0.3, free)
        assert (found.steps, found.converged) == (9, False) and found.residual > 0.01

    @pytest.mark.parametrize("time_constant", [1.0, 4.0])
    def test_a_quantised_chip_comes_to_rest(self, time_constant):
        """Where nudges below half a level are not read, the states inside come to rest."""
        net = cases.network("pooled_sentiment")
        chip = Chip(neuron=Neuron(state_bits=8, state_range=2.0, time_constant=time_constant))
        engine = cases.engine("local", net, chip=chip)
        clamped = engine.clamp(cases.batch(net))
        free = engine.settle(clamped, Schedule(steps=400, tolerance=1e-9))
        for beta in (0.3, 1e-4):
            found = engine.settle(clamped, Schedule(steps=400, tolerance=0.01), beta, free)
            assert found.converged and found.steps < 100


class TestBothSigns:
    @on_both
    @every_order
    def test_take_the_same_number_of_sweeps(self, where, order, dt):
        """The shorter goes on from where it stopped; nothing of the path is lost."""
        net = cases.network("inference")
        engine = cases.engine(where, net, cases.parameters(net, scale=0.8))
        clamped = engine.clamp(cases.batch(net))
        unlike = 0
        for beta in (0.1, 0.5, 0.9):
            schedule = Schedule(order, 200, 0.003, dt)
            estimator = cases.estimator(beta=beta, nudged=schedule)
            phases = estimator.settle(engine, clamped, record=("states", "change", "energy"))
            alone = {s: engine.settle(clamped, schedule, s * beta, phases.free) for s in (1, -1)}
            longest = max(found.steps for found in alone.values())
            unlike += len({found.steps for found in alone.values()}) > 1
            for sign, found in phases.nudged.items():
                assert found.steps == longest and found.converged
                kept = found.trace.states, found.trace.change, found.trace.energy
                assert [len(values) for values in kept] == [longest] * 3
                whole = engine.settle(clamped, Schedule(order, longest, 0.0, dt), sign * beta, phases.free)
                cases.assert_close(engine.states(found), engine.states(whole), 1e-13)
                assert found.residual == pytest.approx(whole.residual, rel=1e-6)
        assert unlike

    @on_both
    def test_so_a_free_phase_that_has_not_settled_leaves_the_contrast_alone(self, where):
        """With sweeps of their own, 11 and 8, the worst layer was 5.2 % wrong, together 3.0 %."""
        net = cases.network("pooled_sentiment")
        engine, batch = cases.engine(where, net, cases.parameters(net, 2, 2.5)), cases.batch(net, 8)
        exact = cases.estimator(beta=0.2).gradient(engine, batch)
        free, nudged = Schedule(steps=60, tolerance=0.03), Schedule(steps=60, tolerance=0.03)
        estimator = cases.estimator(beta=0.2, free=free, nudged=nudged)
        phases = estimator.settle(engine, batch)
        alone = {s: engine.settle(phases.clamped, nudged, s * 0.2, phases.free) for s in (1, -1)}
        errors = []
        for ends in (phases.nudged, alone):
            found = engine.gradient(engine.contrasts(phases.clamped, [Pair(ends[1].state, ends[-1].state, 0.4)]))
            errors.append(max(angles.relative_error(found[n], exact[n]) for n in exact if n.endswith("weight")))
        assert errors[0] < 0.035 < 0.05 < errors[1]

    @on_both
    def test_a_phase_that_goes_on_counts_from_where_it_began(self, where):
        net = cases.network("inference")
        engine = cases.engine(where, net)
        clamped = engine.clamp(cases.batch(net))
        free = engine.settle(clamped, cases.TIGHT)
        whole = engine.settle(clamped, Schedule(steps=100, tolerance=1e-3), 0.3, free)
        first = engine.settle(clamped, Schedule(steps=2), 0.3, free)
        second = engine.settle(clamped, Schedule(steps=100, tolerance=1e-3), 0.3, first)
        assert first.steps + second.steps == whole.steps and second.state.origin is free.state
        assert second.residual == pytest.approx(whole.residual)
