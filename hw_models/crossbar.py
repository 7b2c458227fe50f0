"""A crossbar: one weight matrix on devices, read in both directions through converters.

Signal path of a product, forward with x (rows, in) and transposed with s (rows, out), w_scale the weight held at g_max:

    DAC of every signal -> currents of every tile, sums over its lines -> read noise -> ADC of every tile and output
    -> digital sum over tiles and slices, times w_scale (and the drift compensation)

Forward drives row tiles of ``crossbar.rows`` inputs; transposed drives column tiles of ``crossbar.columns`` outputs and
senses the rows of the same devices. Currents are in units of a: one device pair at full swing driven with signal 1 is
1. The full scale of an ADC is its range times the DAC's range (1 without one); forward and transposed have converters
of their own. Noise of an ADC adds to the read noise ahead of its quantiser.

Read noise is drawn anew in every read, once per tile output with the variance of the sum over devices (tiles.py), or
with ``exact_noise`` for every device and sample. The reference column of the offset mapping adds one draw per sample
and tile to all outputs of that tile; transposed, its devices add to the outputs by the square of the tile's sum.

Counted: DAC conversions, one per sample, line and tile line group, that is rows x in forward and rows x out
transposed; ADC conversions, samples x outputs x tiles summed x slices; device reads, samples x devices. Draws belong
to (seed, name, direction), the number of the read, the tile and the sample.

Source: signal path as in aihwkit (Rasch et al., AICAS 2021) and CrossSim; output-referred noise by the variance of a
sum of independent terms.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from hw_models import noise_kernels
from hw_models.chip import Chip
from hw_models.converters import OPEN, Quantiser
from hw_models.errors import ChipError
from hw_models.mapping import Array, Devices, Run, pieces, serial
from hw_models.randomness import key, normals
from hw_models.tiles import Plane, Tiles

ROWS = 2048
"""Most samples of one block of an exact product."""
SAMPLES = 512
"""Most samples of one block of a sensed product; its currents stay in the cache."""
COLUMNS = 4096
"""Most inputs of one block: of a sum in a forward product, of a result in a transposed one."""


class Direction(NamedTuple):
    """Converters and keys of one direction."""

    dac: Quantiser
    adc: Quantiser
    signals: Array
    """Key of the DAC."""
    reads: Array
    """Key of read noise and noise of the ADC."""
    reference: Array
    """Key of the reference column's noise."""
    rounding: Array
    """Key of stochastic rounding in the ADC."""


class Crossbar:
    """Weights on the devices of a chip.

    Parameters
    ----------
    chip : Chip
        Crossbar, device, wires, DAC and ADC act here, and whether weights change in memory.
    shape : tuple of int
        (out, in).
    seed : int
        Seed of all draws.
    name : str
        Name of the array: part of every key, and in messages.
    run : callable, optional
        ``run(task, parts)`` calls ``task(first, last)`` for every part and returns the results in order.
    dtype : str
        float32 or float64, of signals and matrices; conductances are float32.

    Attributes
    ----------
    reads, programmings : int
        Products and programmings so far.
    counters : dict of str to int
        ``dac``, ``adc`` and ``reads`` of devices.
    scale : float or None
        w_scale; None before the first programming.
    """

    def __init__(
        self, chip: Chip, shape: tuple[int, int], seed: int, name: str, run: Run = serial, dtype: str = "float32"
    ) -> None:
        self.chip, self.shape, self.name, self.run, self.dtype = chip, shape, name, run, np.dtype(dtype)
        self.devices = Devices(chip, shape, seed, name, dtype)
        self.tiles = Tiles(self.devices)
        self.in_memory = chip.update.scheme != "digital"
        noisy, fixed = chip.device.read_noise > 0, chip.crossbar.weight_range is not None
        physical = self.devices.writes or self.devices.bends or noisy or fixed
        self.ideal = not (physical or chip.dac.acts or chip.adc.acts or self.in_memory)
        self.reads = self.programmings = 0
        self.counters = {"dac": 0, "adc": 0, "reads": 0}
        self.scale: float | None = None
        self.compensation = 1.0
        self._held, self._fresh, self._age = np.zeros(shape, dtype=self.dtype), False, 0
        self._planes: list[Plane] = []
        self._row_edges = np.array([0] + [b for _, b in self.devices.row_tiles])
        self._column_edges = np.array([0] + [b for _, b in self.devices.column_tiles])
        self._forward, self._transposed = (self._direction(seed, which) for which in ("forward", "transposed"))

    def _direction(self, seed: int, which: str) -> Direction:
        chip, keys = self.chip, [key(seed, self.name, which, what) for what in ("dac", "read", "reference", "adc")]
        dac = Quantiser(chip.dac, f"{self.name} {which} dac")
        return Direction(dac, Quantiser(chip.adc, f"{self.name} {which} adc", dac.range or 1.0), *keys)
