"""DeviceCells of small crossbars."""

from __future__ import annotations

import numpy as np

from hw_models.arrays.cells import DeviceCells, Made
from hw_models.arrays.crossbar import Crossbar
from hw_models.chip import Chip
from hw_models.kernels.blocks import serial
from hw_models.tally import Tally

PAIR = {"w_min": 0.0, "response": "power", "gamma_up": 1.0, "gamma_down": 1.0, "dw_min": 0.01}
SOFT = {"w_min": 0.0, "response": "soft_bounds", "dw_min": 0.02}
SIZE = (4, 6)


def chip(kind="single", pulse=None, cell=None, device=None, **crossbar):
    """Return a chip that learns by pulses on such cells."""
    tables = {"pulse": pulse or {}, "cell": {"kind": kind, **(cell or {})}, **(device or {})}
    layout = {"weight_range": 1.0, **crossbar}
    return Chip.parse({"device": tables, "crossbar": layout, "update": {"scheme": "pulsed"}})


def referred(pulse=None, cell=None, device=None):
    """Return a chip whose weights have reference devices."""
    return chip("single", pulse, cell, device, mapping="offset", reference="device")


def made(given, weight=None, shape=SIZE, seed=0, dtype="float32", run=serial):
    """Return the cells of a crossbar of a chip, programmed; and their crossbar."""
    bar = Crossbar(given, shape, seed, "a", run, dtype)
    bar.program(np.zeros(shape, dtype) if weight is None else np.asarray(weight, dtype))
    cells = DeviceCells(bar, Made(given.device, seed, run, Tally()))
    bar.refresh()
    return cells, bar


def batch(shape=SIZE, rows=5, seed=2, low=-1.0, dtype="float32"):
    """Return a term of random signals."""
    rng = np.random.default_rng(seed)
    return [(1.0, *(rng.uniform(low, 1, (rows, size)).astype(dtype) for size in shape))]
