"""A slow twin of residual learning, from its equations: noise-free, one device at a time."""

from __future__ import annotations

import math

import numpy as np

from tests.naive.transfer import device, gather


def run(posts, pres, *, response, dw, rate, arrays, gamma, flips, verify, warm):
    """Yield fast array, (arrays, out, in) and H of every update; one column is read each time, they take turns."""
    shape = posts.shape[1], pres.shape[1]
    fast, gathered, reference, held = np.zeros(shape), np.zeros(shape), np.zeros(shape), np.zeros((arrays, *shape))
    sign, reads, j, pulse = np.ones(shape[1]), np.zeros(shape[1], int), 0, device(response, dw)
    for number, (post, pre) in enumerate(zip(posts, pres, strict=True), start=1):
        gather(fast, post, pre * sign, pulse)
        taking_part = arrays if warm is None else min(arrays, 1 + number // warm)
        for i in range(shape[0]):
            left = gathered[i, j] + rate * sign[j] * (fast[i, j] - reference[i, j])
            for k in range(taking_part):
                whole, before = math.trunc(left / gamma**k), held[k, i, j]
                if verify:  # a device that is full gets no more than one pulse
                    room = 1 - before if whole > 0 else before + 1
                    whole = max(min(whole, most := max(math.ceil(room / dw - 1e-3), 1)), -most)
                for _ in range(abs(whole)):
                    held[k, i, j] = pulse(held[k, i, j], np.sign(whole))
                left -= gamma**k * ((held[k, i, j] - before) / dw if verify else whole)
            gathered[i, j] = min(max(left, -1), 1)
        reads[j] += 1
        if reads[j] % flips == 0:
            sign[j], reference[:, j] = -sign[j], fast[:, j]
        j = (j + 1) % shape[1]
        yield fast.copy(), held.copy(), gathered.copy()
