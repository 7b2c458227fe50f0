"""The public sets, where a copy is at hand: ``$NEUROEP_DATA``, or ``../shared/data`` beside the repository."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import pytest

from neuroep import data
from neuroep.data import vectors as word_vectors

PLACE = Path(os.environ.get("NEUROEP_DATA") or Path(__file__).resolve().parents[4] / "shared" / "data")
VECTORS = PLACE / "vectors" / "imdb-snli-w2v-300d.bin.gz"
SIZES = {
    "imdb": {"train": 25_000, "test": 25_000},
    "snli": {"train": 21_601, "validation": 9_842, "test": 9_824},
}

pytestmark = pytest.mark.skipif(not VECTORS.is_file(), reason="no copy of the public sets")


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a cache folder shared by these tests."""
    return tmp_path_factory.mktemp("kept")


def load(name: str, kept: Path, **options: object) -> data.Corpus:
    """Load a public set as the paper cuts it."""
    tokens = {"imdb": 600, "snli": 25}[name]
    return data.load(name, path=PLACE / name, vectors=VECTORS, tokens=tokens, cache=kept, **options)


@pytest.mark.parametrize("name", SIZES)
def test_sizes_and_balance(name: str, kept: Path) -> None:
    """Every row is there, classes are balanced, samples are cut, and a second load is quick."""
    corpus = load(name, kept)
    assert {split: len(samples) for split, samples in corpus.splits.items()} == SIZES[name]
    assert corpus.vectors.shape == (len(corpus.words), 300)
    for split in corpus.splits.values():
        shares = np.bincount(split.labels) / len(split)
        assert np.all(np.abs(shares - 1 / len(corpus.classes)) < 0.02)
        assert all(ragged.lengths.max() <= {"imdb": 600, "snli": 25}[name] for ragged in split.tokens.values())
    start = time.process_time()
    assert load(name, kept).fingerprint == corpus.fingerprint
    assert time.process_time() - start < 10


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("imdb", {"train": (6_752_402, 98.98), "test": (6_602_703, 98.66)}),
        ("snli", {"train": (483_007, 99.83), "validation": (233_039, 99.71), "test": (232_030, 99.68)}),
    ],
)
def test_coverage_is_the_documented_one(kept: Path, name: str, expected: dict[str, tuple[int, float]]) -> None:
    """Running tokens, and the share of them with a vector [%], are those of the data's README."""
    corpus = load(name, kept)
    found = {split: (n.tokens, round(100 * n.known / n.tokens, 2)) for split, n in corpus.coverage.items()}
    assert found == expected
    whole = data.load("snli", path=PLACE / "snli", vectors=VECTORS, tokens=1000, cache=kept)
    known = sum(int(ragged.lengths.sum()) for ragged in whole.splits["test"].tokens.values())
    assert known == whole.coverage["test"].known


def test_ids_point_at_the_file_s_vectors(kept: Path) -> None:
    """A word of the corpus has the vector the file gives it."""
    corpus = load("snli", kept)
    rows, table = word_vectors.read(VECTORS)
    for place in range(0, len(corpus.words), 997):
        np.testing.assert_array_equal(corpus.vectors[place], table[rows[corpus.words[place]]])


def test_limit_mixes_classes_of_sorted_reviews(kept: Path) -> None:
    """IMDB's rows are sorted by class; a limit draws from all of them."""
    corpus = load("imdb", kept, limit=200, validation=0.1)
    assert len(corpus.splits["train"]) == 200
    assert len(corpus.splits["validation"]) == 2500
    assert 0.35 < corpus.splits["train"].labels.mean() < 0.65
