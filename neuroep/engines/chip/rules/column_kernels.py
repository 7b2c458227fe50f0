# Tested by tests/neuroep/engines/chip/test_column_kernels.py.
"""Kernels of what rules do in digital form with columns that they read; equations in :mod:`.transfer`, :mod:`.rider`.

Shapes: what is read is (out, columns), of which those from ``at`` on are looked at, as many as ``rates`` has; what is
kept is (out, in), and theirs begin there at ``begin``. Rows [first, last).
"""

from __future__ import annotations

import numpy as np

from hw_models.kernels.compiling import kernel

MOST = np.int32(2**31 - 1)
"""Most pulses of a device at a time: more of them would never end."""


@kernel
def _whole(value):
    """A number that is whole already as an integer, cut to MOST; what is not finite is none."""
    cut = np.float64(value)
    cut = -2147483647.0 if cut < -2147483647.0 else cut
    cut = 2147483647.0 if cut > 2147483647.0 else cut
    return np.int32(cut if cut == cut else 0.0)


@kernel
def _gather_row(moved, rates, gathered, most, keep, whole):
    """One row of :func:`gather`."""
    some = bad = np.int32(0)
    for j in range(rates.shape[0]):
        own = gathered[j] + moved[j] * rates[j]
        number = np.trunc(own)
        number = -most if number < -most else number
        number = most if number > most else number
        some += np.int32(number != 0)
        bad += np.int32(not abs(number) < np.inf)
        kept = own * keep if number != 0 else own
        gathered[j] = own - number if keep < 0 else kept
        whole[j] = _whole(number)
    return some, bad


@kernel
def gather(first, last, at, begin, moved, rates, gathered, most, keep, whole):
    """Add what was read, times the rate of its column, to H; write the pulses that there are in it, and take them off.

    H keeps a share ``keep`` where there are any, or below 0 what is no whole pulse. ``whole`` (out, columns) int32, at
    most ``most`` either way. Return how many devices get pulses, and how many numbers are not finite.
    """
    some, bad = np.int64(0), np.int64(0)
    for i in range(first, last):
        end = at + rates.shape[0]
        own = gathered[i, begin : begin + rates.shape[0]]
        found = _gather_row(moved[i, at:end], rates, own, most, keep, whole[i, at:end])
        some, bad = some + found[0], bad + found[1]
    return some, bad


@kernel
def round_off(first, last, moved, rates, drawn, most, whole):
    """Write what was read, times the rate of its column, rounded up or down at random: floor(x + u), u uniform.

    moved, drawn, whole (out, columns), rates (columns,). Return how many devices get pulses, and how many numbers are
    not finite.
    """
    some, bad = np.int64(0), np.int64(0)
    for i in range(first, last):
        row, draws, target = moved[i], drawn[i], whole[i]
        for j in range(rates.shape[0]):
            number = np.floor(np.float64(row[j] * rates[j]) + np.float64(draws[j]))
            number = -most if number < -most else number
            number = most if number > most else number
            some += number != 0
            bad += not abs(number) < np.inf
            target[j] = _whole(number)
    return some, bad


@kernel
def follow(first, last, at, begin, read, begins, eta, reference, found):
    """Write p - Q, and let Q follow it by ``eta`` of its column; Q is first what was read where a column ``begins``.

    read, found (out, columns); begins, eta (columns from ``at`` on,); Q (out, in).
    """
    for i in range(first, last):
        row, end = read[i, at : at + eta.shape[0]], at + eta.shape[0]
        own, target = reference[i, begin : begin + eta.shape[0]], found[i, at:end]
        for j in range(eta.shape[0]):
            old = row[j] if begins[j] else own[j]
            apart = row[j] - old
            target[j] = apart
            own[j] = old + eta[j] * apart


@kernel
def beyond(stored, left_out, strays, high, low):
    """Return how many weights are above ``high`` or below ``low``, less ``strays`` of their size; all (out, in).

    Those that are left out count for none.
    """
    found = np.int64(0)
    for i in range(stored.shape[0]):
        row, out, some = stored[i], left_out[i], np.int32(0)
        for j in range(row.shape[0]):
            size = abs(row[j]) - strays
            size = size if size > 0 else size * 0
            grown = size if row[j] > 0 else -size
            some += np.int32(((grown > high) | (grown < low)) & (not out[j]))
        found += some
    return found


@kernel
def not_finite(values):
    """Return how many of them, (out, in), are not finite."""
    found = np.int64(0)
    for i in range(values.shape[0]):
        row, some = values[i], np.int32(0)
        for j in range(row.shape[0]):
            some += np.int32(not abs(row[j]) < np.inf)
        found += some
    return found
