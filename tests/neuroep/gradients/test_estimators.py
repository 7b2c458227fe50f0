"""Estimators: what they contrast, how their bias falls with beta, their pieces, their coin, the loss they descend."""

from __future__ import annotations

import math

import numpy as np
import pytest

from neuroep.engines.settling import Schedule
from neuroep.errors import ConfigError
from neuroep.gradients import estimators, yardsticks
from neuroep.gradients.estimators import Estimator
from tests import cases

KINDS = estimators.NAMES
every_network = pytest.mark.parametrize("name", cases.NETWORKS)
on_every_engine = pytest.mark.parametrize("where", cases.ENGINES)


def smooth(name, **settings):
    """A network in which the gradient exists everywhere."""
    return cases.network(name, potential="smooth_sigmoid", **settings)


def worst(found, exact):
    """Largest relative error of any parameter."""
    return max(yardsticks.relative_error(found[key], exact[key]) for key in exact)


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
                errors[key].append(yardsticks.relative_error(found[key], value))
        for key, error in errors.items():
            assert np.polyfit(np.log(betas), np.log(error), 1)[0] == pytest.approx(order, abs=0.1), key

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
    @pytest.mark.parametrize("kind", KINDS)
    def test_measure_holds_what_gradient_reports(self, where, kind):
        net = cases.network("inference")
        engine, batch = cases.engine(where, net), cases.batch(net)
        estimator = cases.estimator(kind, 0.4, free=Schedule(steps=5), nudged=Schedule(steps=4))
        measured = estimator.measure(engine, batch, step=11)
        cases.assert_same(engine.gradient(measured.contrasts), estimator.gradient(engine, batch, step=11))
        span = 0.8 if kind == "centred" else 0.4
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
    @pytest.mark.parametrize("kind", KINDS)
    @every_network
    @on_every_engine
    def test_pieces_sum_to_the_gradient(self, where, name, kind):
        net = cases.network(name)
        engine, batch = cases.engine(where, net), cases.batch(net)
        estimator = cases.estimator(kind, 0.3, free=Schedule(steps=4), nudged=Schedule("synchronous", steps=6, dt=0.7))
        pieces = estimator.trajectory(engine, batch, step=2)
        assert len(pieces) == 6
        total = {key: np.sum([piece[key] for piece in pieces], axis=0) for key in pieces[0]}
        cases.assert_close(total, estimator.gradient(engine, batch, step=2), 1e-12)

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

    @pytest.mark.parametrize("kind", ["positive", "centred"])
    @every_network
    @on_every_engine
    def test_follows_bptt_step_by_step(self, where, name, kind):
        """The GDU property: under the paper's dynamics piece k of EP is piece k of BPTT, in every parameter."""
        net, steps = smooth(name), 12
        batch = cases.batch(net)
        estimator = cases.estimator(kind, 1e-4, nudged=Schedule("synchronous", steps=steps))
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
        signs = [estimators.random(0.1, seed=4).signs(step) for step in range(60)]
        assert signs == [estimators.random(0.3, seed=4).signs(step) for step in range(60)]
        assert signs != [estimators.random(0.1, seed=5).signs(step) for step in range(60)]
        assert set(signs) == {(1,), (-1,)}

    def test_the_coin_is_fair(self):
        """1000 steps, five sigma."""
        total = sum(estimators.random(0.1).signs(step)[0] for step in range(1000))
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
            (sign,) = coin.signs(step)
            cases.assert_same(coin.gradient(engine, batch, step), sided[sign])
            seen.add(sign)
        assert seen == {1, -1}


@pytest.mark.parametrize(("kind", "signs"), [("centred", (1, -1)), ("positive", (1,)), ("negative", (-1,))])
def test_signs(kind, signs):
    assert all(Estimator(kind).signs(step) == signs for step in range(5))


def test_shorthands_name_their_kind():
    free, nudged = Schedule(steps=3), Schedule(steps=2)
    for kind in KINDS:
        found = getattr(estimators, kind)(0.2, free=free, nudged=nudged)
        assert found == estimators.named(kind, 0.2, free, nudged) == Estimator(kind, 0.2, free, nudged, 0)


@pytest.mark.parametrize("beta", [0.0, -0.1, math.inf, math.nan])
def test_beta_out_of_range(beta):
    with pytest.raises(ConfigError, match=f"^beta is {beta}: allowed are positive finite numbers$"):
        estimators.centred(beta)


def test_unknown_kind():
    line = "unknown estimator 'centered': allowed are centred, positive, negative, random; did you mean 'centred'"
    with pytest.raises(ConfigError, match=f"^{line}\\?$"):
        Estimator("centered")


@pytest.mark.parametrize("kind", ["centred", "negative"])
def test_a_beta_that_leaves_no_minimum(kind):
    net = cases.network()
    with pytest.raises(ConfigError, match=r"^beta is -2.0: with output potential 'hard_sigmoid' it must exceed -2.0$"):
        cases.estimator(kind, 2.0).gradient(cases.engine("local", net), cases.batch(net))
