# Tested by tests/hw_models/arrays/test_pulses.py.
"""Kernels of devices that move by many pulses at once; equations in :mod:`hw_models.arrays.expected`.

Shapes: weights (out, in) as shares of the weight range. Every member of ``devices`` is (out, in), or (1, in) where all
rows are alike. A tile is rows [first, last) and columns [begin, end). ``law``: the constants of the response, float32.

What a tile is to move by in one step is in ``planes`` (4, rows, columns): mean numbers of pulses up and down, and the
variances of both; ``numbers`` are those of one row, ``own`` the members of ``devices`` of one row.

A response that is no affine function of the weight brings its factors, :mod:`hw_models.laws.pulse_response`, and
:func:`of` compiles the loops around them: a loop of its own for each response, with nothing to ask inside.

Nothing here is compiled with fast-math flags: a function that others call is optimised again in each of them, and with
flags that change values its bits would depend on which copy a process loads first. NumPy's error model changes no
value; a division that could raise keeps a loop from vectorising.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from hw_models.kernels import bounds, cycle_noise, scalar, turns
from hw_models.kernels.compiling import bound, kernel, unbound, written_out
from hw_models.kernels.scalar import HALF, ONE, TINY, ZERO

FOUR, SIXTH = np.float32(4), np.float32(1 / 6)
_near = written_out(scalar.near)
factors: Any = None
"""Of a response: (w, b+, b-, law) to factors of a step up and down and their derivatives. :func:`of` fills this in."""
advance_row: Any = None
"""One row of :func:`_advance`."""
step_factors: Any = None
"""Of any response, with the slopes of an affine one."""
multiple = square = bent = gathered = unbound
"""Of the cycle-to-cycle noise, :mod:`hw_models.kernels.cycle_noise`."""
gathered_at = unbound
"""For :func:`_advance_affine`, :func:`_gathered_at`."""


class DeviceSteps(NamedTuple):
    """What the devices of one array are like."""

    up: np.ndarray
    """Step up at weight 0."""
    down: np.ndarray
    """Step down at weight 0."""
    high: np.ndarray
    """Upper bound b+."""
    low: np.ndarray
    """Lower bound b-."""
    slope_up: np.ndarray
    """c of the step up, 1 - c w, of an affine response."""
    slope_down: np.ndarray
    """c of the step down."""


@kernel(error_model="numpy")
def _split_row(total, signed):
    """Turn sums of all and of signed terms into those of the positive and the negative."""
    for j in range(total.shape[0]):
        up, down = HALF * (total[j] + signed[j]), HALF * (total[j] - signed[j])
        total[j], signed[j] = (ZERO if up < ZERO else up), (ZERO if down < ZERO else down)


@kernel
def split(planes):
    """Turn planes of all and of signed sums, means and variances, into those up and down."""
    for k in range(planes.shape[1]):
        _split_row(planes[0, k], planes[1, k])
        _split_row(planes[2, k], planes[3, k])


def _affine(w, high, low, slopes, law):
    """Factors of a step up and down of an affine response, and their derivatives by w."""
    return ONE - slopes[0] * w, ONE - slopes[1] * w, -slopes[0], -slopes[1]


def _curved(w, high, low, slopes, law):
    """The same of a response with factors of its own."""
    return factors(w, high, low, law)


@kernel(error_model="numpy", inline="always")
def _within(w, high, low):
    """A weight within the bounds, where a first pulse would cut it; NaN stays."""
    w = high if w > high else w
    return low if w < low else w


@kernel(error_model="numpy", inline="always")
def _land(w, moved, pulses, stays, high, low):
    """``moved`` within the bounds, or ``w`` where there was no pulse or it is to stay; NaN stays."""
    moved = high if moved > high else moved
    moved = low if moved < low else moved
    return w if stays | (pulses <= ZERO) else moved


def _gathered_at(w, one, other, s_up, s_down, n_up, n_down, v_up, v_down, noise, m):
    """Variance that pulses gather while an affine response stands at a weight."""
    up, down = s_up * (ONE - one * w), s_down * (ONE - other * w)
    square_up, square_down = square(abs(up), s_up, w, noise, m), square(abs(down), s_down, w, noise, m)
    return gathered(up, down, n_up, n_down, v_up, v_down, square_up, square_down)


def _advance_affine(w, numbers, order, z, stays, own, law, noise):
    """Move one row: the flow is exact, the variance Simpson's rule over its course."""
    n_up, n_down, v_up, v_down = numbers
    s_up, s_down, high, low, c_up, c_down = own
    for j in range(w.shape[0]):
        one, other, start = c_up[j], c_down[j], _within(w[j], high[j], low[j])
        up = s_up[j] * (n_up[j] + HALF * s_up[j] * one * (n_up[j] - v_up[j]))
        down = s_down[j] * (n_down[j] - HALF * s_down[j] * other * (n_down[j] - v_down[j]))
        half = HALF * (down * other - up * one)
        drift = up - down + HALF * s_up[j] * s_down[j] * (other - one) * order[j]
        phi = HALF * _near(half)
        kept = ONE + (half + half) * phi
        middle = start + phi * (drift + (half + half) * start)
        moved = middle + phi * (drift + (half + half) * middle)
        m = multiple(start, high[j], low[j], law)
        g0 = gathered_at(start, one, other, s_up[j], s_down[j], n_up[j], n_down[j], v_up[j], v_down[j], noise, m)
        g1 = gathered_at(middle, one, other, s_up[j], s_down[j], n_up[j], n_down[j], v_up[j], v_down[j], noise, m)
        g2 = gathered_at(moved, one, other, s_up[j], s_down[j], n_up[j], n_down[j], v_up[j], v_down[j], noise, m)
        squared, pulses = kept * kept, n_up[j] + n_down[j]
        late = ONE - (half + half) / (TINY if pulses < TINY else pulses)  # a pulse does not forget itself
        spread = gathered(
            s_up[j] * one, s_down[j] * other, n_up[j], n_down[j], v_up[j], v_down[j],
            bent(s_up[j] * one, s_up[j], noise, m), bent(s_down[j] * other, s_down[j], noise, m),
        )  # fmt: skip
        # what a spread of weights adds: E (1 - c w)^2 is more than (1 - c E w)^2
        variance = (late + HALF * spread) * SIXTH * (squared * (squared * g0 + FOUR * g1) + g2)
        moved += np.sqrt(ZERO if variance < ZERO else variance) * z[j]
        w[j] = _land(w[j], moved, pulses, stays[j], high[j], low[j])


