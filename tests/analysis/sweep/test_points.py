"""Trials become points: equal values meet, what failed or is missing is told apart, labels have units."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np
import pytest

from analysis.sweep.points import is_number, key, label, meaning, points, shown, varied
from neuroep.errors import ConfigError
from neuroep.runs import config as configuration

BITS, NOISE = "chip.adc.bits", "chip.device.read_noise"


def trial(accuracy: Any, error: Any = None, **settings: Any) -> dict[str, Any]:
    named = {name.replace("__", "."): value for name, value in settings.items()}
    return {"seed": 0, "accuracy": accuracy, "loss": 0.1, "error": error, "counters.adc": 3, **named}


def test_gathers_and_orders() -> None:
    rows = [trial(0.7, chip__adc__bits=bits) for bits in (8, None, 4, "auto")] + [trial(0.9, chip__adc__bits=4.0)]
    found = points(rows, [BITS])
    assert [point.values[0] for point in found] == [4, 8, "auto", None]
    assert found[0].accuracies == pytest.approx([0.7, 0.9])
    assert found[0].mean == pytest.approx(0.8)
    assert found[0].std == pytest.approx(np.std([0.7, 0.9], ddof=1))
    assert math.isnan(found[1].std)


def test_failed_and_nan() -> None:
    rows = [trial(None, "diverged", chip__adc__bits=4), trial(math.nan, math.nan, chip__adc__bits=4)]
    rows += [trial(0.5, math.nan, chip__adc__bits=math.nan), trial(0.7, "", chip__adc__bits=None)]
    four, unset = points(rows, [BITS])
    assert (four.failed, len(four.accuracies)) == (2, 0)
    assert math.isnan(four.mean)
    assert unset.values == (None,)
    assert unset.accuracies == pytest.approx([0.5, 0.7])


def test_varied_are_settings_of_several_values() -> None:
    rows = [trial(0.1 * n, chip__adc__bits=n, chip__device__read_noise=0.1) for n in (3, 4)]
    assert varied(rows) == [BITS]
    assert varied(rows[:1]) == [BITS, NOISE]


def test_unknown_field_and_no_trials() -> None:
    with pytest.raises(ConfigError, match=r"does not vary 'chip.dac.bits': its settings are chip.adc.bits"):
        points([trial(0.1, chip__adc__bits=3)], ["chip.dac.bits"])
    with pytest.raises(ConfigError, match="no trials"):
        points([], [BITS])


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "unset"),
        (4, "4"),
        (65536, "65536"),
        (0.003, "0.003"),
        (True, "on"),
        ("pcm", "pcm"),
        ("examples/chips/mismatched.toml", "mismatched"),
        ("x" * 40, "\u2026" + "x" * 23),
    ],
)
def test_shown(value: Any, text: str) -> None:
    assert shown(value) == text


def test_keys_and_labels() -> None:
    assert key(4) == key(4.0) == key(np.float32(4)) != key("4")
    assert key(None) == key(math.nan)
    assert not is_number(True)
    assert label(BITS).endswith(BITS)
    assert "[uS" in label(NOISE)
    assert label("no.such") == "no.such"


@pytest.mark.parametrize(("field", "words"), [
    ("chip.readout.hold_offset", ["standard deviation of the offset", "[state]"]),
    ("estimator.points", ["Centred: number of states that are contrasted"]),
])  # fmt: skip
def test_what_a_setting_means_is_not_cut_at_a_colon(field: str, words: list[str]) -> None:
    shown_ = " ".join(label(field).split("\n")[:-1]).replace("  ", " ")
    assert all(word.replace(" ,", ",") in shown_.replace(" ,", ",") for word in words), shown_


def test_labels_say_more_than_a_qualifier_and_stay_short() -> None:
    """Of every setting with a meaning: no label ends where its explanation begins."""
    for field in configuration.settings():
        said = meaning(field)
        lines = label(field).split("\n")
        assert lines[-1] == field and len(lines) <= 4 and max(map(len, lines[:-1]), default=0) <= 60
        text = " ".join(lines[:-1]).partition(" [")[0].rstrip()
        assert not text.endswith(":") and (":" in text or ": " not in re.split(r"[.;(]\s?", said)[0]), field
