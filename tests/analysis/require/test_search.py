"""Borders found on grids whose answers are known, and how many points that takes."""

from __future__ import annotations

import math

import numpy as np
import pytest

from analysis.require.search import bisect, checks, checks_of_contour, contour, violations


class Answers:
    """What a grid answers, with the points that were asked for."""

    def __init__(self, border):
        self.border, self.asked = border, []

    def __call__(self, column, line=None):
        self.asked.append(column if line is None else (column, line))
        return column >= (self.border if line is None else self.border[line])


@pytest.mark.parametrize("count", range(1, 18))
def test_every_border_along_a_field_is_found(count):
    for border in range(count + 1):
        ask = Answers(border)
        assert bisect(ask, count) == border
        assert len(ask.asked) == len(set(ask.asked)) <= 2 + math.ceil(math.log2(count))
        assert all(0 <= n < count and n != border for n in checks(border, count))


def test_what_is_known_to_miss_is_not_asked_again():
    ask = Answers(6)
    assert bisect(ask, 9, low=4) == 6
    assert ask.asked == [8, 6, 5]


def test_checks_lie_well_within_either_side():
    assert checks(8, 17) == [4, 13]
    assert checks(1, 17) == [9]
    assert checks(17, 17) == [4, 8, 12]
    assert checks(2, 2) == checks(1, 1) == [] and checks(3, 3) == [1]


def test_every_border_over_two_fields_is_found():
    rng = np.random.default_rng(0)
    for _ in range(300):
        columns, lines = rng.integers(1, 10, 2)
        border = sorted(rng.integers(0, columns + 1, lines).tolist(), reverse=True)
        ask = Answers(border)
        assert contour(ask, columns, lines) == border
        assert len(set(ask.asked)) <= lines * (2 + math.ceil(math.log2(columns)))


def test_one_wrong_verdict_pushes_no_other_line():
    """The border is at column 3 on all lines; on the last one, where it begins, the verdict of 3 and 4 is wrong."""
    asked = set()

    def ask(column, line):
        asked.add((column, line))
        return column >= 3 and (column, line) not in {(3, 5), (4, 5)}

    assert contour(ask, 8, 6) == [3, 3, 3, 3, 3, 5]
    assert all((2, line) in asked for line in range(5))


def test_checks_of_a_contour():
    assert checks_of_contour([9, 9, 9, 9, 9], 9) == [(c, n) for n in (1, 2, 3) for c in (2, 4, 6)]
    assert checks_of_contour([9, 4, 4], 9) == [(2, 1), (7, 1)]
    assert checks_of_contour([2, 2], 2) == [] and checks_of_contour([3], 3) == [(1, 0)]


def test_what_contradicts_an_order_is_told():
    met = {(0,): False, (2,): True, (3,): False, (5,): True}
    assert violations(met) == [((2,), (3,))]
    assert violations({(0, 1): True, (1, 0): False}) == []
    assert violations({(0, 0): True, (1, 1): False, (0, 1): False}) == [((0, 0), (0, 1)), ((0, 0), (1, 1))]
