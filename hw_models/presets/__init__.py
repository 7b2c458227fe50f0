"""Chips of published papers, one module each, and those that other packages register.

    chip = hw_models.presets.load("joshi_2020_pcm")      # or its alias "pcm"
    hw_models.presets.names()

A module holds ``chip()`` and says of every number whether it is the paper's, a published fit to the paper's data, or a
choice made here; ``Chip.caveat`` says what the numbers do not represent. A package of a laboratory registers its own
chip as an entry point, a callable without arguments that returns a :class:`hw_models.chip.description.Chip`:

    [project.entry-points."neuroep.chips"]
    our_chip = "our_package.chips:our_chip"
"""

from __future__ import annotations

import importlib
import importlib.metadata
import pkgutil
from collections.abc import Mapping

from hw_models.chip import Chip
from hw_models.errors import ChipError, unknown

GROUP = "neuroep.chips"
"""Group of the entry points."""
ALIASES: Mapping[str, str] = {
    "capacitor": "li_2018_capacitor",
    "ecram": "tang_2018_ecram",
    "ecram_mo": "kim_2019_ecram",
    "gokmen_vlasov": "gokmen_2016_rpu",
    "hermes": "legallo_2023_hermes",
    "idealised": "rasch_2020_idealised",
    "isaac": "isaac_2016",
    "loihi": "orchard_2021_loihi2",
    "loihi2": "orchard_2021_loihi2",
    "neurram": "wan_2022_reram",
    "pcm": "joshi_2020_pcm",
    "pcm_pair": "nandakumar_2020_pcm",
    "reram": "gong_2018_reram",
    "reram_cmo": "falcone_2025_reram_cmo",
    "reram_hfo2": "gong_2022_reram_hfo2",
    "reram_om": "gong_2022_reram_om",
    "reram_sb": "gong_2018_reram_soft",
    "rram": "wan_2022_reram",
}
"""Short names."""


def names() -> list[str]:
    """Return the names of all chips, those of this package first, then registered ones; aliases left out."""
    own = _own()
    return own + sorted(set(_registered()) - set(own))


def load(name: str) -> Chip:
    """Return the chip of that name.

    Parameters
    ----------
    name : str
        A preset, an alias, a registered chip, or ``ideal``. A preset hides a registered chip of its name.

    Raises
    ------
    ChipError
        If there is none, or a registered one fails or is no chip.
    """
    if name == "ideal":
        return Chip.ideal()
    name = ALIASES.get(name, name)
    if name in _own():
        chip: Chip = importlib.import_module(f"{__name__}.{name}").chip()
        return chip
    registered = _registered()
    if name not in registered:
        raise ChipError(unknown("chip", name, ["ideal", *names(), *sorted(ALIASES)]))
    return _call(registered[name])


def _own() -> list[str]:
    return sorted(module.name for module in pkgutil.iter_modules(__path__))


def _registered() -> dict[str, importlib.metadata.EntryPoint]:
    return {point.name: point for point in importlib.metadata.entry_points(group=GROUP)}


def _call(point: importlib.metadata.EntryPoint) -> Chip:
    """Return what a registered callable makes; whatever goes wrong there becomes one line with its name."""
    try:
        chip = point.load()()
    except Exception as error:
        reason = " ".join(str(error).split()) or "no reason given"
        raise ChipError(f"registered chip '{point.name}' ({point.value}): {type(error).__name__}: {reason}") from error
    if not isinstance(chip, Chip):
        raise ChipError(f"registered chip '{point.name}' ({point.value}): made a {type(chip).__name__}, not a Chip")
    return chip
