"""Phases that are recorded and replayed give what sweeps done one by one give, to the bit, batch after batch.

On the CPU a recording is a list of torch's operations with the tensors they read and wrote: done again they read what
lies there now and write to the same memory, as a CUDA graph does. What a graph's capture refuses, a number brought to
the host or a tensor made of the host's numbers, is refused here too.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from neuroep.engines.engine import Engine
from neuroep.engines.schedule import Schedule
from neuroep.engines.torch.replay import KEPT, GraphRecorder, Tapes
from neuroep.errors import DivergenceError
from neuroep.gradients.estimators import Estimator
from tests import cases

REFUSED = ("aten._local_scalar_dense", "aten.lift_fresh", "aten.equal", "aten.nonzero", "aten.is_nonzero")
FREE = Schedule(steps=23, tolerance=1e-6, acceleration="anderson")
NUDGED = Schedule(steps=23, tolerance=1e-3, form="differences", acceleration="anderson")


class Playback(TorchDispatchMode):
    """One recording."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[Any, Sequence[Any], dict[str, Any], Any]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        assert not str(func).startswith(REFUSED), f"{func} cannot be captured"
        out = func(*args, **(kwargs or {}))
        self.calls.append((func, args, kwargs or {}, out))
        return out

    def replay(self) -> None:
        """Do it again, on the same memory."""
        for func, args, kwargs, out in self.calls:
            for mine, found in zip(tree_leaves(out), tree_leaves(func(*args, **kwargs)), strict=True):
                if mine.data_ptr() != found.data_ptr():
                    mine.copy_(found)


class PlaybackRecorder:
    """Recordings on the CPU."""

    made = 0

    def record(self) -> tuple[Playback, Playback]:
        """Return one more."""
        PlaybackRecorder.made += 1
        found = Playback()
        return found, found


def pair(where: str, net: Any, **settings: Any) -> tuple[Engine, Engine]:
    """Return an engine that does sweeps one by one, looking as rarely as on a GPU, and one that replays them."""
    plain, replaying = (cases.engine(where, net, **settings) for _ in range(2))
    for engine in (plain, replaying):
        engine.check_every = 4
    plain.substrate.replay = None
    replaying.substrate.replay = Tapes(PlaybackRecorder if where == "cpu" else GraphRecorder)
    return plain, replaying


def told(engine: Engine, estimator: Estimator, batch: Any, step: int) -> Iterator[Any]:
    """Yield everything that comes of one batch and its update."""
    phases = estimator.settle(engine, batch, step)
    for name, phase in (("free", phases.free), *phases.nudged.items()):
        yield name, phase.steps, phase.residual, phase.converged
        for state in (phase.state.values, phase.state.weights):
            yield from (engine.to_numpy(state[layer]).tobytes() for layer in state)
        yield phase.energy.tobytes()
    measured = estimator.measure(engine, batch, step)
    yield sorted(measured.health.items())
    engine.update(measured.contrasts, {synapse.name: 0.01 for synapse in engine.network.synapses})
    yield [value.tobytes() for value in engine.parameters().values()]
    yield engine.counters()


SCHEDULES = {
    "accelerated": (FREE, NUDGED),
    "plain": (replace(FREE, acceleration="none"), replace(NUDGED, acceleration="none")),
    "states": (FREE, replace(NUDGED, form="states")),
    "slow": (replace(FREE, acceleration="none", dt=0.5), replace(NUDGED, acceleration="none", dt=0.5)),
    "synchronous": (Schedule("synchronous", steps=9), Schedule("synchronous", steps=5, form="differences")),
    "fixed": (Schedule(steps=6), Schedule(steps=3)),
}


@pytest.mark.parametrize("where", ["cpu", cases.ON_GPU])
@pytest.mark.parametrize(
    ("schedules", "name", "mask"),
    [
        *product(SCHEDULES, ["inference"], [True]),
        ("accelerated", "sentiment", False),
        ("states", "pooled_sentiment", True),
        ("slow", "inference", False),
    ],
)
def test_what_is_replayed_is_what_is_swept(where: str, name: str, mask: bool, schedules: str) -> None:
    """Of several batches, one of them short, in turns and with updates between; results kept stay as they were."""
    net, (free, nudged) = cases.network(name, mask=mask), SCHEDULES[schedules]
    estimator = Estimator("centred", 0.1, free, nudged)
    batches = [cases.batch(net, size, seed) for seed, size in enumerate((5, 5, 3))]
    plain, replaying = pair(where, net)
    for step, number in enumerate((0, 1, 2, 0, 2)):
        wanted, found = (list(told(engine, estimator, batches[number], step)) for engine in (plain, replaying))
        if where == "cpu":
            assert found == wanted, step
        else:  # a product's kernel may be another one under capture
            assert [row[1] for row in found if isinstance(row, tuple)] == [row[1] for row in wanted if len(row) == 4]
            cases.assert_close(replaying.parameters(), plain.parameters(), 1e-9)
            plain.load_parameters(replaying.parameters())
            plain.load_optimiser_state(replaying.optimiser_state(), replaying.device_state())
    assert len(replaying.substrate.replay) >= 4


@pytest.mark.parametrize("where", ["cpu", cases.ON_GPU])
def test_a_result_is_not_touched_by_the_next(where: str) -> None:
    net = cases.network("inference")
    _, engine = pair(where, net)
    batches = [cases.batch(net, seed=seed) for seed in range(2)]
    for _ in range(2):
        first = engine.settle(batches[0], FREE)
    kept = {name: engine.to_numpy(value).copy() for name, value in first.state.values.items()}
    clamped = engine.clamp(batches[0])
    one = engine.nudge(clamped, NUDGED, [0.1, -0.1], first)
    moved = [engine.to_numpy(phase.state.values["hidden_1"]).copy() for phase in one]
    for batch in (*batches, *batches):
        engine.nudge(engine.clamp(batch), NUDGED, [0.1, -0.1], engine.settle(batch, FREE))
    for name, value in kept.items():
        np.testing.assert_array_equal(engine.to_numpy(first.state.values[name]), value)
    for phase, value in zip(one, moved, strict=True):
        np.testing.assert_array_equal(engine.to_numpy(phase.state.values["hidden_1"]), value)


