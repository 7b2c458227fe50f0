"""The kernel of the dense neurons against its slow twin."""

from __future__ import annotations

import math

import numpy as np
import pytest

from neuroep.engines.numba import neurons
from neuroep.network import potentials
from tests.naive import neurons as naive

pytestmark = pytest.mark.kernels

MODES = {"free": neurons.FREE, "minimiser": neurons.MINIMISER, "synchronous": neurons.SYNCHRONOUS}
TOLERANCE = {"float64": 1e-12, "float32": 1e-6}
POTENTIALS = [potentials.named(name) for name in potentials.NAMES] + [potentials.HardSigmoid(2.0)]


def move(potential, dtype, product, feedback, state, target, beta, mode, dt):
    """Call the kernel as the local engine does."""
    real = np.dtype(dtype).type
    none = np.zeros((0, 0), dtype)
    settings = (potential.code, real(potential.slope), real(beta), MODES[mode], real(dt))
    changes = np.zeros(len(state), dtype)
    neurons.respond(product, feedback, state, none if mode == "free" else target, *settings, changes)
    return changes


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("potential", POTENTIALS, ids=lambda p: f"{p.name}-{p.slope}")
@pytest.mark.parametrize(
    ("mode", "beta", "dt", "back"),
    [
        ("free", 0.0, 1.0, True),
        ("free", 0.0, 0.3, False),
        ("minimiser", 0.8, 1.0, True),
        ("minimiser", -0.4, 0.5, False),
        ("synchronous", 0.8, 0.7, True),
        ("synchronous", -0.4, 1.0, False),
    ],
)
def test_states_are_the_slow_twin_s(potential, dtype, mode, beta, dt, back):
    rng = np.random.default_rng(7)
    shape = (3, 5)
    product, old = (2 * rng.normal(size=shape)).astype(dtype), rng.uniform(size=shape).astype(dtype)
    feedback = rng.normal(size=shape).astype(dtype) if back else np.zeros((0, 0), dtype)
    target = np.eye(5, dtype=dtype)[[0, 4, 2]]
    state = old.copy()
    change = move(potential, dtype, product, feedback, state, target, beta, mode, dt)
    wanted = naive.respond(potential.name, potential.slope, product, feedback, old, target, beta, mode, dt)
    np.testing.assert_allclose(state, wanted, rtol=0, atol=10 * TOLERANCE[dtype])
    np.testing.assert_allclose(change, np.abs(wanted - old).max(1), rtol=1e-5)
    assert (change > 0).all()


@pytest.mark.parametrize("name", potentials.NAMES)
@pytest.mark.parametrize("drive", [-800.0, -40.0, 40.0, 800.0])
def test_extreme_drives_stay_in_range(name, drive):
    potential = potentials.named(name)
    target = np.array([[1.0, 0.0]])
    for mode, beta in (("free", 0.0), ("minimiser", 0.5), ("minimiser", -0.5), ("synchronous", 0.5)):
        state, product = np.full((1, 2), 0.5), np.full((1, 2), drive)
        move(potential, "float64", product, np.zeros((0, 0)), state, target, beta, mode, 1.0)
        wanted = naive.respond(
            name, potential.slope, product, np.zeros((0, 0)), np.full((1, 2), 0.5), target, beta, mode, 1.0
        )
        np.testing.assert_allclose(state, wanted, rtol=1e-9, atol=1e-9)
        assert (state >= potential.low).all() and (state <= potential.high).all()


@pytest.mark.parametrize("name", potentials.NAMES)
@pytest.mark.parametrize("mode", MODES)
def test_nan_is_passed_on(name, mode):
    product, state = np.zeros((2, 3)), np.zeros((2, 3))
    product[1, 1] = np.nan
    change = move(potentials.named(name), "float64", product, np.zeros((0, 0)), state, np.zeros((2, 3)), 0.1, mode, 1.0)
    assert np.isnan(change).tolist() == [False, True] and math.isnan(state[1, 1])


def test_views_are_written_in_place():
    """Feedback may be a column range of a wider product."""
    wide = np.arange(12.0).reshape(2, 6)
    state = np.zeros((2, 3))
    none = np.zeros((0, 0))
    how = (potentials.Linear.code, 1.0, 0.0, neurons.FREE, 1.0)
    neurons.respond(np.zeros((2, 3)), wide[:, 2:5], state, none, *how, np.zeros(2))
    np.testing.assert_array_equal(state, wide[:, 2:5])
