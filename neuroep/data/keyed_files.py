# Tested by tests/neuroep/data/test_vectors.py.
"""gensim's own format of word vectors, ``.kv``: a Python pickle, read without running anything that is in it.

A pickle names the functions that build its objects; whoever writes one can name any. Here only those are looked up of
which vectors consist, and gensim's own classes are stood for by an object that merely holds what it is given. Large
arrays, which gensim keeps in files beside it, are read by NumPy without its own pickles.
"""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np

from neuroep.errors import DataError

_REBUILD = {"_reconstruct": np.zeros(0).__reduce__()[0], "scalar": np.float32(0).__reduce__()[0]}
"""NumPy's own two, wherever its version keeps them."""


class PickledObject:
    """What stands for an object of gensim's: its attributes, and no code."""

    def __init__(self, *_: object, **__: object) -> None:
        pass


class _Reader(pickle.Unpickler):
    """An unpickler that knows arrays and plain objects only."""

    def find_class(self, module: str, name: str) -> object:
        """Return what a name stands for; classes are made anew, as a pickle can change what it is given."""
        known: dict[tuple[str, str], object] = {
            ("numpy", "ndarray"): np.ndarray,
            ("numpy", "dtype"): np.dtype,
            ("builtins", "object"): type(name, (PickledObject,), {}),
            ("builtins", "dict"): dict,
            ("collections", "OrderedDict"): dict,
            ("copyreg", "_reconstructor"): lambda kind, *_: PickledObject(),
            ("_codecs", "encode"): lambda text, _: text.encode("latin1"),
        }
        module = {"__builtin__": "builtins", "copy_reg": "copyreg"}.get(module, module)
        if module in ("numpy.core.multiarray", "numpy._core.multiarray") and name in _REBUILD:
            return _REBUILD[name]
        if module in ("numpy.core.numeric", "numpy._core.numeric") and name == "_frombuffer":
            return lambda held, kind, shape, order: np.frombuffer(held, dtype=kind).reshape(shape, order=order)
        if module.startswith("gensim.models."):
            return type(name, (PickledObject,), {})
        if (module, name) not in known:
            raise DataError(f"it names {module}.{name}, which is no part of word vectors: nothing of it is run")
        return known[module, name]


def read_keyed(path: Path) -> tuple[dict[str, int], np.ndarray]:
    """Read a ``.kv`` file.

    Returns
    -------
    rows, table
        Row of each word, and (words, dim) float32.

    Raises
    ------
    DataError
        If it holds something else, or a part that no word vectors have.
    """
    try:
        with path.open("rb") as file:
            held = _Reader(file, encoding="latin1").load()
    except DataError as error:
        raise DataError(f"vectors '{path}': {error}") from None
    fields = vars(held) if isinstance(held, PickledObject) else {}
    words = fields.get("index_to_key", fields.get("index2word"))
    if not isinstance(words, list):
        raise DataError(f"vectors '{path}' holds {type(held).__name__}: gensim KeyedVectors are needed")
    table = fields.get("vectors")
    if table is None and "vectors" in fields.get("__numpys", ()):
        table = np.load(path.with_name(f"{path.name}.vectors.npy"), allow_pickle=False)
    numbers = isinstance(table, np.ndarray) and table.dtype.kind == "f"
    if not numbers or not all(type(word) is str for word in words):
        raise DataError(f"vectors '{path}' cannot be read: words and an array of numbers are needed")
    rows: dict[str, int] = {}
    for row, word in enumerate(words):
        rows.setdefault(word, row)
    return rows, np.asarray(table, dtype=np.float32)
