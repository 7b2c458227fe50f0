"""The parts of a contrast's error: against exact arithmetic, and against noise that is put in by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from neuroep.gradients import contrast_error
from neuroep.gradients.contrast_error import NULL, Probe, lost
from neuroep.gradients.health import stuck_error
from neuroep.network import DenseLayer
from neuroep.network.potentials import HardSigmoid
from neuroep.runs.session import Session
from tests.conftest import ROOT

REVIEWS = ROOT / "examples" / "configs" / "reviews.toml"
SHORT = ["--limit", "200", "--nudged_steps", "8", "--free_steps", "15"]


def probed(*overrides, samples=8, batches=2):
    parts = Session.open(REVIEWS, overrides=[*SHORT, "--chip", "ideal", *overrides], age=0.0)
    keyed = [
        parts.batch("train", np.arange(k * samples, (k + 1) * samples)).keyed("test", k) for k in range(batches)
    ]
    probe = Probe(parts.estimator, keyed)
    return probe, parts.engine, probe.probed(parts.engine)


def test_the_ideal_chip_has_no_error_and_its_null_contrast_is_zero():
    probe, engine, found = probed()
    assert set(found.errors) == {"query", "dense_1", "dense_2"}
    for error in found.errors.values():
        assert error.noise == error.offset == error.error_differing == 0 and error.signal_to_noise == math.inf
        assert error.cosine == error.cosine_common > 0.99 and error.wanted > 0
    assert found.lost < 0.01 and found.below == {}
    assert all(np.abs(value).max() == 0 for gradient in probe.measured(engine, NULL) for value in gradient.values())


def test_what_both_phases_share_is_told_from_what_differs():
    """Mismatch, gains and steps of converters are shared, noise of states differs: nothing of one is in the other."""
    _, _, shared = probed("--chip.adc.bits", "5", "--chip.neuron.gain_spread", "0.2", "--chip.device.mismatch", "0.1")
    _, _, differing = probed("--chip.neuron.state_noise", "0.02")
    for error in shared.errors.values():
        assert error.error_differing == 0 and error.cosine == error.cosine_common
    assert shared.lost > 0.05
    for error in differing.errors.values():
        assert error.error_differing > 0.1 and error.cosine_common > 0.99 > error.cosine
        assert error.lost_between == pytest.approx(error.cosine_common - error.cosine)


def test_the_noise_of_the_holders_is_that_of_the_formula():
    """Held differences have sqrt(2) h of noise: that of the output bias, mean over samples, is sqrt(2/B) h/(2 beta)."""
    hold, samples, batches = 1e-2, 16, 12
    overrides = ("--chip.readout.signal", "difference", "--chip.readout.hold_noise", str(hold))
    probe, engine, _ = probed(*overrides, samples=samples, batches=batches)
    null = [gradient["dense_2.bias"] for gradient in probe.measured(engine, NULL)]
    spread = float(np.sqrt(np.mean(np.square(null))))
    wanted = math.sqrt(2 / samples) * hold / (2 * probe.estimator.beta)
    assert abs(spread / wanted - 1) < 4 / math.sqrt(2 * batches * 2)  # 4 sigma of a standard deviation of 24 numbers


def test_draws_of_both_measurements_are_the_same():
    """With the draws of the noise shared, what is left is the exact contrast to first order in the noise."""
    _, _, found = probed("--chip.device.read_noise", "0.02")
    for error in found.errors.values():
        assert error.error_common < 0.1 * error.error_differing


def test_offset_and_noise_are_told_apart():
    rng = np.random.default_rng(0)
    wanted = rng.normal(size=(2, 400))
    steady, random = np.tile(rng.normal(size=400), (2, 1)), rng.normal(size=(2, 400))
    for null, offset, noise in ((steady, True, False), (random, False, True)):
        error = contrast_error._error(wanted + null, null, wanted)
        length = float(np.sqrt(np.mean(np.sum(null**2, axis=1))))
        assert error.offset == pytest.approx(offset * length) and error.noise == pytest.approx(noise * length)
        assert error.signal == pytest.approx(np.sqrt(np.mean(np.sum(wanted**2, axis=1))))
        assert error.cosine_common == pytest.approx(1) and error.error_common == pytest.approx(0, abs=1e-12)


def test_a_contrast_that_vanishes_has_no_direction():
    zero = np.zeros((2, 5))
    error = contrast_error._error(zero + 1, zero, zero)
    assert math.isnan(error.cosine) and math.isnan(error.error_common) and math.isnan(error.lost_between)
    assert lost({"a": error.cosine}) == 0 and lost({"a": 0.5, "b": math.nan, "c": -1.0}) == pytest.approx(0.75)


@pytest.mark.parametrize("bits", [4, 8])
def test_the_share_below_half_a_step_is_that_of_the_exact_changes(bits):
    """Digitisers with a range given: the step is known, and the exact phases are settled here once more."""
    chip = ("--chip.readout.bits", str(bits), "--chip.readout.range", "1.0", "--chip.neuron.state_bits", str(bits))
    probe, engine, found = probed(*chip)
    exact = probe.exact(engine)
    changes = []
    for step, batch in enumerate(probe.batches):
        phases = probe.estimator.settle(exact, batch, step)
        plus, minus = (phases.state(nudge).values["hidden_1"] for nudge in (1.0, -1.0))
        changes.append(np.abs(plus - minus).astype(np.float64))
    sizes = np.concatenate(changes).ravel()
    for name, step in (("dense_1 post", 2.0 / (2**bits - 2)), ("hidden_1 state", 1.0 / (2**bits - 1))):
        assert found.below[name] == pytest.approx(sizes[sizes < step / 2].sum() / sizes.sum(), rel=1e-6), name


def test_outputs_that_are_stuck():
    layer = DenseLayer("output", 2, HardSigmoid())
    labels = np.array([0, 1])
    assert stuck_error(layer, np.array([[0.0, 1.0], [0.5, 0.5]]), labels) == pytest.approx(2 / 3)
    assert stuck_error(layer, np.array([[1.0, 0.0], [0.0, 1.0]]), labels) == 0


def test_probed_is_plain_in_a_record():
    _, _, found = probed("--chip.readout.bits", "6")
    page = found.as_dict()
    assert set(page) == {"errors", "stuck", "below"} and page["errors"]["query"]["cosine"] < 1
