# Tested by tests/neuroep/runs/test_config.py.
"""Paths in a configuration: those of a file count from its folder, those of an override from the working directory."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from hw_models.chip import files
from hw_models.reading import Entries, Page
from neuroep.errors import ConfigError
from neuroep.runs.sections import CHIP

PICKLED = ".kv"
VECTOR_FILES = (PICKLED, ".bin", ".gz", ".txt", ".vec")


def located(values: Entries, folder: Path) -> Page:
    """Return the values with the paths of section ``data`` and of a chip made absolute, counted from ``folder``."""
    values = {**values, CHIP: _located_chip(values[CHIP], folder)} if CHIP in values else values
    data = values.get("data")
    if not isinstance(data, Mapping):
        return dict(values)
    paths = {name: data[name] for name in ("path", "vectors", "cache") if isinstance(data.get(name), str)}
    if "vectors" in paths and not _is_file_name(paths["vectors"], folder):
        del paths["vectors"]
    placed = {name: _absolute(value, folder, f"data.{name}") for name, value in paths.items()}
    return {**values, "data": {**data, **placed}}


def _located_chip(chip: object, folder: Path) -> object:
    """Make the path of a chip's file absolute; the name of a preset stays."""
    if isinstance(chip, Mapping) and isinstance(chip.get("preset"), str):
        return {**chip, "preset": _located_chip(chip["preset"], folder)}
    if isinstance(chip, str) and files.is_file_name(chip):
        return _absolute(chip, folder, "chip")
    return chip


def _absolute(path: str, folder: Path, field: str) -> str:
    """Return a path counted from ``folder``; one that no system can have stays, for the checks to refuse."""
    if "\0" in path:
        return path
    try:
        # Path.resolve would raise for a link to itself; opening it says so in its own words.
        return os.path.realpath(folder / Path(path).expanduser())
    except RuntimeError:
        raise ConfigError(f"{field} = '{path}': there is no home folder of that name") from None


def _is_file_name(vectors: str, folder: Path) -> bool:
    """Tell a word-vector file from the name of a gensim download."""
    return "/" in vectors or Path(vectors).suffix.lower() in VECTOR_FILES or os.path.exists(folder / vectors)
