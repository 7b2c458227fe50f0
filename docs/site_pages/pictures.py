"""Pictures of effects, drawn by the code that computes them: what a chip with one effect does, beside an ideal one.

Each takes the chip of the page and the same chip without the effect, and returns axes. What is read, settled or pulsed
here is read, settled or pulsed as in a run: :class:`hw_models.Crossbar`, an engine, :mod:`analysis.chips.pulses`. Where
the chip without the effect is not ideal either, it is in the picture too. Seeds are fixed: pictures stay the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from analysis.drawing import style

import numpy as np
from matplotlib.axes import Axes

import neuroep
from analysis.chips import pulses
from hw_models import Chip
from hw_models.laws.drift import DRIFT
from hw_models.laws.relaxation import RELAXATION
from hw_models.laws.telegraph import TELEGRAPH
from neuroep.gradients.angles import cosine
from site_pages import subjects

SIZE = (5.6, 3.8)
"""Of a picture [inch]."""
TRIFLE = 0.015
"""Relative error of a chip without an effect from which on it is drawn too."""
WITHOUT = "without the effect"


def product(chip: Chip, without: Chip) -> Axes:
    """Draw outputs of an array against exact ones."""
    weight, x = subjects.weights(), subjects.inputs()
    return _against(x @ weight.T, lambda one: subjects.array(one, weight).forward(x), (chip, without), "product")


def transposed(chip: Chip, without: Chip) -> Axes:
    """Draw transposed products against exact ones."""
    weight, s = subjects.weights(), subjects.inputs()
    exact = s @ weight
    return _against(exact, lambda one: subjects.array(one, weight).transposed(s), (chip, without), "transposed product")


def weights(chip: Chip, without: Chip) -> Axes:
    """Draw weights as the devices of an array hold them against those that were wanted."""
    exact = subjects.weights()
    return _against(exact, lambda one: subjects.array(one, exact).weights(), (chip, without), "weight")


def conductances(chip: Chip, without: Chip) -> Axes:
    """Draw what devices conduct against their targets, at the chip's age; targets lie in no order on the array."""
    share = np.linspace(-1, 1, subjects.LINES**2, dtype=np.float32)
    share = np.random.default_rng(3).permutation(share).reshape(subjects.LINES, subjects.LINES)
    array = subjects.array(chip, share)
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
    found = subjects.array(chip, np.ones((6, 1), dtype=np.float32)).forward(x)
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
    exact, name = subjects.settled(subjects.exact()), "hidden_1"
    return _settled(exact[name], name, (chip, without), "settled state")


def attention(chip: Chip, without: Chip) -> Axes:
    """Draw settled attention states on the chip against exact ones."""
    exact = subjects.settled(subjects.exact())
    name = next(name for name in exact if name.startswith("attention"))
    return _settled(exact[name], name, (chip, without), "attention state")


def _settled(exact: np.ndarray, layer: str, chips: tuple[Chip, Chip], what: str) -> Axes:
    return _against(exact, lambda one: subjects.settled(subjects.engine(one))[layer], chips, what)


def gradient(chip: Chip, without: Chip) -> Axes:
    """Draw the gradient that the chip measures against the exact one."""
    kind = neuroep.estimators.centred
    exact = subjects.gradient(subjects.exact(), kind)
    return _against(exact, lambda one: subjects.gradient(subjects.engine(one), kind), (chip, without), "gradient", True)


