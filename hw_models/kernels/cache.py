"""Machine code of kernels on disk: a cache that is never in the way.

* It lies beside the source, or in the user's cache folder where that cannot be written; where ``NUMBA_CACHE_DIR`` is
  set, there alone. Where nothing can be written, kernels are compiled in memory, and one line says so. A filled cache
  that cannot be written is read.
* A file's name tells its meaning: function, types of the arguments, processor, versions, and the sources of the
  function and of all it calls. So processes and unlike machines share a folder without locks, and code is made anew
  when a callee in another file changes. (Numba's own cache sees one file, and numbers its entries in an index that two
  processes can overwrite: an entry may then hold code for other types or another processor.)
* A file carries a digest. What is cut or damaged is made again, and one line names the folder.

Whoever can write to the folder can run code in the processes that read it, as with ``__pycache__``.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import pickle
import sys
import time
import types
import uuid
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import numba
import numpy as np
from numba.core.caching import _Cache
from numba.core.compiler import CompileResult
from numba.core.serialize import dumps

from hw_models.whole_files import check_plain

VARIABLE = "NUMBA_CACHE_DIR"
FORMAT = b"neuroep kernel 1\n"
DIGEST = hashlib.sha256().digest_size
SETTINGS = ("BOUNDSCHECK", "DEBUGINFO_DEFAULT", "OPT", "LOOP_VECTORIZE", "SLP_VECTORIZE")
"""Of Numba, by environment variables: code differs by them."""
KEPT = 86400.0
"""Code of other sources younger than this [s] is left alone: two versions may share a folder."""
_log = logging.getLogger(__name__)
_numba: Any = numba.config


class KernelCache(_Cache):
    """The code of one function, for Numba's dispatcher.

    Parameters
    ----------
    function : callable
        What is compiled.
    options : str
        How it is compiled.
    """

    def __init__(self, function: Callable[..., Any], options: str = "") -> None:
        self._function, self._options, self._enabled = function, options, True
        self._name = f"{function.__module__}.{function.__qualname__}"
        self._stamp: str | None = None

    @property
    def cache_path(self) -> str:
        """Folder that is looked into first."""
        return str(self._folders()[0])

    def enable(self) -> None:
        """Use the disk."""
        self._enabled = True

    def disable(self) -> None:
        """Leave the disk alone."""
        self._enabled = False

    def flush(self) -> None:
        """Forget all that is kept of this function."""
        for folder in self._folders():
            _remove(folder, f"{self._name}.")

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """Return the code for these types, or None where none is whole."""
        target_context.refresh()
        key = self._key(sig, target_context.codegen())
        if key is None:
            return None
        for folder in self._folders():
            try:
                data = (folder / self._file(key)).read_bytes()
            except OSError:
                continue
            try:
                return CompileResult._rebuild(target_context, *_unpack(data, key))
            except Exception:  # whatever is wrong with a cached file, the cure is to make it again
                place = _numba.CACHE_DIR or folder
                cure = "if this stays, delete that folder"
                _warn(f"damage in {place}", f"compiled kernels in '{place}' are damaged and compiled again; {cure}")
        return None

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep the code of these types where that is possible."""
        key = self._key(sig, data.codegen)
        if key is None or data.lifted or data.library.has_dynamic_globals:
            return
        packed, reasons = _pack(key, data._reduce()), []
        for folder in self._folders():
            try:
                _write(folder, self._file(key), packed)
            except OSError as error:
                reasons.append(f"'{folder}': {error.strerror or error}")
            else:
                _remove(folder, f"{self._name}.", but=f"{self._name}.{key[-1][:8]}.")
                return
        what = "compiled kernels cannot be kept, so every process compiles them anew"
        _warn("not kept", f"{what} ({'; '.join(reasons)}): set {VARIABLE} to a folder that can be written")

    def _folders(self) -> tuple[Path, ...]:
        return folders(self._function.__code__.co_filename, _numba.CACHE_DIR)

    def _key(self, sig: Any, codegen: Any) -> tuple[Any, ...] | None:
        if self._stamp is None:
            self._stamp = _stamp(self._function, self._options)
        if not (self._enabled and self._stamp):
            return None
        return sig, codegen.magic_tuple(), numba.__version__, sys.version_info[:2], self._stamp

    def _file(self, key: tuple[Any, ...]) -> str:
        return f"{self._name}.{key[-1][:8]}.{hashlib.sha256(repr(key).encode()).hexdigest()[:16]}.nbc"


