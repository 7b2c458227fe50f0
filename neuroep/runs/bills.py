# Tested by tests/neuroep/runs/test_costs.py.
"""Bills of a network on a chip: how its products follow each other, and what was counted in between.

The layers of a group move side by side and groups one behind the other, as the schedule says; a layer moves with the
forward products into it and the transposed ones of the synapses behind it. What the clamped input drives comes ahead,
row by row. Patterns on crossbars are read forward, then transposed, within the step of their layer. Where the chip has
durations of its own its clock has counted the time; this is how it is found for one whose components alone have some.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from hw_models import durations
from hw_models.chip import Chip
from hw_models.cost import latency
from hw_models.cost.area import area
from hw_models.cost.bill import Bill, Item, price
from hw_models.cost.constants import PATTERNS, Constants
from hw_models.cost.latency import Stages, Step
from hw_models.tally import METERS, OTHER_PATH, Tally
from neuroep.engines.schedule import Schedule
from neuroep.network import DenseLayer, Network

PICO = 1e-12
CLASSIFICATION, UPDATE = "classification", "update"


def known(chip: Chip | None) -> bool:
    """Tell whether anything is known of what a chip's operations cost."""
    return chip is not None and Constants(chip).any


def billed(chip: Chip | None) -> bool:
    """Tell whether a chip has a bill: of joules by its constants, of seconds by its durations, or of both."""
    return chip is not None and (known(chip) or chip.acting.timing.passes)


def meter(chip: Chip) -> str:
    """Return what has to be summed up of reads for a chip's bill, one of :data:`hw_models.tally.METERS`."""
    return Constants(chip).meter


def between(after: Mapping[str, Tally], before: Mapping[str, Tally]) -> Tally:
    """Return what parts did from one moment to another, as :meth:`neuroep.engines.engine.Engine.performed` tells it."""
    found, earlier = Tally(), Tally()
    for tally in before.values():
        earlier.join(tally)
    had = {tuple(done): number for done, number in earlier.rows()}
    for tally in after.values():
        for done, number in tally.rows():
            if number != (was := had.get(tuple(done), 0)):
                found.put(done, number - was)
    return found


def whole(counted: Tally, samples: int, metered: int) -> Tally:
    """Return what an evaluation did, with what was metered of some of its samples made up to all of them."""
    if metered == samples or not metered:
        return counted
    found = Tally()
    for done, number in counted.rows():
        drawn = done.operation.split()[0] in METERS
        found.put(done, round(number * samples / metered) if drawn else number)
    return found


def classification(chip: Chip, network: Network, schedule: Schedule, counted: Tally, samples: int) -> Bill:
    """Return the bill of a classification.

    Parameters
    ----------
    chip : Chip
        With constants.
    network : Network
        What ran on it.
    schedule : Schedule
        Of the free phase.
    counted : Tally
        What the evaluation of ``samples`` samples did.
    samples : int
        Their number.

    Raises
    ------
    ChipError
        If the chip has no constants.
    """
    counted, constants = _as_free(counted), Constants(chip, patterns=network.patterns)
    chip = constants.chip
    made = price(counted, chip, per=CLASSIFICATION, number=samples, patterns=network.patterns)
    spent = elapsed(constants, counted, ("free",)) if chip.timing.copies == 1 else {}
    spent = spent or latency.phases(counted, constants, stages(network, schedule, counted), ("free",))
    free = {phase: seconds / samples for phase, seconds in spent.items()}
    return finished(made, constants, network, free, counted)


def elapsed(constants: Constants, counted: Tally, phases: Sequence[str]) -> dict[str, float]:
    """Return the seconds that the chip's own clock counted by phase, outside of all "hold"; nothing where it has none.

    Events take time by their number, which the clock does not know.
    """
    if constants.chip.substrate == "event_driven":
        return {}
    found = {phase or "hold": counted.number("picosecond", phase) * PICO for phase in phases}
    return {phase: seconds for phase, seconds in found.items() if seconds}


