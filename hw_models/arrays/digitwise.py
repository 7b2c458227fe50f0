# Tested by tests/hw_models/arrays/test_serial.py.
"""A product of codes that are sent in digits: one product for each, weighted and added; see serial.py.

Noise that lasts from read to read is one of the devices, the same for all digits of a code. Of the whole code x it is
carried as if that were sent at once; digit x_m finds of it its part by regression, the cosine of x_m to x in the metric
of the variances times its own deviation, so that the weighted sum of the digits has exactly the noise of x. What single
digits have beside, which the sum has not, is left out.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import copy

import numpy as np

from hw_models.arrays import serial
from hw_models.arrays.draw_keys import Keys
from hw_models.arrays.reading import Product
from hw_models.kernels.arithmetic import Values


def read(product: Product, way: str, keys: Callable[[int], Keys]) -> Values:
    """Return a product of a direction.

    Parameters
    ----------
    product : Product
        Of whole codes.
    way : str
        ``forward`` or ``transposed``.
    keys : callable
        Keys of the draws of a digit.
    """
    plan = product.plan
    if plan.digits == 1:
        return product.forward() if way == "forward" else product.transposed()
    codes, settings, math = product.codes, product.stored.converters.dac, product.math
    total, effective = math.zeros((), codes), math.zeros((product.rows,), codes)
    split = list(serial.split(codes, product.full, settings, plan.dac.unsigned))
    undivided = whole(product, way, split) if product.carries else None
    for digit, (weight, signals) in enumerate(split):
        part = of_digit(product, signals, keys(digit))
        part.undivided = undivided
        total = total + (part.forward() if way == "forward" else part.transposed()) * float(weight)
        effective += part.driven.sum(1) * float(weight)
        product.sensed_at_stop += part.sensed_at_stop
    product.effective = effective
    product.subtract(total)
    return total


def whole(product: Product, way: str, split: list[tuple[float, Values]]) -> Product:
    """Return the product of all digits together, with the noise that is carried from read to read.

    Its devices are the same for all digits: what is slower than a sweep is one change of them in all.
    """
    found = copy(product)
    found.driven = np.zeros_like(product.codes)
    if way == "transposed" and product.stored.devices.references:
        found.taken = np.zeros((product.rows, product.tiles), dtype=product.codes.dtype)
    for weight, signals in split:
        found.driven += product.curved(signals) * signals.dtype.type(weight)
        if found.taken is not None:
            found.taken += product.driven_references(signals) * signals.dtype.type(weight)
    found.lasting, found.beside = [], []
    found.carry(way)
    return found


def of_digit(product: Product, signals: Values, keys: Keys) -> Product:
    """Return the product of what one digit drives the lines with, from which no middle is subtracted yet."""
    part = copy(product)
    part.codes, part.driven = signals, product.curved(signals)
    part.keys, part.subtracts, part.lasting, part.beside = keys, False, [], []
    return part
