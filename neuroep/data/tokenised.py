# Tested by tests/neuroep/data/test_loading.py.
"""From tables of text to a whole corpus of token ids, through the cache."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from neuroep.data import cache as disk, labels, sources, vectors as word_vectors
from neuroep.data.places import StrPath, located
from neuroep.data.ragged import Ragged
from neuroep.data.splits import Split
from neuroep.data.text_corpus import Coverage, TextCorpus, with_fingerprint
from neuroep.data.tokens import TOKENISER, compact, encode_counted
from neuroep.errors import DataError

SEQUENCES: Mapping[int, tuple[str, ...]] = {1: ("text",), 2: ("premise", "hypothesis")}
"""Names of the sequences, by the number of text columns."""
_log = logging.getLogger(__name__)
FEW = 0.5
"""Share of known tokens below which the line is a warning."""


class Public(NamedTuple):
    """A public set of the Hugging Face hub."""

    repository: str
    columns: tuple[str, ...]
    classes: tuple[str, ...]
    drop: bool
    """Leave out rows without a gold label."""
    others: Mapping[str, str] = {}
    """Names of the columns in the files that its authors distribute."""


_DISTRIBUTED = {"premise": "sentence1", "hypothesis": "sentence2", "label": "gold_label"}

PUBLIC: Mapping[str, Public] = {
    "imdb": Public("stanfordnlp/imdb", ("text",), ("negative", "positive"), False),
    "snli": Public(
        "stanfordnlp/snli", ("premise", "hypothesis"), ("entailment", "neutral", "contradiction"), True, _DISTRIBUTED
    ),
}
"""Sets which :func:`neuroep.data.load` knows by name."""


class Plan(NamedTuple):
    """What a corpus is made from."""

    name: str
    path: StrPath | None
    """Local table or folder; None asks the hub."""
    columns: tuple[str, ...]
    """One text column, or premise and hypothesis."""
    label: str
    classes: tuple[str, ...] | None
    """None: as the training split has them."""
    drop: bool
    repository: str | None
    others: Mapping[str, str] = {}
    """Names under which a column may be found where none was asked for."""

    @property
    def wanted(self) -> sources.Wanted:
        """What is looked for in a table."""
        return sources.Wanted((*self.columns, self.label), self.others)

    @property
    def sequences(self) -> tuple[str, ...]:
        """Names of the sequences."""
        return SEQUENCES[len(self.columns)]


def plan(name: str, path: StrPath | None, text: str | Sequence[str] | None, label: str | None) -> Plan:
    """Settle columns and classes of a public set or of a user's own table.

    Raises
    ------
    DataError
        If a setting is missing, or the number of text columns is wrong.
    """
    columns = (text,) if isinstance(text, str) else tuple(text or ())
    if len(columns) > 2:
        raise DataError(f"text columns {', '.join(columns)}: allowed are one, or two for pairs")
    if len({*columns, label or "label"}) <= len(columns):
        raise DataError(f"text {', '.join(columns)}, label {label or 'label'}: a column can be only one of them")
    if name in PUBLIC:
        public = PUBLIC[name]
        if columns and len(columns) != len(public.columns):
            raise DataError(f"data '{name}': {len(columns)} text column(s) given, {len(public.columns)} needed")
        classes, drop, repository = public.classes, public.drop, public.repository
        others = {} if columns or label else public.others
        return Plan(name, path, columns or public.columns, label or "label", classes, drop, repository, others)
    if path is None:
        raise DataError(f"data '{name}': path is missing: a table or a folder of tables is needed")
    if not columns:
        raise DataError(f"data '{name}': text is missing: the name of the text column, or of two, is needed")
    return Plan(name, path, columns, label or "label", None, False, None)


def tokenised(plan: Plan, vectors: StrPath | None, cache: StrPath | None) -> TextCorpus:
    """Return the whole corpus at full length, from the cache where it is there.

    Parameters
    ----------
    plan : Plan
        What it is made from.
    vectors : str or path
        File or name of the word vectors.
    cache : str or path or None
        Folder of tokenised sets, or None for the default, which need not be writable.

    Raises
    ------
    DataError
        If the tables, the vectors or a given cache folder cannot be used.
    """
    if vectors is None:
        example = "a file, or a name such as 'word2vec-google-news-300', is needed"
        raise DataError(f"data '{plan.name}': vectors are missing: {example}")
    local = None if plan.path is None else sources.local(plan.path, plan.wanted)
    file = word_vectors.locate(vectors)
    source = local or sources.hub(str(plan.repository), plan.wanted)
    parts = {"tokeniser": TOKENISER, "vectors": word_vectors.fingerprint(file), "tables": source.hashes}
    how = [plan.name, plan.columns, plan.label, plan.classes, plan.drop, sorted(plan.others.items())]
    key = disk.key_of({**parts, "plan": how})
    folder = _default() if cache is None else located(cache, "cache folder")
    corpus = None if folder is None else disk.fetch(folder, plan.name, key)
    if corpus is None:
        corpus = _build(plan, source.read(), file)
        if folder is not None:
            _store(folder, key, corpus, required=cache is not None)
    _tell(corpus, source.taken, file)
    return corpus


def _tell(corpus: TextCorpus, taken: str, vectors: Path) -> None:
    """Say what was loaded and how much of it the vectors know."""
    shares = {split: found.known / max(1, found.tokens) for split, found in corpus.coverage.items()}
    known = [f"{split} {share:.2%} of {corpus.coverage[split].tokens:,d}" for split, share in shares.items()]
    notes = [f"tokens that have a vector: {', '.join(known)}"]
    for what, place in (("samples without any", 2), ("rows without a gold label, left out", 3)):
        found = [f"{split} {counts[place]:,d}" for split, counts in corpus.coverage.items() if counts[place]]
        notes += [f"{what}: {', '.join(found)}"] if found else []
    level = logging.WARNING if min(shares.values(), default=1) < FEW else logging.INFO
    _log.log(level, "data '%s' from %s, vectors '%s'; %s", corpus.name, taken, vectors, "; ".join(notes))


def _default() -> Path | None:
    """Return the default cache folder; None for a user without a home."""
    try:
        return disk.default_folder()
    except RuntimeError as error:
        _log.warning("tokenised set is not kept: %s Set NEUROEP_CACHE to a folder", error)
        return None


def _store(folder: Path, key: str, corpus: TextCorpus, *, required: bool) -> None:
    try:
        disk.store(folder, key, corpus)
    except DataError as error:
        if required:
            raise
        _log.warning("tokenised set is not kept: %s", error)


def _build(plan: Plan, tables: Mapping[str, Sequence[sources.Table]], file: Path) -> TextCorpus:
    classes, numbered = _labelled(plan, tables)
    texts = {split: {c: _column(tables[split], numbered[split], c) for c in plan.columns} for split in tables}
    rows, table = word_vectors.read(file)
    counted = [encode_counted(texts[split][column], rows) for split in tables for column in plan.columns]
    kept, encoded = compact([ragged for ragged, _ in counted], len(table))
    if not len(kept):
        raise DataError(f"vectors '{file}': none of their words occurs in data '{plan.name}'")
    splits = _splits(plan.sequences, encoded, numbered)
    by_row = {row: word for word, row in rows.items()}
    words = tuple(by_row[row] for row in kept.tolist())
    coverage = _coverage(plan, tables, splits, [count for _, count in counted])
    vectors = table[kept].astype(np.float32)
    corpus = TextCorpus(plan.name, plan.sequences, classes, words, vectors, splits, "", coverage)
    return with_fingerprint(corpus)


def _coverage(
    plan: Plan, tables: Mapping[str, Sequence[sources.Table]], splits: Mapping[str, Split], counts: Iterable[int]
) -> dict[str, Coverage]:
    """Count what is known and what is left out, by split."""
    rest = iter(counts)
    found = {}
    for name, split in splits.items():
        lengths = [ragged.lengths for ragged in split.tokens.values()]
        rows = sum(len(part.columns[plan.label]) for part in tables[name])
        known, empty = int(np.sum(lengths)), int(np.any(np.equal(lengths, 0), axis=0).sum())
        found[name] = Coverage(sum(next(rest) for _ in lengths), known, empty, rows - len(split))
    return found


def _labelled(
    plan: Plan, tables: Mapping[str, Sequence[sources.Table]]
) -> tuple[tuple[str, ...], dict[str, list[labels.Labelled]]]:
    """Return the classes, and the class numbers of each split's tables."""
    for split, parts in tables.items():
        if not any(len(part.columns[plan.label]) for part in parts):
            raise DataError(f"data '{parts[0].name}': split '{split}' is empty")
    indexed = plan.classes is not None
    classes = plan.classes or labels.classes_of(tables["train"], plan.label)
    numbered = {
        split: [labels.numbers(part, plan.label, classes, drop=plan.drop, indexed=indexed) for part in parts]
        for split, parts in tables.items()
    }
    for split, found in numbered.items():
        if not any(len(part.labels) for part in found):
            raise DataError(f"data '{tables[split][0].name}': split '{split}' is empty: no row has a label")
    return classes, numbered


def _column(tables: Sequence[sources.Table], numbered: Sequence[labels.Labelled], column: str) -> list[str]:
    """Return the texts of the rows which have a label."""
    found: list[str] = []
    for table, (_, rows) in zip(tables, numbered, strict=True):
        everything = sources.texts(table, column)
        found += everything if len(rows) == len(everything) else [everything[row] for row in rows]
    return found


def _splits(
    sequences: tuple[str, ...], encoded: list[Ragged], numbered: Mapping[str, Sequence[labels.Labelled]]
) -> dict[str, Split]:
    rest = iter(encoded)
    splits = {}
    for split, parts in numbered.items():
        tokens = {sequence: next(rest) for sequence in sequences}
        splits[split] = Split(tokens, np.concatenate([part.labels for part in parts]))
    return splits
