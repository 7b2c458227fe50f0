"""Asymmetry and signal-to-noise against accuracy: what the record says, array by array."""

from __future__ import annotations

import math

import pytest

from analysis.run import coherence
from neuroep.errors import ConfigError

FOUND = {"kappa": 3.0, "pulses": 20.0, "forgets": 50.0, "needs": 45.0}


def record(accuracy, **arrays):
    return {"train": {"accuracy": accuracy}, "coherence": arrays}


def test_points_are_those_of_the_record():
    endless = FOUND | {"forgets": math.nan}
    result = [record(0.5, a=FOUND), record(0.75, a=FOUND | {"pulses": 45.0}, b=endless)]
    asymmetry, signal = coherence.plot_coherence(result), coherence.plot_signal_to_noise(result)
    assert asymmetry.lines[0].get_xdata() == pytest.approx([1.9801, 1.9801], rel=1e-4)
    assert asymmetry.lines[0].get_ydata() == pytest.approx([50.0, 75.0])
    assert len(asymmetry.lines) == 2, "of an array that forgets nothing there is no point"
    assert signal.lines[0].get_xdata() == pytest.approx([math.sqrt(20 / 45), 1.0])
    assert signal.lines[2].get_xdata() == pytest.approx([math.sqrt(20 / 45)])
    assert signal.lines[1].get_xdata() == pytest.approx([1.0])
    text = coherence._table([result])
    assert "kappa" in text and "50" in text and coherence._table([]) == ""


def test_no_device_forgets_more_than_all():
    """Before, one that forgets within half an update was drawn at 200 %."""
    shares = [coherence._forgotten({"forgets": updates}) for updates in (1e-9, 0.5, 1.0, 1e4)]
    assert shares == pytest.approx([100.0, 86.4665, 63.2121, 0.0099995], rel=1e-5)


def test_runs_that_tell_nothing_are_refused():
    with pytest.raises(ConfigError, match="no epoch that tells of pulses"):
        coherence.plot_coherence([{"train": {"accuracy": 0.5}}])
