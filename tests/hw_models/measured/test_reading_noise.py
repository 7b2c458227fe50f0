"""Noise of readings is that of the write and that of the read, and is in the chip once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hw_models.measured.chip_files import fit_files
from hw_models.measured.population import Estimate
from hw_models.measured.reading_noise import left_of

STEP, G_MIN, G_MAX = 0.4, 5.0, 25.0


def write(folder: Path, written: float, read: float, seed: int) -> list[Path]:
    """Write pulse curves of even steps whose readings stray by a write [uS] and by a share of g, and reads alone."""
    draw = np.random.default_rng(seed).normal
    lines = ["device,pulse,conductance [uS]"]
    for device in range(8):
        g = G_MIN
        for sign in (0, *2 * ([1] * 45 + [-1] * 45)):
            g = min(max(g + sign * STEP * (1 + 0.2 * draw()), G_MIN), G_MAX)
            held = g + written * draw()
            lines.append(f"{device},{sign},{held * (1 + read * draw()):.5f}")
    (folder / "pulses.csv").write_text("\n".join(lines), encoding="utf-8")
    g = np.linspace(4, 26, 30)
    rows = [f"{one},{read * one * np.exp(0.05 * draw()):.6f}" for one in g]
    (folder / "reads.csv").write_text("\n".join(["conductance [uS],sigma [uS]", *rows]), encoding="utf-8")
    return [folder / "pulses.csv", folder / "reads.csv"]


def test_noise_of_reads_alone_leaves_no_write_noise(tmp_path: Path) -> None:
    """Before, 0.4 uS of the reads stood in the chip twice."""
    files = write(tmp_path, 0.0, 0.03, 1)
    found = fit_files(files, response="constant", g_min=G_MIN, g_max=G_MAX)
    assert found.chip.device.pulse.write_noise == 0
    assert found.chip.device.read_noise == pytest.approx(0.03, rel=0.05)
    assert found.response is not None
    one = found.response.estimates["write_noise"]
    assert (one.value, one.low, one.unit) == (0, 0, "dw_min")
    assert "Nothing clear is left, and no pulse.write_noise is written: 0 [0, 0] means that." in found.as_text()
    alone = fit_files(files[:1], response="constant", g_min=G_MIN, g_max=G_MAX)
    assert alone.chip.device.pulse.write_noise * STEP / 10 > 0.08 * STEP
    assert f"pulse.write_noise = {alone.chip.device.pulse.write_noise:g} dw_min. readings=" in alone.as_text()


@pytest.mark.parametrize("seed", [1, 2])
def test_write_noise_beside_that_of_reads_is_found(tmp_path: Path, seed: int) -> None:
    found = fit_files(write(tmp_path, 0.5, 0.02, seed), response="constant", g_min=G_MIN, g_max=G_MAX)
    assert found.response is not None
    one = found.response.estimates["write_noise"]
    truth = 0.5 / STEP
    assert one.low < truth < one.high
    assert found.chip.device.pulse.write_noise == pytest.approx(truth, rel=0.1)
    assert f"is written as pulse.write_noise = {found.chip.device.pulse.write_noise:g} dw_min." in found.as_text()


def test_what_is_asked_for_stays(tmp_path: Path) -> None:
    files = write(tmp_path, 0.5, 0.02, 1)
    found = fit_files(files, response="constant", readings="instrument", g_min=G_MIN, g_max=G_MAX)
    assert found.chip.device.pulse.write_noise == 0
    assert found.response is not None
    assert "write_noise" not in found.response.estimates
    both = fit_files(files, response="constant", readings="read", g_min=G_MIN, g_max=G_MAX)
    assert both.chip.device.read_noise == pytest.approx(0.02, rel=0.05)
    assert "uS by which readings behind pulses stray are not used." in both.chip.caveat
    assert "twice" not in both.chip.caveat + found.chip.caveat


def test_reads_that_stray_by_more_contradict_the_pulses(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    quiet, reads = write(tmp_path / "own", 0.2, 0.001, 1)[0], write(tmp_path, 0.2, 0.2, 1)[1]
    found = fit_files([quiet, reads], response="constant", g_min=G_MIN, g_max=G_MAX)
    assert "which is more. The files contradict each other. Nothing clear is left" in found.as_text()
    assert found.chip.device.pulse.write_noise == 0


def test_variances_are_taken_apart() -> None:
    one = left_of(Estimate(0.5, 0.48, 0.52), 0.09, 0.0)
    assert (one.value, one.low, one.high) == pytest.approx((0.4, (0.48**2 - 0.09) ** 0.5, (0.52**2 - 0.09) ** 0.5))
    wide = left_of(Estimate(0.5, 0.48, 0.52), 0.09, 0.05)
    assert wide.low < one.low
    assert wide.high > one.high
    none = left_of(Estimate(0.3, 0.28, 0.32), 0.1, 0.0)
    assert (none.value, none.low) == (0, 0)
    assert none.high == pytest.approx((0.32**2 - 0.1) ** 0.5)
