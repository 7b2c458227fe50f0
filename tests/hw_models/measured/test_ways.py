"""Directions and units of single devices, which no mean over all of them shows: through the readers of files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hw_models.errors import ChipError
from hw_models.measured.arrays import curves_of
from hw_models.measured.chip_files import fit_files
from hw_models.measured.curves import Curves, check
from hw_models.measured.pulse_tables import read_curves
from hw_models.measured.tables import read_table

UP_DOWN = ([1] * 30 + [-1] * 30) * 2


def devices(many: int = 3, noise: float = 0.02, seed: int = 0) -> np.ndarray:
    """Readings of devices with soft bounds, (devices, 121) [uS]."""
    draw, rows = np.random.default_rng(seed).normal, []
    for _ in range(many):
        g, row = 5.0, [5.0]
        for way in UP_DOWN:
            step = 0.06 * (25 - g) if way > 0 else -0.05 * (g - 5)
            g += step + noise * draw()
            row.append(g)
        rows.append(row)
    return np.array(rows)


def written(path: Path, head: str, lines: list[str]) -> Curves:
    """Write a file and read its curves, checked."""
    (path / "a.csv").write_text("\n".join([head, *lines]), encoding="utf-8")
    return check(read_curves(read_table(path / "a.csv")))


def test_fine_curves_pass_whatever_their_noise() -> None:
    for noise in (0.0, 0.02, 1.0, 5.0):
        for seed in range(5):
            check(curves_of(devices(noise=noise, seed=seed), UP_DOWN))


def test_noise_of_readings_alone_is_no_way_back() -> None:
    draw = np.random.default_rng(3)
    check(curves_of(12 + 0.002 * np.arange(401) + draw.normal(0, 1, (10, 401)), [1] * 400))


def test_a_device_whose_pulses_are_turned_is_named() -> None:
    """Two devices of three outvoted it: the mean step was of the right sign."""
    ways = np.array([UP_DOWN, [-one for one in UP_DOWN], UP_DOWN])
    with pytest.raises(ChipError, match=r"of device '1': pulses down lead up by .* uS: is their direction right"):
        check(curves_of(devices(), ways))


def test_zero_for_down_is_asked_after(tmp_path: Path) -> None:
    """0 counts as no pulse: a chip with pulses up alone was made of these curves."""
    lines = [f"{way},{g:.5f}" for way, g in zip([0, *np.maximum(UP_DOWN, 0)], devices(1)[0], strict=True)]
    with pytest.raises(ChipError, match=r"and no row says a pulse: pulses down are -1"):
        written(tmp_path, "pulse,G (uS)", lines)


def test_amplitudes_without_signs(tmp_path: Path) -> None:
    """All counted as up, and a column of directions beside them was passed over."""
    g, ways = devices(1)[0], [1, *UP_DOWN]
    lines = [f"{1.2 if way > 0 else 1.5},{'set' if way > 0 else 'reset'},{one:.5f}"
             for way, one in zip(ways, g, strict=True)]  # fmt: skip
    found = written(tmp_path, "amplitude (V),polarity,G (uS)", lines)
    assert np.sign(found.pulses[0, 1:]).tolist() == UP_DOWN
    with pytest.raises(ChipError, match=r"pulses up lead down by .* uS: is their direction right"):
        written(tmp_path, "amplitude (V),G (uS)", [f"{line.split(',')[0]},{line.split(',')[2]}" for line in lines])
    signed = [f"{1.2 * way},{'set' if way < 0 else 'reset'},{one:.5f}" for way, one in zip(ways, g, strict=True)]
    with pytest.raises(ChipError, match=r"line 2: 'amplitude .V.' is 1.2 and 'polarity' says 'reset': which way does"):
        written(tmp_path, "amplitude (V),polarity,G (uS)", signed)


def test_a_device_in_another_unit_does_not_stand_still() -> None:
    """It was left out as one that no pulse moves, and a third of the chip's devices were corrupt."""
    g = devices()
    g[1] *= 1e-3
    with pytest.raises(ChipError, match=r"device '1' goes from .* others about .*: is it in another unit"):
        check(curves_of(g, UP_DOWN))
    g[1] = 0.02 + 1e-3 * np.random.default_rng(0).normal(size=121)
    check(curves_of(g, UP_DOWN))


def test_a_reset_that_no_row_tells_is_no_way_back() -> None:
    row = np.tile(np.linspace(2, 20, 50), 3) + np.random.default_rng(0).normal(0, 0.1, 150)
    check(curves_of(row, [1] * 149))


def test_branches_that_are_not_a_pulse_apart(tmp_path: Path) -> None:
    lines = [f"{5 * n},{5 + n},{5 * n},{16 - n}" for n in range(12)]
    with pytest.raises(ChipError, match=r"column 'LTP pulse' is passed over, and is not a pulse apart"):
        written(tmp_path, "LTP pulse,LTP (uS),LTD pulse,LTD (uS)", lines)


def test_columns_of_cycles_are_cycles(tmp_path: Path) -> None:
    """They were a device each, and ten cycles of one device ten devices that are alike."""
    g = devices(1)[0]
    lines = [f"{way},{a:.5f},{b:.5f}" for way, a, b in zip([0, *UP_DOWN[:60]], g[:61], g[60:], strict=True)]
    found = written(tmp_path, "pulse,cycle 1 (uS),cycle 2 (uS)", lines)
    assert found.devices == 1 and found.cycles == 2
    assert found.conductance[0] == pytest.approx(np.concatenate([g[:61], g[60:]]), abs=1e-5)


def test_files_that_belong_together_or_are_one(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("a.csv", "b.csv")]
    for path in paths:
        lines = [f"{way},{g}" for way, g in zip([0, *UP_DOWN], devices(1)[0], strict=True)]
        path.write_text("\n".join(["pulse,G (uS)", *lines]), "utf-8")
    with pytest.raises(ChipError, match=r"two of these files hold the same readings: a file counts once"):
        fit_files(paths)
    g = devices(1)[0]
    for path, part, way in zip(paths, (g[:31], g[30:61]), (1, -1), strict=True):
        path.write_text("pulse,G (uS)\n" + "\n".join(f"{way if n else 0},{one}" for n, one in enumerate(part)), "utf-8")
    with pytest.raises(ChipError, match=r"one file has pulses up alone, and another pulses down alone: both branches"):
        fit_files(paths)
