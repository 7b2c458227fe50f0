"""One side of one tile as a SPICE subcircuit, and its node voltages and currents as they are computed here.

    .subckt NAME w0 .. w(m-1) b0 .. b(n-1)

Port w(i) is the left end of word line i, port b(j) the bottom of bit line j, as in :mod:`hw_models.arrays.wires`. With
resistance of the lines the nodes at device (i, j) are w(i)_(j) and b(i)_(j):

    Rw(i)_(j)   r_word, from node (i, j - 1) of the word line, or its port, to node (i, j)
    Rb(i)_(j)   r_bit, from node (i, j) of the bit line to node (i + 1, j), or its port
    Rd(i)_(j)   1/G, between both nodes; Bd(i)_(j), G V_read F(v/V_read), of a device that is no resistor

Without it the nodes are the ports. A device of 0 uS is left out. A forward read drives ports w and holds ports b at
0 V, a transposed one the other way round; the subcircuit is the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from hw_models.arrays import wires
from hw_models.arrays.bent_wires import BentTile
from hw_models.chip import Device, Wires
from hw_models.netlist.text import number, wrapped

Array = np.ndarray
MICRO = 1e-6
"""S in a uS."""


@dataclass(frozen=True)
class TileCircuit:
    """The devices of one side of one slice on the lines of one tile.

    Parameters
    ----------
    name : str
        Of the subcircuit.
    g : numpy.ndarray
        Conductances (word lines, bit lines) [uS], float64.
    lines : Wires
        Resistance of a segment of both kinds of lines [ohm].
    curve : Device or None
        Whose law of currents the devices have; None where they are resistors.
    """

    name: str
    g: Array
    lines: Wires
    curve: Device | None = None

    @property
    def elements(self) -> int:
        """Number of devices and segments."""
        return int(np.count_nonzero(self.g)) + self.g.size * ((self.lines.r_word > 0) + (self.lines.r_bit > 0))

    def nodes(self, i: int, j: int) -> tuple[str, str]:
        """Return the nodes of a device on its word line and its bit line, within the subcircuit."""
        word = f"w{i}_{j}" if self.lines.r_word else f"w{i}"
        return word, f"b{i}_{j}" if self.lines.r_bit else f"b{j}"

    def statements(self) -> Iterator[str]:
        """Yield the lines of the subcircuit."""
        m, n = self.g.shape
        yield from wrapped([".subckt", self.name, *(f"w{i}" for i in range(m)), *(f"b{j}" for j in range(n))])
        for i in range(m):
            for j in range(n):
                word, bit = self.nodes(i, j)
                if self.lines.r_word:
                    ahead = self.nodes(i, j - 1)[0] if j else f"w{i}"
                    yield f"Rw{i}_{j} {ahead} {word} {number(self.lines.r_word)}"
                if self.g[i, j]:
                    yield self._device(f"{i}_{j}", word, bit, float(self.g[i, j]))
                if self.lines.r_bit:
                    below = self.nodes(i + 1, j)[1] if i + 1 < m else f"b{j}"
                    yield f"Rb{i}_{j} {bit} {below} {number(self.lines.r_bit)}"
        yield f".ends {self.name}"

    def _device(self, place: str, word: str, bit: str, g: float) -> str:
        if self.curve is None:
            return f"Rd{place} {word} {bit} {number(1 / MICRO / g)}"
        full = read_voltage(self.curve)
        law = self.curve.current_voltage.formula(f"(V({word},{bit})/{number(full)})", self.curve)
        return f"Bd{place} {word} {bit} I = {number(g * MICRO * full)}*{law}"

    @cached_property
    def _effective(self) -> Array:
        return wires.effective(self.g * MICRO, self.lines.r_word, self.lines.r_bit)

    def currents(self, way: str, volts: Array) -> Array:
        """Return the currents out of the sensed lines [A] where the driven ones are at these voltages [V]."""
        g, line, forward = self.g * MICRO, self.lines, way == "forward"
        if self.curve is None:
            return volts @ (self._effective if forward else self._effective.T)
        full = read_voltage(self.curve)
        law = self.curve.current_voltage
        if not (line.r_word or line.r_bit):
            return law.current(volts / full, self.curve) @ (g if forward else g.T) * full
        tile = BentTile(g, line.r_word, line.r_bit, law, self.curve)
        if forward:
            return tile.currents(volts[None] / full)[0] * full
        return tile.turned.currents(volts[None, ::-1] / full)[0, ::-1] * full

    def voltages(self, way: str, volts: Array) -> tuple[Array, Array]:
        """Return the voltages of the nodes of word and bit lines, (word lines, bit lines) each [V], of resistors."""
        g, line = self.g * MICRO, self.lines
        if way == "forward":
            return wires.node_voltages(g, line.r_word, line.r_bit, volts)
        driven, sensed = wires.node_voltages(g[::-1, ::-1].T, line.r_bit, line.r_word, volts[::-1])
        return sensed[::-1, ::-1].T, driven[::-1, ::-1].T


def read_voltage(device: Device) -> float:
    """Return the voltage of a line that is fully driven [V]: 1 V where the chip names none."""
    return device.read_voltage or 1.0
