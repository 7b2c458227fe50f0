"""Netlists of settled samples: ngspice, and a solver by hand, find from their text what was computed here."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import numpy as np
import pytest

import neuroep as package
from hw_models.chip import Chip
from neuroep.errors import ConfigError, DataError, UserError
from neuroep.runs import config as configuration, netlists, settled_circuits, training
from neuroep.runs.netlists import Netlist
from tests.naive import spice

NETWORKS = {
    "stack": {"kind": "sentiment", "tokens": 3, "dense": [6, 4, 2], "readout": "flat"},
    "pooled": {"kind": "sentiment", "tokens": 12, "dense": [8, 2], "readout": "pooled"},
    "patterns": {"kind": "inference", "tokens": 6, "dense": [5, 3], "readout": "pooled"},
}
"""A dense stack, a pooled read-out of attention, and analog attention whose patterns lie on crossbars."""
DEVICE = {"g_min": 1.0, "g_max": 40.0, "mismatch": 0.05, "stuck_low": 0.02}
LAYOUTS = {
    "pair": {"mapping": "differential", "rows": 50, "columns": 5},
    "offset": {"mapping": "offset"},
    "offset analog": {"mapping": "offset", "reference": "analog", "columns": 3},
}
WIRES = {"no wires": {}, "wires": {"r_word": 4.0, "r_bit": 3.0}}
TIGHT = ["--settling.tolerance", "1e-11", "--settling.free_steps", "3000", "--engine.dtype", "float64"]
SOLVERS = ["by hand", pytest.param("ngspice", marks=pytest.mark.skipif(spice.NGSPICE is None, reason="no ngspice"))]
SAME = 1e-6
"""Largest difference, of the largest current or of a state of 1."""


def settings(network: str) -> configuration.Config:
    """Return a configuration with initial weights."""
    data = "pairs" if network == "patterns" else "reviews"
    given = {"network": {**NETWORKS[network], "output_bias": 0.6}, "data": {"name": data, "limit": 40}}
    return configuration.parse(given, "test")


def chip(network: str, layout: str = "pair", wires: str = "no wires", **tables: dict) -> Chip:
    attention = {"attention": {"kind": "analog"}} if network == "patterns" else {}
    given = {"device": DEVICE, "crossbar": LAYOUTS[layout], "wires": WIRES[wires], **attention, **tables}
    return Chip.parse({"name": "mine", **given})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("netlists")


@cache
def written(folder: Path, network: str, layout: str, wires: str, loop: bool) -> Netlist:
    """Export a sample; one token, so that the solver by hand takes no longer than settling."""
    out = folder / f"{network}_{layout}_{wires}_{loop}.cir".replace(" ", "_")
    how = {"chip": chip(network, layout, wires), "sample": 5, "overrides": TIGHT, "tokens": 1, "loop": loop}
    return netlists.export(settings(network), out, **how)


def solved(found: Netlist, solver: str) -> spice.Solution:
    return spice.solve(found.out.read_text()) if solver == "by hand" else spice.ngspice(found.out)


def differences(found: Netlist, solution: spice.Solution) -> tuple[float, float]:
    """Return the largest difference of an ammeter, as a share of the largest current, and of a state."""
    currents, states = found.currents, found.states
    full = max(abs(current) for current in currents.values())
    ammeters = max(abs(solution.currents[f"v{node}"] - value) for node, value in currents.items())
    return ammeters / full, max(abs(solution.voltages[node] - value) for node, value in states.items())


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("wires", WIRES)
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("network", NETWORKS)
def test_currents_node_voltages_and_neurons(folder, network, layout, wires, solver):
    """Of three networks, pair and offset, with and without wires."""
    found = written(folder, network, layout, wires, False)
    solution = solved(found, solver)
    assert all(difference < SAME for difference in differences(found, solution))
    for read in found.reads.values():
        for place, tile in read.circuit.tiles.items() if wires == "wires" else ():
            word, bit = tile.voltages(read.way, read.drives(place))
            largest = max(np.abs(read.drives(place)).max(), 1e-30)
            for i, j in np.ndindex(tile.g.shape):
                own = (solution.voltages[f"x{read.instance(place)}.{node}"] for node in tile.nodes(i, j))
                assert max(abs(a - b) for a, b in zip(own, (word[i, j], bit[i, j]), strict=True)) < SAME * largest


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("network", NETWORKS)
def test_neurons_that_drive_the_lines_settle(folder, network, layout, solver):
    found = written(folder, network, layout, "wires", True)
    assert all(difference < SAME for difference in differences(found, solved(found, solver)))


@pytest.mark.skipif(spice.NGSPICE is None, reason="no ngspice")
@pytest.mark.parametrize("network", NETWORKS)
def test_spice_finds_the_settled_state_without_being_told(folder, network):
    """Without the states as a start: nothing of the dense layers' settling is in the netlist then."""
    found = written(folder, network, "pair", "wires", True)
    text = found.out.read_text()
    file = folder / f"{network}_from_rest.cir"
    file.write_text("\n".join(line for line in text.splitlines() if not line.startswith(".nodeset")))
    assert all(difference < SAME for difference in differences(found, spice.ngspice(file)))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("network", NETWORKS)
