# Tested by tests/hw_models/cost/test_formulas.py.
"""A bill: what the operations of a tally take, by formula, array and phase, and what it leaves out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from hw_models.chip import Chip
from hw_models.cost.constants import OWN, Constants
from hw_models.cost.formulas import FORMULAS, PARTS
from hw_models.errors import ChipError
from hw_models.reading import Page
from hw_models.tally import Tally, Work

BEYOND = ("board", "off-chip word vectors", "buffers", "control between cores")
"""What no formula counts."""
CONVERTERS = ("dac", "adc", "conversion")
"""First words of operations of a converter."""


@dataclass(frozen=True)
class Item:
    """What one formula makes of one array in one phase."""

    formula: str
    """Name in :data:`hw_models.cost.formulas.FORMULAS`, or "static"."""
    part: str
    """One of :data:`hw_models.cost.formulas.PARTS`."""
    array: str
    """Name of the part of the chip that did it."""
    phase: str
    energy: float
    """[J]"""


@dataclass(frozen=True)
class Bill:
    """Energy, latency and area of so many classifications, or updates; all of them divided by their number."""

    per: str
    """"classification" or "update"."""
    items: tuple[Item, ...]
    latency: Mapping[str, float] = field(default_factory=dict)
    """By phase [s]; empty where the chip has no durations."""
    area: Mapping[str, float] = field(default_factory=dict)
    """By part [m^2]."""
    leaves_out: tuple[str, ...] = ()
    """What was counted and has no constant, and what is not counted."""
    components: tuple[str, ...] = ()
    """Where constants come from, a line for each."""
    priced: bool = True
    """Whether anything has a price; durations alone make a bill of seconds."""

    @property
    def energy(self) -> float:
        """[J], 0 where nothing has a price."""
        return sum(item.energy for item in self.items)

    @property
    def seconds(self) -> float | None:
        """Latency [s], None where the chip has no durations."""
        return sum(self.latency.values()) if self.latency else None

    @property
    def square_metres(self) -> float | None:
        """Area [m^2], None where the chip has none."""
        return sum(self.area.values()) if self.area else None

    def by_part(self) -> dict[str, float]:
        """Return the energy of every part that took any [J], in the order of the parts."""
        return self._by(lambda item: item.part, PARTS)

    def by_phase(self) -> dict[str, float]:
        """Return the energy of every phase [J]."""
        return self._by(lambda item: item.phase or "other")

    def by_array(self) -> dict[str, float]:
        """Return the energy of every part of the chip by its name [J]."""
        return self._by(lambda item: item.array)

    def by_formula(self) -> dict[str, float]:
        """Return the energy by formula [J]."""
        return self._by(lambda item: item.formula)

    def _by(self, key: Callable[[Item], str], order: Iterable[str] = ()) -> dict[str, float]:
        found: dict[str, float] = {}
        for item in self.items:
            found[key(item)] = found.get(key(item), 0.0) + item.energy
        names = [name for name in order if name in found] + [name for name in found if name not in order]
        return {name: found[name] for name in names if found[name]}

    def as_dict(self) -> Page:
        """Return plain values in SI units."""
        return {
            "per": self.per,
            "energy": self.energy if self.priced else None,
            "latency": self.seconds,
            "area": self.square_metres,
            "by_part": self.by_part(),
            "by_phase": self.by_phase(),
            "by_array": self.by_array(),
            "by_formula": self.by_formula(),
            "latency_by_phase": dict(self.latency),
            "area_by_part": dict(self.area),
            "leaves_out": list(self.leaves_out),
            "components": list(self.components),
        }


def price(
    tally: Tally,
    chip: Chip,
    *,
    per: str = "classification",
    number: float = 1.0,
    conductance: Mapping[str, float] | None = None,
    patterns: Mapping[str, int] | None = None,
) -> Bill:
    """Return the energy of what a tally counted.

    Parameters
    ----------
    tally : Tally
        Of one array, or of all parts of a chip.
    chip : Chip
        With components, or constants of its own, in ``chip.cost``.
    per : str
        "classification" or "update".
    number : float
        Of these in the tally: every energy is divided by it.
    conductance : mapping of str to float, optional
        Mean conductance of the devices of every array [uS], by which pulses are priced.
    patterns : mapping of str to int, optional
        By attention layer the most patterns of a sample.

    Raises
    ------
    ChipError
        If the chip has neither constants nor durations.
    """
    constants = Constants(chip, conductance or {}, patterns or {})
    check(constants)
    found: dict[tuple[str, str, str], float] = {}
    missing: dict[str, None] = {}
    for done, count in tally.rows():
        kind = done.operation.split()[0]
        for formula in FORMULAS.values():
            if kind not in formula.counts or not count or formula.covered(done, constants):
                continue
            if done.span and kind in CONVERTERS and done.bits is None:
                continue  # an analog loop has none
            joule, called = formula.energy(done, count, constants), _called(formula.called, kind, done.bits)
            often = 1.0 if formula.flows(constants) else _sampled(done, constants)
            if joule and often is None:
                missing[f"{called} in continuous time (no cost.sampling_time)"] = None
            elif joule is not None:
                place = formula.name, done.part, done.phase
                found[place] = found.get(place, 0.0) + joule * (often or 0.0) / number
            elif not formula.extra:
                missing[called] = None
    kinds = {done.operation.split()[0] for done, count in tally.rows() if count}
    if constants.meter and "read" in kinds and constants.meter not in kinds:
        missing["currents through the devices (not metered)"] = None
    items = [Item(name, FORMULAS[name].part, part, phase, joule) for (name, part, phase), joule in found.items()]
    about = tuple(component.as_text() for component in constants.components)
    left = [*missing, *BEYOND, *(what for one in constants.components for what in one.leaves_out)]
    left = left if constants.any else ["energy (the chip has no constants, cost.components)"]
    told, named = tuple(dict.fromkeys(left)), about + _own(constants)
    return Bill(per, tuple(items), leaves_out=told, components=named, priced=constants.any)


def check(constants: Constants) -> None:
    """Refuse a chip without any constant, and without durations.

    Raises
    ------
    ChipError
        With what could be set.
    """
    if not constants.any and not constants.chip.timing.passes:
        cure = 'set cost.components = ["horowitz_2014_int8", ...], or constants such as cost.adc_energy'
        raise ChipError(f"chip '{constants.chip.name}' has no constants of cost: {cure}; 'neuroep chips --components'")


def _sampled(done: Work, constants: Constants) -> float | None:
    """Return how often the chip does what was done once: as often as a loop is sampled in continuous time, else 1."""
    each = constants.value("sampling_time")
    return 1.0 if not done.span else None if each is None else done.span / each


def _called(name: str, kind: str, bits: int | None) -> str:
    """Return how what is left out is named, with its resolution where one is asked for."""
    if kind not in CONVERTERS:
        return name
    return f"{name} of {bits} bits" if bits is not None else f"{name} without a resolution"


def _own(constants: Constants) -> tuple[str, ...]:
    own = [name for name, source in constants.known() if source == OWN]
    return (f"{OWN}: {', '.join(own)}",) if own else ()
