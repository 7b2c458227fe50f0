"""The ledger: torn lines, the lock, directories of other sweeps."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st

from analysis.sweep.ledger import LOCK, SWEEP, TRIALS, Ledger
from analysis.sweep.records import read_records
from neuroep.errors import ConfigError

PAGE = {
    "mode": "deploy",
    "split": "test",
    "samples": None,
    "checkpoint": "abc",
    "source": "run",
    "fields": ["chip.adc.bits"],
    "settings": {"estimator.beta": 0.1, "chip.adc.bits": 8},
}


def record(number: int, **entries) -> dict:
    return {"id": str(number), "values": {"chip.adc.bits": number}, "seed": 0, "result": {"accuracy": 0.5}, **entries}


def written(path: Path, count: int, page: dict = PAGE) -> None:
    with Ledger(path, page) as ledger:
        ledger.begin({"vary": ["a"]})
        for number in range(count):
            ledger.append(record(number))


def test_keeps_the_last_line_of_each_trial(tmp_path):
    written(tmp_path / "out", 2)
    with Ledger(tmp_path / "out", PAGE) as ledger:
        assert set(ledger.records) == {"0", "1"}
        ledger.append(record(0, result=None, error="failed"))
    with Ledger(tmp_path / "out", PAGE) as ledger:
        assert ledger.records["0"]["error"] == "failed"
    assert len(read_records(tmp_path / "out" / TRIALS)) == 3


@settings(max_examples=40)
@given(cut=st.integers(0, 10_000))
def test_a_torn_last_line_is_cut_off(tmp_path_factory, cut):
    out = tmp_path_factory.mktemp("torn") / "out"
    written(out, 4)
    whole = (out / TRIALS).read_bytes()
    cut %= len(whole) + 1
    (out / TRIALS).write_bytes(whole[:cut])
    complete = whole[:cut].count(b"\n")
    with Ledger(out, PAGE) as ledger:
        assert len(ledger.records) == complete
        ledger.append(record(9))
    assert [found["id"] for found in read_records(out / TRIALS)] == [*map(str, range(complete)), "9"]


def test_a_last_line_of_nothing_is_torn_too(tmp_path):
    written(tmp_path / "out", 1)
    with (tmp_path / "out" / TRIALS).open("ab") as file:
        file.write(b"\0\0\0\n")
    with Ledger(tmp_path / "out", PAGE) as ledger:
        assert set(ledger.records) == {"0"}


def test_a_damaged_line_inside_is_refused(tmp_path):
    written(tmp_path / "out", 2)
    path = tmp_path / "out" / TRIALS
    path.write_text("nothing\n" + path.read_text())
    with pytest.raises(ConfigError, match="line 1 is no record"), Ledger(tmp_path / "out", PAGE):
        pass


def test_two_sweeps_in_one_directory(tmp_path):
    busy = pytest.raises(ConfigError, match="is being written by process")
    with Ledger(tmp_path / "out", PAGE), busy, Ledger(tmp_path / "out", PAGE):
        pass
    written(tmp_path / "out", 1)


def test_the_lock_is_free_after_a_kill(tmp_path):
    code = (
        "import os, sys, json; from analysis.sweep.ledger import Ledger; "
        "Ledger(sys.argv[1], json.loads(sys.argv[2])).__enter__(); os.kill(os.getpid(), 9)"
    )
    found = subprocess.run([sys.executable, "-c", code, str(tmp_path / "out"), json.dumps(PAGE)], check=False)
    assert found.returncode == -9
    assert (tmp_path / "out" / LOCK).read_text()
    written(tmp_path / "out", 1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"mode": "learn"}, "mode differs: it has 'deploy', this one 'learn'"),
        ({"checkpoint": "def"}, "checkpoint differs"),
        ({"samples": 10}, "samples differs: it has none, this one 10"),
        ({"fields": ["chip.dac.bits"]}, "holds another sweep"),
        ({"settings": {"estimator.beta": 0.2, "chip.adc.bits": 8}}, "estimator.beta differs: it has 0.1, this one 0.2"),
        ({"settings": {"chip.adc.bits": 8}}, "estimator.beta differs"),
    ],
)
def test_another_sweep_is_refused(tmp_path, change, message):
    written(tmp_path / "out", 1)
    with pytest.raises(ConfigError, match=message) as error, Ledger(tmp_path / "out", {**PAGE, **change}):
        pass
    assert "\n" not in str(error.value)


def test_what_is_varied_and_where_it_came_from_may_differ(tmp_path):
    written(tmp_path / "out", 1)
    written(tmp_path / "out", 1, {**PAGE, "source": "x", "settings": {"estimator.beta": 0.1}})
    assert json.loads((tmp_path / "out" / SWEEP).read_text())["source"] == "run"


def test_designs_are_listed_once_the_last_asked_for_last(tmp_path):
    with Ledger(tmp_path / "out", PAGE) as ledger:
        for vary in ("a", "b", "a"):
            ledger.begin({"vary": [vary]}, planned=3)
        ledger.finish({"vary": ["a"]}, planned=3)
    found = json.loads((tmp_path / "out" / SWEEP).read_text())["designs"]
    assert found == [{"vary": ["b"], "planned": 3, "done": False}, {"vary": ["a"], "planned": 3, "done": True}]


def test_other_directories_are_refused(tmp_path):
    (tmp_path / "file").touch()
    for path, message in ((tmp_path, "is not empty and holds no sweep"), (tmp_path / "file", "is a file")):
        with pytest.raises(ConfigError, match=message), Ledger(path, PAGE):
            pass
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / SWEEP).write_text("{")
    with pytest.raises(ConfigError, match="is damaged"), Ledger(tmp_path / "out", PAGE):
        pass
    (tmp_path / "out" / SWEEP).write_text('{"format": 99}')
    with pytest.raises(ConfigError, match="format 99"), Ledger(tmp_path / "out", PAGE):
        pass
    with pytest.raises(ConfigError, match="cannot be written"), Ledger(tmp_path / "file" / "out", PAGE):
        pass


@pytest.mark.parametrize(("name", "text"), [(LOCK, "mine"), (TRIALS, "")])
def test_no_planted_link_is_written_through(tmp_path, name, text):
    """Before, the victim was emptied and held the number of a process, or the lines of the sweep."""
    (tmp_path / "victim").write_text(text)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / name).symlink_to(tmp_path / "victim")
    with pytest.raises(ConfigError, match="is a link, which is not followed"):
        written(tmp_path / "out", 1)
    assert (tmp_path / "victim").read_text() == text
