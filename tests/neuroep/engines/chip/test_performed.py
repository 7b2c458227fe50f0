"""What every part did in a run, by phase: counted by hand, summed up to the counters, kept over a resume."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from hw_models import presets
from hw_models.tally import PHASES, Tally
from neuroep import data
from neuroep.engines.kept import Entry, check
from neuroep.errors import CheckpointError
from neuroep.runs import config, training
from neuroep.runs.session import Session
from tests.neuroep.engines.chip.conftest import described

SUMS = {
    "dac": ("dac",),
    "adc": ("adc",),
    "additions": ("addition",),
    "reads": ("read",),
    "writes": ("write",),
    "pulses": ("pulse",),
    "state_conversions": ("conversion",),
    "events": ("event",),
    "synaptic_operations": ("synaptic",),
    "digital_operations": ("multiply-add", "softmax"),
    "dac_at_stop": ("dac_at_stop",),
    "adc_forward_at_stop": ("adc_forward_at_stop",),
    "adc_transposed_at_stop": ("adc_transposed_at_stop",),
    "state_conversions_at_stop": ("conversion_at_stop",),
}
"""Counters, and the kinds of operations that they are sums of."""
KINDS = {
    "states": {"neuron.state_bits": 8, "readout.bits": 8, "attention.state.bits": 8},
    "analog": {"attention.kind": "analog", "adc.bits": 8, "crossbar.rows": 4},
    "pulsed": {"update.scheme": "pulsed"},
    "mixed precision": {"update.scheme": "mixed_precision"},
    "events": {"substrate": "event_driven"},
    "events in place": {"substrate": "event_driven", "events.in_place": True},
    "coarse exponentials": {"attention.exp_bits": 6},
}


def whole(performed: dict[str, Tally]) -> Tally:
    """Return the rows of all parts together."""
    found = Tally()
    for tally in performed.values():
        found.join(tally)
    return found


def rows(performed: dict[str, Tally]) -> dict[tuple[str, str, str], int]:
    """Return numbers by part, operation and phase, those that are not zero."""
    found: Counter[tuple[str, str, str]] = Counter()
    for done, number in whole(performed).rows():
        found[done.part, done.operation, done.phase] += number
    return {key: number for key, number in found.items() if number}


def added(engine, work) -> dict[tuple[str, str, str], int]:
    """Return the rows that work adds."""
    before = rows(engine.performed())
    work()
    after = rows(engine.performed())
    return {key: number - before.get(key, 0) for key, number in after.items() if number != before.get(key, 0)}


def batch(parts):
    return next(iter(data.batches(parts.corpus.split("train"), parts.corpus.vectors, 8, sequences=("text",))))


def sums_are_the_counters(engine):
    made, counted = whole(engine.performed()), engine.counters()
    for name, number in counted.items():
        if name == "adc_transposed":
            assert number == made.number("adc transposed")
        elif name not in ("settle_steps", "chip_picoseconds"):
            assert number == sum(made.total(kind) for kind in SUMS[name]), name
    assert {done.phase for done, _ in made.rows()} <= set(PHASES)
    return made


def test_a_crossbar_network_by_hand(small):
    """Free and nudged sweeps, layer-wise, each layer moved once a sweep; then an update that writes once.

    Noisy reads, so that every layer reads at every step: hidden_1 reads dense_1 forward and dense_2 back, output
    dense_2 forward, attention dense_1 back; tiles of 4 x 3. The query is read once, when the batch is clamped.
    """
    chip = {"crossbar.rows": 4, "crossbar.columns": 3, "dac.bits": 8, "adc.bits": 7, "device.read_noise": 0.01}
    parts = small(chip, {"settling.free_steps": 4, "settling.nudged_steps": 3}).parts
    engine, first, estimator = parts.engine, batch(parts), parts.estimator
    samples, tokens = first.size, int(first.inputs["text"].lengths.sum())
    sweeps = {"free": 4 * samples, "nudged": 2 * 3 * samples}
    measured = []
    found = added(engine, lambda: measured.append(estimator.measure(engine, first, 0)))
    expected, shapes = {}, {s.name: s.shape for s in engine.network.synapses}

    def products(name, way, phase, times):
        out, into = shapes[name]
        row, column = -(-into // 4), -(-out // 3)
        driven, sensed, over, along = (into, out, column, row) if way == "forward" else (out, into, row, column)
        devices = engine.arrays[name].crossbar.devices.count
        each = {"dac": driven * over, "adc": sensed * along, "addition": sensed * (along - 1), "read": devices}
        each |= {"activation": over * along * 2, "product": 1}
        expected.update({(name, f"{what} {way}", phase): times * n for what, n in each.items() if n})

    products("query", "forward", "free", tokens)
    for phase, times in sweeps.items():
        products("dense_1", "forward", phase, times)
        products("dense_1", "transposed", phase, times)
        products("dense_2", "forward", phase, times)
        products("dense_2", "transposed", phase, times)
        for layer in engine.network.layers[1:]:
            expected[f"neurons.{layer.name}", "response", phase] = times * layer.size
    arrays = {key: n for key, n in found.items() if "at_stop" not in key[1] and not key[0].startswith("attention")}
    assert arrays == expected
    dim = shapes["query"][1]
    pairs = int((first.inputs["text"].lengths ** 2).sum())
    assert found["attention.attention", "multiply-add read-out", "free"] == 4 * tokens * dim
    assert found["attention.attention", "softmax", "nudged"] == 6 * 2 * pairs
    bits = {(d.operation, d.bits) for d, _ in engine.performed()["dense_1"].rows() if d.phase == "free"}
    assert {("dac forward", 8), ("adc transposed", 7), ("addition forward", None)} <= bits
    rates = dict.fromkeys(shapes, 0.01)
    found = added(engine, lambda: engine.update(measured[0].contrasts, rates))
    terms = {"query": tokens, "dense_1": 2 * samples, "dense_2": 2 * samples}
    expected = {}
    for name, (out, into) in shapes.items():
        expected[name, "write", "update"] = engine.arrays[name].crossbar.devices.count
        expected[name, "multiply-add update", "update"] = (terms[name] + 1) * out * into
    assert found == expected


def test_an_event_driven_network_by_hand(small):
    """Events are the changes of what the senders' memories hold; the update writes every integer anew."""
    parts = small({"substrate": "event_driven"}, {"settling.free_steps": 1}).parts
    engine, first = parts.engine, batch(parts)
    settled = []
    found = added(engine, lambda: settled.append(engine.settle(first, parts.estimator.free)))
    for synapse in engine.network.dense:
        out, into = synapse.shape
        memory = settled[0].state.memory[synapse.name]
        for way, receivers in (("forward", out), ("transposed", into)):
            sent = int(np.count_nonzero(memory[way].sent)) if way in memory else 0
            assert found.get((synapse.name, f"event {way}", "free"), 0) == sent
            assert found.get((synapse.name, f"synaptic {way}", "free"), 0) == sent * receivers
    assert found["dense_1", "event forward", "free"] > 0
    assert {phase for _, _, phase in found} == {"free"}
    contrasts = parts.estimator.measure(engine, first, 0).contrasts
    found = added(engine, lambda: engine.update(contrasts, dict.fromkeys(contrasts, 0.01)))
    for synapse in engine.network.synapses:
        assert found.pop((synapse.name, "write", "update")) == np.prod(synapse.shape)
        assert found.pop((synapse.name, "multiply-add update", "update")) > 0
    assert found == {}


