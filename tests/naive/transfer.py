"""Slow twins of the rules with a fast and a slow array, from the papers' equations: noise-free, one device at a time.

All pulses are certain: every coincidence of signs is one pulse. A device is a function ``pulse(w, sign)``.
"""

from __future__ import annotations

import numpy as np


def gather(fast, post, pre, pulse):
    """One pulse for every coincidence, along -(post pre), the wanted direction given by its sign."""
    for i in range(fast.shape[0]):
        for j in range(fast.shape[1]):
            sign = np.sign(post[i] * pre[j])
            if sign:
                fast[i, j] = pulse(fast[i, j], sign)


def give(slow, j, numbers, pulse):
    """Whole numbers of pulses to the devices of a column."""
    for i, number in enumerate(numbers):
        for _ in range(abs(int(number))):
            slow[i, j] = pulse(slow[i, j], np.sign(number))


def run(
    rule, posts, pres, *, pulse_fast, pulse_slow, rate, every=1, most=31, keep=None, flips=0, eta=1.0, mu=0.0, dw=0.0
):
    """Return fast, slow and what is kept of all updates; one column is read each time, they take turns.

    ``flips`` is the number of reads of a column after which its sign flips, 0 for never.
    """
    shape = posts.shape[1], pres.shape[1]
    fast, slow, gathered, reference = (np.zeros(shape) for _ in range(4))
    sign, reads, j, traces = np.ones(shape[1]), np.zeros(shape[1], int), 0, []
    for number, (post, pre) in enumerate(zip(posts, pres, strict=True), start=1):
        gather(fast, post, pre * sign, pulse_fast)
        if number % every == 0:
            a = fast[:, j].copy()
            if rule in ("tiki_taka", "tiki_taka_v2", "momentum"):
                moved = a
            elif rule == "chopped":
                moved = sign[j] * a
            else:  # agad, rider, e_rider
                moved = sign[j] * (a - reference[:, j])
            if rule in ("rider", "e_rider"):
                if reads[j] == 0:
                    moved, reference[:, j] = 0 * a, a
                reference[:, j] += max(eta, 1 / (reads[j] + 1)) * (a - reference[:, j])
            if rule == "momentum":
                give(fast, j, -np.rint((1 - mu) * a / dw), pulse_fast)
            reads[j] += 1
            if flips and reads[j] % flips == 0:
                sign[j] = -sign[j]
                if rule == "agad":
                    reference[:, j] += eta * (a - reference[:, j])
            if rule == "tiki_taka":
                give(slow, j, np.clip(np.rint(rate * moved), -most, most), pulse_slow)
            else:
                gathered[:, j] += rate * moved
                whole = np.clip(np.trunc(gathered[:, j]), -most, most)
                if keep is None:
                    gathered[:, j] -= whole
                else:
                    gathered[whole != 0, j] *= keep
                give(slow, j, whole, pulse_slow)
            j = (j + 1) % shape[1]
        traces.append((fast.copy(), slow.copy(), gathered.copy(), reference.copy(), sign.copy()))
    return [np.array(each) for each in zip(*traces, strict=True)]


def device(response, dw, low=-1.0, high=1.0, gamma=(0.0, 0.0)):
    """One device: constant, soft bounds, or linear with its slopes up and down."""

    def pulse(w, sign):
        bound = high if sign > 0 else low
        shrink = {"constant": 0.0, "soft_bounds": 1.0, "linear": gamma[0 if sign > 0 else 1]}[response]
        return min(max(w + sign * dw * (1 - shrink * w / bound), low), high)

    return pulse
