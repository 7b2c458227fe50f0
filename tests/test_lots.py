"""Rows that ``make test`` leaves out are rows of tables that are there, and no word of a table is left out."""

from __future__ import annotations

from itertools import product
from typing import NamedTuple

import pytest

from tests import lots
from tests.conftest import ROOT


class Row(NamedTuple):
    """What is looked at of a test."""

    nodeid: str

    @property
    def name(self) -> str:
        """Return the last part."""
        return self.nodeid.rpartition("::")[2]


@pytest.fixture
def some(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave rows out, whatever is set outside."""
    monkeypatch.delenv(lots.EVERY, raising=False)


def table(*words: str) -> list[Row]:
    place = f"tests/{lots.CROSSED[0]}"
    return [Row(f"{place}[{'-'.join(row)}]") for row in product(*words)]


@pytest.mark.usefixtures("some")
def test_about_a_third_is_kept_and_every_word_of_the_table() -> None:
    rows = table("abcdefg", "hijklmn", ["pair", "offset"])
    kept = lots.few(rows)
    assert len(rows) / 4 < len(kept) < len(rows) / 2
    assert set().union(*map(lots.words, kept)) == set().union(*map(lots.words, rows))
    assert lots.few(rows) == kept


@pytest.mark.usefixtures("some")
def test_a_table_of_which_no_word_comes_twice_is_kept_whole() -> None:
    rows = table([f"w{n}" for n in range(40)])
    assert sorted(lots.few(rows)) == sorted(rows)


def test_all_are_tried_where_that_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(lots.EVERY, "1")
    rows = table("abcdefg", "hijklmn")
    assert lots.few(rows) == rows


def test_rows_of_other_tests_are_in_no_table() -> None:
    rows = [*table("ab"), Row(f"tests/{lots.CROSSED[1]}[c]"), Row("tests/test_lots.py::test_x[a]")]
    assert [len(one) for one in lots.tables(rows)][:3] == [2, 1, 0]
    assert sum(map(len, lots.tables(rows))) == 3


@pytest.mark.parametrize("place", lots.CROSSED)
def test_every_table_is_there(place: str) -> None:
    path, *_, name = place.split("::")
    assert f"def {name}(" in (ROOT / "tests" / path).read_text(encoding="utf-8")


@pytest.mark.parametrize("place", lots.LAST)
def test_what_comes_last_is_there(place: str) -> None:
    path, name = place.split("::")
    assert f"def {name}" in (ROOT / "tests" / path).read_text(encoding="utf-8")


@pytest.mark.parametrize(("until", "late"), [(None, False), ("0", True), ("99999999999", False)])
def test_a_slow_machine_leaves_out_what_comes_last_alone(
    monkeypatch: pytest.MonkeyPatch, until: str | None, late: bool
) -> None:
    if until is None:
        monkeypatch.delenv(lots.UNTIL, raising=False)
    else:
        monkeypatch.setenv(lots.UNTIL, until)
    assert lots.too_late(Row(f"tests/{lots.LAST[0]}[a]")) is late
    assert not lots.too_late(Row("tests/test_lots.py::test_x[a]"))
