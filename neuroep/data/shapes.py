"""Settings that make tokens of numbers: each alone is checked here, for configuration files and for Python alike."""

from __future__ import annotations

from neuroep.data.border import optional
from neuroep.data.signals import Shape
from neuroep.errors import DataError, unknown

STANDARDISE = ("channels", "whole", "off")
POSITIONS = ("added", "appended")
DEFAULT = Shape()
DIM = 8
"""Numbers of an appended positional code where nothing is said."""


def faults_of(
    standardise: str | None, window: int | None, stride: int | None, position: str | None, position_dim: int | None
) -> str:
    """Return what is wrong with the settings taken together, "" if nothing is."""
    if standardise is not None and not (isinstance(standardise, str) and standardise in STANDARDISE):
        return unknown("standardise", standardise, STANDARDISE)
    if position is not None and position not in POSITIONS:
        return unknown("position", position, POSITIONS)
    for name, value in (("window", window), ("stride", stride), ("position_dim", position_dim)):
        if value is not None and (type(value) is not int or value < 1):
            return f"{name} = {value!r}: should be a whole number from 1"
    if stride is not None and window is None:
        return f"stride = {stride}: it acts only with a window"
    if stride is not None and window is not None and stride > window:
        return f"stride = {stride}: points between windows of {window} would be lost; allowed are 1 to {window}"
    if position_dim is not None and position != "appended":
        return f"position_dim = {position_dim}: it acts only with position = 'appended'"
    if position_dim is not None and position_dim % 2:
        return f"position_dim = {position_dim}: sines and cosines come in pairs: an even number is needed"
    return ""


def shape_of(
    channels: int,
    standardise: str | None = None,
    window: int | None = None,
    stride: int | None = None,
    position: str | None = None,
    position_dim: int | None = None,
    default: Shape = DEFAULT,
) -> Shape:
    """Return what tokens are, of settings that may be unset.

    Parameters
    ----------
    channels : int
        Numbers of a point.
    standardise, window, stride, position, position_dim
        Settings of section ``data``.
    default : Shape
        What an unset ``standardise`` means for a data set.

    Raises
    ------
    DataError
        If a setting cannot be, or acts only beside another.
    """
    window, stride = optional("window", window), optional("stride", stride)
    position_dim = optional("position_dim", position_dim)
    if fault := faults_of(standardise, window, stride, position, position_dim):
        raise DataError(fault)
    width = window or 1
    if position == "added" and channels * width == 1:
        raise DataError("position = 'added': a token is one number, which has no room for a code: append it")
    code = (position_dim or DIM) if position == "appended" else 0
    return Shape(standardise or default.standardise, width, stride or width, position or "off", code)
