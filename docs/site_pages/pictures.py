"""Pictures of effects, drawn by the code that computes them: what a chip with one effect does, beside an ideal one.

Each takes the chip of the page and the same chip without the effect, and returns axes. What is read, settled or pulsed
here is read, settled or pulsed as in a run: :class:`hw_models.Crossbar`, an engine, :mod:`analysis.chips.pulses`. Where
the chip without the effect is not ideal either, it is in the picture too. Seeds are fixed: pictures stay the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache, partial

from analysis.drawing import style

import numpy as np
from matplotlib.axes import Axes

import neuroep
from analysis.chips import pulses
from hw_models import Chip, Crossbar
from hw_models.arrays.cells import DeviceCells, Made
from hw_models.kernels.blocks import serial
from hw_models.laws.drift import DRIFT
from hw_models.laws.relaxation import RELAXATION
from hw_models.laws.telegraph import TELEGRAPH
from hw_models.tally import Tally
from neuroep.data.batch import Batch
from neuroep.engines.engine import Engine
from neuroep.engines.schedule import Schedule
from neuroep.gradients.angles import cosine
from neuroep.gradients.estimators import Estimator
from neuroep.network import Network

SIZE = (5.6, 3.8)
"""Of a picture [inch]."""
LINES = 64
"""Inputs and outputs of an array."""
BETA = 0.2
TRIFLE = 0.015
"""Relative error of a chip without an effect from which on it is drawn too."""
WITHOUT = "without the effect"


def product(chip: Chip, without: Chip) -> Axes:
    """Draw outputs of an array against exact ones."""
    weight, x = _weights(), _inputs()
    return _against(x @ weight.T, lambda one: _array(one, weight).forward(x), (chip, without), "product")


def transposed(chip: Chip, without: Chip) -> Axes:
    """Draw transposed products against exact ones."""
    weight, s = _weights(), _inputs()
    return _against(s @ weight, lambda one: _array(one, weight).transposed(s), (chip, without), "transposed product")


def weights(chip: Chip, without: Chip) -> Axes:
    """Draw weights as the devices of an array hold them against those that were wanted."""
    return _against(_weights(), lambda one: _array(one, _weights()).weights(), (chip, without), "weight")


def conductances(chip: Chip, without: Chip) -> Axes:
    """Draw what devices conduct against their targets, at the chip's age; targets lie in no order on the array."""
    share = np.linspace(-1, 1, LINES * LINES, dtype=np.float32)
    share = np.random.default_rng(3).permutation(share).reshape(LINES, LINES)
    array = _array(chip, share)
    array.read_at(chip.device.age)
    ax, low, span = style.axes(None, *SIZE), chip.device.g_min, chip.device.g_max - chip.device.g_min
    targets = [low + span * np.clip(share * sign, 0, None) for sign in (1, -1)]
    x, y = (np.concatenate([part.ravel() for part in parts]) for parts in (targets, array.conductances()))
    ax.plot(x, y, ".", color=style.BLUE, markersize=2.5, alpha=0.5, label="devices")
    ax.plot([low, low + span], [low, low + span], color=style.BLACK, linewidth=1.2, label="ideal")
    ax.set_xlim(left=-0.02 * chip.device.g_max)
    ax.set_ylim(bottom=-0.02 * chip.device.g_max)
    style.dress(ax, x="target [uS]", y="conductance [uS]")
    style.legend(ax, loc="upper left", markerscale=3)
    return ax


def drift(chip: Chip, without: Chip) -> Axes:
    """Draw how conductances fall with the time since a write."""
    ax, device, t = style.axes(None, *SIZE), chip.device, np.logspace(0, 6, 80)
    draw = np.random.default_rng(0).normal(size=20)
    for number, target in enumerate((0.2, 0.5, 0.9)):
        g = np.full(20, target * device.g_max, dtype=np.float32)
        nu = DRIFT.exponent(g, draw, device)
        course = np.stack([DRIFT.drifted(g, nu, device, float(one)) for one in t])
        ax.plot(t, course, color=style.colour(number), linewidth=0.6, alpha=0.6)
        ax.plot(t, course.mean(1), color=style.colour(number), linewidth=2, label=f"written with {g[0]:g} uS")
    ax.set_xscale("log")
    ax.set_ylim(0, 1.35 * device.g_max)
    style.dress(ax, x="time since the last write [s]", y="conductance [uS]")
    style.legend(ax, loc="upper right")
    return ax


