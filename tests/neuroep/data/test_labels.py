"""Label columns of every kind."""

from __future__ import annotations

import pyarrow
import pytest

from neuroep.data.labels import classes_of, numbers
from neuroep.data.sources import Table
from neuroep.errors import DataError


def table(values: list, kind: pyarrow.DataType | None = None) -> Table:
    """Return a table with one label column."""
    return Table("t.csv", {"label": pyarrow.chunked_array([pyarrow.array(values, kind)])})


@pytest.mark.parametrize(
    ("values", "classes"),
    [
        ([1, 0, 2, 1], ("0", "1", "2")),
        ([1.0, 0.0], ("0", "1")),
        ([True, False], ("0", "1")),
        (["spam", "ham", "spam"], ("ham", "spam")),
        (["1", "0"], ("0", "1")),
    ],
)
def test_classes_are_found(values: list, classes: tuple[str, ...]) -> None:
    """Names are sorted, numbers run from 0."""
    assert classes_of([table(values)], "label") == classes


def test_classes_come_from_all_shards() -> None:
    """A class may be missing in one of several files."""
    assert classes_of([table([0, 1]), table([2])], "label") == ("0", "1", "2")


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ([0, 1, 7], "row 3 of column 'label': 7 leaves a gap; 3 distinct labels must be the whole numbers 0 to 2"),
        ([1, 2, 2], "2 leaves a gap"),
        ([0, -1], "-1 leaves a gap"),
        ([0.0, 0.5], "0.5 leaves a gap"),
        ([1, 1], "at least 2 classes are needed, column 'label' holds 1"),
        ([None, None], "holds 0 of them"),
        (["", "x"], "holds 1 of them"),
    ],
)
def test_classes_which_cannot_be(values: list, line: str) -> None:
    """The line names the row."""
    with pytest.raises(DataError, match=line):
        classes_of([table(values)], "label")


@pytest.mark.parametrize(
    ("values", "classes", "expected"),
    [
        ([1, 0], ("a", "b"), [1, 0]),
        (["b", "a"], ("a", "b"), [1, 0]),
        ([1.0, 0.0], ("a", "b"), [1, 0]),
        ([True, False], ("a", "b"), [1, 0]),
    ],
)
def test_numbers_of_every_kind(values: list, classes: tuple[str, ...], expected: list[int]) -> None:
    """Numbers count, names are looked up."""
    found = numbers(table(values), "label", classes)
    assert found.labels.tolist() == expected
    assert found.rows.tolist() == [0, 1]


@pytest.mark.parametrize(
    "values", [[0, -1, 2], [0, None, 2], ["0", "-", "2"], ["0", "", "2"], [0.0, float("nan"), 2.0]]
)
def test_rows_without_gold_label_can_be_dropped(values: list) -> None:
    """-1, a dash and nothing mean no gold label, where the set has such rows."""
    found = numbers(table(values), "label", ("0", "1", "2"), drop=True)
    assert found.labels.tolist() == [0, 2]
    assert found.rows.tolist() == [0, 2]


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ([0, 1, 2], "label in row 3 of column 'label' is out of range: 2; allowed are 0 to 1"),
        ([0, -1], "row 2 of column 'label' is out of range: -1"),
        ([0.5, 1], "row 1 of column 'label' is no whole number: 0.5"),
        ([0, None], "row 2 of column 'label' is missing"),
        ([0.0, float("nan")], "row 2 of column 'label' is missing"),
        (["pos", ""], "row 2 of column 'label' is missing"),
        (["pos", "negg"], "row 2 .*unknown class 'negg': allowed are neg, pos; did you mean 'neg'"),
    ],
)
def test_labels_which_cannot_be(values: list, line: str) -> None:
    """The line names file, row, value and what is allowed."""
    with pytest.raises(DataError, match=line) as caught:
        numbers(table(values), "label", ("neg", "pos"))
    assert str(caught.value).startswith("data 't.csv': label in row")


def test_labels_of_another_type() -> None:
    """Lists are no labels."""
    for use in (lambda t: classes_of([t], "label"), lambda t: numbers(t, "label", ("a", "b"))):
        with pytest.raises(DataError, match=r"holds list.*whole numbers or names are needed"):
            use(table([[0], [1]]))