def test_products_are_those_the_engine_reads(folder, network, layout):
    """Of currents as they are decoded, and of the engine's own arrays, in a session opened anew."""
    found = written(folder, network, layout, "wires", False)
    made = package.Session.open(settings(network), chip=chip(network, layout, "wires"), overrides=TIGHT)
    for synapse in made.network.dense:
        array = made.engine.arrays[synapse.name]
        for label, read in (("f", array.forward), ("b", array.transposed)):
            own = found.reads[f"{synapse.name}_{label}"]
            wanted = read(own.signals[None])[0]
            np.testing.assert_allclose(own.product(own.currents), wanted, atol=SAME * np.abs(wanted).max())


def test_states_of_analog_attention_are_read_from_its_patterns(tmp_path):
    """The sum of what all tokens read over sqrt(n) is what the dense stack is driven with."""
    how = {"chip": chip("patterns"), "sample": 5, "overrides": TIGHT}
    found = netlists.export(settings("patterns"), tmp_path / "net.cir", **how)
    layers = ["premise_to_hypothesis", "hypothesis_to_premise", "premise_to_premise", "hypothesis_to_hypothesis"]
    shown = []
    for layer in layers:
        reads = [read for label, read in found.reads.items() if label.startswith(f"{layer}_p")]
        shown.append(sum(read.product(read.currents) for read in reads) / np.sqrt(len(reads)))
    np.testing.assert_allclose(np.concatenate(shown), found.reads["dense_1_f"].signals, atol=SAME)
    for layer in layers:
        queries = [read for label, read in found.reads.items() if label.startswith(f"{layer}_q")]
        weights = [read for label, read in found.reads.items() if label.startswith(f"{layer}_p")]
        kappa = 0.16  # the network's usual one
        for query, weight in zip(queries, weights, strict=True):
            logits = kappa * query.product(query.currents)
            p = np.exp(logits - logits.max())
            np.testing.assert_allclose(weight.signals, p / p.sum(), atol=SAME)


def test_neurons_with_a_spread_of_their_own(tmp_path):
    spread = chip("pooled", neuron={"gain_spread": 0.1, "offset_spread": 0.05})
    found = netlists.export(settings("pooled"), tmp_path / "net.cir", chip=spread, overrides=TIGHT, arrays=[
        "dense_1", "dense_2"])  # fmt: skip
    assert np.ptp(found.neurons["hidden_1"].gain) > 0 and np.ptp(found.neurons["hidden_1"].offset) > 0
    assert all(difference < SAME for difference in differences(found, spice.solve(found.out.read_text())))


@pytest.mark.parametrize("potential", ["hard_sigmoid", "smooth_sigmoid", "tanh", "linear"])
def test_every_potential(tmp_path, potential):
    slope = [] if potential == "hard_sigmoid" else ["--slope", "none"]
    config = configuration.changed(settings("pooled"), ["--potential", potential, *slope])
    how = {"chip": chip("pooled"), "overrides": TIGHT, "arrays": ["dense_1", "dense_2"], "loop": True}
    found = netlists.export(config, tmp_path / "net.cir", **how)
    assert all(difference < SAME for difference in differences(found, spice.solve(found.out.read_text())))