def relaxation(chip: Chip, without: Chip) -> Axes:
    """Draw how the error of a write grows with its age."""
    ax, device, t = style.axes(None, *SIZE), chip.device, np.logspace(-1, 6, 60)
    for number, target in enumerate((0.1, 0.5, 0.9)):
        g = np.full(4000, target * device.g_max, dtype=np.float32)
        z = np.random.default_rng(number).normal(size=4000)
        spread = [RELAXATION.relaxed(g, g, z, device, float(one)).std() for one in t]
        ax.plot(t, spread, color=style.colour(number), linewidth=2, label=f"target {g[0]:g} uS")
    ax.set_xscale("log")
    ax.set_ylim(bottom=0)
    style.dress(ax, x="time since the last write [s]", y="standard deviation that relaxation adds [uS]")
    style.legend(ax, loc="upper left", markerscale=3)
    return ax


def read_noise(chip: Chip, without: Chip) -> Axes:
    """Draw the standard deviation of a read by the conductance, and reads of single devices."""
    ax, device = style.axes(None, *SIZE), chip.device
    g = np.linspace(0.02, 1, 120, dtype=np.float32) * device.g_max
    sigma = device.noise.sigma(g, g, device)
    reads = np.random.default_rng(0).normal(size=g.size).astype(np.float32)
    device.noise.reads(reads, g, sigma)
    ax.fill_between(g, g - sigma, g + sigma, color=style.SKY, alpha=0.4, linewidth=0, label="one standard deviation")
    ax.plot(g, reads, ".", color=style.BLUE, markersize=4, label="single reads")
    ax.plot(g, g, color=style.BLACK, linewidth=1.2, label="without noise")
    style.dress(ax, x="conductance [uS]", y="as read [uS]")
    style.legend(ax, loc="upper left", markerscale=3)
    return ax


def telegraph(chip: Chip, without: Chip) -> Axes:
    """Draw the spectrum of one trap and of many whose times are spread."""
    ax, device, f = style.axes(None, *SIZE), chip.device, np.logspace(-1, 7, 200)
    draw = np.random.default_rng(0)
    for many, colour in ((1, style.VERMILION), (400, style.BLUE)):
        g = np.full(many, 0.5 * device.g_max)
        amplitude = TELEGRAPH.amplitude(g, draw.normal(size=many), device)
        tau = TELEGRAPH.tau(draw.uniform(size=many), device)
        density = device.rtn_share * TELEGRAPH.spectrum(f, amplitude, tau, device) / many
        ax.loglog(f, density, color=colour, linewidth=2, label="one trap" if many == 1 else "mean of 400 traps")
    style.dress(ax, x="frequency [Hz]", y="density [uS$^2$/Hz]")
    style.legend(ax, loc="lower left")
    return ax


def current_voltage(chip: Chip, without: Chip) -> Axes:
    """Draw the current of a device by the voltage across it."""
    ax, v = style.axes(None, *SIZE), np.linspace(-1, 1, 201)
    ax.plot(v, v, color=style.BLACK, linewidth=1.2, label="linear")
    ax.plot(v, chip.device.current_voltage.current(v, chip.device), color=style.BLUE, linewidth=2, label=chip.device.iv)
    style.dress(ax, x="voltage [read voltage]", y="current [current at the read voltage]")
    style.legend(ax, loc="upper left", markerscale=3)
    return ax


def transfer(chip: Chip, without: Chip) -> Axes:
    """Draw what the path of one signal does to it: DAC, a device of full conductance, ADC; several columns."""
    x = np.linspace(-1, 1, 401, dtype=np.float32)[:, None]
    found = _array(chip, np.ones((6, 1), dtype=np.float32)).forward(x)
    ax = style.axes(None, *SIZE)
    ax.plot(x, x, color=style.BLACK, linewidth=1.2, label="ideal")
    for number in range(found.shape[1]):
        name = None if number else "six columns"
        ax.plot(x, found[:, number], color=style.BLUE, linewidth=1.0, alpha=0.7, label=name)
    style.dress(ax, x="signal [1]", y="as converted [1]")
    style.legend(ax, loc="upper left", markerscale=3)
    return ax


