"""Corpora of arrays: a user's own files (:mod:`neuroep.data.array_files`), or arrays that Python holds already.

corpus = neuroep.data.from_arrays(x, labels, test=(x_test, labels_test))
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import numpy as np

from hw_models.keywords import checked
from hw_models.text import shown
from neuroep.data.array_files import Arrays
from neuroep.data.border import array, optional, share, whole_number
from neuroep.data.selection import check_selection, hold_out, per_sequence, select
from neuroep.data.series import Series
from neuroep.data.shapes import shape_of
from neuroep.data.signals import SEQUENCE, Shape, SignalCorpus, statistics_of
from neuroep.data.splits import Split
from neuroep.errors import DataError, unknown

LARGEST = float(np.finfo(np.float32).max)
GIVEN = "given"
"""Name of a data set that Python holds."""

_OR = ", or (x, labels) of its own"
Given = tuple[np.ndarray, np.ndarray] | tuple[np.ndarray, np.ndarray, np.ndarray]


def corpus_of(name: str, arrays: Mapping[str, Arrays], classes: tuple[str, ...] | None = None) -> SignalCorpus:
    """Check arrays and make a corpus of them, whose tokens are their points.

    Parameters
    ----------
    name : str
        Of the data set.
    arrays : mapping of str to Arrays
        By split; ``"train"`` must be there.
    classes : tuple of str, optional
        Names of the classes; default the names among the training labels, sorted, or their numbers.

    Raises
    ------
    DataError
        If shapes do not fit, a number is not finite, a length is beyond the points, or a label no class.
    """
    classes = _classes(arrays["train"]) if classes is None else classes
    digest = hashlib.blake2b(repr((SEQUENCE, classes, list(arrays))).encode(), digest_size=16)
    splits: dict[str, Split[Series]] = {}
    for split, given in arrays.items():
        series = _series(given)
        if series.channels != (channels := splits["train"].tokens[SEQUENCE].channels if splits else series.channels):
            raise DataError(f"data '{given.name}': x has {series.channels} channels, the training samples {channels}")
        labels = _labels(given, classes, len(series))
        _digest(digest, given, series)
        digest.update(np.ascontiguousarray(labels, dtype="<i8").tobytes())
        splits[split] = Split({SEQUENCE: series}, labels)
    found = statistics_of(splits["train"].tokens[SEQUENCE], "off")
    return SignalCorpus(name, classes, splits, digest.hexdigest(), Shape("off"), found)


def _series(given: Arrays) -> Series:
    """Check numbers and lengths."""
    where = f"data '{given.name}'"
    x = array(where, "x", given.x)
    if x.dtype.kind not in "fiub":
        held = "texts" if x.dtype.kind in "US" else x.dtype
        raise DataError(f"{where}: x holds {held}: real numbers are needed")
    if x.ndim not in (2, 3):
        allowed = "(samples, points, channels), or (samples, points) of one channel"
        raise DataError(f"{where}: x has shape {x.shape}: allowed are {allowed}")
    if not x.size:
        raise DataError(f"{where}: x has shape {x.shape}: none of them may be 0")
    x = x[:, :, None] if x.ndim == 2 else x
    lengths = np.full(len(x), x.shape[1]) if given.lengths is None else array(where, "lengths", given.lengths)
    if lengths.shape != (len(x),) or lengths.dtype.kind not in "iu":
        held = f"lengths are {lengths.dtype} of shape {lengths.shape}"
        raise DataError(f"{where}: {held}: whole numbers are needed, one for each of {len(x)} samples")
    if (odd := np.flatnonzero((lengths < 1) | (lengths > x.shape[1]))).size:
        row = int(odd[0])
        raise DataError(f"{where}: length of sample {row + 1} is {lengths[row]}: allowed are 1 to {x.shape[1]}")
    return Series(x, np.arange(len(x)), lengths.astype(np.int64))


def _digest(digest: hashlib.blake2b, given: Arrays, series: Series) -> None:
    """Go once through all numbers: refuse those that are not finite in float32, and hash the others.

    Numbers are hashed as they are used, in float64; in float32 where that holds every one of some samples.
    """
    digest.update(f"{len(series)} {series.channels}".encode())
    digest.update(np.ascontiguousarray(series.lengths, dtype="<i8").tobytes())
    done = 0
    for points in series.chunks():
        fine = np.abs(points) <= LARGEST
        if not fine.all():
            place, channel = (int(number) for number in np.argwhere(~fine)[0])
            ends = np.cumsum(series.lengths)
            sample = int(np.searchsorted(ends, done + place, side="right"))
            point = done + place - int(ends[sample] - series.lengths[sample])
            where = f"x of sample {sample + 1}, point {point + 1}, channel {channel + 1}"
            raise DataError(f"data '{given.name}': {where} is {points[place, channel]}: finite numbers are needed")
        short = points.astype("<f4")
        if np.array_equal(short, points):
            digest.update(short.tobytes())
        else:
            digest.update(b"float64")
            digest.update(points.astype("<f8").tobytes())
        done += len(points)


def _plain(given: Arrays) -> list[int] | list[str]:
    """Return labels as whole numbers, or as names without the blanks around them."""
    where = f"data '{given.name}'"
    labels = array(where, "labels", given.labels)
    if labels.ndim != 1:
        raise DataError(f"{where}: labels have shape {labels.shape}: one for each sample is needed")
    if labels.dtype == object and any(isinstance(name, str) for name in labels):
        for row, name in enumerate(labels):
            if not isinstance(name, str):
                raise DataError(f"{where}: label of sample {row + 1} is {shown(name)}, others are names")
        labels = labels.astype(str)
    if labels.dtype.kind in "UT":
        names = [name.strip() for name in labels.tolist()]
        if "" in names:
            raise DataError(f"{where}: label of sample {names.index('') + 1} is missing")
        return names
    if labels.dtype.kind == "S":
        return _plain(given._replace(labels=np.char.decode(labels, "utf-8", "replace")))
    if labels.dtype.kind not in "iubf":
        raise DataError(f"{where}: labels are {labels.dtype}: whole numbers from 0, or names, are needed")
    if (odd := np.flatnonzero(~np.isfinite(labels) | (labels != np.floor(labels)))).size:
        row = int(odd[0])
        raise DataError(f"{where}: label of sample {row + 1} is {labels[row]}: whole numbers from 0 are needed")
    return [int(number) for number in labels.tolist()]


def _classes(train: Arrays) -> tuple[str, ...]:
    """Return the classes that training labels name: numbers must run from 0 without a gap."""
    held = set(_plain(train))
    if len(held) < 2:
        raise DataError(f"data '{train.name}': at least 2 classes are needed, the labels hold {len(held)}")
    names = sorted(value for value in held if isinstance(value, str))
    if names:
        return tuple(names)
    values = sorted(value for value in held if isinstance(value, int))
    for value in values:
        if not 0 <= value < len(values):
            sample = [str(label) for label in _plain(train)].index(str(value)) + 1
            allowed = f"{len(values)} distinct labels must be the whole numbers 0 to {len(values) - 1}, or names"
            raise DataError(f"data '{train.name}': label of sample {sample} is {value}: {allowed}")
    return tuple(str(value) for value in values)


def _labels(given: Arrays, classes: tuple[str, ...], samples: int) -> np.ndarray:
    """Return class numbers, (samples,) int64."""
    values = _plain(given)
    if len(values) != samples:
        raise DataError(f"data '{given.name}': {len(values)} labels for {samples} samples")
    known = {name: number for number, name in enumerate(classes)}
    for row, value in enumerate(values):
        if str(value) not in known:
            raise DataError(f"data '{given.name}': label of sample {row + 1}: {unknown('class', value, classes)}")
    return np.array([known[str(value)] for value in values], dtype=np.int64)


def _split(name: str, given: Given | float) -> dict[str, Arrays]:
    """Return the arrays of a split, where there are any and no share."""
    if not isinstance(given, tuple | list):
        return {}
    if len(given) not in (2, 3):
        raise DataError(f"{name} holds {len(given)} parts: allowed are (x, labels), (x, labels, lengths), or a share")
    return {name: Arrays(given[0], given[1], given[2] if len(given) == 3 else None, name)}


@checked(DataError)
def from_arrays(
    x: np.ndarray,
    labels: np.ndarray,
    lengths: np.ndarray | None = None,
    *,
    test: Given | float | None = None,
    validation: Given | float = 0.0,
    tokens: int | None = None,
    limit: int | None = None,
    standardise: str | None = None,
    window: int | None = None,
    stride: int | None = None,
    position: str | None = None,
    position_dim: int | None = None,
    seed: int = 0,
) -> SignalCorpus:
    """Make a corpus of arrays, which trains and evaluates like any other.

    Parameters
    ----------
    x : numpy.ndarray
        (samples, points, channels) training samples, or (samples, points) of one channel; may be mapped from a disk.
    labels : numpy.ndarray
        (samples,) whole numbers from 0, or names.
    lengths : numpy.ndarray, optional
        (samples,) points of each sample, default all.
    test, validation : tuple of arrays, or float, optional
        Samples of those splits, (x, labels) or (x, labels, lengths); or the share of the samples held out for it.
    tokens : int, optional
        Longest sample kept; default all.
    limit : int, optional
        Keep at most that many training samples, drawn by ``seed``.
    standardise, window, stride, position, position_dim
        As the settings of section ``data``; see :func:`neuroep.data.load`.
    seed : int
        Key of held-out validation and limited samples.

    Returns
    -------
    SignalCorpus
        Named ``"given"``: ``data.name = "given"`` in the configuration of a run that is trained with it.

    Raises
    ------
    DataError
        With one line naming the array, the sample, the value and what is allowed.
    """
    limit, tokens, seed = optional("limit", limit), optional("tokens", tokens), whole_number("seed", seed, "")
    others = {**_split("validation", validation), **({} if test is None else _split("test", test))}
    held_out = 0.0 if "validation" in others else share("validation", validation, _OR)
    tested = None if test is None or "test" in others else share("test", test, _OR)
    check_selection(held_out, limit)
    whole = corpus_of(GIVEN, {"train": Arrays(x, labels, lengths, "train"), **others})
    whole = whole if tested is None else hold_out(whole, tested)
    whole = whole.shaped(shape_of(whole.channels, standardise, window, stride, position, position_dim))
    longest = max(int(split.tokens[SEQUENCE].lengths.max()) for split in whole.splits.values())
    return select(whole, per_sequence((SEQUENCE,), longest if tokens is None else tokens), held_out, limit, seed)
