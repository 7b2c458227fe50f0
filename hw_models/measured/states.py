"""Columns of both states of a device beside each other, HRS and LRS: they are one device, not two.

=======================================  =============================
name                                     state, and what it is in
=======================================  =============================
HRS, high resistance state, OFF, RESET   ``HRS``; its unit says
LRS, low resistance state, ON, SET       ``LRS``; its unit says
Roff, R_HRS; Ron, R_LRS                  resistance, Ohm without a unit
Goff, G_HRS; Gon, G_LRS                  conductance
Ioff, I_HRS; Ion, I_LRS                  current
=======================================  =============================

A number behind the name is that of a device: ``HRS 1``, ``LRS 1``, ``HRS 2``, ... Without a unit or one of these
letters nothing tells what a state is in.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from hw_models.errors import ChipError
from hw_models.measured import units

TITLE = re.compile(
    r"(?:(?P<letter>[rgi])\s*)?(?:(?P<high>hrs|high resistance state|high resistance|off(?: ?state)?|reset)"
    r"|(?P<low>lrs|low resistance state|low resistance|on(?: ?state)?|set))"
    r"(?:\s+(?P<word>resistance|conductance|current))?\s*#?\s*(?P<number>\d*)"
)
LETTERS = {"r": "resistance", "g": "conductance", "i": "current"}
UNITS = {"resistance": units.RESISTANCE, "conductance": units.CONDUCTANCE, "current": units.CURRENT}


@dataclass(frozen=True)
class StateColumns:
    """Columns that are states of devices."""

    quantity: str
    unit: str
    """Of all of them, empty where the usual one of the quantity is meant."""
    places: Sequence[int]
    names: Sequence[tuple[str, str]]
    """Device, empty where there is one, and state of each."""


def found(titles: Sequence[str], free: Sequence[int]) -> StateColumns | None:
    """Return the columns that are states, among those of places that are free; None where both states are not there.

    Raises
    ------
    ChipError
        If nothing tells what they are in, or not one thing.
    """
    matches = {place: TITLE.fullmatch(units.parted(titles[place])[0]) for place in free}
    there = {place: match for place, match in matches.items() if match}
    names = [(match["number"], "HRS" if match["high"] else "LRS") for match in there.values()]
    if {state for _, state in names} != {"HRS", "LRS"} or len(set(names)) < len(names):
        return None
    shown = " and ".join(f"'{titles[place]}'" for place in list(there)[:2])
    said = {units.parted(titles[place])[1] for place in there}
    if len(said) > 1:
        raise ChipError(f"columns {shown} are states of one device in several units: one for all is needed")
    unit = said.pop()
    words = {LETTERS.get(match["letter"] or "", match["word"] or "") for match in there.values()} - {""}
    words = words or {quantity for quantity, allowed in UNITS.items() if unit in allowed}
    if len(words) != 1:
        raise ChipError(f"columns {shown} are states of one device, in what? Give a unit, 'HRS [kOhm]', 'HRS [uS]'")
    quantity = words.pop()
    if unit:
        units.factor(titles[next(iter(there))], unit, UNITS[quantity])
    return StateColumns(quantity, unit, list(there), names)
