# Tested by tests/hw_models/chip/test_description.py.
"""Chips by name or by file: presets, registered chips, and TOML.

    chip = hw_models.load("pcm")                 # a preset, an alias, or what a lab registered
    chip = hw_models.load("mychip.toml")         # fields of hw_models.chip.Chip; ``preset = "pcm"`` starts from another
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from hw_models.chip import Chip, layers
from hw_models.chip.device import refitted
from hw_models.errors import ChipError
from hw_models.reading import Entries, Page, read_toml
from hw_models.whole_files import write_text

FACTS = ("timing.pulse", "timing.row")
"""Durations that the file of a chip may state whatever its scheme of learning: the other scheme's is kept."""


def chip_of(chip: Chip | str | Path) -> Chip:
    """Return a chip, or the one of that name or file.

    Raises
    ------
    ChipError
        If there is none, or it is neither a chip nor a name.
    """
    if isinstance(chip, Chip):
        return chip
    if not isinstance(chip, str | Path):
        raise ChipError(f"chip is a {type(chip).__name__}: give a Chip, the name of one, or a TOML file")
    return load(chip)


def is_file_name(name: str) -> bool:
    """Tell a file from the name of a preset."""
    return "/" in name or os.sep in name or name.endswith(".toml")


def load(name: str | Path, _open: tuple[Path, ...] = ()) -> Chip:
    """Return the chip of that name or file.

    Parameters
    ----------
    name : str or Path
        Preset, alias, registered name, ``ideal``, or the path of a TOML file.

    Raises
    ------
    ChipError
        If it is no name, there is no such preset or file, or the file holds no chip that can be.
    """
    if not isinstance(name, str | Path):
        raise ChipError(f"chip is a {type(name).__name__}: give the name of one, or a TOML file")
    if not isinstance(name, Path) and not is_file_name(name):
        from hw_models import presets

        if os.path.isdir(name) and name not in {"ideal", *presets.ALIASES, *presets.names()}:
            raise ChipError(f"chip '{name}' is a folder: give the name of a chip ('neuroep chips'), or a TOML file")
        return Chip.ideal() if name == "ideal" else presets.load(name)
    path = Path(name)
    try:
        values = read_toml(path)
    except OSError as error:
        raise ChipError(f"cannot read chip '{path}': {error.strerror or error}") from None
    except ValueError as error:
        raise ChipError(f"{path}: not valid TOML: {error}") from None
    real = Path(os.path.realpath(path))
    if real in _open:
        raise ChipError(f"{path}: a chip cannot start from itself")
    base = values.get("preset")
    if isinstance(base, str):
        other = path.parent / base if is_file_name(base) else base
        values = laid_over(load(other, (*_open, real)).to_dict(), values)
    return Chip.parse({"name": path.stem, **values}, str(path), FACTS)


def laid_over(base: Entries, table: Entries) -> Page:
    """Return a chip's values with those of another layer over them; None unsets one, ``preset`` is left out.

    What the table switches off stays with its companions, which are listed as kept: see :mod:`hw_models.chip.layers`.
    A device of another ``g_max`` is refitted, :func:`hw_models.chip.device.refitted`.
    """
    held, given = base.get("device"), table.get("device")
    fitted = dict(table)
    if isinstance(held, Mapping) and isinstance(given, Mapping):
        fitted["device"] = refitted(held, given)
    values = _over(base, fitted)
    if kept := layers.companions(Chip, base, table, values):
        return {**values, layers.KEPT: kept}
    return {name: value for name, value in values.items() if name != layers.KEPT or name in table}


def _over(base: Entries, table: Entries) -> Page:
    """Return nested values with those of another table laid over them."""
    result = dict(base)
    for name, value in table.items():
        if name == "preset":
            continue
        if value is None:
            result.pop(name, None)
        elif isinstance(value, Mapping):
            held = result.get(name)
            result[name] = _over(held if isinstance(held, Mapping) else {}, value)
        else:
            result[name] = value
    return result


def save(chip: Chip, path: str | Path) -> None:
    """Write a chip as TOML, whole or not at all.

    Raises
    ------
    ChipError
        If the disk refuses.
    """
    try:
        write_text(path, chip.to_toml())
    except OSError as error:
        raise ChipError(f"cannot write chip '{path}': {error.strerror or error}") from None
