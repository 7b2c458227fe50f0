"""Estimators: what they contrast, how their bias falls with beta, their pieces, their coin, the loss they descend."""

from __future__ import annotations

import math

import numpy as np
import pytest

from neuroep.engines.settling import Schedule
from neuroep.errors import ConfigError
from neuroep.gradients import angles, estimators, formulas, yardsticks
from neuroep.gradients.estimators import Estimator
from neuroep.network import DenseLayer
from tests import cases
from tests.naive import network as naive

KINDS = formulas.NAMES
every_network = pytest.mark.parametrize("name", cases.NETWORKS)
on_every_engine = pytest.mark.parametrize("where", cases.ENGINES)


def smooth(name, **settings):
    """A network in which the gradient exists everywhere."""
    return cases.network(name, potential="smooth_sigmoid", **settings)


def worst(found, exact):
    """Largest relative error of any parameter."""
    return max(angles.relative_error(found[key], exact[key]) for key in exact)


class TestGradient:
    @pytest.mark.parametrize("mask", [True, False], ids=["masked", "unmasked"])
    @every_network
    @on_every_engine
    def test_centred_is_bptt_and_implicit_differentiation(self, where, name, mask):
        """Within 1e-5 at beta 1e-3 in every synapse, the projections included."""
        net = smooth(name, mask=mask, projection_bias=True)
        batch, reference = cases.batch(net), cases.engine("cpu", net)
        found = cases.estimator("centred", 1e-3).gradient(cases.engine(where, net), batch)
        for yardstick in (yardsticks.BPTT(cases.TIGHT, 80), yardsticks.Implicit(cases.TIGHT)):
            exact = yardstick.gradient(reference, batch)
            assert found.keys() == exact.keys() == net.parameter_shapes().keys()
            assert all(np.abs(value).max() > 1e-6 for value in exact.values())
            assert worst(found, exact) < 1e-5

    @every_network
    def test_is_that_of_the_loss_by_finite_differences(self, name):
        """Along random directions of each parameter: the settled loss itself, no theory."""
        net = smooth(name)
        batch, values, rng = cases.batch(net), cases.parameters(net), np.random.default_rng(5)
        engine = cases.engine("local", net, values)
        gradient = cases.estimator("centred", 1e-3).gradient(engine, batch)
        target = np.eye(net.classes)[batch.labels]

        def loss(parameters):
            engine.load_parameters(parameters)
            return 0.5 * ((engine.outputs(engine.settle(batch, cases.TIGHT)) - target) ** 2).sum(1).mean()

        for key, value in values.items():
            direction = rng.normal(size=value.shape)
            step = 1e-5 * direction
            slope = (loss({**values, key: value + step}) - loss({**values, key: value - step})) / 2e-5
            assert (gradient[key] * direction).sum() == pytest.approx(slope, rel=1e-4, abs=1e-9), key

    @pytest.mark.parametrize(("kind", "order"), [("centred", 2), ("positive", 1), ("negative", 1)])
    @pytest.mark.parametrize("name", ["sentiment", "pooled_inference"])
    def test_bias_falls_with_beta(self, name, kind, order):
        """Slope of a log-log fit over four octaves: 2 centred, 1 one-sided, in every synapse."""
        net = smooth(name)
        batch, engine = cases.batch(net), cases.engine("local", net)
        exact = yardsticks.Implicit(cases.TIGHT).gradient(cases.engine("cpu", net), batch)
        betas = 0.16 * 0.5 ** np.arange(5)
        errors = {key: [] for key in exact}
        for beta in betas:
            found = cases.estimator(kind, float(beta)).gradient(engine, batch)
            for key, value in exact.items():
                errors[key].append(angles.relative_error(found[key], value))
        for key, error in errors.items():
            assert np.polyfit(np.log(betas), np.log(error), 1)[0] == pytest.approx(order, abs=0.1), key

    @pytest.mark.parametrize("potential", ["smooth_sigmoid", "hard_sigmoid"])
    @pytest.mark.parametrize("points", [2, 4, 6])
    @pytest.mark.parametrize("name", ["sentiment", "pooled_inference"])
    @on_every_engine
    def test_bias_falls_with_the_number_of_points(self, where, name, points, potential):
        """Slope of a log-log fit against implicit differentiation, in every synapse; hard sigmoids inside their range.

        A network of hard sigmoids is smooth as long as no nudge pushes a neuron over a kink.
        """
        net = cases.network(name, potential=potential)
        batch, values = cases.batch(net), cases.parameters(net, scale=0.5 if potential == "hard_sigmoid" else 2.0)
        engine = cases.engine(where, net, values)
        exact = yardsticks.Implicit(cases.TIGHT).gradient(cases.engine("cpu", net, values), batch)
        betas = 0.24 * 0.5 ** np.arange(2)
        if potential == "hard_sigmoid":
            for nudge in (0.0, 0.24, -0.24):
                states = engine.states(engine.settle(batch, cases.TIGHT, nudge))
                assert all(states[layer.name].min() > 0.03 for layer in net.layers if isinstance(layer, DenseLayer))
                assert all(states[layer.name].max() < 0.97 for layer in net.layers if isinstance(layer, DenseLayer))
        errors = {key: [] for key in exact}
        for beta in betas:
            found = cases.estimator("centred", float(beta), points=points).gradient(engine, batch)
            for key, value in exact.items():
                errors[key].append(angles.relative_error(found[key], value))
        for key, (large, small) in errors.items():
            assert np.log2(large / small) == pytest.approx(points, abs=0.15 * points), key

    @pytest.mark.parametrize("points", [4, 6])
    @on_every_engine
    def test_points_are_weighted_products_of_the_settled_states(self, where, points):
        """The slow way: -sum w s a^T over a network that computes one sample at a time, without any difference."""
        net, schedule = cases.network("inference"), Schedule(steps=8)
        values, batch, beta = cases.parameters(net), cases.batch(net), 0.4
        estimator = cases.estimator(beta=beta, free=schedule, nudged=schedule, points=points)
        found = estimator.gradient(cases.engine(where, net, values), batch)
        course = naive.Course(schedule.order, schedule.steps)
        free = naive.settle(net, values, batch, course)[-1]
        formula, wanted = estimator.formula(), {}
        for nudge, weight in zip(formula.nudges, formula.weights, strict=True):
            state = naive.settle(net, values, batch, course, nudge * beta, free)[-1].states
            for synapse in net.dense:
                pre = np.concatenate([state[source] for source in synapse.pre], axis=1)
                share = -weight / beta / batch.size
                for part, value in (("weight", state[synapse.post].T @ pre), ("bias", state[synapse.post].sum(0))):
                    key = f"{synapse.name}.{part}"
                    wanted[key] = wanted.get(key, 0.0) + share * value
        cases.assert_close({key: found[key] for key in wanted}, wanted, 1e-10)

    def test_one_sided_errors_are_opposite(self):
        """(free, +beta) and (free, -beta) average to the centred gradient."""
        net = smooth("sentiment")
        batch, engine = cases.batch(net), cases.engine("local", net)
        up, down, both = (
            cases.estimator(kind, 0.3).gradient(engine, batch) for kind in ("positive", "negative", "centred")
        )
        cases.assert_close({key: (up[key] + down[key]) / 2 for key in up}, both, 1e-11)
        assert worst(up, both) > 1e-3

    @on_every_engine
    @pytest.mark.parametrize("points", [4, 6])
    @every_network
    def test_is_that_of_the_loss_with_more_points(self, where, name, points):
        """At a nudge where two points are far off: the settled loss of the reference engine, by implicit derivative."""
        net = smooth(name, projection_bias=True)
        batch = cases.batch(net)
        exact = yardsticks.Implicit(cases.TIGHT).gradient(cases.engine("cpu", net), batch)
        found = cases.estimator(beta=0.3, points=points).gradient(cases.engine(where, net), batch)
        assert worst(found, exact) < {4: 3e-4, 6: 5e-6}[points]
        assert worst(cases.estimator(beta=0.3).gradient(cases.engine(where, net), batch), exact) > 3e-3

    @on_every_engine
    @pytest.mark.parametrize(("kind", "points"), [*((kind, 2) for kind in KINDS), ("centred", 4)])
    def test_measure_holds_what_gradient_reports(self, where, kind, points):
        net = cases.network("inference")
        engine, batch = cases.engine(where, net), cases.batch(net)
        estimator = cases.estimator(kind, 0.4, free=Schedule(steps=5), nudged=Schedule(steps=4), points=points)
        measured = estimator.measure(engine, batch, step=11)
        cases.assert_same(engine.gradient(measured.contrasts), estimator.gradient(engine, batch, step=11))
        span = (0.8 if points == 2 else 0.3) if kind == "centred" else 0.4
        assert all(contrast.span == pytest.approx(span) for contrast in measured.contrasts.values())
        assert all(contrast.samples == batch.size for contrast in measured.contrasts.values())

    def test_nudged_phases_start_from_the_free_state(self):
        """One nudged sweep: only from the free state can it be this close."""
        net = smooth("sentiment")
        engine, batch = cases.engine("local", net), cases.batch(net)
        phases = cases.estimator(beta=1e-6, nudged=Schedule(steps=1)).settle(engine, batch)
        free = engine.states(phases.free)
        for settled in phases.nudged.values():
            cases.assert_close(engine.states(settled), free, 1e-5)


