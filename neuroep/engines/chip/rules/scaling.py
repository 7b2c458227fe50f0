# Tested by tests/neuroep/engines/chip/test_scaling.py.
r"""Automatic scaling: how large the wanted change is, and how many pulses an array of such devices needs for it.

**Wanted change.** dW = -lr g/r, with r the running root mean square of g over an array and many updates, so that a
learning rate is what an update changes weights by, whatever the size of the contrast. A short memory would keep steps
large when the gradient vanishes; over M = ``update.memory`` updates

    s <- (1 - 1/M) s + <g^2>,    n <- (1 - 1/M) n + 1,    r = sqrt(s/n)

No chip holds g. Its mean square is measured digitally by K = :data:`PROJECTIONS` random signs v of the inputs,
<g^2> = E ||g v||^2/(out in), and g v = scale sum_k d_k (x_k v) takes rows K (in + out) multiply-adds; the memory
averages what is random in it. Biases are scaled likewise, by their own mean square.

**Lines.** One r leaves a few lines with most of the change: of the embedded reviews the largest g is 10 to 20 r, and
steps that suit it overshoot where the others hardly move. The drivers of lines therefore have gains (``update.rms``),
so that every line changes its weights by the same root mean square:

    dW = -lr r g_ij/(r_i r_j),   r_i^2, r_j^2 running means of g^2 over the devices of an output and of an input

which is r where all lines are alike. Both follow from projections, (g v)_i^2/in and (u g)_j^2/out; the signals s_i and
x_j of trains are multiplied by r/r_i and r/r_j, of lines below r/10 by 10. Means beside the array cost 2 rows K (in +
out) multiply-adds in place of one, and gains rows (in + out); no two ends of a device are known to anyone but it.

**Pulses.** In a device whose steps depend on its state, a pair of pulses up and down does not return to where it began
but goes towards the symmetry point w* by leak of its distance, in steps of dw:

    leak = (slope of the step down - slope of the step up)/(2 dw) at w*       [steps per step]

so it forgets in 1/(N leak dw) updates of N pulses each. A change of n pulses net per update takes N = kappa n, with
the coherence kappa = all pulses/net rms change: 1 where all of them go one way. The cycle noise sigma of a step asks
for

    n = 4 (1 + sigma^2) to 100 pulses per update,    at most 1/(memory kappa leak dw), and b/(4 dw)

with memory the updates over which the array is to hold what it gathers, and b the nearer bound of its devices.

**Range and tolerance.** A device that is written to the nearest of its steps is off by

    blur = sqrt(step^2/12 + (write noise dw)^2)

as its standard deviation, with the step at weight 0. Weights begin within fill = 4 blur of the bounds, 1/4 at least,
which leaves room to grow, and 3/4 at most; a closed loop (:mod:`.verified`) asks for a tolerance of 0.4 blur, where
blur is above 1 %. Where references err, by sqrt(mean^2 + spread^2), fill is 1.5 times that at least: some devices
cannot hold even weight 0, and what they are off by goes with the range, which is therefore to be small. So does what
the mismatch of a weight's one device, beside a mean conductance, makes of weight 0: fill is 5 times the mismatch at
least, and all of the range from 0.2 on, where there is no room to grow (chosen on the embedded reviews).

Sources: running mean square as in RMSprop (Hinton, 2012), one for an array; means over rows and columns in place of
one for each weight: Adafactor, Shazeer and Stern, ICML 2018; symmetry point: Kim et al., 2019; Gokmen
and Haensch, Front. Neurosci. 14:103, 2020.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from hw_models.arrays.pulses import PulsedDevices
from hw_models.chip import Chip, Pulse
from hw_models.kernels.cycle_noise import sigma
from hw_models.kernels.random import generator
from neuroep.engines.chip.rules.rule import Place
from neuroep.learning.contrast import Contrast

PROJECTIONS = 8
"""Random signs by which the mean square of a contrast is measured."""
LEAST, MOST = 4.0, 100.0
"""Pulses per update, for devices without noise, and at most."""
REACH = 0.25
"""Most that an update changes a fast array by, root mean square, in units of the nearer bound."""
LARGEST = 10.0
"""Most that the signal of a line is multiplied by."""
GRID, NEAR = 199, 5
"""Weights at which the steps of a device are played, and those on either side of w* that a slope is fitted to."""
ALIKE = 1e-9
"""Steps that differ by less, in units of a pulse, are equal."""
COHERENCE = 3.0
"""kappa of a contrast, for the number of pulses, which is chosen before any is sent."""
FILL, FULLEST, BLURS = 0.25, 0.75, 4.0
"""Share of their devices' bounds that weights begin within: at least, at most, and in units of their blur."""
ERRORS = 1.5
"""That share in units of what references err by."""
MISMATCHES = 5.0
"""That share in units of the mismatch of one device a weight; here up to 1."""
TOLERANCE, COARSE = 0.4, 0.01
"""Tolerance of a closed loop in units of the blur, and the blur from which one is closed."""
DEVIATIONS = 3.0
"""Standard deviations of what is expected of the devices of an array."""


