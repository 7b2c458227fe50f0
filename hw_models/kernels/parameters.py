# Tested by tests/hw_models/arrays/test_pulses.py.
"""What the devices of one row of a tile are like, as loops over them take it.

Every member of ``devices``, :class:`hw_models.kernels.pulses.DeviceSteps`, is (out, in), or (1, in) where all rows are
alike.
"""

from __future__ import annotations

from hw_models.kernels.compiling import kernel


@kernel
def differ(devices):
    """Return whether rows differ in any member."""
    up, down, high, low, one, other = devices
    return max(up.shape[0], down.shape[0], high.shape[0], low.shape[0], one.shape[0], other.shape[0]) > 1


@kernel
def parameters(devices, row, begin, end):
    """Return the members of one row, columns [begin, end)."""
    up, down, high, low, one, other = devices
    return (
        up[row if up.shape[0] > 1 else 0, begin:end], down[row if down.shape[0] > 1 else 0, begin:end],
        high[row if high.shape[0] > 1 else 0, begin:end], low[row if low.shape[0] > 1 else 0, begin:end],
        one[row if one.shape[0] > 1 else 0, begin:end], other[row if other.shape[0] > 1 else 0, begin:end],
    )  # fmt: skip
