"""Tables as people write them: the right rows, or one line that names the line and the fault."""

from __future__ import annotations

import csv
import gzip
import json
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest

from neuroep.data import labels, tables
from neuroep.errors import DataError

COLUMNS = ("text", "label")
CSV = "text,label\ngood film,1\nbad film,0\n"
TSV = CSV.replace(",", "\t")
LINES = '{"text": "good film", "label": 1}\n{"text": "bad film", "label": 0}\n'
MARK = "\ufeff"
LONG = "good film " * 400_000
"""4 MB, beyond the longest field of ``csv`` and the blocks of pyarrow."""


def read(folder: Path, name: str, contents: str | bytes) -> list[tuple[str, object]]:
    """Write a table and read its rows."""
    path = folder / name
    path.write_bytes(contents if isinstance(contents, bytes) else contents.encode())
    table = tables.read_table(path, COLUMNS)
    return list(zip(tables.texts(table, "text"), table.columns["label"].to_pylist(), strict=True))


@pytest.mark.parametrize(
    ("name", "contents"),
    [
        ("t.csv", CSV),
        ("t.csv", MARK + CSV),
        ("t.csv", (MARK + CSV).replace("text", '"text"')),
        ("t.csv", CSV.replace("\n", "\r\n")),
        ("t.csv", CSV.replace("\n", "\r")),
        ("t.csv", "\n \n" + CSV.replace("\n", "\n\n  \n")),
        ("t.csv", CSV.rstrip()),
        ("t.csv", CSV.replace("1\n", " 1\n")),
        ("t.csv", CSV.replace("1\n", "1.0\n")),
        ("t.csv", "text,other,label,other\ngood film,1,1,1\nbad film,2,0,2\n"),
        ("t.tsv", TSV),
        ("t.tsv", MARK + TSV.replace("\n", "\r\n\r\n")),
        ("t.jsonl", LINES),
        ("t.jsonl", MARK + LINES.replace("\n", "\r\n\n")),
        ("t.json", LINES),
        ("t.json", "[" + LINES.strip().replace("\n", ",\n") + "]\n"),
        ("t.json", json.dumps(json.loads(LINES.splitlines()[0]), indent=2) + LINES.splitlines()[1]),
    ],
)
def test_the_same_rows_however_written(tmp_path: Path, name: str, contents: str) -> None:
    """Marks, line ends, blank lines and layout do not matter."""
    assert read(tmp_path, name, contents) == [("good film", 1), ("bad film", 0)]


def test_quotes_of_tab_separated_values_are_text(tmp_path: Path) -> None:
    """Two texts that begin with a quotation mark swallowed the rows between them."""
    rows = ["good", '"bad', "good", '"good film"', 'a "dog', "it's", '""', "bad"]
    contents = "text\tlabel\n" + "".join(f"{text}\t{n % 2}\n" for n, text in enumerate(rows))
    assert read(tmp_path, "t.tsv", contents) == [(text, n % 2) for n, text in enumerate(rows)]


def test_texts_of_several_megabytes(tmp_path: Path) -> None:
    """In every text format; the limit of ``csv`` is as it was afterwards."""
    before = csv.field_size_limit()
    forms = {
        "t.csv": f"text,label\n{LONG},1\n",
        "q.csv": f'text,label\n"{LONG}",1\n',
        "t.tsv": f"text\tlabel\n{LONG}\t1\n",
    }
    forms["t.jsonl"] = json.dumps({"text": LONG, "label": 1})
    for name, contents in forms.items():
        assert read(tmp_path, name, contents) == [(LONG, 1)]
    assert csv.field_size_limit() == before


