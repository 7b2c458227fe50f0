# Tested by tests/neuroep/engines/test_repeats.py.
"""Products of signals of which many rows are the same, as the words of a text are: one product for each kind of row.

Only what comes ahead of the first draw is shared, currents and their variances; noise and conversion are of every row
as ever, with the same draws. A product of fewer rows rounds differently, by some 1e-7 of a current, as BLAS adds up
rows in an order that goes by their place.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hw_models.arrays import variances
from hw_models.kernels.blocks import blocks
from hw_models.tally import Repeated

if TYPE_CHECKING:
    from hw_models.arrays.reading import Product

Array = np.ndarray
Tables = dict[tuple[int, int], tuple[Array, Array]]
"""By slice and tile, currents and their variances (kinds, outputs), empty where devices have none of their own."""
MOST = 0.7
"""Kinds over rows up to which it pays."""


def shared(product: Product, repeated: Repeated | None) -> Repeated | None:
    """Return which rows are the same in front of the devices and are to be multiplied once; None where none are.

    A DAC that draws, a supply that differs by row, bent tiles and digits keep rows apart.
    """
    if repeated is None or len(repeated.kind) != product.rows or len(repeated.first) > MOST * product.rows:
        return None
    plan, dac = product.plan, product.stored.converters.dac
    draws = plan.drives and (dac.stochastic or plan.noisy_codes)
    apart = draws or plan.digits > 1 or isinstance(product.supply, np.ndarray) or product.stored.tiles.bent
    return None if apart or not product.math.in_memory else repeated


def spread(table: Array, kind: Array, out: Array) -> None:
    """Write the rows of a table (kinds, outputs) that some rows are of; out (rows, outputs)."""
    np.take(table, kind, axis=0, out=out, mode="clip")


def tables(product: Product, repeated: Repeated) -> Tables:
    """Return the products of one row of each kind, of a forward read."""
    plan, math, ends = product.plan, product.math, product.ends
    driven = product.driven[repeated.first]
    square = driven * driven if plan.varied else driven
    found: Tables = {}
    none = math.empty((0, 0), driven)

    def multiplied(signals: Array, matrix: Array) -> Array:
        out = math.empty((len(signals), len(matrix)), signals)
        product.run(lambda a, b: math.product(signals[a:b], matrix.T, out[a:b]), blocks(len(signals), plan.most))
        return out

    for k, plane in enumerate(product.planes):
        for tile in range(product.tiles):
            lines = slice(ends[tile], ends[tile + 1])
            variance = none
            if plane.variance is not None and product.rounds:
                devices = plan.variances.short(plane.variance)[:, lines].T
                variance = math.empty((len(driven), len(plane.variance)), driven)
                variances.product(driven, lines, devices, variance)
            elif plane.variance is not None:
                variance = multiplied(square[:, lines], plane.variance[:, lines])
            found[k, tile] = multiplied(driven[:, lines], plane.mean[:, lines]), variance
    return found
