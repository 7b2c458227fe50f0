"""One process writes a run at a time, and what a killed one leaves is cleared."""

from __future__ import annotations

import errno
import os
import signal
import time

import pytest

from analysis.sweep.ledger import Ledger
from neuroep.errors import ConfigError
from neuroep.runs import config, directory as runs, folders, locks, training

PAGE = {"mode": "deploy", "fields": ["chip.adc.bits"], "settings": {}, "given": {}, "chips": {}}


@pytest.fixture
def run(tiny, tmp_path):
    training.train(config.load(tiny, ["--epochs", "1"]), tmp_path / "run", progress=False)
    return tmp_path / "run"


def test_two_resumes_at_once(run, tiny, process):
    """Before, both wrote and the metrics held every epoch twice."""
    arguments = ("-m", "neuroep.cli", "train", tiny, "--out", run, "--resume", "--epochs", "30")
    both = [process(*arguments) for _ in range(2)]
    ends = [(*one.communicate(timeout=240), one.returncode) for one in both]
    assert sorted(code for _, _, code in ends) == [0, 2]
    error = next(err for _, err, code in ends if code == 2)
    assert error.startswith(f"neuroep: error: '{run}' is being written") and error.count("\n") == 1
    assert "wait for that run to end, or stop it" in error
    assert [record["epoch"] for record in runs.load(run).metrics] == list(range(1, 31))


def test_a_lock_ends_with_its_process(run, tiny, process):
    child = process("-m", "neuroep.cli", "train", tiny, "--out", run, "--resume", "--epochs", "100000", "--quiet")
    waited = time.monotonic() + 120
    while len((run / "metrics.jsonl").read_text().splitlines()) < 3 and time.monotonic() < waited:
        time.sleep(0.05)
    with pytest.raises(ConfigError, match=f"is being written by process {child.pid}: wait"):
        training.train(config.load(tiny), run, resume=True, progress=False)
    assert runs.load(run).metrics, "what is being written can be read"
    child.send_signal(signal.SIGKILL)
    child.communicate()
    done = runs.load(run).checkpoint().about.epoch
    training.train(config.load(tiny, ["--epochs", str(done + 1)]), run, resume=True, progress=False)
    assert len(runs.load(run).metrics) == done + 1


def without_locks(monkeypatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(locks.fcntl, "flock", refuse)


def test_a_file_system_without_locks(run, tiny, tmp_path, monkeypatch):
    """Runs and sweeps say how to go on without."""
    without_locks(monkeypatch)
    for start in (lambda: training.train(config.load(tiny), run, resume=True, progress=False),
                  lambda: Ledger(tmp_path / "sweep", PAGE).__enter__()):  # fmt: skip
        with pytest.raises(ConfigError, match=r"cannot be locked \(No locks available\): set NEUROEP_LOCKS=off"):
            start()
    monkeypatch.setenv("NEUROEP_LOCKS", "off")
    training.train(config.load(tiny), run, resume=True, progress=False)
    assert runs.load(run).checkpoint().about.epoch == 2
    with Ledger(tmp_path / "sweep", PAGE):
        pass


@pytest.mark.parametrize("missing", ["fcntl"])
def test_a_system_without_locks(run, tiny, monkeypatch, missing):
    monkeypatch.setattr(locks, missing, None)
    with pytest.raises(ConfigError, match="this system has none"):
        training.train(config.load(tiny), run, resume=True, progress=False)


def test_the_switch_has_two_positions(run, tiny, monkeypatch):
    monkeypatch.setenv("NEUROEP_LOCKS", "of")
    with pytest.raises(ConfigError, match="unknown value of NEUROEP_LOCKS 'of': allowed are on, off"):
        training.train(config.load(tiny), run, resume=True, progress=False)


def test_no_lock_is_left_where_there_is_no_run(tiny, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").touch()
    with pytest.raises(Exception, match="no run directory"):
        training.train(config.load(tiny), tmp_path / "mine", resume=True, progress=False)
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["letter.txt"]


KILLED = """
import os, signal, sys
from pathlib import Path
from neuroep.runs import folders
with folders.appearing(Path(sys.argv[1])) as partial:
    (partial / "half").touch()
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_kill_leaves_is_cleared(tmp_path, process):
    """Before, the hidden folder stayed for ever."""
    child = process("-c", KILLED, tmp_path / "run")
    child.communicate(timeout=60)
    assert child.returncode == -signal.SIGKILL
    assert len(list(tmp_path.glob(".run.*.partial"))) == 1
    (tmp_path / ".other.1-ab.partial").mkdir()
    with folders.appearing(tmp_path / "run") as partial:
        assert list(tmp_path.glob(".run.*.partial")) == [partial]
    assert sorted(path.name for path in tmp_path.iterdir()) == [".other.1-ab.partial", "run"]


def test_a_living_process_keeps_its_folder(tmp_path):
    with pytest.raises(ConfigError, match="cannot be written"), folders.appearing(tmp_path / "run") as first:
        (first / "mine").touch()
        with folders.appearing(tmp_path / "run") as second:
            assert first != second and first.is_dir()
            (second / "yours").touch()
        assert first.is_dir()
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["yours"]


