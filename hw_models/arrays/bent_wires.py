"""Currents of a tile whose wires resist and whose devices are no resistors: Newton's method on all nodes.

The network of :mod:`hw_models.arrays.wires`, voltages as shares of the read voltage, with devices that pass G F(v)
(:mod:`hw_models.laws.current_voltage`). With A the admittances of the wires among the nodes, E the incidence of devices
(word side less bit side), and s what the sources drive through the segments they end in, Kirchhoff's law at the nodes

    R(V) = A V - s + E' (G F(E V)) = 0,      J = A + E' diag(G F'(E V)) E

J is symmetric positive definite: solutions are unique. Lines without resistance are at their source or at 0, and their
nodes no unknowns. Many drives of one tile are solved together by the chord method: J with one slope for all devices,
the mean of F' at 0 and at full drive, is factored once per programming, V <- V - J_0^-1 R. In the norm of J_0 its error
shrinks by max |1 - F'/slope| < 1 or better, and the better the less wires take. What has not come to rest after some
steps goes on by Newton's method, each drive with a J of its own, halving a step that does not lower |R|.

It ends with a step of 1e-11 of the read voltage; a sensed current is the sum of its devices'. Work: a sparse LU of 2 m
n nodes once (about 30 ms at 64 x 64), two triangular solves for every drive and step (about 1 ms). """

from __future__ import annotations

from functools import cached_property, lru_cache
from typing import NamedTuple

import numpy as np
from scipy.sparse import coo_matrix, csc_matrix
from scipy.sparse.linalg import splu

from hw_models.errors import ChipError
from hw_models.laws.current_voltage import CurrentVoltage, Driven

Array = np.ndarray
CLOSE = 1e-11
"""Of the read voltage: a step that moves no node further is the last."""
CHORDS, NEWTONS, HALVINGS = 40, 60, 30
"""Most steps of the chord method, of Newton's, and halvings of one of the latter."""