def _as_free(counted: Tally) -> Tally:
    """Return what an evaluation did as what its free phases did, of which alone it is made."""
    found = Tally()
    for done, number in counted.rows():
        found.put(done._replace(phase="free") if done.phase == "evaluate" else done, number)
    return found


def update(
    chip: Chip,
    network: Network,
    schedule: Schedule,
    counted: Tally,
    samples: int,
    holds: int,
    conductance: Mapping[str, float],
) -> Bill:
    """Return the bill of one update.

    Parameters
    ----------
    chip, network, schedule
        As of :func:`classification`.
    counted : Tally
        What all phases of a batch and the update did.
    samples : int
        Of the batch; they run one behind the other on each of the chip's copies.
    holds : int
        Phases whose states are held.
    conductance : mapping of str to float
        Mean conductance of the devices of each array [uS].
    """
    constants = Constants(chip, conductance, network.patterns)
    chip = constants.chip
    made = price(counted, chip, per=UPDATE, conductance=conductance, patterns=network.patterns)
    each = elapsed(constants, counted, ("free", "nudged", "", "update"))
    if not each:
        spent = latency.phases(counted, constants, stages(network, schedule, counted), ("free", "nudged"))
        each = {phase: durations.batch(chip.timing, samples, seconds / samples) for phase, seconds in spent.items()}
        each["hold"] = durations.batch(chip.timing, samples, holds * chip.timing.hold)
        parts = dict.fromkeys(done.part for done, _ in counted.rows())
        each["update"] = latency.update(counted, constants, [_named(one.name, parts) for one in network.synapses])
    wrote = any(done.operation in ("write", "slot") for done, _ in counted.rows())
    if wrote and not each.get("update"):
        made = replace(made, leaves_out=("time of writes", *made.leaves_out))
    each = {phase: seconds for phase, seconds in each.items() if seconds}
    if chip.timing.copies > 1:
        made = replace(made, leaves_out=("writes and area of further copies of the chip", *made.leaves_out))
    return finished(made, constants, network, each, counted, chip.timing.copies)


def finished(
    made: Bill, constants: Constants, network: Network, spent: Mapping[str, float], counted: Tally, copies: int = 1
) -> Bill:
    """Return a bill with latency, area, and what is drawn all the time by all copies of the chip that work."""
    chip, seconds, left = constants.chip, sum(spent.values()), list(made.leaves_out)
    shapes = _weights(network, counted) if chip.substrate == "crossbar" else {}
    power, items = constants.value("static_power"), list(made.items)
    if power is not None and seconds and shapes:
        sides = chip.crossbar.sides
        for name, shape in shapes.items():
            joule = latency.arrays(chip, shape) // sides * power * seconds * copies
            items.append(Item("static", "static", name, "", joule))
    else:
        left.insert(0, "static power")
    if not spent:
        left.insert(0, "latency (the chip has no durations, timing.integration and others)")
    if any(done.part.endswith(PATTERNS) for done, _ in counted.rows()):
        left.insert(0, "area and static power of the patterns' arrays")
        if spent and not (chip.timing.row if chip.timing.passes else latency.row(constants)):
            left.insert(0, "time in which patterns are written")
    if chip.substrate == "event_driven" and network.attention and constants.value("neuron_energy") is not None:
        left.insert(0, "what neurons that hold states of attention take while inactive")
    found = area(constants, shapes.values(), [synapse.shape for synapse in network.synapses])
    unknown = [f"area of {part}" for part in ("cells", "ADC", "DAC") if part not in found and "core" not in found]
    left[:0] = unknown if found else ["area"]
    return replace(made, items=tuple(items), latency=dict(spent), area=found, leaves_out=tuple(left))


