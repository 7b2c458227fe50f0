"""The state of a device, followed from reading to reading of its pulse curve.

Between two readings r of a device come pulses of one direction u. Each moves the weight by u s F_u(w) and strays by
sigma = noise |s F| + base s + state |w|; a reading is r = w + e, e of variance r2. Of a weight known as N(m, P) one
pulse makes

    m <- m + u s F(m),     P <- (1 + u s F'(m))^2 P + sigma^2,

within soft bounds with the mean and variance of what is cut there. A reading then comes with the innovation v = r - m
of variance S = P + r2, and the state becomes m + v P/S of variance P r2/S. For a response that is linear in the weight
and noise of one size this is Kalman's filter, and v, S give the likelihood without an approximation.

Source: Kalman, J. Basic Eng. 82:35, 1960; Gaussian densities kept through a step that is not linear: Maybeck,
Stochastic Models, Estimation and Control 2, 1982.
"""

from __future__ import annotations

import math

from hw_models.kernels.compiling import kernel

AFFINE, EXPONENTIAL, POWER, TABLE = 0, 1, 2, 3
"""Forms of F: 1 - q0 w and 1 + q1 w; 1 - q0 (exp(q2 z) - 1)/q2 and 1 - q1 (exp(-q3 z) - 1)/q3, not below 0, with
z = 2 w/(high - low);
((high + q2 R - w)/R')^q0 and ((w - low + q3 R)/R')^q1 with R = high - low, R' = (1 + q2 + q3) R; linear between states
(w - low)/R of a table."""
ANEW_BELOW = -999999
"""Counts of pulses up to this stand for a reading that starts anew."""
FAR = 5.0
"""Standard deviations from a bound from which nothing is cut."""
NEAR = 3.0
"""Standard deviations from a hard bound within which a reading tells nothing of the step."""
ROOT = math.sqrt(2 * math.pi)


@kernel(error_model="numpy")
def factor(form, w, up, q, low, high, table):
    """Return F and dF/dw of a step up or down at a weight.

    Parameters
    ----------
    form : int
        One of the forms.
    w, low, high : float
        Weight and bounds.
    up : bool
        Direction.
    q : numpy.ndarray
        (4,) parameters.
    table : numpy.ndarray
        (3, states): states, factors up, factors down.
    """
    span = high - low
    if form == 0:
        f, d = (1 - q[0] * w, -q[0]) if up else (1 + q[1] * w, q[1])
        return (f, d) if f > 0 else (0.0, 0.0)
    if form == 1:
        rate = 2 / span if up else -2 / span
        c, g = (q[0], q[2]) if up else (q[1], q[3])
        z = min(max(g * rate * w, -50.0), 50.0)
        f = 1 - c * (math.expm1(z) / g if abs(g) > 1e-9 else rate * w)
        return (f, -c * rate * math.exp(z)) if f > 0 else (0.0, 0.0)
    if form == 2:
        whole = (1 + q[2] + q[3]) * span
        x = (high + q[2] * span - w) / whole if up else (w - low + q[3] * span) / whole
        x = max(x, 1e-6)
        g = q[0] if up else q[1]
        f = x**g
        return f, (-g if up else g) * f / (x * whole)
    x, k, row = (w - low) / span, 0, 1 if up else 2
    while k < table.shape[1] - 2 and x >= table[0, k + 1]:
        k += 1
    gap = table[0, k + 1] - table[0, k]
    rise = (table[row, k + 1] - table[row, k]) / gap
    t = x - table[0, k]
    if t < 0:
        return table[row, k], 0.0
    return (table[row, k + 1], 0.0) if t > gap else (table[row, k] + t * rise, rise / span)


@kernel(error_model="numpy")
def cut_above(m, p, high):
    """Return mean and variance of min(w, high) for w of N(m, p)."""
    sd = math.sqrt(p)
    off = m - high
    if off < -FAR * sd or sd == 0:
        return (m, p) if off < 0 else (high, 0.0)
    a = -off / sd
    share, bell = 0.5 * math.erfc(-a / math.sqrt(2.0)), math.exp(-0.5 * a * a) / ROOT
    first = off * share - sd * bell
    second = (off * off + p) * share - off * sd * bell
    return high + first, max(second - first * first, 0.0)


@kernel(error_model="numpy")
def follow(form, soft, readings, pulses, devices, table, found):
    """Follow every device; write innovation, its variance, and whether it tells of a step.

    Parameters
    ----------
    form : int
        Of F.
    soft : bool
        Whether bounds are where steps end softly: then what noise takes beyond is cut. Else bounds are hard, and
        readings near them tell nothing.
    readings : numpy.ndarray
        (devices, readings) [weight]; NaN behind the last.
    pulses : numpy.ndarray
        (devices, readings) pulses ahead of a reading, up above 0; -10^6 before a reading that starts anew.
    devices : numpy.ndarray
        (devices, 12): s up, s down, noise, base, state, r2, low, high, q0 to q3.
    table : numpy.ndarray
        (3, states).
    found : numpy.ndarray
        (3, devices, readings) v, S, and 1 or 0, written; (0, 1, 0) where there is no innovation.
    """
    for d in range(len(readings)):
        p = devices[d]
        noise, base, state, r2, low, high, q = p[2], p[3], p[4], p[5], p[6], p[7], p[8:12]
        m, var = 0.0, 0.0
        for k in range(readings.shape[1]):
            r, count = readings[d, k], pulses[d, k]
            found[0, d, k], found[1, d, k], found[2, d, k] = 0.0, 1.0, 0.0
            if math.isnan(r):
                continue
            if count < ANEW_BELOW:
                m, var = r, r2
                continue
            up = count > 0
            u, s = (1.0, p[0]) if up else (-1.0, p[1])
            for _ in range(abs(count)):
                f, slope = factor(form, m, up, q, low, high, table)
                sigma = noise * s * f + base * s + state * abs(m)
                a, move = 1 + u * s * slope, u * s * f
                if soft and a < -1:
                    a, move = -1.0, 2 * ((high if up else low) - m)
                m, var = m + move, a * a * var + sigma * sigma
                if soft:
                    m, var = cut_above(m, var, high)
                    m, var = cut_above(-m, var, -low)
                    m = -m
            reach = NEAR * math.sqrt(var + r2)
            tells = soft or (m + reach < high and m - reach > low)
            m = min(max(m, low), high)
            v, total = r - m, var + r2
            found[0, d, k], found[1, d, k], found[2, d, k] = v, total, 1.0 if tells else 0.0
            if total > 0:
                m, var = m + v * var / total, var * r2 / total
