"""Learning rules as data, and what they do to a network on either engine."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from neuroep.engines.settling import Schedule
from neuroep.errors import ConfigError
from neuroep.learning.optimisers import SGD, Adam, cosine
from tests import cases
from tests.naive import rules


@pytest.mark.parametrize("period", [1, 7, 100])
def test_cosine_is_torch_s(period):
    weight = torch.nn.Parameter(torch.zeros(1))
    optimiser = torch.optim.SGD([weight], lr=0.3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, T_max=period, eta_min=0.01)
    for epoch in range(period + 1):
        assert cosine(0.3, epoch, period, 0.01) == pytest.approx(schedule.get_last_lr()[0], rel=1e-9)
        optimiser.step()
        schedule.step()


def test_cosine_falls_from_the_rate_to_the_last_one_and_stays():
    rates = [cosine(1e-3, epoch, 10, 1e-5) for epoch in range(14)]
    assert rates[0] == pytest.approx(1e-3) and rates[5] == pytest.approx((1e-3 + 1e-5) / 2)
    assert rates == sorted(rates, reverse=True)
    assert rates[10:] == [pytest.approx(1e-5)] * 4


def test_no_decay():
    assert cosine(1e-3, 7, 0, 1e-5) == 1e-3
    assert cosine(1e-6, 7, 10, 1e-5) == 1e-6


def test_what_each_rule_keeps():
    assert Adam().moments == ("first_moment", "second_moment")
    assert SGD().moments == () and SGD(momentum=0.9).moments == ("momentum",)


@pytest.mark.parametrize(
    ("build", "settings", "line"),
    [
        (Adam, {"betas": (1.0, 0.9)}, "optimiser.betas is 1.0: allowed is 0.0 <= betas < 1.0"),
        (Adam, {"betas": (0.9, -0.1)}, "optimiser.betas is -0.1: allowed is 0.0 <= betas < 1.0"),
        (Adam, {"eps": -1e-8}, "optimiser.eps is -1e-08: allowed is 0.0 <= eps < inf"),
        (Adam, {"eps": math.inf}, "optimiser.eps is inf: allowed is 0.0 <= eps < inf"),
        (Adam, {"weight_decay": -1.0}, "optimiser.weight_decay is -1.0: allowed is 0.0 <= weight_decay < inf"),
        (Adam, {"weight_decay": math.nan}, "optimiser.weight_decay is nan: allowed is 0.0 <= weight_decay < inf"),
        (SGD, {"momentum": 1.0}, "optimiser.momentum is 1.0: allowed is 0.0 <= momentum < 1.0"),
        (SGD, {"momentum": -0.5}, "optimiser.momentum is -0.5: allowed is 0.0 <= momentum < 1.0"),
        (SGD, {"weight_decay": -0.1}, "optimiser.weight_decay is -0.1: allowed is 0.0 <= weight_decay < inf"),
    ],
)
def test_settings_out_of_range(build, settings, line):
    with pytest.raises(ConfigError, match=f"^{line}$"):
        build(**settings)


@pytest.mark.parametrize(
    "rule", [Adam(eps=1e-4, weight_decay=0.2), SGD(momentum=0.8, weight_decay=0.2)], ids=["adam", "sgd"]
)
@pytest.mark.parametrize("where", cases.ENGINES)
def test_an_engine_follows_the_slow_rule(where, rule):
    """Three updates of every weight and bias, each synapse at its own rate, gradients as the estimator reports them."""
    net = cases.network("inference", projection_bias=True)
    engine = cases.engine(where, net, optimiser=rule)
    estimator = cases.estimator(beta=0.3, free=Schedule(steps=4), nudged=Schedule(steps=4))
    rates = {synapse.name: 0.01 * (1 + n) for n, synapse in enumerate(net.synapses)}
    wanted = engine.parameters()
    kept = {name: [np.zeros_like(value), np.zeros_like(value)] for name, value in wanted.items()}
    for step in range(1, 4):
        batch = cases.batch(net, 5, seed=step)
        gradient = estimator.gradient(engine, batch)
        engine.update(estimator.measure(engine, batch).contrasts, rates)
        for name, value in wanted.items():
            synapse, part = name.split(".")
            decay = rule.weight_decay if part == "weight" else 0.0
            for i in np.ndindex(value.shape):
                if isinstance(rule, Adam):
                    value[i], kept[name][0][i], kept[name][1][i] = rules.adam(
                        value[i], kept[name][0][i], kept[name][1][i], gradient[name][i], rates[synapse], decay,
                        rule.betas, step, rule.eps,
                    )  # fmt: skip
                else:
                    value[i], kept[name][0][i] = rules.sgd(
                        value[i], kept[name][0][i], gradient[name][i], rates[synapse], decay, rule.momentum
                    )
        cases.assert_close(engine.parameters(), wanted, 1e-11)
    state = engine.optimiser_state()
    for name in wanted:
        for number, moment in enumerate(rule.moments):
            np.testing.assert_allclose(state[f"{name}.{moment}"], kept[name][number], rtol=1e-8, atol=1e-14)


@pytest.mark.parametrize("where", cases.ENGINES)
def test_a_rate_of_zero_moves_nothing(where):
    net = cases.network()
    engine = cases.engine(where, net, optimiser=Adam(weight_decay=0.1))
    before = engine.parameters()
    measured = cases.estimator().measure(engine, cases.batch(net))
    rates = dict.fromkeys([synapse.name for synapse in net.synapses], 0.0)
    engine.update(measured.contrasts, {**rates, "dense_2": 0.1})
    for name, value in engine.parameters().items():
        assert (value != before[name]).any() == name.startswith("dense_2")


@pytest.mark.parametrize("where", cases.ENGINES)
def test_updates_lower_the_loss(where):
    """Forty centred updates on one batch: the point of it all."""
    net = cases.network("pooled_inference", potential="smooth_sigmoid")
    engine, batch = cases.engine(where, net, optimiser=Adam()), cases.batch(net, 9)
    schedule = Schedule(steps=20, tolerance=1e-6)
    estimator = cases.estimator(beta=0.1, free=schedule, nudged=schedule)
    rates = dict.fromkeys([synapse.name for synapse in net.synapses], 0.05)
    losses = []
    for step in range(40):
        measured = estimator.measure(engine, batch, step)
        losses.append(measured.health["loss"])
        engine.update(measured.contrasts, rates)
    assert losses[-1] < 0.5 * losses[0]
