"""What is followed of a fast array, its reference and the weights is what they hold."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.run import gathering
from hw_models.chip import Chip
from neuroep import engines
from neuroep.errors import ConfigError
from neuroep.learning.optimisers import SGD
from tests import cases
from tests.analysis.run.cases import BATCHES, ESTIMATOR, NET, RATES, SYNAPSE


def engine(scheme):
    tables = {"update": {"scheme": scheme}, "device": {"pulse": {"dw_min": 2e-3, "response": "soft_bounds"}}}
    return engines.local(NET, cases.parameters(NET), threads=1, chip=Chip.parse(tables), optimiser=SGD())


@pytest.mark.parametrize("scheme", ["agad", "e_rider", "tiki_taka_v2"])
def test_followed_devices_are_those_of_the_arrays(scheme):
    own, twin = engine(scheme), engine(scheme)
    found = gathering.follow(own, BATCHES, ESTIMATOR, RATES, SYNAPSE)
    rule = twin.arrays[SYNAPSE].rule
    start = rule.crossbar.stored * rule.crossbar.weight_range
    for step, batch in enumerate(BATCHES):
        twin.update(ESTIMATOR.measure(twin, batch.keyed("train", step), step).contrasts, RATES)
    end = rule.crossbar.stored * rule.crossbar.weight_range
    where = tuple(found.entries.T)
    assert found.fast.shape == found.slow.shape == (len(BATCHES) + 1, gathering.FOLLOWED)
    np.testing.assert_array_equal(found.slow[0], start[where])
    np.testing.assert_array_equal(found.slow[-1], end[where])
    np.testing.assert_array_equal(found.fast[-1], rule.fast.stored[where])
    assert np.abs(end - start)[where].min() >= np.sort(np.abs(end - start), axis=None)[-gathering.FOLLOWED]
    assert (found.reference is None) == (scheme == "tiki_taka_v2")
    if found.reference is not None:
        np.testing.assert_array_equal(found.reference[-1], rule.kept["reference"][where])
    np.testing.assert_allclose(found.points, 0, atol=1e-6)
    ax = gathering.plot_gathered(found)
    assert len(ax.lines) == gathering.FOLLOWED * (2 if found.reference is None else 3)
    np.testing.assert_array_equal(gathering.plot_kept(found).lines[0].get_ydata(), found.slow[:, 0])


def test_rules_without_a_fast_array_and_no_batches_are_refused():
    with pytest.raises(ConfigError, match="no fast array"):
        gathering.follow(engine("pulsed"), BATCHES, ESTIMATOR, RATES, SYNAPSE)
    with pytest.raises(ConfigError, match="batches are empty"):
        gathering.follow(engine("agad"), [], ESTIMATOR, RATES, SYNAPSE)
