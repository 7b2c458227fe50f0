"""Read voltages that files state: where they are found, whose the chip has, and the shapes of currents between."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hw_models.measured.chip_files import MeasuredChip, fit_files
from hw_models.measured.read_voltages import stated
from hw_models.measured.tables import read_table

V = np.linspace(-0.4, 0.4, 33)


def reads(path: Path, title: str = "g [uS]", ahead: str = "") -> Path:
    """Write read noise of 2 % at conductances to 20 uS."""
    g = np.linspace(2, 20, 12)
    rows = "".join(f"{one:.5f},{0.02 * one:.5f}\n" for one in g)
    path.write_text(f"{ahead}{title},sigma [uS]\n{rows}", encoding="utf-8")
    return path


def currents(path: Path, law: str) -> Path:
    """Write currents to 0.4 V: sinh of 0.2 V, or a share of 0.4 of the cube."""
    v = V / 0.4
    found = 10 * np.sinh(V / 0.2) if law == "sinh" else 10 * (0.6 * v + 0.4 * v**3)
    rows = "".join(f"{a:.6f},{b:.8f}\n" for a, b in zip(V, found, strict=True))
    path.write_text(f"voltage [V],current [uA]\n{rows}", encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("title", "ahead", "volts"),
    [
        ("g [uS]", "", set()),
        ("g [uS] @ 0.1 V", "", {0.1}),
        ("G (uS) at 200 mV", "", {0.2}),
        ("g [uS]", "# read voltage: 100 mV\n", {0.1}),
        ("g [uS]", "# Vread = 0.15 V, pulses at 3 V\n", {0.15}),
        ("g [uS]", "# measured at 3 V\n", set()),
    ],
)
def test_where_a_read_voltage_stands(title: str, ahead: str, volts: set[float], tmp_path: Path) -> None:
    assert stated(read_table(reads(tmp_path / "reads.csv", title, ahead))) == volts


def test_a_column_of_read_voltages_counts_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "drift.csv"
    for last, volts in ((0.1, {0.1}), (0.1005, {0.1}), (0.2, {0.1, 0.2})):
        rows = "".join(f"{t},{1e-6 / t**0.05:.4e},{0.1 if t < 90 else last}\n" for t in (10, 20, 40, 80, 160))
        path.write_text(f"time [s],current [A],read voltage [V]\n{rows}", encoding="utf-8")
        assert stated(read_table(path)) == volts


def fitted(folder: Path, law: str, title: str, other: str = "g [uS]") -> MeasuredChip:
    """Return the chip of currents, read noise and programming."""
    rows = "".join(f"{g},{g + 0.1 * (-1) ** n:.3f}\n" for n, g in enumerate([5.0, 10.0, 15.0, 20.0] * 10))
    (folder / "programming.csv").write_text(f"target [uS],{other.replace('g ', 'achieved ')}\n{rows}", encoding="utf-8")
    return fit_files([reads(folder / "reads.csv", title), currents(folder / "iv.csv", law), folder / "programming.csv"])


@pytest.mark.parametrize("law", ["sinh", "cubic"])
def test_a_read_voltage_that_files_agree_on_is_the_chips(law: str, tmp_path: Path) -> None:
    """At 0.1 V currents of the chip over its conductance are those that were measured, over theirs at 0.1 V."""
    found = fitted(tmp_path, law, "g [uS] @ 0.1 V")
    device = found.chip.device
    assert device.read_voltage == (0.1 if law == "sinh" else None)
    assert "Read voltage: 0.1 V, of reads.csv." in found.as_text()
    assert "Read voltage: 0.1 V" in found.chip.caveat
    share = np.linspace(0.1, 1, 5)
    if law == "sinh":
        wanted = np.sinh(share * 0.1 / 0.2) / np.sinh(0.1 / 0.2)
        shape = np.sinh(share * 0.1 / device.iv_voltage) / np.sinh(0.1 / device.iv_voltage)
        passed = 10 * np.sinh(0.1 / 0.2) / 0.1
    else:
        r = 0.1 / 0.4
        wanted = (0.6 * r * share + 0.4 * (r * share) ** 3) / (0.6 * r + 0.4 * r**3)
        shape = (1 - device.iv_cubic) * share + device.iv_cubic * share**3
        passed = 10 * (0.6 * r + 0.4 * r**3) / 0.1
    np.testing.assert_allclose(shape, wanted, rtol=2e-3)
    assert next(one for one in found.laws if one.kind == "iv").estimates["conductance"].value == pytest.approx(passed)


def test_files_that_differ_are_told_and_leave_the_largest_voltage(tmp_path: Path) -> None:
    found = fitted(tmp_path, "sinh", "g [uS] @ 0.1 V", "g [uS] @ 0.2 V")
    assert found.chip.device.read_voltage == 0.4
    line = "Read voltage: 0.4 V, the largest of the currents, as those of the files differ: "
    line += "reads.csv 0.1 V; programming.csv 0.2 V."
    assert line in found.as_text().replace("\n", " ")
    assert line in found.chip.caveat


def test_without_a_stated_voltage_it_is_the_largest(tmp_path: Path) -> None:
    found = fitted(tmp_path, "sinh", "g [uS]")
    assert found.chip.device.read_voltage == 0.4
    assert "Read voltage: " not in found.chip.caveat
    assert "whose full scale is the read voltage." in found.chip.caveat
