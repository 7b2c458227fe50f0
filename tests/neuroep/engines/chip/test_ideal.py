"""Without effects a chip is the ideal engine bit for bit; vanishing effects lead back to it; draws keep their keys."""

from __future__ import annotations

import numpy as np
import pytest

from hw_models.chip import Chip
from hw_models.errors import ChipError
from neuroep import engines
from neuroep.network import builders as networks
from neuroep.runs import config, deployment, directory as runs, training
from tests import cases
from tests.neuroep.engines.chip.conftest import assembled, described

NETWORKS = {
    "pooled": {},
    "flat": {"network.readout": "flat"},
    "inference": {"network.kind": "inference", "data.name": "pairs", "network.dense": [6, 3]},
    "unmasked": {"network.mask": False},
    "float64": {"engine.dtype": "float64"},
    "adam": {"optimiser.kind": "adam", "optimiser.dense_rate": 1e-3, "optimiser.projection_rate": 1e-3},
    "synchronous": {"settling.order": "synchronous"},
    "relaxed": {"settling.dt": 0.5},
    "tolerance": {"settling.tolerance": 0.01, "settling.free_steps": 30},
    "tanh": {"network.potential": "tanh"},
}
FLAT = {"network.readout": "flat"}


@pytest.mark.parametrize("name", NETWORKS)
def test_the_ideal_chip_is_the_ideal_engine_bit_for_bit(small, name):
    ideal, chip = small(None, NETWORKS[name]), small({}, NETWORKS[name])
    assert chip.parts.config.chip == Chip.parse({"calibration_samples": 16})
    assert ideal.same(chip)


def test_an_ideal_tiled_chip_differs_by_rounding_only(small):
    ideal, tiled = small(), small({"crossbar.rows": 7, "crossbar.columns": 4})
    np.testing.assert_allclose(tiled.outputs, ideal.outputs, atol=1e-5)


ROOM = {"crossbar.weight_headroom": 4.0}
VANISHING = {
    "converters": {"dac.bits": 22, "adc.bits": 22, "dac.margin": 4.0, "adc.margin": 4.0},
    "unsigned or signed as seen": {"dac.bits": 22, "dac.sign": "auto", "dac.margin": 4.0},
    "stochastic rounding": {"adc.bits": 22, "adc.stochastic": True, "adc.margin": 4.0},
    "converter noise": {"adc.noise": 1e-6, "dac.noise": 1e-6, "adc.margin": 4.0, "dac.margin": 4.0},
    "tiles": {"crossbar.rows": 7, "crossbar.columns": 4, "adc.bits": 22, "adc.margin": 4.0},
    "offset mapping": {"crossbar.mapping": "offset", "device.levels": 2**20 + 1},
    "slices": {"crossbar.slices": 4, "crossbar.slice_bits": 5},
    "levels": {"device.levels": 2**20},
    "resolution": {"device.resolution": 25 / 2**20},
    "programming noise": {"device.programming_noise": [1e-5]},
    "additive read noise": {"device.read_noise": 1e-5},
    "exact read noise": {"device.read_noise": 1e-5, "crossbar.exact_noise": True},
    "proportional read noise": {"device.read_noise": 1e-6, "device.read_noise_law": "proportional"},
    "square root read noise": {"device.read_noise": 1e-6, "device.read_noise_law": "sqrt"},
    "1/f read noise": {"device.read_noise": 1e-7, "device.read_noise_law": "pcm"},
    "drift": {"device.drift_mean": [0.0, 1e-6, 1e-6, 1e-6], "device.age": 1e5},
    "compensated drift": {
        "device.drift_mean": [0, 0.1, 0.1, 0.1],
        "device.age": 1e5,
        "device.drift_compensation": True,
    },
    "mismatch": {"device.mismatch": 1e-6},
    "wires": {"wires.r_word": 1e-3, "wires.r_bit": 1e-3, "crossbar.rows": 6, "crossbar.columns": 5},
    "neuron mismatch": {"neuron.gain_spread": 1e-6, "neuron.offset_spread": 1e-6},
    "state noise": {"neuron.state_noise": 1e-6},
    "state bits": {"neuron.state_bits": 20},
    "exponential bits": {"attention.exp_bits": 20},
    "attention bits": {"attention.state.bits": 22, "attention.state.margin": 4.0},
    "analog attention": {"attention.kind": "analog", "device.levels": 2**20},
    "read-out bits": {"readout.bits": 24, "readout.margin": 4.0},
    "read-out of the difference": {"readout.bits": 20, "readout.signal": "difference", "readout.margin": 8.0},
    "mixed precision": {"update.scheme": "mixed_precision", "device.pulse.dw_min": 1e-5, **ROOM},
    "events": {"substrate": "event_driven", "events.state_bits": 16},
    "increments": {"nudged.drive": "increments"},
    "converters of increments": {
        "nudged.drive": "increments", "dac.bits": 20, "adc.bits": 20, "dac.margin": 4.0, "adc.margin": 4.0,
    },
}
COARSE = {"events": 2e-2, "compensated drift": 1e-3}
"""Eight-bit weights; one exponent for all devices, compensated as a whole."""


