"""Numbers as a reader meets them in a table."""

from __future__ import annotations

import math

from analysis.drawing import numbers


def test_counts_in_short() -> None:
    assert [numbers.short(number) for number in (0.5, 950, 1234, 3.4e6, 5e9, 7.8e12)] == [
        "0.5",
        "950",
        "1.23k",
        "3.4M",
        "5G",
        "7.8T",
    ]
    assert numbers.count(None) == numbers.NONE and numbers.count(1500) == "1.5k"


def test_what_is_missing_is_a_dash() -> None:
    for missing in (None, math.nan, True):
        assert numbers.share(missing) == numbers.number(missing) == numbers.seconds(missing) == numbers.NONE


def test_times_in_a_unit_that_fits() -> None:
    told = ["0.012 s", "0.50 s", "99.9 s", "1.7 min", "1.5 h"]
    assert [numbers.seconds(value) for value in (0.012, 0.5, 99.9, 100, 5400)] == told


def test_values_of_settings() -> None:
    values = (None, True, 0.25, [1, 2], {"a": 1.0}, "x")
    assert [numbers.value(value) for value in values] == ["unset", "yes", "0.25", "1, 2", "a 1", "x"]


def test_words() -> None:
    assert numbers.listing("abc") == "a, b and c"
    assert (numbers.plural(1, "trial"), numbers.plural(1200, "trial")) == ("1 trial", "1,200 trials")
    assert numbers.thinned(range(10), 4) == [0, 3, 6, 9]
    assert math.isnan(numbers.without_gaps({"a": [None]})["a"][0])
