"""Nudged phases in differences: those of states in float64, whatever the network, the order and the time step."""

from __future__ import annotations

import gc
import weakref
from dataclasses import replace

import numpy as np
import pytest

from hw_models.chip import Chip
from neuroep import engines
from neuroep.engines import nudging
from neuroep.engines.settling import Schedule
from neuroep.errors import ConfigError, DivergenceError
from neuroep.gradients import angles, yardsticks
from neuroep.gradients.estimators import Estimator
from neuroep.learning.contrast import Displaced, Moved, Pair
from tests import cases
from tests.naive import network as naive
from tests.neuroep.engines import sides

PARTS = ("local", "reference")
on_both = pytest.mark.parametrize("where", PARTS)
REST = Schedule(steps=2000, tolerance=1e-15)
ORDERS = {
    "layerwise": Schedule(steps=9),
    "synchronous": Schedule("synchronous", steps=9),
    "slow": Schedule(steps=9, dt=0.4),
    "synchronous_slow": Schedule("synchronous", steps=9, dt=0.6),
}


def differences(schedule, **changes):
    return replace(schedule, form="differences", **changes)


def made(where, net, scale=0.9, dtype="float64", **settings):
    return sides.BUILDERS[where](net, sides.parameters(net, scale), dtype=dtype, **settings)


def at_rest(where, name="sentiment", potential="hard_sigmoid", mask=True, lengths="unequal", **settings):
    """An engine and a batch whose free phase has come to rest in float64."""
    net = sides.network(name, potential, mask)
    engine = made(where, net, 0.3 if potential == "linear" else 0.9, **settings)
    clamped = engine.clamp(sides.batch(net, lengths))
    return net, engine, clamped, engine.settle(clamped, REST)


def held(engine, clamped, state):
    """States and attention weights as arrays."""
    values = {name: engine.to_numpy(state.values[name]) for name in state.values}
    return values | {f"p {name}": engine.attention_weights(clamped, state, name) for name in engine.units}