@pytest.mark.parametrize("name", ["ideal", *presets.names()])
def test_sums_are_the_counters_on_every_preset(name):
    from tests.neuroep.engines.chip.conftest import BASE

    made = Session.open(config.parse({**BASE, "chip": {} if name == "ideal" else {"preset": name}}, "test"))
    split = made.corpus.split("train")
    first = next(iter(data.batches(split, made.corpus.vectors, 8, sequences=made.corpus.sequences)))
    contrasts = made.estimator.measure(made.engine, first, 0).contrasts
    made.engine.update(contrasts, dict.fromkeys(contrasts, 0.01))
    made.evaluate(only=np.arange(8))
    performed = sums_are_the_counters(made.engine)
    phases = {done.phase for done, number in performed.rows() if number}
    assert {"free", "nudged", "update", "evaluate"} <= phases
    assert ("calibrate" in phases) == made.config.chip.calibrates


@pytest.mark.parametrize("kind", KINDS)
def test_a_resumed_run_has_done_what_an_uninterrupted_one_did(kind, tmp_path):
    values = described(KINDS[kind], {}).to_dict()
    values["training"] |= {"epochs": 2, "evaluate": ["train"]}
    training.train(config.parse(values), tmp_path / "whole", progress=False, diagnose=False)
    values["training"]["epochs"] = 1
    training.train(config.parse(values), tmp_path / "parted", progress=False, diagnose=False)
    values["training"]["epochs"] = 2
    training.train(config.parse(values), tmp_path / "parted", resume=True, progress=False, diagnose=False)
    found = [Session.open(tmp_path / name, devices="keep").engine for name in ("whole", "parted")]
    one, other = (rows(engine.performed()) for engine in found)
    assert one == other
    assert found[0].counters() == found[1].counters() | {"settle_steps": found[0].counters()["settle_steps"]}
    assert {"free", "nudged", "update", "evaluate"} <= {phase for _, _, phase in one}
    sums_are_the_counters(found[0])


def test_exact_arithmetic_is_written_down_too_and_torch_counts_nothing(small):
    engine = small(None).engine
    made = sums_are_the_counters(engine)
    assert {done.phase for done, _ in made.rows()} == {"free", "nudged", "update"}
    assert engine.device_state() == {}
    assert small(None, {"engine.kind": "reference"}).engine.performed() == {}


def test_a_checkpoint_without_tallies_is_read_and_counts_on(small):
    """As version 0.1 left them: crossbars and event arrays keep their counters, in no phase."""
    chip = {"adc.bits": 8, "crossbar.rows": 4}
    engine = small(chip).engine
    devices = {name: value for name, value in engine.device_state().items() if not name.endswith("tally.counts")}
    other = small(chip).engine
    other.load_optimiser_state(engine.optimiser_state(), devices)
    for name in ("adc", "adc_transposed", "reads", "writes", "additions"):
        assert other.counters()[name] == engine.counters()[name] > 0
    assert {work.phase for work, _ in other.performed()["dense_1"].rows() if work.operation == "adc forward"} == {""}


def test_a_tally_may_be_missing_and_of_any_length_but_is_bytes():
    entry = {"a.tally.counts": Entry.like("a.tally.counts", Tally().packed())}
    check({}, entry)
    one = Tally()
    one.add("a", "read forward", 3, (2, 2))
    check({"a.tally.counts": one.packed()}, entry)
    with pytest.raises(CheckpointError, match=r"'a\.tally\.counts': these bytes are no tally"):
        check({"a.tally.counts": one.packed()[:-1]}, entry)
    for wrong in (np.zeros(5), np.zeros((2, 2), np.uint8)):
        with pytest.raises(CheckpointError, match=r"'a\.tally\.counts' has shape"):
            check({"a.tally.counts": wrong}, entry)
