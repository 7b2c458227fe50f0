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

from hw_models.kernels import scalar, turns
from hw_models.kernels.compiling import bound, kernel, written_out
from hw_models.kernels.scalar import HALF, ONE, TINY, ZERO

FOUR, SIXTH = np.float32(4), np.float32(1 / 6)
GRAIN = np.float32(0.05)
"""Root mean square of what one pulse forgets, |d(step)/dw|, from which a device plays its pulses: 20 steps or fewer."""
CURVED = np.float32(8)
"""Exponent for which (f'/f)^2 counts, times the variance gathered; half of that product is what a mean step lacks."""
_near = written_out(scalar.near)
factors: Any = None
"""Of a response: (w, b+, b-, law) to factors of a step up and down and their derivatives. :func:`of` fills this in."""
step_factors: Any = None
"""The same of any response, affine ones too: (w, b+, b-, slopes, law)."""
assess_row: Any = None
"""One row of :func:`_assess`."""
advance_row: Any = None
"""One row of :func:`_advance`."""


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


@kernel(error_model="numpy", inline="always")
def _moves(mean, variance, noise, sigmas):
    """Return how far pulses of one direction carry a device ahead and, the other way, behind it, in mean steps.

    Ahead all of them and ``sigmas`` of what they stray. Behind: a Gaussian end of few pulses may lie there, and noise
    may turn steps round, at the most sigmas^2 noise^2/4 steps deep, where the drift is half of what they stray.
    """
    spread = variance + noise * noise * mean
    stray = sigmas * np.sqrt(ZERO if spread < ZERO else spread)
    turned = sigmas * noise * np.sqrt(ZERO if mean < ZERO else mean)
    deepest = HALF * HALF * sigmas * sigmas * noise * noise
    turned = deepest if turned > deepest else turned
    ended = stray - mean
    return mean + stray, (turned if turned > ended else ended)


@kernel(error_model="numpy", inline="always")
def _grain(up, down, noise):
    """Whether one pulse forgets so much that a flow describes it badly; up, down: |d(step)/dw|."""
    most = max(abs(up), abs(down))
    return most * most * (ONE + noise * noise) > GRAIN * GRAIN


@kernel(error_model="numpy", inline="always")
def _reach(w, up, down, ups, downs, high, low, exponent, soft):
    """Whether a device may meet a bound; its exponent is small.

    up, down: its steps now; ups, downs: how far they carry it ahead and behind, :func:`_moves`. Soft bounds are met
    from behind alone: steps that go there shrink.
    """
    room = ONE + exponent
    rise, fall = ups[0] * up * room, downs[0] * down * room
    back_up, back_down = ups[1] * up * room, downs[1] * down * room
    ahead = (w + rise + back_down > high) | (w - fall - back_up < low)
    return ((w - back_up < low) | (w + back_down > high)) if soft else ahead


@kernel(error_model="numpy", inline="always")
def _gathered(up, down, n_up, n_down, v_up, v_down, square):
    """Variance that pulses of mean steps ``up`` and ``down`` gather; ``square``: noise^2."""
    return up * up * (square * n_up + v_up) + down * down * (square * n_down + v_down)


@kernel(error_model="numpy", inline="always")
def _bend(factor, derivative):
    """(f'/f)^2, 0 where there is no step."""
    share = derivative / (ONE if factor == ZERO else factor)
    return ZERO if factor == ZERO else share * share


def _assess_affine(w, numbers, own, law, how, exponents, near):
    """Write exponents and who may meet a bound; ``how``: noise, sigmas, soft."""
    n_up, n_down, v_up, v_down = numbers
    s_up, s_down, high, low, c_up, c_down = own
    noise, sigmas, soft = how
    for j in range(w.shape[0]):
        x = n_up[j] * s_up[j] * abs(c_up[j]) + n_down[j] * s_down[j] * abs(c_down[j])
        up, down = abs(s_up[j] * (ONE - c_up[j] * w[j])), abs(s_down[j] * (ONE - c_down[j] * w[j]))
        ups, downs = _moves(n_up[j], v_up[j], noise, sigmas), _moves(n_down[j], v_down[j], noise, sigmas)
        grain = _grain(s_up[j] * c_up[j], s_down[j] * c_down[j], noise)
        near[j] = grain | _reach(w[j], up, down, ups, downs, high[j], low[j], x, soft)
        exponents[j] = x


