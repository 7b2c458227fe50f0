"""A ledger or a page that was edited, damaged or mixed up is refused: the file, the line, one line of text, exit 2."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from analysis.sweep.ledger import SWEEP, TRIALS
from analysis.sweep.results import load
from neuroep.cli import main
from neuroep.errors import ConfigError
from tests.analysis.sweep.cases import resealed

VARY = ["chip.adc.bits=4,6"]
NUMBER = 2
"""Line that is edited, of four."""


@pytest.fixture
def folder(sweep, tmp_path) -> Path:
    sweep(VARY, seeds=2)
    return tmp_path / "out"


def refused(sweep, folder: Path, message: str, capsys) -> None:
    """Reading, going on and the report say the same, and leave all files as they are."""
    before = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    for act in (lambda: load(folder), lambda: sweep(VARY, seeds=2)):
        with pytest.raises(ConfigError) as error:
            act()
        assert message in str(error.value) and "\n" not in str(error.value)
    assert main(["report", str(folder)]) == 2
    said = capsys.readouterr().err
    assert message in said and said.count("\n") == 1
    assert {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()} == before


def edit(folder: Path, change: Callable[[dict[str, Any]], object], number: int = NUMBER) -> None:
    """Change a line as an editor would: its seal stays what it was."""
    lines = (folder / TRIALS).read_text().splitlines()
    record = json.loads(lines[number - 1])
    change(record)
    lines[number - 1] = json.dumps(record)
    (folder / TRIALS).write_text("".join(f"{line}\n" for line in lines))


EDITS: dict[str, Callable[[dict[str, Any]], object]] = {
    "accuracy 0.95": lambda record: record["result"].update(accuracy=0.95),
    "accuracy 7": lambda record: record["result"].update(accuracy=7),
    "accuracy null": lambda record: record["result"].update(accuracy=None),
    "accuracy NaN": lambda record: record["result"].update(accuracy=float("nan")),
    "accuracy a text": lambda record: record["result"].update(accuracy="x"),
    "accuracy renamed": lambda record: record["result"].update(accurate=record["result"].pop("accuracy")),
    "loss": lambda record: record["result"].update(loss=0.0),
    "a counter": lambda record: record["result"]["counters"].update(adc=1),
    "seed": lambda record: record.update(seed=5),
    "seed of another": lambda record: record.update(seed=1 - record["seed"]),
    "values": lambda record: record["values"].update({"chip.adc.bits": 9}),
    "id": lambda record: record.update(id="0" * 32),
    "an error added": lambda record: record.update(error="failed"),
    "attempt": lambda record: record.update(attempt=3),
    "seal left out": lambda record: record.pop("seal"),
    "name left out": lambda record: record.pop("run"),
}


@pytest.mark.parametrize("what", EDITS)
def test_an_edited_line_is_refused(sweep, folder, what, capsys):
    """Before, all were taken but two, which ended in a traceback: KeyError of the key, ValueError of the text."""
    edit(folder, EDITS[what])
    refused(sweep, folder, f"{TRIALS}: line {NUMBER} is damaged or was changed by hand", capsys)


@pytest.mark.parametrize("number", [1, 4])
def test_an_edit_is_found_wherever_it_is(sweep, folder, number, capsys):
    edit(folder, EDITS["accuracy 0.95"], number)
    refused(sweep, folder, f"line {number} is damaged or was changed by hand", capsys)


def test_a_value_that_is_changed_on_all_lines_is_refused(sweep, folder, capsys):
    path = folder / TRIALS
    path.write_text(path.read_text().replace('"chip.adc.bits": 6', '"chip.adc.bits": 9'))
    refused(sweep, folder, "is damaged or was changed by hand", capsys)


@pytest.mark.parametrize(
    "line", [b"garbage", b"{}", b"[1, 2]", b'{"id": "x"}', b"\xff\xfe", b"", b"null", b'{"id": "x", "val']
)
def test_a_complete_line_of_garbage_is_refused_at_the_end_too(sweep, folder, line, capsys):
    """Before, the last one was dropped, and cut off, without a word."""
    with (folder / TRIALS).open("ab") as file:
        file.write(line + b"\n")
    refused(sweep, folder, f"{TRIALS}: line 5 is no record of a trial", capsys)


def test_a_torn_last_line_is_dropped_as_before(sweep, folder):
    path = folder / TRIALS
    whole = path.read_bytes()
    path.write_bytes(whole[:-20])
    assert len(load(folder).rows) == 3
    assert len(sweep(VARY, seeds=2).rows) == 4


@pytest.mark.parametrize("accuracy", [7, -0.1, None, "x", True])
def test_an_accuracy_that_is_none_is_named(sweep, folder, accuracy, capsys):
    """Also where it is sealed, as an executor of one's own could bring it about."""
    resealed(folder / TRIALS, lambda record: record["result"].update(accuracy=accuracy))
    refused(sweep, folder, f"line 1 has accuracy = {accuracy!r}: allowed are shares from 0 to 1", capsys)


