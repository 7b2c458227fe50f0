"""Slow twin of counted coincidences: one device, one slot, one counter at a time, in float64, from the equations."""

from __future__ import annotations

import math

import numpy as np

SLOTS = 63
"""Draws of a longer train are those of several, one behind the other."""


def fit(post, pre, rate, granule, update):
    """Train length and factors of the two sides from the signals of the first phase of a sample."""
    counter = update.counter
    if not update.management:
        factor = math.sqrt(rate / (granule * counter.slots))
        return counter.slots, factor, factor
    top_post, top_pre = ((1 + counter.room) * max(abs(v) for v in side) for side in (post, pre))
    wanted = rate * top_post * top_pre / granule
    if wanted == 0:
        return 0, 0.0, 0.0
    length = min(math.ceil(wanted), counter.slots)
    product = rate * min(1.0, length / wanted) / (granule * length)
    return length, math.sqrt(product * top_pre / top_post), math.sqrt(product * top_post / top_pre)


def kept(value, update):
    """Counter after a step, within its bits."""
    half = 2 ** (update.counter.bits - 1)
    if update.counter.overflow == "saturate":
        return min(max(value, -half), half - 1)
    return (value + half) % (2 * half) - half


def count(counters, terms, rate, granule, update, uniforms):
    """Counters after one batch, and the coincidences.

    ``uniforms(term, side, word, slot, size)`` are the draws of one slot of one word of a train.
    """
    counters, met, word = counters.copy(), 0, 0
    for sample in range(len(terms[0][1])):
        first = ([float(v) for v in side[sample]] for side in terms[0][1:])
        length, b, a = fit(*first, rate, granule, update)
        for number, (sign, posts, pres) in enumerate(terms):
            post, pre = ([float(v) for v in rows[sample]] for rows in (posts, pres))
            drawn = 0 if update.counter.draws == "replayed" else number
            for slot in range(length):
                place = (word + slot // SLOTS, slot % SLOTS)
                u = uniforms(drawn, "post", *place, len(post))
                fired_post = [u[i] < b * abs(v) for i, v in enumerate(post)]
                u = uniforms(drawn, "pre", *place, len(pre))
                fired_pre = [u[j] < a * abs(v) for j, v in enumerate(pre)]
                for i, j in np.ndindex(counters.shape):
                    if fired_post[i] and fired_pre[j]:
                        step = 1 if sign * post[i] * pre[j] > 0 else -1
                        counters[i, j] = kept(int(counters[i, j]) + step, update)
                        met += 1
        word += max(math.ceil(length / SLOTS), 1)
    return counters, met


def moments(post, pre, other_post, other_pre, replayed):
    """Mean and variance of what one slot adds to one counter.

    Probabilities to fire, with the signs of the lines, in the phase that is counted down and in the other.
    """
    minus, plus = post * pre, other_post * other_pre
    mean = plus - minus
    if not replayed:
        return mean, abs(plus) * (1 - abs(plus)) + abs(minus) * (1 - abs(minus))
    both = min(abs(post), abs(other_post)) * min(abs(pre), abs(other_pre))
    sign = 1 if minus * plus > 0 else -1
    return mean, abs(plus) + abs(minus) - 2 * sign * both - mean**2
