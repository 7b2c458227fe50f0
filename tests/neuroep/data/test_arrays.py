"""Arrays of a user's own: what is refused in one line, and what Python hands over."""

from __future__ import annotations

import math

import numpy as np
import pytest

from neuroep import data
from neuroep.errors import DataError

X = np.random.default_rng(2).standard_normal((6, 5, 2))
LABELS = np.array([0, 1, 2, 0, 1, 2])
FULL = np.full(6, 5)
RAGGED = [[1.0, 2.0], [1.0, 2.0, 3.0]]


def changed(array, place, value):
    array = np.array(array)
    array[place] = value
    return array


@pytest.mark.parametrize("labels", [LABELS, LABELS.astype(np.uint8), LABELS.astype(float), LABELS.astype("U"),
                                    np.array([b"0", b"1", b"2"] * 2)])  # fmt: skip
def test_labels_of_any_kind(labels):
    corpus = data.from_arrays(X, labels)
    assert corpus.classes == ("0", "1", "2")
    assert corpus.split("train").labels.tolist() == LABELS.tolist()
    assert corpus.fingerprint == data.from_arrays(X, LABELS).fingerprint


def test_names_as_pandas_holds_them():
    names = np.array(["a", "b", "c"] * 2, dtype=object)
    assert data.from_arrays(X, names).fingerprint == data.from_arrays(X, names.astype(str)).fingerprint


@pytest.mark.parametrize("kind", [np.int8, np.float16, np.float32, np.float64, bool])
def test_numbers_of_any_kind(kind):
    x = (10 * X).astype(kind)
    found = next(data.from_arrays(x, LABELS, standardise="off").batches("train", 6)).inputs["signal"].vectors
    np.testing.assert_array_equal(found, x.astype(np.float32))


@pytest.mark.parametrize(
    ("arrays", "line"),
    [
        ((X.astype(complex), LABELS), "data 'train': x holds complex128: real numbers are needed"),
        ((X.astype("U"), LABELS), "x holds texts: real numbers are needed"),
        ((X.astype(object), LABELS), "x holds object: real numbers are needed"),
        ((X[0, 0], LABELS), r"x has shape \(2,\): allowed are \(samples, points, channels\)"),
        ((X[None], LABELS), r"x has shape \(1, 6, 5, 2\)"),
        ((X[:0], LABELS[:0]), r"at least 2 classes are needed, the labels hold 0"),
        ((X[:, :0], LABELS), r"x has shape \(6, 0, 2\): none of them may be 0"),
        ((changed(X, (2, 3, 1), np.nan), LABELS), "sample 3, point 4, channel 2 is nan: finite numbers are needed"),
        ((changed(X, (5, 0, 0), -np.inf), LABELS), "x of sample 6, point 1, channel 1 is -inf"),
        ((changed(X, (0, 0, 0), 1e39), LABELS), r"x of sample 1, point 1, channel 1 is 1e\+39"),
        ((X, LABELS, FULL[:3]), r"lengths are int64 of shape \(3,\): whole numbers are needed, one for each of 6"),
        ((X, LABELS, FULL * 1.0), "lengths are float64"),
        ((X, LABELS, changed(FULL, 3, 6)), "length of sample 4 is 6: allowed are 1 to 5"),
        ((X, LABELS, changed(FULL, 3, 0)), "length of sample 4 is 0: allowed are 1 to 5"),
        ((X, LABELS[:5]), "5 labels for 6 samples"),
        ((X, LABELS[:, None]), r"labels have shape \(6, 1\)"),
        ((X, LABELS + 1), "label of sample 3 is 3: 3 distinct labels must be the whole numbers 0 to 2, or names"),
        ((X, 2 * LABELS), "label of sample 3 is 4: 3 distinct"),
        ((X, LABELS - 1), "label of sample 1 is -1"),
        ((X, LABELS + 0.5), "label of sample 1 is 0.5: whole numbers from 0 are needed"),
        ((X, changed(LABELS * 1.0, 4, np.nan)), "label of sample 5 is nan"),
        ((X, changed(LABELS.astype("U"), 1, " ")), "label of sample 2 is missing"),
        ((X, LABELS * 0), "at least 2 classes are needed, the labels hold 1"),
        ((X, LABELS.astype(object)), "labels are object: whole numbers from 0, or names, are needed"),
        ((X, np.array(["a", "b", None] * 2, dtype=object)), "label of sample 3 is None, others are names"),
        ((RAGGED, LABELS[:2]), "lists of different lengths as x: pad the samples to one length and give the points"),
        ((np.array([np.zeros(2), np.zeros(3)], dtype=object), LABELS[:2]), "x holds arrays .* pad the samples"),
        ((X, [[0], [1, 2]]), "data 'train': lists of different lengths as labels$"),
        ((X, LABELS, [[1], [1, 2]]), "data 'train': lists of different lengths as lengths$"),
        ((np.ma.masked_less(X, 0), LABELS), "x is a masked array, and a mask is not looked at"),
        ((X, np.ma.masked_less(LABELS, 1)), "labels is a masked array"),
        ((X, LABELS, np.ma.masked_less(FULL, 1)), "lengths is a masked array"),
    ],
)
def test_arrays_that_cannot_be(arrays, line):
    with pytest.raises(DataError, match=line) as caught:
        data.from_arrays(*arrays)
    assert "\n" not in str(caught.value)


