"""What a run on a chip counts: every conversion once, every tile, every reading at the stop; in records and reports."""

from __future__ import annotations

from analysis.drawing.counters import at_stop

import numpy as np
import pytest

from neuroep import data
from neuroep.runs import config, directory as runs, training
from tests.neuroep.engines.chip.conftest import described

STATES = {"readout.bits": 8}
DIFFERENCE = STATES | {"readout.signal": "difference"}
TILES = {"crossbar.rows": 4, "crossbar.columns": 3, "dac.bits": 8, "adc.bits": 8}


def batch(parts):
    batches = data.batches(parts.corpus.split("train"), parts.corpus.vectors, 8, sequences=("text",))
    return next(iter(batches))


def grown(engine, work) -> dict[str, int]:
    before = engine.counters()
    work()
    return {name: number - before[name] for name, number in engine.counters().items()}


@pytest.mark.parametrize(
    ("chip", "rule"),
    [(STATES, "adam"), (DIFFERENCE, "adam"), (DIFFERENCE, "sgd"), (STATES | {"update.scheme": "pulsed"}, "sgd")],
)
@pytest.mark.parametrize("readout", ["pooled", "flat"])
def test_an_update_converts_every_state_once(small, chip, readout, rule):
    """Two conversions of a moved state; the mean of the query's states is not asked for, so of them one difference."""
    parts = small(chip, {"network.readout": readout, "optimiser.kind": rule}).parts
    engine, first = parts.engine, batch(parts)
    contrasts = parts.estimator.measure(engine, first, 0).contrasts
    tokens, dim = int(first.inputs["text"].lengths.sum()), first.inputs["text"].vectors.shape[2]
    query = tokens * dim * (1 if chip is DIFFERENCE else 2)
    clamped, dense = tokens * dim, sum(2 * 8 * sum(synapse.shape) for synapse in engine.network.dense)
    counted = grown(engine, lambda: engine.update(contrasts, dict.fromkeys(contrasts, 0.01)))
    assert counted["state_conversions"] == query + clamped + dense


def test_the_counters_of_a_settled_batch_are_those_of_its_products(small):
    """Free phase of a batch, product by product: lines times tiles, outputs times tiles, sums over tiles."""
    parts = small(TILES, {"settling.free_steps": 4}).parts
    engine, first = parts.engine, batch(parts)
    lengths = first.inputs["text"].lengths
    made = []
    for name, array in engine.arrays.items():
        for way in ("forward", "transposed"):
            read = getattr(array.crossbar, way)
            setattr(array.crossbar, way, _noting(made, name, way, read))
    counted = grown(engine, lambda: engine.settle(first, parts.estimator.free))
    dac = adc = sums = 0
    for name, way, rows in made:
        out, into = engine.arrays[name].crossbar.shape
        driven, sensed = (into, out) if way == "forward" else (out, into)
        lines, outputs = (4, 3) if way == "forward" else (3, 4)
        dac += rows * driven * -(-sensed // outputs)
        adc += rows * sensed * -(-driven // lines)
        sums += rows * sensed * (-(-driven // lines) - 1)
    assert (counted["dac"], counted["adc"], counted["additions"]) == (dac, adc, sums)
    assert ("query", "forward", lengths.sum()) in made


def _noting(made, name, way, read):
    def noted(signals, *rest):
        made.append((name, way, len(signals)))
        return read(signals, *rest)

    return noted


@pytest.mark.parametrize("chip", [{}, STATES, DIFFERENCE])
def test_patterns_are_read_once_in_each_phase_for_an_update(small, chip):
    """The mean and the change of the query's states are made of the same two reads."""
    parts = small({"attention.kind": "analog", "device.read_noise": 0.1, **chip}).parts
    engine, first = parts.engine, batch(parts)
    post = parts.estimator.measure(engine, first, 0).contrasts["query"].post
    bars, lengths = engine.units["attention"].stored._crossbars, first.inputs["text"].lengths
    devices = sum(bar.devices.count * int(n) for bar, n in zip(bars, lengths, strict=True))

    def ask():
        for name in ("plus", "minus", "mean", "change"):
            assert getattr(post, name) is not None
        np.testing.assert_array_equal(post.plus, post.plus)

    assert grown(engine, ask)["reads"] == 2 * devices


def test_readings_at_the_stop_are_in_the_record_and_the_same_after_a_resume(tmp_path):
    """An ADC calibrated to its median clips half: the share is told by direction, in every epoch, probes or not."""
    chip = {"adc.bits": 6, "adc.percentile": 50.0, "readout.bits": 6, "readout.percentile": 50.0}
    values = described(chip, {}).to_dict()
    values["training"] |= {"epochs": 2, "evaluate": ["test"], "probe": 4}
    training.train(config.parse(values), tmp_path / "whole", progress=False, diagnose=False)
    values["training"]["epochs"] = 1
    training.train(config.parse(values), tmp_path / "parted", progress=False, diagnose=False)
    values["training"]["epochs"] = 2
    training.train(config.parse(values), tmp_path / "parted", resume=True, progress=False, diagnose=False)
    whole, parted = (runs.load(tmp_path / name).metrics for name in ("whole", "parted"))
    for one, other in zip(whole, parted, strict=True):
        assert one["arrays"] == other["arrays"] and one["counters"] == other["counters"]
        for found in one["arrays"].values():
            assert found["adc_forward_at_stop"] > 0.1
        shares = at_stop(one["counters"])
        assert 0.1 < shares["ADC, forward"] < 0.9 and 0.1 < shares["ADC, transposed"] < 0.9
        assert 0.1 < shares["states"] < 0.9
        assert any("of forward ADC readings at full scale" in line for line in training.near_limits(one))
        assert one["evaluate"]["test"]["counters"]["adc_forward_at_stop"] > 0


def test_threads_do_not_change_a_count(small):
    chip = TILES | {"adc.percentile": 90.0, "device.read_noise": 0.1, "adc.stochastic": True}
    one, three = (small(chip, {"engine.threads": threads}).counters for threads in (1, 3))
    assert one == three and one["adc_forward_at_stop"] > 0
