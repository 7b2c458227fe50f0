"""What each kind of measurement is refused for, through the command: one line, exit code 2, nothing written.

A table of every kind is written as it should be, and then spoilt in one way.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from neuroep.cli import main

Rows = list[list[str]]


def pulses() -> Rows:
    """Curves of two devices, two cycles."""
    rows = [["device", "pulse", "conductance [uS]"]]
    for device in "ab":
        g = 5.0
        for sign in (0, *2 * ([1] * 15 + [-1] * 15)):
            g += 0.2 * sign
            rows.append([device, str(sign), f"{g:.3f}"])
    return rows


def branches() -> Rows:
    """The same as numbers of pulses and directions."""
    rows = [["cycle", "pulse number", "type", "conductance [nS]"]]
    for cycle in range(2):
        for word, start, step in (("P", 5.0, 0.2), ("D", 8.0, -0.2)):
            for k in range(16):
                rows.append([str(cycle), str(k), word, f"{start + k * step:.3f}"])
    return rows


def pairs() -> Rows:
    """Both curves beside each other."""
    rows = [["pulse number", "LTP [S]", "LTD [S]"]]
    for k in range(16):
        rows.append([str(k), f"{5e-9 + k * 2e-10:.3e}", f"{8e-9 - k * 2e-10:.3e}"])
    return rows


def programming() -> Rows:
    """Targets and what was achieved."""
    draw = np.random.default_rng(0).normal
    rows = [["target [uS]", "achieved [uS]"]]
    for target in np.linspace(1, 20, 30):
        rows.append([f"{target:.3f}", f"{target + 0.3 * draw():.3f}"])
    return rows


def reads() -> Rows:
    """Sigma by conductance."""
    rows = [["conductance [uS]", "sigma [uS]"]]
    for g in np.linspace(1, 20, 10):
        rows.append([f"{g:.3f}", f"{0.02 * g:.4f}"])
    return rows


def retention() -> Rows:
    """Drift of one device."""
    rows = [["time [s]", "conductance [uS]"]]
    for time in np.geomspace(10, 1e5, 10):
        rows.append([f"{time:.3f}", f"{12 * (1 + time / 20) ** -0.05:.4f}"])
    return rows


def currents() -> Rows:
    """A resistor."""
    rows = [["voltage [mV]", "current [uA]"]]
    for v in np.linspace(-200, 200, 11):
        rows.append([f"{v:.1f}", f"{0.01 * v:.4f}"])
    return rows


def renamed(place: int, name: str) -> Callable[[Rows], Rows]:
    """Give a column another name."""

    def spoil(rows: Rows) -> Rows:
        rows[0][place] = name
        return rows

    return spoil


def written(row: int, place: int, text: str) -> Callable[[Rows], Rows]:
    """Write another text into a cell."""

    def spoil(rows: Rows) -> Rows:
        rows[row][place] = text
        return rows

    return spoil


def swapped(one: int, other: int) -> Callable[[Rows], Rows]:
    """Exchange the values of two columns under their names."""

    def spoil(rows: Rows) -> Rows:
        for row in rows[1:]:
            row[one], row[other] = row[other], row[one]
        return rows

    return spoil


def shortened(count: int) -> Callable[[Rows], Rows]:
    """Keep the first rows alone."""
    return lambda rows: rows[: count + 1]


def turned(place: int) -> Callable[[Rows], Rows]:
    """Turn a column round."""

    def spoil(rows: Rows) -> Rows:
        values = [row[place] for row in rows[1:]][::-1]
        for row, value in zip(rows[1:], values, strict=True):
            row[place] = value
        return rows

    return spoil


CASES: Sequence[tuple[Callable[[], Rows], Callable[[Rows], Rows], str]] = [
    # A missing column.
    (pulses, renamed(2, "admittance"), "column 'conductance' is missing: it is nearest to pulses, which needs pulse"),
    (branches, renamed(2, "what"), "column 'direction' is missing: it is nearest to pulses, which needs number"),
    (pairs, renamed(2, "other"), "beside column 'LTP [S]' that of the other branch is missing: its name is LTD, dep"),
    (programming, renamed(1, "result"), "column 'achieved' is missing: it is nearest to programming"),
    (reads, renamed(1, "spread"), " missing: read_noise needs conductance, sigma"),
    (retention, renamed(0, "moment"), " missing: read_noise needs conductance, sigma"),
    (currents, renamed(1, "charge"), "column 'current' is missing: it is nearest to iv, which needs voltage, current"),
    # No number.
    (pulses, written(5, 2, "nan"), "line 6: conductance 'nan': a finite number is needed"),
    (branches, written(5, 3, ""), "line 6: conductance '': a finite number is needed"),
    (pairs, written(3, 1, "NaN"), "line 4: up 'NaN': a finite number is needed"),
    (programming, written(1, 0, "inf"), "line 2: target 'inf': a finite number is needed"),
    (reads, written(2, 1, "-"), "line 3: sigma '-': a finite number is needed"),
    (retention, written(4, 1, "nan"), "line 5: conductance 'nan': a finite number is needed"),
    (currents, written(9, 0, "x"), "line 10: voltage 'x': a finite number is needed"),
    # Units that are mixed, unknown or within a cell.
    (pulses, renamed(2, "conductance [S/m]"), "column 'conductance': unknown unit 'S/m': allowed are uS, S, mS, nS"),
    (pulses, written(8, 2, "5.2 uS"), "conductance '5.2 uS': a finite number is needed; a unit stands in the header"),
    (pulses, written(8, 2, "5200000"), "5.2e+06 uS, where its others are"),
    (pairs, renamed(2, "LTD [nS]"), "line 1: units are mixed: up [S], down [nS]"),
    (programming, renamed(1, "achieved [nS]"), "line 1: units are mixed: target [uS], achieved [nS]"),
    (reads, renamed(1, "sigma"), "line 1: units are mixed: conductance [uS], sigma [none]"),
    (retention, renamed(0, "time [years]"), "column 'time': unknown unit 'years': allowed are s, ms"),
    (currents, renamed(0, "voltage [kV]"), "column 'voltage': unknown unit 'kV': allowed are V, mV"),
    # Columns or directions the wrong way round.
    (pulses, turned(1), "pulses up lead to lower conductances: are the columns or directions swapped?"),
    (pairs, swapped(1, 2), "column up falls on the whole: are the columns swapped?"),
    (programming, turned(1), "achieved does not follow target: are the columns swapped?"),
    (reads, swapped(0, 1), "sigma is larger than conductance: are the columns swapped?"),
    (retention, swapped(0, 1), "does not rise: sort it, or are the columns swapped?"),
    (currents, turned(0), "current falls as the voltage grows: are signs turned?"),
    # Too little.
    (pulses, shortened(9), "at least 20 pulses"),
    (programming, shortened(19), "19 rows of target and achieved: at least 20 are needed"),
    (reads, shortened(2), "2 points of sigma: at least 3 are needed"),
    (retention, shortened(3), "device '0' has 3 times: at least 4 are needed"),
    (currents, shortened(5), "device '0' has 5 voltages: at least 6 are needed"),
    (pulses, shortened(0), "it holds no rows below the header"),
]


@pytest.mark.parametrize(("kind", "spoil", "line"), CASES)
def test_one_line(
    kind: Callable[[], Rows],
    spoil: Callable[[Rows], Rows],
    line: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path, chip, picture = (tmp_path / name for name in ("a.csv", "a.toml", "a.png"))
    path.write_text("\n".join(",".join(row) for row in spoil(kind())), encoding="utf-8")
    assert main(["fit", str(path), "--out", str(chip), "--picture", str(picture)]) == 2
    error = capsys.readouterr().err
    assert error.startswith("neuroep: error: ")
    assert line in error
    assert error.count("\n") == 1
    assert [found.name for found in tmp_path.iterdir()] == ["a.csv"]


@pytest.mark.parametrize("kind", [programming, reads, retention, currents])
def test_as_it_should_be(
    kind: Callable[[], Rows], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, chip = tmp_path / "a.csv", tmp_path / "a.toml"
    path.write_text("\n".join(",".join(row) for row in kind()), encoding="utf-8")
    assert main(["fit", str(path), "--out", str(chip)]) == 0
    assert "95 % interval" in capsys.readouterr().out
    assert chip.exists()
