r"""Anderson acceleration of settling: the dense layers next to attention, sample by sample.

A sweep makes :math:`t_k = T(h_k)` of the states h of such a layer: through the attention layers and back. Plain
settling goes on from :math:`h_{k+1} = t_k`. With the residuals :math:`r_k = t_k - h_k` of the last three sweeps

.. math:: h_{k+1} = t_k - \sum_{j=1}^{2} \gamma_j\, \Delta t_j, \qquad
          \gamma = \arg\min \|r_k - \sum_j \gamma_j \Delta r_j\|, \qquad
          \Delta x_1 = x_k - x_{k-1},\ \Delta x_2 = x_{k-1} - x_{k-2}

for every sample alone, by orthogonalising :math:`\Delta r_2` against :math:`\Delta r_1`, and clipped to the range of
the potential. Where the residual of a sample has grown, it goes on from :math:`t_k` and forgets what was before, so
that it is never far worse off than without. A layer begins once attention has been moved: a residual of 0 in its memory
would pull the old state back. The energy may rise for a sweep. Source: Anderson, J. ACM 12:547, 1965; Walker and Ni,
SIAM J. Numer. Anal. 49:1715, 2011.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from neuroep.engines.state import Values
from neuroep.network import DenseLayer, Network

Some = Callable[[Values, np.ndarray], Values]
"""Returns rows of an array by their places."""
LEAST = 1e-30
"""Squares of this size are nothing; added where one divides by them."""
ALIKE = 1e-8
"""Share of a change of residual that must not lie along the other one, squared, to count as a direction of its own."""


class Advance(NamedTuple):
    """One sweep of some layers."""

    residual: list[Values]
    """t - h, by layer."""
    new: list[Values]
    """t."""
    square: Values
    """(rows,) sum of squares of the residual."""


class Anderson:
    """Memory of the layers that are accelerated together."""

    def __init__(self) -> None:
        self._last: Advance | None = None
        self._pairs: list[tuple[list[Values], list[Values]]] = []
        self._valid: list[Values] = []

    def select(self, staying: np.ndarray, some: Some) -> None:
        """Forget the samples that do not stay, (rows,), of which ``some`` returns the rows of an array."""

        def cut(values: list[Values]) -> list[Values]:
            return [some(value, staying) for value in values]

        if self._last is not None:
            self._last = Advance(cut(self._last.residual), cut(self._last.new), some(self._last.square, staying))
        self._pairs = [(cut(change), cut(gain)) for change, gain in self._pairs]
        self._valid = cut(self._valid)

    def step(self, old: Sequence[Values], new: Sequence[Values]) -> list[Values]:
        """Return the states to go on from.

        Parameters
        ----------
        old, new : sequence of arrays
            States h and t of every layer before and after the sweep, (rows, size) each; they are kept and not written.
        """
        residual = [t - h for t, h in zip(new, old, strict=True)]
        now, last = Advance(residual, list(new), _product(residual, residual)), self._last
        self._last = now
        if last is None:
            return now.new
        fell = now.square <= last.square
        self._valid = [fell, *(fell & valid for valid in self._valid[:1])]
        change = [a - b for a, b in zip(now.residual, last.residual, strict=True)]
        gain = [a - b for a, b in zip(now.new, last.new, strict=True)]
        self._pairs = [(change, gain), *self._pairs[:1]]
        return self._mixed(now)

    def _mixed(self, now: Advance) -> list[Values]:
        (change, gain), *others = self._pairs
        size = _product(change, change) + LEAST
        first = _product(now.residual, change) / size
        if not others:
            factor = (first * self._valid[0])[:, None]
            return [t - factor * g for t, g in zip(now.new, gain, strict=True)]
        before, earlier = others[0]
        along = _product(before, change) / size
        rest = [b - along[:, None] * c for b, c in zip(before, change, strict=True)]
        own = _product(rest, rest)
        second = _product(now.residual, rest) / (own + LEAST)
        second = second * self._valid[1] * (own > ALIKE * _product(before, before))
        first = (first * self._valid[0] - second * along)[:, None]
        second = second[:, None]
        return [t - first * g - second * e for t, g, e in zip(now.new, gain, earlier, strict=True)]


def _product(one: Sequence[Values], other: Sequence[Values]) -> Values:
    """Return the inner product of each row over all layers, (rows,)."""
    sums = [(a * b).sum(1) for a, b in zip(one, other, strict=True)]
    return sum(sums[1:], start=sums[0])


def layers(network: Network) -> tuple[DenseLayer, ...]:
    """Return the dense layers that a synapse joins to an attention layer, in order."""
    attention = {layer.name for layer in network.attention}
    found = [layer for layer in network.layers if network.neighbours[layer.name] & attention]
    return tuple(layer for layer in found if isinstance(layer, DenseLayer))


def _around(network: Network, names: Sequence[str]) -> frozenset[str]:
    """Return the layers next to any of these."""
    return frozenset().union(*(network.neighbours[name] for name in names))


class Accelerated:
    """What accelerates one phase of a batch, or several nudged ones at once.

    Parameters
    ----------
    network : Network
        What settles.
    groups : sequence of tuple of str
        Layers in the order of a sweep.
    arrivals : mapping of str to int
        Sweep in which a nudge first moves each layer; empty in a free phase, where all of them move at once.
    in_place : bool
        Whether values are written over by the next sweep.
    """

    def __init__(
        self, network: Network, groups: Sequence[tuple[str, ...]], arrivals: Mapping[str, int], in_place: bool
    ) -> None:
        chosen = {layer.name: layer.potential for layer in layers(network)}
        place = {name: number for number, group in enumerate(groups) for name in group}
        attention = {layer.name for layer in network.attention} & arrivals.keys()
        self._in_place = in_place
        self._limits = {name: (potential.low, potential.high) for name, potential in chosen.items()}
        self._names = [[name for name in group if name in chosen] for group in groups]
        self._starts = [
            max((arrivals[near] + (place[near] >= number) for near in _around(network, names) & attention), default=1)
            for number, names in enumerate(self._names)
        ]
        self._memories = [Anderson() for _ in groups]

    def select(self, staying: np.ndarray, some: Some) -> None:
        """Go on without the rows that do not stay; ``some`` returns those of an array that do."""
        for memory in self._memories:
            memory.select(staying, some)

    def before(self, number: int, sweep: int, values: Mapping[str, Values]) -> dict[str, Values]:
        """Return the accelerated states of a group as they are before a sweep; none before its layers begin."""
        if sweep < self._starts[number]:
            return {}
        return {name: self._kept(values[name]) for name in self._names[number]}

    def _kept(self, value: Values) -> Values:
        return value.copy() if self._in_place else value

    def after(
        self,
        number: int,
        old: Mapping[str, Values],
        values: dict[str, Values],
        free: Mapping[str, Values] | None = None,
        nudges: int = 1,
    ) -> None:
        """Replace states of a group after a sweep by those to go on from.

        Parameters
        ----------
        number : int
            Of the group.
        old : mapping
            As :meth:`before` returned it.
        values : dict
            States by layer, or of nudges at once their differences to the ``free`` ones, (nudges * batch, size).
        free : mapping, optional
            Free states by layer.
        nudges : int
            Nudges whose rows lie below each other.
        """
        new = [self._kept(values[name]) for name in old]
        for name, found in zip(old, self._memories[number].step(list(old.values()), new), strict=True):
            low, high = self._limits[name]
            if free is not None:
                low, high = low - free[name], high - free[name]
            inside = found.reshape((nudges, -1, found.shape[1])).clip(low, high).reshape(found.shape)
            if self._in_place:
                values[name][:] = inside
            else:
                values[name] = inside
