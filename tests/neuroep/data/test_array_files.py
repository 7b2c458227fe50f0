"""Files of arrays: found by split, read whatever their format, never run, and refused in one line."""

from __future__ import annotations

import gc
import os
import pickle
import warnings

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest

from neuroep import data
from neuroep.data import array_files
from neuroep.errors import DataError

DRAW = np.random.default_rng(1)
X = DRAW.standard_normal((10, 6, 2)).astype(np.float32)
LENGTHS = DRAW.integers(2, 7, 10)
NAMES = np.array(["still", "moving"])[np.arange(10) % 2]


def write(folder, split="train", ending=".npz", start="", x=X, labels=NAMES, lengths=LENGTHS):
    """Write the arrays of one split."""
    folder.mkdir(parents=True, exist_ok=True)
    held = {"x": x, "labels": labels} | ({} if lengths is None else {"lengths": lengths})
    if ending == ".npz":
        np.savez(folder / f"{start}{split}.npz", **held)
    elif ending == ".parquet":
        counted = np.full(len(x), x.shape[1]) if lengths is None else lengths
        lists = [row[:n].tolist() for row, n in zip(x, counted, strict=True)]
        table = pyarrow.table({"x": lists, "labels": labels.tolist()})
        pyarrow.parquet.write_table(table, folder / f"{start}{split}.parquet", row_group_size=3)
    else:
        for name, array in held.items():
            np.save(folder / f"{start}{split}_{name}.npy", array)
    return folder


def load(path, **settings):
    return data.load("arrays", path=path, **{"tokens": 6, **settings})


@pytest.mark.parametrize("ending", [".npz", "_x.npy", ".parquet"])
@pytest.mark.parametrize("start", ["", "wrist_"])
def test_every_format_gives_the_same_corpus(tmp_path, ending, start):
    for split in ("train", "test"):
        write(tmp_path / "set", split, ending, start)
    corpus = load(tmp_path / "set" / start.removesuffix("_"))
    expected = data.from_arrays(X, NAMES, LENGTHS, test=(X, NAMES, LENGTHS))
    assert (corpus.name, corpus.sequences, corpus.classes) == ("arrays", ("signal",), ("moving", "still"))
    assert corpus.fingerprint == expected.fingerprint
    for split in ("train", "test"):
        first, second = (next(one.batches(split, 99)) for one in (corpus, expected))
        np.testing.assert_array_equal(first.inputs["signal"].vectors, second.inputs["signal"].vectors)
        np.testing.assert_array_equal(first.labels, second.labels)


def test_numbers_beyond_float32_have_one_fingerprint_in_every_format(tmp_path):
    exact = 1e9 + X.astype(np.float64) / 3
    for ending in (".npz", "_x.npy", ".parquet"):
        write(tmp_path / ending, ending=ending, x=exact)
    found = {load(tmp_path / ending).fingerprint for ending in (".npz", "_x.npy", ".parquet")}
    assert found == {data.from_arrays(exact, NAMES, LENGTHS).fingerprint}


def test_one_channel_needs_no_axis(tmp_path):
    for ending in (".npz", ".parquet"):
        write(tmp_path / ending, ending=ending, x=X[..., 0])
        assert load(tmp_path / ending, standardise="off").dim == 1
    with_axis = load(write(tmp_path / "axis", x=X[..., :1]))
    assert with_axis.fingerprint == load(tmp_path / ".npz").fingerprint == load(tmp_path / ".parquet").fingerprint


def test_npy_is_mapped_and_not_read(tmp_path):
    write(tmp_path, ending="_x.npy")
    series = load(tmp_path).split("train").tokens["signal"]
    held = series.values
    while not isinstance(held, np.memmap) and held.base is not None:
        held = held.base
    assert isinstance(held, np.memmap)
    assert not isinstance(series.take(np.array([0])).read(), np.memmap)


def test_one_file_with_a_share_held_out(tmp_path):
    write(tmp_path)
    corpus = load(tmp_path / "train.npz", test=0.3)
    assert {name: len(split) for name, split in corpus.splits.items()} == {"train": 7, "test": 3}
    assert list(load(tmp_path / "train.npz").splits) == ["train"]
    with pytest.raises(DataError, match=r"test = 0.01: leaves an empty split out of 10 samples"):
        load(tmp_path / "train.npz", test=0.01)
    write(tmp_path, "test")
    with pytest.raises(DataError, match=r"test = 0.3: data 'arrays' has a test split of its own"):
        load(tmp_path, test=0.3)


