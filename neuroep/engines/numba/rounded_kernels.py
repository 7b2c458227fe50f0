# Tested by tests/neuroep/engines/numba/test_rounded_attention.py.
"""Kernels of attention in bfloat16: numbers come and go as their 16 bits, and are float32 in between.

bfloat16 is the upper half of a float32; a number is rounded to the nearest, ties to even, and a NaN stays one.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np

from hw_models.kernels.compiling import VECTOR, bound, kernel, unbound
from hw_models.kernels.largest import largest
from neuroep.engines.numba import difference_kernels, folded_kernels

PART = 1024
"""Numbers that are written at a time."""
shares = tilts = rounded_tilts = unbound
"""Of single precision; filled in."""


@kernel
def read(short, out):
    """Write the float32 of bits, (n,) both."""
    bits = out.view(np.uint32)
    for j in range(out.shape[0]):
        bits[j] = np.uint32(short[j]) << np.uint32(16)


@kernel
def write(row, short):
    """Write the bits of float32, rounded, (n,) both."""
    bits = row.view(np.uint32)
    for j in range(row.shape[0]):
        x = bits[j]
        up = (x + np.uint32(0x7FFF) + ((x >> np.uint32(16)) & np.uint32(1))) >> np.uint32(16)
        nan = (x & np.uint32(0x7FFFFFFF)) > np.uint32(0x7F800000)
        short[j] = np.uint16((x >> np.uint32(16)) | np.uint32(0x40)) if nan else np.uint16(up)


def widened(short: np.ndarray) -> np.ndarray:
    """Return the float32 of bits, of any shape that lies in one piece."""
    found = np.empty(short.shape, dtype=np.float32)
    read(short.reshape(-1), found.reshape(-1))
    return found


def _share(short, logits, n, k, whole, kappa, fed, weights):
    """As :func:`neuroep.engines.numba.folded_kernels._share`, of bits (n or more, k or more); p are bits too."""
    rows = np.empty((n, short.shape[1]), dtype=np.float32)
    shared = np.empty((n, weights.shape[1]), dtype=np.float32)
    read(short[:n].reshape(-1), rows.reshape(-1))
    shares(rows, logits, n, k, whole, kappa, fed, shared)
    write(rows.reshape(-1), short[:n].reshape(-1))
    write(shared.reshape(-1), weights[:n].reshape(-1))


def _tilted(short, n, k, free, place, width, kappa, whole):
    """As :func:`neuroep.engines.numba.difference_kernels._tilted`, of bits (r, n or more, k or more).

    There are ``whole`` real patterns.
    """
    rows = np.empty((1, n, short.shape[2]), dtype=np.float32)
    for r in range(short.shape[0]):
        read(short[r, :n].reshape(-1), rows.reshape(-1))
        tilts(rows, n, k, free, place, width, kappa, k < whole)
        write(rows.reshape(-1), short[r, :n].reshape(-1))


def _tilted_short(short, n, k, free, place, width, kappa, whole):
    """As :func:`_tilted` where p of the free state are bits too; of each query they are scaled to add up to 1 again."""
    shared = np.empty((n, width), dtype=np.float32)
    read(free[place : place + n * width], shared.reshape(-1))
    for t in range(n):
        row, total = shared[t], np.float32(0)
        for j in range(k):
            total += row[j]
        if k < whole:
            total += np.float32(whole - k) * row[k]
        scale = np.float32(1) / total if total > 0 else np.float32(1)
        for j in range(width):
            row[j] *= scale
    rounded_tilts(short, n, k, shared.reshape(-1), 0, width, kappa, whole)


@kernel
def note(new, first, value, left, width, changes):
    """Write what each nudge moves one sample to, (r, width or more), to columns from ``left`` on of its row of value.

    ``first`` is the sample of all that there are, ``changes`` (r, b, 2). All is written, a NaN too.
    """
    steps = np.empty(PART, dtype=np.float32)
    for r in range(new.shape[0]):
        there = changes[r, first]
        for start in range(0, width, PART):
            short = new[r, start : min(start + PART, width)]
            moved, step = value[r * changes.shape[1] + first, left + start :][: len(short)], steps[: len(short)]
            step[:] = moved
            read(short, moved)
            for i in range(len(short)):
                step[i] = moved[i] - step[i]
            change, size = largest(step), largest(moved)
            there[0] = change if change > there[0] or change != change else there[0]
            there[1] = size if size > there[1] else there[1]


@cache
def share() -> Callable[..., None]:
    """Return :func:`_share`, compiled at its first call."""
    own = bound(_share, "", shares=folded_kernels.of("float32").share)
    return kernel(own, fastmath=VECTOR, error_model="numpy")


@cache
def tilted(short: bool) -> Callable[..., None]:
    """Return :func:`_tilted`, or :func:`_tilted_short`, compiled at its first call."""
    how: dict[str, Callable[..., None]] = {"tilts": difference_kernels.of("float32").tilted}
    own = bound(_tilted, "", **how)
    if short:
        own = bound(_tilted_short, "", rounded_tilts=kernel(bound(_tilted, "called", **how), error_model="numpy"))
    return kernel(own, fastmath=VECTOR, error_model="numpy")
