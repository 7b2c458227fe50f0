# Tested by tests/hw_models/arrays/test_columns.py.
"""Single columns of a crossbar as its converters read them: one line driven, all outputs sensed.

A line is driven at the full scale of the DAC, where that has one, and else with 1.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from hw_models.arrays.bursts import run_of
from hw_models.arrays.converter_bank import Converters
from hw_models.arrays.crossbar import Crossbar
from hw_models.kernels.blocks import blocks

LINES = 64
"""Most columns of one product."""


def read_columns(crossbar: Crossbar, columns: np.ndarray, bank: Converters | None = None) -> np.ndarray:
    """Return columns as they are read, (out, columns), in shares of the weight range; each is one sample read forward.

    ``bank`` are converters set for single columns, in place of those of products. Where nothing is drawn, converted or
    bent the product with such a vector is the column itself.
    """
    if bank is not None:
        with _converters(crossbar, bank):
            return read_columns(crossbar, columns)
    full, dac = crossbar.dtype.type(crossbar.weight_range), crossbar.converters.of("forward")[0]
    if crossbar.exact:
        crossbar.count_reads("forward", len(columns))
        for first, last in blocks(len(columns), LINES):
            crossbar.meter_lines(columns[first:last], crossbar.layout.repeats)
        found = crossbar.weights_of(run_of(columns))
        return found if full == 1 else np.divide(found, full, out=found)
    found = np.empty((crossbar.shape[0], len(columns)), dtype=crossbar.dtype)
    high = crossbar.dtype.type(dac.range or 1) if dac.acts else crossbar.dtype.type(1)
    for first, last in blocks(len(columns), LINES):
        driven, own = np.zeros((last - first, crossbar.shape[1]), dtype=crossbar.dtype), columns[first:last]
        driven[np.arange(last - first), own] = high
        found[:, first:last] = crossbar.forward(driven, single=own).T
    return found if full * high == 1 else np.divide(found, full * high, out=found)


@contextmanager
def _converters(crossbar: Crossbar, bank: Converters) -> Iterator[None]:
    """Let a crossbar be read through these converters inside."""
    before, crossbar.converters = crossbar.converters, bank
    try:
        yield
    finally:
        crossbar.converters = before
