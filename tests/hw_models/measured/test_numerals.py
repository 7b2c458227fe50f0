"""Numbers of the locales of spreadsheets: what is certain is read, what is not is refused, never off by a thousand."""

from __future__ import annotations

from pathlib import Path

import pytest

from hw_models.errors import ChipError
from hw_models.measured.numerals import plain
from hw_models.measured.tables import read_table

SPACES = ("\u00a0", "\u202f", "\u2009", " ", "'", "\u2019")


def read(parted: str, *cells: str) -> list[float]:
    """Return the numbers of a column."""
    found = plain([[cell] for cell in cells], parted, range(2, 2 + len(cells)), ["g [nS]"])
    return [float(row[0]) for row in found.rows]


@pytest.mark.parametrize("parted", [",", ";", "\t"])
def test_numbers_that_are_certain(parted: str) -> None:
    assert read(parted, "1,234.5", "999.25", "12,345,678.5") == [1234.5, 999.25, 12345678.5]
    assert read(parted, "1.234,5", "999,25", "1.234") == [1234.5, 999.25, 1234]
    assert read(parted, "1,234,567", "1,234") == [1234567, 1234]
    assert read(parted, "0,123", "1,234", "12,5") == [0.123, 1.234, 12.5]
    assert read(parted, "5,2e-6", "-5,1E-06", "\N{MINUS SIGN}1") == [5.2e-6, -5.1e-6, -1]
    for mark in SPACES:
        assert read(parted, f"1{mark}234,567", f"12{mark}345", "7,5") == [1234.567, 12345, 7.5]
        assert read(parted, f"1{mark}234.5", f"12{mark}345", "1.125") == [1234.5, 12345, 1.125]


def test_the_marks_of_the_usual_file() -> None:
    assert read(",", "1.234", "5.678", "9") == [1.234, 5.678, 9]
    assert plain([["1.234"]], ",", [2], ["g"]).notes == ()
    for parted, cell, mark in ((";", "1,234", ","), ("\t", "1.234", ".")):
        found = plain([[cell], [cell.replace("1", "5")]], parted, [2, 3], ["g"])
        assert [row[0] for row in found.rows] == ["1.234", "5.234"]
        assert found.notes == (f"Column 'g': '{mark}' counts as the decimal mark.",)


def test_other_columns_tell() -> None:
    """A file has one locale: of 0,5 s beside 1.234 nS the point parts thousands. It was read as 1.234."""
    found = plain([["0,5", "1.234"], ["1,0", "998"]], ";", [2, 3], ["t", "g"])
    assert found.rows == [["0.5", "1234"], ["1.0", "998"]]
    found = plain([["0.5", "1,234"], ["1.25", "998"]], "\t", [2, 3], ["t", "g"])
    assert found.rows == [["0.5", "1234"], ["1.25", "998"]]
    names = plain([["1.2", "1,234"], ["3,4", "5,5"]], ";", [2, 3], ["device", "g"], {0})
    assert names.rows == [["1.2", "1.234"], ["3,4", "5.5"]]


@pytest.mark.parametrize(
    ("parted", "cells"),
    [
        (",", ("1,234", "5,678")), (";", ("1.234", "998")), (";", ("1.234", "5.678")), ("\t", ("1,234", "998")),
        ("\t", ("1,234", "5,678")), (",", ("1,234", "1,5", "1,234.5")),
    ],
)  # fmt: skip
def test_what_is_open_is_refused(parted: str, cells: tuple[str, ...]) -> None:
    mark = "." if "." in cells[0] else ","
    found = plain([[cell] for cell in cells], parted, range(2, 2 + len(cells)), ["g [nS]"])
    told = f"line 2: '1{mark}234' of column 'g [nS]': nothing tells whether its '{mark}' parts"
    assert found.undecided[0].startswith(told)
    assert found.undecided[0].endswith("write 1234, or 1.234 in columns that are parted by commas")


def test_what_is_open_and_not_used_is_no_fault(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text('time,serial,g [uS]\n1,"1,234",5.5\n2,"1,235",5.4\n')
    assert read_table(path).numbers("conductance").tolist() == [5.5, 5.4]
    path.write_text('time,a [uS],b [uS]\n1,"1,234","2,345"\n2,"1,235","2,346"\n')
    with pytest.raises(ChipError, match="nothing tells whether its ',' parts thousands"):
        read_table(path)


def test_per_cent() -> None:
    found = plain([["12.5%", "a"], ["", "b"], ["100 %", "5%"]], ",", [2, 3, 4], ["g", "x"])
    assert found.rows == [["12.5", "a"], ["", "b"], ["100", "5%"]]
    assert found.percent == {0}
    assert plain([["12,5 %"]], ";", [2], ["g"]).rows == [["12.5"]]


def test_what_is_no_number_stays() -> None:
    rows = [["12.03.2024 10:15", "W3, R1", "1_000", "1.2.3", "sample 12 345", "nan"]]
    assert plain(rows, ";", [2], ["a", "b", "c", "d", "e", "f"]).rows == rows
