# Tested by tests/hw_models/arrays/test_crossbar.py.
"""The matrices that reads of a crossbar are made of; covered by tests/hw_models/arrays/test_crossbar.py."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from hw_models.arrays import line_noise
from hw_models.arrays.bent_tiles import BentPair
from hw_models.kernels.arithmetic import Values
from hw_models.laws.curves import Array
from hw_models.laws.read_noise import ReadNoise


class Side(NamedTuple):
    """Devices of one side of a slice, for draws device by device: (lines, in), reference lines last."""

    g: Array
    """Conductance now [uS]."""
    mean: Array
    """Mean of a read [uS]; the very g where the law does not shift it."""
    sigma: Array
    """Standard deviation of a read [uS]."""
    sign: float

    def put(self, numbers: Array, g: Array, sigma: Array, law: ReadNoise) -> None:
        """Fill some lines."""
        self.g[numbers], self.sigma[numbers] = g, sigma
        if self.mean is not self.g:
            self.mean[numbers] = law.moments(g, sigma)[0]


class Plane(NamedTuple):
    """One slice as matrices in units of a: products are ``x @ mean.T`` and ``s @ mean``."""

    mean: Array
    """(out, in), the mean of a read."""
    variance: Array | None
    """(out, in) of a read, both sides together; None without read noise, where :attr:`uniform` says it, with wires."""
    reference: Array | None
    """(column tiles, in) variance of the mean of the reference lines; None as variance and without such lines."""
    middle: Array | None
    """(column tiles, in) mean read of the reference lines; None without such lines."""
    zero: float
    """What is subtracted digitally: the conductance of weight 0 over the drift compensation; else 0."""
    uniform: float
    """Variance of a read of one device where all have the same."""
    factor: float
    """Digital weight of the slice."""
    sides: list[Side]
    """Filled for exact noise without wires."""
    noise: dict[tuple[str, int, int, int], line_noise.Fast | line_noise.Exact]
    """With wires, by direction, row tile, column tile and side."""
    bent: dict[tuple[int, int, int], BentPair]
    """With wires and devices that are no resistors, by row tile, column tile and side; :attr:`mean` is then that of
    resistors, and what is read is found by Newton's method."""

    def brought(self, bring: Callable[[Array], Values]) -> Plane:
        """Return the plane with its matrices where products are computed; what is drawn by device stays."""
        return self._replace(
            mean=bring(self.mean),
            variance=None if self.variance is None else bring(self.variance),
            reference=None if self.reference is None else bring(self.reference),
            middle=None if self.middle is None else bring(self.middle),
        )