def test_a_validation_split(tmp_path):
    for split in ("validation", "test", "train"):
        write(tmp_path, split)
    assert list(load(tmp_path).splits) == ["train", "validation", "test"]


def places(folder):
    """Return what is there, and what the line says of it."""
    write(folder / "only", "test")
    write(write(folder / "twice"), ending=".parquet")
    write(folder / "alone", ending="_x.npy")
    (folder / "alone" / "train_labels.npy").unlink()
    (folder / "empty").mkdir()
    (folder / "data.csv").write_text("x")
    return {
        "none": "is neither file, folder, nor the beginning of a none_train.npz",
        "empty": "holds no train.npz, train_x.npy or train.parquet",
        "only": r"no training arrays \(splits found: test\)",
        "twice": "split 'train' is there 2 times: train.npz, train.parquet; keep one",
        "alone": "there is no train_labels.npy beside it",
        "data.csv": "no arrays that are known: allowed are NAME.npz",
    }


@pytest.mark.parametrize("place", ["none", "empty", "only", "twice", "alone", "data.csv"])
def test_files_that_cannot_be(tmp_path, place):
    line = places(tmp_path)[place]
    with pytest.raises(DataError, match=line):
        load(tmp_path / place)


class Harm:
    """Says that it was unpickled."""

    def __reduce__(self):
        return warnings.warn, ("unpickled",)


@pytest.mark.filterwarnings("error:unpickled")
@pytest.mark.parametrize("name", ["x", "labels", "lengths"])
@pytest.mark.parametrize("ending", [".npz", "_x.npy"])
def test_pickles_are_never_opened(tmp_path, ending, name):
    objects = np.array([Harm() for _ in range(10)], dtype=object)
    write(tmp_path, ending=ending, **{name: objects})
    with pytest.raises(DataError, match="it holds objects, which are pickles: numbers are needed"):
        load(tmp_path)


@pytest.mark.filterwarnings("error:unpickled")
def test_a_pickle_by_the_name_of_an_archive(tmp_path):
    for name in ("train.npz", "train_x.npy"):
        (tmp_path / name).write_bytes(pickle.dumps(Harm()))
        with pytest.raises(DataError, match="cannot be read: it holds objects"):
            load(tmp_path / name) if name.endswith("npz") else array_files.read([tmp_path / name] * 2)


