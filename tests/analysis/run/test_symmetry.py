"""Maps of distances from symmetry points: what devices hold less where their steps are alike, on the page too."""

from __future__ import annotations

import numpy as np
import pytest

from analysis import report
from analysis.run import symmetry
from hw_models.chip import Chip
from neuroep.engines.chip.arrays import CrossbarArray
from neuroep.engines.numba.substrate import Setting
from neuroep.engines.workers import Workers
from neuroep.errors import ConfigError
from neuroep.learning.optimisers import SGD
from neuroep.runs import config, training
from tests.conftest import TINY
from tests.neuroep.engines.chip.conftest import nested

SOFT = {"update.scheme": "pulsed", "device.pulse.response": "soft_bounds", "device.pulse.up_down": 0.2}


def array(weight, **fields):
    chip = Chip.parse(nested(SOFT | {"crossbar.weight_range": 1.0} | fields))
    return CrossbarArray("a", weight, None, chip, Setting(SGD(), Workers(1), "float64", 0))


def test_the_distance_is_that_from_where_steps_are_alike():
    """Soft bounds, a step down smaller by up_down: (1 - w) = .8 (1 + w) at w* = .2/1.8."""
    weight = np.array([[0.3, -0.2, 0.0], [0.5, 0.1, -0.6]])
    found = symmetry.distance(array(weight).crossbar)
    np.testing.assert_allclose(found.away, weight - 0.2 / 1.8, atol=1e-6)
    ax = symmetry.plot_symmetry_map(found)
    np.testing.assert_allclose(ax.images[0].get_array(), found.away)
    assert "rms" in ax.get_title(loc="left")


def test_devices_without_a_symmetry_point_are_refused():
    digital = CrossbarArray("a", np.zeros((2, 3)), None, Chip(), Setting(SGD(), Workers(1), "float64", 0))
    with pytest.raises(ConfigError, match="take no pulses"):
        symmetry.distance(digital.crossbar)
    pair = {"device.cell.kind": "one_sided", "device.pulse.w_min": 0.0, "device.pulse.up_down": 0.0}
    with pytest.raises(ConfigError, match="move one way"):
        symmetry.distance(array(np.zeros((2, 3)), **pair).crossbar)


def test_a_large_map_is_thinned_and_keeps_its_axes():
    ax = symmetry.plot_symmetry_map(symmetry.Distances("a", np.zeros((3, 1000))))
    assert ax.images[0].get_array().shape == (3, 334)
    assert ax.get_xlim() == (-0.5, 999.5)


@pytest.mark.parametrize("scheme", ["pulsed", "agad"])
@pytest.mark.usefixtures("unrendered")
def test_the_page_shows_arrays_that_learn_by_pulses(tmp_path, scheme, checked, trained):
    (tmp_path / "tiny.toml").write_text(TINY)
    chip = ["--chip", "ecram_mo", "--chip.update.scheme", scheme, "--optimiser.kind", "sgd"]
    training.train(config.load(tmp_path / "tiny.toml", chip), tmp_path / "run", progress=False, diagnose=False)
    text = checked(report.render(tmp_path / "run"))
    assert "Distance of every device from its symmetry point" in text
    assert ("The fast array" in text) == (scheme == "agad")
    assert "<h2>Wear</h2>" not in text and "<h2>Symmetry points</h2>" in text  # wear is told where it is counted alone
    plain = checked(report.render(trained))
    assert "symmetry point" not in plain and "The fast array" not in plain