class TestTrajectory:
    @pytest.mark.parametrize(("kind", "points"), [*((kind, 2) for kind in KINDS), ("centred", 6)])
    @every_network
    @on_every_engine
    def test_pieces_sum_to_the_gradient(self, where, name, kind, points):
        net = cases.network(name)
        engine, batch = cases.engine(where, net), cases.batch(net)
        nudged = Schedule("synchronous", steps=6, dt=0.7)
        estimator = cases.estimator(kind, 0.3, free=Schedule(steps=4), nudged=nudged, points=points)
        pieces = estimator.trajectory(engine, batch, step=2)
        assert len(pieces) == 6
        total = {key: np.sum([piece[key] for piece in pieces], axis=0) for key in pieces[0]}
        cases.assert_close(total, estimator.gradient(engine, batch, step=2), 1e-12 * points)

    def test_both_phases_are_as_long_as_the_longer_one(self):
        net = cases.network("sentiment")
        engine, batch = cases.engine("local", net), cases.batch(net, seed=3)
        estimator = cases.estimator(beta=0.9, nudged=Schedule(steps=300, tolerance=1e-6))
        phases = estimator.settle(engine, batch)
        alone = [engine.settle(phases.clamped, estimator.nudged, sign * 0.9, phases.free).steps for sign in (1, -1)]
        lengths = {settled.steps for settled in phases.nudged.values()}
        assert lengths == {max(alone)} != {min(alone)}
        pieces = estimator.trajectory(engine, batch)
        assert len(pieces) == max(lengths)
        total = {key: np.sum([piece[key] for piece in pieces], axis=0) for key in pieces[0]}
        cases.assert_close(total, estimator.gradient(engine, batch), 1e-12)

    @pytest.mark.parametrize(("kind", "points"), [("positive", 2), ("centred", 2), ("centred", 4)])
    @every_network
    @on_every_engine
    def test_follows_bptt_step_by_step(self, where, name, kind, points):
        """The GDU property: under the paper's dynamics piece k of EP is piece k of BPTT, in every parameter."""
        net, steps = smooth(name), 12
        batch = cases.batch(net)
        estimator = cases.estimator(kind, 1e-4, nudged=Schedule("synchronous", steps=steps), points=points)
        found = estimator.trajectory(cases.engine(where, net), batch)
        exact = yardsticks.BPTT(cases.TIGHT, steps).trajectory(cases.engine("cpu", net), batch)
        assert len(found) == len(exact) == steps
        for key in net.parameter_shapes():
            largest = max(np.abs(piece[key]).max() for piece in exact)
            miss = [np.abs(a[key] - b[key]).max() / largest for a, b in zip(found, exact, strict=True)]
            assert max(miss) < 1e-4, key
            # The curve is no constant: matching it is no accident.
            sizes = [np.abs(piece[key]).max() / largest for piece in exact]
            assert min(sizes) < 0.1 * max(sizes)


