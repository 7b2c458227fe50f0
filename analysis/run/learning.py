"""What an array does while an engine learns: chosen synapses update by update, and how far every weight moved."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from analysis.run.subject import Opened, Subject
from hw_models.arrays.crossbar import Crossbar
from hw_models.kernels.blocks import blocks
from neuroep.data.batch import Batch
from neuroep.engines.chip.arrays import CrossbarArray
from neuroep.engines.engine import Engine
from neuroep.errors import ConfigError, unknown
from neuroep.gradients.estimators import Estimator

FOLLOWED = 5
"""Synapses that are followed by default."""
UPDATES = 6
"""Weight updates of a run's copy that are recorded."""
Entries = tuple[np.ndarray, np.ndarray]
"""Outputs and inputs of crosspoints."""
Arrays = tuple[np.ndarray, np.ndarray | None]
"""Weights (out, in) and conductances (2, out, in)."""


@dataclass(frozen=True)
class Learning:
    """One synapse's array during some updates."""

    synapse: str
    entries: np.ndarray
    """(followed, 2) output and input of the synapses that were followed."""
    weights: np.ndarray
    """(updates + 1, followed) weights that learning holds: master copies, or the devices' own."""
    conductances: np.ndarray | None
    """(updates + 1, followed, 2) conductances of both devices of a pair, or of a device and its reference [uS]; of
    several slices the most significant; None without a crossbar."""
    moved: np.ndarray
    """(out, in) sum of |delta w| over the updates, of the weights that learning holds."""
    tiles: tuple[tuple[int, ...], tuple[int, ...]] = ((), ())
    """Outputs and inputs at which a tile ends and the next begins."""
    paired: bool = True
    """Whether a weight is the difference of two devices."""
    slices: int = 1
    """Slices of a weight, of which the most significant is followed."""
    crossbars: int = 1
    """Crossbars that hold the weights, of which the conductances are the first one's."""

    @property
    def updates(self) -> int:
        """Number of updates."""
        return len(self.weights) - 1


def record(
    engine: Engine,
    batches: Iterable[Batch],
    estimator: Estimator,
    rates: Mapping[str, float],
    synapse: str,
    entries: Sequence[tuple[int, int]] | None = None,
) -> Learning:
    """Let an engine learn, one update per batch, and note what one of its arrays does.

    Parameters
    ----------
    engine : Engine
        Any; it has learned afterwards. Calibrate a chip before.
    batches : iterable of Batch
        One for each update.
    estimator : Estimator
        Of the gradient.
    rates : mapping of str to float
        Learning rate by synapse.
    synapse : str
        Whose array is followed.
    entries : sequence of (output, input), optional
        Synapses to follow; default five between the one that the first change of the array moves most and the median.

    Raises
    ------
    ConfigError
        If there is no such synapse or entry, or no batch.
    DivergenceError
        If a state or weight is not finite.
    """
    shapes = {part.name: part.shape for part in engine.network.synapses}
    if synapse not in shapes:
        raise ConfigError(unknown("synapse", synapse, shapes))
    chosen = None if entries is None else _checked(entries, shapes[synapse], synapse)
    weight, moved = engine.parameters()[f"{synapse}.weight"], np.zeros(shapes[synapse])
    waiting = [(weight, _conductances(engine, synapse))]  # whole arrays, until the synapses are chosen
    course: list[np.ndarray] = []
    pairs: list[np.ndarray] = []
    for step, batch in enumerate(batches):
        engine.update(estimator.measure(engine, batch.keyed("train", step), step).contrasts, rates)
        before, weight = weight, engine.parameters()[f"{synapse}.weight"]
        change = np.abs(weight - before)
        moved += change
        waiting.append((weight, _conductances(engine, synapse)))
        if chosen is None and change.any():
            chosen = _lively(change)
        if chosen is not None:
            _follow(waiting, chosen, course, pairs)
    if len(course) + len(waiting) < 2:
        raise ConfigError("batches are empty: an update needs one")
    if chosen is None:
        chosen = _lively(moved)
        _follow(waiting, chosen, course, pairs)
    held = np.array(pairs).transpose(0, 2, 1) if pairs else None
    return Learning(synapse, np.array(chosen).T, np.array(course), held, moved, *_geometry(engine, synapse))


