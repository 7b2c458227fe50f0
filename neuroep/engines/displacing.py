# Tested by tests/neuroep/engines/test_nudging.py.
"""The wiring of nudged phases in differences: the same products as those of states, of what has moved.

A product whose input has not moved since it was read is kept, and one of what has not moved at all is not read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import partial
from typing import cast

import numpy as np

from neuroep.engines.clamped import Clamped
from neuroep.engines.differences import Change, DifferenceAttention, DifferenceNeurons, Displacement
from neuroep.engines.parts import Substrate, Values
from neuroep.engines.schedule import Schedule
from neuroep.engines.state import ByLayer, Computed, Ground, State
from neuroep.engines.wiring import FORWARD, TRANSPOSED, Wiring
from neuroep.errors import ConfigError
from neuroep.learning.contrast import Displaced, Pair, Signal
from neuroep.network import DenseLayer, DenseSynapse, Synapse


class Displacing(Wiring):
    """A wiring whose nudged phases may be solved for what they move the free state by.

    Attributes
    ----------
    difference_cells : dict of str to DifferenceNeurons
        By dense layer; empty where a substrate settles states alone.
    difference_units : dict of str to DifferenceAttention
        By attention layer.
    """

    def _place(self, parameters: Mapping[str, np.ndarray], substrate: Substrate) -> None:
        super()._place(parameters, substrate)
        made, network = substrate.differences, self.network
        self.difference_cells: dict[str, DifferenceNeurons] = {}
        self.difference_units: dict[str, DifferenceAttention] = {}
        if made is not None:
            dense = [layer for layer in network.layers if isinstance(layer, DenseLayer)]
            self.difference_units = {layer.name: made.attention(layer) for layer in network.attention}
            self.difference_cells = {layer.name: made.neurons(layer) for layer in dense}

    @property
    def in_place(self) -> bool:
        """Whether states are written over by the next sweep."""
        return self.substrate.in_place

    @property
    def rounds(self) -> bool:
        """Whether products are rounded by more than what a nudge moves."""
        return self.substrate.rounding.there

    def in_full(self, whether: bool = True) -> AbstractContextManager[None]:
        """Read products inside as they are where they are rounded otherwise."""
        return self.substrate.rounding.full(whether)

    def check_exact(self, name: str, value: str, instead: str) -> None:
        """Refuse a substrate that is not exact arithmetic.

        Raises
        ------
        ConfigError
            With what to set instead.
        """
        if self.substrate.differences is None:
            raise ConfigError(f"{name} is '{value}': a chip settles its states as they are; use '{instead}'")

    def ground(self, clamped: Clamped, free: State) -> Ground:
        """Return what differences to a free state go by, found once."""
        if free.ground is None:
            with self.in_full(not free.rounded):
                products, feedback = self._read(clamped, free, tuple(self.difference_cells), kept=True)
            places = {
                name: cell.place(products[name], feedback.get(name), free.values[name])
                for name, cell in self.difference_cells.items()
            }
            units = self.difference_units.items()
            weights = {name: unit.ground(clamped.held[name], free.weights[name]) for name, unit in units}
            free.ground, free.memory = Ground(places, weights), {}
            clamped.workspace.clear()  # of the free phase
        return free.ground

    def still(self, clamped: Clamped, free: State, nudges: int) -> State:
        """Return differences of so many nudges that are 0."""
        weights = {name: unit.still(clamped.held[name], nudges) for name, unit in self.difference_units.items()}
        values = self.substrate.states(self.network, nudges * clamped.samples)
        kept = {(synapse.name, way): None for synapse in self.network.dense for way in (FORWARD, TRANSPOSED)}
        return State(values, weights, frozenset(), origin=free, kept=dict(kept))

    def departed(self, clamped: Clamped, free: State, state: State) -> State:
        """Return the differences of a nudged state that was settled as a state, or as differences, to go on from."""
        found = self.still(clamped, free, 1)
        ground, given = self.ground(clamped, free), state.moved
        for name in found.values:
            moved = state.values[name] - free.values[name] if given is None else given.values[name]
            if self.substrate.in_place:
                found.values[name][:] = moved
            else:
                found.values[name] = moved
        for name, unit in self.difference_units.items():
            held = clamped.held[name]
            if given is None:
                after, before = (self.units[name].explicit(held, each.weights[name]) for each in (state, free))
                found.weights[name] = after - before
            else:
                found.weights[name] = 1 * unit.explicit_change(held, ground.weights[name], given.weights[name])
        found.kept, found.stale = {}, frozenset(found.values)
        return found

    def displace(
        self, clamped: Clamped, moved: State, names: tuple[str, ...], betas: Sequence[float], schedule: Schedule
    ) -> dict[str, list[Change]]:
        """Move the differences of the named layers; return what has changed, by layer and nudge."""
        free = cast(State, moved.origin)
        ground, nudged = self.ground(clamped, free), {self.network.output.name} if any(betas) else set()
        later = self._streaming(clamped, schedule.dt)
        drives = {name: (self._gain(moved, name), self._return(moved, name, later)) for name in names}
        changes: dict[str, list[Change]] = {}
        for name, (product, back) in drives.items():
            if product is None and back is None and name not in nudged:
                continue
            if name in self.difference_units:
                own = clamped.held[name], ground.weights[name], back
                unit, both = self.difference_units[name], (moved.values[name], moved.weights[name])
                moved.values[name], moved.weights[name], changes[name] = unit.displace(*own, *both, schedule.dt)
            else:
                drive = ground.places[name], product, back, moved.values[name]
                target = clamped.target if name in nudged else None
                found = self.difference_cells[name].displace(*drive, target, betas, schedule)
                moved.values[name], changes[name] = found
        self._forget(moved, changes)
        return changes

    def _gain(self, moved: State, name: str) -> Values | None:
        """Return the change of the forward products into a layer, (rows, size), None where it is 0."""
        return _added([self._product_of(moved, synapse, FORWARD) for synapse in self._fronts[name]])

    def _return(self, moved: State, name: str, later: frozenset[str]) -> Values | None:
        """Return the change of the transposed products to a layer, of some synapses as what computes it in parts."""
        found = []
        for synapse, places in self._places:
            for source, place in places:
                if source == name:
                    product = self._product_of(moved, synapse, TRANSPOSED, synapse.name in later)
                    found.append(None if product is None else product[:, place])
        return _added(found)

    def _product_of(self, moved: State, synapse: DenseSynapse, way: str, later: bool = False) -> Values | None:
        """Return a product of differences, read anew where its input has moved."""
        place = synapse.name, way
        if place not in moved.kept:
            array = self.arrays[synapse.name]
            if way == FORWARD:
                moved.kept[place] = array.forward(self._pre(moved, synapse))
            elif later:
                moved.kept[place] = array.deferred(moved.values[synapse.post])
            else:
                found = array.transposed(moved.values[synapse.post], moved.buffers.get(synapse.name))
                moved.kept[place] = found
                if self.substrate.in_place:
                    moved.buffers[synapse.name] = found
        return moved.kept[place]

    def displaced(self, clamped: Clamped, moved: State, beta: float) -> State:
        """Return the state that one nudge has moved the free one to; sums are computed when they are asked for."""
        free = cast(State, moved.origin)

        def value(name: str) -> Values:
            return free.values[name] + moved.values[name]

        def weight(name: str) -> Values:
            held, unit = clamped.held[name], self.difference_units[name]
            change = unit.explicit_change(held, self.ground(clamped, free).weights[name], moved.weights[name])
            return self.units[name].explicit(held, free.weights[name]) + change

        values = Computed({name: partial(value, name) for name in moved.values})
        weights = Computed({name: partial(weight, name) for name in moved.weights})
        stale = frozenset(moved.values)
        return State(cast(ByLayer, values), cast(ByLayer, weights), stale, beta, origin=free, moved=moved)

    def nudge_of(self, moved: State, number: int, samples: int) -> State:
        """Return the differences of one nudge of several, in the same memory."""
        rows = slice(number * samples, (number + 1) * samples)
        values = {name: value[rows] for name, value in moved.values.items()}
        weights = {name: weight[rows] for name, weight in moved.weights.items()}
        return State(values, weights, moved.stale, origin=moved.origin)

    def displaced_signal(self, clamped: Clamped, synapse: Synapse, end: str, pair: Pair) -> Signal | None:
        """Return one end of a synapse in two phases by their differences to one free state; None where it has none.

        The free state itself may be one of the two.
        """
        if end == "pre" and not isinstance(synapse, DenseSynapse):
            return None  # clamped
        states: tuple[State, State] = pair.plus, pair.minus
        origins = [state.origin for state in states if state.moved is not None]
        if not origins or any(state.origin is not origins[0] for state in states if state.moved is not None):
            return None
        free = cast(State, origins[0])
        if any(state.moved is None and state is not free for state in states):
            return None
        ends = [state.moved for state in states]
        if end == "post" and not isinstance(synapse, DenseSynapse):
            layer, weights = synapse.post, self.ground(clamped, free).weights[synapse.post]
            plus, minus = (None if one is None else (one.values[layer], one.weights[layer]) for one in ends)
            both: tuple[Displacement | None, Displacement | None] = plus, minus
            held = clamped.held[layer]
            rows = self.units[layer].rows(held, free.weights[layer], free.weights[layer])
            return Displaced(partial(rows, 1.0, 0.0), self.difference_units[layer].moved_rows(held, weights, *both))
        values = [None if one is None else self._end(one, synapse, end) for one in ends]
        return _displaced(partial(self._end, free, synapse, end), values)

    def _end(self, state: State, synapse: Synapse, end: str) -> Values:
        """Return what a dense layer holds at the end of a synapse, or what a dense synapse reads."""
        if end == "post":
            return state.values[synapse.post]
        return self._pre(state, cast(DenseSynapse, synapse))


def _displaced(free: Callable[[], Values], ends: Sequence[Values | None]) -> Displaced:
    """Return a signal by the differences of two phases, (rows, size) each, None where there are none."""

    def cut(columns: slice) -> Displaced:
        parts = [None if end is None else end[:, columns] for end in ends]
        return Displaced(lambda: free()[:, columns], partial(_combined, parts))

    return Displaced(free, partial(_combined, ends), cut)


def _combined(ends: Sequence[Values | None], plus: float, minus: float) -> Values:
    """Return plus d+ + minus d-; None has not moved."""
    return _added([None if end is None else factor * end for factor, end in zip((plus, minus), ends, strict=True)])


def _added(parts: Sequence[Values | None]) -> Values | None:
    """Return the sum of what is there, None where nothing is."""
    there = [part for part in parts if part is not None]
    total = there[0] if there else None
    for part in there[1:]:
        total = total + part
    return total
