"""Pictures of rules with a fast array: chosen devices of A and its reference, and what becomes of the weights W.

found = analysis.run.gathering.follow(engine, batches, estimator, rates, "dense_1")
plot_gathered(found)
plot_kept(found)

States of A, or P, are shares of its range; its reference, P of AGAD and Q of RIDER, is what the rule subtracts, and the
symmetry point where steps up and down of that device are alike. W is in units of weights.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from analysis.drawing import html, numbers, style
from analysis.drawing.panels import Panel, Picture

import numpy as np
from matplotlib.axes import Axes

from analysis.run.learning import liveliest
from analysis.run.subject import Subject
from hw_models.arrays.symmetry import symmetry_points
from neuroep.data.batch import Batch
from neuroep.engines.chip.arrays import CrossbarArray
from neuroep.engines.chip.rules.transfer import FAST, TransferRule
from neuroep.engines.engine import Engine
from neuroep.errors import ConfigError
from neuroep.gradients.estimators import Estimator

FOLLOWED, UPDATES = 3, 40
"""Devices that are followed, and updates of a run's copy."""
REFERENCE = "reference"
"""Name under which rules keep what they subtract of a column."""


@dataclass(frozen=True)
class Gathering:
    """Chosen devices of both arrays of one synapse, during some updates."""

    synapse: str
    rule: str
    entries: np.ndarray
    """(followed, 2) outputs and inputs."""
    fast: np.ndarray
    """(updates + 1, followed) states of A, shares of its range."""
    reference: np.ndarray | None
    """(updates + 1, followed) what the rule subtracts of them; None where it subtracts nothing."""
    points: np.ndarray
    """(followed,) symmetry points of these devices of A."""
    slow: np.ndarray
    """(updates + 1, followed) W in units of weights."""


def follow(
    engine: Engine, batches: Iterable[Batch], estimator: Estimator, rates: Mapping[str, float], synapse: str
) -> Gathering:
    """Let an engine learn, one update per batch, and note the arrays of a synapse whose rule has a fast one.

    Devices are those whose W moves most in the end.

    Raises
    ------
    ConfigError
        If the synapse has no fast array, or there is no batch.
    """
    rule = _rule(engine, synapse)
    if rule is None:
        raise ConfigError(f"synapse '{synapse}': it has no fast array; rules with one: neuroep chips --rules")
    seen = [_states(rule)]
    for step, batch in enumerate(batches):
        engine.update(estimator.measure(engine, batch.keyed("train", step), step).contrasts, rates)
        seen.append(_states(rule))
    if len(seen) < 2:
        raise ConfigError("batches are empty: an update needs one")
    fast, slow = (np.array([each[k] for each in seen]) for k in (0, 2))
    order = np.argsort(-np.abs(slow[-1] - slow[0]), axis=None, kind="stable")[:FOLLOWED]
    where = np.unravel_index(order, slow.shape[1:])
    reference = np.array([each[1] for each in seen]) if REFERENCE in rule.kept else None
    side = rule.groups[FAST][0].devices.sides[0]
    return Gathering(
        synapse,
        rule.chip.update.scheme,
        np.array(where).T,
        _course(fast, where),
        None if reference is None else _course(reference, where),
        symmetry_points(side)[where],
        _course(slow, where),
    )


def _course(states: np.ndarray, where: tuple[np.ndarray, ...]) -> np.ndarray:
    """Return (updates + 1, followed) states of some devices."""
    return states[:, where[0], where[1]]


def _rule(engine: Engine, synapse: str) -> TransferRule | None:
    array = engine.arrays.get(synapse)
    found = array.rule if isinstance(array, CrossbarArray) else None
    return found if isinstance(found, TransferRule) else None


def _states(rule: TransferRule) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return what A, the reference and W hold now."""
    slow = rule.crossbar.stored * rule.crossbar.weight_range
    return rule.fast.stored.copy(), rule.kept.get(REFERENCE, rule.fast.stored[:0]).copy(), slow


def plot_gathered(result: Gathering, ax: Axes | None = None) -> Axes:
    """Draw A of the followed devices (solid), what the rule subtracts (dashed) and their symmetry points (dotted)."""
    ax = style.axes(ax)
    steps = np.arange(len(result.fast))
    for number, (output, source) in enumerate(result.entries):
        look: style.Look = {"color": style.colour(number)}
        ax.plot(steps, result.fast[:, number], linewidth=1.4, label=f"{output} \u2190 {source}", **look)
        if result.reference is not None:
            ax.plot(steps, result.reference[:, number], linestyle="--", linewidth=1.2, **look)
        ax.axhline(result.points[number], linestyle=":", linewidth=1.0, **look)
    style.whole_steps(ax)
    what = "A" if result.reference is None else "A (solid), reference (dashed)"
    style.dress(ax, x="update", y="state [share of the range of A]", title=f"{result.synapse}, {result.rule}: {what}")
    style.legend(ax)
    return ax


def plot_kept(result: Gathering, ax: Axes | None = None) -> Axes:
    """Draw W of the followed devices."""
    ax = style.axes(ax)
    for number, (output, source) in enumerate(result.entries):
        name = f"{output} \u2190 {source}"
        ax.plot(result.slow[:, number], color=style.colour(number), linewidth=1.4, label=name)
    style.whole_steps(ax)
    style.dress(ax, x="update", y="weight [1]", title=f"{result.synapse}, {result.rule}: W")
    style.legend(ax)
    return ax


def _measure(subject: Subject) -> list[Gathering]:
    """Let a copy of a run learn on and follow its liveliest synapse; nothing where the rule has no fast array."""
    chip = subject.run.config.chip
    if chip is None or "transfer.rate" not in chip.update.facts.takes:
        return []
    opened = subject.opened
    rates = opened.parts.rates(max(0, opened.epochs - 1))
    synapse, parts = liveliest(opened, rates), opened.again()
    batches = islice((batch for epoch in range(UPDATES) for batch in parts.shuffled(epoch)), UPDATES)
    return [follow(parts.engine, batches, parts.estimator, rates, synapse)]


def _about(results: Sequence[Gathering]) -> str:
    if not results:
        return ""
    many = numbers.plural(len(results[0].fast) - 1, "update")
    about = f"A copy of the network learned for {many} more. The pictures show the devices whose weights move most."
    return html.paragraph(about, "note")


GATHERING = Panel(
    "Behaviour",
    72,
    _measure,
    (
        Picture(
            plot_gathered,
            "States of the fast array, the references that the rule subtracts, and the symmetry points (dotted).",
            "fast array, update by update",
        ),
        Picture(plot_kept, "Weights of the same synapses.", "weights, update by update"),
    ),
    title="The fast array",
    below=_about,
    opens=True,
    learns=True,
)
