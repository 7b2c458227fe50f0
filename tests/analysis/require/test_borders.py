"""Borders on a line: where one begins, what is undecided, and when there is none."""

from __future__ import annotations

import math

import pytest

from analysis.require.borders import border
from analysis.require.verdicts import Verdict

MEETS, MISSES = Verdict(True, True, 0.9, 0.0, 3), Verdict(False, True, 0.5, 0.0, 3)
ABOVE, BELOW = Verdict(True, False, 0.88, 0.1, 12), Verdict(False, False, 0.86, 0.1, 12)
FAILED = Verdict(False, True, math.nan, math.inf, 0)
VALUES = (2, 4, 6, 8, 10)


def told(*along, rising=True):
    """Return the border of verdicts by place, None where a value was not run."""
    return border(None, VALUES, {n: one for n, one in enumerate(along) if one is not None}, rising)


@pytest.mark.parametrize(
    ("along", "rising", "line"),
    [
        ((MISSES, MISSES, MEETS, None, MEETS), True, "x meets 87.5 % from 6 on; 4 misses it"),
        ((MEETS, MEETS, MISSES, None, MISSES), False, "x meets 87.5 % up to 4; 6 misses it"),
        ((MEETS, None, MEETS, None, MEETS), True, "x meets 87.5 % from 2 on"),
        ((MEETS, None, MEETS, FAILED, FAILED), False, "x meets 87.5 % up to 6; 8 misses it"),
        ((MISSES, None, MISSES, None, MISSES), True, "no value of x meets 87.5 % (3 of its 5 values were run); "),
        ((MISSES, ABOVE, MEETS, None, MEETS), True, "undecided between 2 and 6 whether x meets 87.5 % (open by "),
    ],
)
def test_in_words(along, rising, line):
    assert told(*along, rising=rising).said("x", 0.875).startswith(line)


@pytest.mark.parametrize("rising", [True, False])
def test_neighbours_that_were_not_run_are_undecided(rising):
    """Of a search that was killed, say: before, all between was said to miss, or to meet."""
    along = (MISSES, None, None, MEETS, MEETS)[:: 1 if rising else -1]
    found = told(*along, rising=rising)
    ends = (2, 8) if rising else (4, 10)
    assert found.between == ends and len(found.skipped) == 2 and found.open == ()
    skipped = ", ".join(map(str, found.skipped))
    assert found.said("x", 0.87).startswith(
        f"undecided between {ends[0]} and {ends[1]} whether x meets 87 % (not run: {skipped}); by the means it does"
    )


def test_nothing_below_the_first_that_meets_was_run():
    assert told(None, None, MEETS, None, MEETS).between == (2, 6)


def test_sure_verdicts_on_the_wrong_sides_make_no_border():
    """Before: "meets 87 % up to 6; 10 misses it", of a curve whose first value misses it too."""
    found = told(MISSES, MEETS, ABOVE, None, MISSES, rising=False)
    assert found.turned == ((4,), (2, 10)) and found.between is None
    line = "there is no border: 87 % is met at x = 4 and missed at 2, 10; open by the confidence asked for: 6"
    assert found.said("x", 0.87) == line


def test_open_ones_make_no_contradiction():
    assert told(ABOVE, BELOW, ABOVE, None, MEETS).turned is None


def test_a_target_is_written_as_it_was_given():
    assert "meets 87.65432 %" in told(MEETS, MEETS, MEETS, MEETS, MEETS).said("x", 0.8765432)
