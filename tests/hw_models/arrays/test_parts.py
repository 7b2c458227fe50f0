"""A crossbar from its parts, without a chip, and the parts that a chip gives."""

from __future__ import annotations

import numpy as np
import pytest

from hw_models.arrays.converter_bank import Converters
from hw_models.arrays.crossbar import Crossbar
from hw_models.arrays.parts import CrossbarParts
from hw_models.chip import Chip

CHIP = Chip.model_validate(
    {
        "device": {"read_noise": 0.2, "programming_noise": [0.5]},
        "adc": {"bits": 6, "range": 0.5},
        "crossbar": {"rows": 5},
        "wires": {"r_word": 5.0},
    }
)


def test_parts_by_hand_and_those_of_a_chip_make_the_same_crossbar():
    weight, x = (np.random.default_rng(0).normal(size=size).astype("f4") for size in ((6, 9), (4, 9)))
    found = []
    for parts in (CHIP, CrossbarParts(CHIP.crossbar, CHIP.device, CHIP.wires, Converters(CHIP, "a"))):
        bar = Crossbar(parts, weight.shape, 1, "a")
        bar.program(weight)
        found.append((bar.weights(), bar.forward(x)))
    for one, other in zip(*found, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(("scheme", "in_memory"), [("digital", False), ("mixed_precision", True), ("pulsed", True)])
def test_weights_are_in_memory_where_pulses_change_them(scheme, in_memory):
    parts = CrossbarParts.of(Chip.model_validate({"update": {"scheme": scheme}}))
    assert parts.in_memory is in_memory
    assert Crossbar(parts, (3, 2)).ideal is not in_memory
    assert not parts.converts


def test_a_learning_rule_decides_whether_weights_change_in_place():
    bar = Crossbar(CrossbarParts.of(Chip.ideal())._replace(in_memory=True), (2, 2))
    bar.program(np.eye(2, dtype="f4"))
    bar.stored[0, 1] = 0.5
    bar.refresh()
    np.testing.assert_array_equal(bar.forward(np.eye(2, dtype="f4")), [[1, 0], [0.5, 1]])
