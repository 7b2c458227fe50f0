"""Files as instruments and spreadsheets write them, through the command: each loads right, or one line says why not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from hw_models.measured.habits import with_units
from hw_models.measured.pulse_tables import read_curves
from hw_models.measured.tables import kind_of, read_table
from neuroep.cli import main

Row = tuple[int, int, float]


def rows() -> list[Row]:
    """Device, pulse and conductance [uS] of two devices."""
    found, random = [], np.random.default_rng(1)
    for device in range(2):
        g = 5.0
        found.append((device, 0, g))
        for sign in 2 * ([1] * 20 + [-1] * 20):
            g += 0.2 * sign * (1 + 0.3 * random.normal())
            found.append((device, sign, g))
    return found


HABITS: dict[str, tuple[str, Callable[[int, Row], str]]] = {
    "decimal commas": ("device;pulse;conductance [uS]", lambda n, r: f"{r[0]};{r[1]};{r[2]:.6f}".replace(".", ",")),
    "units below": ("device,pulse,conductance\n,,nS", lambda n, r: f"{r[0]},{r[1]},{1e3 * r[2]:.6f}"),
    "units in brackets": ("device,pulse,conductance\n-,1,[S]", lambda n, r: f"{r[0]},{r[1]},{1e-6 * r[2]:.9e}"),
    "current at a read voltage": (
        "device,pulse,read voltage [mV],current [nA]", lambda n, r: f"{r[0]},{r[1]},100,{100 * r[2]:.6f}"
    ),
    "current and voltage": ("device,pulse,voltage,current", lambda n, r: f"{r[0]},{r[1]},0.2,{0.2 * r[2]:.6f}"),
    "a series of amplitudes": (
        "device,time [s],pulse amplitude [V],conductance [uS]", lambda n, r: f"{r[0]},{n},{1.2 * r[1]},{r[2]:.6f}"
    ),
    "pulses in volts": ("device,t,pulse [V],g", lambda n, r: f"{r[0]},{n},{1.2 * r[1]},{r[2]:.6f}"),
    "amplitudes and currents": (
        "device,t,pulse voltage [V],read voltage [V],current [uA]",
        lambda n, r: f"{r[0]},{n},{1.2 * r[1]},0.1,{0.1 * r[2]:.6f}",
    ),
    "names of devices": ("Device ID,pulse,conductance (uS)", lambda n, r: f'"W3, R{r[0]} (left)",{r[1]},{r[2]:.6f}'),
}


@pytest.mark.parametrize("habit", HABITS)
def test_curves_are_those_of_the_plain_file(habit: str, tmp_path: Path) -> None:
    head, line = HABITS[habit]
    path, found = tmp_path / "a.csv", rows()
    path.write_text("\n".join([head, *(line(n, row) for n, row in enumerate(found))]), encoding="utf-8")
    table = read_table(path)
    assert kind_of(table) == "pulses"
    curves = read_curves(table)
    assert curves.conductance.ravel() == pytest.approx([row[2] for row in found], rel=1e-5)
    assert np.sign(curves.pulses[:, 1:]).ravel().tolist() == [row[1] for row in found if row[1]]


def test_a_series_of_amplitudes_says_what_was_made_of_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It was fitted as a loss of 26 % of the conductance, without a word."""
    path = tmp_path / "a.csv"
    lines = [f"{row[0]},{n},{(1.2 + 0.1 * (n % 2)) * row[1]},{row[2]}" for n, row in enumerate(rows())]
    path.write_text("\n".join(["device,time,pulse amplitude [V],conductance", *lines]), encoding="utf-8")
    assert main(["fit", str(path), "--response", "constant", "--out", str(tmp_path / "a.toml")]) == 0
    said = capsys.readouterr().out
    assert "Column 'pulse amplitude [V]': pulses above 0 count as up, below 0 as down; 0 is no pulse." in said
    assert "Amplitudes of pulses vary in column 'pulse amplitude [V]': the fit takes them as alike." in said
    assert "'pulse amplitude [V]' varies and is passed over" not in said


@pytest.mark.parametrize(
    ("head", "rows", "line"),
    [
        ("device,pulse,voltage,current", ["0,1,0,1"] * 30, "line 2: voltage is 0: no conductance follows from the"),
        ("device,pulse,current", ["0,1,1"] * 30, "columns beside 'current' are missing: iv needs voltage, current"),
        ("device,t,pulse amplitude,g", ["0,1,high,1"] * 30, "line 2: amplitude 'high': a finite number is needed"),
        ("device,pulse,g", ["a,0,1", ",1,2", ",1,3"], "line 3: device is empty: every row needs its own"),
        ("device,pulse,g\n,,kS", ["0,0,1", "0,1,2"], "line 2: conductance 'kS': a finite number is needed"),
    ],
)
def test_one_line(head: str, rows: list[str], line: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a.csv"
    path.write_text("\n".join([head, *rows]), encoding="utf-8")
    assert main(["fit", str(path), "--out", str(tmp_path / "a.toml")]) == 2
    error = capsys.readouterr().err
    assert line in error
    assert error.count("\n") == 1 and error.count("a.csv") == 1
    assert not (tmp_path / "a.toml").exists()


def test_a_sweep_of_voltages_stays_one(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("time,voltage,current\n" + "\n".join(f"{n},{n},{n}" for n in range(8)), encoding="utf-8")
    assert kind_of(read_table(path)) == "iv"


def test_a_row_of_units() -> None:
    assert with_units(["g", "pulse"], ["uS", ""]) == ["g [uS]", "pulse"]
    assert with_units(["g [uS]", "t"], ["uS", "(ms)"]) == ["g [uS]", "t [ms]"]
    assert with_units(["g", "pulse"], ["1", ""]) is None
    assert with_units(["g", "device"], ["5.2", "uS"]) is None
