"""Files as instruments and spreadsheets write them, through the command: each loads right, or one line says why not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from hw_models.errors import ChipError
from hw_models.measured.curves import Curves
from hw_models.measured.pulse_tables import read_curves
from hw_models.measured.tables import kind_of, read_table
from hw_models.measured.unit_lines import with_units
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
    "a title of two lines": ('device,pulse,"conductance\n(uS)"', lambda n, r: f"{r[0]},{r[1]},{r[2]:.6f}"),
    "units in a line above": ("#,,nS\ndevice,pulse,conductance", lambda n, r: f"{r[0]},{r[1]},{1e3 * r[2]:.6f}"),
    "comments of MATLAB": (
        "% device pulse conductance_uS\n% of 3 March", lambda n, r: f"{r[0]} {r[1]} {r[2]:.6f}"
    ),
    "units in words": ("device,pulse,conductance (micro-Siemens)", lambda n, r: f"{r[0]},{r[1]},{r[2]:.6f}"),
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
        ("device,pulse,g [nS]", ['0,0,"1,234"', '0,1,"1,239"'], "tells whether its ',' parts thousands or decimals"),
        ("R (Ohm),std", ["10000,100"] * 9, "'std' beside 'R (Ohm)' has no unit: give it as one of conductances"),
        ("g (uS),std (kOhm)", ["5,1"] * 9, "column 'sigma': unknown unit 'kOhm': allowed are uS, S, mS, nS"),
        ("x" * 200000 + ",y", ["1,2"] * 9, "line 1: field larger than field limit"),
        ("PK\x03\x04", ["x"], "it is a workbook or an archive: open its sheet in Excel and take File > Save"),
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


def curves_in(tmp_path: Path, *lines: str) -> Curves:
    """Return the curves of a file of these lines."""
    path = tmp_path / "a.csv"
    path.write_text("\n".join(lines), encoding="utf-8")
    return read_curves(read_table(path))


def refusal(tmp_path: Path, *lines: str) -> str:
    """Return what is said of a file of these lines."""
    with pytest.raises(ChipError) as raised:
        curves_in(tmp_path, *lines)
    assert "\n" not in str(raised.value)
    return str(raised.value)


def test_a_cycle_that_lacks_a_branch_is_named(tmp_path: Path) -> None:
    """It was said that a column 'direction' is missing."""
    rows = [f"{n},{5 + n},{9 - n},{5.1 + n}" for n in range(4)]
    found = curves_in(tmp_path, "pulse number,LTP1 (uS),LTD1 (uS),LTP2 (uS)", *rows)
    assert found.conductance[0] == pytest.approx([5, 6, 7, 8, 9, 8, 7, 6, 5.1, 6.1, 7.1, 8.1])
    assert found.cycle[0].tolist() == [0] * 8 + [1] * 4
    assert found.notes == ("Cycle '2' has no curve LTD: those of the others tell it.",)
    rows = [f"{c},{n},{5 + n},{9 - n if c else ''}" for c in (0, 1) for n in range(4)]
    assert "Cycle '0' has no curve LTD" in curves_in(tmp_path, "cycle,n,up [uS],down [uS]", *rows).notes[0]


def test_branches_of_other_numbers_are_not_joined(tmp_path: Path) -> None:
    said = refusal(tmp_path, "pulse number,LTP1 (uS),LTD2 (uS)", *(f"{n},{5 + n},{9 - n}" for n in range(4)))
    assert "'LTP1 (uS)' has no LTD of its number, nor 'LTD2 (uS)' an LTP: give both branches" in said
    said = refusal(tmp_path, "pulse number,LTP1 (uS),LTD1 (nS)", *(f"{n},{5 + n},{9 - n}" for n in range(4)))
    assert "are in several units: 'LTP1 (uS)', 'LTD1 (nS)'; one is needed" in said


def test_one_branch_alone_is_fitted_or_asked_for(tmp_path: Path) -> None:
    for head in ("pulse number,LTP (uS)", "pulse,potentiation [uS]", "n,LTP1 (uS),LTP2 (uS)"):
        many = head.count(",")
        lines = [",".join([str(n), *many * [str(5 + n)]]) for n in range(4)]
        path = tmp_path / "a.csv"
        path.write_text("\n".join([head, *lines]), encoding="utf-8")
        found = read_curves(read_table(path))
        assert found.one_sided and found.conductance[0, :4].tolist() == [5, 6, 7, 8]
        assert "nothing is known of pulses down, and the chip has one-sided pairs" in read_table(path).notes[-1]
    rows = [f"{n},{9 - n},7" for n in range(4)]
    assert "those up are needed, LTP, potentiation or up" in refusal(tmp_path, "n,LTD (uS)", *(r[:-2] for r in rows))
    said = refusal(tmp_path, "n,LTP (uS),other", *rows)
    assert "beside column 'LTP (uS)' that of the other branch is missing: its name is LTD" in said and "'other'" in said


def test_a_lone_two_is_no_counter(tmp_path: Path) -> None:
    rows = [f"{2 if n == 3 else 1},{way},{5 + n}" for n, way in enumerate("++++----")]
    assert "pulse '2' of device '0': allowed are 1 or up" in refusal(tmp_path, "pulse,direction,g [uS]", *rows)
    rows = [f"{n % 4 + 1},{way},{5 + n}" for n, way in enumerate("++++----")]
    assert curves_in(tmp_path, "pulse,direction,g [uS]", *rows).pulses[0, 1:].tolist() == [1, 1, 1, -1, -1, -1, -1]


def test_pulses_of_one_take_the_sign_of_the_direction(tmp_path: Path) -> None:
    """All of them counted as up, and the directions were passed over."""
    ways = ["up"] * 4 + ["down"] * 4
    rows = [f"{int(n > 0)},{way},{5 + n}" for n, way in enumerate(ways)]
    found = curves_in(tmp_path, "pulse,direction,g [uS]", *rows)
    assert found.pulses[0, 1:].tolist() == [1, 1, 1, -1, -1, -1, -1]


def test_a_pulse_beside_branches_is_its_number(tmp_path: Path) -> None:
    """Every fifth reading counted as one pulse."""
    found = curves_in(tmp_path, "pulse,LTP [uS],LTD [uS]", *(f"{5 * n},{5 + n},{9 - n}" for n in range(4)))
    assert found.count(1) == found.count(-1) == 15


def test_absolute_currents_have_the_sign_of_their_voltage(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    volts = np.linspace(-0.5, 0.5, 11)
    for title in ("|I| (A)", "abs(I) [A]", "AbsI (A)", "Abs Id (A)"):
        path.write_text("\n".join([f"V (V),{title}", *(f"{v:.2f},{abs(v) * 1e-6:.3e}" for v in volts)]))
        table = read_table(path)
        assert kind_of(table) == "iv"
        assert table.numbers("current") == pytest.approx(volts, rel=1e-3, abs=1e-12)
        assert "holds absolute values: currents have the sign of 'V (V)'" in table.notes[-1]
    path.write_text("\n".join(["V (V),I (A)", *(f"{v:.2f},{abs(v) * 1e-6:.3e}" for v in volts)]))
    with pytest.raises(ChipError, match=r"'I \(A\)' is never below 0 though 'V \(V\)' is: are these absolute values"):
        read_table(path)
    path.write_text("pulse,read voltage [V],|I| [uA]\n0,-0.1,0.5\n1,-0.1,0.6\n")
    assert read_table(path).numbers("conductance") == pytest.approx([5, 6])
