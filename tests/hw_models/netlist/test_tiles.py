"""A tile side as a subcircuit: two by two by hand, open devices, and what is told of its size."""

from __future__ import annotations

import numpy as np
import pytest

from hw_models.chip import Wires
from hw_models.netlist.tiles import TileCircuit
from tests.naive import spice

G = np.array([[10.0, 0.0], [20.0, 40.0]])


def test_two_by_two_by_hand():
    tile = TileCircuit("tile", G, Wires(r_word=2.0, r_bit=3.0))
    assert list(tile.statements()) == [
        ".subckt tile w0 w1 b0 b1",
        "Rw0_0 w0 w0_0 2.0", "Rd0_0 w0_0 b0_0 100000.0", "Rb0_0 b0_0 b1_0 3.0",
        "Rw0_1 w0_0 w0_1 2.0", "Rb0_1 b0_1 b1_1 3.0",
        "Rw1_0 w1 w1_0 2.0", "Rd1_0 w1_0 b1_0 50000.0", "Rb1_0 b1_0 b0 3.0",
        "Rw1_1 w1_0 w1_1 2.0", "Rd1_1 w1_1 b1_1 25000.0", "Rb1_1 b1_1 b1 3.0",
        ".ends tile",
    ]  # fmt: skip
    assert tile.elements == 3 + 2 * 4


@pytest.mark.parametrize(("lines", "elements"), [(Wires(), 3), (Wires(r_word=1.0), 7), (Wires(r_bit=1.0), 7)])
def test_devices_and_segments_are_counted(lines, elements):
    tile = TileCircuit("tile", G, lines)
    assert tile.elements == elements == sum(line[0] == "R" for line in tile.statements())


def test_without_wires_currents_are_a_product():
    tile, volts = TileCircuit("tile", G, Wires()), np.array([0.1, -0.2])
    np.testing.assert_allclose(tile.currents("forward", volts), volts @ G * 1e-6, rtol=1e-15)
    np.testing.assert_allclose(tile.currents("transposed", volts), G @ volts * 1e-6, rtol=1e-15)


def test_a_read_by_hand():
    """One device behind one segment of each line: V G/(1 + (r_w + r_b) G), whichever end is driven."""
    tile = TileCircuit("tile", np.array([[100.0]]), Wires(r_word=1000.0, r_bit=500.0))
    wanted = 0.2 * 1e-4 / (1 + 1500 * 1e-4)
    for way, ports in (("forward", "in out"), ("transposed", "out in")):
        assert tile.currents(way, np.array([0.2]))[0] == pytest.approx(wanted, rel=1e-14)
        lines = ["* t", *tile.statements(), f"X1 {ports} tile", "Vin in 0 DC 0.2", "Vout out 0 DC 0", ".op", ".end"]
        assert spice.solve("\n".join(lines)).currents["vout"] == pytest.approx(wanted, rel=1e-14)