@pytest.mark.parametrize("name", VANISHING)
@pytest.mark.parametrize("readout", ["pooled", "flat"])
def test_an_effect_that_vanishes_leads_back_to_the_ideal_engine(small, name, readout):
    settings = {"network.readout": readout}
    ideal, chip = small(None, settings), small(VANISHING[name], settings)
    tolerance = COARSE.get(name, 3e-4)
    np.testing.assert_allclose(chip.outputs, ideal.outputs, atol=tolerance)
    for parameter, weight in ideal.weights.items():
        np.testing.assert_allclose(chip.weights[parameter], weight, atol=tolerance, err_msg=parameter)


def test_pulses_move_the_weights_as_the_rule_does_on_average(small):
    """Means over 24 chips: what is left is the noise of the pulses' numbers."""
    pulsed = {"update.scheme": "pulsed", "update.signals": "contrast", "update.train_length": 63, **ROOM}
    pulsed["device.pulse.dw_min"] = 3e-4
    start = assembled(None, {}).engine.parameters()
    ideal = small().weights
    chips = [small(pulsed, {"engine.chip_seed": seed}).weights for seed in range(24)]
    for name in ("dense_1.weight", "dense_2.weight"):
        wanted = ideal[name] - start[name]
        found = np.mean([chip[name] for chip in chips], axis=0) - start[name]
        assert (found * wanted).sum() / np.linalg.norm(found) / np.linalg.norm(wanted) > 0.99, name
        assert 0.85 < (found * wanted).sum() / np.square(wanted).sum() < 1.15, name


NOISY = {
    "device.read_noise": 0.2,
    "device.programming_noise": [0.2],
    "device.mismatch": 0.05,
    "adc.bits": 8,
    "adc.stochastic": True,
    "dac.bits": 8,
    "dac.noise": 0.001,
    "neuron.state_noise": 0.001,
    "readout.bits": 10,
    "readout.noise": 1e-3,
    "crossbar.rows": 7,
}
ERRING = {"adc.gain_spread": 0.1, "adc.offset_spread": 0.02, "adc.inl": 0.03, "adc.dnl": 0.3, "adc.columns": 2}
DRIFT = {"device.drift_mean": [0.0, 0.1, 0.1, 0.1], "device.age": 9.0}
CURVE = {"device.iv": "cubic", "device.iv_cubic": 0.3}
OWN = {"transposed.devices": "own", "transposed.weight_error": 0.1, "transposed.gain_spread": 0.1}
BOTH = ("expected on both paths", "mixed on both paths")
KINDS = {
    "erring": NOISY | ERRING | CURVE | OWN | DRIFT | {"dac.digit_bits": 3},
    "erring patterns": NOISY | ERRING | OWN | {"attention.kind": "analog"},
    "bent": NOISY | CURVE | OWN | {"wires.r_word": 20.0, "wires.r_bit": 20.0},
    "digital": NOISY,
    "exact": NOISY | {"crossbar.exact_noise": True},
    "analog": NOISY | {"attention.kind": "analog", "attention.state.bits": 8, "attention.state.noise": 1e-3},
    "mixed": NOISY | {"update.scheme": "mixed_precision"},
    "expected": NOISY | {"update.scheme": "pulsed", "device.pulse.noise": 0.5},
    "expected on both paths": NOISY | OWN | {"update.scheme": "pulsed", "device.pulse.noise": 0.5},
    "mixed on both paths": NOISY | OWN | {"update.scheme": "mixed_precision"},
    "trains": NOISY | {"update.scheme": "pulsed", "update.trains": "stochastic", "device.pulse.dw_min_spread": 0.3},
    "events": {"substrate": "event_driven", "events.in_place": True, "neuron.state_noise": 1e-3},
    "increments": NOISY | {"nudged.drive": "increments", "crossbar.follow_weights": True, "calibration_every": 3},
    "moved": NOISY | {
        "update.write_threshold": 0.02, "crossbar.follow_weights": True, "device.programming_noise_fresh": [0.1],
        "device.age": 3600.0,
    },
}


