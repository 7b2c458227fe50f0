# Tested by tests/hw_models/chip/test_description.py.
"""Chips by name or by file: presets, registered chips, and TOML.

    chip = hw_models.load("pcm")                 # a preset, an alias, or what a lab registered
    chip = hw_models.load("mychip.toml")         # fields of hw_models.chip.Chip; ``preset = "pcm"`` starts from another
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hw_models.chip import Chip, layers
from hw_models.chip.description import CIRCUITS
from hw_models.chip.device import refitted
from hw_models.errors import ChipError, nearest_path
from hw_models.reading import Entries, Page, read_toml
from hw_models.text import shown
from hw_models.whole_files import write_text

FACTS = ("timing.pulse", "timing.row", *CIRCUITS)
"""What the file of a chip may state where it does not act: durations of the other scheme of learning, read voltage."""


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
    return "/" in name or os.sep in name or name.lower().endswith(".toml")


@dataclass(frozen=True)
class Laid:
    """A chip as its name or file says it, not yet checked: what is laid over it may be what makes it fit."""

    values: Page
    """Nested plain values, those of the presets that its file starts from among them."""
    files: Mapping[str, str]
    """The file in which a field stands, by its dotted name; none of a preset."""


def load(name: str | Path) -> Chip:
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
        return _preset(name)
    found = laid(name)
    return Chip.parse(found.values, str(name), found.files)


def laid(name: str | Path, _open: tuple[Path, ...] = ()) -> Laid:
    """Return the values of a chip of that name or file, for another layer to be laid over them.

    A file is read, not checked: a table that acts only with what a command line sets is no fault of it.

    Raises
    ------
    ChipError
        If it is no name, or there is no such preset or file.
    """
    if not isinstance(name, Path) and not is_file_name(name):
        return Laid(_preset(name).to_dict(), {})
    path = Path(name)
    try:
        values = read_toml(path)
    except OSError as error:
        near = nearest_path(path, ".toml") if isinstance(error, FileNotFoundError) else ""
        raise ChipError(f"cannot read chip '{path}': {error.strerror or error}{near}") from None
    except ValueError as error:
        raise ChipError(f"{path}: not valid TOML: {error}") from None
    real, places = Path(os.path.realpath(path)), {}
    if real in _open:
        raise ChipError(f"{path}: a chip cannot start from itself")
    base, own = values.get("preset"), values
    if base is not None and not isinstance(base, str):
        raise ChipError(f"{path}: preset = {shown(base)}: should be the name of a chip or a file")
    if (kept := own.get(layers.KEPT)) and not layers.kept_of(own):
        raise ChipError(f"{path}: {layers.KEPT} = {shown(kept)}: should be a list of names")
    if isinstance(base, str):
        below = _below(path, base, (*_open, real))
        values, places = laid_over(below.values, values), dict(below.files)
    values = {"name": path.stem, **values}
    if facts := layers.idle(Chip, values).keys() & set(FACTS):
        values[layers.KEPT] = sorted(layers.kept_of(values) | facts)
    return Laid(values, places | dict.fromkeys(layers.names(own), str(path)))


def _below(path: Path, base: str, opened: tuple[Path, ...]) -> Laid:
    """Return what a file starts from; a name that there is not stands in that file."""
    if is_file_name(base):
        return laid(path.parent / base, opened)
    try:
        return laid(base)
    except ChipError as error:
        raise ChipError(f"{path}: preset: {error}") from None


def _preset(name: str) -> Chip:
    from hw_models import presets

    if name == "ideal":
        return Chip.ideal()
    try:
        return presets.load(name)
    except ChipError as error:
        if name in {*presets.ALIASES, *presets.names()}:
            raise
        if os.path.isdir(name):
            cure = "give the name of a chip ('neuroep chips'), or a TOML file"
            raise ChipError(f"chip '{name}' is a folder: {cure}") from None
        if os.path.isfile(name):
            raise ChipError(f"chip '{name}' is a file: write './{name}', or name it .toml") from None
        if "." in name or os.path.isfile(f"{name}.toml"):
            near = nearest_path(Path(name), ".toml") or "; 'neuroep chips' lists the names"
            raise ChipError(f"unknown chip '{name}': files of chips are named .toml{near}") from None
        raise error


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
        If it is no chip, :func:`load` would take the path for the name of a preset, or the disk refuses.
    """
    if not isinstance(chip, Chip):
        raise ChipError(f"chip is {shown(chip)}: a hw_models.Chip is needed, hw_models.load reads one")
    if not isinstance(path, str | Path):
        raise ChipError(f"path is {shown(path)}: the name of a file is needed")
    if not isinstance(path, Path) and not is_file_name(path):
        read = "hw_models.load would take it for the name of a chip"
        raise ChipError(f"path is {shown(path)}: {read}; write './{path}', or name it .toml")
    try:
        write_text(path, chip.to_toml())
    except OSError as error:
        raise ChipError(f"cannot write chip '{path}': {error.strerror or error}") from None