def pulse_response(chip: Chip, without: Chip) -> Axes:
    """Draw devices that are pulsed up, then down; those of one-sided pairs only up."""
    result = pulses.pulse_response(chip)
    ax = pulses.plot_pulse_response(result, style.axes(None, *SIZE))
    plain = pulses.pulse_response(without if without.update.in_memory else chip, pulses=result.given)
    if not np.allclose(plain.mean, result.mean):
        ax.plot(plain.pulses, plain.mean, color=style.GREY, linewidth=1.5, linestyle="--", label=WITHOUT)
        style.legend(ax, loc="upper left", bbox_to_anchor=pulses.BELOW, borderaxespad=0.0)
    ax.set_title("", loc="left")
    return ax


def states(chip: Chip, without: Chip) -> Axes:
    """Draw settled states of a small network on the chip against exact ones."""
    exact = _settled(_exact())["hidden_1"]
    return _against(exact, lambda one: _settled(_engine(one))["hidden_1"], (chip, without), "settled state")


def attention(chip: Chip, without: Chip) -> Axes:
    """Draw settled attention states on the chip against exact ones."""
    exact = _settled(_exact())
    name = next(name for name in exact if name.startswith("attention"))
    return _against(exact[name], lambda one: _settled(_engine(one))[name], (chip, without), "attention state")


def gradient(chip: Chip, without: Chip) -> Axes:
    """Draw the gradient that the chip measures against the exact one."""
    exact = _gradient(_exact(), neuroep.estimators.centred)
    found = partial(_gradient, estimator=neuroep.estimators.centred)
    return _against(exact, lambda one: found(_engine(one)), (chip, without), "gradient", angle=True)


def nudges(chip: Chip, without: Chip) -> Axes:
    """Draw the gradient of a positive nudge alone and that of both signs, each against what exact nudges give."""
    ax = style.axes(None, *SIZE)
    kinds = (("positive nudge alone", neuroep.estimators.positive, style.VERMILION),
             ("both nudges", neuroep.estimators.centred, style.BLUE))  # fmt: skip
    for told, kind, colour in kinds:
        right, value = _gradient(_exact(), kind), _gradient(_engine(chip), kind)
        ax.plot(right, value, ".", color=colour, markersize=4, alpha=0.6, label=told)
    ends = [right.min(), right.max()]
    ax.plot(ends, ends, color=style.BLACK, linewidth=1.2, label="ideal")
    style.dress(ax, x="gradient of exact nudges [1]", y="gradient on the chip [1]")
    style.legend(ax, loc="upper left", markerscale=2)
    return ax


def settling(chip: Chip, without: Chip) -> Axes:
    """Draw how far the hidden states are from their fixed point as a free phase settles."""
    ax = style.axes(None, *SIZE)
    dt = 1.0 if chip.timing.tau is None else 0.1
    for engine, name, colour, step in ((_exact(), "ideal", style.BLACK, 1.0), (_engine(chip), "chip", style.BLUE, dt)):
        course = _course(engine, step)
        away = np.abs(course[:SHOWN] - course[-1]).max(axis=(1, 2))
        ax.semilogy(np.arange(1, SHOWN + 1), away, color=colour, linewidth=2, label=name)
    ax.set_ylim(bottom=1e-6)
    style.dress(ax, x="sweeps", y="distance from the fixed point [1]")
    style.legend(ax, loc="upper right")
    return ax


def leak(chip: Chip, without: Chip) -> Axes:
    """Draw what devices conduct from update to update while nothing is written."""
    share = np.linspace(-1, 1, LINES * LINES, dtype=np.float32).reshape(LINES, LINES)
    array, course = _array(chip, share), []
    for _ in range(100):
        course.append([side.max() for side in array.conductances()])
        array.leak()
        array.refresh()
    ax, low = style.axes(None, *SIZE), chip.device.g_min
    ax.plot(np.array(course)[:, 0], color=style.BLUE, linewidth=2, label="device written with g_max")
    ax.axhline(low, color=style.GREY, linestyle=":", label="g_min")
    ax.set_ylim(bottom=min(0.0, low))
    style.dress(ax, x="updates", y="conductance [uS]")
    style.legend(ax, loc="upper right")
    return ax