class RunningSquare:
    """Running mean square of the gradient of one synapse, and of its lines.

    Parameters
    ----------
    place : Place
        The synapse; keys the draws.
    memory : int
        Updates.
    kept : numpy.ndarray
        (3,) sums of the squares of weight and bias, and their number; owned by the rule, which keeps it.
    outputs, inputs : numpy.ndarray, optional
        (out,) and (in,) sums of the squares of lines, likewise; none where only the array's is asked for.
    """

    def __init__(
        self,
        place: Place,
        memory: int,
        kept: np.ndarray,
        outputs: np.ndarray | None = None,
        inputs: np.ndarray | None = None,
    ) -> None:
        self.place, self.memory, self.kept = place, memory, kept
        self.outputs, self.inputs = outputs, inputs

    def add(self, contrast: Contrast, update: int) -> None:
        """Take in the contrast of an update, whose number keys the signs."""
        bias = contrast.scale * contrast.post_change.sum(0, dtype=np.float64)
        by_output = squares(contrast, self.place.setting.seed, self.place.name, update)
        found = [(self.kept, np.array((by_output.mean(), np.square(bias).mean(), 1.0)))]
        if self.outputs is not None and self.inputs is not None:
            by_input = squares(contrast, self.place.setting.seed, self.place.name, update, of_inputs=True)
            found += [(self.outputs, by_output), (self.inputs, by_input)]
        for kept, new in found:
            kept *= 1 - 1 / self.memory
            kept += new

    @property
    def projected(self) -> int:
        """How many projections an update takes."""
        return PROJECTIONS * (1 if self.inputs is None else 2)

    @property
    def rms(self) -> tuple[float, float]:
        """Of the gradients of weights and biases; 0 where there never was one."""
        weight, bias, number = self.kept.tolist()
        return math.sqrt(weight / number), math.sqrt(bias / number)

    def gains(self) -> tuple[np.ndarray, np.ndarray] | None:
        """Return what signals of outputs and inputs are multiplied by, r/r_i and r/r_j; none without lines."""
        if self.outputs is None or self.inputs is None:
            return None
        return _gains(self.outputs), _gains(self.inputs)


def _gains(sums: np.ndarray) -> np.ndarray:
    """Return r/r_i of lines with these sums of squares, up to :data:`LARGEST`."""
    mean = float(sums.mean()) if sums.size else 0.0
    if not mean > 0:  # also where it is not a number, which the update itself tells
        return np.ones_like(sums)
    return np.asarray(1 / np.sqrt(np.maximum(sums / mean, 1 / LARGEST**2)))


