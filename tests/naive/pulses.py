"""Slow twins of pulsed updates: one device, one slot, one pulse at a time, in float64, straight from the equations."""

from __future__ import annotations

import math

import numpy as np


def steps(pulse):
    """Steps up and down at weight 0 of a device without spread."""
    return pulse.dw_min * (1 + min(pulse.up_down, 0)), pulse.dw_min * (1 - max(pulse.up_down, 0))


def factor(pulse, w, up):
    """What a step is multiplied by at weight w."""
    high, low = pulse.w_max, pulse.w_min
    if pulse.response == "constant":
        return 1.0
    if pulse.response in ("linear", "soft_bounds"):
        gamma = 1.0 if pulse.response == "soft_bounds" else pulse.gamma_up if up else pulse.gamma_down
        return 1 - gamma * w / (high if up else low)
    if pulse.response == "exponential":
        z = 2 * pulse.slope * w / (high - low) + pulse.offset
        power = pulse.a_up * math.exp(pulse.gamma_up * z) if up else pulse.a_down * math.exp(-pulse.gamma_down * z)
        return max(1 - power, 0.0)
    if pulse.response == "table":
        return between(pulse, pulse.table_up if up else pulse.table_down, w)
    share = (high - w) / (high - low) if up else (w - low) / (high - low)
    return max(share, 0.0) ** (pulse.gamma_up if up else pulse.gamma_down)


def between(pulse, values, w):
    """What a table says at a weight: on the straight line between the two states beside it."""
    states = pulse.table_states or [k / (len(values) - 1) for k in range(len(values))]
    x = min(max((w - pulse.w_min) / (pulse.w_max - pulse.w_min), 0.0), 1.0)
    for k in range(len(states) - 1):
        if x <= states[k + 1]:
            t = (x - states[k]) / (states[k + 1] - states[k])
            return values[k] + t * (values[k + 1] - values[k])
    return values[-1]


def stray(pulse, w, up):
    """Standard deviation of one pulse."""
    own = steps(pulse)[0 if up else 1]
    multiple = 1.0 if pulse.table_noise is None else between(pulse, pulse.table_noise, w)
    by_step = pulse.noise * multiple * own * abs(factor(pulse, w, up))
    return by_step + pulse.noise_base * own + pulse.noise_state * abs(w)


def shaped(pulse, xi):
    """Draws of mean 0 and variance 1 from standard normals."""
    if pulse.noise_law == "normal" or not pulse.noise:
        return xi
    square = math.log(1 + pulse.noise**2)
    return (np.exp(math.sqrt(square) * xi - square / 2) - 1) / pulse.noise


def play(pulse, w, up, xi=0.0):
    """Weight after one pulse."""
    step = steps(pulse)[0] if up else -steps(pulse)[1]
    moved = w + step * factor(pulse, w, up) + (1 if up else -1) * stray(pulse, w, up) * shaped(pulse, xi)
    return min(max(moved, pulse.w_min), pulse.w_max)


def fit(post, pre, rate, dw_min, update):
    """Train length and factors of the two sides for one pair of rows."""
    top_post, top_pre = max(abs(v) for v in post), max(abs(v) for v in pre)
    if not update.management:
        factor = math.sqrt(rate / (dw_min * update.train_length))
        return update.train_length, factor, factor
    wanted = rate * top_post * top_pre / dw_min
    if wanted == 0:
        return 0, 0.0, 0.0
    length = min(math.ceil(wanted), update.train_length)
    if wanted > length and update.overlong == "post":
        top_post *= length / wanted  # only signals of the post side are cut
    factor = math.sqrt(rate / (dw_min * length))
    return length, factor * math.sqrt(top_pre / top_post), factor * math.sqrt(top_post / top_pre)


def update(pulse, weights, terms, rate, update, uniforms):
    """Weights after one batch, noise-free, and the number of pulses.

    ``uniforms(term, side, sample, slot, size)`` are the draws of one slot of one train.
    """
    weights, count = weights.astype(np.float64), 0
    for sample in range(len(terms[0][1])):
        for number, (sign, posts, pres) in enumerate(terms):
            post, pre = ([float(v) for v in rows[sample]] for rows in (posts, pres))
            length, b, a = fit(post, pre, rate, pulse.dw_min, update)
            for slot in range(length):
                drawn = uniforms(number, "post", sample, slot, len(post))
                fired_post = [u < b * abs(v) for u, v in zip(drawn, post, strict=True)]
                drawn = uniforms(number, "pre", sample, slot, len(pre))
                fired_pre = [u < a * abs(v) for u, v in zip(drawn, pre, strict=True)]
                for i, j in np.ndindex(weights.shape):
                    if fired_post[i] and fired_pre[j]:
                        weights[i, j] = play(pulse, weights[i, j], sign * post[i] * pre[j] > 0)
                        count += 1
    return weights, count


