"""Settings that make tokens of numbers: what they mean when unset, and which act only beside others."""

from __future__ import annotations

import pytest

from neuroep.data.shapes import shape_of
from neuroep.data.signals import Shape
from neuroep.errors import DataError


def test_unset_settings_mean_the_default():
    assert shape_of(3) == Shape("channels", 1, 1, "off", 0)
    assert shape_of(3, default=Shape("whole")).standardise == "whole"
    assert shape_of(3, window=4) == Shape("channels", 4, 4, "off", 0)
    assert shape_of(1, position="appended").position_dim == 8


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({"standardise": "chanels"}, "unknown standardise 'chanels': .*did you mean 'channels'"),
        ({"position": "appendix"}, "unknown position 'appendix': .*did you mean 'appended'"),
        ({"window": 0}, "window = 0: should be a whole number from 1"),
        ({"stride": 2}, "stride = 2: it acts only with a window"),
        ({"window": 2, "stride": 3}, "stride = 3: points between windows of 2 would be lost; allowed are 1 to 2"),
        ({"position_dim": 4}, "position_dim = 4: it acts only with position = 'appended'"),
        ({"position": "added", "position_dim": 4}, "position_dim = 4: it acts only"),
        ({"position": "appended", "position_dim": 3}, "position_dim = 3: .* an even number"),
        ({"position": "added"}, "position = 'added': a token is one number"),
    ],
)
def test_settings_that_cannot_be(settings, line):
    with pytest.raises(DataError, match=line):
        shape_of(1, **settings)
