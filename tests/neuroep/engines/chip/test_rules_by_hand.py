"""What a stranger to the rules works out by hand: ranges of reads, signs of a chopper, pulses, reads, slots, area."""

from __future__ import annotations

import numpy as np
import pytest

from hw_models.chip import Chip
from hw_models.errors import ChipError
from neuroep.engines.chip.arrays import CrossbarArray
from neuroep.engines.numba.substrate import Setting
from neuroep.engines.workers import Workers
from neuroep.learning.optimisers import SGD
from tests.neuroep.engines.chip.conftest import nested
from tests.neuroep.engines.chip.test_transfer import SHAPE, made

READ = {"adc.bits": 10, "adc.range": 4.0}
START = np.array([[0.31, -0.22, 0.05, 0.4], [-0.13, 0.0, 0.27, -0.33], [0.11, 0.18, -0.4, 0.02]])


def array(scheme: str, weight: np.ndarray = START, **fields) -> CrossbarArray:
    """Return the weights of a synapse whose states are never negative."""
    chip = Chip.parse(nested({"update.scheme": scheme, "crossbar.weight_range": 1.0} | fields))
    found = CrossbarArray("a", weight.copy(), None, chip, Setting(SGD(), Workers(1), "float64", 0))
    found.assume((True, True))
    return found


@pytest.mark.parametrize("scheme", ["tiki_taka_v2", "agad", "residual"])
def test_the_stop_of_reads_of_the_fast_array_is_not_that_of_the_weights(scheme):
    """Weights beyond read_range are programmed in a closed loop: read at A's stop they would be driven to a bound."""
    fields = {"update.transfer.read_range": 0.1, "update.verify.rounds": 10, "device.pulse.dw_min": 0.01}
    rule = made(scheme, weight=START, **READ | fields)
    np.testing.assert_allclose(rule.weights(), START, atol=0.01)
    assert rule.fast.converters.of("forward")[1].range == pytest.approx(0.1)


def test_residual_learning_reads_its_arrays_beyond_the_stop_of_the_fast_one():
    rule = made("residual", weight=np.full(SHAPE, 0.6), **READ, **{"update.transfer.read_range": 0.1})
    np.testing.assert_allclose(rule._read("crossbar", np.arange(4)), 0.6, atol=2 / 511)
    np.testing.assert_allclose(rule.weights(), 0.6, atol=1e-2)


def test_residual_learning_reads_devices_wherever_pulses_bring_them():
    """A device whose bound is beyond the range of the first weights is read there too."""
    rule = made("residual", **READ, **{"device.pulse.w_max": 1.25, "device.pulse.w_min": -0.75})
    rule.crossbar.stored[:] = 1.2
    rule.crossbar.refresh()
    np.testing.assert_allclose(rule._read("crossbar", np.arange(4)), 1.2, atol=2.5 / 511)


@pytest.mark.parametrize("dac", [{"dac.sign": "auto"}, {"dac.sign": "auto", "dac.digit_bits": 2}, {}])
@pytest.mark.parametrize("scheme", ["rider", "e_rider"])
def test_inputs_with_the_signs_of_a_chopper_reach_the_array_that_products_see(scheme, dac):
    """States are never negative, c x is: W' x = W x + gamma P (c x) - gamma Q (c x), in the ranges of converters."""
    rule = (made_array := array(scheme, **dac, **{"dac.bits": 8, "update.transfer.gamma": 0.4})).rule
    draws, states = np.random.default_rng(0), np.random.default_rng(1).uniform(0, 1, (20, 4))
    made_array.observe()
    made_array.forward(states)
    made_array.transposed(states[:, :3])
    made_array.freeze()
    rule.fast.stored[:] = draws.uniform(-0.5, 0.5, SHAPE)
    rule.fast.refresh()
    rule.kept["reference"][:] = draws.uniform(-0.5, 0.5, SHAPE)
    signs = np.array([1, -1, -1, 1]) if scheme == "e_rider" else np.ones(4)
    rule.kept["chopper"][:] = signs
    wanted = np.zeros((20, 3))
    for n in range(20):
        for i in range(3):
            for j in range(4):
                seen = rule.fast.stored[i, j] - rule.kept["reference"][i, j]
                wanted[n, i] += (START[i, j] + 0.4 * signs[j] * seen) * states[n, j]
    np.testing.assert_allclose(made_array.forward(states), wanted, atol=4 * 1.4 / 127)


def test_a_converter_without_a_sign_ahead_of_a_chopper_is_refused():
    own = {"dac.bits": 8, "dac.range": 1.0, "dac.sign": "unsigned", "update.transfer.gamma": 0.4}
    with pytest.raises(ChipError, match=r"dac.sign = 'unsigned': .* signs of a chopper, use 'signed' or 'auto'"):
        made("e_rider", **own)
    made("rider", **own)
    made("e_rider", **own | {"update.transfer.gamma": 0.0})
