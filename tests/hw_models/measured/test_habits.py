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
    "lines of an instrument": (
        "Instrument: 4200A\nSample, W3\n\ndevice,pulse,conductance [uS]", lambda n, r: f"{r[0]},{r[1]},{r[2]:.6f}"
    ),
    "names, units and comments": (
        "device\tpulse\tconductance\n\t\tuS\nComments\t\tat 25 C", lambda n, r: f"{r[0]}\t{r[1]}\t{r[2]:.6f}"
    ),
    "resistances": ("device,pulse,R [kOhm]", lambda n, r: f"{r[0]},{r[1]},{1e3 / r[2]:.8g}"),
    "read currents": (
        "device;pulse;V_read (V);Read current (A)",
        lambda n, r: f"{r[0]};{r[1]};0,1;{1e-7 * r[2]:.9e}".replace(".", ","),
    ),
    "gates and drains": (
        "device,t,Vg (V),Vds (V),Ids (nA)", lambda n, r: f"{r[0]},{n},{1.2 * r[1]},0.1,{100 * r[2]:.6f}"
    ),
    "an amplitude beside directions": (
        "device,pulse,direction,amplitude (V),g [uS]",
        lambda n, r: f"{r[0]},{n % 81},{r[1]},{1.1 if r[1] > 0 else -1.4},{r[2]:.6f}",
    ),
    "a counter of pulses": (
        "device,pulse,polarity,conductance [uS]", lambda n, r: f"{r[0]},{n % 81},{'-0+'[r[1] + 1]},{r[2]:.6f}"
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


def beside(text: str, values: list[list[float]], ahead: list[str]) -> str:
    """Return a table of columns beside each other."""
    lines = [",".join([first, *(f"{column[n]:.6f}" for column in values)]) for n, first in enumerate(ahead)]
    return "\n".join([text, *lines])


def test_a_column_for_each_device(tmp_path: Path) -> None:
    found, path = rows(), tmp_path / "a.csv"
    values = [[g for own, _, g in found if own == device] for device in range(2)]
    ways = [str(way) for own, way, _ in found if own == 0]
    for head in ("pulse,left (uS),right (uS)", "pulse,device 0,device 1"):
        path.write_text(beside(head, values, ways), encoding="utf-8")
        curves = read_curves(read_table(path))
        assert curves.conductance == pytest.approx(np.array(values), rel=1e-5)
        assert curves.names == tuple(name.partition(" (")[0] for name in head.split(",")[1:])
    note = read_table(path).notes[-1]
    assert note == "Columns 'device 0', 'device 1' are the conductances of a device each."
    path.write_text(beside("time [h],a [kOhm],b [kOhm]", values, [str(n + 1) for n in range(81)]), encoding="utf-8")
    table = read_table(path)
    assert kind_of(table) == "retention"
    assert table.numbers("conductance") == pytest.approx(1e3 / np.concatenate(values), rel=1e-5)
    assert table.groups("device")[1] == ("a", "b")


def test_a_column_for_each_cycle(tmp_path: Path) -> None:
    """As the same curves in rows, to the number."""
    path, one = tmp_path / "a.csv", [5 + 0.2 * n for n in range(21)]
    columns = [one, one[::-1], [g + 0.01 for g in one], [g + 0.01 for g in one[::-1]]]
    numbers = [str(n) for n in range(21)]
    path.write_text(beside("Pulse #,LTP1 (uS),LTD1 (uS),LTP2 (uS),LTD2 (uS)", columns, numbers), encoding="utf-8")
    wide = read_curves(read_table(path))
    pairs = [(cycle, n, columns[2 * cycle][n], columns[2 * cycle + 1][n]) for cycle in (0, 1) for n in range(21)]
    lines = ["cycle,pulse number,up [uS],down [uS]", *(f"{c},{n},{up:.6f},{down:.6f}" for c, n, up, down in pairs)]
    path.write_text("\n".join(lines), encoding="utf-8")
    assert wide.conductance == pytest.approx(read_curves(read_table(path)).conductance)
    assert wide.cycle.tolist() == read_curves(read_table(path)).cycle.tolist()


@pytest.mark.parametrize("head", ["pulse,left (uS),right (nS)", "pulse,left,right", "pulse,conductance,right (uS)"])
def test_columns_that_may_be_anything_are_not_guessed(head: str, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(beside(head, [[1.0, 2.0], [2.0, 3.0]], ["0", "1"]), encoding="utf-8")
    assert "device" not in read_table(path).columns


def test_a_mean_beside_sigma_is_the_conductance(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("mean (nS),std (nS)\n5000,20\n8000,30\n", encoding="utf-8")
    table = read_table(path)
    assert kind_of(table) == "read_noise"
    assert table.numbers("conductance").tolist() == [5, 8]


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
        ("t,bias at gate (V),g", [f"{n},{'-' * (n % 2)}1.5,1" for n in range(30)], "holds voltages of both signs"),
        ("device,pulse,g [nS]", ['0,0,"1,234.5"', '0,1,"1,239.1"'], "'1,234.5': a finite number is needed; leave out"),
        ("R (Ohm),std", ["10000,100"] * 9, "'std' beside 'R (Ohm)' has no unit: give it as one of conductances"),
        ("g (uS),std (kOhm)", ["5,1"] * 9, "column 'sigma': unknown unit 'kOhm': allowed are uS, S, mS, nS"),
        ("x" * 200000 + ",y", ["1,2"] * 9, "line 1: field larger than field limit"),
        ("PK\x03\x04", ["x"], "it is a workbook or an archive: save its table as CSV"),
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
