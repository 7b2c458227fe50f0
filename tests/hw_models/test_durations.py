"""Durations of a chip's operations, against sums written out by hand."""

from __future__ import annotations

import re

import pytest

from hw_models import durations
from hw_models.chip import Chip, Timing
from hw_models.chip.files import load
from hw_models.errors import ChipError

CHIP = Timing(dac=5e-9, integration=100e-9, adc=2e-9, digital=7e-9, pulse=5e-9, row=1e-6, copies=4)


def test_columns_that_share_a_converter_take_turns() -> None:
    assert durations.product(CHIP) == pytest.approx(114e-9)
    assert durations.product(CHIP, shared=8) == pytest.approx(128e-9)
    assert durations.product(CHIP, shared=8, lines=3) == pytest.approx(118e-9)
    once = durations.product(CHIP, shared=8) - CHIP.digital
    assert durations.product(CHIP, shared=8, digits=7) == pytest.approx(7 * once + CHIP.digital)
    assert durations.step(CHIP, shared=8, lines=(3, 8), digits=7) == pytest.approx(7 * once + CHIP.digital)


def test_a_step_takes_as_long_as_its_longest_product() -> None:
    assert durations.step(CHIP, shared=8, lines=(3, 6)) == pytest.approx(124e-9)
    assert durations.step(CHIP, shared=8) == pytest.approx(128e-9)


def test_a_chip_in_continuous_time_takes_its_share_of_the_fastest_constant() -> None:
    chip = Timing(tau={"h": 1e-6, "o": 4e-6})
    steps = {name: durations.step(chip, name, dt=0.25) for name in ("h", "o")}
    assert steps == {"h": pytest.approx(0.25e-6), "o": pytest.approx(0.25e-6)}
    assert durations.pace(chip, "o") == pytest.approx(0.25)
    assert durations.pace(chip, "h") == durations.pace(CHIP, "h") == 1
    assert durations.step(Timing(tau=2e-6), "h", dt=0.1) == pytest.approx(0.2e-6)


def test_a_sweep_is_the_longest_of_each_group() -> None:
    steps = {"a": 1.0, "b": 3.0, "c": 2.0}
    assert durations.sweep([("a", "b", "c")], steps) == 3.0
    assert durations.sweep([("a", "c"), ("b",)], steps) == 5.0


def test_updates_and_batches() -> None:
    assert durations.trains(CHIP, 31, 2) == pytest.approx(310e-9)
    assert durations.reprogramming(CHIP, 256) == pytest.approx(256e-6)
    assert durations.classification(1e-6, 20, 2e-6) == pytest.approx(41e-6)
    assert durations.batch(CHIP, 50, 1e-6, 3e-6) == pytest.approx(16e-6)
    assert durations.batch(Timing(), 50, 1e-6) == pytest.approx(50e-6)


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ({"copies": 2}, "timing.copies = 2: it acts only where time passes, with another duration"),
        ({"tau": -1.0}, "timing.tau = -1.0: should be seconds above 0, or such by the names of layers"),
        ({"tau": {"h": "slow"}}, "timing.tau.h = 'slow': should be seconds above 0"),
        ({"adc": -1.0}, "timing.adc = -1.0"),
    ],
)
def test_faults_are_one_line(values: dict[str, object], line: str) -> None:
    with pytest.raises(ChipError, match=re.escape(line)):
        Chip.parse({"timing": values})


def test_a_file_may_give_a_time_constant_to_each_layer(tmp_path) -> None:
    path = tmp_path / "chip.toml"
    path.write_text("[timing.tau]\nh = 1e-6\no = 2e-6\n")
    chip = load(path)
    assert chip.timing.tau == {"h": 1e-6, "o": 2e-6}
    assert Chip.parse(chip.to_dict()) == chip
