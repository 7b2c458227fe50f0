"""Anderson acceleration: least squares sample by sample, the same fixed point, and never many more sweeps."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from hw_models.chip import Chip
from neuroep import engines
from neuroep.engines.acceleration import Accelerated, Anderson, layers
from neuroep.engines.settling import Schedule
from neuroep.errors import ConfigError
from neuroep.gradients.estimators import Estimator
from tests import cases
from tests.neuroep.engines import sides

KINDS = {"numpy": np.asarray, "torch": torch.as_tensor}
TIGHT = Schedule(steps=4000, tolerance=1e-13)
FAST = replace(TIGHT, acceleration="anderson")
on_both = pytest.mark.parametrize("where", ["local", "cpu"])


def slow_twin(olds, news):
    """The states to go on from, one sample at a time: least squares over what is remembered."""
    found, memory = [], [[] for _ in olds[0]]
    squares = [np.inf] * len(olds[0])
    for old, new in zip(olds, news, strict=True):
        rows = []
        for b, (h, t) in enumerate(zip(old, new, strict=True)):
            r = t - h
            if r @ r > squares[b]:
                memory[b] = []
            squares[b] = r @ r
            memory[b] = [*memory[b], (r, t)][-3:]
            steps = list(zip(memory[b][1:], memory[b][:-1], strict=True))
            if steps:
                dr = np.array([after[0] - before[0] for after, before in steps]).T
                dt = np.array([after[1] - before[1] for after, before in steps]).T
                t = t - dt @ np.linalg.lstsq(dr, r, rcond=None)[0]
            rows.append(t)
        found.append(np.array(rows))
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_is_least_squares_of_every_sample_alone(kind):
    """Residuals that fall in most sweeps and grow in some, of two layers together."""
    draw, memory = np.random.default_rng(0), Anderson()
    sizes = 0.6 ** np.arange(9)[:, None, None] * np.exp(draw.normal(0, 0.5, (9, 6, 1)))
    olds = draw.normal(size=(9, 6, 7))
    news = olds + sizes * draw.normal(size=(9, 6, 7))
    grew = (((news - olds) ** 2).sum(2)[1:] > ((news - olds) ** 2).sum(2)[:-1]).mean()
    assert 0.1 < grew < 0.6
    for old, new, wanted in zip(olds, news, slow_twin(olds, news), strict=True):
        sides_of = [[KINDS[kind](each[:, :3]), KINDS[kind](each[:, 3:])] for each in (old, new)]
        found = np.concatenate([np.asarray(part) for part in memory.step(*sides_of)], axis=1)
        np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-10)


def test_solves_a_linear_problem_of_two_unknowns_in_three_steps():
    """The window holds the whole problem, of every sample its own; plain iteration would diverge in some."""
    draw = np.random.default_rng(1)
    maps, shifts = 0.5 * draw.normal(size=(5, 2, 2)), draw.normal(size=(5, 2))
    exact = np.array([np.linalg.solve(np.eye(2) - a, b) for a, b in zip(maps, shifts, strict=True)])
    memory, h = Anderson(), np.zeros((5, 2))
    valid = []
    for _ in range(5):
        t = np.einsum("bij,bj->bi", maps, h) + shifts
        valid.append(((t - h) ** 2).sum(1))
        (h,) = memory.step([h], [t])
    falling = np.all(np.diff(valid[:4], axis=0) <= 0, axis=0)
    assert falling.any()
    np.testing.assert_allclose(h[falling], exact[falling], atol=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_at_rest_stays_there(kind):
    """No residual, nothing to divide by, and directions that are alike count as one."""
    memory, states = Anderson(), KINDS[kind](np.ones((3, 4)))
    for _ in range(4):
        (found,) = memory.step([states], [states])
        assert (np.asarray(found) == 1).all()
    memory, h = Anderson(), KINDS[kind](np.zeros((1, 4)))
    for _ in range(6):
        (h,) = memory.step([h], [0.5 * h + 0.25])
    np.testing.assert_allclose(np.asarray(h), 0.5, atol=1e-12)


@pytest.mark.parametrize("name", sides.NETWORKS)
def test_layers_next_to_attention_are_accelerated(name):
    net = sides.network(name, "tanh", True)
    attention = {layer.name for layer in net.attention}
    joined = {s.post for s in net.dense if set(s.pre) & attention}
    assert [layer.name for layer in layers(net)] == [layer.name for layer in net.layers if layer.name in joined]


def test_a_layer_begins_once_attention_has_moved():
    net = sides.network("deep", "tanh", True)
    for form in ("states", "differences"):
        schedule = Schedule(form=form)
        groups, arrivals = schedule.groups(net), schedule.arrivals(net)
        (number,) = [k for k, group in enumerate(groups) if "hidden_1" in group]
        faster, values = Accelerated(net, groups, arrivals, True), {"hidden_1": np.zeros((2, 6))}
        begins = next(sweep for sweep in range(1, 20) if faster.before(number, sweep, values))
        # attention moves in the second group of a sweep in differences, in the first one of states
        assert begins == arrivals["attention"] + (form == "differences")
        assert Accelerated(net, groups, {}, True).before(number, 1, values)
        assert not any(faster.before(1 - number, sweep, values) for sweep in range(9))


class TestSettling:
    @pytest.mark.parametrize("form", ["states", "differences"])
    @pytest.mark.parametrize("name", sides.NETWORKS)
    @on_both
    def test_ends_at_the_same_fixed_point(self, where, name, form):
        net = sides.network(name, sides.POTENTIALS[sides.NETWORKS.index(name) % 4], True)
        engine = cases.engine(where, net, sides.parameters(net, 0.9))
        clamped = engine.clamp(sides.batch(net, "unequal"))
        plain = engine.settle(clamped, TIGHT)
        fast = engine.settle(clamped, FAST)
        assert fast.converged
        cases.assert_close(engine.states(fast), engine.states(plain), 1e-11)
        for beta in (0.3, -0.2):
            one = engine.settle(clamped, replace(TIGHT, form=form), beta, plain)
            other = engine.settle(clamped, replace(FAST, form=form), beta, plain)
            assert other.converged
            cases.assert_close(engine.states(other), engine.states(one), 1e-11)

    @pytest.mark.parametrize("form", ["states", "differences"])
    @pytest.mark.parametrize("name", cases.NETWORKS)
    @on_both
    def test_takes_fewer_sweeps_where_there_are_many_and_never_many_more(self, where, name, form):
        """Weights that make plain settling slow; tolerances loose and tight."""
        net, saved = cases.network(name, potential="hard_sigmoid"), 0
        for scale in (1.0, 2.5, 4.0):
            engine = cases.engine(where, net, cases.parameters(net, scale=scale))
            clamped = engine.clamp(cases.batch(net, 8))
            free = engine.settle(clamped, cases.TIGHT)
            for tolerance in (0.03, 1e-4, 1e-8):
                sweeps = []
                for acceleration in ("none", "anderson"):
                    how = Schedule(steps=900, tolerance=tolerance, acceleration=acceleration)
                    nudged = [engine.settle(clamped, replace(how, form=form), beta, free) for beta in (0.1, -0.1)]
                    sweeps.append([engine.settle(clamped, how).steps, max(one.steps for one in nudged)])
                for plain, fast in zip(*sweeps, strict=True):
                    assert fast <= 1.3 * plain + 1, (scale, tolerance, sweeps)
                    saved += plain - fast
        assert saved > 10

    @on_both
    def test_states_stay_within_their_range(self, where):
        net = cases.network("inference")
        engine = cases.engine(where, net, cases.parameters(net, scale=4.0))
        clamped = engine.clamp(cases.batch(net, 8))
        free = engine.settle(clamped, replace(FAST, steps=9, tolerance=0.0), record=("states",))
        paths = [free.trace.states]
        for form in ("states", "differences"):
            how = Schedule(steps=9, form=form, acceleration="anderson")
            paths.append(engine.settle(clamped, how, 0.5, free, ("states",)).trace.states)
        for state in (state for path in paths for state in path):
            values = engine.to_numpy(state.values["hidden_1"])
            assert values.min() >= -1e-15 and values.max() <= 1 + 1e-15

    def test_bits_are_the_same_for_any_number_of_threads(self):
        net = cases.network("inference", dim=6)
        batch, found = cases.batch(net, 40), []
        for threads in (1, 3):
            engine = cases.engine("local", net, threads=threads, dtype="float32")
            how = Schedule(steps=12, tolerance=1e-4, acceleration="anderson")
            found.append(Estimator("centred", 0.1, how, replace(how, form="differences")).gradient(engine, batch))
        cases.assert_same(*found)

    @pytest.mark.parametrize("name", cases.NETWORKS)
    def test_both_sets_of_parts_agree_to_rounding(self, name):
        net, found = cases.network(name), []
        for where in ("local", "cpu"):
            engine = cases.engine(where, net)
            how = Schedule(steps=7, acceleration="anderson")
            estimator = Estimator("centred", 0.1, how, replace(how, form="differences"))
            found.append(estimator.gradient(engine, cases.batch(net)))
        cases.assert_close(*found, 1e-11)


class TestRefusals:
    def test_of_what_cannot_be_accelerated(self):
        with pytest.raises(ConfigError, match="it goes with order = 'layerwise' and dt = 1, not order = 'sync"):
            Schedule("synchronous", acceleration="anderson")
        with pytest.raises(ConfigError, match=r"acceleration = 'anderson': .* not dt = 0\.5; use 'none'"):
            Schedule(dt=0.5, acceleration="anderson")
        with pytest.raises(ConfigError, match="did you mean 'anderson'"):
            Schedule(acceleration="andersen")

    def test_of_chips(self):
        net = sides.network("pooled_sentiment", "hard_sigmoid", True)
        engine = engines.local(net, threads=1, chip=Chip())
        with pytest.raises(ConfigError, match="acceleration is 'anderson': a chip settles its states"):
            engine.settle(sides.batch(net, "unequal"), FAST)
