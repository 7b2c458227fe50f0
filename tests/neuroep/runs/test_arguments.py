"""Arguments of Python callers: what is no such thing is one line that names argument, value and what is allowed."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import neuroep
from neuroep.errors import ConfigError, DataError, UserError
from neuroep.runs import arguments, config
from neuroep.runs.session import Session

VALUES: dict[str, Any] = {
    "network": {"tokens": 8, "dense": [6, 2], "readout": "pooled"},
    "data": {"limit": 60},
    "settling": {"free_steps": 2, "nudged_steps": 2},
    "training": {"epochs": 1, "batch": 20},
}


@pytest.fixture(scope="module")
def session() -> Session:
    return Session.open(config.parse(VALUES))


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ({"corpus": "digits"}, "corpus is 'digits': give a Corpus as neuroep.data.load returns it"),
        ({"weights": "r/f"}, "weights is 'r/f': give a Checkpoint"),
        ({"overrides": None}, r"overrides is None: give a list of settings and values, for example \['"),
        ({"overrides": 3}, "overrides is 3: give a list"),
        ({"overrides": {"--epochs": 3}}, "overrides is {'--epochs': 3}: give a list"),
        ({"overrides": ["--epochs"]}, "overrides end with '--epochs': they are pairs"),
        ({"overrides": [3, "4"]}, "overrides hold 3 where the name of a setting should be"),
        ({"age": 60.0}, "age is 60.0: without a chip there are no devices to age"),
        ({"age": "x", "chip": "pcm"}, "age is 'x': allowed are finite numbers of seconds from 0"),
        ({"age": -1, "chip": "pcm"}, "age is -1: allowed are finite numbers of seconds from 0"),
        ({"age": math.nan, "chip": "pcm"}, "age is nan: allowed"),
        ({"age": True, "chip": "pcm"}, "age is True: allowed"),
    ],
)
def test_what_a_session_is_not_opened_with(given: dict[str, Any], line: str) -> None:
    with pytest.raises(ConfigError, match=f"^{line}") as error:
        Session.open(config.parse(VALUES), **given)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("call", "line"),
    [
        (lambda: neuroep.train("c.toml", "out", 3), "train: too many positional arguments; its arguments are so"),
        (lambda: neuroep.train("c.toml"), "train: missing a required argument: 'out'; its arguments are source"),
        (lambda: neuroep.train("c.toml", "out", source="d"), "train: multiple values for argument 'source'; its"),
        (lambda: neuroep.train("c.toml", 3), "out is 3: give the path of the run directory to make"),
        (lambda: neuroep.train(3, "out"), "source is a int: give a configuration file or a Config"),
        (lambda: neuroep.train(config.parse(VALUES), "out", overrides=None), "overrides is None: give a list"),
        (lambda: neuroep.train("c.toml", "out", start=3), "start is 3: give the path of a run directory"),
        (lambda: neuroep.train("c.toml", "out", report="print"), "report is 'print': give a function"),
        (lambda: neuroep.train("c.toml", "out", corpus="digits"), "corpus is 'digits': give a Corpus"),
        (lambda: neuroep.load_config(3), "path is 3: give the path of a configuration file"),
        (lambda: neuroep.load_config(), "load: missing a required argument: 'path'; its arguments are path, overrides"),
        (lambda: neuroep.deploy("r", seeds=1.5), "seeds is 1.5: allowed are whole numbers from 1"),
        (lambda: neuroep.deploy("r", seeds="2"), "seeds is '2': allowed are whole numbers from 1"),
        (lambda: neuroep.deploy("r", seeds=None), "seeds is None: allowed are whole numbers from 1"),
        (lambda: neuroep.deploy("r", seeds=True), "seeds is True: allowed are whole numbers from 1"),
        (lambda: neuroep.deploy(3), "run is 3: give the path of a run directory"),
        (lambda: neuroep.deploy("r", overrides=None), "overrides is None: give a list"),
        (lambda: neuroep.evaluate(0), "run is 0: give the path of a run directory"),
        (lambda: neuroep.evaluate("r", 3), "split is 3: give the name of a split"),
        (lambda: neuroep.evaluate("r", overrides=3), "overrides is 3: give a list"),
        (lambda: Session.open(), "Session.open: missing a required argument: 'source'; its arguments are source; by"),
        (lambda: Session.open("r", "pcm"), "Session.open: too many positional arguments; its arguments are source; by"),
    ],
)
def test_what_is_no_such_argument(call: Any, line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before, most ended in a TypeError or an AttributeError."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=f"^{line}") as error:
        call()
    assert "\n" not in str(error.value) and not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("numbers", "told"),
    [
        ([0.5], r"is \[0.5\]"),
        ([], r"is \[\]"),
        (3, "is 3"),
        ("ab", "is 'ab'"),
        ([[0, 1]], r"is \[\[0, 1\]\]"),
        ([[0], [1, 2]], r"is \[\[0\], \[1, 2\]\]"),
        ([True, False], r"is \[True, False\]"),
        ([0, 100_000], "holds 100000"),
        (np.zeros((30, 2)), r"is array\(\[\[0., 0.\], \[0., 0.\], .*"),
        (np.array([-1]), "holds -1"),
    ],
)
def test_numbers_of_samples(session: Session, numbers: Any, told: str) -> None:
    """Before, an IndexError, a StopIteration, or the samples from the end."""
    count = len(session.corpus.split("test"))
    where = f"split 'test' of data 'reviews' has {count} samples, give at least one by its number, 0 to {count - 1}"
    with pytest.raises(DataError, match=f"^only {told}: {where}$"):
        session.evaluate(only=numbers)  # on one line, which "." matches
    with pytest.raises(DataError, match=f"^samples {told}: {where}$"):
        session.batch("test", numbers)


def test_an_empty_split_has_no_samples_to_choose(session: Session) -> None:
    none = session.corpus.split("test").take(np.zeros(0, np.int64))
    empty = replace(session, corpus=session.corpus.with_splits({**session.corpus.splits, "test": none}))
    for choose in (lambda: empty.evaluate(only=np.zeros(0, np.int64)), lambda: empty.batch("test", np.array([0]))):
        with pytest.raises(DataError, match=r"^data 'reviews': split 'test' is empty$"):
            choose()


def test_what_is_taken(session: Session) -> None:
    assert session.evaluate(only=[0, 3]).samples == 2  # type: ignore[arg-type]
    np.testing.assert_array_equal(session.batch("test", np.array([3, 0], np.uint8)).labels,
                                  session.corpus.split("test").labels[[3, 0]])  # fmt: skip
    assert arguments.whole("seeds", np.int64(3)) == 3
    with pytest.raises(UserError, match=r"^split is 3: give the name of a split$"):
        session.evaluate(3)  # type: ignore[arg-type]
