"""Loading by name, from end to end."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from neuroep import data
from neuroep.data import tokenised
from neuroep.errors import DataError
from tests.neuroep.data.files import WORDS, same, write_csv, write_jsonl, write_parquet, write_text_vectors


def sentences(corpus: data.Corpus, split: str, name: str = "text") -> list[str]:
    """Return the samples as words."""
    ragged = corpus.splits[split].tokens[name]
    return [" ".join(corpus.words[i] for i in ragged[n]) for n in range(len(ragged))]


def test_reviews_table(reviews_folder: Path, vectors: Path, table: np.ndarray) -> None:
    """Unknown words are dropped before the cut; only words which occur have a vector."""
    corpus = data.load("table", path=reviews_folder, vectors=vectors, tokens=3, text=("text",), label="label")
    assert (corpus.name, corpus.sequences, corpus.classes) == ("table", ("text",), ("0", "1"))
    assert sentences(corpus, "train") == ["the film was", "the film was", "not good", ""]
    assert corpus.splits["train"].labels.tolist() == [1, 0, 0, 1]
    assert corpus.words == ("the", "film", "was", "good", "bad", "not")
    np.testing.assert_allclose(corpus.vectors, table[:6], rtol=1e-6)
    assert corpus.vectors.dtype == np.float32
    assert corpus.dim == 4


def test_imdb_from_a_folder(reviews_folder: Path, vectors: Path) -> None:
    """Classes are known beforehand."""
    corpus = data.load("imdb", path=str(reviews_folder), vectors=str(vectors), tokens=600)
    assert corpus.classes == ("negative", "positive")
    assert sentences(corpus, "test") == ["the film was good", "the film was bad"]


def test_snli_from_a_folder(pairs_folder: Path, vectors: Path) -> None:
    """Rows without a gold label are dropped, lengths differ by sequence."""
    corpus = data.load("snli", path=pairs_folder, vectors=vectors, tokens=(3, 2))
    assert corpus.sequences == ("premise", "hypothesis")
    assert corpus.classes == ("entailment", "neutral", "contradiction")
    assert list(corpus.splits) == ["train", "validation", "test"]
    assert corpus.splits["train"].labels.tolist() == [2, 0, 1]
    assert sentences(corpus, "train", "premise") == ["a dog runs", "a dog runs", "dog"]
    assert sentences(corpus, "train", "hypothesis") == ["a dog", "the dog", "a"]


def test_hub_sets_equal_local_ones(reviews_folder: Path, vectors: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The fingerprint does not depend on where the data came from."""
    import datasets

    made = {}
    for split in ("train", "test"):
        rows = [line.rsplit(",", 1) for line in (reviews_folder / f"{split}.csv").read_text().splitlines()[1:]]
        texts, labels = [text.strip('"') for text, _ in rows], [int(label) for _, label in rows]
        made[split] = datasets.Dataset.from_dict({"text": texts, "label": labels})
    monkeypatch.setattr(datasets, "load_dataset", lambda repository: datasets.DatasetDict(made))
    hub = data.load("imdb", vectors=vectors, tokens=4)
    local = data.load("imdb", path=reviews_folder, vectors=vectors, tokens=4)
    assert hub.fingerprint == local.fingerprint


def test_names_as_labels(tmp_path: Path, vectors: Path) -> None:
    """Two text columns make pairs; the names of the training split are the classes."""
    rows = [("good", "film", "yes"), ("bad", "film", "no"), ("not", "good", "maybe")]
    columns = ("first", "second", "answer")
    write_parquet(tmp_path / "train.parquet", columns, rows)
    write_jsonl(tmp_path / "test.jsonl", columns, rows[:1])
    options = {"path": tmp_path, "vectors": vectors, "tokens": 5, "text": ("first", "second"), "label": "answer"}
    corpus = data.load("table", **options)
    assert corpus.sequences == ("premise", "hypothesis")
    assert corpus.classes == ("maybe", "no", "yes")
    assert corpus.splits["test"].labels.tolist() == [2]
    write_jsonl(tmp_path / "test.jsonl", columns, [("good", "film", "yess")])
    with pytest.raises(DataError, match="unknown class 'yess': allowed are maybe, no, yes; did you mean 'yes'"):
        data.load("table", **options)


