"""Tokenised sets on disk: hits equal misses, and nothing half-written is ever used."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from neuroep.data import Ragged, Split, TextCorpus, cache
from neuroep.data.text_corpus import Coverage, with_fingerprint
from neuroep.errors import DataError
from tests.neuroep.data.files import same


@pytest.fixture
def corpus() -> TextCorpus:
    """Return a corpus of pairs with an empty sample and words of other alphabets."""
    first, second = Ragged.from_sequences([[0, 1], []]), Ragged.from_sequences([[2], [1, 0, 2]])
    split = Split({"premise": first, "hypothesis": second}, np.array([1, 0]))
    vectors = np.arange(6, dtype=np.float32).reshape(3, 2)
    made = TextCorpus("table", tuple(split.tokens), ("no", "yes"), ("a", "\u00e9", "."), vectors, {"train": split}, "")
    return with_fingerprint(made)


def test_what_is_stored_comes_back(tmp_path: Path, corpus: TextCorpus) -> None:
    """Every field and type, in a folder made for it; nothing else is left there."""
    folder = tmp_path / "new" / "cache"
    assert cache.fetch(folder, "table", "key") is None
    cache.store(folder, "key", corpus)
    found = cache.fetch(folder, "table", "key")
    assert found is not None
    assert same(corpus, found)
    assert os.listdir(folder) == ["table-key.safetensors"]


def test_file_is_safetensors_with_json(tmp_path: Path, corpus: TextCorpus) -> None:
    """Anyone can read it."""
    from safetensors import safe_open

    cache.store(tmp_path, "key", corpus)
    with safe_open(cache.path_of(tmp_path, "table", "key"), framework="numpy") as file:
        about = json.loads(file.metadata()["neuroep"])
        assert file.get_tensor("train.labels").tolist() == [1, 0]
    assert about["classes"] == ["no", "yes"]
    assert about["fingerprint"] == corpus.fingerprint


def spoil(path: Path, fault: str) -> None:
    """Damage a cached file."""
    whole = path.read_bytes()
    if fault == "truncated":
        path.write_bytes(whole[:-7])
    elif fault == "empty":
        path.write_bytes(b"")
    elif fault == "flipped":
        path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    else:
        path.write_bytes(b"garbage" * 100)


@pytest.mark.parametrize("fault", ["truncated", "empty", "flipped", "garbage"])
def test_damaged_files_are_written_again(tmp_path: Path, corpus: TextCorpus, fault: str) -> None:
    """A damaged file counts as none, down to a single bit."""
    cache.store(tmp_path, "key", corpus)
    spoil(cache.path_of(tmp_path, "table", "key"), fault)
    assert cache.fetch(tmp_path, "table", "key") is None
    cache.store(tmp_path, "key", corpus)
    assert cache.fetch(tmp_path, "table", "key") is not None


def test_file_of_another_key_is_not_used(tmp_path: Path, corpus: TextCorpus) -> None:
    """A renamed file is not taken for another set."""
    cache.store(tmp_path, "key", corpus)
    os.rename(cache.path_of(tmp_path, "table", "key"), cache.path_of(tmp_path, "table", "other"))
    assert cache.fetch(tmp_path, "table", "other") is None


KILLED = """
import os, sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from neuroep.data import cache, generated
os.replace = lambda *_: os._exit(9)
cache.store(Path(sys.argv[1]), "key", generated.build("pairs", train=20, test=20))
"""


def test_killed_writer_leaves_no_set(tmp_path: Path) -> None:
    """A process which dies before the last step leaves a partial file that nobody reads."""
    root = Path(cache.__file__).resolve().parents[2]
    command = [sys.executable, "-c", KILLED, str(tmp_path)]
    assert subprocess.run(command, env={**os.environ, "PYTHONPATH": str(root)}, check=False).returncode == 9
    assert [name.endswith(".partial") for name in os.listdir(tmp_path)] == [True]
    assert cache.fetch(tmp_path, "pairs", "key") is None


def test_failed_writer_cleans_up(tmp_path: Path, corpus: TextCorpus, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk is an error of one line and leaves nothing."""

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DataError, match="cannot be written: No space left on device"):
        cache.store(tmp_path, "key", corpus)
    assert os.listdir(tmp_path) == []


def test_folder_which_is_a_file(tmp_path: Path, corpus: TextCorpus) -> None:
    """The line names it."""
    path = tmp_path / "file"
    path.write_text("")
    with pytest.raises(DataError, match="file' cannot be written"):
        cache.store(path, "key", corpus)


def test_a_pipe_is_neither_read_nor_replaced(tmp_path: Path, corpus: TextCorpus) -> None:
    """Before, the set took its place."""
    path = cache.path_of(tmp_path, corpus.name, "key")
    os.mkfifo(path)
    assert cache.fetch(tmp_path, corpus.name, "key") is None
    with pytest.raises(DataError, match="it is a pipe, and only a plain file is replaced"):
        cache.store(tmp_path, "key", corpus)
    assert stat.S_ISFIFO(path.stat().st_mode)
    assert list(tmp_path.iterdir()) == [path]