def rewritten(chip: Chip, without: Chip) -> Axes:
    """Draw weights as devices hold them, behind ten small moves, against those that are wanted."""
    draw, wanted = np.random.default_rng(2), [_weights()]
    for _ in range(10):
        wanted.append(wanted[-1] + draw.normal(0, 0.01, wanted[-1].shape).astype(np.float32))

    def written(one: Chip) -> np.ndarray:
        array = _array(one, wanted[0])
        for weight in wanted[1:]:
            array.program(weight)
        return array.weights()

    return _against(wanted[-1], written, (chip, without), "weight")


def held(chip: Chip, without: Chip) -> Axes:
    """Draw weights as the devices of a chip that learns by pulses hold them, against those that were wanted."""
    exact = _exact().parameters()
    name = _largest(exact)

    def found(one: Chip) -> np.ndarray:
        return neuroep.engines.local(_network()[0], chip=one, seed=0).parameters()[name]

    return _against(exact[name], found, (chip, without), "weight")


def learning(chip: Chip, without: Chip) -> Axes:
    """Draw the loss of a small network that learns one batch, on the chip and in exact arithmetic."""
    ax = style.axes(None, *SIZE)
    exact, plain = _losses(None), _losses(without)
    ax.plot(exact, color=style.BLACK, linewidth=2, label="exact")
    if not np.allclose(exact, plain, rtol=1e-2):
        ax.plot(plain, color=style.GREY, linewidth=2, linestyle="--", label=WITHOUT)
    ax.plot(_losses(chip), color=style.BLUE, linewidth=2, label="chip")
    ax.set_ylim(bottom=0)
    style.dress(ax, x="updates", y="loss [1]")
    style.legend(ax, loc="upper right")
    return ax


def refreshes(chip: Chip, without: Chip) -> Axes:
    """Draw the two devices of one pair, and its weight, as pulses come in either direction."""
    ax = style.axes(None, *SIZE)
    found, plain = _pair(chip), _pair(without)
    for course, name, colour in zip(found.T, ("device of pulses up", "device of pulses down", "weight"), style.COLOURS):
        ax.plot(course, color=colour, linewidth=2, label=name)
    ax.plot(plain[:, -1], color=style.GREY, linewidth=1.5, linestyle="--", label=f"weight {WITHOUT}")
    ax.set_ylim(top=1.1)
    style.dress(ax, x="updates", y="share of the weight range [1]")
    style.legend(ax, loc="upper left", ncols=2)
    return ax


def _pair(chip: Chip) -> np.ndarray:
    """Return both devices of a pair and their difference behind every update, (updates, 3)."""
    array, draw, course = Crossbar(chip, (1, 1), seed=0, name="pair"), np.random.default_rng(4), []
    array.program(np.zeros((1, 1), dtype=np.float32))
    cells = DeviceCells(array, Made(chip.device, 0, serial, Tally()))
    for number in range(PAIR_UPDATES):
        way = np.array([[draw.uniform() < 0.6]])
        cells.apply(array.stored, way.astype(np.int64), 1 - way, number)
        cells.updated()
        plus, minus = (float(state[0, 0]) for state in cells.states)
        course.append((plus, minus, plus - minus))
    return np.array(course)


@cache
def _losses(chip: Chip | None) -> list[float]:
    """Return the loss ahead of every update of a batch."""
    engine = neuroep.engines.local(_network()[0], chip=chip, seed=0)
    estimator = neuroep.estimators.centred(BETA, free=SETTLED, nudged=SETTLED)
    if engine.calibrates:
        engine.calibrate([_batch()], estimator)
    rates, losses = {synapse.name: RATE for synapse in engine.network.synapses}, []
    for _ in range(UPDATES):
        measured = estimator.measure(engine, _batch())
        losses.append(measured.health["loss"])
        engine.update(measured.contrasts, rates)
    return losses


RATE, UPDATES, PAIR_UPDATES = 5e-3, 40, 400
SETTLED = Schedule("synchronous", steps=25, tolerance=0.0)
SHOWN, SETTLES = 120, 600
"""Sweeps of a course in the picture, and those after which a phase is at its fixed point."""


def _course(engine: Engine, dt: float) -> np.ndarray:
    """Return the hidden states behind every sweep, (sweeps, samples, neurons)."""
    course, schedule = [], Schedule("synchronous", steps=SETTLES, tolerance=0.0, dt=dt)
    for state in engine.sweeps(_batch(), schedule):
        course.append(np.array(state.level("hidden_1")))
    return np.stack(course)


