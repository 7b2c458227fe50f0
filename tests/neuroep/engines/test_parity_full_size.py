"""Parity at the size of the paper's inference network, errors relative to each parameter's own gradient.

In float32 both engines carry the rounding of their states, about 1e-7, into a difference of nearly equal states: the
gradient of the projections keeps two to three digits at beta 0.5, in either engine. In float64 nothing of this is seen.
"""

from __future__ import annotations

import numpy as np
import pytest

from neuroep import engines
from neuroep.data.batch import Batch, TokenVectors
from neuroep.engines.settling import Schedule
from neuroep.gradients import estimators
from neuroep.gradients.angles import relative_error
from neuroep.network import builders as networks
from neuroep.randomness import generator

STATES = {"float64": 1e-14, "float32": 1e-5}
GRADIENTS = {"float64": 1e-10, "float32": 1e-2}


def sentences(network: networks.Network, samples: int) -> Batch:
    draw = generator(0, "sentences")
    inputs = {}
    for sequence in network.sequences:
        lengths = draw.integers(1, sequence.tokens + 1, samples)
        vectors = 0.25 * draw.standard_normal((samples, sequence.tokens, sequence.dim))
        vectors[np.arange(sequence.tokens)[None, :] >= lengths[:, None]] = 0
        inputs[sequence.name] = TokenVectors(vectors.astype(np.float32), lengths)
    return Batch(inputs, draw.integers(0, network.classes, samples))


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_engines_agree_at_full_size(dtype):
    network = networks.inference()
    parameters = networks.initial_parameters(network, seed=1, output_bias=1.0)
    batch, schedule = sentences(network, 6), Schedule(steps=8)
    pair = [build(network, parameters, dtype=dtype, threads=1) for build in (engines.local, engines.reference)]
    local, reference = (engine.states(engine.settle(batch, schedule)) for engine in pair)
    for name, exact in reference.items():
        np.testing.assert_allclose(local[name], exact, rtol=0, atol=STATES[dtype], err_msg=name)
    estimator = estimators.centred(0.5, free=schedule, nudged=schedule)
    found, wanted = (estimator.gradient(engine, batch) for engine in pair)
    for name, exact in wanted.items():
        assert np.abs(exact).max() > 0, name
        assert relative_error(found[name], exact) < GRADIENTS[dtype], name
        np.testing.assert_allclose(found[name], exact, rtol=0, atol=1e-5, err_msg=name)