def test_hit_equals_miss(reviews_folder: Path, vectors: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second load reads neither text nor vectors, and gives the same corpus."""
    options = {"path": reviews_folder, "vectors": vectors, "tokens": 3, "cache": tmp_path / "kept"}
    miss = data.load("imdb", **options)
    monkeypatch.setattr(tokenised, "_build", None)
    assert same(miss, data.load("imdb", **options))
    longer = data.load("imdb", **{**options, "tokens": 4})
    assert longer.splits["train"].tokens["text"].lengths.max() == 4
    assert len(data.load("imdb", **options, validation=0.25, limit=2).splits["train"]) == 2
    assert len(os.listdir(tmp_path / "kept")) == 1


def test_everything_which_matters_is_in_the_key(
    reviews_folder: Path, vectors: Path, table: np.ndarray, own_cache: Path
) -> None:
    """A changed text, label, vector or column is a new set."""

    def fingerprint(name: str = "imdb", **options: object) -> str:
        return data.load(name, path=reviews_folder, vectors=vectors, tokens=3, **options).fingerprint

    seen = [fingerprint()]
    for rows in ([("film good", 1), ("film", 0)], [("film good", 0), ("film", 0)]):
        write_csv(reviews_folder / "test.csv", ("text", "label"), rows)
        seen.append(fingerprint())
    write_text_vectors(vectors, table + 1)
    seen.append(fingerprint())
    assert len(set(seen)) == 4
    assert fingerprint("table", text="text") != seen[-1]
    assert len(os.listdir(own_cache)) == 5


def test_damaged_cache_is_mended(reviews_folder: Path, vectors: Path, own_cache: Path) -> None:
    """The set is made again and kept again."""
    first = data.load("imdb", path=reviews_folder, vectors=vectors, tokens=3)
    (file,) = own_cache.iterdir()
    whole = file.read_bytes()
    file.write_bytes(whole[:-3])
    assert same(first, data.load("imdb", path=reviews_folder, vectors=vectors, tokens=3))
    assert file.read_bytes() == whole


def test_cache_folder_which_cannot_be_written(
    reviews_folder: Path,
    vectors: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A folder asked for must work; the default one need not."""
    blocked = tmp_path / "blocked"
    blocked.write_text("")
    options = {"path": reviews_folder, "vectors": vectors, "tokens": 3}
    with pytest.raises(DataError, match=r"cache folder .* cannot be written"):
        data.load("imdb", **options, cache=blocked)
    monkeypatch.setenv("NEUROEP_CACHE", str(blocked))
    with caplog.at_level(logging.WARNING):
        assert len(data.load("imdb", **options).splits["train"]) == 4
    assert "is not kept" in caplog.text


def test_user_without_a_home(
    reviews_folder: Path, vectors: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing is kept, and that is said; a variable that names nobody's home is refused."""

    def nobody() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.delenv("NEUROEP_CACHE")
    monkeypatch.setattr(Path, "home", nobody)
    assert len(data.load("imdb", path=reviews_folder, vectors=vectors, tokens=3).splits["train"]) == 4
    assert "is not kept" in caplog.text
    monkeypatch.setenv("NEUROEP_CACHE", "~nobody of that name/cache")
    with pytest.raises(DataError, match=r"cache folder \$NEUROEP_CACHE .* cannot be"):
        data.load("imdb", path=reviews_folder, vectors=vectors, tokens=3)


@pytest.mark.parametrize("name", ["reviews", "pairs"])
def test_generated_sets_take_no_files(name: str, tmp_path: Path) -> None:
    """They are the same for every seed; path and vectors are refused."""
    corpus = data.load(name, tokens=24, seed=7)
    assert corpus.fingerprint == data.load(name, tokens=24).fingerprint
    assert list(corpus.splits) == ["train", "test"]
    for option in ("path", "vectors", "text", "label"):
        with pytest.raises(DataError, match="is generated"):
            data.load(name, tokens=24, **{option: "x"})


def faults(folder: Path, vectors: Path) -> dict[str, tuple[dict, str]]:
    """Return settings which cannot be, and what the line says."""
    fine = {"name": "table", "path": folder, "vectors": vectors, "tokens": 3, "text": "text"}
    return {
        "name": ({**fine, "name": "imbd"}, "unknown data 'imbd': allowed are imdb, snli, .*did you mean 'imdb'"),
        "path": ({**fine, "path": folder / "none"}, "no such file or folder"),
        "no path": ({**fine, "path": None}, "data 'table': path is missing"),
        "vectors": ({**fine, "vectors": folder / "none.bin"}, "none.bin': no such file"),
        "no vectors": ({**fine, "vectors": None}, "vectors are missing"),
        "no text": ({**fine, "text": None}, "data 'table': text is missing"),
        "texts": ({**fine, "text": ("a", "b", "c")}, "allowed are one, or two"),
        "imdb texts": ({**fine, "name": "imdb", "text": ("a", "b")}, r"2 text column\(s\) given, 1 needed"),
        "text": ({**fine, "text": "txt"}, "unknown column 'txt': allowed are text, label; did you mean 'text'"),
        "label": ({**fine, "label": "lable"}, "unknown column 'lable': .*did you mean 'label'"),
        "tokens": ({**fine, "tokens": 0}, "tokens 0"),
        "validation": ({**fine, "validation": 1.5}, "validation 1.5"),
        "limit": ({**fine, "limit": 0}, "limit 0"),
    }


FAULTS = tuple(faults(Path(), Path()))


@pytest.mark.parametrize("fault", FAULTS)
def test_settings_which_cannot_be(reviews_folder: Path, vectors: Path, own_cache: Path, fault: str) -> None:
    """One line each, and nothing is kept."""
    settings, line = faults(reviews_folder, vectors)[fault]
    with pytest.raises(DataError, match=line) as caught:
        data.load(settings.pop("name"), **settings)
    assert "\n" not in str(caught.value)
    assert not own_cache.exists()


@pytest.mark.parametrize(
    ("name", "rows", "line"),
    [
        ("imdb", [("film", 0), ("film", 2)], "label in row 2 of column 'label' is out of range: 2; allowed are 0 to 1"),
        ("imdb", [("film", 0.5), ("film", 1)], "row 1 of column 'label' is no whole number: 0.5"),
        ("imdb", [("film", "fine"), ("film", "positive")], "unknown class 'fine': allowed are negative, positive"),
        ("imdb", [], "split 'train' is empty"),
        ("table", [], "split 'train' is empty"),
        ("table", [("film", 1), ("good", 1)], "at least 2 classes are needed"),
        ("imdb", [("zzz", 0), ("yyy", 1)], "none of their words occurs in data 'imdb'"),
    ],
)
def test_tables_which_cannot_be(tmp_path: Path, vectors: Path, name: str, rows: list, line: str) -> None:
    """The line names the file, and the row where there is one."""
    path = write_csv(tmp_path / "mine.csv", ("text", "label"), rows)
    with pytest.raises(DataError, match=line) as caught:
        data.load(name, path=path, vectors=vectors, tokens=3, text="text")
    assert str(path if "none of" not in line else vectors) in str(caught.value)


def test_split_without_any_gold_label(pairs_folder: Path, vectors: Path) -> None:
    """All rows dropped is an empty split."""
    write_jsonl(pairs_folder / "test.jsonl", ("premise", "hypothesis", "label"), [("a dog", "dog", -1)])
    with pytest.raises(DataError, match="split 'test' is empty: no row has a label"):
        data.load("snli", path=pairs_folder, vectors=vectors, tokens=3)


def test_known_words_are_all_words(tmp_path: Path, vectors: Path) -> None:
    """A corpus of every known word keeps the file's order."""
    path = write_csv(tmp_path / "mine.csv", ("text", "label"), [(" ".join(reversed(WORDS)), 0), ("film", 1)])
    assert data.load("table", path=path, vectors=vectors, tokens=20, text="text").words == WORDS


def test_import_is_cheap() -> None:
    """Heavy libraries wait until they are needed."""
    heavy = ("torch", "numba", "gensim", "datasets", "pyarrow", "pandas", "scipy", "safetensors")
    code = f"import sys, neuroep.data; sys.exit(', '.join(m for m in {heavy} if m in sys.modules) or 0)"
    root = Path(data.__file__).resolve().parents[2]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({"tokens": 1.5}, "tokens = 1.5: should be a whole number from 1"),
        ({"tokens": [2.0]}, "tokens = 2.0: should be a whole number from 1"),
        ({"tokens": None}, "tokens = None: should be a whole number from 1"),
        ({"tokens": "3"}, "tokens = '3': should be a whole number from 1"),
        ({"limit": [2]}, r"limit = \[2\]: should be a whole number from 1"),
        ({"seed": 1.5}, "seed = 1.5: should be a whole number"),
        ({"validation": "0.2"}, "validation = '0.2': should be a share from 0 to below 1"),
        ({"name": "arrays", "test": [1, 2]}, r"test = \[1, 2\]: should be a share from 0 to below 1"),
        ({"name": "arrays", "path": 3}, "data path 3 cannot be: the name of a file or folder is needed"),
    ],
)
def test_settings_of_another_type(settings, line):
    with pytest.raises(DataError, match=line):
        data.load(**{"name": "digits", "tokens": 8, **settings})


def test_whole_numbers_of_any_type():
    found = data.load("digits", tokens=np.int32(4), limit=np.int64(9), seed=np.int8(3), window=np.int64(2))
    assert found.fingerprint == data.load("digits", tokens=4, limit=9, seed=3, window=2).fingerprint