class Nodes(NamedTuple):
    """The nodes of a tile of one shape: those of word lines ahead of those of bit lines, device by device."""

    wires: csc_matrix
    """A, with room for the devices' slopes."""
    diagonal: Array
    """(nodes,) where its diagonal lies in the data of A."""
    beside: Array
    """(2, devices) where what joins both nodes of a device lies, there and back; (2, 0) where one is no unknown."""

    def jacobian(self, slopes: Array) -> csc_matrix:
        """Return J of slopes (devices,)."""
        data = self.wires.data.copy()
        data[self.diagonal] += np.tile(slopes, len(self.diagonal) // len(slopes))
        if self.beside.shape[1]:
            data[self.beside] -= slopes
        return csc_matrix((data, self.wires.indices, self.wires.indptr), shape=self.wires.shape)


@lru_cache(maxsize=64)
def nodes_of(m: int, n: int, r_word: float, r_bit: float) -> Nodes:
    """Return the nodes of tiles of m word lines and n bit lines."""
    kinds = [r > 0 for r in (r_word, r_bit)]
    size = m * n * sum(kinds)
    word = np.arange(m * n).reshape(m, n)
    bit = word + m * n * kinds[0]
    entries: list[tuple[Array, Array, float]] = []

    def join(a: Array, b: Array, s: float) -> None:
        entries.extend([(a, a, s), (b, b, s), (a, b, -s), (b, a, -s)])

    if kinds[0]:
        entries.append((word[:, 0], word[:, 0], 1 / r_word))
        join(word[:, 1:], word[:, :-1], 1 / r_word)
    if kinds[1]:
        entries.append((bit[-1], bit[-1], 1 / r_bit))
        join(bit[1:], bit[:-1], 1 / r_bit)
    if all(kinds):
        entries.extend([(word, bit, 0.0), (bit, word, 0.0)])
    rows = np.concatenate([a.ravel() for a, _, _ in entries])
    columns = np.concatenate([b.ravel() for _, b, _ in entries])
    values = np.concatenate([np.full(a.size, s) for a, _, s in entries])
    wires = coo_matrix((values, (rows, columns)), (size, size)).tocsc()
    wires.sort_indices()
    places = np.repeat(np.arange(size), np.diff(wires.indptr)) * size + wires.indices
    every, one, other = np.arange(size), word.ravel(), bit.ravel()
    beside = [np.searchsorted(places, each) for each in (one * size + other, other * size + one)] if all(kinds) else []
    return Nodes(wires, np.searchsorted(places, every * size + every), np.array(beside, dtype=np.int64).reshape(2, -1))


class BentTile:
    """A tile driven in one direction: lines that are driven are its word lines, lines that are sensed its bit lines.

    Parameters
    ----------
    g : numpy.ndarray
        (word, bit) conductances where fully driven [S].
    r_word, r_bit : float
        One segment [ohm], not both 0.
    law : CurrentVoltage
        F.
    device : Driven
        With its parameters.
    """

    def __init__(self, g: Array, r_word: float, r_bit: float, law: CurrentVoltage, device: Driven) -> None:
        self.g, self.r_word, self.r_bit = np.asarray(g, dtype=np.float64), r_word, r_bit
        self.law, self.device = law, device

    @property
    def turned(self) -> BentTile:
        """The same tile driven from its bit lines and sensed at its word lines; both orders are turned round."""
        return BentTile(self.g[::-1, ::-1].T, self.r_bit, self.r_word, self.law, self.device)

    @cached_property
    def _nodes(self) -> Nodes:
        return nodes_of(*self.g.shape, self.r_word, self.r_bit)

    @cached_property
    def _chord(self):  # type: ignore[no-untyped-def]  # SuperLU has no public name
        """Factors of J with one slope for all devices."""
        slopes = self.law.slope(np.array([0.0, 1.0]), self.device)
        return self._factored(np.full(self.g.size, slopes.mean()) * self.g.ravel())

    def _factored(self, slopes: Array):  # type: ignore[no-untyped-def]
        try:
            return splu(self._nodes.jacobian(slopes))
        except RuntimeError:
            values = f"r_word = {self.r_word!r}, r_bit = {self.r_bit!r}"
            raise ChipError(f"{values}: too large beside the devices to be solved") from None

    def currents(self, v: Array, g: Array | None = None) -> Array:
        """Return the sensed currents, (drives, bit) [S, of a read voltage of 1].

        Parameters
        ----------
        v : numpy.ndarray
            (drives, word) shares of the read voltage.
        g : numpy.ndarray, optional
            (drives, word, bit) conductances of each drive [S], noise in; default those of the tile.

        Raises
        ------
        ChipError
            If a network cannot be solved.
        """
        v, (m, n) = np.asarray(v, dtype=np.float64), self.g.shape
        if not self.g.size:
            return np.zeros((len(v), n))
        own = (self.g[None] if g is None else g).reshape(-1, m * n)
        sources = np.zeros((len(v), self._nodes.wires.shape[0]))
        if self.r_word:
            sources[:, : m * n : n] = v / self.r_word  # the first node of every word line
        ahead = np.zeros((len(v), m * n)) if self.r_word else np.repeat(v, n, axis=1)
        nodes = self._settled(sources, ahead, own)
        return (own * self.law.current(self._across(nodes, ahead), self.device)).reshape(-1, m, n).sum(1)

    def _across(self, nodes: Array, ahead: Array) -> Array:
        """E V, with the sources ahead of word lines that do not resist, (drives, devices)."""
        size = self.g.size
        across = nodes[:, :size] + ahead if self.r_word else ahead.copy()
        if self.r_bit:
            across -= nodes[:, -size:]
        return across

    def _residual(self, nodes: Array, sources: Array, ahead: Array, g: Array) -> Array:
        """R (drives, nodes)."""
        passed, size = g * self.law.current(self._across(nodes, ahead), self.device), self.g.size
        rest = (self._nodes.wires @ nodes.T).T - sources
        if self.r_word:
            rest[:, :size] += passed
        if self.r_bit:
            rest[:, -size:] -= passed
        return rest

    def _settled(self, sources: Array, ahead: Array, g: Array) -> Array:
        """Return the voltages of all nodes, (drives, nodes)."""
        nodes, waiting = np.zeros_like(sources), np.arange(len(sources))
        g = np.broadcast_to(g, (len(sources), g.shape[1]))
        for _ in range(CHORDS):
            rest = self._residual(nodes[waiting], sources[waiting], ahead[waiting], g[waiting])
            step = self._chord.solve(np.ascontiguousarray(rest.T)).T
            nodes[waiting] -= step
            waiting = waiting[~(np.abs(step).max(axis=1, initial=0) <= CLOSE)]
            if not waiting.size:
                return nodes
        for one in waiting:
            nodes[one] = self._newton(sources[one], ahead[one], g[one])
        return nodes

    def _newton(self, sources: Array, ahead: Array, g: Array) -> Array:
        """Return the voltages of all nodes for one drive."""
        given, nodes = (sources[None], ahead[None], g[None]), np.zeros_like(sources)
        rest = self._residual(nodes[None], *given)[0]
        for _ in range(NEWTONS):
            slopes = g * self.law.slope(self._across(nodes[None], ahead[None])[0], self.device)
            step = self._factored(slopes).solve(rest)
            if np.abs(step).max(initial=0) <= CLOSE:
                return nodes - step
            for halving in range(HALVINGS):
                tried = nodes - step / 2**halving
                found = self._residual(tried[None], *given)[0]
                if np.linalg.norm(found) < np.linalg.norm(rest):
                    break
            else:
                break
            nodes, rest = tried, found
        raise ChipError(f"r_word = {self.r_word!r}, r_bit = {self.r_bit!r}: devices with this iv cannot be solved")
