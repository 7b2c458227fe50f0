# Tested by tests/neuroep/data/test_arrays.py.
"""Values as Python hands them over: whole numbers and shares of whatever type, others refused in one line."""

from __future__ import annotations

import operator
from numbers import Real
from typing import SupportsIndex

import numpy as np

from hw_models.text import shown
from neuroep.errors import DataError

LARGEST = int(np.iinfo(np.int64).max)


def whole_number(name: str, value: object, rule: str = "from 1") -> int:
    """Return a whole number of any integer type as Python's own.

    Parameters
    ----------
    name : str
        Of the setting.
    value : int
        What was given; a NumPy integer is one, 2.0 and True are none.
    rule : str
        Which are allowed, for the error's line.

    Raises
    ------
    DataError
        If it is no integer, or beyond 64 bits.
    """
    try:
        if isinstance(value, bool | np.bool_) or not isinstance(value, SupportsIndex):
            raise TypeError
        number = operator.index(value)
    except TypeError:
        raise DataError(f"{name} = {shown(value)}: should be a whole number {rule}".rstrip()) from None
    if abs(number) > LARGEST:
        raise DataError(f"{name} = {number}: should be a whole number of at most {LARGEST}")
    return number


def optional(name: str, value: object) -> int | None:
    """Return a whole number where there is one; see :func:`whole_number`."""
    return None if value is None else whole_number(name, value)


def share(name: str, value: object, others: str = "") -> float:
    """Return a share of samples as a float.

    Parameters
    ----------
    name : str
        Of the setting.
    value : float
        What was given; whether it lies within [0, 1) is not looked at.
    others : str
        What else is allowed, for the error's line.

    Raises
    ------
    DataError
        If it is no real number.
    """
    if not isinstance(value, Real):
        raise DataError(f"{name} = {shown(value)}: should be a share from 0 to below 1{others}")
    return value if isinstance(value, int | float) else float(value)


def array(where: str, name: str, value: object) -> np.ndarray:
    """Return what was given as an array.

    Parameters
    ----------
    where, name : str
        Of the data and of the array, for the error's line.
    value : array_like
        An array, mapped from a disk or not, or nested lists.

    Raises
    ------
    DataError
        If parts of it are masked, or its lists are of different lengths.
    """
    if isinstance(value, np.ma.MaskedArray):
        cure = "give its numbers, and where samples end as lengths"
        raise DataError(f"{where}: {name} is a masked array, and a mask is not looked at: {cure}")
    try:
        made = np.asarray(value)
    except (TypeError, ValueError) as error:
        ragged = "inhomogeneous" in str(error)
        fault = "lists of different lengths" if ragged else "what cannot be made an array"
        raise DataError(f"{where}: {fault} as {name}{_PAD * (name == 'x')}") from None
    if made.dtype == object and name == "x" and any(isinstance(part, list | tuple | np.ndarray) for part in made.flat):
        raise DataError(f"{where}: x holds arrays of its own, of different lengths{_PAD}")
    return made


_PAD = ": pad the samples to one length and give the points of each as lengths"
