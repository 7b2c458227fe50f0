"""Seconds of products, phases and updates, from what a tally counted and the durations of a chip.

Durations are the chip's own, ``timing``; where it says none, those of its components:

    t_dac  phases t_phase       t_int  integrations t_step        t_adc  steps t_step of a conversion

(:mod:`hw_models.cost.coding`), or the time of a whole product. How products follow each other says who knows the
network, as stages: the products of a stage run side by side, stages one after the other, layers of a group side by
side. Formulas of durations: :mod:`hw_models.durations`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from hw_models import durations
from hw_models.chip import Chip, Timing
from hw_models.cost.coding import sending
from hw_models.cost.constants import PATTERNS, Constants
from hw_models.tally import OTHER_PATH, Tally


def timing(constants: Constants, sent: int | None = None) -> Timing:
    """Return the durations of a chip, those of its components where its own say none of a product.

    ``sent`` are the bits of an input that are sent, default those of a DAC with a sign.
    """
    chip, own = constants.chip, constants.chip.timing
    if own.dac or own.integration or own.adc or own.tau is not None:
        return own
    whole = constants.value("product_time")
    if whole is not None:
        return own.model_copy(update={"integration": whole})
    sent = chip.dac.sent(chip.dac.sign == "unsigned") if sent is None else sent
    made = sending(constants, sent, chip.adc.bits)
    step, wait, one = (constants.value(name) for name in ("integration_step", "phase_step", "adc_step"))
    found = {
        "integration": made.integrations * (step or 0.0),
        "dac": made.phases * (wait or 0.0),
        "adc": made.steps * (one or 0.0),
    }
    return own.model_copy(update=found)


def turns(constants: Constants) -> int:
    """Return how many sensed lines take turns at one ADC: what the chip says, else its component."""
    own = constants.chip.adc.columns
    return own if own > 1 else int(constants.value("adc_lines") or 1)


def sensed(chip: Chip, shape: tuple[int, ...], way: str, fills: bool = False) -> int:
    """Return the most sensed lines of a tile of a weight matrix (out, in); ``fills``: as crossbars are told."""
    if way == "forward":
        return outputs_of_a_tile(chip, shape, fills)
    return largest(shape[1], chip.crossbar.rows)


def outputs_of_a_tile(chip: Chip, shape: tuple[int, ...], fills: bool) -> int:
    """Return the most outputs of a tile of a weight matrix (out, in), into which they are dealt out or filled."""
    tile = chip.crossbar.columns
    return min(shape[0], tile or shape[0]) if fills else largest(shape[0], tile)


def largest(whole: int, tile: int | None) -> int:
    """Return the most lines of one of the tiles, into which lines are cut as evenly as can be."""
    return -(-whole // -(-whole // tile)) if whole and tile else whole


def product(
    constants: Constants, shape: tuple[int, ...], way: str, sent: int | None = None, fills: bool = False
) -> float:
    """Return the seconds of one product of a weight matrix (out, in) in a direction; tiles run side by side."""
    found = timing(constants, sent)
    shared = constants.chip.adc.columns if found is constants.chip.timing else turns(constants)
    return durations.product(found, shared, sensed(constants.chip, shape, way, fills))


def arrays(chip: Chip, shape: tuple[int, ...]) -> int:
    """Return the arrays on which a weight matrix (out, in) lies: one for each tile, side and slice."""
    bar, (outputs, inputs) = chip.crossbar, shape
    tiles = -(-inputs // (bar.rows or max(inputs, 1))) * -(-outputs // (bar.columns or max(outputs, 1)))
    return tiles * bar.sides * bar.slices


def references(chip: Chip, columns: int) -> int:
    """Return the reference lines of a tile of so many outputs."""
    bar = chip.crossbar
    return (bar.reference_lines or columns) if bar.mapping == "offset" and bar.reference == "analog" else 0


@dataclass(frozen=True)
class Step:
    """A layer that moves, and the products that it takes together."""

    layer: str
    products: tuple[tuple[str, str], ...]
    """Array and direction; with it goes the array of the other path, which takes turns with it."""
    neurons: str = ""
    """Part that counts its responses, by which its moves are counted where it settles in continuous time."""
    within: bool = False
    """Whether it is part of the step of its layer, as reads of patterns are: in continuous time it takes none more."""


@dataclass(frozen=True)
class Stages:
    """How the products of a network follow each other."""

    inputs: tuple[tuple[str, str], ...]
    """Products of the clamped input, row by row, ahead of all settling."""
    groups: tuple[tuple[Step, ...], ...]
    """Steps one behind the other, those of a group side by side."""
    dt: float = 1.0
    """Time step of a sweep, over the time constant of the fastest layer."""


def phases(tally: Tally, constants: Constants, network: Stages, names: Sequence[str]) -> dict[str, float]:
    """Return the seconds of every phase, of all that was counted in it, sample after sample on one chip.

    A layer moves as often as its products were read, or, in continuous time and where it reads none, as often as its
    neurons responded. A phase in which nothing happened is left out.
    """
    found = {}
    for phase in names:
        clamped = sum(_reads(tally, constants, name, way, phase)[1] for name, way in network.inputs)
        clamped += _patterns_written(tally, constants, phase)
        moved = sum(max((_moves(tally, constants, step, phase, network.dt) for step in group), default=0.0)
                    for group in network.groups)  # fmt: skip
        if clamped or moved:
            found[phase] = clamped + moved
    return found


def _reads(
    tally: Tally, constants: Constants, name: str, way: str, phase: str, others: tuple[str, ...] = (OTHER_PATH,)
) -> tuple[float, float]:
    """Return how often an array was read, or that of the other path in its stead, and the seconds that took.

    ``others`` are what follows the name in those of arrays that are read in its stead.

    Each digit of a code takes the lines and the converters, the last one goes on digitally. Of a tally that knows no
    products digits are those of the chip's signed codes. Synapses of a core take events in turn, and each row of events
    is over when all cores say so.
    """
    products = digits = seconds = 0.0
    names, digital, dac = (name, *(f"{name}{other}" for other in others)), _behind(constants), constants.chip.dac
    for done, count in tally.rows():
        if done.part not in names or done.phase != phase or not count:
            continue
        if done.operation == f"activation {way}":
            reads = count / arrays(constants.chip, done.shape)
            each = product(constants, done.shape, way, done.sent, _of_patterns(done.part)) - digital
            digits, seconds = digits + reads, seconds + reads * each
        elif done.operation == f"product {way}":
            products += count
        elif done.operation == f"synaptic {way}":
            seconds += count * (constants.value("synapse_time") or 0.0) / (constants.value("cores") or 1)
    products = products or digits / dac.digits(dac.sign == "unsigned")
    return products, seconds + products * digital


def _moves(tally: Tally, constants: Constants, step: Step, phase: str, dt: float) -> float:
    own = timing(constants)
    responded = 0.0
    for done, count in tally.rows():
        if done.part == step.neurons and done.operation == "response" and done.phase == phase and done.shape:
            responded += count / done.shape[0]
    if durations.time_constant(own, step.layer) is not None:
        if step.within:
            return 0.0
        reads = max((_reads(tally, constants, name, way, phase)[0] for name, way in step.products), default=0.0)
        return max(responded, reads) * durations.step(own, step.layer, dt)
    each = [_reads(tally, constants, name, way, phase) for name, way in step.products]
    if constants.chip.substrate == "event_driven":
        barrier, steps = _behind(constants), max([responded, *(products for products, _ in each)])
        return steps * barrier + max((seconds - products * barrier for products, seconds in each), default=0.0)
    return max((seconds for _, seconds in each), default=0.0)


def _behind(constants: Constants) -> float:
    """Return the seconds behind the products of a step: digital ones, or those in which cores agree that it is over."""
    found = timing(constants).digital
    if found or constants.chip.substrate != "event_driven":
        return found
    return constants.value("barrier_time") or 0.0


def row(constants: Constants) -> float:
    """Return the seconds of writing one row of devices anew, 0 where nothing says how long that takes."""
    return timing(constants).row or (constants.write_width or 0.0) * (constants.value("write_iterations") or 1.0)


def _of_patterns(part: str) -> bool:
    """Tell whether patterns of an attention layer lie on an array."""
    return part.removesuffix(OTHER_PATH).endswith(PATTERNS)


def _patterns_written(tally: Tally, constants: Constants, phase: str) -> float:
    """Return the seconds in which patterns were written, row by row, those of all layers side by side."""
    spent: dict[str, float] = {}
    for done, count in tally.rows():
        if done.operation == "write" and done.phase == phase and _of_patterns(done.part) and len(done.shape) == 2:
            room = constants.columns(done.part, done.shape[0])
            spent[done.part] = spent.get(done.part, 0.0) + written(constants.chip, done.shape, count, room)
    return max(spent.values(), default=0.0) * row(constants)


def update(tally: Tally, constants: Constants, in_turn: Iterable[Sequence[str]] = ()) -> float:
    """Return the seconds of changing the weights, arrays side by side: slots of pulses and counts, or rows written.

    ``in_turn`` are names of arrays that take turns in an update, and are read in it, as those of one synapse do; an
    array of the transposed path goes with its own, side by side. Of several rounds of reads and pulses, in each of
    which the two wait for each other, this is the least that they take.
    """
    own = timing(constants)
    width = constants.write_width
    slot = own.pulse or width or 0.0
    each = row(constants)
    if own.pulse and constants.chip.update.in_memory:
        each = own.row  # of devices that are written by pulses their slots are counted
    spent: dict[str, float] = {}
    for done, count in tally.rows():
        if done.operation == "slot":
            spent[done.part] = spent.get(done.part, 0.0) + count * slot
        elif done.operation == "counting":
            spent[done.part] = spent.get(done.part, 0.0) + count * (own.count or slot)
        elif _of_patterns(done.part):
            continue  # of samples, not of the update
        elif done.operation == "write" and len(done.shape) == 2 and constants.chip.substrate == "crossbar":
            spent[done.part] = spent.get(done.part, 0.0) + written(constants.chip, done.shape, count) * each
    taken = []
    for names in in_turn:
        first = [name for name in names if not name.endswith(OTHER_PATH)]
        pairs = [[spent.pop(each, 0.0) for each in (name, f"{name}{OTHER_PATH}")] for name in first]
        read = (
            max(_reads(tally, constants, f"{name}{path}", way, "update", ())[1] for path in ("", OTHER_PATH))
            for name in first
            for way in ("forward", "transposed")
        )
        taken.append(sum(map(max, pairs)) + sum(read))
    return max([*taken, *spent.values()], default=0.0)


def written(chip: Chip, shape: tuple[int, ...], devices: int, room: int | None = None) -> float:
    """Return the rows that are written one behind the other: those of the tile of most, of as many devices in all.

    ``room`` is what tiles hold that are filled; unset, outputs are dealt out.
    """
    bar, rows = chip.crossbar, largest(shape[1], chip.crossbar.rows)
    each = room or largest(shape[0], bar.columns)
    beside = -(-shape[0] // (bar.columns or max(shape[0], 1))) * references(chip, each)
    if bar.reference_lines is None and room is None:
        beside = min(beside, shape[0])
    whole = (shape[0] * bar.sides + beside) * shape[1] * bar.slices
    return rows * devices / whole if whole else 0.0

