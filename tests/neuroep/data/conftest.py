"""Small tables and word vectors on disk, and a cache folder of each test's own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.neuroep.data.files import WORDS, write_csv, write_jsonl, write_text_vectors


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Point the default cache at a folder of this test."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("NEUROEP_CACHE", str(folder))
    return folder


@pytest.fixture
def table() -> np.ndarray:
    """Return the (10, 4) vectors of ``WORDS``."""
    return np.random.default_rng(0).standard_normal((len(WORDS), 4)).astype(np.float32)


@pytest.fixture
def vectors(tmp_path: Path, table: np.ndarray) -> Path:
    """Return a word2vec text file of ``WORDS``."""
    return write_text_vectors(tmp_path / "vectors.txt", table)


@pytest.fixture
def reviews_folder(tmp_path: Path) -> Path:
    """Return a folder of CSV splits with text and whole-number labels."""
    rows = [("The film was good!", 1), ("the film was BAD", 0), ("not good<br />", 0), ("zzz unknown", 1)]
    write_csv(tmp_path / "reviews" / "train.csv", ("text", "label"), rows)
    return write_csv(tmp_path / "reviews" / "test.csv", ("text", "label"), rows[:2]).parent


@pytest.fixture
def pairs_folder(tmp_path: Path) -> Path:
    """Return a folder of JSON-lines splits as in SNLI, some without a gold label."""
    rows = [("a dog runs", "a dog sleeps", 2), ("a dog runs", "the dog", 0), ("a dog", "dog runs", -1), ("dog", "a", 1)]
    folder = tmp_path / "pairs"
    for split in ("train", "validation", "test"):
        write_jsonl(folder / f"{split}.jsonl", ("premise", "hypothesis", "label"), rows)
    return folder
