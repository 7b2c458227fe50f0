"""Tables and word vectors written to disk for the tests, and the comparison of corpora."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np

from neuroep.data import TextCorpus

WORDS = ("the", "film", "was", "good", "bad", "not", "a", "dog", "runs", "sleeps")


def write_text_vectors(path: Path, table: np.ndarray, *, header: bool = True) -> Path:
    """Write vectors in decimal digits, with the header of word2vec or without, as GloVe does."""
    lines = [f"{word} {' '.join(repr(float(x)) for x in row)}" for word, row in zip(WORDS, table, strict=True)]
    first = [f"{len(table)} {table.shape[1]}"] if header else []
    path.write_text("\n".join([*first, *lines]) + "\n")
    return path


def write_csv(path: Path, columns: tuple[str, ...], rows: list[tuple], delimiter: str = ",") -> Path:
    """Write a CSV table and return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.writer(file, delimiter=delimiter)
        writer.writerow(columns)
        writer.writerows(rows)
    return path


def write_jsonl(path: Path, columns: tuple[str, ...], rows: list[tuple]) -> Path:
    """Write a table of JSON lines and return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(dict(zip(columns, row, strict=True))) + "\n" for row in rows))
    return path


def write_parquet(path: Path, columns: tuple[str, ...], rows: list[tuple]) -> Path:
    """Write a Parquet table and return its path."""
    import pyarrow
    import pyarrow.parquet

    path.parent.mkdir(parents=True, exist_ok=True)
    values = zip(*rows, strict=True)
    table = pyarrow.table({column: list(held) for column, held in zip(columns, values, strict=True)})
    pyarrow.parquet.write_table(table, path)
    return path


def same(first: TextCorpus, second: TextCorpus) -> bool:
    """Tell whether two corpora agree in everything."""
    plain = ("name", "sequences", "classes", "words", "fingerprint")
    if any(getattr(first, field) != getattr(second, field) for field in plain):
        return False
    arrays = [(first.vectors, second.vectors)]
    for split in first.splits:
        arrays.append((first.splits[split].labels, second.splits[split].labels))
        for name in first.sequences:
            a, b = first.splits[split].tokens[name], second.splits[split].tokens[name]
            arrays += [(a.ids, b.ids), (a.offsets, b.offsets)]
    return all(a.dtype == b.dtype and np.array_equal(a, b) for a, b in arrays)