@pytest.mark.parametrize("kind", KINDS)
def test_the_bits_do_not_depend_on_the_number_of_threads(small, kind):
    one, three = (small(KINDS[kind], {"engine.threads": threads}) for threads in (1, 3))
    assert one.same(three)


KINDS_RESUMED = ["analog", "mixed", "expected", "events", "increments", "moved", "erring", "bent", "erring patterns"]


@pytest.mark.parametrize("kind", [*KINDS_RESUMED, *BOTH])
def test_a_resumed_run_goes_on_bit_for_bit(tmp_path, kind):
    few = {"data.limit": 16} if kind == "bent" else {}  # every read of curves behind wires is solved
    values = described(KINDS[kind], few).to_dict()
    values["training"] |= {"epochs": 2, "evaluate": []}
    whole = config.parse(values)
    training.train(whole, tmp_path / "whole", progress=False, diagnose=False)
    values["training"]["epochs"] = 1
    training.train(config.parse(values), tmp_path / "parted", progress=False, diagnose=False)
    training.train(whole, tmp_path / "parted", resume=True, progress=False, diagnose=False)
    files = [(tmp_path / name / "checkpoint.safetensors").read_bytes() for name in ("whole", "parted")]
    assert files[0] == files[1]


def test_what_is_evaluated_on_the_way_changes_no_draw(tmp_path):
    values = described(KINDS["expected"], {}).to_dict()
    weights = []
    for number, splits in enumerate([["test"], ["train", "test"]]):
        values["training"] |= {"epochs": 2, "evaluate": splits, "probe": 4 * number}
        training.train(config.parse(values), tmp_path / str(number), progress=False, diagnose=False)
        saved = runs.load(tmp_path / str(number)).checkpoint()
        weights.append({**saved.parameters, **saved.optimiser, **saved.devices})
    for name, values in weights[0].items():
        if not name.endswith(".counts"):
            np.testing.assert_array_equal(values, weights[1][name], err_msg=name)


def test_a_run_on_a_chip_is_evaluated_on_the_devices_it_was_trained_with(tmp_path):
    values = described(KINDS["expected"], {}).to_dict()
    values["training"] |= {"epochs": 1, "evaluate": ["test"]}
    record = training.train(config.parse(values), tmp_path / "run", progress=False, diagnose=False)
    found = deployment.evaluate(tmp_path / "run")
    assert found.accuracy == record["evaluate"]["test"]["accuracy"]
    assert found.loss == record["evaluate"]["test"]["loss"]


def test_a_chip_without_ranges_asks_for_calibration():
    network = networks.sentiment(tokens=5, dim=4, dense=(3, 2), readout="pooled")
    engine = engines.local(network, chip=Chip.parse({"adc": {"bits": 8}}), seed=0)
    assert engine.calibrates
    with pytest.raises(ChipError, match="neither set nor calibrated"):
        engine.settle(cases.batch(network, 3))
