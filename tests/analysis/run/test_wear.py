"""Pulses of devices of a run: picture, table, what wears out first, and runs that count none."""

from __future__ import annotations

import numpy as np
import pytest

from analysis import report
from analysis.run import wear
from hw_models.wear import Wear
from neuroep.errors import ConfigError
from neuroep.runs import config, training
from neuroep.runs.session import Session


@pytest.fixture(scope="module")
def pulsed(tmp_path_factory):
    """Two epochs of a tiny network that learns by pulses of pairs."""
    from tests.conftest import TINY

    place = tmp_path_factory.mktemp("wear")
    (place / "tiny.toml").write_text(TINY)
    chip = ["--chip", "ideal", "--chip.update.scheme", "pulsed", "--chip.device.endurance", "40"]
    chip += ["--chip.device.cell.kind", "one_sided", "--chip.device.pulse.w_min", "0.0"]
    chip += ["--optimiser.kind", "sgd"]
    training.train(config.load(place / "tiny.toml", chip), place / "run", progress=False, diagnose=False)
    return place / "run"


@pytest.mark.usefixtures("unrendered")
def test_the_page_names_the_array_that_wears_out_first(pulsed, checked):
    text = checked(report.render(pulsed))
    assert "Pulses that the devices of every array got" in text and "The first device to wear out is in " in text
    found = Session.open(pulsed).engine.wear()
    assert {"dense_1", "dense_2"} <= {each.name for each in found}
    assert all(each.pulses.shape[0] == 2 and each.most > 0 for each in found)


def test_the_picture_shows_shares_of_devices_and_their_endurance():
    one = Wear("a", np.array([[[0.0, 10.0], [10.0, 100.0]]]), 60.0)
    ax = wear.plot_pulses([one])
    values, edges, _ = ax.patches[0].get_data()
    assert values.sum() == pytest.approx(100) and edges[-1] == 100.0
    assert values[np.searchsorted(edges, 10.0, "right") - 1] == 50.0
    assert [line.get_xdata()[0] for line in ax.lines] == [60.0]


@pytest.mark.usefixtures("unrendered")
def test_runs_that_count_nothing_have_no_such_section(trained, checked):
    assert "Pulses that the devices of every array got" not in checked(report.render(trained))
    with pytest.raises(ConfigError, match="counted with"):
        wear.plot_pulses([])
