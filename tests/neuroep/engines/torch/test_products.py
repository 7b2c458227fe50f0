"""Products in bfloat16: what they lose, where they are refused, and that differences keep the gradient."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from neuroep import engines
from neuroep.engines.rounding import Rounding
from neuroep.engines.settling import Schedule
from neuroep.engines.torch.arrays import TorchArray
from neuroep.errors import ConfigError
from neuroep.gradients import angles
from neuroep.gradients.estimators import Estimator
from neuroep.learning.optimisers import SGD
from tests import cases

FREE, NUDGED = Schedule(steps=60, tolerance=1e-3), Schedule(steps=60, tolerance=0.01, form="differences")


def made(net, products="bfloat16", **settings):
    values = cases.parameters(net)
    return engines.reference(net, values, device="cpu", products=products, **{"dtype": "float32", **settings})


def test_are_those_of_rounded_numbers():
    draw = torch.Generator().manual_seed(0)
    weight, state = torch.randn(7, 50, generator=draw), torch.randn(4, 50, generator=draw)
    array, exact = TorchArray(weight, None, SGD(), Rounding("bfloat16")), TorchArray(weight.clone(), None, SGD())
    for found, wanted in (
        (array.forward(state), exact.forward(state)),
        (array.transposed(state[:, :7]), exact.transposed(state[:, :7])),
    ):
        assert found.dtype == torch.float32 and not torch.equal(found, wanted)
        assert (found - wanted).norm() < 2**-7 * wanted.norm()
    torch.testing.assert_close(array.expected(state), exact.forward(state))


@pytest.mark.parametrize("name", cases.NETWORKS)
def test_differences_keep_the_gradient(name):
    """A few times 2^-8 of it in the worst layer, at a nudge that moves states by less than their rounding.

    Hard sigmoids near a kink could fall to its other side by rounding of the free state.
    """
    net = cases.network(name, potential="smooth_sigmoid")
    batch, beta = cases.batch(net, 16), 0.01
    exact = cases.estimator(beta=beta).gradient(cases.engine("cpu", net), batch)
    found = Estimator("centred", beta, FREE, NUDGED).gradient(made(net), batch)
    assert max(angles.relative_error(found[key], exact[key]) for key in exact) < 0.03


def test_follow_the_weights():
    """The rounded copy is made anew after an update, and of loaded weights."""
    net = cases.network("pooled_sentiment")
    batch, engine = cases.batch(net, 8), made(net, optimiser=SGD())
    estimator = Estimator("centred", 0.1, FREE, NUDGED)
    engine.update(estimator.measure(engine, batch).contrasts, dict.fromkeys((s.name for s in net.synapses), 0.5))
    again = engines.reference(net, engine.parameters(), device="cpu", products="bfloat16")
    cases.assert_same(estimator.gradient(engine, batch), estimator.gradient(again, batch))
    before = estimator.gradient(again, batch)
    again.load_parameters(cases.parameters(net, 2))
    assert any(not np.array_equal(before[name], value) for name, value in estimator.gradient(again, batch).items())
    assert again.describe()["products"] == "bfloat16" and "products" not in made(net, "full").describe()


def test_refuse_what_they_would_spoil():
    net = cases.network("pooled_sentiment")
    batch = cases.batch(net)
    with pytest.raises(ConfigError, match="give a form of 'differences'"):
        Estimator("centred", 0.1, FREE, FREE).gradient(made(net), batch)
    with pytest.raises(ConfigError, match="goes with dtype 'float32', not 'float64'"):
        made(net, dtype="float64")
    with pytest.raises(ConfigError, match="did you mean 'bfloat16'"):
        made(net, "bfloat")
