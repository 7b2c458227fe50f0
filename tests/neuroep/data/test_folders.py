"""Which tables of a folder are read: every sample once, or one line that says what is doubtful."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path

import pytest

from neuroep.data import folders
from neuroep.errors import DataError

CSV = b"text,label\ngood,1\nbad,0\n"
TWICE = "there {} times: {}"


def fill(folder: Path, *names: str) -> Path:
    """Write the same table under each name, compressed where the name says so."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(gzip.compress(CSV) if name.endswith(".gz") else CSV)
    return folder


def found(folder: Path) -> list[str]:
    """Return the names of the training tables."""
    return [str(file.relative_to(folder)) for file in folders.local_files(folder)["train"]]


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (("data/train.csv", ".ipynb_checkpoints/train.csv"), ["data/train.csv"]),
        (("data/train.csv", "__MACOSX/train.csv"), ["data/train.csv"]),
        (("train.csv", ".train.csv", "._train.csv"), ["train.csv"]),
        (("train.csv", "train.csv.gz"), ["train.csv"]),
        (("TRAIN.CSV.GZ",), ["TRAIN.CSV.GZ"]),
        (("a/train.csv", "b/test.csv"), ["a/train.csv"]),
        (("train-2.csv", "train-10.csv", "train-1.csv"), ["train-1.csv", "train-2.csv", "train-10.csv"]),
        (("train-00000-of-00001-0123456789abcdef.csv",), ["train-00000-of-00001-0123456789abcdef.csv"]),
        (("snli_1.0_train.jsonl", "snli_1.0_train.txt", "snli_1.0_dev.txt"), ["snli_1.0_train.jsonl"]),
        (("snli_1.0_train.txt", "Icon\r"), ["snli_1.0_train.txt"]),
        (("train.csv", "unsupervised.csv", "train.csv~", "train copy.csv"), ["train.csv"]),
    ],
)
def test_each_split_is_found_once(tmp_path: Path, names: tuple[str, ...], expected: list[str]) -> None:
    """Hidden copies and a compressed twin were read as more samples."""
    assert found(fill(tmp_path, *names)) == expected


@pytest.mark.parametrize(
    ("names", "line"),
    [
        (("train.csv", "train.tsv"), "split 'train' is there 2 times: train.csv, train.tsv; keep one of them"),
        (("train.csv", "train_old.csv"), "there 2 times: train.csv, train_old.csv; only shards such as"),
        (("train.csv", "dev.csv", "valid.csv"), "split 'validation' is there 2 times"),
        (("a/train.csv", "b/train.csv"), r"a and .*b': split 'train' is there 2 times"),
        (("train-00000-of-00001.csv", "train.csv"), "there 2 times"),
        (("train-0-of-2.csv", "train-1-of-2.csv", "train-0-of-1.csv"), "there 3 times"),
        (("train-1.csv", "train-01.csv"), "there 2 times"),
        (("train-00001-of-00002.csv",), "has 1 of 2 shards"),
        (("train.txt",), "no train table"),
    ],
)
def test_doubtful_folders_are_refused(tmp_path: Path, names: tuple[str, ...], line: str) -> None:
    """Nothing is joined that is not numbered, and no shard may be missing."""
    with pytest.raises(DataError, match=line):
        folders.local_files(fill(tmp_path, *names))


def test_compressed_twin_with_other_contents_is_refused(tmp_path: Path) -> None:
    """Which of them is meant, nobody knows."""
    fill(tmp_path, "train.csv.gz")
    (tmp_path / "train.csv").write_bytes(CSV + b"new,1\n")
    with pytest.raises(DataError, match=r"there 2 times: train\.csv, train\.csv\.gz"):
        folders.local_files(tmp_path)
    (tmp_path / "train.csv.gz").write_bytes(b"no gzip")
    with pytest.raises(DataError, match="cannot be read"):
        folders.local_files(tmp_path)


def test_links_to_nothing_are_named(tmp_path: Path) -> None:
    """A split that has a name but no file is no missing split."""
    fill(tmp_path, "train.csv")
    os.symlink("nowhere", tmp_path / "test.csv")
    with pytest.raises(DataError, match=r"test\.csv' cannot be read: it is no file, or a link to none"):
        folders.local_files(tmp_path)
    (tmp_path / "test.csv").unlink()
    os.symlink("test.csv", tmp_path / "test.csv")
    with pytest.raises(DataError, match="link to none"):
        folders.local_files(tmp_path)
    os.symlink("loop", tmp_path / "loop")
    with pytest.raises(DataError, match="no such file or folder"):
        folders.local_files(tmp_path / "loop")


@pytest.mark.parametrize("path", ["a\0b", "x" * 5000, "~nobody of that name/x"])
def test_names_that_no_file_can_have(path: str) -> None:
    """One line, however long the name is."""
    with pytest.raises(DataError, match=r"data path .* cannot be: ") as caught:
        folders.local_files(path)
    assert len(str(caught.value)) < 200


def saved(folder: Path, shards: int = 1) -> Path:
    """Save a set of four rows as ``datasets`` does."""
    import datasets

    made = datasets.Dataset.from_dict({"text": ["good", "bad"] * 2, "label": [1, 0] * 2})
    both = datasets.DatasetDict({"test": made, "train": made, "unsupervised": made})
    datasets.disable_progress_bars()
    both.save_to_disk(str(folder), num_shards=dict.fromkeys(both, shards))
    return folder


@pytest.mark.parametrize("shards", [1, 3])
def test_folders_of_save_to_disk(tmp_path: Path, shards: int) -> None:
    """A dictionary of splits, and a single set, which is the training split."""
    whole = saved(tmp_path / "set", shards)
    files = folders.local_files(whole)
    assert {split: len(tables) for split, tables in files.items()} == {"train": shards, "test": shards}
    assert folders.local_files(whole / "train") == {"train": files["train"]}


@pytest.mark.parametrize(
    ("page", "line"),
    [
        ({"_data_files": [{"filename": "../../other.arrow"}]}, r"'\.\./\.\./other\.arrow' is no table beside it"),
        ({"_data_files": [{"filename": "/etc/passwd"}]}, "is no table beside it"),
        ({"_data_files": [{"filename": "gone.arrow"}]}, r"gone\.arrow': no such file"),
        ({"_data_files": ["x"]}, "is no table beside it"),
        ({"_data_files": []}, "it holds no table"),
        ({"_data_files": [], "_indices_data_files": [{"filename": "i.arrow"}]}, "saved with a selection of rows"),
        ([], "it has no list"),
        ({}, "it has no list '_data_files'"),
    ],
)
def test_pages_of_save_to_disk_are_checked(tmp_path: Path, page: object, line: str) -> None:
    """A page names files beside it and no others; a selection is not passed over."""
    (saved(tmp_path / "set") / "train" / "state.json").write_text(json.dumps(page))
    with pytest.raises(DataError, match=line):
        folders.local_files(tmp_path / "set")