@pytest.mark.parametrize(
    ("name", "contents", "line"),
    [
        ("t.csv", CSV + "a,b,1\n", "line 4 has 3 columns, the header has 2"),
        ("t.csv", "\n" + CSV + "a\n", "line 5 has 1 columns, the header has 2"),
        ("t.csv", CSV + '"good,1\n', "line 4: unexpected end of data"),
        ("t.csv", CSV + '"a,1\nb,0\n"c,1\n', "line 6: ',' expected after"),
        ("t.csv", CSV.encode() + b"\xe9,1\n", "line 4 is no UTF-8 text"),
        ("t.csv", CSV.encode("utf-16"), "line 1 is no UTF-8 text"),
        ("t.csv", CSV + "a\0b,1\n", "line 4 holds a NUL byte"),
        ("t.csv", "", "it is empty"),
        ("t.csv", "text,label,text\na,1,b\n", r"column 'text' is there 2 times"),
        ("t.csv", ",".join("abc" * 100 + str(n) for n in range(500)), r"unknown column 'text': .*, and 480 more"),
        ("t.tsv", TSV + "a\tb\t1\n", "line 4 has 3 columns, the header has 2"),
        ("t.tsv", TSV.encode() + b"\xff\t1\n", "line 4 is no UTF-8 text"),
        ("t.jsonl", LINES.encode() + b'{"text": "\xff"}', "line 3 is no UTF-8 text"),
        ("t.jsonl", "\n" + LINES + "{", "line 4 is no JSON: Expecting property name"),
        ("t.jsonl", LINES + "[1]", "line 3 holds a list: an object"),
        ("t.jsonl", LINES + '{"text": "a", "text": "b", "label": 1}', "line 3: an object has 'text' 2 times"),
        ("t.jsonl", LINES + "[" * 100_000, "nested too deeply|no JSON"),
        ("t.jsonl", LINES + '{"label": ' + "9" * 5000 + "}", "line 3 is no JSON: a number has too many digits"),
        ("t.jsonl", LINES + '{"text": "a", "label": 99999999999999999999}', "column 'label': "),
        ("t.jsonl", LINES + '{"text": 1, "label": 1}', "column 'text' holds str in row 1 and int in row 3"),
        ("t.json", '[{"text": "a",\n"label": }]', "line 2 is no JSON"),
        ("t.json", "[]", "it is empty"),
        ("t.tsv", CSV, "it is separated by commas, and is named .tsv, which needs tabs; name it .csv"),
        ("t.csv", TSV, "it is separated by tabs, and is named .csv, which needs commas; name it .tsv"),
        ("t.csv", CSV.replace(",", ";"), "it is separated by semicolons, and is named .csv"),
        ("t.csv.gz", CSV, "cannot be read: "),
        ("t.csv.gz", gzip.compress(CSV.encode() * 1000)[:-12], "cannot be read: "),
    ],
)
def test_faults_name_their_line(tmp_path: Path, name: str, contents: str | bytes, line: str) -> None:
    """One line of bounded length, and no row is lost silently."""
    with pytest.raises(DataError, match=line) as caught:
        read(tmp_path, name, contents)
    assert str(tmp_path / name) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) <= 1500


def test_half_letters_count_as_an_unknown_one(tmp_path: Path) -> None:
    """JSON can hold half of a surrogate pair, where a text was cut."""
    assert read(tmp_path, "t.jsonl", '{"text": "good \\ud83d", "label": 1}') == [("good \ufffd", 1)]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("1 0", [1, 0]),
        ("-1 +0", [-1, 0]),
        ("1.0 0.5 .5 1e0", [1.0, 0.5, 0.5, 1.0]),
        ("True false TRUE", [True, False, True]),
        ("0 NA 1 null", [0, None, 1, None]),
        ("pos neg NA", ["pos", "neg", "NA"]),
        ("0 1 x", ["0", "1", "x"]),
        ("1_0 2", ["1_0", "2"]),
        ("\u0661 \u0662", ["\u0661", "\u0662"]),
    ],
)
def test_labels_of_csv_have_one_type(tmp_path: Path, given: str, expected: list) -> None:
    """Numbers and truth values where all of them are, else names as they stand."""
    rows = read(tmp_path, "t.csv", "text,label\n" + "".join(f"a,{label}\n" for label in given.split(" ")))
    assert [label for _, label in rows] == expected
    assert [type(label) for _, label in rows] == [type(label) for label in expected]


def parquet(path: Path, **columns: object) -> Path:
    """Write a Parquet table."""
    pyarrow.parquet.write_table(pyarrow.table(columns), path)
    return path


