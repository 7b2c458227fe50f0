"""Recipes: which cures a chip needs to learn, chosen from what a calibration batch sees of it.

    neuroep train examples/configs/reviews.toml --out runs/pcm --chip pcm --recipe auto

A batch of the samples on which converters are calibrated settles as for an update, with the initial weights on devices
just written, and then twice more without a nudge. By layer, rms over samples and neurons,

    signal^2 = <(s+ - s-)^2> - noise^2,     noise^2 = <(s0 - s0')^2>,     step = coarsest level of what settles

EP learns from what the nudge moves, so a ratio of signal to noise below :data:`ENOUGH`, or a step above the signal,
asks for increments. The same weights are written twice and left to age: devices are left alone until their weight moves
by what a writing is off by, and the largest weights are cut where the error is a tenth of all. Rates that decay until
they hardly move a weight by such an error leave the last epochs idle: nothing is written, or what is written says
nothing new. Adam moves a weight by about its rate in an update, so the decay is drawn out (``optimiser.decay_epochs``)
until in the last epoch, in every synapse,

    updates of an epoch x rate >= :data:`WRITES` x e x weight range,

e the write threshold or, where all are written, the error of a writing over the range.

What else is chosen goes by what the chip has: ranges, holders, phases or paths that differ. Where read noise then still
keeps phases from settling, the numbers of their sweeps are found at calibrations (``settling.stop``). With all that,
:mod:`neuroep.runs.limits` measures what the contrast still loses, and the cures of its worst limit are taken as long as
they are settings of learning (:data:`SETTINGS`) and not of the chip's circuits.

Every choice is a setting of the run with a line that says why; ``config.toml`` holds them all, and a run from it is the
same without the recipe. Settings that the command line gives stay as given.

Training takes one by :func:`follow`, and so do the questions that run many trials (``neuroep sweep``, ``ablate`` and
``require``): they follow it once, with the seeds that the configuration names, and all trials share what it chose.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np

from hw_models.chip import Chip
from neuroep.data import batch_count
from neuroep.engines.schedule import CALIBRATED
from neuroep.errors import ConfigError, UserError, setting, unknown
from neuroep.learning.optimisers import cosine
from neuroep.runs import config as configuration, limits
from neuroep.runs.config import Config
from neuroep.runs.overrides import dotted
from neuroep.runs.session import Session

if TYPE_CHECKING:
    from neuroep.data.batch import Batch
    from neuroep.data.corpus import Corpus

_log = logging.getLogger(__name__)
RECIPES = ("auto",)
ENOUGH = 10.0
"""Ratio of signal to noise of a layer from which its states may drive the arrays."""
APART = 0.01
"""Difference of the weights of two paths over their size from which increments exchange them."""
BLURRED = 0.1
"""Error of what is written and left to age, over the size of the weights, from which their range is cut."""
NOISY = 0.005
"""Error of a writing over the weight range from which devices are left alone until their weight moves by as much."""
CLIP = 3.0
"""Where it is cut, in root mean squares of the weights."""
OFTEN, SELDOM = 10, 20
"""Updates between two calibrations: of ranges of states, and where increments have ranges of their own."""
SETTINGS = (
    "chip.nudged.drive",
    "chip.nudged.paths",
    "chip.nudged.mean_sweeps",
    "chip.crossbar.repeats",
    "chip.crossbar.follow_weights",
    "chip.crossbar.weight_clip",
    "chip.update.write_threshold",
    "chip.calibration_every",
    "chip.readout.holds",
    "chip.readout.chopping",
    "chip.readout.auto_zero",
    "estimator.beta",
    "estimator.order",
    "optimiser.decay_epochs",
    "settling.stop",
)
"""What a recipe may set."""
WRITES = 5
"""Errors of a writing by which the rates of the last epoch are to move a weight, where updates all have one sign."""
LONGEST = 8
"""Longest decay that is tried, in epochs of training; beyond, rates stay as they are."""
ROUNDS = 3
"""Most limits that are taken up, one after the other."""


@dataclass(frozen=True)
class Observed:
    """What a calibration batch sees of a chip."""

    ratio: Mapping[str, float]
    """By layer, signal over noise; infinite without any."""
    step: Mapping[str, float]
    """By layer, the coarsest level over the signal."""
    apart: float
    """Root mean square of W - V over that of W, V the weights of the transposed path; the synapse with most."""
    blurred: float
    """Root mean square of what writing and ageing until the chip is read add to W, over that of W; the synapse with
    most."""
    rewritten: float
    """The same of the part that every writing draws anew, over the weight range."""
    rates: Mapping[str, float]
    """By synapse, the initial learning rate."""
    spans: Mapping[str, float]
    """By synapse whose devices have a range, this over the updates of an epoch: the rate at which Adam could take a
    weight from 0 to it in one."""


@dataclass(frozen=True)
class Choice:
    """A setting that a recipe chooses."""

    setting: str
    value: str
    why: str

    @property
    def words(self) -> list[str]:
        """The setting as the command line would give it."""
        return [f"--{self.setting}", self.value]

    @property
    def line(self) -> str:
        """One line for a reader."""
        return f"{self.setting} = {self.value}: {self.why}"


def check(recipe: str, config: Config) -> Chip:
    """Return the chip that a recipe is for; refuse a recipe that is none, or has no chip.

    Raises
    ------
    ConfigError
        Naming it and what is allowed.
    """
    if recipe not in RECIPES:
        raise ConfigError(unknown("recipe", recipe, RECIPES))
    if config.chip is None:
        raise ConfigError(f"recipe = '{recipe}': it is for learning on a chip, name one with {setting('chip', 'NAME')}")
    return config.chip


def follow(
    recipe: str,
    config: Config,
    given: Sequence[str] = (),
    *,
    corpus: Corpus | None = None,
    kept: Sequence[Mapping[str, str]] | None = None,
) -> list[Choice]:
    """Return what a recipe chooses, each said in a line; or what it chose before, where that was kept.

    Parameters
    ----------
    recipe : {"auto"}
        Its name.
    config : Config
        With a chip.
    given : sequence of str
        Overrides whose settings stay as they are.
    corpus : Corpus, optional
        The data, where they are in memory already.
    kept : sequence of mapping, optional
        Choices of a run or a sweep that goes on, as :func:`dataclasses.asdict` gives them.

    Raises
    ------
    ConfigError
        As :func:`check`.
    """
    check(recipe, config)
    if kept is not None:
        named = _named(given)
        return [choice for choice in (Choice(**each) for each in kept) if choice.setting not in named]
    found = auto(config, given, corpus)
    for choice in found:
        _log.warning("recipe: %s", choice.line)
    return found


def auto(config: Config, given: Sequence[str] = (), corpus: Corpus | None = None) -> list[Choice]:
    """Return what the toolkit would switch on for a chip to learn.

    Parameters
    ----------
    config : Config
        With a chip.
    given : sequence of str
        Overrides of the command line, whose settings stay as they are.
    corpus : Corpus, optional
        The data, where they are in memory already.
    """
    chip = check("auto", config)
    named = _named(given)
    found: list[Choice] = []
    seen = look(config, corpus)
    for choice in chain(_choices(chip, seen), _of_rates(config, found, seen)):
        if choice.setting not in named and _stands(config, [*found, choice]):
            found.append(choice)
    found += _of_limits(config, found, frozenset(SETTINGS) - named, corpus)
    if "settling.stop" not in named:
        found += [choice for choice in _of_phases(config, found, corpus) if _stands(config, [*found, choice])]
    return list({choice.setting: choice for choice in found}.values())


def _named(given: Sequence[str]) -> set[str]:
    """Return the settings that overrides name."""
    return {dotted(option)[0] for option in given[::2]}


def _of_limits(
    config: Config, chosen: Sequence[Choice], free: Collection[str], corpus: Corpus | None
) -> Iterator[Choice]:
    """Yield the cures of what still limits learning the most, by settings that are free, with those chosen already."""
    session, changed = None, configuration.changed(config, overrides(chosen))
    for _ in range(ROUNDS):
        session = Session.open(changed, corpus=corpus if session is None else session.corpus, age=0.0)
        worst = next((limit for limit in limits.diagnose(session, changing=free).limits if limit.overrides), None)
        if worst is None:
            return
        words = worst.overrides
        for name, value in zip(words[::2], words[1::2], strict=True):
            yield Choice(name.removeprefix("--"), value, f"{worst.name} cost {worst.cost:.0%} of the update")
        changed = configuration.changed(changed, words)
        free = set(free) - {name.removeprefix("--") for name in words[::2]}


def _of_phases(config: Config, chosen: Sequence[Choice], corpus: Corpus | None) -> Iterator[Choice]:
    """Yield numbers of sweeps that are found at calibrations, where read noise keeps phases above their tolerance."""
    session = Session.open(configuration.changed(config, overrides(chosen)), corpus=corpus, age=0.0)
    phases = ("free", "", session.estimator.free), ("nudged", "nudged_", session.estimator.nudged)
    if not session.engine.redraws or config.settling.stop != "tolerance":
        return
    health = session.estimator.measure(session.engine, session.calibration_batch("recipe"), 0).health
    kept = [name for name, of, schedule in phases if schedule.tolerance > 0 and health.get(f"{of}unsettled", 0) > 0]
    if kept:
        why = f"read noise keeps {' and '.join(kept)} phases from settling to their tolerance"
        yield Choice("settling.stop", CALIBRATED, why)


def overrides(choices: Sequence[Choice]) -> list[str]:
    """Return choices as the command line would give them."""
    return [word for choice in choices for word in choice.words]


def look(config: Config, corpus: Corpus | None = None) -> Observed:
    """Settle a calibration batch on the chip as it is, and see what its nudge, its reads and its paths do."""
    session = Session.open(config, corpus=corpus, age=0.0)
    engine, estimator = session.engine, session.estimator
    batch = session.calibration_batch("recipe")
    clamped = engine.clamp(batch)
    free, still = engine.settle(clamped, estimator.free), estimator.nudged.whole()
    phases = ((1, estimator.beta), (2, -estimator.beta), (3, 0.0), (4, 0.0))
    states = [engine.states(engine.settle(clamped, still, beta, free, (), number)) for number, beta in phases]
    ratio, step = {}, {}
    for layer in engine.network.layers:
        plus, minus, one, other = (np.asarray(state[layer.name], dtype=np.float64) for state in states)
        moved, noise = (float(np.sqrt(np.mean(np.square(a - b)))) for a, b in ((plus, minus), (one, other)))
        signal = max(moved**2 - noise**2, 0.0) ** 0.5
        ratio[layer.name] = signal / noise if noise else np.inf
        step[layer.name] = engine.level * float(np.abs(plus).max(initial=0)) / signal if signal else np.inf
    weights = [pair for array in engine.arrays.values() for pair in array.paths()]
    sizes = [np.sqrt(np.square(w - v).mean() / max(np.square(w).mean(), 1e-30)) for w, v in weights if w.size]
    updates = batch_count(session.corpus.split("train"), config.training.batch)
    ranges, names = engine.substrate.ranges(), [synapse.name for synapse in engine.network.synapses]
    wide = {name: ranges.get(f"crossbar {name} weights", 0.0) / updates for name in names}
    spans = {name: span for name, span in wide.items() if span > 0}
    return Observed(ratio, step, float(max(sizes, default=0.0)), *_errors(session, batch), session.rates(0), spans)


def _errors(session: Session, batch: Batch) -> tuple[float, float]:
    """Return the errors of writing weights; the session is of no use afterwards.

    Two writings of the same weights, the second as by an update at rate 0, differ by sqrt(2) of what each draws anew.
    """
    engine, ranges = session.engine, session.engine.substrate.ranges()
    one = engine.conducting()
    with engine.aged():
        old = engine.conducting()
    contrasts = session.estimator.measure(engine, batch, 0).contrasts
    engine.update(contrasts, dict.fromkeys(session.rates(0), 0.0))
    other, blurred, rewritten = engine.conducting(), [0.0], [0.0]
    for name in (synapse.name for synapse in engine.network.synapses):
        a, b, c = (np.asarray(each[f"{name}.weight"], dtype=np.float64) for each in (one, other, old))
        size, drawn, aged = (float(np.mean(np.square(each))) for each in (a, a - b, c - a))
        blurred.append(((drawn / 2 + aged) / size) ** 0.5 if size else 0.0)
        rewritten.append((drawn / 2) ** 0.5 / ranges.get(f"crossbar {name} weights", np.inf))
    return max(blurred), max(rewritten)


def _choices(chip: Chip, seen: Observed) -> Iterator[Choice]:
    """Yield what may help, in the order in which one needs the other; what could not act is left out later."""
    read, device = chip.readout, chip.device
    held = read.holding and (read.differs or read.hold_noise > 0)
    worst = min(seen.ratio, key=lambda layer: seen.ratio[layer])
    coarse = max(seen.step, key=lambda layer: seen.step[layer])
    reason = ""
    if chip.substrate == "event_driven":
        reason = ""  # which sends increments anyway
    elif seen.apart > APART:
        reason = f"the transposed path has other weights, by {seen.apart:.2g} of their size"
    elif seen.ratio[worst] < ENOUGH:
        reason = f"{_beside(worst, seen.ratio[worst])}, and increments are read with less noise"
    elif seen.step[coarse] > 1:
        reason = f"a step of the converters is {seen.step[coarse]:.2g} times what the nudge moves in {coarse}"
    elif device.phase_drift or device.nudge_shift:
        reason = "products of the phases are read with other supplies"
    elif held:
        reason = "holders leave little of the contrast to waste on reads"
    if reason:
        yield Choice("chip.nudged.drive", "increments", reason)
    if seen.apart > APART:
        yield Choice("chip.nudged.paths", "exchanged", "increments through the other path's array give the gradient")
    yield Choice("chip.crossbar.follow_weights", "true", "weights grow beyond a range that is fixed at the start")
    every = SELDOM if reason else OFTEN
    if seen.blurred > BLURRED:
        why = f"what is written is off by {seen.blurred:.0%} of the weights, less where the largest set no range"
        yield Choice("chip.crossbar.weight_clip", f"{CLIP:g}", why)
    if seen.rewritten >= NOISY and not device.drifts:  # those that are left alone would drift further than the others
        why = f"a writing is off by {seen.rewritten:.1%} of the range: what moves by less is left alone"
        yield Choice("chip.update.write_threshold", f"{seen.rewritten:.1g}", why)
    yield Choice("chip.calibration_every", str(every), "ranges of converters go by weights and states that change")
    if read.differs or device.phase_drift:
        yield Choice("estimator.order", "mirrored", "+ - - + takes away what differs between the phases by their turn")
    if held or device.nudge_shift:
        yield Choice("estimator.beta", "0.5", "a larger nudge stands above what holders and supplies add")
    if read.hold_noise:
        yield Choice("chip.readout.holds", "4", "the mean of four holds has half the noise of one")


def _beside(layer: str, ratio: float) -> str:
    """Say how what the nudge moves in a layer compares with the noise of its reads."""
    if ratio == 0:
        return f"what the nudge moves in {layer} does not stand out of the noise of reads"
    return f"the nudge moves {layer} by {ratio:.2g} times the noise of its reads"


def _of_rates(config: Config, chosen: Sequence[Choice], seen: Observed) -> Iterator[Choice]:
    """Yield the shortest decay with which the last epoch still moves weights beyond the errors of writing.

    0, no decay, where the longest is too short.
    """
    chip = configuration.changed(config, overrides(chosen)).chip
    settings, last = config.optimiser, config.training.epochs - 1
    off = float(f"{seen.rewritten:.1g}") if seen.rewritten >= NOISY else 0.0
    moves = WRITES * (off if chip is None else chip.update.write_threshold or off)
    wanted = {name: moves * span for name, span in seen.spans.items() if seen.rates[name] > 0}

    def idle(period: int) -> list[str]:
        final = settings.final_rate
        return [name for name, least in wanted.items() if cosine(seen.rates[name], last, period, final) < least]

    if settings.kind != "adam" or not moves or not settings.decay_epochs or not idle(settings.decay_epochs):
        return
    longer = range(settings.decay_epochs + 1, LONGEST * config.training.epochs + 1)
    found = next((period for period in longer if not idle(period)), 0)
    names = ", ".join(idle(settings.decay_epochs))
    why = f"with {settings.decay_epochs} the last epoch hardly moves {names} by what a writing is off by"
    yield Choice("optimiser.decay_epochs", str(found), why)


def _stands(config: Config, choices: Sequence[Choice]) -> bool:
    """Tell whether choices change something and can all act."""
    try:
        changed = configuration.changed(config, overrides(choices))
    except UserError:
        return False
    return changed.flat() != configuration.changed(config, overrides(choices[:-1])).flat()
