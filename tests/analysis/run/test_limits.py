"""Limits by epoch: pictures, table, and runs that have none."""

from __future__ import annotations

import pytest

from analysis import report
from analysis.run import limits
from neuroep.errors import ConfigError
from neuroep.runs import config, directory as runs, training


@pytest.fixture(scope="module")
def noisy(tmp_path_factory):
    """Two epochs of a tiny network on a chip with read noise."""
    from tests.conftest import TINY

    place = tmp_path_factory.mktemp("limits")
    (place / "tiny.toml").write_text(TINY)
    chip = ["--chip", "ideal", "--chip.device.read_noise", "0.1", "--chip.readout.bits", "6"]
    training.train(config.load(place / "tiny.toml", chip), place / "run", progress=False)
    return place / "run"


def test_pictures_show_every_limit_and_every_synapse(noisy):
    metrics = runs.load(noisy).metrics
    ax = limits.plot_costs(metrics)
    names = {entry["name"] for record in metrics for entry in record["limits"]}
    assert {line.get_label() for line in ax.lines} == names and "resolution of the read-out" in names
    ax = limits.plot_contrasts(metrics)
    assert {"query", "dense_1", "dense_2"} <= {line.get_label() for line in ax.lines}
    first = next(line for line in ax.lines if line.get_label() == "query")
    assert list(first.get_ydata()) == [record["contrasts"]["errors"]["query"]["cosine"] for record in metrics]


@pytest.mark.usefixtures("unrendered")
def test_the_page_has_the_table_and_says_the_limit(noisy, checked):
    text = checked(report.render(noisy))
    assert "What limits learning" in text and "limits learning most: " in text
    assert "Share of the contrast below half a step of the converter: " in text and "query post" in text


def test_records_without_limits_draw_nothing(trained):
    metrics = runs.load(trained).metrics
    with pytest.raises(ConfigError, match="epoch without limits"):
        limits.plot_costs(metrics)
    with pytest.raises(ConfigError, match="epoch without limits"):
        limits.plot_contrasts([])
    assert limits._table([]) == ""