def _assess_curved(w, numbers, own, law, how, exponents, near):
    """The same of a response with factors of its own."""
    n_up, n_down, v_up, v_down = numbers
    s_up, s_down, high, low, _, _ = own
    noise, sigmas, _ = how
    for j in range(w.shape[0]):
        f_up, f_down, d_up, d_down = factors(w[j], high[j], low[j], law)
        x = n_up[j] * s_up[j] * abs(d_up) + n_down[j] * s_down[j] * abs(d_down)
        ups, downs = _moves(n_up[j], v_up[j], noise, sigmas), _moves(n_down[j], v_down[j], noise, sigmas)
        grain = _grain(s_up[j] * d_up, s_down[j] * d_down, noise)
        near[j] = grain | _reach(w[j], s_up[j] * f_up, s_down[j] * f_down, ups, downs, high[j], low[j], x, False)
        strayed = _gathered(
            s_up[j] * f_up, s_down[j] * f_down, n_up[j], n_down[j], v_up[j], v_down[j], noise * noise
        )
        bend = _bend(f_up, d_up) + _bend(f_down, d_down)
        exponents[j] = x + CURVED * bend * strayed


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


@kernel
def _extreme(exponents, near):
    """Return the largest exponent of a row and how many are near."""
    top, count = exponents.dtype.type(0), np.int32(0)
    for j in range(exponents.shape[0]):
        top = exponents[j] if exponents[j] > top else top
        count += np.int32(near[j])
    return top, count


def _assess(first, last, begin, end, planes, weights, devices, law, how, exponents, near):
    """Write how much of a weight every device of a tile would forget, and whether it may meet a bound.

    exponents, near (rows, columns): the sum of pulses times |d step/dw|; bool. ``how``: cycle-to-cycle noise, standard
    deviations to allow for, and whether bounds are soft. Return the largest exponent, and how many may.
    """
    many, top, count = [field.shape[0] > 1 for field in devices], 0.0, 0
    for i in range(first, last):
        k = i - first
        numbers = planes[0, k], planes[1, k], planes[2, k], planes[3, k]
        w, x, met = weights[i, begin:end], exponents[k], near[k]
        own = (
            devices.up[i if many[0] else 0, begin:end], devices.down[i if many[1] else 0, begin:end],
            devices.high[i if many[2] else 0, begin:end], devices.low[i if many[3] else 0, begin:end],
            devices.slope_up[i if many[4] else 0, begin:end], devices.slope_down[i if many[5] else 0, begin:end],
        )  # fmt: skip
        assess_row(w, numbers, own, law, how, x, met)
        high_x, some = _extreme(x, met)
        count += some
        if high_x > top:  # not a maximum, which might return NaN
            top = np.float64(high_x)
    return top, count


def _affine(w, high, low, slopes, law):
    """Factors of a step up and down of an affine response, and their derivatives by w."""
    return ONE - slopes[0] * w, ONE - slopes[1] * w, -slopes[0], -slopes[1]


def _curved(w, high, low, slopes, law):
    """The same of a response with factors of its own."""
    return factors(w, high, low, law)