@lru_cache(maxsize=256)
def folders(source: str, chosen: str) -> tuple[Path, ...]:
    """Return where code of a source file is looked for, and written to the first that can be written.

    Parameters
    ----------
    source : str
        Path of the file.
    chosen : str
        ``NUMBA_CACHE_DIR``; may be empty.
    """
    home = os.path.dirname(os.path.abspath(source))
    own = f"{os.path.basename(home)}_{hashlib.sha256(home.encode()).hexdigest()[:16]}"
    if chosen:
        return (Path(chosen) / own,)
    users = Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"))
    return Path(home) / "__pycache__", users / "neuroep" / "kernels" / own


def _stamp(function: Callable[..., Any], options: str) -> str:
    """Return a digest of all that code depends on beside types and processor; empty where a source is missing."""
    reached: dict[Any, None] = {}
    _reach(function, reached)
    values = {options, *(f"{name}={getattr(_numba, name, None)!r}" for name in SETTINGS)}
    files = {__file__, *(each.__code__.co_filename for each in reached)}
    for each in reached:
        values |= {f"{each.__module__}.{name}={value!r}" for name, value in _globals(each) if _is_constant(value)}
    try:
        sources = [_digest(name) for name in files]
    except OSError:
        return ""
    return hashlib.sha256("\n".join([*sorted(sources), *sorted(values)]).encode()).hexdigest()


def _reach(function: Any, reached: dict[Any, None]) -> None:
    """Collect a function and all functions of this project and kernels that it calls."""
    if function in reached:
        return
    reached[function] = None
    for _, value in _globals(function):
        callee = getattr(value, "py_func", None) or getattr(value, "_defn", None) or value
        if isinstance(callee, types.FunctionType):
            _reach(callee, reached)


def _globals(function: Any) -> Iterator[tuple[str, Any]]:
    """Yield what a function's code names outside itself, and members of this project's modules."""
    names, package = function.__code__.co_names, function.__module__.partition(".")[0]
    for name in names:
        value = function.__globals__.get(name)
        yield name, value
        if isinstance(value, types.ModuleType) and value.__name__.partition(".")[0] == package:
            yield from ((f"{name}.{member}", getattr(value, member, None)) for member in names)


def _is_constant(value: Any) -> bool:
    return isinstance(value, bool | int | float | str | np.generic | tuple)


@lru_cache(maxsize=256)
def _digest(source: str) -> str:
    return hashlib.sha256(Path(source).read_bytes()).hexdigest()


def _pack(key: tuple[Any, ...], reduced: tuple[Any, ...]) -> bytes:
    body = dumps((key, reduced))
    return FORMAT + hashlib.sha256(body).digest() + body


def _unpack(data: bytes, key: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return what was packed.

    Raises
    ------
    ValueError
        If the bytes are not those that were written.
    """
    start = len(FORMAT) + DIGEST
    if data[: len(FORMAT)] != FORMAT or hashlib.sha256(data[start:]).digest() != data[len(FORMAT) : start]:
        raise ValueError("damaged")
    found, reduced = pickle.loads(data[start:])
    if found != key:
        raise ValueError("made for something else")
    return reduced


def _write(folder: Path, name: str, data: bytes) -> None:
    """Write a file under a name of its own first, which follows no link, then move it."""
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / f"{name}.{uuid.uuid4().hex[:16]}.partial"
    try:
        with partial.open("xb") as file:
            file.write(data)
        check_plain(folder / name)
        os.replace(partial, folder / name)
    finally:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)


def _remove(folder: Path, start: str, but: str | None = None) -> None:
    """Remove the files whose names begin so; with ``but`` those alone that begin otherwise and are old."""
    with contextlib.suppress(OSError):
        for path in folder.iterdir():
            spared = but and (path.name.startswith(but) or path.stat().st_mtime > time.time() - KEPT)
            if path.name.startswith(start) and not spared:
                path.unlink(missing_ok=True)


class _Once:
    """Says a line of each kind once in a process."""

    def __init__(self) -> None:
        self.said: set[str] = set()

    def __call__(self, kind: str, text: str) -> None:
        if kind not in self.said:
            self.said.add(kind)
            _log.warning("%s", text)


_warn = _Once()
