"""Advice: what an epoch's numbers point to, and which setting would change it.

One line for each finding; none for a run that settles and learns. The numbers are those of
:mod:`neuroep.gradients.health`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from hw_models.chip.doubts import doubts as of_chip
from hw_models.reading import Entries
from neuroep.engines.schedule import CALIBRATED, Schedule
from neuroep.runs import config as configuration
from neuroep.runs.config import Config

SHARE = 0.05
"""Share of batches (or weights, or trains) above which it is said."""
FIXED = {"free": 0.01, "nudged": 0.1}
"""Phases without a tolerance are called unsettled above that residual."""
MOVING = {"free": "states still move by {:.2g}", "nudged": "displacements still change by {:.2g} of themselves"}
CLIPPED = 0.4
"""Share of outputs at a bound that keeps a network from learning."""
STILL = 0.01
"""Outputs that move by less than this share of beta do not feel the nudge; losses that fall by less do not fall."""
EPOCHS, SIGMAS = 3, 3.0
"""From that epoch on an accuracy within so many standard errors of chance is said to be chance."""


IDLE = 0.01
"""Devices written in an epoch over those of the first below which a chip is said to learn no more."""
AGED = 0.1
"""Accuracy that an evaluation of aged devices lacks against training, from which it is said."""
COARSE = 0.2
"""Time step over the smallest time constant above which an Euler step is no continuous time: exp(-0.2) is 0.82."""


def doubts(config: Config) -> list[str]:
    """Return a line for every setting that can be and is hardly what was meant, of chip and schedule.

    Of a chip that settles in continuous time layers move together, and a step dt of Euler's goes dt of the way where
    the circuit goes 1 - exp(-dt): dt = 1 all of it, not 63 %.
    """
    chip, settling = config.chip, config.settling
    if chip is None:
        return []
    found = [f"chip.{line}" for line in of_chip(chip)]
    if chip.timing.tau is not None and (settling.order != "synchronous" or settling.dt > COARSE):
        now = f"settling.order = '{settling.order}' and settling.dt = {settling.dt:g}"
        goes = f"a step goes {settling.dt:.0%} of the way where a time constant goes {-math.expm1(-settling.dt):.0%}"
        turns = "layers take turns" if settling.order != "synchronous" else ""
        why = ", and ".join(text for text in (turns, goes if settling.dt > COARSE else "") if text)
        cure = "set settling.order = 'synchronous' and settling.dt = 0.1 or less, and as many more steps"
        found.append(f"chip.timing.tau with {now} is not continuous time: {why}; {cure}")
    sweeps, least = chip.nudged.mean_sweeps, min(settling.free_steps, settling.nudged_steps)
    if sweeps > least:
        found.append(f"chip.nudged.mean_sweeps = {sweeps}: a phase has {least} sweeps at most, and its mean no more")
    return found


def tell(config: Config) -> None:
    """Say what a chip keeps without effect, and what is hardly meant, each once in a process."""
    if config.chip is not None:
        configuration.tell_kept(config.chip)
    for line in doubts(config):
        configuration.say(line)


def settling(health: Entries, free: Schedule, nudged: Schedule, noisy: bool) -> list[str]:
    """Say which phases stopped before they had settled.

    Parameters
    ----------
    health : mapping
        With ``residual``, ``unsettled`` and ``at_levels`` of free phases, and the same of nudged phases after
        ``nudged_``, means over batches; numbers that are missing say nothing.
    free, nudged : Schedule
        How they settled.
    noisy : bool
        Whether every read draws noise, which moves the states in every step.
    """
    last = {name: _number(health, f"nudged_{name}") for name in ("residual", "unsettled", "at_levels")}
    first = unsettled("free phases", "free", health, free, noisy)
    return first + unsettled("nudged phases", "nudged", last, nudged, noisy)


def unsettled(what: str, phase: str, health: Entries, schedule: Schedule, noisy: bool) -> list[str]:
    """Say whether phases stopped before they had settled, with the setting that changes it.

    Parameters
    ----------
    what : str
        Of what ``health["unsettled"]`` is the share.
    phase : str
        ``free`` or ``nudged``.
    health : mapping
        ``residual``, ``unsettled``, and ``at_levels``, the share that ended in a cycle over the converters' levels.
    schedule : Schedule
        How they settled.
    noisy : bool
        Whether every read draws noise.
    """
    residual, share, tolerance = _number(health, "residual"), _number(health, "unsettled"), schedule.tolerance
    if share > SHARE and schedule.stop == CALIBRATED:
        told = f"{share:.0%} of {what} take all {schedule.steps} sweeps: no calibration found them settled before"
        return [f"{told}: raise settling.{phase}_steps or {_bound(phase)} (now {tolerance:g})"]
    if share <= SHARE or (tolerance == 0 and (noisy or residual <= FIXED[phase])):
        return []
    moving = MOVING[phase].format(residual)
    name = _bound(phase)
    if noisy:
        cure = "settling.stop calibrated finds how many sweeps they need"
        return [f"read noise keeps {what} from settling, {moving}: {name} = {tolerance:g} is below the noise; {cure}"]
    if _number(health, "at_levels") > share / 2:
        return _levels(what, phase, residual, name, tolerance)
    cure = f"raise settling.{phase}_steps (now {schedule.steps})"
    cure += f" or {name} (now {tolerance:g})" if tolerance > 0 else ""
    if schedule.order == "synchronous" and schedule.dt == 1:
        cure += ", or take order 'layerwise' or a smaller dt if they go to and fro"
    return [f"{share:.0%} of {what} stop unsettled, {moving}: {cure}"]


def _bound(phase: str) -> str:
    return "settling.tolerance" if phase == "free" else "settling.nudged_tolerance"


def _levels(what: str, phase: str, residual: float, name: str, tolerance: float) -> list[str]:
    """Say what ends in a cycle over levels that is too coarse; more steps would go round in it."""
    if residual <= FIXED[phase]:
        return []
    told = f"{what} settle to within the converters' levels, {MOVING[phase].format(residual)}"
    finer = "more bits do" if phase == "free" else "more bits or a larger estimator.beta do"
    below = f"{name} = {tolerance:g} is below the levels, " if tolerance > 0 else ""
    return [f"{told}: more steps change nothing, {below}{finer}"]


def aged(record: Entries, config: Config) -> list[str]:
    """Say that devices are evaluated long after their last write, where that may be what an evaluation lacks.

    A chip has an age only where something of it drifts, relaxes or grows with time.
    """
    chip, learned = config.chip, record["train"].get("accuracy")
    if chip is None or learned is None or not chip.device.age:
        return []
    lacking = {
        split: learned - found["accuracy"]
        for split, found in record["evaluate"].items()
        if learned - found.get("accuracy", learned) > AGED
    }
    when = f"is evaluated chip.device.age = {chip.device.age:g} s after the last write, and learned right after it"
    cure = "evaluate with chip.device.age = 0 to tell what age costs from what was not learned"
    return [f"{split}, {points:.0%} below training, {when}: {cure}" for split, points in lacking.items()]


def chance(record: Entries, first: Entries, config: Config, labels: Sequence[int]) -> list[str]:
    """Say what an accuracy at chance level after some epochs points to.

    Parameters
    ----------
    record, first : mapping
        Of this epoch and of the first one.
    config : Config
        Of the run.
    labels : sequence of int
        Training samples by class; chance is the share of the most frequent one.
    """
    samples, accuracy = sum(labels), record["train"].get("accuracy")
    clipped = _clipped(record, first, config)
    if (record["epoch"] < EPOCHS and not clipped) or accuracy is None or not samples:
        return []
    most = max(labels) / samples
    above = most + SIGMAS * math.sqrt(most * (1 - most) / samples)
    if accuracy > above or above >= 1:  # of so few samples even the best accuracy says nothing
        return []
    causes = [*clipped, *_unmoved(record, config), *_rates(record, first, config)]
    causes += ["phases stop unsettled"] if record.get("remarks") else []
    found = "; ".join(causes) or "no number stands out, try other rates, a larger beta or more epochs"
    epochs = "1 epoch" if record["epoch"] == 1 else f"{record['epoch']} epochs"
    return [f"training accuracy {accuracy:.1%} after {epochs} is chance ({most:.1%}): {found}"]


def left_alone(record: Entries, first: Entries, config: Config) -> list[str]:
    """Say that devices are hardly written any more, where they are left alone until their weight moves by a threshold.

    Rates that decay add up to less than the threshold in the end; the chip then reads what it did before.

    Parameters
    ----------
    record, first : mapping
        Of this epoch and of the first one.
    config : Config
        Of the run.
    """
    chip, rule = config.chip, config.optimiser
    if chip is None or not chip.update.write_threshold:
        return []
    now, before = (_number(each.get("counters", {}), "writes") for each in (record, first))
    if now >= IDLE * before:
        return []
    told = f"{now:.0f} devices written, {before:.0f} in epoch 1: rates hardly add up to chip.update.write_threshold"
    cure = f"raise optimiser.decay_epochs (now {rule.decay_epochs}) or optimiser.final_rate (now {rule.final_rate:g})"
    return [f"{told} = {chip.update.write_threshold:g} any more, {cure}"]


def _clipped(record: Entries, first: Entries, config: Config) -> list[str]:
    """Outputs at a bound of a clipped potential pass no gradient on."""
    lines = []
    now = config.network.output_bias
    for name, word, way in (("dead_outputs", "lowest", "raise"), ("saturated_outputs", "highest", "lower")):
        share, before = _number(record["health"], name), _number(first["health"], name)
        if share < CLIPPED:
            continue
        told = f"{share:.0%} of the outputs are at their {word} state and pass no gradient on"
        if before >= CLIPPED:
            then = "" if record["epoch"] == 1 else ", as in epoch 1"
            lines.append(f"{told}{then}: {way} network.output_bias (now {'unset' if now is None else now})")
        else:
            lines.append(f"{told}, {before:.0%} in epoch 1: learning put them there, lower {_speeds(config)}")
    return lines


def _unmoved(record: Entries, config: Config) -> list[str]:
    """Outputs that a nudge does not move, without being clipped."""
    health, beta = record["health"], config.estimator.beta
    moved = [_number(health, name) for name in ("displacement_plus", "displacement_minus") if name in health]
    free = max(_number(health, "dead_outputs"), _number(health, "saturated_outputs")) < CLIPPED
    if not moved or max(moved) >= STILL * beta or not free:
        return []
    cure = "raise estimator.beta or settling.nudged_steps"
    return [f"a nudge of {beta:g} moves the outputs by {max(moved):.1g} only: {cure}"]


def _rates(record: Entries, first: Entries, config: Config) -> list[str]:
    """The loss tells rates that are too high from those that are too low."""
    before, now = _number(first["train"], "loss"), _number(record["train"], "loss")
    seen = f"the loss went from {before:.4f} in epoch 1 to {now:.4f}"
    if now > (1 + STILL) * before:
        return [f"{seen}: lower {_speeds(config)}"]
    if now > (1 - STILL) * before:
        return [f"{seen}: change {_speeds(config)}, tenfold up and down"]
    return []


def _speeds(config: Config) -> str:
    rule = config.optimiser
    own = ", optimiser.rates" if rule.rates else ""
    return f"optimiser.projection_rate (now {rule.projection_rate:g}) and dense_rate (now {rule.dense_rate:g}){own}"


def _number(values: Entries, name: str) -> float:
    value = values.get(name)
    return 0.0 if value is None or math.isnan(value) else float(value)