def _recheck(first, last, begin, end, planes, squares, swing_post, swing_pre, weights, devices, law, how, near):
    """Leave in ``near`` the devices that may meet a bound although pulses up and down alternate; return how many.

    A sample of opposite terms swings by up to ``swing_post`` (rows,) or ``swing_pre`` (columns,) pulses, the smaller;
    the sum of samples drifts by its mean and strays by the root of ``squares``, the sum of (up - down)^2 of samples,
    and of the variances.
    """
    many, found = [field.shape[0] > 1 for field in devices], 0
    noise, sigmas, _ = how
    for i in range(first, last):
        k = i - first
        rows = [i if more else 0 for more in many]
        for j in range(begin, end):
            c = j - begin
            if not near[k, c]:
                continue
            w, high, low = weights[i, j], devices.high[rows[2], j], devices.low[rows[3], j]
            slopes = devices.slope_up[rows[4], j], devices.slope_down[rows[5], j]
            f_up, f_down, d_up, d_down = step_factors(w, high, low, slopes, law)
            s_up, s_down = devices.up[rows[0], j], devices.down[rows[1], j]
            up, down = s_up * abs(f_up), s_down * abs(f_down)
            n_up, n_down = planes[0, k, c], planes[1, k, c]
            stray = squares[k, c] * (HALF * (up + down)) ** 2
            stray += (planes[2, k, c] + noise * noise * n_up) * up * up
            stray += (planes[3, k, c] + noise * noise * n_down) * down * down
            stray, drift = sigmas * np.sqrt(max(stray, 0)), n_up * up - n_down * down
            swing = min(swing_post[k], swing_pre[c])
            if _grain(s_up * d_up, s_down * d_down, noise):
                found += 1
                continue
            room = ONE + n_up * s_up * abs(d_up) + n_down * s_down * abs(d_down)
            rise, fall = max(drift, 0) + swing * up + stray, max(-drift, 0) + swing * down + stray
            near[k, c] = not (w + rise * room <= high and w - fall * room >= low)
            found += near[k, c]
    return found


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


def _advance_affine(w, numbers, order, z, stays, own, law, square):
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
        first, between, last = start, middle, moved
        g0 = _gathered(
            s_up[j] * (ONE - one * first), s_down[j] * (ONE - other * first),
            n_up[j], n_down[j], v_up[j], v_down[j], square,
        )  # fmt: skip
        g1 = _gathered(
            s_up[j] * (ONE - one * between), s_down[j] * (ONE - other * between),
            n_up[j], n_down[j], v_up[j], v_down[j], square,
        )  # fmt: skip
        g2 = _gathered(
            s_up[j] * (ONE - one * last), s_down[j] * (ONE - other * last),
            n_up[j], n_down[j], v_up[j], v_down[j], square,
        )  # fmt: skip
        squared, pulses = kept * kept, n_up[j] + n_down[j]
        late = ONE - (half + half) / (TINY if pulses < TINY else pulses)  # a pulse does not forget itself
        spread = _gathered(
            s_up[j] * one, s_down[j] * other, n_up[j], n_down[j], v_up[j], v_down[j], square
        )  # what a spread of weights adds: E (1 - c w)^2 is more than (1 - c E w)^2
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


def _advance_curved(w, numbers, order, z, stays, own, law, square):
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
        variance = _gathered(s_up[j] * middle[0], s_down[j] * middle[1], n[0], n[1], n[2], n[3], square)
        moved += np.sqrt(ZERO if variance < ZERO else variance) * kept * z[j]
        w[j] = _land(w[j], moved, n[0] + n[1], stays[j], high[j], low[j])


def _advance(first, last, begin, end, planes, orders, normals, stays, weights, devices, law, square):
    """Move one tile by its mean step and one Gaussian each; ``square``: noise^2.

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
        advance_row(w, numbers, order, z, fixed, own, law, square)


class ResponseKernels(NamedTuple):
    """The kernels of one response."""

    assess: Any
    """:func:`_assess`."""
    recheck: Any
    """:func:`_recheck`."""
    advance: Any
    """:func:`_advance`."""
    turn: Any
    """:func:`hw_models.kernels.turns.turn`."""


@cache
def of(factors: Callable[..., Any] | None = None) -> ResponseKernels:
    """Return the kernels of a response with these factors, compiled at their first call; None: of the affine ones."""
    if factors is None:
        kind, given, rows = "affine", _affine, (_assess_affine, _advance_affine, turns.pulse_affine)
    else:
        kind, given, rows = factors.__qualname__, _curved, (_assess_curved, _advance_curved, turns.pulse_curved)
    names = {} if factors is None else {"factors": written_out(factors)}
    whole = {"error_model": "numpy"}
    assess_row, advance_row, pulse_row = (kernel(bound(row, kind, **names), **whole) for row in rows)
    step_factors = kernel(bound(given, kind, **names), inline="always", **whole)
    return ResponseKernels(
        kernel(bound(_assess, kind, assess_row=assess_row)),
        kernel(bound(_recheck, kind, step_factors=step_factors), **whole),
        kernel(bound(_advance, kind, advance_row=advance_row)),
        kernel(bound(turns.turn, kind, pulse_row=pulse_row)),
    )
