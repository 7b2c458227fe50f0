"""States at their limits are counted one by one, and drawn as bars of that length."""

from __future__ import annotations

from pathlib import Path

from analysis.drawing import style

import pytest

from analysis.run.saturation import Saturation, plot_saturation, saturation
from neuroep.errors import ConfigError
from tests.analysis.run.cases import BATCHES, NET, SHORT, engine


@pytest.mark.parametrize("name", ["none", "pair"])
def test_saturation_is_counted(name: str) -> None:
    own = engine(name)
    settled = own.settle(BATCHES[0], SHORT)
    found = saturation(own, settled)
    assert list(found) == [layer.name for layer in NET.layers if hasattr(layer, "potential")]
    for layer, shares in found.items():
        states = own.states(settled)[layer].reshape(-1)
        low, high = (sum(1 for s in states if s <= 0.01), sum(1 for s in states if s >= 0.99))
        assert shares.low == pytest.approx(low / len(states))
        assert shares.high == pytest.approx(high / len(states))
        assert shares.low + shares.between + shares.high == pytest.approx(1)


def test_saturation_bars(tmp_path: Path) -> None:
    ax = plot_saturation({"hidden": Saturation(0.2, 0.5, 0.3), "output": Saturation(0, 1, 0)})
    assert [part.get_width() for part in ax.patches] == pytest.approx([20, 0, 50, 100, 30, 0])
    assert [part.get_x() for part in ax.patches] == pytest.approx([0, 0, 20, 0, 70, 100])
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("share of states [%]", "layer")
    style.save(ax, tmp_path / "picture.png")
    with pytest.raises(ConfigError, match="no layer"):
        plot_saturation({})
