"""Pictures of an ablation show the numbers of its tables."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from analysis.ablate.differences import gain
from analysis.ablate.pictures import plot_effects, plot_interactions
from analysis.ablate.results import EffectCost


def test_effects_are_drawn_from_the_top(small):
    ax = plot_effects(small)
    widths = [bar.get_width() for bar in ax.patches]
    assert widths[: len(small.costs)] == pytest.approx([100 * cost.without.mean for cost in small.costs])
    assert widths[len(small.costs) :] == pytest.approx([-100 * cost.only.mean for cost in small.costs])
    places = dict(zip([text.get_text() for text in ax.get_yticklabels()], ax.get_yticks(), strict=True))
    assert max(places, key=places.get) == small.costs[0].effect
    assert ax.get_xlabel() == "difference of accuracy [points]"


def test_pairs_are_drawn(small):
    ax = plot_interactions(small)
    (points,) = [line for line in ax.lines if len(line.get_xdata()) == 1 and line.get_marker() == "o"]
    assert points.get_xdata()[0] == pytest.approx(100 * small.pairs[0].beyond.mean)
    assert " x " in ax.get_yticklabels()[0].get_text()


def test_what_has_no_error_is_drawn_without():
    one = gain({0: 0.9}, {0: 0.5})
    found = SimpleNamespace(costs=[EffectCost("drift", "", "", one, one)], as_it_is=one, ideal=one)
    assert plot_effects(found).patches[0].get_width() == pytest.approx(40)
