"""The data sets that are known by name: what each is made from, and which settings of section ``data`` act on it.

A new one is a module that returns a :class:`neuroep.data.Corpus`, and one entry of :data:`CATALOGUE`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from neuroep.data import array_files, arrays, digits, folders, generated, tokenised
from neuroep.data.corpus import Corpus
from neuroep.data.places import StrPath
from neuroep.data.selection import hold_out
from neuroep.data.shapes import DEFAULT, faults_of, shape_of
from neuroep.data.signals import SEQUENCE, Shape, SignalCorpus
from neuroep.errors import DataError

TEXT = ("path", "vectors", "text", "label", "cache")
NUMBERS = ("standardise", "window", "stride", "position", "position_dim")
CHOICE = ("validation", "limit")
OPTIONAL = (*TEXT, "test", *NUMBERS)
"""Settings that are unset unless they act, beside those of :data:`CHOICE`."""


@dataclass(frozen=True)
class Origin:
    """Where samples come from, and what tokens are made of: settings of section ``data``; see :func:`load`."""

    path: StrPath | None = None
    vectors: StrPath | None = None
    text: str | Sequence[str] | None = None
    label: str | None = None
    cache: StrPath | None = None
    test: float | None = None
    standardise: str | None = None
    window: int | None = None
    stride: int | None = None
    position: str | None = None
    position_dim: int | None = None

    @property
    def given(self) -> dict[str, object]:
        """Settings that are set, in the order of :data:`OPTIONAL`."""
        return {name: value for name in OPTIONAL if (value := self.__dict__[name]) is not None}


@dataclass(frozen=True)
class DataSource:
    """A data set by name."""

    name: str
    about: str
    """What it is, for the line that refuses a setting."""
    build: Callable[[Origin], Corpus]
    """Returns the whole set, before anything is cut or chosen."""
    sequences: tuple[str, ...] = (SEQUENCE,)
    takes: tuple[str, ...] = (*NUMBERS, *CHOICE)
    """Settings that act on it, of :data:`OPTIONAL` and :data:`CHOICE`."""
    needs: Mapping[str, str] = field(default_factory=dict)
    """Settings that it cannot be without, and what they are."""
    files: Callable[[StrPath], Iterable[Path]] | None = None
    """Finds its local files, where it is made from any."""

    def faults(self, origin: Origin) -> str:
        """Return which settings cannot act on it, "" if all can."""
        for name, value in origin.given.items():
            if name not in self.takes:
                return f"{name} = {value!r}: data '{self.name}' {self.about} and takes none"
        numbers = {name: value for name, value in origin.given.items() if name in NUMBERS}
        return faults_of(**{**dict.fromkeys(NUMBERS), **numbers})  # type: ignore[arg-type]

    def missing(self, origin: Origin) -> str:
        """Return which setting is not set that it needs, "" if none."""
        absent = next((name for name in self.needs if name not in origin.given), None)
        return "" if absent is None else f"{absent} is not set: data '{self.name}' needs {self.needs[absent]}"

    def sequences_of(self, origin: Origin) -> tuple[str, ...]:
        """Return the names of a sample's sequences; of a table, those of its text columns."""
        columns = (origin.text,) if isinstance(origin.text, str) else tuple(origin.text or ())
        return tokenised.SEQUENCES.get(len(columns), self.sequences)


def shaped(build: Callable[[Origin], SignalCorpus], default: Shape = DEFAULT) -> Callable[[Origin], Corpus]:
    """Return what builds a set of numbers whose tokens are made as the settings say.

    Parameters
    ----------
    build : callable
        Makes the set, whose tokens are its points.
    default : Shape
        What unset settings mean.
    """

    def whole(origin: Origin) -> Corpus:
        corpus = build(origin)
        corpus = corpus if origin.test is None else hold_out(corpus, origin.test)
        settings = (origin.standardise, origin.window, origin.stride, origin.position, origin.position_dim)
        return corpus.shaped(shape_of(corpus.channels, *settings, default=default))

    return whole


def _words(name: str) -> Callable[[Origin], Corpus]:
    def whole(origin: Origin) -> Corpus:
        made_from = tokenised.plan(name, origin.path, origin.text, origin.label)
        return tokenised.tokenised(made_from, origin.vectors, origin.cache)

    return whole


def _arrays(origin: Origin) -> SignalCorpus:
    if origin.path is None:
        raise DataError("data 'arrays': path is missing: a folder or file of arrays is needed")
    found = array_files.files_of(origin.path)
    return arrays.corpus_of("arrays", {split: array_files.read(files) for split, files in found.items()})


def _given(origin: Origin) -> Corpus:
    cure = "pass them as the corpus, or name data that lie in files"
    raise DataError(f"data '{arrays.GIVEN}' were in the memory of the Python program that made them: {cure}")


def _tables(path: StrPath) -> list[Path]:
    return [file for found in folders.local_files(path).values() for file in found]


def _array_files(path: StrPath) -> list[Path]:
    return [file for found in array_files.files_of(path).values() for file in found]


_VECTORS = {"vectors": "a word-vector file or the name of a gensim download"}
_TABLE = {"path": "a file or folder", "text": "the name of a column, or of two", **_VECTORS}
_ONE, _TWO = tokenised.SEQUENCES[1], tokenised.SEQUENCES[2]
_READ = (*TEXT, *CHOICE)

CATALOGUE: Mapping[str, DataSource] = {
    entry.name: entry
    for entry in (
        DataSource("imdb", "is made of words", _words("imdb"), _ONE, _READ, _VECTORS, _tables),
        DataSource("snli", "is made of words", _words("snli"), _TWO, _READ, _VECTORS, _tables),
        DataSource("reviews", "is generated", lambda _: generated.build("reviews"), _ONE, CHOICE),
        DataSource("pairs", "is generated", lambda _: generated.build("pairs"), _TWO, CHOICE),
        DataSource("table", "is made of words", _words("table"), _ONE, _READ, _TABLE, _tables),
        DataSource(
            "arrays", "is made of numbers", shaped(_arrays), takes=("path", "test", *NUMBERS, *CHOICE),
            needs={"path": "a folder or file of arrays"}, files=_array_files,
        ),
        DataSource(digits.NAME, "is embedded", shaped(lambda _: digits.build(), Shape("whole"))),
        DataSource(arrays.GIVEN, "is in the memory of a Python program", _given, takes=()),
    )
}  # fmt: skip
"""Data sets by name."""

NAMES = tuple(CATALOGUE)
"""Names of :func:`neuroep.data.load`."""
EMBEDDED = tuple(name for name, entry in CATALOGUE.items() if entry.files is None and name != arrays.GIVEN)
"""Those that need no file."""
