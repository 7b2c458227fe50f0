"""Arrays of traces are checked at the door, and cut into runs."""

from __future__ import annotations

import numpy as np
import pytest

from hw_models.errors import ChipError
from hw_models.measured.moments import samples
from hw_models.measured.ranges import levels
from hw_models.measured.traces import runs, traces

WAY = np.array(([1] * 15 + [-1] * 15) * 2)


def course(way: np.ndarray = WAY) -> np.ndarray:
    """Return conductances that follow the pulses."""
    return 10 + np.concatenate([[0], np.cumsum(way)]).astype(float)


def test_one_device_or_several() -> None:
    assert traces(course(), WAY).conductance.shape == (1, 61)
    both = traces(np.stack([course(), course()]), np.stack([WAY, -WAY]), ("a", "b"))
    assert (both.devices, both.pulses, both.names) == (2, 120, ("a", "b"))
    assert both.direction[1] == pytest.approx(-WAY)


def test_shorter_traces_end_where_they_end() -> None:
    g = np.stack([course(), course()])
    g[1, 46:] = np.nan
    found = traces(g, WAY)
    assert found.lengths().tolist() == [61, 46]
    assert (found.direction[1, 45:] == 0).all()
    assert found.pulses == 60 + 45


def test_runs_and_samples() -> None:
    found = traces(course(), WAY)
    cut = runs(found)
    assert cut.sign.tolist() == [1, -1, 1, -1]
    assert cut.first.tolist() == [0, 15, 30, 45]
    assert cut.pulses.tolist() == [15] * 4
    single = samples(found, cut)
    assert single.step == pytest.approx(np.ones(60))  # in the direction of the pulse
    assert single.before == pytest.approx(course()[:-1])
    assert single.follows.tolist() == [False] + [True] * 59
    assert single.run.tolist() == np.repeat(range(4), 15).tolist()


def test_a_part_follows_only_what_is_still_there() -> None:
    found = traces(course(), WAY)
    kept = np.ones(60, dtype=bool)
    kept[10] = False
    part = samples(found, runs(found)).part(kept)
    assert len(part.step) == 59
    assert np.flatnonzero(~part.follows).tolist() == [0, 10]


def test_a_run_that_ends_with_its_trace_is_no_end_of_the_range() -> None:
    """Its lowest reading is where the measurement stopped."""
    found = traces(course()[:56], WAY[:55])
    level, _ = levels(found, runs(found), np.ones(4, dtype=bool))
    assert level[0].tolist() == [10, 25]
    whole = traces(course(), WAY)
    assert levels(whole, runs(whole), np.ones(4, dtype=bool))[0][0].tolist() == [10, 25]


def spoilt(row: int, value: float) -> np.ndarray:
    g = course()
    g[row] = value
    return g


@pytest.mark.parametrize(
    ("g", "way", "line"),
    [
        (course()[:30], WAY, r"direction has the shape \(60,\): with conductance \(1, 30\), \(29,\) of all devices or"),
        (np.zeros((2, 3, 4)), WAY, r"conductance has the shape \(2, 3, 4\): \(devices, readings\)"),
        ([["a", "b"]], WAY, "conductance holds something else than real numbers"),
        ([[1.0, 2.0], [1.0]], WAY, "conductance holds something else than real numbers in rows of one length"),
        (spoilt(4, np.nan), WAY, "conductance of device '0', reading 4: nan is not finite"),
        (spoilt(60, np.inf), WAY, "conductance of device '0', reading 60: inf is not finite"),
        (course(), np.where(np.arange(60) == 7, 0, WAY), r"direction of device '0', pulse 7: 0 is neither 1 \(up\)"),
        (course(), np.ones(60), "direction holds 0 pulses down: at least 20 either way"),
        (np.full(61, 3.0), WAY, "conductance is 3 in every reading: no pulse moved a device"),
        (np.full((2, 61), [[1.0], [np.nan]]), WAY, "device '1' has 0 readings: two or more are needed"),
    ],
)
def test_what_cannot_be_is_one_line(g: object, way: np.ndarray, line: str) -> None:
    with pytest.raises(ChipError, match=f"^{line}"):
        traces(g, way)  # type: ignore[arg-type]