def expected_counts(terms, rate, dw_min, update):
    """Mean and variance of the pulses up and down, each (out, in)."""
    shape = (terms[0][1].shape[1], terms[0][2].shape[1])
    mean, variance = np.zeros((2, *shape)), np.zeros((2, *shape))
    for sign, posts, pres in terms:
        for post, pre in zip(posts, pres, strict=True):
            length, b, a = fit(post, pre, rate, dw_min, update)
            for i, j in np.ndindex(shape):
                p = min(1.0, b * abs(float(post[i]))) * min(1.0, a * abs(float(pre[j])))
                way = 0 if sign * post[i] * pre[j] > 0 else 1
                mean[way, i, j] += length * p
                variance[way, i, j] += length * p * (1 - p)
    return mean, variance


def batches(pulse, weights, terms, rate, update, repeats, rng):
    """Ends of many updates of a matrix of equal devices, (repeats, out, in): trains slot by slot, pulse by pulse."""
    return touched_batches(pulse, weights, terms, rate, update, repeats, rng)[0]


def touched_batches(pulse, weights, terms, rate, update, repeats, rng):
    """The same, and how many pulses every device got."""
    given = np.zeros((repeats, *weights.shape), int)
    ends = np.tile(np.asarray(weights, np.float64), (repeats, 1, 1))
    (up_step, down_step), noisy = steps(pulse), pulse.noise or pulse.noise_base or pulse.noise_state
    for sample in range(len(terms[0][1])):
        for sign, posts, pres in terms:
            post, pre = posts[sample].astype(np.float64), pres[sample].astype(np.float64)
            length, b, a = fit(post, pre, rate, pulse.dw_min, update)
            rising = np.broadcast_to(sign * np.outer(post, pre) > 0, ends.shape)
            for _ in range(length):
                fired_post = rng.random((repeats, len(post))) < b * np.abs(post)
                fired_pre = rng.random((repeats, len(pre))) < a * np.abs(pre)
                met = fired_post[:, :, None] & fired_pre[:, None, :]
                w, up = ends[met], rising[met]  # the others stay
                f_up, f_down = factors(pulse, w)
                step = np.where(up, up_step * f_up, -down_step * f_down)
                if noisy:
                    own = np.where(up, up_step, -down_step)
                    sigma = pulse.noise * multiples(pulse, w) * step
                    sigma += pulse.noise_base * own + np.where(up, pulse.noise_state, -pulse.noise_state) * np.abs(w)
                    step += sigma * shaped(pulse, rng.standard_normal(w.shape))
                ends[met] = np.clip(w + step, pulse.w_min, pulse.w_max)
                given += met
    return ends, given


def factors(pulse, w):
    """What steps up and down are multiplied by at weights w, whole arrays of them."""
    high, low = pulse.w_max, pulse.w_min
    if pulse.response == "constant":
        return np.ones_like(w), np.ones_like(w)
    if pulse.response == "soft_bounds":
        return 1 - w / high, 1 - w / low
    if pulse.response == "linear":
        return 1 - pulse.gamma_up * w / high, 1 - pulse.gamma_down * w / low
    if pulse.response == "power":
        share = (w - low) / (high - low)
        return np.maximum(1 - share, 0) ** pulse.gamma_up, np.maximum(share, 0) ** pulse.gamma_down
    if pulse.response == "table":
        x, states = (w - low) / (high - low), pulse.table_states or np.linspace(0, 1, len(pulse.table_up))
        return np.interp(x, states, pulse.table_up), np.interp(x, states, pulse.table_down)
    z = 2 * pulse.slope * w / (high - low) + pulse.offset
    up, down = pulse.a_up * np.exp(pulse.gamma_up * z), pulse.a_down * np.exp(-pulse.gamma_down * z)
    return np.maximum(1 - up, 0), np.maximum(1 - down, 0)


def multiples(pulse, w):
    """What the noise of a step is multiplied by at weights w."""
    if pulse.table_noise is None:
        return 1.0
    states = pulse.table_states or np.linspace(0, 1, len(pulse.table_noise))
    return np.interp((w - pulse.w_min) / (pulse.w_max - pulse.w_min), states, pulse.table_noise)