@kernel(error_model="numpy", inline="always")
def _half(w, n_up, n_down, v_up, v_down, order, s_up, s_down, factors):
    """Weight half a step later; what of a deviation is kept by then."""
    f_up, f_down, d_up, d_down = factors
    up = s_up * (n_up - HALF * s_up * d_up * (n_up - v_up))
    down = s_down * (n_down + HALF * s_down * d_down * (n_down - v_down))
    half = np.float32(HALF * (up * d_up - down * d_down))
    phi = _near(half)
    shift = HALF * s_up * s_down * (d_up * f_down - f_up * d_down) * order
    return w + HALF * phi * (up * f_up - down * f_down + shift), ONE + half * phi


def _advance_curved(w, numbers, order, z, stays, own, law, noise):
    """The same of a response with factors of its own, in two half steps."""
    n_up, n_down, v_up, v_down = numbers
    s_up, s_down, high, low, _, _ = own
    for j in range(w.shape[0]):
        n = (n_up[j], n_down[j], v_up[j], v_down[j], order[j])
        begin = _within(w[j], high[j], low[j])
        start = factors(begin, high[j], low[j], law)
        half, _ = _half(begin, n[0], n[1], n[2], n[3], n[4], s_up[j], s_down[j], start)
        middle = factors(half, high[j], low[j], law)
        moved, kept = _half(half, n[0], n[1], n[2], n[3], n[4], s_up[j], s_down[j], middle)
        up, down, m = s_up[j] * middle[0], s_down[j] * middle[1], multiple(half, high[j], low[j], law)
        square_up, square_down = square(up, s_up[j], half, noise, m), square(down, s_down[j], half, noise, m)
        variance = gathered(up, down, n[0], n[1], n[2], n[3], square_up, square_down)
        moved += np.sqrt(ZERO if variance < ZERO else variance) * kept * z[j]
        w[j] = _land(w[j], moved, n[0] + n[1], stays[j], high[j], low[j])


def _advance(first, last, begin, end, planes, orders, normals, stays, weights, devices, law, noise):
    """Move one tile by its mean step and one Gaussian each.

    normals (rows, columns); orders, by how much pairs of a pulse up before one down outnumber those down before up, and
    stays, who keeps its weight, as those without pulses do, (rows, columns) or (1, columns).
    """
    many = [field.shape[0] > 1 for field in devices]
    for i in range(first, last):
        k = i - first
        numbers = planes[0, k], planes[1, k], planes[2, k], planes[3, k]
        order, fixed = orders[k if orders.shape[0] > 1 else 0], stays[k if stays.shape[0] > 1 else 0]
        z, w = normals[k], weights[i, begin:end]
        own = (
            devices.up[i if many[0] else 0, begin:end], devices.down[i if many[1] else 0, begin:end],
            devices.high[i if many[2] else 0, begin:end], devices.low[i if many[3] else 0, begin:end],
            devices.slope_up[i if many[4] else 0, begin:end], devices.slope_down[i if many[5] else 0, begin:end],
        )  # fmt: skip
        advance_row(w, numbers, order, z, fixed, own, law, noise)


