"""Free phases of engines with rounded products: they begin rounded, and end so or in full."""

from __future__ import annotations

import numpy as np
import pytest

from neuroep import engines
from neuroep.engines import leaving
from neuroep.engines.rounding import CLOSE, COARSE, STALLED, Rounding, stalled
from neuroep.engines.schedule import BY_SAMPLE, TOLERANCE
from neuroep.engines.settling import Schedule, Settling
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


def seen_in_full(monkeypatch):
    """Return a list to which each sweep of a free phase adds whether its products are read in full."""
    seen, move = [], Settling._move

    def moved(phase):
        move(phase)
        seen.append(not phase.state.rounded)

    monkeypatch.setattr(Settling, "_move", moved)
    return seen


@pytest.mark.parametrize("stop", [TOLERANCE, BY_SAMPLE])
@pytest.mark.parametrize("kind", engines.NAMES)
def test_a_tolerance_that_they_reach_is_reached_by_rounded_ones_alone(kind, stop, monkeypatch):
    """And the state is near where full products rest: sums keep the precision of float32."""
    monkeypatch.setattr(leaving, "SHARE", 0.0)
    net = cases.network("sentiment", potential="smooth_sigmoid")
    batch, engine, full = cases.batch(net, 12), made(kind, net), made(kind, net, "full")
    seen = seen_in_full(monkeypatch)
    settled = engine.settle(batch, Schedule(steps=80, tolerance=0.005, stop=stop))
    assert settled.residual <= 0.005 and settled.steps < 80 and not any(seen)
    wanted = full.states(full.settle(batch, Schedule(steps=200, tolerance=1e-7)))
    for name, value in engine.states(settled).items():
        assert 0 < np.abs(value - wanted[name]).max() < 0.01
    seen.clear()
    engine.settle(batch, Schedule(steps=80, tolerance=0.9 * CLOSE, stop=stop))
    assert seen[-1] and not seen[0]


@pytest.mark.parametrize("stop", [TOLERANCE, BY_SAMPLE])
def test_a_cycle_of_roundings_is_left_by_full_products(stop, monkeypatch):
    """Rounded products that flip from read to read by more than the tolerance."""
    monkeypatch.setattr(leaving, "SHARE", 0.0)
    net = cases.network("sentiment", potential="smooth_sigmoid")
    engine, flips = made("local", net), iter(range(10**6))
    array = engine.arrays["dense_1"]
    forward = array.forward

    def flipping(pre, memory=None):
        found = forward(pre, memory)
        return found + (0.03 if array._rounding.now and next(flips) % 2 else 0.0)

    array.forward = flipping
    seen = seen_in_full(monkeypatch)
    settled = engine.settle(cases.batch(net, 12), Schedule(steps=80, tolerance=CLOSE, stop=stop))
    assert settled.residual <= CLOSE and settled.steps < 30
    assert not any(seen[:STALLED]) and seen[-1]


def test_what_a_stalled_phase_is():
    falling = [0.5, 0.1, 0.02, 0.015, 0.012, 0.011]
    assert not any(stalled(falling[:count]) for count in range(1, 7))
    assert not stalled([0.01] * STALLED) and stalled([0.01] * (STALLED + 1))
    assert not stalled([0.5, 0.3, 0.6, 0.6, 0.5])  # by more than roundings move states
    assert stalled([0.5, 0.006, 0.01, 0.007, 0.012]) and not stalled([0.5, 0.006, 0.01, 0.0059, 0.012])


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