def test_another_split_must_fit_the_training_samples():
    with pytest.raises(DataError, match="data 'test': x has 1 channels, the training samples 2"):
        data.from_arrays(X, LABELS, test=(X[..., 0], LABELS))
    with pytest.raises(DataError, match="data 'test': label of sample 2: unknown class '5'"):
        data.from_arrays(X, LABELS, test=(X, changed(LABELS, 1, 5)))
    with pytest.raises(DataError, match="data 'validation': x of sample 1, point 1, channel 1 is nan"):
        data.from_arrays(X, LABELS, validation=(changed(X, (0, 0, 0), np.nan), LABELS))


def test_shares_are_held_out():
    corpus = data.from_arrays(X, LABELS, test=0.34, validation=0.25)
    assert {name: len(split) for name, split in corpus.splits.items()} == {"train": 3, "validation": 1, "test": 2}
    with pytest.raises(DataError, match=r"test = 1.5"):
        data.from_arrays(X, LABELS, test=1.5)
    with pytest.raises(DataError, match=r"keyword of from_arrays 'validaton': .*did you mean 'validation'"):
        data.from_arrays(X, LABELS, validaton=0.2)


@pytest.mark.parametrize("split", ["test", "validation"])
def test_a_list_is_a_pair_as_a_tuple_is(split):
    pair, listed = (data.from_arrays(X, LABELS, **{split: kind([X, LABELS, FULL])}) for kind in (tuple, list))
    assert pair.fingerprint == listed.fingerprint


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({"test": "0.2"}, r"test = '0.2': should be a share from 0 to below 1, or \(x, labels\) of its own"),
        ({"test": X}, "test = array.*: should be a share"),
        ({"test": 1j}, "test = 1j: should be a share"),
        ({"test": (X,)}, r"test holds 1 parts: allowed are \(x, labels\), \(x, labels, lengths\), or a share"),
        ({"validation": [X, LABELS, FULL, FULL]}, "validation holds 4 parts"),
        ({"validation": None}, "validation = None: should be a share"),
        ({"test": (RAGGED, LABELS[:2])}, "data 'test': lists of different lengths as x"),
        ({"tokens": 1.5}, "tokens = 1.5: should be a whole number from 1"),
        ({"tokens": math.nan}, "tokens = nan: should be a whole number from 1"),
        ({"tokens": "3"}, "tokens = '3': should be a whole number from 1"),
        ({"tokens": 10**30}, "tokens = 10+: should be a whole number of at most 9223372036854775807"),
        ({"limit": 1.5}, "limit = 1.5: should be a whole number from 1"),
        ({"limit": True}, "limit = True: should be a whole number from 1"),
        ({"seed": "a"}, "seed = 'a': should be a whole number$"),
        ({"seed": None}, "seed = None: should be a whole number$"),
        ({"window": np.float64(2)}, r"window = np.float64\(2.0\): should be a whole number from 1"),
        ({"standardise": np.array(["off"])}, "unknown standardise 'array"),
    ],
)
def test_settings_of_another_type(settings, line):
    with pytest.raises(DataError, match=line) as caught:
        data.from_arrays(X, LABELS, **settings)
    assert "\n" not in str(caught.value)


def test_whole_numbers_of_any_type():
    plain = {"tokens": 2, "window": 2, "stride": 1, "limit": 4, "seed": 3, "position": "appended", "position_dim": 4}
    given = {name: value if isinstance(value, str) else np.int64(value) for name, value in plain.items()}
    assert data.from_arrays(X, LABELS, **given).fingerprint == data.from_arrays(X, LABELS, **plain).fingerprint
    shares = {"test": np.float32(0.5), "validation": np.float32(0.25)}
    assert len(data.from_arrays(X, LABELS, **shares).split("test")) == 3


def test_longer_samples_are_cut():
    corpus = data.from_arrays(X, LABELS, tokens=3)
    assert corpus.split("train").tokens["signal"].lengths.tolist() == [3] * 6


def test_the_fingerprint_is_of_the_numbers():
    first = data.from_arrays(X.astype(np.float32), LABELS).fingerprint
    assert first == data.from_arrays(np.asfortranarray(X.astype(np.float32)), LABELS.astype(np.int16)).fingerprint
    others = [
        data.from_arrays(changed(X, (5, 4, 1), 9.0), LABELS),
        data.from_arrays(X, LABELS[::-1]),
        data.from_arrays(X, LABELS, changed(FULL, 0, 4)),
        data.from_arrays(X, LABELS, test=(X, LABELS)),
    ]
    assert len({first, *(other.fingerprint for other in others)}) == 5


def test_the_fingerprint_has_every_digit():
    """Before, numbers that differ beyond float32 had one fingerprint, though a corpus subtracts their mean first."""
    assert data.from_arrays(1e9 + X, LABELS).fingerprint != data.from_arrays(1e9 + X[::-1], LABELS).fingerprint
    assert data.from_arrays(1e-60 * X, LABELS).fingerprint != data.from_arrays(2e-60 * X, LABELS).fingerprint


@pytest.mark.parametrize("x", [X, X.astype(np.float32), 1e9 + X, (99 * X).astype(np.int64)])
def test_the_fingerprint_does_not_depend_on_how_numbers_are_stored(x):
    expected = data.from_arrays(x, LABELS).fingerprint
    stored = [np.asfortranarray(x), x.astype(x.dtype.newbyteorder()), x.astype(np.float64), x[::-1].copy()[::-1]]
    assert {data.from_arrays(kept, LABELS).fingerprint for kept in stored} == {expected}
    assert data.from_arrays(x.astype(np.longdouble), LABELS).fingerprint == expected


def test_given_data_cannot_be_loaded():
    with pytest.raises(DataError, match="data 'given' were in the memory of the Python program that made them"):
        data.load("given", tokens=3)
