# Tested by tests/hw_models/arrays/test_paths.py.
"""The two paths of a crossbar: forward products, and transposed ones that may have devices of their own.

    forward      y = W x
    transposed   z = (1 + g) (V^T s),      V = W in the same devices, or in an array of its own

Own devices are programmed with the same weights at the same times, with draws of their own: mismatch, range,
programming noise, stuck devices, drift and read noise are those of another array, wires are as long. Both are built of
the chip's device, but for ``transposed.mismatch``. What else differs between the paths, say two arrays that were not
written together, is a matrix that is added to the weights of the second before they are programmed,

    V = W + weight_error rms(W_0) N,      N standard normal, drawn once, W_0 the weights first programmed

Gain, its spread, and offset of the sensed lines belong to the transposed read (:mod:`hw_models.arrays.sensing`). The
gain that all lines have in common is the array's, where it has devices of its own, whichever way it is read.

Either array can be read both ways: ``path="other"`` exchanges them, so that increments of a nudged phase travel forward
through V and back through W, the transpose of how the free phase settled. That is the step s' = F(s) - beta dC - 2 A (s
- s0), A the antisymmetric part of the Jacobian at the free state s0 (Scurria et al., arXiv 2602.03670), without A.
Converters belong to the direction: the DAC that drives inputs, the ADC that senses outputs, have one range for both
arrays, each of which has ADCs of its own with errors of their own. """

from __future__ import annotations

import numpy as np

from hw_models.arrays.parts import CrossbarParts
from hw_models.chip.transposed import Transposed
from hw_models.errors import ChipError
from hw_models.kernels.random import key, normals

Array = np.ndarray
PATHS = ("own", "other")
"""Through which array a product goes: that of its direction, or that of the other one."""


def checked_path(name: str, path: str) -> bool:
    """Return whether a product goes through the other path's array; refuse what is no path."""
    if path not in PATHS:
        raise ChipError(f"{name}: path = {path!r}: allowed are {', '.join(map(repr, PATHS))}")
    return path == "other"


def forward_parts(parts: CrossbarParts) -> CrossbarParts:
    """Return the parts of the forward array, where the transposed path has one of its own."""
    return parts._replace(transposed=Transposed())


def transposed_parts(parts: CrossbarParts) -> CrossbarParts:
    """Return the parts of the transposed path's own array."""
    path = parts.transposed
    changes = {} if path.mismatch is None else {"mismatch": path.mismatch}
    device = parts.device.model_copy(update=changes)
    same = path.model_copy(update={"devices": "same", "mismatch": None, "weight_error": 0.0})
    return parts._replace(device=device, transposed=same)


class WeightError:
    """What is added to the weights of the second array.

    Parameters
    ----------
    size : float
        Standard deviation over the root mean square of the weights first programmed.
    shape : tuple of int
        (out, in).
    place : (int, str)
        Seed and array.

    Attributes
    ----------
    rms : float
        Of the weights first programmed; NaN before.
    """

    def __init__(self, size: float, shape: tuple[int, int], place: tuple[int, str]) -> None:
        self.size, self.shape, self.place = size, shape, place
        self.rms = float("nan")

    def added(self, weight: Array) -> Array:
        """Return weights with the error, by the very ones if they are the first."""
        if not self.size:
            return weight
        if np.isnan(self.rms):
            self.rms = float(np.sqrt(np.square(weight, dtype=np.float64).mean())) if weight.size else 0.0
        z = normals(key(*self.place, "weight error"), 0, 0, self.shape)
        return weight + (z * np.float32(self.size * self.rms)).astype(weight.dtype, copy=False)
