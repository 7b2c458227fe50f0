"""One product as a circuit: solved from its text alone it gives the currents, voltages and products computed here."""

from __future__ import annotations

import numpy as np
import pytest

from hw_models.arrays.crossbar import Crossbar
from hw_models.chip import Chip
from hw_models.errors import ChipError
from hw_models.netlist.reads import WAYS, CrossbarCircuit, ReadCircuit
from hw_models.netlist.tiles import TileCircuit
from tests.naive import spice

DEVICE = {"g_min": 1.0, "g_max": 40.0, "mismatch": 0.1, "stuck_low": 0.05, "stuck_high": 0.05}
PAIR, DIGITAL = {"mapping": "differential"}, {"mapping": "offset"}
ANALOG = {"mapping": "offset", "reference": "analog", "reference_lines": 2}
TILES = {"rows": 3, "columns": 2}
WIRES = {"none": {}, "word": {"r_word": 30.0}, "bit": {"r_bit": 20.0}, "both": {"r_word": 30.0, "r_bit": 20.0}}
SOLVERS = ["by hand", pytest.param("ngspice", marks=pytest.mark.skipif(spice.NGSPICE is None, reason="no ngspice"))]


def crossbar(layout: dict, wires: dict, **tables: dict) -> Crossbar:
    """Return a programmed crossbar of 5 outputs and 7 inputs, in float64."""
    device = DEVICE | tables.pop("device", {})
    if layout.get("reference_lines"):
        tables.setdefault("dac", {"range": 2.5})
    chip = Chip.parse({"name": "mine", "crossbar": layout, "wires": wires, "device": device, **tables})
    made = Crossbar(chip, (5, 7), seed=3, name="synapse", dtype="float64")
    made.program(np.random.default_rng(0).normal(size=made.shape))
    return made


def signals(made: Crossbar, way: str, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.4, made.shape[way == "forward"])


def netlist(read: ReadCircuit) -> str:
    """Return a netlist of one read."""
    lines = ["* title", *read.circuit.statements(), *read.statements()]
    return "\n".join([*lines, ".options reltol=1e-9 abstol=1e-16 vntol=1e-13", ".op", ".end"]) + "\n"


def solution(read: ReadCircuit, solver: str, folder) -> spice.Solution:
    """Solve it by hand, or by ngspice."""
    if solver == "by hand":
        return spice.solve(netlist(read))
    file = folder / "net.cir"
    file.write_text(netlist(read))
    return spice.ngspice(file)


def check(made: Crossbar, way: str, solver: str, folder, tolerance: float = 1e-10) -> None:
    """Check currents, voltages of all nodes, and the product, each against its largest."""
    array = made if way == "forward" or made.other is None else made.other
    read = ReadCircuit(CrossbarCircuit(array), way, signals(made, way), "read")
    found = solution(read, solver, folder)
    measured = {node: found.currents[f"v{node}"] for node in read.currents}
    full = max(abs(current) for current in read.currents.values())
    for node, current in read.currents.items():
        assert abs(measured[node] - current) <= tolerance * full, node
    for place, tile in read.circuit.tiles.items():
        if tile.curve is None and made.devices.wired:
            _check_voltages(tile, tile.voltages(way, read.drives(place)), f"x{read.instance(place)}.", found, tolerance)
    ours = made.forward(read.signals[None]) if way == "forward" else made.transposed(read.signals[None])
    np.testing.assert_allclose(read.product(measured), ours[0], rtol=0, atol=1e-6 * np.abs(ours).max())


