# Tested by tests/neuroep/engines/test_leaving.py.
"""The wiring of a batch that samples leave: what is clamped and what moves, of those that are still there.

Samples do not see each other, so that the others settle as they would have beside them, but for rounding.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import numpy as np

from neuroep.engines import leaving
from neuroep.engines.clamped import Clamped
from neuroep.engines.displacing import Displacing
from neuroep.engines.parts import Move, Values
from neuroep.engines.state import Ground, State


class Parting(Displacing):
    """A wiring whose batches samples may leave, in exact arithmetic."""

    def some_clamped(self, clamped: Clamped, rows: np.ndarray) -> Clamped:
        """Return the batch of some samples; it can settle, and not be clamped again."""
        held = {name: each.some(rows) for name, each in clamped.held.items()}
        return Clamped(clamped.tokens, held, self.substrate.some(clamped.target, rows))

    def some_state(self, state: State, rows: np.ndarray, own: bool) -> State:
        """Return the state of some samples, which moves on by itself; products are read anew.

        Where the state is its ``own``, that of some samples already, it may be written over.
        """
        values = self._some_values(state.values, rows, own)
        weights = {name: self.units[name].some_weights(each, rows) for name, each in state.weights.items()}
        memory = {name: {key: each.some(rows) for key, each in kept.items()} for name, kept in state.memory.items()}
        return State(values, weights, state.stale, state.beta, memory, resting=state.resting)

    def put_state(self, whole: State, some: State, move: Move) -> None:
        """Put what samples have reached to its place in the state of all.

        Products that are not kept of both are forgotten, and a layer is at its minimiser where it is there in both.
        """
        self._put_values(whole, some, move)
        for name, weights in some.weights.items():
            whole.weights[name] = self.units[name].put_weights(whole.weights[name], weights, move)
        for place in [*whole.kept]:
            if place in some.kept:
                whole.kept[place] = self.substrate.put(whole.kept[place], some.kept[place], move)
            else:
                del whole.kept[place]
        whole.stale, whole.resting = whole.stale | some.stale, whole.resting & some.resting
        whole.rounded |= some.rounded

    def some_free(self, free: State, rows: np.ndarray) -> State:
        """Return of a free state what differences of some samples go by: dense layers, and where they lie."""
        values = {name: self.substrate.some(free.values[name], rows) for name in self.difference_cells}
        ground = cast(Ground, free.ground)
        places = {name: self.substrate.some(place, rows) for name, place in ground.places.items()}
        units = self.difference_units.items()
        weights = {name: unit.some_ground(ground.weights[name], rows) for name, unit in units}
        return State(values, {}, frozenset(), ground=Ground(places, weights))

    def some_moved(self, moved: State, rows: np.ndarray, nudges: int, free: State, own: bool) -> State:
        """Return the differences of some samples to their free state, of nudges below each other; see above."""
        every = _every(moved, rows, nudges)
        weights = {name: self.substrate.some(each, every) for name, each in moved.weights.items()}
        return State(self._some_values(moved.values, every, own), weights, moved.stale, origin=free)

    def put_moved(self, whole: State, some: State, move: Move, nudges: int) -> None:
        """Put the differences that samples have reached to their place; products are not kept."""
        every = Move(_every(some, move.rows, nudges), _every(whole, move.places, nudges))
        self._put_values(whole, some, every)
        for name, weights in some.weights.items():
            whole.weights[name] = self.substrate.put(whole.weights[name], weights, every)
        whole.kept, whole.stale = {}, whole.stale | some.stale

    def some(self, values: Values, rows: np.ndarray) -> Values:
        """Return some rows of values."""
        return self.substrate.some(values, rows)

    def largest(self, values: Values) -> Values:
        """Return the largest number of every row, (rows,), without its sign."""
        return self.substrate.largest(values)

    def by_sample(self, values: Mapping[str, Values]) -> dict[str, np.ndarray]:
        """Bring numbers of every sample to the host, (samples,) by name, in double precision."""
        return {name: self.to_numpy(each).astype(np.float64) for name, each in values.items()}

    def _some_values(self, values: Mapping[str, Values], rows: np.ndarray, own: bool) -> dict[str, Values]:
        """Return states of some samples, where parts that work in place want them."""
        if not self.substrate.in_place:
            return {name: self.substrate.some(value, rows) for name, value in values.items()}
        if own:  # rows are in order: each goes to where one has been that is not needed any more
            for value in values.values():
                for place, row in enumerate(rows):
                    value[place] = value[row]
            return {name: value[: len(rows)] for name, value in values.items()}
        found = self.substrate.states(self.network, len(rows))
        for name, value in values.items():
            np.take(value, rows, axis=0, out=found[name], mode="clip")  # which does not buffer
        return found

    def _put_values(self, whole: State, some: State, move: Move) -> None:
        for name, value in some.values.items():
            whole.values[name] = self.substrate.put(whole.values[name], value, move)


def _every(moved: State, rows: np.ndarray, nudges: int) -> np.ndarray:
    """Return the rows of samples in all nudges of these differences."""
    return leaving.below(rows, len(next(iter(moved.values.values()))) // nudges, nudges)