def _weights(network: Network, counted: Tally) -> dict[str, tuple[int, int]]:
    """Return the shapes of all arrays that hold weights: of synapses, and those of their own that are read besides."""
    parts = dict.fromkeys(done.part for done, _ in counted.rows() if done.operation.startswith("activation"))
    found: dict[str, tuple[int, int]] = {}
    for synapse in network.synapses:
        found |= dict.fromkeys(_named(synapse.name, parts) or [synapse.name], synapse.shape)
        found.setdefault(synapse.name, synapse.shape)
    return found


def stages(network: Network, schedule: Schedule, counted: Tally) -> Stages:
    """Return how the products of a network follow each other.

    Parameters
    ----------
    network : Network
        What runs.
    schedule : Schedule
        Order and time step.
    counted : Tally
        By which the arrays of a synapse are known: of its name, or of its name and a label.
    """
    parts = dict.fromkeys(done.part for done, _ in counted.rows())
    inputs = [(name, "forward") for synapse in network.projections for name in _named(synapse.name, parts)]
    groups = []
    for group in schedule.groups(network):
        groups.append(tuple(_step(network, name, parts) for name in group))
        kept = [name for name in group if f"{name}{PATTERNS}" in parts]
        for way in ("forward", "transposed") if kept else ():
            groups.append(
                tuple(Step(name, ((f"{name}{PATTERNS}", way),), within=True) for name in kept)
            )
    return Stages(tuple(inputs), tuple(groups), schedule.dt)


def _step(network: Network, layer: str, parts: Iterable[str]) -> Step:
    """Return the products with which a layer moves."""
    found = []
    for synapse in network.dense:
        if synapse.post == layer:
            found += [(name, "forward") for name in _side_by_side(synapse.name, parts)]
        if layer in synapse.pre:
            found += [(name, "transposed") for name in _side_by_side(synapse.name, parts)]
    neurons = f"neurons.{layer}" if isinstance(network.layer(layer), DenseLayer) else ""
    return Step(layer, tuple(found), neurons)


def _side_by_side(synapse: str, parts: Iterable[str]) -> list[str]:
    """Return the arrays of a synapse without those that are read in the stead of another one, on the other path."""
    names = _named(synapse, parts)
    return [name for name in names if not name.endswith(OTHER_PATH) or name.removesuffix(OTHER_PATH) not in names]


def _named(synapse: str, parts: Iterable[str]) -> list[str]:
    return [part for part in parts if part == synapse or part.startswith(f"{synapse} ")]


def told(bill: Bill, size: str = "") -> list[str]:
    """Return a bill in lines: total, by part, by phase, what it leaves out."""
    energy = bill.energy if bill.priced else None
    head = [quantity(energy, "J"), quantity(bill.seconds, "s"), quantity(bill.square_metres, "m^2")]
    names = ("energy", "latency", "area")
    total = ", ".join(f"{name} {text}" for name, text in zip(names, head, strict=True) if text)
    lines, joules = [f"{bill.per}{size}: {total}"], {"by part": bill.by_part(), "by phase": bill.by_phase()}
    tables = [*((name, shares, "J") for name, shares in joules.items()), ("latency", bill.latency, "s")]
    for name, shares, unit in tables:
        if len(shares) > 1:
            lines.append(f"  {name:<9} " + ", ".join(f"{key} {quantity(each, unit)}" for key, each in shares.items()))
    return [*lines, f"  leaves out: {', '.join(bill.leaves_out)}"]


def quantity(value: float | None, unit: str) -> str:
    """Return a number with three digits and a prefix, 1.23e-9 J as "1.23 nJ", areas in mm^2; "" for None."""
    if value is None:
        return ""
    if unit == "m^2":
        return f"{value * 1e6:.3g} mm^2"
    if not value:
        return f"0 {unit}"
    power = min(max(int(np.floor(np.log10(abs(value)) / 3)), -6), 4)
    prefix = ("a", "f", "p", "n", "u", "m", "", "k", "M", "G", "T")[power + 6]
    return f"{value / 10.0 ** (3 * power):.3g} {prefix}{unit}"