def _follow(waiting: list[Arrays], chosen: Entries, course: list[np.ndarray], pairs: list[np.ndarray]) -> None:
    """Note of waiting arrays what belongs to the chosen synapses."""
    for weight, conducted in waiting:
        course.append(weight[chosen])
        if conducted is not None:
            pairs.append(conducted[:, *chosen])
    waiting.clear()


def _checked(entries: Sequence[tuple[int, int]], shape: tuple[int, int], synapse: str) -> Entries:
    if not len(entries):
        raise ConfigError("entries are empty: name at least one (output, input)")
    for entry in entries:
        place = tuple(entry)
        whole = len(place) == 2 and all(isinstance(number, int | np.integer) for number in place)
        if not whole or not (0 <= place[0] < shape[0] and 0 <= place[1] < shape[1]):
            raise ConfigError(f"entry {place}: '{synapse}' has {shape[0]} outputs and {shape[1]} inputs, both from 0")
    found = np.array(entries, dtype=np.int64).reshape(-1, 2)
    return found[:, 0], found[:, 1]


def _lively(change: np.ndarray) -> Entries:
    """Return crosspoints from the one that moved most down to the median of those that moved."""
    order = np.argsort(-change, axis=None, kind="stable")
    last = max(0, int(np.count_nonzero(change)) // 2 - 1)
    ranks = np.unique(np.linspace(0, last, FOLLOWED).astype(int))
    output, source = np.unravel_index(order[ranks], change.shape)
    return output, source


def _crossbar(engine: Engine, synapse: str) -> Crossbar | None:
    """Return the crossbar of a synapse, or None where its array is none."""
    array = engine.arrays[synapse]
    return array.crossbar if isinstance(array, CrossbarArray) else None


def _conductances(engine: Engine, synapse: str) -> np.ndarray | None:
    """Return (2, out, in) conductances of the most significant slice, which is the last [uS]."""
    crossbar = _crossbar(engine, synapse)
    return None if crossbar is None else np.stack([side[-1] for side in crossbar.conductances()])


def _geometry(engine: Engine, synapse: str) -> tuple[tuple[tuple[int, ...], tuple[int, ...]], bool, int, int]:
    """Return inner borders of tiles along outputs and inputs, whether weights are pairs, slices, and crossbars."""
    crossbar = _crossbar(engine, synapse)
    if crossbar is None:
        return ((), ()), True, 1, 1
    bar, shape = crossbar.layout, crossbar.shape
    outputs, inputs = (
        tuple(last for _, last in blocks(*cut)[:-1]) for cut in zip(shape, (bar.columns, bar.rows), strict=True)
    )
    array = engine.arrays[synapse]
    several = len(array.rule.crossbars) if isinstance(array, CrossbarArray) else 1
    return (outputs, inputs), crossbar.devices.paired, bar.slices, several


def learn_on(subject: Subject) -> list[Learning]:
    """Let a copy of a run's network learn on for some updates, and follow the synapse that moves most for its size.

    The run is left as it is. Rates are those of its last epoch.
    """
    opened = subject.opened
    rates = opened.parts.rates(max(0, opened.epochs - 1))
    synapse = liveliest(opened, rates)
    parts = opened.again()
    batches = islice(opened.parts.batches("train"), UPDATES)
    return [record(parts.engine, batches, parts.estimator, rates, synapse)]


def liveliest(opened: Opened, rates: dict[str, float]) -> str:
    """Return the synapse whose weights one update moves most, relative to their size."""
    parts = opened.again()
    engine, batch = parts.engine, next(parts.batches("train"))
    before = engine.parameters()
    engine.update(parts.estimator.measure(engine, batch.keyed("train", 0), 0).contrasts, rates)
    after = engine.parameters()
    names = [synapse.name for synapse in parts.network.synapses]
    return max(names, key=lambda name: _moved(before[f"{name}.weight"], after[f"{name}.weight"]))


def _moved(before: np.ndarray, after: np.ndarray) -> float:
    length = float(np.linalg.norm(before))
    return float(np.linalg.norm(after - before)) / length if length else 0.0
