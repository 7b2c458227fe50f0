# Tested by tests/neuroep/engines/test_parity.py.
"""The wiring of a network: which product feeds which layer, written once over parts of any set.

What computes is :mod:`neuroep.engines.parts`; each layer sees the products of its own synapses only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from neuroep.engines.clamped import Clamped
from neuroep.engines.parts import Array, Increments, Reads, Substrate, Values
from neuroep.engines.schedule import Schedule
from neuroep.engines.state import Drives, State
from neuroep.errors import ConfigError
from neuroep.network import AttentionLayer, DenseLayer, DenseSynapse, Network, Synapse

FORWARD, TRANSPOSED = "forward", "transposed"
"""Directions of a product, as :data:`neuroep.engines.parts.Reads` names them."""


class Wiring:
    """Parts of a substrate, wired as a network says.

    Parameters
    ----------
    network : Network
        What to run.
    parameters : mapping of str to numpy.ndarray
        Weights and biases by name.
    substrate : Substrate
        Makes the parts.

    Attributes
    ----------
    arrays : dict of str to Array
        By synapse.
    units : dict of str to AttentionUnit
        By attention layer.
    cells : dict of str to Neurons
        By dense layer.
    """

    def __init__(self, network: Network, parameters: Mapping[str, np.ndarray], substrate: Substrate) -> None:
        self.network = network
        self._place(parameters, substrate)

    def _place(self, parameters: Mapping[str, np.ndarray], substrate: Substrate) -> None:
        """Make all parts anew, with these weights."""
        self.substrate = substrate
        self.arrays: dict[str, Array] = {}
        for synapse in self.network.synapses:
            weight, bias = parameters[f"{synapse.name}.weight"], parameters.get(f"{synapse.name}.bias")
            signs, back = self._nonnegative(synapse), isinstance(synapse, DenseSynapse)
            self.arrays[synapse.name] = substrate.array(synapse.name, weight, bias, signs, back)
        patterns = self.network.patterns
        self.units = {layer.name: substrate.attention(layer, patterns[layer.name]) for layer in self.network.attention}
        self.reads = {layer.name: self._reads(layer.name) for layer in self.network.layers}
        dense = [layer for layer in self.network.layers if isinstance(layer, DenseLayer)]
        self.cells = {layer.name: substrate.neurons(layer) for layer in dense}
        self._fronts: dict[str, list[DenseSynapse]] = {layer.name: [] for layer in self.network.layers}
        self._places: list[tuple[DenseSynapse, list[tuple[str, slice]]]] = []
        for synapse in self.network.dense:
            self._fronts[synapse.post].append(synapse)
            ends = np.cumsum([0] + [self.network.layer(name).size for name in synapse.pre]).tolist()
            self._places.append((synapse, [(name, slice(*ends[k : k + 2])) for k, name in enumerate(synapse.pre)]))
        self.paces = substrate.paces([layer.name for layer in self.network.layers])

    def _nonnegative(self, synapse: Synapse) -> tuple[bool, bool]:
        """Tell of both ends of a synapse, post and pre, whether their states can never be negative."""
        sources = synapse.pre if isinstance(synapse, DenseSynapse) else ()
        layers = {layer.name: layer for layer in self.network.layers}
        ends = (layers[synapse.post],), tuple(layers[name] for name in sources)
        post, pre = (all(isinstance(e, DenseLayer) and e.potential.low >= 0 for e in end) for end in ends)
        return post, pre and bool(sources)

    def _reads(self, layer: str) -> Reads:
        """Return the products that a step of a layer reads, beside those of the clamped input."""
        front = [(synapse.name, "forward") for synapse in self.network.dense if synapse.post == layer]
        return front + [(synapse.name, "transposed") for synapse in self.network.dense if layer in synapse.pre]

    def read_held(self, clamped: Clamped) -> Clamped:
        """Return the batch with its held logits read from the current weights."""
        self.substrate.opened(clamped.samples)
        rows = max((len(clamped.tokens[each.pre].packed) for each in self.network.projections), default=0)
        projections = [synapse.name for synapse in self.network.projections]
        self.substrate.entered(projections, rows / max(clamped.samples, 1))
        held = {layer.name: self._hold(clamped, layer) for layer in self.network.attention}
        self.substrate.filled()
        return Clamped(clamped.tokens, held, clamped.target)

    def _hold(self, clamped: Clamped, layer: AttentionLayer) -> Any:
        """Hold what the clamped input drives one attention layer with."""
        tokens = clamped.tokens[layer.queries], clamped.tokens[layer.patterns]
        held = self.units[layer.name].hold(self._drive(clamped, layer), *tokens)
        self.units[layer.name].remember(held, self._driving(clamped, layer))
        return held

    def _drive(self, clamped: Clamped, layer: AttentionLayer) -> Values:
        """Read the projections into one attention layer, (rows of tokens, dim)."""
        drive = None
        for synapse in self.network.projections:
            if synapse.post == layer.name:
                array, tokens = self.arrays[synapse.name], clamped.tokens[synapse.pre]
                with self.substrate.rows_of(tokens):
                    part = _biased(array.forward(tokens.packed), array)
                drive = part if drive is None else drive + part
        return drive

    def _driving(self, clamped: Clamped, layer: AttentionLayer) -> Callable[[], Values]:
        """Return what computes that once more, uncounted, as long as the weights are the same.

        Raises
        ------
        ConfigError
            When it is called after they have changed.
        """
        tokens = clamped.tokens
        own = [(self.arrays[each.name], each.pre) for each in self.network.projections if each.post == layer.name]
        before = [array.updates for array, _ in own]

        def drive() -> Values:
            if [array.updates for array, _ in own] != before:
                raise ConfigError("a batch was clamped before the weights changed: clamp it again")
            first, *others = (_biased(array.expected(tokens[pre].packed), array) for array, pre in own)
            return sum(others, start=first)

        return drive

    def _streaming(self, clamped: Clamped, dt: float) -> frozenset[str]:
        """Return the synapses whose transposed products are computed in parts, as all layers that read them take it."""
        if dt < 1 or self.paces:
            return frozenset()
        units, found = self.units, set()
        for synapse, places in self._places:
            alone = all(sum(name in other.pre for other in self.network.dense) == 1 for name, _ in places)
            if alone and all(name in units and units[name].streams(clamped.held[name]) for name, _ in places):
                found.add(synapse.name)
        return frozenset(found)

    def rest(self, clamped: Clamped) -> State:
        """Return the all-zero state of a clamped batch."""
        values = self.substrate.states(self.network, clamped.samples)
        weights = {name: unit.rest(clamped.held[name]) for name, unit in self.units.items()}
        return State(values, weights, frozenset(values), resting=frozenset(values))

    def fork(self, state: State) -> State:
        """Return a state that can be moved without touching the given one."""
        return self.substrate.fork(self.network, state)

    def mean(self, clamped: Clamped, states: Sequence[State]) -> State:
        """Return the mean of states of one batch as a new one: read-outs, attention weights, what is inside neurons.

        No layer is at its minimiser then.
        """
        found, share = self.fork(states[-1]), 1.0 / len(states)

        def averaged(values: Iterable[Values]) -> Values:
            first, *others = values
            return share * sum(others, start=first)

        for name, value in found.values.items():
            mean = averaged(state.values[name] for state in states)
            if self.substrate.in_place:
                value[:] = mean  # where the read-outs into one synapse lie side by side
            else:
                found.values[name] = mean
        for name, unit in self.units.items():
            held = clamped.held[name]
            found.weights[name] = averaged(unit.explicit(held, state.weights[name]) for state in states)
        found.inner = {name: averaged(state.inner[name] for state in states) for name in found.inner}
        found.stale = frozenset(found.values)
        return found

    def relax(self, clamped: Clamped, state: State, names: tuple[str, ...], schedule: Schedule) -> dict[str, Values]:
        """Move the named layers from the current state of all others; return max|delta s| of each, on the device."""
        with self.substrate.stepping(schedule.dt):
            return self._moved(clamped, state, names, schedule)

    def _moved(self, clamped: Clamped, state: State, names: tuple[str, ...], schedule: Schedule) -> dict[str, Values]:
        products, feedback = self._drives(clamped, state, names, schedule)
        changes: dict[str, Values] = {}
        for name in names:
            back = feedback.get(name)
            own = schedule.paced(self.paces[name]) if name in self.paces else schedule
            if name in self.units:
                changes[name] = self._attend(clamped, state, name, back, own.dt)
                continue
            nudged = state.beta != 0 and name == self.network.output.name
            nudge = clamped.target if nudged else None, state.beta
            moved = self.cells[name].respond(products[name], back, state.values[name], *nudge, own, state.inner)
            state.values[name], changes[name] = moved
        state.resting = state.resting.difference(names)
        self._forget(state, names)
        return changes

    def _forget(self, state: State, names: Iterable[str]) -> None:
        """Keep no product of what layers were before they moved."""
        moved = frozenset(names)
        for synapse in self.network.dense if state.kept else ():
            if moved & frozenset(synapse.pre):
                state.kept.pop((synapse.name, FORWARD), None)
            if synapse.post in moved:
                state.kept.pop((synapse.name, TRANSPOSED), None)

    def _attend(self, clamped: Clamped, state: State, name: str, back: Values | None, dt: float) -> Values:
        """Move an attention layer; without a held input its drive is read anew, at every step that reads states."""
        unit, held = self.units[name], clamped.held[name]
        if not self.substrate.holds_input and self._increments(state) is None:
            drive = self._drive(clamped, self.network.attention_layer(name))
            held = clamped.held[name] = unit.redrive(held, drive)
        value, weights, change = unit.relax(held, back, state.values[name], state.weights[name], dt, state.inner)
        # Weights in a form of the unit's own go by what was held, which the next step replaces.
        weights = weights if self.substrate.holds_input else unit.explicit(held, weights)
        state.values[name], state.weights[name] = value, weights
        return change

    def _drives(self, clamped: Clamped, state: State, names: tuple[str, ...], schedule: Schedule) -> Drives:
        """Return what drives the named layers; it may be overwritten.

        Where arrays are driven with increments, a nudged phase reads s - s0 and adds it to what drives the free state.
        What that is takes a sweep in the order of all: layer by layer an array is never read both ways at once.
        """
        increments, origin = self._increments(state), state.origin
        if increments is None or origin is None:
            return self._read(clamped, state, names, later=self._streaming(clamped, schedule.dt))
        if origin.drives is None:
            everything = tuple(layer.name for layer in self.network.layers)
            with self.substrate.turn(0, 0.0):  # it ends the free phase
                found = self._read(clamped, origin, everything)
            self.substrate.drove(schedule.groups(self.network), self.reads, schedule.dt)
            # Feedback lies in memory that the next product is written to.
            origin.drives = Drives(found.products, {name: 1 * back for name, back in found.feedback.items()})
        held = origin.drives

        def forward(synapse: DenseSynapse) -> Values:
            return increments.forward(synapse.name, self._pre(state, synapse) - self._pre(origin, synapse))

        def back(synapse: DenseSynapse) -> Values:
            return increments.transposed(synapse.name, state.values[synapse.post] - origin.values[synapse.post])

        products = {name: self._product(state, name, forward) for name in names if name in self.cells}
        return Drives(
            {name: held.products[name] + moved for name, moved in products.items()},
            {name: held.feedback[name] + moved for name, moved in self._feedback(names, back).items()},
        )

    def _increments(self, state: State) -> Increments | None:
        """Return what reads the changes that drive a state, None where it is driven with states."""
        return self.substrate.increments if state.origin is not None else None

    def _read(
        self,
        clamped: Clamped,
        state: State,
        names: tuple[str, ...],
        kept: bool = False,
        later: frozenset[str] = frozenset(),
    ) -> Drives:
        """Read what drives the named layers from the states of all others; or take what is ``kept``, where it is.

        Transposed products of some synapses are computed ``later``, in parts.
        """

        def forward(synapse: DenseSynapse) -> Values:
            if kept and (synapse.name, FORWARD) in state.kept:
                return state.kept[synapse.name, FORWARD]
            array, memory = self.arrays[synapse.name], state.memory.setdefault(synapse.name, {})
            product = _biased(array.forward(self._pre(state, synapse), memory), array)
            if self.substrate.differences is not None:
                state.kept[synapse.name, FORWARD] = product
            return product

        def back(synapse: DenseSynapse) -> Values | None:
            # It is 0; with full products it is read, and counted, as runs before this were.
            if synapse.post in state.resting and self.substrate.rounding.there:
                return None
            if synapse.name in later:
                return self.arrays[synapse.name].deferred(state.values[synapse.post])
            out = clamped.workspace.get(synapse.name)
            memory = state.memory.setdefault(synapse.name, {})
            product = self.arrays[synapse.name].transposed(state.values[synapse.post], out, memory)
            if self.substrate.in_place:
                clamped.workspace[synapse.name] = product
            return product

        feedback = self._feedback(names, back)
        return Drives({name: self._product(state, name, forward) for name in names if name in self.cells}, feedback)

    def _feedback(self, names: tuple[str, ...], back: Callable[[DenseSynapse], Values | None]) -> dict[str, Values]:
        """Add up transposed products from the dense synapses behind the named layers, (batch, layer size).

        A product that is None is 0, and a layer without another one is not in the result.
        """
        total: dict[str, Values] = {}
        for synapse, places in self._places:
            if not any(name in names for name in synapse.pre):
                continue
            product = back(synapse)
            if product is None:
                continue
            for name, place in places:
                part = product[:, place]
                total[name] = total[name] + part if name in total else part
        return total

    def _product(self, state: State, name: str, forward: Callable[[DenseSynapse], Values]) -> Values:
        """Add up forward products of the synapses into a dense layer, (batch, size)."""
        total = None
        for synapse in self._fronts[name]:
            product = forward(synapse)
            total = product if total is None else total + product
        return self.substrate.states(self.network, len(state.values[name]))[name] if total is None else total

    def _pre(self, state: State, synapse: DenseSynapse) -> Values:
        """Return what a dense synapse reads, (batch, in)."""
        parts = [state.values[name] for name in synapse.pre]
        return parts[0] if len(parts) == 1 else self.substrate.joined(parts)

    def energy(self, clamped: Clamped, state: State) -> np.ndarray:
        """Return F_beta = sum_l G_l - Phi + beta/2 ||s_out - y||^2 of the mean weights, (batch,).

        A chip's noise and converters are not in it.
        """
        with self.substrate.computing():
            return self.to_numpy(self.energy_values(clamped, state))

    def energy_values(self, clamped: Clamped, state: State) -> Values:
        """Return F_beta as the substrate's values, (batch,): of tensors differentiable with respect to the states."""
        total = 0.0 * clamped.target[:, 0]
        for layer in self.network.layers:
            if layer.name in self.cells:
                total = total + self.cells[layer.name].energy(state.values[layer.name])
            else:
                held = clamped.held[layer.name]
                total = total + self.units[layer.name].energy(held, state.weights[layer.name])
        for synapse in self.network.dense:
            array = self.arrays[synapse.name]
            product = _biased(array.expected(self._pre(state, synapse)), array)
            total = total - (state.values[synapse.post] * product).sum(1)
        if state.beta:
            miss = state.values[self.network.output.name] - clamped.target
            total = total + 0.5 * state.beta * (miss * miss).sum(1)
        return total

    def attention_weights(self, clamped: Clamped, state: State, layer: str) -> np.ndarray:
        """Return p of one attention layer, (batch, queries, patterns), zero where masked."""
        return self.to_numpy(self.units[layer].explicit(clamped.held[layer], state.weights[layer]))

    def scalars(self, values: Mapping[str, Values]) -> dict[str, float]:
        """Bring 0-d values to the host at once."""
        return self.substrate.scalars(values)

    def displacements(self, state: State, names: Iterable[str]) -> dict[str, tuple[float, float]]:
        """Return max|s - s_origin| and max|s| of the named layers, on the host."""
        origin = state if state.origin is None else state.origin
        return self.substrate.displacements({name: (state.level(name), origin.level(name)) for name in names})

    def to_numpy(self, array: Values) -> np.ndarray:
        """Bring one array of the engine to the host."""
        return self.substrate.to_numpy(array)


def _biased(product: Values, array: Array) -> Values:
    """Return a product with the array's bias added to it."""
    if array.bias is not None:
        product += array.bias
    return product