class TestCoin:
    def test_the_sign_belongs_to_seed_and_step(self):
        signs = [estimators.random(0.1, seed=4).formula(step).nudged for step in range(60)]
        assert signs == [estimators.random(0.3, seed=4).formula(step).nudged for step in range(60)]
        assert signs != [estimators.random(0.1, seed=5).formula(step).nudged for step in range(60)]
        assert set(signs) == {(1,), (-1,)}

    def test_the_coin_is_fair(self):
        """1000 steps, five sigma."""
        total = sum(estimators.random(0.1).formula(step).nudged[0] for step in range(1000))
        assert abs(total) < 5 * math.sqrt(1000)

    @on_every_engine
    def test_each_step_is_one_of_the_one_sided_gradients(self, where):
        net = cases.network("sentiment")
        engine, batch = cases.engine(where, net), cases.batch(net)
        sided = {
            sign: cases.estimator(kind, 0.3).gradient(engine, batch)
            for sign, kind in ((1, "positive"), (-1, "negative"))
        }
        coin, seen = cases.estimator("random", 0.3), set()
        for step in range(8):
            (sign,) = coin.formula(step).nudged
            cases.assert_same(coin.gradient(engine, batch, step), sided[sign])
            seen.add(sign)
        assert seen == {1, -1}