def squares(contrast: Contrast, seed: int, name: str, update: int, of_inputs: bool = False) -> np.ndarray:
    """Return mean squares of dL/dW over the devices of each output (out,), or input (in,), by random projections."""
    terms = contrast.terms()
    own, other = (1, 0) if of_inputs else (0, 1)
    devices = terms[0][other].shape[1]
    what = ("projection", "inputs") if of_inputs else ("projection",)
    signs = generator(seed, *what, name, update).integers(0, 2, (devices, PROJECTIONS)) * 2.0 - 1.0
    found = np.zeros((terms[0][own].shape[1], PROJECTIONS))
    for term in terms:
        found += term[own].T @ (term[other] @ signs.astype(term[other].dtype))
    return np.asarray(np.square(found).mean(axis=1) * (contrast.scale**2 / max(devices, 1)))


class Symmetry(NamedTuple):
    """Where steps up and down of a device are alike."""

    point: float
    """w*, a share of the weight range."""
    step: float
    """Size of a step there, the granularity."""
    leak: float
    """Steps by which a pulse pulls back towards w*, per step of distance and step of size: [1/weight range]."""
    noise: float
    """Cycle-to-cycle spread of a pulse there, in steps."""


@lru_cache(64)  # rules ask at every update
def symmetry(pulse: Pulse) -> Symmetry:
    """Return the symmetry point of the mean device, whose steps are played on a grid of weights."""
    grid, up, down, plain = played(pulse)
    alike = np.abs(up - down)
    among = np.flatnonzero(alike <= alike.min() + ALIKE * pulse.dw_min)  # of constant steps all but those at bounds
    usual = 0.0 if pulse.w_min else float(np.median(grid[among]))  # 0 is a bound of devices of a pair
    middle = int(among[np.argmin(np.abs(grid[among] - usual))])
    near = slice(max(middle - NEAR, 0), middle + NEAR + 1)
    slope, apart = np.polyfit(grid[near], (down - up)[near], 1)
    point = float(np.clip(-apart / slope, pulse.w_min, pulse.w_max)) if slope > 0 else float(grid[middle])
    size = float((up[middle] + down[middle]) / 2)
    leak = max(float(slope), 0.0) / (2 * size) if size > 0 else 0.0
    noise = _spread(pulse, point, size, sum(plain) / 2) / size if size > 0 else pulse.noise
    return Symmetry(point, size, leak, noise)


class Played(NamedTuple):
    """Steps of the mean device on a grid of weights between its bounds."""

    grid: np.ndarray
    up: np.ndarray
    """Steps of a pulse up, at each of them."""
    down: np.ndarray
    """Steps of a pulse down, likewise."""
    plain: tuple[float, float]
    """The steps of devices at weight 0 without their law, up and down."""


@lru_cache(64)  # likewise
def played(pulse: Pulse) -> Played:
    """Return the steps of the mean device, arrays that none may write to."""
    grid = np.linspace(pulse.w_min, pulse.w_max, GRID + 2)[None, 1:-1]
    devices = PulsedDevices(pulse.mean(), grid.shape, 0, "symmetry", dtype="float64")
    one, none = np.ones(grid.shape, dtype=np.int64), np.zeros(grid.shape, dtype=np.int64)
    up, down = grid.copy(), grid.copy()
    devices.apply(up, one, none, 0)
    devices.apply(down, none, one, 0)
    plain = float(np.abs(devices.devices.up).mean()), float(np.abs(devices.devices.down).mean())
    found = Played(grid[0], (up - grid)[0], (grid - down)[0], plain)
    for values in found[:3]:
        values.flags.writeable = False
    return found


def _spread(pulse: Pulse, weight: float, step: float, plain: float) -> float:
    """Return the standard deviation of a pulse at a weight; ``plain``: the step at weight 0.

    Equation: :mod:`hw_models.kernels.cycle_noise`.
    """
    if not pulse.wide_noise:
        return pulse.noise * step
    at = (np.float32(each) for each in (weight, pulse.w_max, pulse.w_min))
    multiple = pulse.law.multiple(*at, pulse.law.packed(pulse))
    return float(sigma(step, plain, weight, (pulse.noise, pulse.noise_base, pulse.noise_state), multiple))


