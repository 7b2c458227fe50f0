"""Tables: DataFrames, CSV that gives numbers back, pages in which everything from outside is escaped; every result."""

from __future__ import annotations

import csv
import io
import math
import sys
from html.parser import HTMLParser

import numpy as np
import pytest

import neuroep as package
from neuroep.errors import ConfigError
from neuroep.runs import directory as runs, tables
from neuroep.runs.evaluation import Evaluation
from neuroep.runs.tables import Tabular

EVIL = "<script>alert(1)</script>\"'&\x1b[2J"


class Cells(HTMLParser):
    """Checks that tags close in order, and gathers the cells of rows."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.rows: list[list[str]] = []
        self.text = ""
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        assert all(name == "style" for name, _ in attrs)
        if tag == "br":
            return
        self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data
        if self.open and self.open[-1] in ("td", "th"):
            self.rows[-1][-1] += data


def check(found: Tabular, folder) -> None:
    """Check that the frame, the file and the page of a result say the same rows."""
    rows = found.table()
    names = tables.columns(rows)
    frame = found.to_frame()
    assert list(frame.columns) == names and len(frame) == len(rows)
    with found.to_csv(folder / "table.csv").open(newline="") as file:
        held = list(csv.DictReader(file))
    assert [list(row) for row in held] == [names] * len(rows)
    for row, line in zip(rows, held, strict=True):
        for name in names:
            value = row.get(name)
            assert value is None or isinstance(value, str | int | float), (name, value)
            if isinstance(value, float) and not math.isnan(value):
                assert float(line[name]) == value
            elif value is None:
                assert line[name] == ""
            else:
                assert line[name] == str(value)
    page = Cells(found._repr_html_())
    assert page.tags <= {"div", "p", "br", "table", "thead", "tbody", "tr", "th", "td"}
    told = found.summary()
    units = found.units()
    assert frame.attrs["units"] == {name: units[name] for name in names if name in units}
    heads = [f"{name} [{units[name]}]" if name in units else name for name in tables.columns(told)]
    assert page.rows[:1] == ([heads] if told else [])
    assert len(page.rows) == (1 + min(len(told), tables.MOST_ROWS) if told else 0)
    for line in found.caption().splitlines():
        assert line in page.text


def test_results_of_runs(trained, tmp_path):
    session = package.Session.open(trained, chip="hermes")
    results = [
        session,
        package.Session.open(trained),
        session.evaluate("test", only=np.arange(30)),
        package.deploy(trained, chip="hermes", seeds=2, overrides=["--data.limit", "90"]),
        package.cost(session, samples=8),
        runs.load(trained),
        package.export(trained, tmp_path / "net.cir", chip="pcm", arrays=["dense_2"]),
    ]
    for found in results:
        check(found, tmp_path)


def test_what_the_rows_of_results_are(trained):
    session = package.Session.open(trained, chip="hermes")
    found = session.table()
    assert [row["synapse"] for row in found] == ["query", "dense_1", "dense_2"]
    assert list(found[1].values())[1:5] == ["attention", "hidden_1", 8, 32]
    assert found[1]["conductance"] > 0 and found[1]["weight range"] > 0
    assert "conductance" not in package.Session.open(trained).table()[0]
    epochs = runs.load(trained).table()
    assert [row["epoch"] for row in epochs] == [1, 2]
    assert epochs[1]["evaluate.test.accuracy"] == runs.load(trained).metrics[1]["evaluate"]["test"]["accuracy"]
    judged = session.evaluate("test", only=np.arange(30))
    assert sum(row["samples"] for row in judged.table()) == 30
    assert sum(row[f"as {row['class']}"] for row in judged.table()) == round(judged.accuracy * 30)


def test_units_stand_in_heads_and_with_the_frame(trained):
    """Energies were bare numbers of 1e-8, and so was the area of a chip."""
    found = package.deploy(trained, chip="hermes", seeds=1, overrides=["--data.limit", "30"])
    assert found.to_frame().attrs["units"] == {"energy": "J", "latency": "s", "area": "m^2"}
    assert Cells(found._repr_html_()).rows[0][-3:] == ["energy [J]", "latency [s]", "area [m^2]"]
    session = package.Session.open(trained, chip="hermes")
    assert "conductance [uS]" in Cells(session._repr_html_()).rows[0]
    assert package.cost(session, samples=8).to_frame().attrs["units"] == {"energy": "J"}


def test_everything_from_outside_is_escaped():
    """Names of classes, of splits and of columns, values and captions."""
    found = Evaluation(EVIL, (EVIL, "b"), np.array([[3, 1], [0, 2]]), 0.1, 0.0, 4.0, 0.0, 1.0)
    page = found._repr_html_()
    assert "<script" not in page and "\x1b" not in page and "&lt;script&gt;" in page
    Cells(page)
    assert "<script" not in tables.as_html([{EVIL: EVIL}], EVIL)


def test_long_tables_are_cut_in_a_notebook_alone():
    rows = [{"n": n} for n in range(1000)]
    page = Cells(tables.as_html(rows, "many"))
    assert len(page.rows) == 1 + tables.MOST_ROWS and "940 more rows" in page.text
    assert len(list(csv.reader(io.StringIO(tables.as_csv(rows))))) == 1001


def test_rows_that_lack_columns():
    rows = [{"a": 1}, {"b": 0.1, "a": None}]
    assert tables.columns(rows) == ["a", "b"]
    assert tables.as_csv(rows) == "a,b\n1,\n,0.1\n"
    frame = tables.frame(rows)
    assert frame["a"].isna().tolist() == [False, True] and frame["b"].isna().tolist() == [True, False]
    assert tables.as_csv([]) == "\n" and len(tables.frame([])) == 0 and "<table" not in tables.as_html([], "none")


@pytest.mark.parametrize("text", ["a\rb", "a\nb", "a\r\nb", 'x,"y"', " ", "", "\u2028", "=1+1", "\r"])
def test_texts_come_back_from_csv(text):
    """A carriage return alone was written as it is, and ended the row for every reader."""
    rows = [{"name": text, text + "!": 0.1 + 0.2}, {"name": "next", text + "!": -1}]
    header, *found = csv.reader(io.StringIO(tables.as_csv(rows), newline=""))
    assert header == ["name", text + "!"]
    assert found == [[text, "0.30000000000000004"], ["next", "-1"]]


def test_nested_records():
    held = {"epoch": 1, "train": {"loss": 0.5, "more": {"x": True}}, "rates": [1, 2], "note": None}
    assert tables.flat(held) == {"epoch": 1, "train.loss": 0.5, "train.more.x": True, "note": None}


def test_without_pandas(monkeypatch, tmp_path, trained):
    """One line, and CSV all the same."""
    monkeypatch.setitem(sys.modules, "pandas", None)
    found = runs.load(trained)
    with pytest.raises(ConfigError, match=r"^pandas is not installed, .*: pip install 'neuroep\[notebook\]'; to_csv"):
        found.to_frame()
    assert found.to_csv(tmp_path / "epochs.csv").exists()


def test_places_where_nothing_can_be_written(tmp_path, trained):
    (tmp_path / "folder").mkdir()
    for place in (tmp_path / "none" / "x.csv", tmp_path / "folder"):
        with pytest.raises(ConfigError, match=r"^cannot write '"):
            runs.load(trained).to_csv(place)
        with pytest.raises(ConfigError, match=r"^cannot write '"):
            tables.check_place(place)
    tables.check_place(tmp_path / "new.csv")
    assert not (tmp_path / "new.csv").exists()


def test_importing_costs_no_pandas(process):
    """It is slow, and most never ask for a DataFrame."""
    code = "import sys; import neuroep.runs.tables, neuroep.runs.deployment; print('pandas' in sys.modules)"
    assert process("-c", code).communicate(timeout=600)[0] == "False\n"


def test_a_result_at_the_prompt_is_a_line(trained):
    """That of a sweep was its settings, its versions and all of its rows, 4,000 letters for one trial."""
    for found in (runs.load(trained), package.evaluate(trained)):
        shown = repr(found)
        assert shown.startswith(f"<{type(found).__name__}: ") and "\n" not in shown and len(shown) < 500
