"""How long products take by what their converters share, and by the digits in which codes are sent."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from hw_models import durations
from hw_models.arrays.crossbar import Crossbar
from hw_models.chip import Chip
from hw_models.clock import Clock
from neuroep.engines.chip.passing import Passing

TIMING = {"dac": 5e-9, "integration": 100e-9, "adc": 10e-9, "digital": 3e-9}


@pytest.mark.parametrize(
    ("chip", "shared", "digits"),
    [
        ({}, 1, 1),
        ({"adc": {"columns": 4}}, 4, 1),
        ({"dac": {"bits": 8, "digit_bits": 1}}, 1, 7),
        ({"dac": {"bits": 8, "digit_bits": 1, "digit_sign": "twos_complement"}, "adc": {"columns": 3}}, 3, 8),
        ({"dac": {"bits": 8, "digit_bits": 2, "sign": "unsigned"}}, 1, 4),
    ],
)
def test_a_sweep_waits_for_turns_at_a_converter_and_for_every_digit(chip, shared, digits):
    made = Chip.parse(chip | {"timing": TIMING})
    clock = Clock(made.timing)
    passing = Passing(made, clock)
    clock.opened(1)
    array = SimpleNamespace(lines=(6, 9), digits=Crossbar(made, (6, 9), seed=1, name="array").digits)
    passing.swept((("one",),), {"one": (("array", "forward"),)}, 1.0, {"array": array}, {})
    expected = digits * (5e-9 + 100e-9 + min(shared, 6) * 10e-9) + 3e-9
    assert clock.within == pytest.approx(expected)
    assert clock.within == pytest.approx(durations.product(made.timing, shared, 6, digits))


def test_a_run_takes_longer_the_more_columns_share_a_converter(small):
    def passed(**chip):
        fields = {f"timing.{name}": value for name, value in TIMING.items()} | {"dac.bits": 6}
        return small(fields | chip).counters["chip_picoseconds"]

    plain = passed()
    assert passed(**{"adc.columns": 3}) > plain
    assert passed(**{"dac.digit_bits": 1}) > 4 * plain
