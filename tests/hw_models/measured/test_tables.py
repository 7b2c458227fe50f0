"""Tables of measurements: what is read, which kind it is, and what is refused in one line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hw_models.errors import ChipError
from hw_models.measured import units
from hw_models.measured.tables import KINDS, kind_of, passed_over, read_table


def written(folder: Path, text: str, encoding: str = "utf-8") -> Path:
    """Write a file."""
    path = folder / "a.csv"
    path.write_text(text, encoding=encoding)
    return path


@pytest.mark.parametrize(
    ("header", "row", "factor"),
    [("g [S]", "1e-6", 1.0), ("Conductance (mS)", "2", 2000.0), ("conductance [nS]", "5", 0.005), ("G", "3", 3.0),
     ("conductance [\N{MICRO SIGN}S]", "4", 4.0), ("conductance [\N{GREEK SMALL LETTER MU}S]", "4", 4.0)],
)  # fmt: skip
def test_units_stand_in_the_header(tmp_path: Path, header: str, row: str, factor: float) -> None:
    found = read_table(written(tmp_path, f"time [ms],{header}\n1,{row}\n"))
    assert found.numbers("conductance")[0] == pytest.approx(factor)
    assert found.numbers("time")[0] == pytest.approx(1e-3)


@pytest.mark.parametrize(("unit", "seconds"), [("s", 1), ("ms", 1e-3), ("us", 1e-6), ("h", 3600), ("min", 60)])
def test_times(unit: str, seconds: float) -> None:
    assert units.factor("time", unit, units.TIME) == pytest.approx(seconds)


@pytest.mark.parametrize("parted", [",", ";", "\t"])
def test_ways_to_part_columns(tmp_path: Path, parted: str) -> None:
    number = "1.5" if parted == "," else "1,5"
    text = f"# of Monday\nvoltage [mV]{parted}current [nA]\n\n{number}{parted}{number}\n"
    found = read_table(written(tmp_path, text, "utf-16"))
    assert found.numbers("voltage").tolist() == [0.0015]
    assert found.numbers("current") == pytest.approx([0.0015])
    assert found.lines == [4]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("time,g [pS]\n1,2\n", "unknown unit 'pS': allowed are uS, S, mS, nS"),
        ("time [y],g\n1,2\n", "column 'time': unknown unit 'y': allowed are"),
        ("target [uS],achieved [nS]\n1,2\n", r"line 1: units are mixed: target \[uS\], achieved \[nS\]"),
        ("target [uS],achieved\n1,2\n", r"units are mixed: target \[uS\], achieved \[none\]"),
        ("device [uS],g\n1,2\n", r"column 'device \[uS\]': device is the name of a device and has no unit"),
        ("g,conductance\n1,2\n", "columns 'g' and 'conductance' are both conductance: which counts"),
        ("time,g\n1,2,3\n", "line 2, '1 2 3', has 3 columns, the header has 2"),
        ("time,g\n", "it holds no rows below the header"),
        ("", "it holds no lines"),
        ('time,g\n"1,2\n', "line 2: unexpected end of data"),
    ],
)
def test_what_is_no_table(tmp_path: Path, text: str, line: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(ChipError, match=line) as raised:
        read_table(path).numbers("time" if "y]" in text else "conductance")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("cell", ["nan", "", "inf", "1.2.3", "4 uS", "1_0"])
def test_numbers_that_are_none(tmp_path: Path, cell: str) -> None:
    found = read_table(written(tmp_path, f"time,g\n1,2\n2,{cell}\n"))
    told = ": leave that row out" if cell in ("nan", "", "inf") else "; a unit stands in"
    with pytest.raises(ChipError, match=f"line 3: conductance '{cell}': a finite number is needed{told}"):
        found.numbers("conductance")


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ChipError, match=r"cannot read 'none\.csv': No such file"):
        read_table("none.csv")
    path = tmp_path / "b.csv"
    path.write_bytes(b"time,g\n\xff\xfe\x00,1\n")
    with pytest.raises(ChipError, match="it is no text but a binary file: export its table as CSV"):
        read_table(path)


@pytest.mark.parametrize(
    ("header", "kind"),
    [
        ("achieved,target", "programming"), ("Time [h],G [uS]", "retention"), ("read,g", "read_noise"),
        ("g,sigma", "read_noise"), ("current,voltage", "iv"), ("device,pulse,conductance", "pulses"),
        ("pulse_number,LTP,LTD", "pulses"), ("cycle,PulseNum,type,conductance", "pulses"),
        ("up_pulse,down_pulse", "pulses"),
    ],
)  # fmt: skip
def test_columns_tell_the_kind(tmp_path: Path, header: str, kind: str) -> None:
    found = read_table(written(tmp_path, f"{header}\n{','.join('1' for _ in header.split(','))}\n"))
    assert kind_of(found) == kind
    assert kind_of(found, kind) == kind
    assert set(KINDS) == {"pulses", "programming", "retention", "read_noise", "iv"}


def test_two_columns_of_numbers_need_no_header(tmp_path: Path) -> None:
    found = read_table(written(tmp_path, "-0.84,0.76\n-0.83,0.75\n"))
    assert kind_of(found) == "pulses"
    assert np.array_equal(found.numbers("up"), [-0.84, -0.83])


@pytest.mark.parametrize(
    ("header", "kind", "line"),
    [
        ("device,pulse", None, "'conductance' is missing: it is nearest to pulses, which needs pulse, conductance$"),
        ("pulse,cond", None, r"nearest to pulses, which needs pulse, conductance; is it 'cond'\?$"),
        ("cycle,pulse,current [uA]", None, "'conductance' is missing: it is nearest to pulses"),
        ("device,cycle,conductance", None, "'pulse' is missing: it is nearest to pulses, which needs pulse, cond"),
        ("number,direction,my_g", None, "'conductance' is missing: it is nearest to pulses, .*; not known: 'my_g'$"),
        ("time,device", None, "'conductance' is missing: it is nearest to retention"),
        ("conductance,x", None, "columns beside 'conductance' are missing: read_noise needs .*; pulses needs pulse"),
        ("target,device", None, "'achieved' is missing: it is nearest to programming, which needs target, achieved"),
        ("voltage,x", None, "column 'current' is missing: it is nearest to iv, which needs voltage, current"),
        ("read [uS],g", None, r"read is the number of a read and has no unit; conductance stands in a column 'cond"),
        ("a,b", None, "no column is known, of 'a', 'b'; kinds and their columns are iv: voltage, current; programming"),
        ("time,g", "iv", "column 'voltage' is missing: iv needs voltage, current"),
        ("time,g", "drift", "unknown kind 'drift': allowed are iv, programming, read_noise, pulses, retention"),
    ],
)
def test_columns_that_are_missing(tmp_path: Path, header: str, kind: str | None, line: str) -> None:
    path = written(tmp_path, f"{header}\n{','.join('1' for _ in header.split(','))}\n")
    with pytest.raises(ChipError, match=line):
        kind_of(read_table(path), kind)


def test_traces_of_reads_by_time_are_asked_for(tmp_path: Path) -> None:
    found = read_table(written(tmp_path, "time,g\n1,2\n2,2.1\n"))
    assert (kind_of(found), kind_of(found, "read_noise")) == ("retention", "read_noise")


def test_decimal_commas_and_the_first_line_of_excel(tmp_path: Path) -> None:
    assert read_table(written(tmp_path, "0,5;0,6\n0,7;0,5\n")).numbers("down") == pytest.approx([0.6, 0.5])
    found = read_table(written(tmp_path, "sep=;\ntime;g [uS]\n1;2,5\n"))
    assert found.numbers("conductance") == pytest.approx([2.5])


@pytest.mark.parametrize(
    ("kind", "text", "note"),
    [
        ("pulses", "pulse,voltage,pulse width,g,lab\n0,1,5,5,a\n1,1.2,6,6,a", "Columns 'voltage', 'pulse width' vary"),
        ("retention", "time,g,device,temperature [C]\n1,5,0,25\n2,5,1,85", "Column 'temperature [C]' varies"),
        ("read_noise", "g,sigma,time\n1,2,3\n2,3,4", "Column 'time' varies and is passed over"),
        ("read_noise", "g,read,device,time\n1,2,3,4\n2,3,4,5", ""),
        ("programming", "target,achieved,device,time\n1,2,3,4\n2,3,4,5", ""),
        ("pulses", "cycle,number,up,down\n1,2,3,4\n2,3,4,5", ""),
        ("pulses", "1,2\n3,4", ""),
    ],
)
def test_columns_that_vary_and_are_passed_over_are_named(tmp_path: Path, kind: str, text: str, note: str) -> None:
    """Pulses of rising height, or devices at two temperatures, were fitted as if they were alike."""
    notes = passed_over(read_table(written(tmp_path, text)), kind)
    assert [note in one for one in notes] == [True] * bool(note)


@pytest.mark.parametrize("title", ["resistance [kOhm]", "R (ohm)", "load [MOhm]", "R_HRS (k\u03a9)"])
def test_resistances_are_read_as_conductances(tmp_path: Path, title: str) -> None:
    ohm = {"k": 1e3, "M": 1e6}.get(title.partition("[")[2][:1] or title.partition("(")[2][:1], 1.0)
    found = read_table(written(tmp_path, f"time,{title}\n1,2000\n2,2500\n"))
    assert kind_of(found) == "retention"
    assert found.numbers("conductance") == pytest.approx([1e3 / (2 * ohm), 1e3 / (2.5 * ohm)])
    assert found.notes == (f"Conductances are one over '{title}'.",)
    with pytest.raises(ChipError, match=r"line 3: '.*' is 0: above 0 is needed"):
        read_table(written(tmp_path, f"time,{title}\n1,2\n2,0\n"))


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("Conductance: nS\nn,LTP,LTD\n1,2,3\n", "line 1 names 'nS', and column 'LTP' has no unit"),
        ("pulse,g\n0,5\n# device 2\n0,9\n", "line 3: '# device 2' stands between the rows"),
        ("pulse g_uS\n" + "0 5\n" * 12 + "\n" + "1 9\n" * 12, "line 14 is blank, and rows follow: another device"),
        ("device,pulse,g\n" + "1,0,5\n" * 3 + "\n" + "2,0,6\n" * 3 + "\n", ""),
        ("n,G\n1,2\n\nSettings\n", "line 4, 'Settings', has 1 column, the header has 2: one table to a file"),
        ("Messung;3.11.\nBauteil;Puls;Leitwert\n1;1;5\n", "line 2, .* line 1 was taken for it, and no line names"),
        ("t,g\n1,5,2,7\n", "line 2, '1 5 2 7', has 4 columns, the header has 2: decimal commas need semicolons"),
    ],
)
def test_what_stands_between_and_beside_the_rows(tmp_path: Path, text: str, line: str) -> None:
    """Devices that comments or blank lines tell apart were one device; nS above a header counted as uS."""
    path = written(tmp_path, text)
    if line:
        with pytest.raises(ChipError, match=line):
            read_table(path)
    elif "device" in text:
        assert len(read_table(path).rows) == 6


@pytest.mark.parametrize(
    ("header", "row", "told"),
    [
        ("pulse,g", "1,{}", "without its row its pulse is lost: count pulses in a column 'pulse number'"),
        ("number,type,g", "1,up,{}", "leave that row out"),
        ("time,g", "1,{}", "leave that row out"),
    ],
)
@pytest.mark.parametrize("cell", ["#N/A", "OVERFLOW", "---", "9.91E+37"])
def test_what_to_do_about_a_reading_that_is_missing(
    tmp_path: Path, header: str, row: str, told: str, cell: str
) -> None:
    table = read_table(written(tmp_path, f"{header}\n{row.format(4)}\n{row.format(cell)}\n"))
    with pytest.raises(ChipError, match=f"line 3: conductance .*{told}"):
        table.numbers("conductance")


def test_lines_name_few_of_many_titles(tmp_path: Path) -> None:
    """One line had all 240 titles of a table that lies on its side."""
    path = written(tmp_path, f"pulse,{','.join(f'x{n}' for n in range(240))}\nx,{','.join(['4'] * 240)}\n")
    with pytest.raises(ChipError, match="and 232 more") as raised:
        kind_of(read_table(path))
    assert len(str(raised.value)) < 400


def test_a_direction_without_a_number_is_told_how_to_be_a_pulse(tmp_path: Path) -> None:
    path = written(tmp_path, "device,operation,g\n0,SET,4\n0,RESET,2\n")
    with pytest.raises(ChipError, match="if every row is behind one pulse, name column 'operation' 'pulse'"):
        kind_of(read_table(path))