def _check_voltages(
    tile: TileCircuit, wanted: tuple[np.ndarray, np.ndarray], place: str, found: spice.Solution, tolerance: float
) -> None:
    largest = max(np.abs(part).max() for part in wanted)
    for i, j in np.ndindex(tile.g.shape):
        for node, values, resists in zip(
            tile.nodes(i, j), wanted, (tile.lines.r_word, tile.lines.r_bit), strict=True
        ):
            if resists:
                assert abs(found.voltages[place + node] - values[i, j]) <= tolerance * largest, node


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("wires", WIRES)
@pytest.mark.parametrize("layout", [PAIR, DIGITAL, ANALOG, PAIR | TILES, DIGITAL | TILES, ANALOG | TILES])
def test_currents_voltages_and_products(layout, wires, way, solver, tmp_path):
    check(crossbar(layout, WIRES[wires]), way, solver, tmp_path)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "tables",
    [
        {"crossbar": {**PAIR, "slices": 2, "slice_bits": 3}},
        {"crossbar": {**DIGITAL, "slices": 2, "slice_bits": 3}},
        {"crossbar": {**DIGITAL, "zero": "level"}, "device": {"levels": 8}},
        {"crossbar": ANALOG, "dac": {"bits": 5, "range": 0.5}},
        {"crossbar": {**DIGITAL, "reference": "device"}, "update": {"scheme": "pulsed"}},
        {"crossbar": PAIR, "dac": {"bits": 5, "range": 0.5, "digit_bits": 1}},
        {"crossbar": PAIR, "transposed": {"devices": "own", "weight_error": 0.1}},
        {"crossbar": PAIR, "device": {"drift_mean": (0.0, 0.05, 0.0, 0.1), "age": 1e4, "drift_compensation": True}},
        {"crossbar": DIGITAL, "device": {"drift_mean": (0.0, 0.05, 0.0, 0.1), "age": 1e4, "drift_compensation": True}},
    ],
)
def test_slices_converters_paths_and_ages(tables, way, tmp_path):
    for wires in ({}, WIRES["both"]):
        check(crossbar(tables["crossbar"], wires, **{k: v for k, v in tables.items() if k != "crossbar"}), way,
              "by hand", tmp_path)  # fmt: skip


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("wires", ["none", "both"])
@pytest.mark.parametrize(
    "curve", [{"iv": "cubic", "iv_cubic": 0.3}, {"iv": "sinh", "read_voltage": 0.3, "iv_voltage": 0.25}]
)
def test_devices_that_are_no_resistors(curve, wires, way, solver, tmp_path):
    made = crossbar(DIGITAL, WIRES[wires], device=curve, dac={"bits": 6, "range": 1.0})
    check(made, way, solver, tmp_path, 1e-8)


def test_conductances_are_those_of_the_crossbar():
    """Reference lines behind the outputs, whose mean is what the crossbar calls its reference."""
    for layout in (PAIR, DIGITAL, ANALOG | TILES):
        made = crossbar(layout, {})
        plus, other = made.conductances()
        lines = made.device_lines()
        np.testing.assert_array_equal(lines[0, 0][:5], plus[0])
        if layout is PAIR:
            np.testing.assert_array_equal(lines[0, 1], other[0])
        assert len(lines[0, 0]) == 5 + made.devices.references
        for c, (a, b) in enumerate(made.devices.column_tiles if made.devices.references else ()):
            begin, end = made.devices.reference_lines[c]
            mean = lines[0, 0][5 + begin : 5 + end].mean(0)
            np.testing.assert_allclose(other[0][a:b], np.broadcast_to(mean, (b - a, 7)), rtol=1e-6)


def test_ideal_devices(tmp_path):
    """Of a chip that changes nothing: devices are those that its weights lie on."""
    made = Crossbar(Chip.ideal(), (5, 7), dtype="float64")
    made.program(np.random.default_rng(0).normal(size=made.shape))
    assert made.ideal
    for way in WAYS:
        check(made, way, "by hand", tmp_path)


def test_a_device_that_errs_is_noticed():
    """What is compared here can fail: one device of 35 one per cent off."""
    made = crossbar(PAIR, WIRES["both"])
    read = ReadCircuit(CrossbarCircuit(made), "forward", signals(made, "forward"), "read")
    text = netlist(read)
    line = next(line for line in text.splitlines() if line.startswith("Rd3_2 "))
    *words, ohm = line.split()
    found = spice.solve(text.replace(line, " ".join([*words, repr(float(ohm) * 1.01)])))
    full = max(abs(current) for current in read.currents.values())
    assert max(abs(found.currents[f"v{node}"] - value) for node, value in read.currents.items()) > 1e-5 * full


def test_neurons_may_drive_the_lines():
    """Sources follow nodes, 1 V for a state of 1, and references their sum."""
    for layout in (PAIR, DIGITAL, ANALOG | TILES):
        made = crossbar(layout, WIRES["both"], dac={"bits": 4, "range": 0.6})
        for way in WAYS:
            given = signals(made, way)
            nodes = [f"n{k}" for k in range(len(given))]
            read = ReadCircuit(CrossbarCircuit(made), way, given, "read", nodes)
            neurons = [f"Vn{k} n{k} 0 DC {value!r}" for k, value in enumerate(given.tolist())]
            text = netlist(read).replace(".op\n", "\n".join(neurons) + "\n.op\n")
            found = spice.solve(text)
            np.testing.assert_array_equal(read.codes, given)
            full = max(abs(current) for current in read.currents.values())
            for node, current in read.currents.items():
                assert abs(found.currents[f"v{node}"] - current) <= 1e-10 * full


@pytest.mark.parametrize("dac", [{"digit_bits": 2}, {"encoding": "pulses"}])
def test_reads_that_are_no_dc_circuit(dac):
    made = crossbar(PAIR, WIRES["bit"], dac={"bits": 4, "range": 1.0, **dac}, device={"iv": "cubic"})
    with pytest.raises(ChipError, match=r"^device\.iv = 'cubic': with dac\.encoding = .* a read is no DC circuit") as e:
        CrossbarCircuit(made)
    assert "\n" not in str(e.value)
