"""A corpus of numbers: samples of up to T tokens of D numbers each, standardised by their training samples.

    x' = (x - mean) / scale          for every channel, or one mean and scale for all of them

with mean and standard deviation of all points that training tokens cover; a constant channel has scale 1, see
:mod:`neuroep.data.standards`. A positional code (Vaswani et al., "Attention Is All You Need", 2017, section 3.5) tells
tokens apart by their place t:

    p[t, 2i] = sin(t / 10000^(2i/d)),   p[t, 2i+1] = cos(t / 10000^(2i/d)),   i = 0, 1, ...

It is added to the numbers of a token (d = D) or appended to them (d numbers of their own). Beyond the end of a sample
all is zero.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, NamedTuple

import numpy as np

from neuroep.data.batch import TokenVectors
from neuroep.data.corpus import Corpus
from neuroep.data.series import Series
from neuroep.data.splits import Split
from neuroep.data.standards import Statistics, statistics_of
from neuroep.errors import DataError

SEQUENCE = "signal"
"""Name of the one sequence of a sample."""
_BASE = 10000.0


class Shape(NamedTuple):
    """What tokens are made of the numbers that a data set holds; each field acts as its setting of section ``data``."""

    standardise: str = "channels"
    """``channels``: each by its own mean and scale; ``whole``: all by one of each; ``off``."""
    window: int = 1
    """Points of a token."""
    stride: int = 1
    """Points from one token to the next."""
    position: str = "off"
    """``added``, ``appended`` or ``off``: where the positional code goes."""
    position_dim: int = 0
    """Numbers of an appended code, even."""


def positional_code(tokens: int, dim: int) -> np.ndarray:
    """Return the sinusoidal code, (tokens, dim) float32; see the module's equation.

    Parameters
    ----------
    tokens : int
        Places.
    dim : int
        Numbers of a place; of an odd number the last cosine is left out.
    """
    even = np.arange(0, dim, 2)
    angles = np.arange(tokens)[:, None] / _BASE ** (even / dim)
    code = np.empty((tokens, dim), dtype=np.float32)
    code[:, 0::2] = np.sin(angles)
    code[:, 1::2] = np.cos(angles)[:, : dim // 2]
    return code


@dataclass(frozen=True, eq=False)
class SignalCorpus(Corpus):
    """A labelled corpus of numbers.

    Parameters
    ----------
    name, classes, splits, fingerprint
        As of :class:`neuroep.data.Corpus`; splits hold one :class:`neuroep.data.series.Series`, ``"signal"``.
    shape : Shape
        What its tokens are.
    statistics : Statistics
        What its numbers are standardised by: of the training samples, or those that given weights were trained with.
    """

    name: str
    classes: tuple[str, ...]
    splits: Mapping[str, Split[Series]]
    fingerprint: str
    shape: Shape
    statistics: Statistics

    sequences: ClassVar[tuple[str, ...]] = (SEQUENCE,)  # type: ignore[misc]
    token: ClassVar[str] = "token"
    baseline: ClassVar[tuple[str, str]] = ("linear model", "logistic regression on all numbers of a sample")

    @property
    def channels(self) -> int:
        """Numbers of a point."""
        return len(self.statistics.mean)

    @property
    def dim(self) -> int:
        """Numbers of a token."""
        return self.channels * self.shape.window + self.shape.position_dim

    def embed(self, tokens: Series) -> TokenVectors:  # type: ignore[override]
        """Read, standardise, cut into windows, add the place; see the module."""
        lengths, count = tokens.lengths, max(1, int(tokens.lengths.max(initial=0)))
        # Beyond a sample's end may be anything, NaN too: it is set to zero below.
        with np.errstate(invalid="ignore", over="ignore"):
            points = np.subtract(tokens.read(), self.statistics.mean, dtype=np.float64) / self.statistics.scale
        found = tokens.tokens_of(points.astype(np.float32))
        vectors = np.zeros((len(tokens), count, self.dim), dtype=np.float32)
        vectors[:, : found.shape[1], : found.shape[2]] = found
        if self.shape.position == "added":
            vectors += positional_code(count, self.dim)
        elif self.shape.position == "appended":
            vectors[:, :, found.shape[2] :] = positional_code(count, self.shape.position_dim)
        vectors[np.arange(count) >= lengths[:, None]] = 0.0
        return TokenVectors(vectors, lengths)

    def split(self, name: str) -> Split:
        """Return one split; without a test split the line says how one is made."""
        if name == "test" and name not in self.splits:
            held = f"unknown split 'test': there is {', '.join(self.splits)}"
            raise DataError(f"data '{self.name}': {held}; data.test = 0.2 holds a fifth of the samples out")
        return super().split(name)

    def names(self, tokens: Series, sample: int) -> tuple[str, ...]:  # type: ignore[override]
        """Return the first point of each token, counted from 0."""
        return tuple(str(place * tokens.stride) for place in range(int(tokens.lengths[sample])))

    def features(self, split: Split, sequences: tuple[str, ...]) -> np.ndarray:
        """Return all numbers of a sample side by side, (samples, tokens * dim) of the longest training sample."""
        longest = int(max(self.splits["train"].tokens[SEQUENCE].lengths.max(), 1))
        vectors = self.embed(split.tokens[SEQUENCE].cut(longest)).vectors
        padded = np.zeros((len(vectors), longest, self.dim))
        padded[:, : vectors.shape[1]] = vectors
        return padded.reshape(len(padded), -1)

    def kept(self) -> dict[str, str]:
        """Return the statistics, every digit of them, and what the tokens are made of."""
        mean, scale = (json.dumps(numbers.tolist()) for numbers in self.statistics)
        return {"shape": json.dumps(self.shape._asdict()), "mean": mean, "scale": scale}

    def at_home(self, kept: Mapping[str, str], source: str) -> SignalCorpus:
        """Return the corpus standardised as the training samples of the weights were.

        Raises
        ------
        DataError
            If their tokens were made otherwise, of as many channels or not, or they were trained with words.
        """
        if not kept:
            return self
        if "mean" not in kept:
            raise DataError(f"data '{self.name}' are numbers: '{source}' was trained with words")
        theirs, statistics = _read(kept, source)
        for name, value in self.shape._asdict().items():
            if theirs.get(name) != value:
                trained = f"'{source}' was trained with {theirs.get(name)!r}"
                raise DataError(f"data '{self.name}': {name} = {value!r}: {trained}")
        if len(statistics.mean) != self.channels:
            held = f"has {self.channels} channels, '{source}' was trained with {len(statistics.mean)}"
            raise DataError(f"data '{self.name}' {held}")
        return replace(self, statistics=statistics)

    def facts(self) -> dict[str, object]:
        """Return channels, the longest sample, what tokens are, and the statistics."""
        longest = {name: int(split.tokens[SEQUENCE].lengths.max(initial=0)) for name, split in self.splits.items()}
        mean, scale = (numbers.tolist() for numbers in self.statistics)
        about = {"channels": self.channels, "longest": longest, **self.shape._asdict()}
        return {**about, "mean": mean, "scale": scale}

    def with_splits(self, splits: Mapping[str, Split], fingerprint: str | None = None) -> SignalCorpus:
        """Return the corpus with other samples, and with a fingerprint also with statistics of theirs."""
        if fingerprint is None:
            return replace(self, splits=splits)
        found = statistics_of(splits["train"].tokens[SEQUENCE], self.shape.standardise)
        return replace(self, splits=splits, fingerprint=fingerprint, statistics=found)

    def shaped(self, shape: Shape) -> SignalCorpus:
        """Return the corpus, whose tokens are points, with other tokens, and a fingerprint that tells them apart.

        Raises
        ------
        DataError
            If a sample does not fill one window.
        """
        splits = {}
        for name, split in self.splits.items():
            series = split.tokens[SEQUENCE]
            if (short := np.flatnonzero(series.lengths < shape.window)).size:
                where = f"sample {short[0] + 1} of split '{name}' has {series.lengths[short[0]]} points"
                raise DataError(f"data '{self.name}': window = {shape.window}: {where}")
            splits[name] = Split({SEQUENCE: series.windowed(shape.window, shape.stride)}, split.labels)
        how = repr((self.fingerprint, sorted(shape._asdict().items())))
        fingerprint = hashlib.blake2b(how.encode(), digest_size=16).hexdigest()
        return replace(self, shape=shape).with_splits(splits, fingerprint)


def _read(kept: Mapping[str, str], source: str) -> tuple[dict[str, object], Statistics]:
    """Read what :meth:`SignalCorpus.kept` wrote."""
    try:
        found = Statistics(*(np.array(json.loads(kept[name]), dtype=np.float64) for name in Statistics._fields))
        shape = dict(json.loads(kept["shape"]))
        fits = found.mean.ndim == 1 and found.mean.shape == found.scale.shape and bool((found.scale > 0).all())
    except (KeyError, TypeError, ValueError):
        fits = False
    if not fits or not np.isfinite(found).all():
        raise DataError(f"'{source}' is damaged: what its numbers were standardised by cannot be read")
    return shape, found
