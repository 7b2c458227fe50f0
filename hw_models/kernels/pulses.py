# Tested by tests/hw_models/arrays/test_pulses.py.
"""Kernels of devices that move by many pulses at once; equations in :mod:`hw_models.arrays.expected`.

Shapes: weights (out, in) as shares of the weight range. Every member of ``devices`` is (out, in), or (1, in) where all
rows are alike. A tile is rows [first, last) and columns [begin, end). ``law``: the constants of the response, float32.

What a tile is to move by in one step is in ``planes`` (2, rows, columns): numbers of pulses up and down; ``numbers``
are those of one row, ``own`` the members of ``devices`` of one row.

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

from hw_models.kernels import bounds, cycle_noise, leaps, normal_pairs, scalar, turns
from hw_models.kernels.bounds import within
from hw_models.kernels.compiling import bound, kernel, unbound, written_out
from hw_models.kernels.noise import schedule
from hw_models.kernels.parameters import differ, parameters
from hw_models.kernels.scalar import HALF, ONE, TINY, ZERO
from hw_models.kernels.turns import ROW

FOUR, SIXTH = np.float32(4), np.float32(1 / 6)
FEW = 0.25
"""Share of devices with pulses below which a row moves those alone."""
_near = written_out(scalar.near)
factors = unbound
"""Of a response: (w, b+, b-, law) to factors of a step up and down and their derivatives. :func:`of` fills this in."""
advance_row = unbound
"""One row of :func:`_advance`."""
step_factors = unbound
"""Of any response, with the slopes of an affine one."""
multiple = square = bent = gathered = unbound
"""Of the cycle-to-cycle noise, :mod:`hw_models.kernels.cycle_noise`."""
gathered_at = unbound
"""Of :func:`_advance_affine`, :func:`_gathered_at`; of :func:`_advance_curved`, :func:`_gathered_curved`."""


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


def _affine(w, high, low, slopes, law):
    """Factors of a step up and down of an affine response, and their derivatives by w."""
    return ONE - slopes[0] * w, ONE - slopes[1] * w, -slopes[0], -slopes[1]


def _curved(w, high, low, slopes, law):
    """The same of a response with factors of its own."""
    return factors(w, high, low, law)


@kernel(error_model="numpy", forceinline=True)
def _land(w, moved, pulses, stays, high, low):
    """``moved`` within the bounds, or ``w`` where there was no pulse or it is to stay; NaN stays."""
    moved = high if moved > high else moved
    moved = low if moved < low else moved
    return w if stays | (pulses <= ZERO) else moved


def _gathered_at(w, one, other, s_up, s_down, n_up, n_down, noise, m):
    """Variance that pulses gather while an affine response stands at a weight."""
    up, down = s_up * (ONE - one * w), s_down * (ONE - other * w)
    return gathered(
        up, down, n_up, n_down, square(abs(up), s_up, w, noise, m), square(abs(down), s_down, w, noise, m)
    )  # fmt: skip


def _advance_affine(w, numbers, order, z, stays, own, law, noise):
    """Move one row: the flow is exact, the variance Simpson's rule over its course."""
    ups, downs = numbers
    steps_up, steps_down, highs, lows, c_up, c_down = own
    for j in range(w.shape[0]):
        old, n_up, n_down, s_up, s_down, high, low = (
            w[j], ups[j], downs[j], steps_up[j], steps_down[j], highs[j], lows[j],
        )  # fmt: skip
        one, other, start = c_up[j], c_down[j], within(old, high, low)
        bend_up, bend_down, pulses = s_up * one, s_down * other, n_up + n_down
        up = s_up * (n_up + HALF * bend_up * n_up)
        down = s_down * (n_down - HALF * bend_down * n_down)
        half = HALF * (down * other - up * one)
        drift = up - down + HALF * s_up * s_down * (other - one) * order[j]
        phi = HALF * _near(half)
        kept = ONE + (half + half) * phi
        middle = start + phi * (drift + (half + half) * start)
        moved = middle + phi * (drift + (half + half) * middle)
        m = multiple(start, high, low, law)
        g0 = gathered_at(start, one, other, s_up, s_down, n_up, n_down, noise, m)
        g1 = gathered_at(middle, one, other, s_up, s_down, n_up, n_down, noise, m)
        g2 = gathered_at(moved, one, other, s_up, s_down, n_up, n_down, noise, m)
        squared = kept * kept
        late = ONE - (half + half) / (TINY if pulses < TINY else pulses)  # a pulse does not forget itself
        spread = gathered(
            bend_up, bend_down, n_up, n_down, bent(bend_up, s_up, noise, m), bent(bend_down, s_down, noise, m)
        )
        # what a spread of weights adds: E (1 - c w)^2 is more than (1 - c E w)^2
        variance = (late + HALF * spread) * SIXTH * (squared * (squared * g0 + FOUR * g1) + g2)
        moved += np.sqrt(ZERO if variance < ZERO else variance) * z[j]
        w[j] = _land(old, moved, pulses, stays[j], high, low)