def nudges(chip: Chip, without: Chip) -> Axes:
    """Draw the gradient of a positive nudge alone and that of both signs, each against what exact nudges give."""
    ax = style.axes(None, *SIZE)
    kinds = (("positive nudge alone", neuroep.estimators.positive, style.VERMILION),
             ("both nudges", neuroep.estimators.centred, style.BLUE))  # fmt: skip
    for told, kind, colour in kinds:
        right, value = subjects.gradient(subjects.exact(), kind), subjects.gradient(subjects.engine(chip), kind)
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
    courses = (subjects.exact(), "ideal", style.BLACK, 1.0), (subjects.engine(chip), "chip", style.BLUE, dt)
    for engine, name, colour, step in courses:
        course = subjects.course(engine, step)
        away = np.abs(course[: subjects.SHOWN] - course[-1]).max(axis=(1, 2))
        ax.semilogy(np.arange(1, subjects.SHOWN + 1), away, color=colour, linewidth=2, label=name)
    ax.set_ylim(bottom=1e-6)
    style.dress(ax, x="sweeps", y="distance from the fixed point [1]")
    style.legend(ax, loc="upper right")
    return ax


def leak(chip: Chip, without: Chip) -> Axes:
    """Draw what devices conduct from update to update while nothing is written."""
    share = np.linspace(-1, 1, subjects.LINES**2, dtype=np.float32).reshape(subjects.LINES, subjects.LINES)
    array, course = subjects.array(chip, share), []
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
    draw, wanted = np.random.default_rng(2), [subjects.weights()]
    for _ in range(10):
        wanted.append(wanted[-1] + draw.normal(0, 0.01, wanted[-1].shape).astype(np.float32))

    def written(one: Chip) -> np.ndarray:
        array = subjects.array(one, wanted[0])
        for weight in wanted[1:]:
            array.program(weight)
        return array.weights()

    return _against(wanted[-1], written, (chip, without), "weight")


def held(chip: Chip, without: Chip) -> Axes:
    """Draw weights as the devices of a chip that learns by pulses hold them, against those that were wanted."""
    exact = subjects.exact().parameters()
    name = subjects.largest(exact)

    def found(one: Chip) -> np.ndarray:
        return neuroep.engines.local(subjects.network(), chip=one, seed=0).parameters()[name]

    return _against(exact[name], found, (chip, without), "weight")


def learning(chip: Chip, without: Chip) -> Axes:
    """Draw the loss of a small network that learns one batch, on the chip and in exact arithmetic."""
    ax = style.axes(None, *SIZE)
    exact, plain = subjects.losses(None), subjects.losses(without)
    ax.plot(exact, color=style.BLACK, linewidth=2, label="exact")
    if not np.allclose(exact, plain, rtol=1e-2):
        ax.plot(plain, color=style.GREY, linewidth=2, linestyle="--", label=WITHOUT)
    ax.plot(subjects.losses(chip), color=style.BLUE, linewidth=2, label="chip")
    ax.set_ylim(bottom=0)
    style.dress(ax, x="updates", y="loss [1]")
    style.legend(ax, loc="upper right")
    return ax


def refreshes(chip: Chip, without: Chip) -> Axes:
    """Draw the two devices of one pair, and its weight, as pulses come in either direction."""
    ax = style.axes(None, *SIZE)
    found, plain = subjects.pair(chip), subjects.pair(without)
    for number, name in enumerate(("device of pulses up", "device of pulses down", "weight")):
        ax.plot(found[:, number], color=style.colour(number), linewidth=2, label=name)
    ax.plot(plain[:, -1], color=style.GREY, linewidth=1.5, linestyle="--", label=f"weight {WITHOUT}")
    ax.set_ylim(top=1.1)
    style.dress(ax, x="updates", y="share of the weight range [1]")
    style.legend(ax, loc="upper left", ncols=2)
    return ax


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
    clouds = (value, style.BLUE, "chip"), (plain, style.VERMILION, WITHOUT)
    for cloud, colour, name in sorted(clouds, key=lambda one: -_error(one[0], right)):
        if cloud is value or _error(plain, right) > TRIFLE:
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


DRAWN: Mapping[str, Callable[[Chip, Chip], Axes]] = {
    each.__name__: each
    for each in (
        product, transposed, weights, conductances, drift, relaxation, read_noise, telegraph, current_voltage, transfer,
        pulse_response, states, attention, gradient, nudges, settling, leak, rewritten, held, learning, refreshes,
    )
}  # fmt: skip
"""By name, as ``effects.toml`` calls them."""