class TestPath:
    @pytest.mark.parametrize("potential", sides.POTENTIALS)
    @pytest.mark.parametrize("name", sides.NETWORKS)
    @on_both
    def test_is_that_of_states_sweep_by_sweep(self, where, name, potential):
        """Values, attention weights, energies and changes, both signs at once; masked or not, slow or not by turns."""
        number = sides.NETWORKS.index(name) + sides.POTENTIALS.index(potential)
        _, engine, clamped, free = at_rest(where, name, potential, mask=bool(number % 2))
        record = ("change", "energy", "states")
        schedule = ORDERS["synchronous_slow" if number // 2 % 2 else "synchronous"]
        found = engine.nudge(clamped, differences(schedule), [0.3, -0.2], free, record)
        for beta, one in zip([0.3, -0.2], found, strict=True):
            exact = engine.settle(clamped, schedule, beta, free, record)
            assert one.steps == exact.steps == schedule.steps
            assert one.state.beta == beta and one.state.origin is free.state
            for step, (mine, theirs) in enumerate(zip(one.trace.states, exact.trace.states, strict=True)):
                cases.assert_close(held(engine, clamped, mine), held(engine, clamped, theirs), 1e-12)
                np.testing.assert_allclose(one.trace.energy[step], exact.trace.energy[step], rtol=0, atol=1e-11)
            np.testing.assert_allclose(one.trace.change, exact.trace.change, rtol=1e-6, atol=1e-12)
            np.testing.assert_allclose(one.energy, exact.energy, rtol=0, atol=1e-11)

    @pytest.mark.parametrize("name", sides.NETWORKS)
    @on_both
    def test_layer_by_layer_ends_where_states_end(self, where, name):
        number = sides.NETWORKS.index(name)
        _, engine, clamped, free = at_rest(where, name, sides.POTENTIALS[number], mask=bool(number // 2 % 2))
        schedule = replace(ORDERS["slow" if number % 2 else "layerwise"], steps=2000)
        for beta in (0.3, -0.2):
            found = engine.settle(clamped, differences(schedule, tolerance=1e-13), beta, free)
            exact = engine.settle(clamped, replace(schedule, tolerance=1e-13), beta, free)
            cases.assert_close(held(engine, clamped, found.state), held(engine, clamped, exact.state), 1e-12)
            assert found.converged and found.residual <= 1e-13

    @pytest.mark.parametrize("lengths", sides.LENGTHS)
    @pytest.mark.parametrize("mask", [True, False])
    @on_both
    def test_is_right_for_all_lengths(self, where, lengths, mask):
        for name in ("inference", "woven"):
            _, engine, clamped, free = at_rest(where, name, "tanh", mask, lengths)
            found = engine.settle(clamped, differences(ORDERS["synchronous"]), 0.3, free)
            exact = engine.settle(clamped, ORDERS["synchronous"], 0.3, free)
            cases.assert_close(held(engine, clamped, found.state), held(engine, clamped, exact.state), 1e-12)

    @pytest.mark.parametrize("name", ["sentiment", "pooled_inference"])
    @on_both
    def test_is_that_of_plain_numpy(self, where, name):
        """Two phases settled by the slow twin and subtracted."""
        net = sides.network(name, "hard_sigmoid", True)
        theta, batch, course = sides.parameters(net, 0.9), sides.batch(net, "unequal"), naive.Course(steps=40)
        free = naive.settle(net, theta, batch, course)[-1]
        nudged = naive.settle(net, theta, batch, course, 0.3, free)[-1]
        engine = made(where, net)
        clamped = engine.clamp(batch)
        found = engine.settle(clamped, differences(REST), 0.3, engine.settle(clamped, REST))
        for layer, moved in found.state.moved.values.items():
            wanted = nudged.states[layer] - free.states[layer]
            np.testing.assert_allclose(engine.to_numpy(moved), wanted, rtol=0, atol=1e-13)
            assert np.abs(wanted).max() > 1e-5

    @on_both
    def test_large_changes_of_logits_are_as_right_as_small_ones(self, where):
        """kappa of 30: logits that move by some tens, where p changes hands."""
        for name in ("sentiment", "pooled_sentiment"):
            net = sides.network(name, "linear", True, kappa=30.0)
            engine = made(where, net, 2.0)
            clamped = engine.clamp(sides.batch(net, "unequal"))
            free, schedule = engine.settle(clamped, Schedule(steps=1)), Schedule("synchronous", steps=1)
            state = free.state
            for layer in (net.layers[-2], net.output):
                state = engine.fork(state)
                state.values[layer.name] = state.values[layer.name] + 3.0
            state.stale, state.origin = frozenset(state.values), free.state
            moved = engine.departed(clamped, free.state, state)
            names = ("attention",)
            engine.displace(clamped, moved, names, [0.0], schedule)
            engine.relax(clamped, state, names, schedule)
            before = engine.fork(free.state)
            before.stale = frozenset(before.values)
            engine.relax(clamped, before, names, schedule)
            gone = engine.to_numpy(state.values["attention"]) - engine.to_numpy(free.state.values["attention"])
            still = engine.to_numpy(before.values["attention"]) - engine.to_numpy(free.state.values["attention"])
            wanted = _from_free(engine, clamped, free.state, state)
            within = 1e-12 if where == "local" else 1e-10  # torch loses digits of a p that was below e^-60
            np.testing.assert_allclose(engine.to_numpy(moved.values["attention"]), wanted, rtol=0, atol=within)
            assert np.abs(wanted).max() > 0.1 and np.abs(gone - still).max() > 0.1


def _from_free(engine, clamped, free, state):
    """Change of the read-out when logits of p gain those of the change of feedback: of p itself, in plain NumPy."""
    net = engine.network
    (synapse,) = [s for s in net.dense if "attention" in s.pre]
    weight = engine.parameters()[f"{synapse.name}.weight"].astype(np.float64)
    change = (engine.to_numpy(state.values[synapse.post]) - engine.to_numpy(free.values[synapse.post])) @ weight
    layer, p = net.attention[0], engine.attention_weights(clamped, free, "attention")
    found = np.zeros_like(engine.to_numpy(free.values["attention"]))
    tokens = clamped.tokens[layer.patterns]
    vectors = np.asarray(engine.to_numpy(tokens.vectors), dtype=np.float64)
    for b in range(len(p)):
        n = max(1, int((p[b].sum(1) > 0).sum()))
        rows = np.zeros((p.shape[1], vectors.shape[2]))
        for t in range(p.shape[1]):
            if not p[b, t].any():
                continue
            width = vectors.shape[2]
            own = change[b] / np.sqrt(n) if layer.readout == "pooled" else change[b, t * width : (t + 1) * width]
            with np.errstate(divide="ignore"):
                logits = np.log(p[b, t]) + layer.inverse_temperature * (vectors[b] @ own)
            q = np.exp(logits - logits.max())
            rows[t] = (q / q.sum() - p[b, t]) @ vectors[b]
        found[b] = rows.sum(0) / np.sqrt(n) if layer.readout == "pooled" else rows.ravel()
    return found


class TestPrecision:
    @pytest.mark.parametrize("name", ["sentiment", "pooled_inference"])
    @on_both
    def test_gradient_is_the_exact_one_at_a_nudge_that_states_cannot_resolve(self, where, name):
        """beta 1e-6 in float64: centred bias 1e-12; states lose ten digits of sixteen in the subtraction."""
        net = cases.network(name, potential="smooth_sigmoid", projection_bias=True)
        batch, values = cases.batch(net), cases.parameters(net)
        exact = yardsticks.Implicit(cases.TIGHT).gradient(cases.engine("cpu", net), batch)
        engine = cases.engine("cpu" if where == "reference" else where, net, values)
        errors = {}
        for form in ("states", "differences"):
            nudged = Schedule(steps=500, tolerance=1e-13, form=form)
            found = Estimator("centred", 1e-6, cases.TIGHT, nudged).gradient(engine, batch)
            errors[form] = max(angles.relative_error(found[key], exact[key]) for key in exact)
        assert errors["differences"] < 1e-10 and errors["states"] > 1e-9

    @pytest.mark.parametrize("beta", [0.1, 1e-2, 1e-3])
    @pytest.mark.parametrize("name", ["sentiment", "pooled_inference"])
    @on_both
    def test_in_single_precision_beats_states_at_small_nudges(self, where, name, beta):
        net = cases.network(name, potential="smooth_sigmoid")
        batch, values = cases.batch(net, 12), cases.parameters(net)
        exact = Estimator("centred", beta, cases.TIGHT, differences(cases.TIGHT, tolerance=1e-12)).gradient(
            cases.engine("cpu", net, values), batch
        )
        engine = cases.engine("cpu" if where == "reference" else where, net, values, dtype="float32")
        errors = {}
        for form in ("states", "differences"):
            how = Schedule(steps=60, tolerance=1e-6), Schedule(steps=60, form=form)
            found = Estimator("centred", beta, *how).gradient(engine, batch)
            errors[form] = max(angles.relative_error(found[key], exact[key]) for key in exact)
        assert errors["differences"] < 3e-6
        assert errors["states"] > {0.1: 1, 1e-2: 10, 1e-3: 100}[beta] * errors["differences"]

    @on_both
    def test_what_the_free_phase_lacks_of_rest_is_in_no_difference(self, where):
        """A free state far from rest counts as one: without a nudge nothing moves, with one only what it moves."""
        net = sides.network("deep", "hard_sigmoid", True)
        engine = made(where, net)
        clamped = engine.clamp(sides.batch(net, "unequal"))
        free = engine.settle(clamped, Schedule(steps=2))
        for moved in engine.nudge(clamped, differences(REST), [0.0, 1e-9], free):
            beta = moved.state.beta
            for value in moved.state.moved.values.values():
                assert np.abs(engine.to_numpy(value)).max() <= beta
        assert free.residual > 1e-3


class TestBounds:
    @pytest.mark.parametrize("bias", [-3.0, -0.05, 2.05, 5.0])
    @on_both
    def test_outputs_at_a_bound_move_as_far_as_states_do(self, where, bias):
        """Biases that keep outputs at 0 or 1, well beyond it or so near that one nudge frees them."""
        net = sides.network("sentiment", "hard_sigmoid", True)
        values = sides.parameters(net, 0.3)
        values["dense_2.bias"][:], values["dense_2.weight"][:] = bias, 0.1 * values["dense_2.weight"]
        engine = sides.BUILDERS[where](net, values, dtype="float64")
        clamped = engine.clamp(sides.batch(net, "unequal"))
        free = engine.settle(clamped, REST)
        for beta in (0.4, -0.4):
            for schedule in (REST, Schedule("synchronous", steps=300)):
                found = engine.settle(clamped, differences(schedule), beta, free)
                exact = engine.settle(clamped, schedule, beta, free)
                cases.assert_close(held(engine, clamped, found.state), held(engine, clamped, exact.state), 1e-12)
                outputs = engine.outputs(found)
                assert outputs.min() >= 0 and outputs.max() <= 1
        if abs(bias) > 2.5:
            assert not engine.to_numpy(found.state.moved.values["output"]).any() or bias > 0

    @on_both
    def test_dead_outputs_end_the_phase(self, where):
        net = cases.network("sentiment")
        values = cases.parameters(net)
        values["dense_3.weight"][:], values["dense_3.bias"][:] = 0.0, -10.0
        engine = cases.engine("cpu" if where == "reference" else where, net, values)
        clamped = engine.clamp(cases.batch(net))
        schedule = differences(Schedule(steps=50, tolerance=0.01))
        found = engine.settle(clamped, schedule, 0.3, engine.settle(clamped, Schedule(steps=300)))
        assert not engine.outputs(found).any()
        assert (found.residual, found.converged) == (0.0, True)
        assert found.steps == max(schedule.arrivals(net).values())


class TestRule:
    @pytest.mark.parametrize("check", [1, 3])
    @pytest.mark.parametrize("tolerance", [0.3, 1e-4])
    @pytest.mark.parametrize("order", ORDERS)
    @on_both
    def test_is_the_first_look_at_which_no_difference_changes_by_more(self, where, order, tolerance, check):
        """Of either nudge, worst layer, and not before the nudge has arrived everywhere."""
        net, engine, clamped, free = at_rest(where, "deep", "tanh")
        schedule, betas = differences(ORDERS[order], steps=90), [0.3, -0.1]
        paths = [one.trace.states for one in engine.nudge(clamped, schedule, betas, free, ("states",))]
        moved = [[{n: engine.to_numpy(v) for n, v in s.moved.values.items()} for s in path] for path in paths]
        least = max(schedule.arrivals(net).values())
        for step in range(check, 91, check):
            ratios = [
                np.abs(path[step - 1][n] - (path[step - 2][n] if step > 1 else 0)).max()
                / schedule.dt
                / np.abs(path[step - 1][n]).max()
                for path in moved
                for n in path[0]
                if np.abs(path[step - 1][n]).max() > 0
            ]
            if step >= least and max(ratios) <= tolerance:
                break
        found = engine.nudge(clamped, replace(schedule, tolerance=tolerance, check_every=check), betas, free)
        assert {one.steps for one in found} == {step} and step < 90 and all(one.converged for one in found)
        assert found[0].residual == pytest.approx(max(ratios), rel=1e-3)

    @pytest.mark.parametrize("name", sides.NETWORKS)
    @on_both
    def test_a_sweep_ends_with_the_attention_layers(self, where, name):
        """They are at their minimiser for the last hidden states: moving them again changes nothing."""
        net, engine, clamped, free = at_rest(where, name, "tanh")
        schedule = differences(Schedule(steps=4))
        found = engine.settle(clamped, schedule, 0.3, free).state
        names = tuple(layer.name for layer in net.attention)
        assert set(names) <= set(schedule.groups(net)[1])
        again = engine.departed(clamped, free.state, found)
        changes = engine.displace(clamped, again, names, [0.3], schedule)
        told = engine.scalars({n: change for n, [(change, _)] in changes.items()})
        assert max(told.values()) < 1e-15 and len(told) == len(names)

    @on_both
    def test_no_product_is_read_of_what_has_not_moved(self, where):
        """From the top down: the output alone, then the layer below with it, and so on."""
        _, engine, clamped, free = at_rest(where, "deep")
        asked = []
        engine.ground(clamped, free.state)
        for name, array in engine.arrays.items():
            for way in ("forward", "transposed"):
                read = getattr(array, way)
                note = lambda *a, read=read, place=(name, way): asked.append(place) or read(*a)  # noqa: E731
                setattr(array, way, note)
        phase = engine.sweeps(clamped, differences(Schedule("synchronous", steps=9)), 0.3, free)
        sweeps = []
        for _ in range(6):
            phase.sweep()
            sweeps.append(asked.copy())
            asked.clear()
        assert sweeps[0] == []
        assert sweeps[1] == [("dense_4", "transposed")]
        assert set(sweeps[2]) == {("dense_4", "transposed"), ("dense_3", "transposed"), ("dense_4", "forward")}
        assert ("dense_1", "transposed") in sweeps[4] and ("dense_1", "forward") not in sweeps[4]
        assert ("dense_1", "forward") in sweeps[5]

    @on_both
    def test_a_difference_that_is_not_finite_is_told(self, where):
        _, engine, clamped, free = at_rest(where, "sentiment", "linear")
        engine.ground(clamped, free.state)
        for array in engine.arrays.values():
            array.weight *= 1e200
        with pytest.raises(DivergenceError, match="not finite"):
            engine.settle(clamped, differences(Schedule(steps=20)), 0.3, free)


class TestEstimator:
    @pytest.mark.parametrize(
        "settings",
        [
            {"kind": "centred"},
            {"kind": "positive"},
            {"kind": "negative"},
            {"kind": "random"},
            {"points": 4},
            {"order": "mirrored"},
            {"order": "sample"},
            {"order": "mirrored", "kind": "positive"},
            {"null": True},
            {"periods": 2, "kind": "negative"},
        ],
        ids=str,
    )
    @on_both
    def test_of_every_kind_gives_the_gradient_of_states(self, where, settings):
        net = sides.network("woven", "tanh", True)
        engine, batch = made(where, net), sides.batch(net, "unequal")
        tight = replace(REST, tolerance=1e-13)
        exact = Estimator(beta=0.3, free=REST, nudged=tight, **settings).gradient(engine, batch, 3)
        found = Estimator(beta=0.3, free=REST, nudged=differences(tight), **settings).gradient(engine, batch, 3)
        cases.assert_close(found, exact, 1e-11)
        assert all(np.abs(value).max() > 1e-8 for value in exact.values())

    @on_both
    def test_pieces_add_up_to_the_gradient(self, where):
        net = sides.network("inference", "smooth_sigmoid", False)
        engine, batch = made(where, net), sides.batch(net, "unequal")
        estimator = Estimator("centred", 0.2, REST, differences(Schedule("synchronous", steps=7)))
        whole, pieces = estimator.gradient(engine, batch), estimator.trajectory(engine, batch)
        states = replace(estimator, nudged=replace(estimator.nudged, form="states")).trajectory(engine, batch)
        cases.assert_close({name: sum(piece[name] for piece in pieces) for name in whole}, whole, 1e-13)
        for mine, theirs in zip(pieces, states, strict=True):
            cases.assert_close(mine, theirs, 1e-12)

    @on_both
    def test_health_and_states_are_those_of_states(self, where):
        net = sides.network("pooled_sentiment", "hard_sigmoid", True)
        engine, batch = made(where, net), sides.batch(net, "unequal")
        both = [
            Estimator("centred", 0.2, REST, replace(REST, tolerance=1e-12, form=form)).measure(engine, batch)
            for form in ("states", "differences")
        ]
        for name, value in both[0].health.items():
            if "residual" not in name and "steps" not in name:
                assert both[1].health[name] == pytest.approx(value, abs=1e-12), name

    @on_both
    def test_nudges_beyond_the_memory_are_solved_in_turns(self, where, monkeypatch):
        net = sides.network("pooled_inference", "tanh", True)
        engine, batch = made(where, net), sides.batch(net, "unequal")
        estimator = Estimator("centred", 0.3, REST, differences(REST, tolerance=1e-12), points=4)
        whole = estimator.gradient(engine, batch)
        numbers = batch.size * sum(layer.size for layer in net.layers)
        for together in (0, 2 * numbers, 3 * numbers):
            monkeypatch.setattr(nudging, "STACKED", together)
            cases.assert_close(estimator.gradient(engine, batch), whole, 1e-13)

    @on_both
    def test_a_phase_of_states_and_one_of_differences_are_contrasted_as_states(self, where):
        net, engine, clamped, free = at_rest(where)
        plus = engine.settle(clamped, differences(REST), 0.3, free).state
        minus = engine.settle(clamped, REST, -0.3, free).state
        synapse = net.dense[0]
        assert isinstance(engine._signal(clamped, synapse, "post", Pair(plus, minus, 0.6)), Moved)
        assert isinstance(engine._signal(clamped, synapse, "post", Pair(plus, free.state, 0.3)), Displaced)
        both = [engine.settle(clamped, REST, beta, free).state for beta in (0.3, -0.3)]
        exact = engine.gradient(engine.contrasts(clamped, [Pair(*both, 0.6)]))
        cases.assert_close(engine.gradient(engine.contrasts(clamped, [Pair(plus, minus, 0.6)])), exact, 1e-12)


class TestGoingOn:
    @pytest.mark.parametrize("dt", [1.0, 0.4])
    @pytest.mark.parametrize("name", ["inference", "pooled_inference"])
    @on_both
    def test_from_differences_is_the_whole_phase(self, where, name, dt):
        _, engine, clamped, free = at_rest(where, name, "tanh")
        schedule = differences(Schedule(steps=9, dt=dt))
        first = engine.settle(clamped, replace(schedule, steps=4), 0.3, free)
        kept = held(engine, clamped, first.state)
        second = engine.settle(clamped, replace(schedule, steps=5), 0.3, first)
        whole = engine.settle(clamped, schedule, 0.3, free)
        cases.assert_close(held(engine, clamped, second.state), held(engine, clamped, whole.state), 1e-14)
        cases.assert_same(held(engine, clamped, first.state), kept)
        assert second.state.origin is free.state

    @on_both
    def test_from_states_and_back(self, where):
        _, engine, clamped, free = at_rest(where, "woven", "smooth_sigmoid")
        for dt in (1.0, 0.4):
            rest = Schedule(steps=3000, tolerance=1e-13, dt=dt)
            ends = []
            for form, other in (("states", "differences"), ("differences", "states")):
                first = engine.settle(clamped, replace(rest, steps=3, form=form), 0.3, free)
                ends.append(engine.settle(clamped, replace(rest, form=other), 0.3, first))
            for end in ends:
                assert end.converged
            cases.assert_close(*(held(engine, clamped, end.state) for end in ends), 1e-11)


@pytest.mark.parametrize("form", ["states", "differences"])
@on_both
def test_nothing_of_a_batch_stays(where, form):
    """States are gone with the last name for them: in a circle they would wait for the collector, batch after batch."""
    net = sides.network("inference", "hard_sigmoid", False)
    engine, schedule = made(where, net), Schedule(steps=4, acceleration="anderson", form=form)
    estimator = Estimator("centred", 0.1, replace(schedule, form="states"), schedule)
    clamped = engine.clamp(sides.batch(net, "unequal"))
    alive = weakref.ref(clamped)
    gc.disable()
    try:
        found = estimator.measure(engine, clamped, 0)
        engine.update(found.contrasts, {synapse.name: 1e-3 for synapse in net.synapses})
        del found, clamped
        assert alive() is None
    finally:
        gc.enable()


class TestBits:
    def test_are_the_same_for_any_number_of_threads(self):
        for name in ("inference", "pooled_sentiment"):
            net = cases.network(name, dim=6)
            batch, found = cases.batch(net, 40), []
            for threads in (1, 2, 3):
                engine = cases.engine("local", net, threads=threads, dtype="float32")
                how = Schedule(steps=9), differences(Schedule(steps=9, tolerance=0.01))
                found.append(Estimator("centred", 0.1, *how).gradient(engine, batch))
            cases.assert_same(found[0], found[1])
            cases.assert_same(found[0], found[2])

    @pytest.mark.parametrize("name", sides.NETWORKS)
    def test_both_sets_of_parts_agree_to_rounding(self, name):
        net = sides.network(name, "mixed", True)
        batch, found = sides.batch(net, "unequal"), []
        for where in PARTS:
            estimator = Estimator("centred", 0.1, REST, differences(Schedule(steps=500, tolerance=0.02)))
            engine = made(where, net)
            found.append((estimator.settle(engine, batch).nudged[1].steps, estimator.gradient(engine, batch)))
        assert found[0][0] == found[1][0]
        cases.assert_close(found[0][1], found[1][1], 1e-12)

    def test_one_sample_is_that_of_its_batch(self):
        net = cases.network("pooled_inference")
        batch, engine = cases.batch(net), cases.engine("local", net)
        how = Schedule(steps=30), differences(Schedule(steps=30))
        clamped = engine.clamp(batch)
        whole = engine.settle(clamped, how[1], 0.3, engine.settle(clamped, how[0]))
        for index in range(batch.size):
            one = engine.clamp(cases.take(batch, [index]))
            found = engine.settle(one, how[1], 0.3, engine.settle(one, how[0]))
            mine = {name: value[0] for name, value in engine.states(found).items()}
            cases.assert_close(mine, {name: value[index] for name, value in engine.states(whole).items()}, 1e-13)

    def test_work_is_counted(self):
        """Products of differences, once for each nudge, and none of what has not moved."""
        _, engine, clamped, free = at_rest("local", "sentiment", "tanh")
        engine.ground(clamped, free.state)
        before = engine.performed()
        array = engine.arrays["dense_1"]
        counted = [before["dense_1"].number(f"multiply-add {way}") for way in ("forward", "transposed")]
        engine.nudge(clamped, differences(Schedule(steps=4)), [0.3, -0.3], free)
        after = engine.performed()
        reads = [after["dense_1"].number(f"multiply-add {way}") for way in ("forward", "transposed")]
        assert np.subtract(reads, counted).tolist() == [n * 2 * 5 * array.weight.size for n in (2, 3)]
        assert after["attention.attention"].number("softmax", "nudged") > 0
        assert after["neurons.output"].number("response", "nudged") > 0


class TestRefusals:
    def test_of_what_has_no_differences(self):
        net = sides.network("sentiment", "hard_sigmoid", True)
        engine, batch = made("local", net), sides.batch(net, "unequal")
        schedule = differences(Schedule(steps=3))
        with pytest.raises(ConfigError, match="a free phase settles states"):
            engine.settle(batch, schedule)
        with pytest.raises(ConfigError, match="a free phase settles states"):
            engine.sweeps(batch, schedule)
        with pytest.raises(ConfigError, match="give it as start"):
            engine.settle(batch, schedule, 0.3)
        with pytest.raises(ConfigError, match="it must exceed -2"):
            engine.settle(batch, schedule, -2.0, engine.settle(batch))
        with pytest.raises(ConfigError, match="free phase is 'differences'"):
            Estimator(free=schedule)
        with pytest.raises(ConfigError, match="did you mean 'differences'"):
            Schedule(form="difference")

    def test_of_chips(self):
        net = sides.network("pooled_sentiment", "hard_sigmoid", True)
        engine, batch = engines.local(net, threads=1, chip=Chip()), sides.batch(net, "unequal")
        with pytest.raises(ConfigError, match="form is 'differences': a chip settles its states"):
            Estimator(nudged=differences(Schedule(steps=3))).measure(engine, batch)