@kernel(error_model="numpy", forceinline=True)
def _half(w, n_up, n_down, order, s_up, s_down, factors):
    """Weight half a step later; what of a deviation is kept by then."""
    f_up, f_down, d_up, d_down = factors
    up = s_up * (n_up - HALF * s_up * d_up * n_up)
    down = s_down * (n_down + HALF * s_down * d_down * n_down)
    half = np.float32(HALF * (up * d_up - down * d_down))
    phi = _near(half)
    shift = HALF * s_up * s_down * (d_up * f_down - f_up * d_down) * order
    return w + HALF * phi * (up * f_up - down * f_down + shift), ONE + half * phi


def _gathered_curved(w, given, s_up, s_down, n_up, n_down, noise, m):
    """The same of a response with factors of its own, ``given`` at that weight."""
    up, down = s_up * given[0], s_down * given[1]
    return gathered(up, down, n_up, n_down, square(up, s_up, w, noise, m), square(down, s_down, w, noise, m))


def _advance_curved(w, numbers, order, z, stays, own, law, noise):
    """The same of a response with factors of its own, in two half steps; Simpson's rule over their ends."""
    ups, downs = numbers
    steps_up, steps_down, highs, lows, _, _ = own
    for j in range(w.shape[0]):
        old, n_up, n_down, s_up, s_down, high, low = (
            w[j], ups[j], downs[j], steps_up[j], steps_down[j], highs[j], lows[j],
        )  # fmt: skip
        begin = within(old, high, low)
        start = factors(begin, high, low, law)
        half, first = _half(begin, n_up, n_down, order[j], s_up, s_down, start)
        half = within(half, high, low)
        middle = factors(half, high, low, law)
        moved, second = _half(half, n_up, n_down, order[j], s_up, s_down, middle)
        end = within(moved, high, low)
        ended = factors(end, high, low, law)
        g0 = gathered_at(begin, start, s_up, s_down, n_up, n_down, noise, multiple(begin, high, low, law))
        g1 = gathered_at(half, middle, s_up, s_down, n_up, n_down, noise, multiple(half, high, low, law))
        g2 = gathered_at(end, ended, s_up, s_down, n_up, n_down, noise, multiple(end, high, low, law))
        variance = SIXTH * (second * second * (first * first * g0 + FOUR * g1) + g2)
        moved += np.sqrt(ZERO if variance < ZERO else variance) * z[j]
        w[j] = _land(old, moved, n_up + n_down, stays[j], high, low)


@kernel
def _found(n_up, n_down, found):
    """Write the devices of a row that have pulses; return how many they are."""
    m = 0
    for j in range(n_up.shape[0]):
        found[m] = j
        m += n_up[j] + n_down[j] > ZERO
    return m


@kernel(error_model="numpy")
def _busy(n_up, n_down):
    """Return how many devices of a row have pulses."""
    m = np.int32(0)
    for j in range(n_up.shape[0]):
        m += np.int32(n_up[j] + n_down[j] > ZERO)
    return m


@kernel
def _listed(source, found, m, target):
    """Write m devices of a row behind each other."""
    for k in range(m):
        target[k] = source[found[k]]


