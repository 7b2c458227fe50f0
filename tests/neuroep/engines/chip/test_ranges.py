"""What parts tell of their digitisers: the step of what they show, and full scales that were found by calibrating."""

from __future__ import annotations

import numpy as np
import pytest

from neuroep.engines import local
from tests import cases

SYNAPSES = ("query", "dense_1", "dense_2")


def substrate(small, **chip):
    return small({name.replace("__", "."): value for name, value in chip.items()}).engine.substrate


def test_exact_arithmetic_has_no_steps_and_no_ranges(small):
    for engine in (local(cases.network("pooled_sentiment")), small({}).engine):
        assert engine.substrate.ranges() == {}
        for synapse in engine.network.synapses:
            for end in ("post", "pre"):
                assert engine.substrate.read_out_resolution(synapse.name, end) == 0
        for part in (*engine.cells.values(), *engine.units.values()):
            assert part.resolution == 0


@pytest.mark.parametrize("bits", [3, 8])
def test_the_step_of_a_read_out_of_states(small, bits):
    """Unsigned where a state cannot be negative: 2^bits - 1 steps over the range; else 2^bits - 2 over twice that."""
    made = substrate(small, readout__bits=bits, readout__range=2.0)
    assert made.read_out_resolution("dense_2", "post") == pytest.approx(4.0 / (2**bits - 2))
    assert made.ranges() == {}
    made = substrate(small, readout__bits=bits, readout__sign="auto")
    full = made.ranges()["readout dense_2 post state"]
    assert made.read_out_resolution("dense_2", "post") == pytest.approx(full / (2**bits - 1))


def test_the_step_of_a_read_out_of_differences_is_that_of_their_own_range(small):
    made = substrate(small, readout__bits=6, readout__signal="difference")
    ranges = made.ranges()
    for synapse in SYNAPSES:
        change, state = (ranges[f"readout {synapse} post {what}"] for what in ("change", "state"))
        assert change < state
        assert made.read_out_resolution(synapse, "post") == pytest.approx(2 * change / (2**6 - 2))


def test_the_steps_of_states_that_are_shown(small):
    engine = small({"neuron.state_bits": 4, "attention.state.bits": 5}).engine
    assert engine.cells["hidden_1"].resolution == pytest.approx(1 / (2**4 - 1))
    (unit,) = engine.units.values()
    full = engine.substrate.ranges()[f"attention.state {unit.layer.name}"]
    assert unit.resolution == pytest.approx(2 * full / (2**5 - 2))


def test_the_step_of_event_driven_states_is_that_of_their_integers(small):
    engine = small({"substrate": "event_driven", "events.state_bits": 6, "events.state_range": 2.0}).engine
    array = engine.arrays["dense_1"].array
    assert engine.substrate.read_out_resolution("dense_1", "pre") == pytest.approx(array.state_step("forward"))
    assert engine.substrate.read_out_resolution("dense_1", "post") == pytest.approx(array.state_step("transposed"))


def test_ranges_of_converters_and_weights_are_by_table_and_place(small):
    engine = small({"adc.bits": 8, "dac.bits": 8}).engine
    ranges = engine.substrate.ranges()
    for synapse in SYNAPSES:
        crossbar = engine.arrays[synapse].crossbar
        assert ranges[f"crossbar {synapse} weights"] == crossbar.weight_range
        for way in ("forward", "transposed") if synapse != "query" else ("forward",):
            dac, adc = crossbar.converters.of(way)
            assert ranges[f"dac {synapse} {way}"] == dac.range and ranges[f"adc {synapse} {way}"] == adc.range
    assert "adc query transposed" not in ranges  # never read


def test_a_range_that_is_given_was_not_found(small):
    ranges = substrate(small, adc__bits=8, adc__range=4.0, dac__bits=8, dac__range=2.0).ranges()
    assert set(ranges) == {f"crossbar {synapse} weights" for synapse in SYNAPSES}


def test_readings_of_the_dac_at_the_stop_are_told_where_there_are_any(small):
    """A DAC calibrated to its median is at the stop for half of what it drives; one with room is for nothing."""
    cut = small({"dac.bits": 6, "dac.percentile": 50.0}).engine.array_health()
    shares = [found.get("dac_at_stop", 0.0) for found in cut.values()]
    assert max(shares) > 0.1 and all(0 < share < 1 for share in shares)
    roomy = small({"dac.bits": 6, "dac.margin": 4.0}).engine.array_health()
    assert all("dac_at_stop" not in found for found in roomy.values())


def test_crossbars_that_convert_nothing_cut_no_weight(small):
    """Of exact ones the largest weight is not at its range; with devices that differ it is."""
    exact = small({}).engine.array_health()
    assert all(found["weights_at_range"] == 0 for found in exact.values())
    spread = small({"device.mismatch": 0.01}).engine.array_health()
    assert all(np.isfinite(found["weights_at_range"]) for found in spread.values())
    assert max(found["weights_at_range"] for found in spread.values()) > 0