def pulses_needed(pulse: Pulse, memory: float, coherence: float = COHERENCE) -> float:
    """Return the pulses per update, root mean square, that an array needs to gather what it holds for so long."""
    found = symmetry(pulse)
    bound = min(pulse.w_max, -pulse.w_min or pulse.w_max)
    wanted = min(LEAST * (1 + found.noise**2), MOST, REACH * bound / found.step if found.step > 0 else MOST)
    forgotten = memory * coherence * found.leak * found.step
    return min(wanted, 1 / forgotten) if forgotten > 0 else wanted


def largest(pulse: Pulse) -> float:
    """Return the largest step of devices whose steps are three standard deviations large, anywhere in their range."""
    found = played(pulse)
    return float(max(found.up.max(), found.down.max())) * _large(pulse)


def _large(pulse: Pulse) -> float:
    """Return how many times the step of the mean device one takes that is three standard deviations large."""
    wide = DEVIATIONS * pulse.dw_min_spread
    return math.exp(wide) if pulse.dw_min_law == "log_normal" else 1 + wide


@lru_cache(64)  # likewise
def strays(pulse: Pulse) -> float:
    """Return how far beyond what is wanted a device may be found, by a large step, its noise, and write noise.

    The largest |s f(w)| + sigma(w) of a pulse either way between the bounds of the mean device, of devices with steps
    three standard deviations large: sigma, one standard deviation, is that of the weight where the pulse begins.
    """
    found, large = played(pulse), _large(pulse)
    far = 0.0
    for steps, plain in zip((found.up, found.down), found.plain, strict=True):
        for weight, step in zip(found.grid.tolist(), (large * steps).tolist(), strict=True):
            far = max(far, step + _spread(pulse, weight, step, large * plain))
    return far + DEVIATIONS * pulse.write_noise * pulse.dw_min


def blur(pulse: Pulse) -> float:
    """Return the standard deviation of a device from what it is written to, step by step, a share of the range.

    The step is that at weight 0, from which devices of a pair begin.
    """
    return math.hypot(at_zero(pulse) / math.sqrt(12), pulse.write_noise * pulse.dw_min)


def at_zero(pulse: Pulse) -> float:
    """Return the step at weight 0, from which devices of a pair begin: the mean of up and down, of a pair up alone."""
    found = played(pulse)
    middle = int(np.argmin(np.abs(found.grid)))
    return float(found.up[middle] + (found.down[middle] if pulse.w_min else found.up[middle])) / 2


def fill(chip: Chip) -> float:
    """Return the share of their devices' bounds that weights are to begin within."""
    if chip.update.fill is not None or not chip.update.scaled:
        return chip.update.fill or 1.0
    pulse, cell = chip.device.pulse, chip.device.cell
    erring = math.hypot(cell.reference_mean, cell.reference_spread) if chip.crossbar.reference == "device" else 0.0
    bound = min(pulse.w_max, -pulse.w_min or pulse.w_max)
    room = min(max(BLURS * blur(pulse) / pulse.w_max, ERRORS * erring / bound, FILL), FULLEST)
    alone = chip.crossbar.mapping == "offset"
    return max(room, min(MISMATCHES * chip.device.mismatch, 1.0)) if alone else room


def tolerance(chip: Chip) -> float:
    """Return the tolerance of updates in a closed loop, a share of the weight range; 0 where it is open."""
    own = chip.update.verify.tolerance
    if own is not None or chip.update.granule or not chip.update.scaled:
        return own or 0.0
    off = blur(chip.device.pulse)
    return TOLERANCE * off if off > COARSE else 0.0
