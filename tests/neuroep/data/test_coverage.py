"""After loading, one line says what was taken and how much of it the vectors know."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from neuroep import cli, data
from neuroep.data.text_corpus import Coverage
from neuroep.errors import DataError
from tests.neuroep.data.files import write_csv

PAIRS = [
    ("entailment", "a dog runs", "a dog"),
    ("neutral", '"a dog sleeps', "a cat"),
    ("-", "dog", "runs"),
    ("contradiction", 'the film"', "zzz"),
]


@pytest.fixture
def snli(tmp_path: Path) -> Path:
    """Return SNLI as its authors distribute it: both formats, and what archivers leave."""
    folder = tmp_path / "snli_1.0"
    folder.mkdir()
    for split in ("train", "dev", "test"):
        lines = [f"{gold}\t( x )\t{first}\t{second}\tid\n" for gold, first, second in PAIRS]
        head = "gold_label\tsentence1_binary_parse\tsentence1\tsentence2\tcaptionID\n"
        (folder / f"snli_1.0_{split}.txt").write_text(head + "".join(lines))
        names = ("gold_label", "sentence1", "sentence2")
        objects = [json.dumps(dict(zip(names, pair, strict=True)) | {"annotator_labels": []}) + "\n" for pair in PAIRS]
        (folder / f"snli_1.0_{split}.jsonl").write_text("".join(objects))
    (folder / "README.txt").write_text("about")
    return folder


def test_snli_as_distributed(snli: Path, vectors: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Both of its formats hold the same; pairs without a gold label are left out, and said."""
    loaded = {}
    for kept in (".jsonl", ".txt"):
        caplog.clear()
        with caplog.at_level(logging.INFO):
            loaded[kept] = data.load("snli", path=snli, vectors=vectors, tokens=25)
        assert f"snli_1.0_train{kept}" in caplog.text
        assert "rows without a gold label, left out: train 1, validation 1, test 1" in caplog.text
        for file in snli.glob("*.jsonl"):
            file.unlink()
    corpus = loaded[".jsonl"]
    assert list(corpus.splits) == ["train", "validation", "test"]
    assert corpus.splits["train"].labels.tolist() == [0, 1, 2]
    assert corpus.splits["train"].tokens["premise"].lengths.tolist() == [3, 3, 2]
    assert corpus.splits["train"].tokens["hypothesis"].lengths.tolist() == [2, 1, 0]
    assert corpus.fingerprint == loaded[".txt"].fingerprint
    # 3 + 2, 4 + 2 and 3 + 1 tokens; the marks, the cat and zzz have no vector.
    assert corpus.coverage["train"] == Coverage(tokens=15, known=11, empty=1, dropped=1)


def test_own_names_are_not_guessed(snli: Path, vectors: Path) -> None:
    """Other names are tried only where none was asked for."""
    with pytest.raises(DataError, match=r"unknown column 'label': .*did you mean 'gold_label'"):
        data.load("snli", path=snli, vectors=vectors, tokens=25, text=("sentence1", "sentence2"))


def test_line_after_loading(
    reviews_folder: Path, vectors: Path, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    """The same from the cache; few known tokens are a warning."""
    for _ in range(2):
        caplog.clear()
        with caplog.at_level(logging.INFO, "neuroep"):
            corpus = data.load("imdb", path=reviews_folder, vectors=vectors, tokens=2, limit=1)
        (line,) = [record for record in caplog.records if record.name.startswith("neuroep")]
        # the film was good ! / the film was bad / not good / zzz unknown
        said = f"data 'imdb' from {reviews_folder} (train.csv, test.csv), vectors '{vectors}'; "
        said += "tokens that have a vector: train 76.92% of 13, test 88.89% of 9; samples without any: train 1"
        assert (line.getMessage(), line.levelname) == (said, "INFO")
        assert corpus.coverage["train"] == Coverage(13, 10, 1, 0)
    path = write_csv(tmp_path / "mine.csv", ("text", "label"), [("zzz yyy film", 0), ("film xxx www", 1)])
    caplog.clear()
    data.load("table", path=path, vectors=vectors, tokens=2, text="text")
    assert "train 33.33% of 6" in caplog.text
    assert caplog.records[0].levelname == "WARNING"


def test_command_line_says_it_once(
    reviews_folder: Path, vectors: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """On standard error, so that it is in nobody's way; not with --quiet."""
    config = tmp_path / "c.toml"
    config.write_text(
        f'[network]\ntokens = 3\ndense = [3, 2]\n[data]\nname = "imdb"\npath = "{reviews_folder}"\n'
        f'vectors = "{vectors}"\n'
        "[training]\nepochs = 1\nbatch = 2\n[settling]\nfree_steps = 2\nnudged_steps = 2\n"
    )
    assert cli.main(["train", str(config), "--out", str(tmp_path / "run")]) == 0
    assert capfd.readouterr().err.count("tokens that have a vector: train 76.92% of 13") == 1
    assert cli.main(["evaluate", str(tmp_path / "run"), "--chip", "ideal", "--seeds", "2"]) == 0
    assert capfd.readouterr().err.count("tokens that have a vector") == 1
    assert cli.main(["evaluate", str(tmp_path / "run"), "--json"]) == 0
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(("text", "label"), [(("text", "text"), None), ("text", "text"), ("label", None)])
def test_a_column_is_one_thing(reviews_folder: Path, vectors: Path, text: str | tuple, label: str | None) -> None:
    """The same column as premise and hypothesis, or as text and label."""
    with pytest.raises(DataError, match="a column can be only one of them"):
        data.load("table", path=reviews_folder, vectors=vectors, tokens=3, text=text, label=label)


def test_local_folder_does_not_replace_a_set_of_the_hub(
    reviews_folder: Path, vectors: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``datasets`` takes a folder of that name in the working directory for the hub's set."""
    import datasets

    def fetch(repository: str) -> None:
        raise AssertionError(f"{repository} was asked for")

    monkeypatch.setattr(datasets, "load_dataset", fetch)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "stanfordnlp").mkdir()
    reviews_folder.rename(tmp_path / "stanfordnlp" / "imdb")
    with pytest.raises(DataError, match=r"'stanfordnlp/imdb' in the working directory hides the hub's set"):
        data.load("imdb", vectors=vectors, tokens=3)
    assert len(data.load("imdb", path="stanfordnlp/imdb", vectors=vectors, tokens=3).splits["train"]) == 4