@pytest.mark.parametrize(("kind", "signs"), [("centred", (1, -1)), ("positive", (1,)), ("negative", (-1,))])
def test_signs(kind, signs):
    assert all(Estimator(kind).formula(step).nudged == signs for step in range(5))


def test_shorthands_name_their_kind():
    free, nudged = Schedule(steps=3), Schedule(steps=2)
    for kind in KINDS:
        found = getattr(estimators, kind)(0.2, free=free, nudged=nudged)
        assert found == estimators.named(kind, 0.2, free, nudged) == Estimator(kind, 0.2, free, nudged, 0)
    found = estimators.centred(0.2, points=4, free=free, nudged=nudged)
    assert found == estimators.named("centred", 0.2, free, nudged, points=4) and found.name == "4 points"


@pytest.mark.parametrize(("kind", "points"), [("centred", 3), ("positive", 4)])
def test_points_that_a_kind_has_no_formula_of(kind, points):
    with pytest.raises(ConfigError, match=f"^points = {points}: "):
        Estimator(kind, points=points)


@pytest.mark.parametrize("beta", [0.0, -0.1, 1e-320, 1e10, math.inf, math.nan, "'a'", None, True])
def test_beta_out_of_range(beta):
    with pytest.raises(ConfigError) as raised:
        estimators.centred(beta.strip("'") if isinstance(beta, str) else beta)
    assert str(raised.value) == f"beta is {beta}: allowed are numbers from 1e-30 to 1e+09"


@pytest.mark.parametrize("name", ["free", "nudged"])
def test_a_phase_settles_by_a_schedule(name):
    with pytest.raises(ConfigError, match=f"^{name} is 3: give a Schedule$"):
        estimators.centred(**{name: 3})


def test_numbers_of_numpy_are_numbers():
    assert Estimator(beta=np.float32(0.5), points=np.int64(4)).formula() == formulas.central(4)


def test_unknown_kind():
    line = "unknown estimator 'centered': allowed are centred, positive, negative, random; did you mean 'centred'"
    with pytest.raises(ConfigError, match=f"^{line}\\?$"):
        Estimator("centered")


@pytest.mark.parametrize("kind", ["centred", "negative"])
def test_a_beta_that_leaves_no_minimum(kind):
    net = cases.network()
    with pytest.raises(ConfigError, match=r"^beta is -2.0: with output potential 'hard_sigmoid' it must exceed -2.0$"):
        cases.estimator(kind, 2.0).gradient(cases.engine("local", net), cases.batch(net))