@pytest.mark.parametrize("ending", [".npz", "_x.npy", ".parquet"])
def test_a_damaged_file_is_one_line(tmp_path, ending):
    write(tmp_path, ending=ending)
    file = tmp_path / f"train{ending}"
    whole = file.read_bytes()
    for size in (0, 1, 20, len(whole) // 2, len(whole) - 5):
        file.write_bytes(whole[:size])
        with pytest.raises(DataError, match=r"cannot be read: \S") as caught:
            load(tmp_path)
        assert "\n" not in str(caught.value)


def test_a_name_that_is_missing(tmp_path):
    np.savez(tmp_path / "train.npz", x=X, label=NAMES)
    with pytest.raises(DataError, match="no array 'labels': it holds x, label; did you mean 'label'"):
        load(tmp_path)
    pyarrow.parquet.write_table(pyarrow.table({"xs": [[1.0]], "labels": ["a"]}), tmp_path / "train.parquet")
    with pytest.raises(DataError, match="unknown column 'x': allowed are xs, labels"):
        load(tmp_path / "train.parquet")


@pytest.mark.parametrize(
    ("x", "line"),
    [
        ([1.0, 2.0], "column 'x' holds double: lists of numbers"),
        ([["a"], ["b"]], "column 'x' holds string: lists of numbers, or of lists of them, are needed"),
        ([[[[1.0]]], [[[2.0]]]], "lists of numbers, or of lists of them, are needed"),
        ([[1.0], None], "column 'x': list 2 is missing"),
        ([[1.0], [None]], "row 2 of column 'x': numbers are missing in it"),
        ([[[1.0, 2.0]] * 3, [[1.0, 2.0], [1.0, None]]], "row 2 of column 'x': numbers are missing in it"),
        ([[[1.0, 2.0]] * 3, [[1.0, 2.0], None]], "row 2 of column 'x': point 2 is missing"),
        ([[[1.0, 2.0]], [[1.0, 2.0], [3.0]]], "row 2 of column 'x' has 1 numbers in a point, the first point 2"),
        ([[1.0], []], "length of sample 2 is 0: allowed are 1 to 1"),
        ([[], []], "column 'x' holds null: lists of numbers"),
    ],
)
def test_lists_that_cannot_be(tmp_path, x, line):
    pyarrow.parquet.write_table(pyarrow.table({"x": x, "labels": ["a", "b"]}), tmp_path / "train.parquet")
    with pytest.raises(DataError, match=line):
        load(tmp_path)


def test_labels_of_lists(tmp_path):
    for labels, line in (([None, "a"], "label in row 1 .* is missing"), ([[1], [2]], "holds list<.*>: whole numbers")):
        pyarrow.parquet.write_table(pyarrow.table({"x": [[1.0], [2.0]], "labels": labels}), tmp_path / "train.parquet")
        with pytest.raises(DataError, match=line):
            load(tmp_path)


@pytest.mark.parametrize("slip", ["lenghts", "length", "Lengths", "lens"])
@pytest.mark.parametrize("ending", [".npz", "_x.npy", ".parquet"])
def test_a_slip_in_the_name_of_lengths(tmp_path, ending, slip):
    """Before, every point counted, those that only fill up too."""
    write(tmp_path, ending=ending)
    if ending == ".npz":
        np.savez(tmp_path / "train.npz", **{"x": X, "labels": NAMES, slip: LENGTHS})
    elif ending == "_x.npy":
        (tmp_path / "train_lengths.npy").rename(tmp_path / f"train_{slip}.npy")
    else:
        table = pyarrow.table({"x": X[..., 0].tolist(), "labels": NAMES.tolist(), slip: LENGTHS.tolist()})
        pyarrow.parquet.write_table(table, tmp_path / "train.parquet")
    with pytest.raises(DataError, match=f"unknown .* '{slip}': allowed are x, labels, lengths; did you mean 'lengths'"):
        load(tmp_path)


def test_other_names_are_left_alone(tmp_path):
    np.savez(tmp_path / "train.npz", x=X, labels=NAMES, weights=LENGTHS, subject=NAMES)
    assert load(tmp_path).split("train").tokens["signal"].lengths.tolist() == [6] * 10


def test_lengths_of_parquet_are_those_of_its_lists(tmp_path):
    columns = {"x": X[..., 0].tolist(), "labels": NAMES.tolist()}
    for lengths, line in (([6] * 10, ""), (LENGTHS.tolist(), "column 'lengths' is not how long the lists of column")):
        pyarrow.parquet.write_table(pyarrow.table(columns | {"lengths": lengths}), tmp_path / "train.parquet")
        if line:
            with pytest.raises(DataError, match=line):
                load(tmp_path)
        else:
            assert load(tmp_path).split("train").tokens["signal"].lengths.tolist() == lengths


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("content", [b"hello", b"\x93NUMPY", b"PK\x03\x04" + b"0" * 99])
def test_what_is_no_archive_is_damaged_and_closed(tmp_path, content):
    (tmp_path / "train.npz").write_bytes(content)
    with pytest.raises(DataError, match="cannot be read: ") as caught:
        load(tmp_path)
    assert "pickle" not in str(caught.value)
    del caught
    gc.collect()
    table = "/proc/self/fd"
    open_files = [os.path.realpath(f"{table}/{fd}") for fd in (os.listdir(table) if os.path.isdir(table) else ())]
    assert str((tmp_path / "train.npz").resolve()) not in open_files


def test_names_saved_as_objects_say_how_to_save_them(tmp_path):
    write(tmp_path, labels=NAMES.astype(object))
    with pytest.raises(DataError, match=r"pickles: numbers are needed, or names of .astype\(str\)"):
        load(tmp_path)


def test_without_a_test_split_the_line_says_how_one_is_made(tmp_path):
    with pytest.raises(DataError, match=r"unknown split 'test': there is train; data.test = 0.2 holds a fifth"):
        load(write(tmp_path)).split("test")
