"""What is told of the age at which devices are read: where nothing goes by it, nothing."""

from __future__ import annotations

import pytest

from hw_models import presets
from hw_models.chip import Chip, ageing


@pytest.mark.parametrize(("seconds", "said"), [
    (0.5, "0.5 s"), (59.0, "59 s"), (60.0, "60 s (1 minute)"), (3600.0, "3600 s (1 hour)"),
    (86400.0, "86400 s (1 day)"), (1e5, "100000 s (1.16 days)"), (1e9, "1e+09 s (31.7 years)"),
])  # fmt: skip
def test_seconds_from_a_minute_on_are_told_in_a_longer_unit_too(seconds, said):
    assert ageing.duration(seconds) == said


def test_what_goes_by_the_age_is_named():
    start = "devices are read 86400 s (1 day) after their last write (chip.device.age): "
    assert ageing.told(presets.load("pcm")) == f"{start}drift, 1/f noise"
    fresh = {"programming_noise": [0.2], "programming_noise_fresh": [0.1], "age": 86400.0}
    assert ageing.told(Chip.parse({"device": fresh})) == f"{start}relaxation"
    loses = {"device": {"retention": 1.0, "age": 86400.0}, "update": {"scheme": "pulsed"}, "timing": {"pulse": 1e-6}}
    assert ageing.told(Chip.parse(loses)) == f"{start}retention"


@pytest.mark.parametrize("chip", [None, Chip(), presets.load("reram_sb"), presets.load("loihi2")])
def test_where_nothing_ages_nothing_is_told(chip):
    assert ageing.told(chip) == ""