def _advance(first, last, begin, end, planes, orders, stays, draws, weights, devices, law, noise):
    """Move one tile by its numbers of pulses, ``planes`` (2, rows, columns), and one Gaussian each.

    orders, by how much pairs of a pulse up before one down outnumber those down before up, and stays, who keeps its
    weight, as those without pulses do, (rows, columns) or (1, columns). draws: whether there is noise, and key, step
    and number of the tile; a row has the normals of its own block of counters.

    Where few devices of a row have pulses they are listed, and the others cost no more than a look.
    """
    columns, real = end - begin, weights.dtype
    noisy, key, step, number = draws
    keys, (bits, z) = schedule(key), normal_pairs.memory()
    found, kept = np.empty(columns, np.int64), np.empty(columns, np.bool_)
    lists = np.empty((10, columns), real)
    z[:] = 0
    own, many = parameters(devices, 0, begin, end), differ(devices)
    for i in range(first, last):
        k = i - first
        n_up, n_down, w = planes[0, k], planes[1, k], weights[i, begin:end]
        busy = _busy(n_up, n_down)
        if busy == 0:
            continue
        order, fixed = orders[k if orders.shape[0] > 1 else 0], stays[k if stays.shape[0] > 1 else 0]
        if many:
            own = parameters(devices, i, begin, end)
        if busy >= FEW * columns:
            if noisy:
                normal_pairs.draw(keys, k << ROW, normal_pairs.blocks_of(columns), number, 0, step, bits, z)
            advance_row(w, (n_up, n_down), order, z, fixed, own, law, noise)
            continue
        m = _found(n_up, n_down, found)
        for n, field in enumerate(own):
            _listed(field, found, m, lists[n])
        _listed(n_up, found, m, lists[6])
        _listed(n_down, found, m, lists[7])
        _listed(order, found, m, lists[8])
        _listed(w, found, m, lists[9])
        _listed(fixed, found, m, kept)
        if noisy:
            normal_pairs.draw(keys, k << ROW, normal_pairs.blocks_of(m), number, 0, step, bits, z)
        some = (lists[0, :m], lists[1, :m], lists[2, :m], lists[3, :m], lists[4, :m], lists[5, :m])
        advance_row(lists[9, :m], (lists[6, :m], lists[7, :m]), lists[8, :m], z, kept[:m], some, law, noise)
        for n in range(m):
            w[found[n]] = lists[9, n]


class ResponseKernels(NamedTuple):
    """The kernels of one response."""

    assess: Any
    """:func:`hw_models.kernels.bounds.assess`."""
    recheck: Any
    """:func:`hw_models.kernels.bounds.recheck`."""
    advance: Any
    """:func:`_advance`."""
    attempt: Any
    """:func:`hw_models.kernels.leaps.attempt`, or :func:`hw_models.kernels.leaps.leap`."""
    play: Any
    """:func:`hw_models.kernels.turns.play`."""


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
    inlined = whole | {"forceinline": True}
    gather = _gathered_at if factors is None else _gathered_curved
    names["gathered_at"] = kernel(bound(gather, kind, **names), **inlined)
    assess_row, advance_row = (kernel(bound(row, kind, **names), **whole) for row in rows)
    # those of affine responses are short; written out, the others would not vectorise
    pulse_row = kernel(bound(turn, kind, **names), **(inlined if factors is None else whole))
    step_factors = kernel(bound(given, kind, **names), **inlined)
    assess = kernel(bound(bounds.assess, kind, assess_row=assess_row))
    advance = kernel(bound(_advance, kind, advance_row=advance_row))
    if factors is None and wide is None:
        attempt = kernel(bound(leaps.leap, kind, leap_row=kernel(bound(leaps.leap_affine, kind), **inlined)))
    else:
        attempt = kernel(bound(leaps.attempt, kind, assess=assess, advance=advance))
    return ResponseKernels(
        assess,
        kernel(bound(bounds.recheck, kind, step_factors=step_factors, **names), **whole),
        advance,
        attempt,
        kernel(bound(turns.play, kind, pulse_row=pulse_row, take_row=turns.leave if factors is None else turns.take)),
    )
