"""Pictures of a requirement show its verdicts and its front."""

from __future__ import annotations

import pytest

from analysis.require.pictures import plot_front, plot_requirement
from neuroep.errors import ConfigError


def test_every_point_that_was_run_is_drawn(bits):
    ax = plot_requirement(bits)
    names = [text.get_text() for text in ax.get_legend().get_texts()]
    counts = [int(name.rpartition("(")[2].rstrip(")")) for name in names if "(" in name]
    assert sum(counts) == len(bits.verdicts) and "target 80 %" in names
    assert ax.get_ylabel() == "accuracy [%]"


def test_the_front_is_drawn(front):
    ax = plot_front(front)
    line = next(line for line in ax.lines if line.get_label() == "front")
    assert line.get_xdata().tolist() == [one.price for one in front.front]
    assert f"only priced ({24 - len(front.means)})" in [text.get_text() for text in ax.get_legend().get_texts()]


def test_what_is_not_there_is_not_drawn(bits, front):
    with pytest.raises(ConfigError, match="a front needs a price"):
        plot_front(bits)