def test_rules_with_two_arrays_and_paths_of_their_own(tmp_path):
    for tables in (
        {"update": {"scheme": "tiki_taka", "transfer": {"gamma": 0.5}}},
        {"transposed": {"devices": "own", "weight_error": 0.05}},
    ):
        made = chip("pooled", **tables)
        found = netlists.export(settings("pooled"), tmp_path / "net.cir", chip=made, overrides=TIGHT, arrays=[
            "dense_1", "dense_2"])  # fmt: skip
        assert len(found.reads) == (8 if "update" in tables else 4)
        assert all(difference < SAME for difference in differences(found, spice.solve(found.out.read_text())))


def test_a_dac_is_in_and_an_adc_is_not(tmp_path):
    converters = {"dac": {"bits": 4, "range": 1.0}, "adc": {"bits": 4}}
    made = chip("pooled", **converters)
    found = netlists.export(settings("pooled"), tmp_path / "net.cir", chip=made, overrides=TIGHT)
    read = found.reads["dense_2_f"]
    assert not np.array_equal(read.codes, read.signals)
    np.testing.assert_allclose(read.codes * 7, np.round(read.codes * 7), atol=1e-6)  # 7 steps up, 7 down
    ammeters, states = differences(found, spice.solve(found.out.read_text()))
    assert ammeters < SAME < 1e-3 < states < 0.3


def test_devices_are_those_of_the_session(trained, tmp_path):
    """Programmed, of a run that was trained without a chip; as learning left them, of one that was trained on it."""
    found = netlists.export(trained, tmp_path / "net.cir", chip="rram", arrays=["dense_2"], sample=3)
    session = package.Session.open(trained, chip="rram")
    plus, minus = session.engine.arrays["dense_2"].crossbar.conductances()
    tiles = list(found.reads["dense_2_f"].circuit.tiles.values())
    np.testing.assert_array_equal([tile.g.T for tile in tiles], [plus[0], minus[0]])
    assert list(found.neurons) == ["output"]
    rule = ["--epochs", "1", "--optimiser.kind", "sgd", "--dense_rate", "0.5", "--projection_rate", "0.5"]
    config = configuration.load(trained.parent / "tiny.toml", rule)
    made = chip("pooled", update={"scheme": "pulsed"}, crossbar=LAYOUTS["offset"])
    training.train(configuration.changed(config, [], chip=made), tmp_path / "run", progress=False, diagnose=False)
    found = netlists.export(tmp_path / "run", tmp_path / "net.cir", arrays=["dense_2"])
    kept = package.Session.open(tmp_path / "run").engine.arrays["dense_2"].crossbar.conductances()[0][0]
    again = package.Session.open(tmp_path / "run", devices="program").engine.arrays["dense_2"].crossbar
    (tile,) = found.reads["dense_2_f"].circuit.tiles.values()
    np.testing.assert_array_equal(tile.g.T, kept)
    assert not np.array_equal(kept, again.conductances()[0][0])


def test_the_header_says_what_is_in(folder):
    text = written(folder, "pooled", "offset", "wires", True).out.read_text()
    head = "\n".join(line for line in text.splitlines()[:12])
    for told in ("sample 5 of test", "chip mine", "units: ohm, V, A", "out: noise, ADC", "loop: dense neurons drive"):
        assert told in head
    assert text.endswith(".op\n.end\n")


def test_attenuation_that_is_kept_is_said(tmp_path):
    """Pairs that pulses move are cut to bounds of their own behind the first solution of the wires."""
    pair = DEVICE | {"g_min_spread": 0.2, "cell": {"kind": "one_sided"}, "pulse": {"w_min": 0.0}}
    how = {"wires": {"r_bit": 50.0, "refresh_every": 3}, "update": {"scheme": "pulsed"}}
    made = Chip.parse({"name": "mine", "device": pair, **how})
    how = {"overrides": TIGHT, "arrays": ["dense_1", "dense_2"]}
    found = netlists.export(settings("pooled"), tmp_path / "net.cir", chip=made, **how)
    line = "* wires.refresh_every = 3: currents are of the wires as they are, settled states of the attenuation solved"
    assert line in found.out.read_text()
    ammeters, states = differences(found, spice.solve(found.out.read_text()))
    assert ammeters < SAME < states