def test_folders_do_not_name_columns(tmp_path: Path) -> None:
    """pyarrow takes a folder ``label=7`` for a column of sevens."""
    (tmp_path / "label=7").mkdir()
    path = parquet(tmp_path / "label=7" / "t.parquet", text=["good", "bad"], label=[1, 0])
    assert tables.read_table(path, COLUMNS).columns["label"].to_pylist() == [1, 0]
    dotted = parquet(tmp_path / "t.parquet", **{"a.b": ["good"], "label": [1]})
    assert tables.read_table(dotted, ("a.b", "label")).columns["a.b"].to_pylist() == ["good"]


def test_doubled_and_damaged_columns_of_parquet(tmp_path: Path) -> None:
    """Two columns of one name, and bytes that are no text."""
    path = tmp_path / "t.parquet"
    arrays = [pyarrow.array(["a"]), pyarrow.array([1]), pyarrow.array(["b"])]
    pyarrow.parquet.write_table(pyarrow.Table.from_arrays(arrays, names=["text", "label", "text"]), path)
    with pytest.raises(DataError, match="column 'text' is there 2 times"):
        tables.read_table(path, COLUMNS)
    offsets = pyarrow.py_buffer(np.array([0, 2, 4], np.int32).tobytes())
    bad = pyarrow.Array.from_buffers(pyarrow.string(), 2, [None, offsets, pyarrow.py_buffer(b"ok\xff\xfe")])
    with pytest.raises(DataError, match=r"column 'text': .*UTF8"):
        tables.read_table(parquet(path, text=bad, label=[1, 0]), COLUMNS)


def test_names_of_numbers_and_numbers_of_names() -> None:
    """Labels of another split are never counted in an order that the training split does not have."""

    def table(values: list) -> tables.Table:
        return tables.Table("t", {"label": pyarrow.chunked_array([pyarrow.array(values)])})

    classes = labels.classes_of([table([str(n) for n in range(11)])], "label")
    assert classes[2] == "10"
    assert labels.numbers(table([2, 10]), "label", classes, indexed=False).labels.tolist() == [3, 2]
    with pytest.raises(DataError, match="row 1 of column 'label' is the number 0, the training labels are names: a, b"):
        labels.numbers(table([0, 1]), "label", ("a", "b"), indexed=False)
    assert labels.classes_of([table(["neg ", "pos", " neg"])], "label") == ("neg", "pos")
    assert labels.numbers(table(["neg ", "pos"]), "label", ("neg", "pos")).labels.tolist() == [0, 1]
    assert labels.numbers(table(["1", "0"]), "label", ("neg", "pos")).labels.tolist() == [1, 0]


def test_saved_tables_are_whole(tmp_path: Path) -> None:
    """Cut between two of its batches, an Arrow stream reads as a shorter one: 2,000 rows of 3,000, silently."""
    import datasets

    datasets.disable_progress_bars()
    datasets.Dataset.from_dict({"text": ["good"] * 3000, "label": [0, 1, 1] * 1000}).save_to_disk(str(tmp_path / "set"))
    path = tmp_path / "set" / "data-00000-of-00001.arrow"
    assert len(tables.read_table(path, COLUMNS).columns["label"]) == 3000
    whole = path.read_bytes()
    for cut in (whole.rindex(b"\xff" * 4), whole.rindex(b"\xff" * 4, 0, -8), len(whole) // 2, 3, 0):
        path.write_bytes(whole[:cut])
        with pytest.raises(DataError, match="cannot be read: "):
            tables.read_table(path, COLUMNS)


@pytest.mark.parametrize("given", ["nan", "NaN"])
@pytest.mark.parametrize("others", [("0", "1"), ("neg", "pos"), ()])
def test_a_label_that_is_not_a_number_is_missing(tmp_path: Path, given: str, others: tuple[str, ...]) -> None:
    """Before, nan among names was a class of its own."""
    path = tmp_path / "t.csv"
    path.write_text("text,label\n" + "".join(f"good film,{label}\n" for label in (*others, given)))
    table = tables.read_table(path, COLUMNS)
    with pytest.raises(DataError, match=f"label in row {len(others) + 1} of column 'label' is missing"):
        labels.numbers(table, "label", labels.classes_of([table], "label"))