@pytest.mark.parametrize("where", ["cpu", cases.ON_GPU])
@pytest.mark.parametrize("order", ["batch", "sample"])
def test_phases_whose_turns_are_drawn(where: str, order: str) -> None:
    """Where samples take turns of their own, phases are swept one by one."""
    net = cases.network("sentiment")
    plain, replaying = pair(where, net)
    estimator = Estimator("centred", 0.1, FREE, replace(NUDGED, form="states"), order=order)
    for step in range(3):
        both = [estimator.measure(engine, cases.batch(net), step).contrasts for engine in (plain, replaying)]
        wanted, found = (engine.gradient(each) for engine, each in zip((plain, replaying), both, strict=True))
        cases.assert_close(found, wanted, 0 if where == "cpu" else 1e-9)


@pytest.mark.parametrize("where", ["cpu", cases.ON_GPU])
@pytest.mark.parametrize("potential", ["smooth_sigmoid", "tanh", "linear"])
def test_other_potentials(where: str, potential: str) -> None:
    """Their nudged minimisers are found by Newton steps, all of them on the device."""
    net = cases.network("sentiment", potential=potential)
    plain, replaying = pair(where, net, values=cases.parameters(net, scale=0.5))
    estimator, batch = Estimator("centred", 0.1, FREE, NUDGED), cases.batch(net)
    for step in range(3):
        both = [estimator.measure(engine, batch, step).contrasts for engine in (plain, replaying)]
        wanted, found = (engine.gradient(each) for engine, each in zip((plain, replaying), both, strict=True))
        cases.assert_close(found, wanted, 0 if where == "cpu" else 1e-9)


@pytest.mark.parametrize("where", ["cpu", cases.ON_GPU])
def test_rounded_products_are_of_the_weights_as_they_are(where: str) -> None:
    """The copy in bfloat16 lies where it lay when the phase was recorded, and follows every update."""
    net = cases.network("sentiment", mask=False)
    plain, replaying = pair(where, net, dtype="float32", products="bfloat16")
    estimator, batch = Estimator("centred", 0.1, FREE, NUDGED), cases.batch(net)
    for step in range(4):
        for engine in (plain, replaying):
            found = estimator.measure(engine, batch, step)
            engine.update(found.contrasts, {synapse.name: 0.05 for synapse in net.synapses})
    cases.assert_close(replaying.parameters(), plain.parameters(), 0 if where == "cpu" else 1e-4)


def test_a_shape_is_recorded_when_it_comes_back() -> None:
    """Once for all batches of it, and until others have pushed it out."""
    net = cases.network("sentiment")
    _, engine = pair("cpu", net)
    tapes, before = engine.substrate.replay, PlaybackRecorder.made
    for count in (0, 1, 1, 1):
        engine.settle(cases.batch(net, 4), Schedule(steps=8))
        assert len(tapes) == count
    assert PlaybackRecorder.made == before + 1
    for size in range(5, 6 + KEPT):
        for _ in range(2):
            engine.settle(cases.batch(net, size), Schedule(steps=8))
    assert len(tapes) == KEPT
    before = PlaybackRecorder.made
    engine.settle(cases.batch(net, 4), Schedule(steps=8))
    assert PlaybackRecorder.made == before + 1


def test_other_weights_are_other_memory() -> None:
    """Weights that are loaded are those that a replay reads."""
    net = cases.network("sentiment")
    plain, engine = pair("cpu", net)
    batch, other = cases.batch(net), cases.parameters(net, seed=7)
    for _ in range(2):
        engine.settle(batch, FREE)
    for each in (plain, engine):
        each.load_parameters(other)
    for _ in range(2):
        wanted, found = (each.outputs(each.settle(batch, FREE)) for each in (plain, engine))
        np.testing.assert_array_equal(found, wanted)


def test_what_diverges_says_so_and_the_next_does_not() -> None:
    net = cases.network("sentiment")
    plain, engine = pair("cpu", net)
    batch = cases.batch(net)
    for _ in range(2):
        engine.settle(batch, FREE)
    clamped = engine.clamp(batch)
    clamped.target[:] = torch.nan
    free = engine.settle(batch, FREE)
    for _ in range(3):
        with pytest.raises(DivergenceError, match="is not finite at settle step 4"):
            engine.nudge(clamped, NUDGED, [0.1], free)
    estimator = cases.estimator(nudged=NUDGED)
    wanted, found = (each.gradient(estimator.measure(each, batch).contrasts) for each in (plain, engine))
    cases.assert_close(found, wanted, 0)


def test_what_cannot_be_recorded_is_swept(caplog: pytest.LogCaptureFixture) -> None:
    """With one line that says so."""

    class Broken:
        def record(self) -> Any:
            raise RuntimeError("operation not permitted when stream is capturing\nmore")

    net = cases.network("sentiment")
    plain, engine = pair("cpu", net)
    engine.substrate.replay = Tapes(Broken)
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            wanted, found = (each.outputs(each.settle(cases.batch(net), FREE)) for each in (plain, engine))
            np.testing.assert_array_equal(found, wanted)
    assert [record.getMessage() for record in caplog.records] == [
        "sweeps are started one by one, as they cannot be recorded: operation not permitted when stream is capturing"
    ]
