"""Free phases of engines with rounded products: they begin rounded and end in full."""

from __future__ import annotations

import numpy as np
import pytest

from neuroep import engines
from neuroep.engines.rounding import COARSE, Rounding
from neuroep.engines.settling import Schedule
from tests import cases


def made(kind, net, products="bfloat16"):
    return engines.build(kind, net, cases.parameters(net), threads=1, device="cpu", products=products)


@pytest.mark.parametrize("kind", engines.NAMES)
@pytest.mark.parametrize("acceleration", ["none", "anderson"])
def test_a_free_phase_ends_where_full_products_rest(kind, acceleration):
    """At a tolerance far below what rounded products reach."""
    net = cases.network("sentiment", potential="smooth_sigmoid")
    batch, schedule = cases.batch(net, 12), Schedule(steps=80, tolerance=1e-6, acceleration=acceleration)
    found, wanted = (
        engine.states(engine.settle(batch, schedule)) for engine in (made(kind, net), made(kind, net, "full"))
    )
    for name, value in wanted.items():
        np.testing.assert_allclose(found[name], value, rtol=0, atol=1e-5)


@pytest.mark.parametrize("kind", engines.NAMES)
def test_it_begins_with_rounded_ones(kind):
    net = cases.network("sentiment", potential="smooth_sigmoid")
    batch, engine, full = cases.batch(net, 12), made(kind, net), made(kind, net, "full")
    seen = []
    phase = engine.sweeps(batch, Schedule(steps=80, tolerance=1e-4))
    whole = full.sweeps(batch, Schedule(steps=80, tolerance=1e-4))
    for state, other in zip(phase, whole, strict=False):
        pairs = zip(state.values.values(), other.values.values(), strict=True)
        seen.append((phase.change, any(not np.array_equal(engine.to_numpy(a), full.to_numpy(b)) for a, b in pairs)))
    assert seen[0][0] > COARSE and all(differs for _, differs in seen[:2])
    assert phase.ended and phase.residual <= 1e-4 and phase.steps <= whole.steps + 3


def test_phases_without_a_tolerance_are_read_in_full():
    net = cases.network("sentiment")
    batch, schedule = cases.batch(net, 5), Schedule(steps=4)
    found, wanted = (
        engine.states(engine.settle(batch, schedule)) for engine in (made("local", net), made("local", net, "full"))
    )
    cases.assert_same(found, wanted)


def test_what_is_full_inside_is_rounded_again_outside():
    rounding = Rounding("bfloat16")
    with rounding.full():
        assert not rounding.now
        with rounding.full(False):
            assert not rounding.now
    assert rounding.now and rounding.there
    assert not Rounding().there and not Rounding().now
