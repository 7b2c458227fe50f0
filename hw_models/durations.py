"""How long a read, a step, a sweep, an update and a classification take [s]; pure functions of a chip's timing.

    product         d (t_dac + t_int + n t_adc) + t_dig        n = min(lines, columns of one ADC) conversions in turn,
                                                               for each of d digits of the code
    step of a layer the longest of its products; in continuous time dt times the smallest tau of all layers, in which
                    a layer of time constant tau goes min(tau)/tau dt of the way to where its drive wants it
    sweep           synchronous: the longest step; layer by layer: the sum over the groups of the longest of each, as
                    of layers that stand still in turn, which those of continuous time do not
    input           rows of the clamped input that a sample sends through an array, one after the other
    classification  input + sweeps of the free phase
    sample          input + all sweeps of all phases + a hold for each phase that is held
    update          pulses: slots x t_p, those of all trains, or of the tile that takes most, whose inputs take turns;
                    net counts: slots counted x t_count + slots x t_p, those of the device that takes most, up and down;
                    reprogramming: rows of a tile x t_row, which has all iterations of verification in it
    batch           ceil(samples / copies) x sample + update

Sources: latency as in Shafiee et al., ISCA 2016, and Le Gallo et al., Nat. Electron. 6:680, 2023 (conversion in turn);
training as in Rasch et al., Nat. Commun. 15:7133, 2024 (a product and the slots of a train per tile, tiles side by
side).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from hw_models.chip.timing import Timing
from hw_models.clock import Clock
from hw_models.tally import CurrentPhase


def clock(timing: Timing, phase: CurrentPhase | None = None) -> Clock:
    """Return the clock of a chip with these durations, which counts for a phase."""
    return Clock(timing.passes, timing.read, timing.copies, phase)


def product(timing: Timing, shared: int = 1, lines: int | None = None, digits: int = 1) -> float:
    """Return the seconds of one product of an array, up to the lines of the next.

    Parameters
    ----------
    timing : Timing
        Of the chip.
    shared : int
        Sensed lines of a tile that take turns at one ADC.
    lines : int, optional
        Sensed lines of a tile; fewer than ``shared`` take fewer turns.
    digits : int
        Digits in which inputs are applied, one after the other.
    """
    turns = shared if lines is None else min(shared, lines)
    return digits * (timing.dac + timing.integration + turns * timing.adc) + timing.digital


def time_constant(timing: Timing, layer: str) -> float | None:
    """Return the time constant of a layer that settles in continuous time, or None."""
    return timing.tau.get(layer) if isinstance(timing.tau, Mapping) else timing.tau


def fastest(timing: Timing) -> float | None:
    """Return the smallest time constant of a chip that settles in continuous time, or None."""
    return min(timing.tau.values()) if isinstance(timing.tau, Mapping) else timing.tau


def pace(timing: Timing, layer: str) -> float:
    """Return the share of a sweep's time step that a layer takes: 1 for the fastest, less for those that are slower."""
    if not isinstance(timing.tau, Mapping) or layer not in timing.tau:
        return 1.0
    return min(timing.tau.values()) / timing.tau[layer]


def step(
    timing: Timing, layer: str = "", dt: float = 1.0, shared: int = 1, lines: Iterable[int] = (), digits: int = 1
) -> float:
    """Return the seconds of one step of a layer.

    Parameters
    ----------
    timing : Timing
        Of the chip.
    layer : str
        Its name.
    dt : float
        Step over the time constant, of a chip that settles in continuous time: a sweep takes dt of the fastest layer's.
    shared : int
        Sensed lines that take turns at one ADC.
    lines : iterable of int
        Sensed lines of a tile of each array that the step reads; they are read side by side.
    digits : int
        Digits in which inputs are applied, one after the other.
    """
    constant = time_constant(timing, layer)
    if constant is not None:
        return dt * constant * pace(timing, layer)
    each = [product(timing, shared, number, digits) for number in lines]
    return max(each, default=product(timing, shared, None, digits))


def sweep(groups: Iterable[Iterable[str]], steps: Mapping[str, float]) -> float:
    """Return the seconds of one sweep: groups of layers one after the other, the layers of a group side by side."""
    return sum(max((steps[name] for name in group), default=0.0) for group in groups)


def trains(timing: Timing, length: int, number: int = 1) -> float:
    """Return the seconds of trains of pulses of so many slots, one after the other; all tiles side by side."""
    return number * length * timing.pulse


def counted(timing: Timing, slots: int) -> float:
    """Return the seconds of slots in which coincidences are counted."""
    return slots * (timing.count or timing.pulse)


def reprogramming(timing: Timing, rows: int) -> float:
    """Return the seconds of writing an array anew, whose tiles have so many rows; tiles side by side."""
    return rows * timing.row


def classification(inputs: float, sweeps: int, each: float) -> float:
    """Return the seconds of a classification: input products, then sweeps of so many seconds each."""
    return inputs + sweeps * each


def batch(timing: Timing, samples: int, each: float, update: float = 0.0) -> float:
    """Return the seconds of a batch whose samples take so many seconds each, and of its update."""
    return math.ceil(samples / timing.copies) * each + update
