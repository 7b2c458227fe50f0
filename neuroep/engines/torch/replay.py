"""Phases on a GPU that are recorded once and replayed: the sweeps between two looks are one CUDA graph.

A sweep of a small network starts hundreds of kernels that take a few microseconds each, and the host takes longer to
start them than the device to run them. Recorded, they are started at once. A :class:`Tape` is one phase of batches of
one shape, on memory of its own: inputs are copied there, its pieces are replayed until the schedule's rule has ended
the phase, and the states it ends in are copied out. What is computed, in which order, and where the rule looks, is what
:class:`neuroep.engines.settling.Settling` and :class:`neuroep.engines.nudging.Nudging` do without it.

A shape is recorded when it comes back. Of masked text, whose batches have many lengths, the last :data:`KEPT` are kept.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast

import torch

from neuroep.engines.clamped import Clamped
from neuroep.engines.parts import Found, Make, Replayable
from neuroep.engines.state import Ground, State
from neuroep.engines.torch.attention import LogitTensors, TokenTensors

if TYPE_CHECKING:
    from neuroep.engines.engine import Engine

KEPT = 16
"""Tapes of an engine; the one that was not used for longest goes first."""
SEEN = 256
"""Shapes that are remembered to have come once."""
Name = TypeVar("Name", bound=Hashable)
Kept = TypeVar("Kept")
_log = logging.getLogger(__name__)


class Recording(Protocol):
    """Work on the device that can be done again on the same memory."""

    def replay(self) -> None:
        """Do it again."""
        ...


class Recorder(Protocol):
    """Makes the recordings of one tape, which are replayed in the order in which they were made."""

    def record(self) -> tuple[Recording, AbstractContextManager[object]]:
        """Return a recording, and what to be inside of while it is made, without doing the work."""
        ...


class GraphRecorder:
    """CUDA graphs on one pool of memory."""

    def __init__(self) -> None:
        self._pool = torch.cuda.graph_pool_handle()

    def record(self) -> tuple[Recording, AbstractContextManager[object]]:
        """Return a graph, and its capture."""
        graph = torch.cuda.CUDAGraph()
        return graph, torch.cuda.graph(graph, pool=self._pool)


@dataclass(frozen=True)
class Piece:
    """The sweeps between two looks, and what they leave behind."""

    recording: Recording
    steps: int
    """Sweeps from the start of the phase to the end of the piece."""
    changes: Mapping[str, object]
    """Of the last sweep."""
    held: State


class Tape:
    """One phase of batches of one shape, on memory of its own.

    Parameters
    ----------
    clamped, start : Clamped, State or None
        A batch of that shape, and where its phase starts.
    make : callable
        Makes the phase of a batch.
    recorder : Recorder
        Of its pieces.
    """

    def __init__(self, clamped: Clamped, start: State | None, make: Make[Replayable], recorder: Recorder) -> None:
        self._make, self._recorder = make, recorder
        self._clamped = _own(clamped)
        self._start = None if start is None else _copied(start)
        self._inputs = list(_inputs(self._clamped, self._start))
        self._pieces: list[Piece] = []
        self._phase: Replayable | None = None
        self._live: State | None = None

    def run(self, clamped: Clamped, start: State | None) -> Replayable:
        """Return the phase of a batch as it has ended, on memory of its own."""
        for mine, given in zip(self._inputs, _inputs(clamped, start), strict=True):
            mine.copy_(given)
        number, phase = 0, self._phase
        while phase is None or not number or not phase.ended:
            if number == len(self._pieces):
                self._record()
            piece, phase = self._pieces[number], cast(Replayable, self._phase)
            piece.recording.replay()
            if not number:
                phase.rewind()
            phase.judge(piece.steps, piece.changes, piece.held)
            number += 1
        if start is not None and start.ground is None and self._start is not None and self._start.ground is not None:
            places = {name: place.clone() for name, place in self._start.ground.places.items()}
            start.ground = Ground(places, start.weights)
        return phase.elsewhere(clamped, start, _copied(piece.held))

    def _record(self) -> None:
        """Record the sweeps up to the next look."""
        recording, inside = self._recorder.record()
        with inside:
            if self._phase is None:
                self._phase = self._make(self._clamped, self._start)
                self._live = self._phase.held
            live, done = cast(State, self._live), self._pieces[-1].steps if self._pieces else 0
            steps, changes = self._phase.advance(done, live)
        left = State(dict(live.values), dict(live.weights), live.stale, live.beta, resting=live.resting)
        left.kept = {} if live.origin is not None else dict(live.kept)  # differences are not read on from
        self._pieces.append(Piece(recording, steps, dict(changes), left))


class Tapes:
    """The tapes of one engine.

    Parameters
    ----------
    recorder : callable
        Returns the recorder of a new tape.
    """

    def __init__(self, recorder: Callable[[], Recorder] = GraphRecorder) -> None:
        self._recorder = recorder
        self._tapes: OrderedDict[Hashable, Tape] = OrderedDict()
        self._seen: OrderedDict[Hashable, None] = OrderedDict()
        self._works = True

    def __len__(self) -> int:
        return len(self._tapes)

    def run(
        self, engine: Engine, what: Hashable, clamped: Clamped, start: State | None, make: Make[Found]
    ) -> Found | None:
        """Return the phase of a batch as it has ended; None where it is not to be replayed.

        Parameters
        ----------
        engine : Engine
            Whose phase it is.
        what : hashable
            What decides its course beside shapes: schedule, nudges, number.
        clamped, start : Clamped, State or None
            The batch, and where its phase starts.
        make : callable
            Makes it.
        """
        there: dict[str, Any] = engine.arrays
        arrays = [tensor for array in there.values() for tensor in array.replayed()]
        if not self._works or not _plain(start) or any(tensor.requires_grad for tensor in arrays):
            return None
        weights = tuple(tensor.data_ptr() for tensor in arrays)
        shapes = tuple(tuple(tensor.shape) for tensor in _inputs(clamped, start))
        whole = tuple(tokens.whole for tokens in clamped.tokens.values())
        began = None if start is None else (frozenset(start.stale), start.beta, start.resting, tuple(start.kept))
        key = (what, weights, shapes, whole, began)
        if key not in self._tapes:
            if key not in self._seen:
                self._seen[key] = None
                _least(self._seen, SEEN)
                return None
            self._tapes[key] = Tape(clamped, start, make, self._recorder())
            _least(self._tapes, KEPT)
        self._tapes.move_to_end(key)
        try:
            return cast(Found, self._tapes[key].run(clamped, start))
        except RuntimeError as error:
            self._works = False
            self._tapes.clear()
            _log.warning("sweeps are started one by one, as they cannot be recorded: %s", str(error).split("\n")[0])
            return None


def _least(kept: OrderedDict[Hashable, Kept], most: int) -> None:
    """Forget what was not used for longest."""
    while len(kept) > most:
        kept.popitem(last=False)


def _plain(start: State | None) -> bool:
    """Tell whether all of a start is among the inputs of a tape."""
    return start is None or not (start.origin or start.moved or start.inner or any(start.memory.values()))


def _inputs(clamped: Clamped, start: State | None) -> Iterator[torch.Tensor]:
    """Yield every tensor that a phase reads beside weights, in an order of their names."""
    for tokens in clamped.tokens.values():
        yield tokens.vectors
        yield tokens.present
    for held in clamped.held.values():
        yield held.logits
    yield clamped.target
    if start is not None:
        for values in (start.values, start.weights, start.kept):
            yield from values.values()


def _own(clamped: Clamped) -> Clamped:
    """Return a batch on memory of its own."""
    tokens = {
        name: TokenTensors(each.vectors.clone(), each.present.clone(), each.whole)
        for name, each in clamped.tokens.items()
    }
    mine = {id(clamped.tokens[name]): each for name, each in tokens.items()}
    held = {
        name: LogitTensors(mine[id(each.queries)], mine[id(each.patterns)], each.logits.clone())
        for name, each in clamped.held.items()
    }
    return Clamped(tokens, held, clamped.target.clone())


def _copied(state: State) -> State:
    """Return a state on memory of its own."""
    found = State(_cloned(state.values), _cloned(state.weights), state.stale, state.beta, resting=state.resting)
    found.kept = _cloned(state.kept)
    return found


def _cloned(tensors: Mapping[Name, torch.Tensor]) -> dict[Name, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in tensors.items()}