def test_an_id_stands_for_its_values_and_seed(sweep, folder, capsys):
    ids = [json.loads(line)["id"] for line in (folder / TRIALS).read_text().splitlines()]
    resealed(folder / TRIALS, lambda record: record.update(id=ids[0]))
    refused(sweep, folder, "line 2 has other values or another seed than line 1 of its id", capsys)


def test_values_and_seed_have_one_id(sweep, folder, capsys):
    resealed(folder / TRIALS, lambda record: record.update(seed=0, values={"chip.adc.bits": 4}))
    refused(sweep, folder, "line 2 has another id than line 1 of its values and seed", capsys)


def test_a_sweep_does_not_go_on_with_seeds_that_were_exchanged(sweep, folder):
    """A seal of its own does not help: the plan knows which id belongs where."""
    resealed(folder / TRIALS, lambda record: record.update(seed=1 - record["seed"]))
    with pytest.raises(ConfigError, match="holds another sweep"):
        sweep(VARY, seeds=2)
    resealed(folder / TRIALS, lambda record: record.update(seed=7 + record["seed"]))
    with pytest.raises(ConfigError, match="stands there at another point or seed"):
        sweep(VARY, seeds=2)


def test_a_line_of_another_sweep_is_refused(sweep, folder, tmp_path, capsys):
    sweep(VARY, out=tmp_path / "other", samples=10)
    with (folder / TRIALS).open("a") as file:
        file.write((tmp_path / "other" / TRIALS).read_text())
    refused(sweep, folder, "line 5 belongs to another sweep", capsys)
    shutil.copy(tmp_path / "other" / TRIALS, folder / TRIALS)
    refused(sweep, folder, "line 1 belongs to another sweep", capsys)


@pytest.mark.parametrize(
    ("name", "value"),
    [("mode", "learn"), ("split", "train"), ("ideal", 0.99), ("source", "x"), ("overrides", ["--chip"])],
)
def test_an_edited_page_is_refused(sweep, folder, name, value, capsys):
    """Before, whatever is not compared with the settings asked for was taken."""
    page = json.loads((folder / SWEEP).read_text())
    (folder / SWEEP).write_text(json.dumps({**page, name: value}))
    refused(sweep, folder, f"{SWEEP}' is damaged or was changed by hand", capsys)


def test_another_chip_in_the_page_is_refused(sweep, tmp_path, capsys):
    """Before, reports called it pcm."""
    sweep(VARY, seeds=2, overrides=["--chip", "rram"])
    path = tmp_path / "out" / SWEEP
    path.write_text(path.read_text().replace("rram", "pcm"))
    refused(sweep, tmp_path / "out", f"{SWEEP}' is damaged or was changed by hand", capsys)


@pytest.mark.parametrize("name", ["seal", "run"])
def test_a_page_without_a_seal_is_refused(sweep, folder, name, capsys):
    page = json.loads((folder / SWEEP).read_text())
    del page[name]
    (folder / SWEEP).write_text(json.dumps(page))
    refused(sweep, folder, f"{SWEEP}' is damaged: it has no seal", capsys)


def test_a_page_may_be_laid_out_anew(folder):
    """What it says counts, not its spaces and its order."""
    page = json.loads((folder / SWEEP).read_text())
    (folder / SWEEP).write_text(json.dumps(dict(reversed(page.items()))))
    assert len(load(folder).rows) == 4
