"""Slow twin of bursts on an array that is one line: a pulse at a time, in double precision, with the kernel's draws."""

from __future__ import annotations

import numpy as np

from tests.naive import normal_pairs, pulses

FEW, DENSE, SORTING, ROOM = 0.25, 0.75, 3, 1024
"""As in hw_models/kernels/bursts.py; the last is how many normals are made at a time."""


def give(pulse, weights, numbers, key, step):
    """Return weights (out, in) after so many pulses of every device, down where negative; out in is at most 512."""
    found, flat, own = weights.ravel().copy(), np.abs(numbers).ravel(), [int(word) for word in key]
    devices, ups = np.arange(flat.size), numbers.ravel() > 0
    if np.count_nonzero(flat) < FEW * flat.size:
        devices = np.flatnonzero(flat)
    normals, block, most = np.empty(0), 0, flat.max()
    for turn in range(most):
        busy = flat[devices] > turn
        gone = len(devices) - busy.sum()
        if turn and busy.sum() < DENSE * len(devices) and gone * (most - turn) > SORTING * len(devices):
            devices = devices[busy]
        if len(normals) < len(devices):
            many = min(-(-len(devices) * min(most - turn, ROOM // len(devices)) // 64) * 16, ROOM // 4)
            normals, block = normal_pairs.blocks(own, block, many, 0, 0, step), block + many
        for k, xi in zip(devices, normals, strict=False):
            if flat[k] > turn:
                found[k] = pulses.play(pulse, found[k], ups[k], float(xi))
        normals = normals[len(devices) :]
    return found.reshape(weights.shape)
