# Tested by tests/hw_models/arrays/test_cycle_noise.py.
"""How far one pulse strays from its mean step, in two forms that the loops over devices are compiled with.

A step of s f(w) strays by sigma xi, xi of mean 0 and variance 1:

    plain   sigma = noise |s f(w)|
    wide    sigma = noise m(w) |s f(w)| + base s + state |w|       (0 of a device whose step s is 0)

``noise`` is a number in the plain form, (noise, base, state) in the wide one; m is the multiple that a response gives
for a weight, 1 of most. Names: ``step`` |s f(w)| of a device, ``s`` its step at weight 0. Nothing here has fast-math
flags, as in :mod:`hw_models.kernels.pulses`.

Source: the wide form has the noise of PCM devices of aihwkit 1.2, dw_min_std (|dw| + add + slope |w|), and its
additive noise of soft bounds, both after fits to measured devices.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from hw_models.kernels.compiling import kernel
from hw_models.kernels.scalar import ONE, TINY, ZERO

Form = Callable[..., object]
GRAIN = np.float32(0.05)
"""Root mean square of what one pulse forgets, |d(step)/dw|, from which a device plays its pulses: 20 steps or fewer."""
LEAST = np.float32(1e-3)
"""Of the noise: what a step counts as at least where noise is large beside it."""


@kernel(error_model="numpy", forceinline=True)
def sigma(step, s, w, noise, m):
    """Return the standard deviation of one pulse, wide form."""
    found = noise[0] * m * step + noise[1] * s + noise[2] * abs(w)
    return found if s > ZERO else ZERO * found


@kernel(error_model="numpy", forceinline=True)
def size_plain(step, s, w, noise, m):
    """Return the size of a step and its noise as a share of it."""
    return step, noise


@kernel(error_model="numpy", forceinline=True)
def size_wide(step, s, w, noise, m):
    """The same; where noise is large beside a step it counts as a thousandth of it."""
    strays = sigma(step, s, w, noise, m)
    least = LEAST * strays
    step = least if step < least else step
    return step, strays / (TINY if step < TINY else step)


@kernel(error_model="numpy", forceinline=True)
def square_plain(step, s, w, noise, m):
    """Return the variance of one pulse over the square of its step."""
    return noise * noise


@kernel(error_model="numpy", forceinline=True)
def square_wide(step, s, w, noise, m):
    """Return the variance of one pulse."""
    strays = sigma(step, s, w, noise, m)
    return strays * strays


@kernel(error_model="numpy", forceinline=True)
def bent_plain(bend, s, noise, m):
    """Return the variance that a spread of weights adds, over the square of ``bend``, |d step/dw|."""
    return noise * noise


@kernel(error_model="numpy", forceinline=True)
def bent_wide(bend, s, noise, m):
    """The variance itself."""
    strays = noise[0] * m * abs(bend) + (noise[2] if s > ZERO else ZERO * noise[2])
    return strays * strays


@kernel(error_model="numpy", forceinline=True)
def gathered_plain(up, down, n_up, n_down, square_up, square_down):
    """Variance that pulses of mean steps ``up`` and ``down`` gather; squares as :func:`square_plain` gives them."""
    return up * up * (square_up * n_up) + down * down * (square_down * n_down)


@kernel(error_model="numpy", forceinline=True)
def gathered_wide(up, down, n_up, n_down, square_up, square_down):
    """The same; squares as :func:`square_wide` gives them."""
    return square_up * n_up + square_down * n_down


@kernel(error_model="numpy", forceinline=True)
def grain_plain(up, down, noise, m):
    """Whether one pulse forgets so much that a flow describes it badly; up, down: |d(step)/dw|."""
    most = max(abs(up), abs(down))
    return most * most * (ONE + noise * noise) > GRAIN * GRAIN


@kernel(error_model="numpy", forceinline=True)
def grain_wide(up, down, noise, m):
    """The same; noise by the weight is forgotten with it."""
    most = max(abs(up), abs(down))
    return most * most * (ONE + noise[0] * noise[0] * m * m) + noise[2] * noise[2] > GRAIN * GRAIN


class NoiseForm(NamedTuple):
    """The functions of one form, by the names under which loops call them."""

    size: Form
    square: Form
    bent: Form
    gathered: Form
    grain: Form


PLAIN = NoiseForm(size_plain, square_plain, bent_plain, gathered_plain, grain_plain)
WIDE = NoiseForm(size_wide, square_wide, bent_wide, gathered_wide, grain_wide)
