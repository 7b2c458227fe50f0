"""What a programming left is found once: the same bits as found anew for every building of the matrices."""

from __future__ import annotations

import numpy as np
import pytest

from hw_models import durations
from hw_models.arrays import settled_writes
from hw_models.arrays.crossbar import Crossbar
from hw_models.chip import Chip
from hw_models.laws.read_noise import READ_NOISE

WRITTEN = {"programming_noise": [0.4, 0.2], "g_max_spread": 0.1, "stuck_low": 0.1, "stuck_high": 0.05, "mismatch": 0.1}
AGED = {"age": 30.0, "drift_mean": [0.0, 0.05, 0.0, 1.0], "drift_spread": [0.0, 0.02, 0.0, 1.0]}
PCM = {"read_noise": 0.0088, "read_noise_law": "pcm"}
CHIPS = {
    "noise in time": {"device": WRITTEN | AGED | PCM},
    "reference lines": {"device": WRITTEN | AGED | PCM, "crossbar": {"mapping": "offset", "reference": "analog"}},
    "a digital reference": {"device": WRITTEN | AGED | PCM, "crossbar": {"mapping": "offset"}},
    "slices": {"device": WRITTEN | AGED | PCM, "crossbar": {"slices": 2, "slice_bits": 3}},
    "relaxation": {"device": WRITTEN | AGED | PCM | {"programming_noise_fresh": [0.3, 0.1]}},
    "no faults": {"device": AGED | PCM},
}
SHAPE = (7, 9)


def reads(chip, programmings=2):
    """Return reads and weights of some batches, and of a state that was loaded."""
    clock = durations.clock(chip.timing)
    clock.interval, clock.sample, clock.batch = 1e-6, 1e-3, 2.0
    bar, draw = Crossbar(chip, SHAPE, 4, clock=clock), np.random.default_rng(1)
    signals, found = draw.normal(size=(3, SHAPE[1])).astype(np.float32), []
    for turn in range(programmings):
        bar.begin("writing", turn)
        bar.program(draw.normal(size=SHAPE).astype(np.float32))
        for batch in range(3):
            clock.opened(len(signals))
            bar.begin("batch", turn, batch)
            bar.catch_up()
            clock.advance(1.0)
            found += [bar.forward(signals), bar.weights(), *bar.conductances()]
            clock.close()
        with bar.later(1e4):
            found.append(bar.forward(signals))
    state = bar.state()
    bar.begin("writing", "else")
    bar.program(draw.normal(size=SHAPE).astype(np.float32))
    bar.load(state)
    return [*found, bar.weights()]


@pytest.mark.parametrize("name", CHIPS)
def test_bits_are_those_of_devices_found_anew(name, monkeypatch):
    chip = Chip.model_validate(CHIPS[name] | {"timing": {"integration": 1e-6}})
    kept = reads(chip)
    monkeypatch.setattr(settled_writes, "MOST", 0)
    anew = reads(chip)
    assert len(kept) == len(anew)
    for one, other in zip(kept, anew, strict=True):
        np.testing.assert_array_equal(one, other)
    assert any((kept[0] != other).any() for other in kept[4:8:4])  # time passes


def test_it_is_kept_until_the_next_programming():
    chip = Chip.model_validate(CHIPS["no faults"] | {"timing": {"integration": 1e-6}})
    bar = Crossbar(chip, SHAPE, 4, clock=durations.clock(chip.timing))
    bar.program(np.ones(SHAPE, dtype=np.float32))
    settled = bar.devices.settled
    first = settled.of(1, (0, 0, 0, SHAPE[0]))
    assert first is not None and settled.holding(first.g) is first and settled.holding(first.g.copy()) is None
    bar.read_at(100.0)
    assert settled.of(1, (0, 0, 0, SHAPE[0])) is first and first.nu is not None and first.share is not None
    bar.program(np.ones(SHAPE, dtype=np.float32))
    assert settled.of(1, (0, 0, 0, SHAPE[0])) is None and settled.of(2, (0, 0, 0, SHAPE[0])) is not first


@pytest.mark.parametrize("law", READ_NOISE.values(), ids=lambda law: law.name)
def test_a_deviation_by_what_is_kept_is_the_same(law):
    device = Chip.model_validate({"device": {"read_noise": 0.1, "read_noise_law": law.name}}).device
    g, before = np.linspace(0, 20, 50, dtype=np.float32), np.linspace(1, 24, 50, dtype=np.float32)
    wanted = law.sigma(g, before, device, 60.0)
    np.testing.assert_array_equal(law.sigma(g, before, device, 60.0, law.kept(before, device)), wanted)
    assert (law.kept(before, device) is not None) == (law.name == "pcm")
