"""Every chip of the every-field test on the reference engine: it agrees with the local one, or is refused by name.

In double precision both sides differ by rounding alone, far below any level or threshold, so that nothing flips:
outputs and weights agree within 1e-9 and all counters are the same. In single precision a sum that lies within rounding
of a level's edge falls to either side; how often, is what :func:`test_levels_that_flip` counts.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch

from hw_models.arrays.crossbar import Crossbar
from hw_models.kernels import devices, tensors
from hw_models.presets import load
from neuroep import engines
from neuroep.errors import ConfigError, NeuroepError
from tests import cases, lots
from tests.neuroep.engines.chip.conftest import described
from tests.neuroep.engines.chip.test_every_field import FIELDS, MIXED, RTN, SHORT, TIMED

CLOSE = 1e-9
EXACT = {"engine.dtype": "float64"}
ON_GPU = pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here"))
ALL = {name: beside | {name: value} for name, (beside, value) in FIELDS.items()}
READ = [
    name
    for name in ALL
    if not name.startswith(("update.", "device.pulse.", "device.cell.", "events.", "substrate"))
]
"""Fields that say how a chip is read, not how it learns."""
OTHERS = {
    "rider": {"update.scheme": "rider", "device.pulse.dw_min": 2e-3, "update.transfer.gamma": 0.5},
    "rider increments": {
        "update.scheme": "rider", "device.pulse.dw_min": 2e-3, "update.transfer.gamma": 0.5,
        "nudged.drive": "increments", "adc.bits": 8,
    },
    "trained analog": MIXED | {"attention.kind": "analog", "adc.bits": 8, "attention.state.bits": 6},
    "analog and timed": TIMED | {"attention.kind": "analog"},
    "integrating": {
        "neuron.state_bits": 5, "neuron.time_constant": 2.0, "attention.state.bits": 5, "neuron.state_noise": 0.01,
    },
    "digits, analog reference": {
        "dac.bits": 6, "adc.bits": 8, "dac.digit_bits": 2, "crossbar.mapping": "offset", "crossbar.reference": "analog",
        "device.read_noise": 0.02, "device.read_noise_law": "proportional",
    },
    "digits that last": TIMED | {"dac.bits": 6, "adc.bits": 8, "dac.digit_bits": 2},
}  # fmt: skip
"""Chips whose fields meet."""


class Away(tensors.TensorArithmetic):
    """That of a GPU, on the CPU: operations of torch alone, and no memory in common with NumPy."""

    def host(self, values):
        return super().host(values).copy()

    def bring(self, array):
        return super().bring(np.array(array))


@pytest.fixture
def away(monkeypatch):
    """Compute on the CPU as on a GPU."""
    there = Away(torch.device("cpu"))
    monkeypatch.setattr(devices, "on", lambda device: there)


def agree(small, chip, settings=None, device="cpu"):
    """Hold a small run on one engine against the same on the other."""
    settings = EXACT | (settings or {})
    one, other = small(chip, settings), small(chip, settings | {"engine.kind": "reference", "engine.device": device})
    about = other.engine.describe()
    assert about["engine"] == "reference" and about["chip"] == one.engine.substrate.chip.name
    np.testing.assert_allclose(other.outputs, one.outputs, rtol=0, atol=CLOSE)
    for name, weights in one.weights.items():
        np.testing.assert_allclose(other.weights[name], weights, rtol=0, atol=CLOSE)
    assert other.counters == one.counters
    for name, tally in one.engine.performed().items():
        assert dict(other.engine.performed()[name].rows()) == dict(tally.rows())


def event_driven(name: str) -> bool:
    """Tell whether a chip of the list has event-driven arrays."""
    return ALL[name].get("substrate") == "event_driven"


HELD = [name for name in ALL if not event_driven(name) and (name in READ or lots.drawn(name))]
"""How a chip learns is computed by the same routines on both engines: a third of these fields is tried."""


@pytest.mark.parametrize("name", HELD)
def test_a_chip_of_every_field_agrees(small, name):
    agree(small, ALL[name], SHORT.get(name))


@pytest.mark.parametrize("name", OTHERS)
def test_fields_that_meet_agree(small, name):
    agree(small, OTHERS[name])


@pytest.mark.parametrize("name", [name for name in ALL if event_driven(name)])
def test_event_driven_arrays_are_refused_by_name(name):
    with pytest.raises(NeuroepError, match=r"event-driven arrays, which run on engine 'local'$"):
        described(ALL[name], {"engine.kind": "reference"})


def test_the_engine_refuses_them_too():
    with pytest.raises(ConfigError, match=r"^chip\.substrate = 'event_driven': .* run on engine 'local'"):
        engines.reference(cases.network(), chip="orchard_2021_loihi2")


@pytest.mark.parametrize("name", sorted({*READ[::4], *(name for name in READ if name.startswith("attention."))}))
def test_a_chip_agrees_that_shares_no_memory(small, away, name):
    if not event_driven(name):
        agree(small, ALL[name])


@pytest.mark.parametrize("name", OTHERS)
def test_fields_that_meet_agree_without_common_memory(small, away, name):
    agree(small, OTHERS[name])


LASTING = {"1/f": TIMED, "telegraph": TIMED | RTN, "1/f, converted": TIMED | {"adc.bits": 8, "dac.bits": 7}}
"""Chips whose noise lasts from read to read, all of it carried at the outputs."""


@pytest.mark.parametrize("name", LASTING)
def test_noise_that_lasts_is_added_where_currents_are(small, away, monkeypatch, name):
    """It moves on the host; nothing else of such a read is computed there."""
    added, sensed = tensors.TensorArithmetic.sense_carried, []
    monkeypatch.setattr(tensors.TensorArithmetic, "sense_carried", lambda *given: sensed.append(1) or added(*given))
    agree(small, LASTING[name])
    assert sensed


@pytest.mark.parametrize("device", [ON_GPU])
@pytest.mark.parametrize("name", LASTING)
def test_noise_that_lasts_agrees_on_a_gpu(small, name, device):
    agree(small, LASTING[name], device=device)


@pytest.mark.parametrize("device", [ON_GPU])
@pytest.mark.parametrize("name", [*READ[::8]])
def test_a_chip_agrees_on_a_gpu(small, name, device):
    if not event_driven(name):
        agree(small, ALL[name], device=device)


@pytest.mark.parametrize("chip", [{"adc.bits": 6, "device.read_noise": 0.1}, {"attention.kind": "analog"}])
def test_a_flat_read_out_agrees_without_common_memory(small, away, chip):
    agree(small, chip, {"network.readout": "flat"})


@pytest.mark.parametrize("settings", [{"network.readout": "flat"}, {"settling.order": "synchronous"}])
@pytest.mark.parametrize("chip", [{"adc.bits": 6, "device.read_noise": 0.1}, {"attention.kind": "analog"}])
def test_other_networks_and_orders_agree(small, chip, settings):
    agree(small, chip, settings)


@pytest.mark.parametrize("threads", [1, 2])
def test_threads_change_no_bit(small, threads):
    chip = {"adc.bits": 6, "device.read_noise": 0.1}
    one = small(chip, {"engine.kind": "reference", "engine.device": "cpu"})
    before = torch.get_num_threads()
    try:
        other = small(chip, {"engine.kind": "reference", "engine.device": "cpu", "engine.threads": threads})
    finally:
        torch.set_num_threads(before)
    assert one.same(other)


@pytest.mark.parametrize("chip", ["pcm", "rram", "hermes"])
def test_levels_that_flip(chip):
    """In single precision: at most one in 10^5 outputs of a read is another level, all others are the same numbers."""
    draw, shape, rows = np.random.default_rng(0), (256, 300), 512
    weight = draw.normal(size=shape).astype(np.float32) / shape[1] ** 0.5
    bars = [Crossbar(load(chip), shape, 0, "flips") for _ in range(2)]
    off = outputs = 0
    for bar in bars:
        bar.program(weight)
        bar.observe()
        bar.forward(weight)
        bar.transposed(np.ascontiguousarray(weight.T))
        bar.freeze()
        bar.begin("flips")
    for way, width in (("forward", shape[1]), ("transposed", shape[0])):
        signals = draw.uniform(-1, 1, (rows, width)).astype(np.float32)
        step = bars[0].converters.of(way)[1].grid.step * bars[0].weight_range
        for _ in range(4):
            read = (bars[0].forward, bars[1].forward) if way == "forward" else (bars[0].transposed, bars[1].transposed)
            apart = np.abs(read[0](signals) - read[1](torch.from_numpy(signals)).numpy())
            off, outputs = off + int((apart > step / 2).sum()), outputs + apart.size
            assert apart[apart <= step / 2].max() < 1e-5
    assert off <= 1e-5 * outputs + 3 * (1e-5 * outputs) ** 0.5