def test_names_from_outside_stay_comments(tmp_path):
    """A chip's citation or a class with a line end in it makes no statement."""
    made = chip("pooled").model_copy(update={"name": "a\n.include /etc/passwd"})
    found = netlists.export(settings("pooled"), tmp_path / "net.cir", chip=made, arrays=["dense_2"])
    assert not any(line.startswith(".include") for line in found.out.read_text().splitlines())


def test_command(neuroep, trained, tmp_path):
    out = tmp_path / "net.cir"
    found = neuroep("export", trained, "--chip", "pcm", "--sample", "3", "--out", out, "--array", "dense_1", "--array",
                    "dense_2")  # fmt: skip
    assert found.code == 0 and found.out.startswith(f"{out}: sample 3 of test on ") and out.exists()
    again = ("--array", "dense_2", "--out", out, "--json")
    refused = neuroep("export", trained, "--chip", "pcm", *again)
    assert (refused.code, "is there: name another one, or" in refused.err) == (2, True)
    page = json.loads(neuroep("export", trained, "--chip", "pcm", *again, "--force").out)
    assert page["reads"] == ["dense_2_f", "dense_2_b"] and len(page["currents"]) == 2 * (2 + 8)
    assert set(page["states"]) == {"s_output_0", "s_output_1"}


@pytest.mark.parametrize(
    ("change", "error", "line"),
    [
        ({"chip": None}, ConfigError, "there is no chip to export: add chip=NAME"),
        ({"chip": "loihi"}, ConfigError, "is event_driven: it holds integers"),
        ({"sample": 10**6}, DataError, "sample is 1000000: split 'test' of data 'reviews' has 1000 samples, 0 to 99"),
        ({"sample": -1}, ConfigError, "sample is -1: allowed are whole numbers from 0"),
        ({"tokens": -1}, ConfigError, "tokens is -1: allowed are whole numbers from 0"),
        ({"split": "tset"}, DataError, "tset"),
        ({"arrays": ["dense_3"]}, ConfigError, "unknown array 'dense_3': allowed are query, dense_1, dense_2; did you"),
        ({"overrides": ["--engine.kind", "reference"]}, ConfigError, "engine.kind"),
        ({"out": "none/net.cir"}, ConfigError, "net.cir': there is no directory '"),
    ],
)  # fmt: skip
def test_what_cannot_be(trained, tmp_path, change, error, line):
    given = {"chip": "pcm", "out": "net.cir", **change}
    out = tmp_path / given.pop("out")
    with pytest.raises(error) as found:
        netlists.export(trained, out, **given)
    assert line in str(found.value) and "\n" not in str(found.value)
    assert list(tmp_path.iterdir()) == []


def test_a_directory_is_refused_before_anything_settles(trained, tmp_path, monkeypatch):
    """It was told after a minute."""
    monkeypatch.setattr(netlists, "_opened", None)
    with pytest.raises(ConfigError, match=r"it is a directory, and only a plain file is replaced$"):
        netlists.export(trained, tmp_path, chip="pcm")


def test_netlists_that_are_too_large(trained, tmp_path, monkeypatch):
    monkeypatch.setattr(settled_circuits, "MOST", 1000)
    with pytest.raises(ConfigError, match=r"^the netlist would have [\d,]+ devices and segments, at most 1,000"):
        netlists.export(trained, tmp_path / "net.cir", chip="pcm")


def test_products_with_a_digital_part(trained, tmp_path):
    rider = chip("pooled", update={"scheme": "rider", "transfer": {"gamma": 0.5}})
    with pytest.raises(UserError, match=r"^array 'dense_1' cannot be exported: what it reads has a digital part"):
        netlists.export(trained, tmp_path / "net.cir", chip=rider, arrays=["dense_1"])