def _settled(engine: Engine) -> Mapping[str, np.ndarray]:
    return engine.states(engine.settle(_batch(), SETTLED))


def _gradient(engine: Engine, estimator: Callable[..., Estimator]) -> np.ndarray:
    """Return the gradient of the largest dense matrix, in one row."""
    found = estimator(BETA, free=SETTLED, nudged=SETTLED).gradient(engine, _batch())
    return np.ravel(found[_largest(found)])


def _largest(arrays: Mapping[str, np.ndarray]) -> str:
    return max((name for name in arrays if "dense" in name and "weight" in name), key=lambda name: arrays[name].size)


def _against(
    exact: np.ndarray,
    found: Callable[[Chip], np.ndarray],
    chips: tuple[Chip, Chip],
    what: str,
    angle: bool = False,
) -> Axes:
    """Draw what is found on a chip against exact numbers, with the error; and without the effect where that errs."""
    ax, right = style.axes(None, *SIZE), np.ravel(exact)
    value, plain = (np.ravel(found(chip)) for chip in chips)
    few = np.random.default_rng(0).permutation(right.size)[:3000]
    clouds = [(_error(value, right), value, style.BLUE, "chip"), (_error(plain, right), plain, style.VERMILION, WITHOUT)]
    for error, cloud, colour, name in sorted(clouds, key=lambda one: -one[0]):
        if cloud is value or error > TRIFLE:
            ax.plot(right[few], cloud[few], ".", color=colour, markersize=2.5, alpha=0.5, label=name)
    ends = [min(right.min(), value.min()), max(right.max(), value.max())]
    ax.plot(ends, ends, color=style.BLACK, linewidth=1.0, label="ideal")
    told = f"cosine to the exact gradient {cosine(value, right):.4f}"
    told = told if angle else f"relative error {100 * _error(value, right):.1f} %"
    style.dress(ax, x=f"exact {what} [1]", y=f"{what} on the chip [1]", title=told)
    style.legend(ax, loc="upper left", markerscale=3)
    return ax


def _error(value: np.ndarray, right: np.ndarray) -> float:
    return float(np.linalg.norm(value - right) / np.linalg.norm(right))


@cache
def _weights() -> np.ndarray:
    return np.random.default_rng(0).normal(0, 0.1, (LINES, LINES)).astype(np.float32)


@cache
def _inputs() -> np.ndarray:
    return np.random.default_rng(1).uniform(-1, 1, (120, LINES)).astype(np.float32)


def _array(chip: Chip, weight: np.ndarray) -> Crossbar:
    """Return an array of the chip that holds these weights, its ranges calibrated."""
    array = Crossbar(chip, weight.shape, seed=0, name="picture")
    array.program(weight)
    if chip.calibrates:
        array.observe()
        array.forward(_signals(weight.shape[1]))
        array.transposed(_signals(weight.shape[0]))
        array.freeze()
    return array


def _signals(lines: int) -> np.ndarray:
    if lines == LINES:
        return _inputs()
    return np.linspace(-1, 1, 41 * lines, dtype=np.float32).reshape(41, lines)


@cache
def _network() -> tuple[Network, Batch]:
    corpus = neuroep.data.load("reviews", tokens=12, limit=40)
    network = neuroep.networks.sentiment(tokens=12, dim=corpus.dim, dense=(24, 2), readout="pooled")
    return network, next(corpus.batches("train", 20))


def _batch() -> Batch:
    return _network()[1]


@cache
def _exact() -> Engine:
    return neuroep.engines.local(_network()[0], seed=0)


def _engine(chip: Chip) -> Engine:
    """Return an engine on the chip, its ranges calibrated."""
    engine = neuroep.engines.local(_network()[0], chip=chip, seed=0)
    engine.calibrate([_batch()], neuroep.estimators.centred(BETA, free=SETTLED, nudged=SETTLED))
    return engine


DRAWN: Mapping[str, Callable[[Chip, Chip], Axes]] = {
    each.__name__: each
    for each in (
        product, transposed, weights, conductances, drift, relaxation, read_noise, telegraph, current_voltage, transfer,
        pulse_response, states, attention, gradient, nudges, settling, leak, rewritten, held, learning, refreshes,
    )
}  # fmt: skip
"""By name, as ``effects.toml`` calls them."""
