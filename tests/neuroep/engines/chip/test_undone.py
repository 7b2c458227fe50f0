"""What updates lose to leak and to write disturb: by hand, and of chips whose every update is followed from outside."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from hw_models.chip import Chip
from neuroep import engines
from neuroep.data.batch import Batch, TokenVectors
from neuroep.engines.chip.rules.undone import Undone, share, undone
from neuroep.engines.engine import Engine
from neuroep.engines.settling import Schedule
from neuroep.gradients.estimators import Estimator
from neuroep.learning.optimisers import SGD
from neuroep.network import builders

UPDATES, LEAK, DISTURB = 6, 0.05, 0.02
SYNAPSE = "dense_1"
PULSES: dict[str, Any] = {"scheme": "pulsed", "signals": "contrast", "trains": "expected"}


@pytest.mark.parametrize(
    ("arrived", "wanted"),
    [
        ([3.0, 4.0], 0.0),
        ([0.0, 0.0], 1.0),
        ([1.5, 2.0], 0.5),
        ([6.0, 8.0], 0.0),
        ([3.0 - 4.0, 4.0 + 3.0], 1 - np.sqrt(0.5)),
        ([-3.0, -4.0], 1.0),
    ],
    ids=["all", "nothing", "half", "more of it", "as much beside it", "the opposite"],
)
def test_the_share_that_does_not_get_through(arrived: list[float], wanted: float) -> None:
    assert share(*undone(np.array([3.0, 4.0]), np.array(arrived))) == pytest.approx(wanted, abs=1e-12)


def test_where_nothing_was_meant_nothing_is_lost() -> None:
    """Rounding is no update."""
    leaked = np.array([1.0, -2.0], np.float32)
    assert share(*undone(leaked * 0, leaked)) == share(*undone(leaked * np.float32(1e-7), leaked)) == 0


def test_what_was_asked_for_begins_anew() -> None:
    taken, weight = Undone(), np.ones(3)
    taken.leaks(weight, 0.5 * weight)
    taken.feels(weight, -weight)
    assert taken.shares(weight * 1.0) == {"updates_leaked": 1.0, "updates_disturbed": 1.0}
    assert taken.shares(weight) == {}


def trained(update: dict[str, Any], device: dict[str, Any], updates: int = UPDATES) -> tuple[Engine, list[np.ndarray]]:
    """Return an engine after some updates, and the weights of one synapse ahead of each and behind the last."""
    network = builders.sentiment(6, 5, (12, 2))
    pulse = {"pulse": {"dw_min": 1e-4}} if update else {}
    chip = Chip.model_validate(
        {"device": device | pulse, "update": update, "crossbar": {"weight_headroom": 4.0}} if update
        else {"device": device, "crossbar": {"weight_headroom": 4.0}}
    )  # fmt: skip
    engine = engines.local(network, seed=3, threads=1, chip=chip, optimiser=SGD())
    phase, draw = Schedule(steps=8), np.random.default_rng(0)
    sequence = network.sequences[0]
    vectors = draw.normal(size=(16, sequence.tokens, sequence.dim))
    batch = Batch({sequence.name: TokenVectors(vectors, np.full(16, sequence.tokens))}, draw.integers(0, 2, 16))
    estimator = Estimator("centred", 0.2, phase, phase)
    weights = [engine.parameters()[f"{SYNAPSE}.weight"].astype(np.float64)]
    for step in range(updates):
        measured = estimator.measure(engine, batch.keyed("train", step), step)
        engine.update(measured.contrasts, dict.fromkeys([each.name for each in network.synapses], 0.5))
        weights.append(engine.parameters()[f"{SYNAPSE}.weight"].astype(np.float64))
    return engine, weights


def by_hand(meant: np.ndarray, arrived: np.ndarray) -> float:
    """Return the share, entry by entry."""
    both = squared = came = 0.0
    for d, m in zip(meant.flat, arrived.flat, strict=True):
        both, squared, came = both + d * m, squared + d * d, came + m * m
    return 1 - both / (squared**0.5 * max(squared, came) ** 0.5)


def test_the_leak_of_some_updates_is_that_of_every_weight_ahead_of_each() -> None:
    """A pair leaks towards 0: -leak w, ahead of the pulses."""
    engine, weights = trained(PULSES, {"leak": LEAK})
    leaked = sum(-LEAK * weight for weight in weights[:-1])
    arrived = weights[-1] - weights[0]
    found = engine.array_health()[SYNAPSE]
    assert "updates_disturbed" not in found
    wanted = by_hand(arrived - leaked, arrived)
    assert 0.05 < wanted < 0.99 and found["updates_leaked"] == pytest.approx(wanted, rel=1e-3)
    assert "updates_leaked" not in engine.array_health()[SYNAPSE]


def neighbours(shape: tuple[int, int]) -> np.ndarray:
    """Return which moves every device feels: those of the others on its lines."""
    rows, columns = shape
    found = np.zeros((rows * columns, rows * columns))
    for i in range(rows):
        for j in range(columns):
            for other in range(columns):
                found[i * columns + j, i * columns + other] += other != j
            for other in range(rows):
                found[i * columns + j, other * columns + j] += other != i
    return found


def test_what_neighbours_feel_of_pulses_is_taken_from_what_the_pulses_moved() -> None:
    """One update: the moves m solve m + f(m) = what has changed."""
    engine, (before, after) = trained(PULSES, {"disturb": DISTURB}, updates=1)
    changed = (after - before).ravel()
    felt = DISTURB * neighbours(before.shape)
    moved = np.linalg.solve(np.eye(len(changed)) + felt, changed)
    wanted = by_hand(moved, changed)
    found = engine.array_health()[SYNAPSE]
    assert "updates_leaked" not in found
    assert wanted > 1e-3 and found["updates_disturbed"] == pytest.approx(wanted, rel=5e-3)


@pytest.mark.parametrize(
    ("update", "device"),
    [(PULSES, {}), ({}, {}), ({}, {"disturb": DISTURB})],
    ids=["pulses", "digital", "digital, disturbed"],
)
def test_weights_that_are_written_anew_lose_nothing_nor_do_chips_without_these_faults(
    update: dict[str, Any], device: dict[str, Any]
) -> None:
    engine, _ = trained(update, device, updates=2)
    assert not {"updates_leaked", "updates_disturbed"} & engine.array_health().get(SYNAPSE, {}).keys()