def test_key_covers_every_part() -> None:
    """The order of the parts does not matter, their values do."""
    parts = {"tokeniser": 1, "plan": ["imdb", ("text",)]}
    assert cache.key_of(parts) == cache.key_of(dict(reversed(parts.items())))
    assert cache.key_of(parts) != cache.key_of({**parts, "tokeniser": 2})


@pytest.mark.parametrize(
    ("platform", "variable", "expected"),
    [
        ("linux", "XDG_CACHE_HOME", "chosen/neuroep"),
        ("linux", None, "home/.cache/neuroep"),
        ("darwin", None, "home/Library/Caches/neuroep"),
        ("win32", "LOCALAPPDATA", "chosen/neuroep"),
        ("win32", None, "home/AppData/Local/neuroep"),
    ],
)
def test_default_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, platform: str, variable: str | None, expected: str
) -> None:
    """The platform's user cache, unless the environment says otherwise."""
    for name in ("NEUROEP_CACHE", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(Path, "home", lambda: tmp_path / "home")
    if variable:
        monkeypatch.setenv(variable, str(tmp_path / "chosen"))
    assert cache.default_folder() == tmp_path / expected
    monkeypatch.setenv("NEUROEP_CACHE", str(tmp_path / "own"))
    assert cache.default_folder() == tmp_path / "own"


def rewrite(path: Path, change: Callable[[dict, dict], None]) -> None:
    """Change a cached set, and write hashes that fit it, as somebody who plants one does."""
    from safetensors import safe_open
    from safetensors.numpy import save_file

    with safe_open(path, framework="numpy") as file:
        about = json.loads(file.metadata()["neuroep"])
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    change(tensors, about)
    about.pop("seal")
    about["seal"] = cache._seal(about)
    save_file(tensors, path, metadata={"neuroep": json.dumps(about)})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("train.labels", np.array([1, 2])),
        ("train.labels", np.array([1, -1])),
        ("train.labels", np.array([1, 0], np.int32)),
        ("train.premise.ids", np.array([0, 3], np.int32)),
        ("train.premise.ids", np.array([0, -1], np.int32)),
        ("train.premise.offsets", np.array([0, 3, 2])),
        ("train.premise.offsets", np.array([0, 1, 1])),
        ("train.premise.offsets", np.array([1, 2, 2])),
        ("vectors", np.full((3, 2), np.nan, np.float32)),
        ("vectors", np.zeros((2, 2), np.float32)),
    ],
)
def test_arrays_that_do_not_fit_are_not_used(
    tmp_path: Path, corpus: TextCorpus, name: str, value: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever can write to a cache can write hashes as well; ids beyond the table would end in a traceback."""
    cache.store(tmp_path, "key", corpus)
    path = cache.path_of(tmp_path, "table", "key")
    rewrite(path, lambda tensors, about: None)
    assert cache.fetch(tmp_path, "table", "key") is not None
    monkeypatch.setattr(cache, "content_hash", lambda corpus: corpus.fingerprint)
    rewrite(path, lambda tensors, about: tensors.update({name: value}))
    assert cache.fetch(tmp_path, "table", "key") is None


def test_page_is_covered_by_a_hash(tmp_path: Path, corpus: TextCorpus) -> None:
    """What is said of a set is that of this set."""
    made = replace(corpus, coverage={"train": Coverage(9, 6, 1, 2)})
    cache.store(tmp_path, "key", made)
    found = cache.fetch(tmp_path, "table", "key")
    assert found is not None
    assert found.coverage == made.coverage
    path = cache.path_of(tmp_path, "table", "key")
    path.write_bytes(path.read_bytes().replace(b"[9, 6, 1, 2]", b"[9, 9, 1, 2]"))
    assert cache.fetch(tmp_path, "table", "key") is None


MANY = """
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from neuroep.data import cache, generated
corpus = generated.build("pairs", train=200, test=20)
for _ in range(8):
    cache.store(Path(sys.argv[1]), "key", corpus)
    assert cache.fetch(Path(sys.argv[1]), "pairs", "key").fingerprint == corpus.fingerprint
"""


def test_many_writers_at_once(tmp_path: Path) -> None:
    """Every reader finds a whole set at any moment, and nothing is left over."""
    command = [sys.executable, "-c", MANY, str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": str(Path(cache.__file__).resolve().parents[2])}
    writers = [subprocess.Popen(command, env=environment) for _ in range(4)]
    assert [writer.wait() for writer in writers] == [0] * 4
    assert os.listdir(tmp_path) == ["pairs-key.safetensors"]


def test_planted_link_is_not_followed(tmp_path: Path, corpus: TextCorpus) -> None:
    """In a folder that others can write, a link under the name of a set is replaced."""
    victim = tmp_path / "victim"
    victim.write_text("mine")
    folder = tmp_path / "cache"
    folder.mkdir()
    os.symlink(victim, cache.path_of(folder, "table", "key"))
    cache.store(folder, "key", corpus)
    assert victim.read_text() == "mine"
    assert cache.fetch(folder, "table", "key") is not None