def _share(first, last, begin, end, planes, both, normals, weights, devices, law, noise):
    """Mix normals of numbers of pulses, ``both`` (2, rows, columns) up and down, into those of a tile, in place.

    z <- (sqrt(g - s+^2 v+ - s-^2 v-) z + s+ sqrt(v+) z+ - s- sqrt(v-) z-)/sqrt(g), g the variance that pulses gather.
    """
    many = [field.shape[0] > 1 for field in devices]
    for i in range(first, last):
        k = i - first
        rows = [i if more else 0 for more in many]
        for j in range(begin, end):
            c = j - begin
            w, high, low = weights[i, j], devices.high[rows[2], j], devices.low[rows[3], j]
            slopes = devices.slope_up[rows[4], j], devices.slope_down[rows[5], j]
            f_up, f_down, _, _ = step_factors(w, high, low, slopes, law)
            s_up, s_down = devices.up[rows[0], j], devices.down[rows[1], j]
            up, down, m = s_up * abs(f_up), s_down * abs(f_down), multiple(w, high, low, law)
            v_up, v_down = max(planes[2, k, c], ZERO), max(planes[3, k, c], ZERO)
            square_up, square_down = square(up, s_up, w, noise, m), square(down, s_down, w, noise, m)
            own = gathered(up, down, planes[0, k, c], planes[1, k, c], ZERO, ZERO, square_up, square_down)
            total = max(own, ZERO) + up * up * v_up + down * down * v_down
            if total > ZERO:
                shared = up * np.sqrt(v_up) * both[0, k, c] - down * np.sqrt(v_down) * both[1, k, c]
                normals[k, c] = (np.sqrt(max(own, ZERO)) * normals[k, c] + shared) / np.sqrt(total)


class ResponseKernels(NamedTuple):
    """The kernels of one response."""

    assess: Any
    """:func:`hw_models.kernels.bounds.assess`."""
    recheck: Any
    """:func:`hw_models.kernels.bounds.recheck`."""
    advance: Any
    """:func:`_advance`."""
    share: Any
    """:func:`_share`."""
    turn: Any
    """:func:`hw_models.kernels.turns.turn`."""
    turns: Any
    """:func:`hw_models.kernels.turns.turns`."""


@cache
def of(factors: Callable[..., Any] | None, wide: Callable[..., object] | None) -> ResponseKernels:
    """Return the kernels of a response with these factors, compiled at their first call; None: of the affine ones.

    ``wide`` is the multiple m(w) of a cycle-to-cycle noise in the wide form; without one it has the plain form.
    """
    if factors is None:
        kind, given, rows = "affine", _affine, (bounds.assess_affine, _advance_affine)
        turn = turns.pulse_affine if wide is None else turns.pulse_affine_wide
    else:
        kind, given, rows = factors.__qualname__, _curved, (bounds.assess_curved, _advance_curved)
        turn = turns.pulse_curved if wide is None else turns.pulse_curved_wide
    kind = kind if wide is None else f"{kind}-{wide.__qualname__}"
    form = cycle_noise.PLAIN if wide is None else cycle_noise.WIDE
    names = form._asdict() | {"multiple": written_out(scalar.alike if wide is None else wide)}
    if factors is not None:
        names["factors"] = written_out(factors)
    whole = {"error_model": "numpy"}
    inlined = whole | {"inline": "always"}
    names["gathered_at"] = kernel(bound(_gathered_at, kind, **names), **inlined)
    assess_row, advance_row = (kernel(bound(row, kind, **names), **whole) for row in rows)
    pulse_row = kernel(bound(turn, kind, **names), **whole)
    one_turn = kernel(bound(turns.turn, kind, pulse_row=pulse_row))
    step_factors = kernel(bound(given, kind, **names), **inlined)
    return ResponseKernels(
        kernel(bound(bounds.assess, kind, assess_row=assess_row)),
        kernel(bound(bounds.recheck, kind, step_factors=step_factors, **names), **whole),
        kernel(bound(_advance, kind, advance_row=advance_row)),
        kernel(bound(_share, kind, step_factors=step_factors, **names), **whole),
        one_turn,
        kernel(bound(turns.turns, kind, turn=one_turn)),
    )
