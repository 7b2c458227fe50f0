"""Weights that others have saved: safetensors, NPZ and torch state dicts. Nothing in a file is ever executed.

A torch file is read with ``weights_only``, an NPZ without pickle. Wrappings that are usual are taken off: a state dict
under ``state_dict`` or ``model_state_dict``, and ``module.`` and ``_orig_mod.`` ahead of all names.
"""

from __future__ import annotations

import os
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from hw_models.reading import Entries
from hw_models.text import shown
from neuroep.errors import CheckpointError
from neuroep.runs.memory import physical_memory

MOST_TENSORS = 10_000
_WRAPPERS = ("state_dict", "model_state_dict")
_PREFIXES = ("module.", "_orig_mod.")


def read(file: str | Path) -> dict[str, object]:
    """Return what a file holds by name, tensors or arrays mostly: :func:`array` says which of it are weights.

    Parameters
    ----------
    file : str or Path
        By its ending a safetensors or NPZ file, else a torch file.

    Raises
    ------
    CheckpointError
        If it is not there, cannot be read, or holds what would have to be executed.
    """
    _check_file(file, "weights")
    kind = Path(file).suffix.lower()
    held = _safetensors(file) if kind == ".safetensors" else _npz(file) if kind == ".npz" else torch_file(file)
    if len(held) > MOST_TENSORS:
        raise CheckpointError(f"'{file}' holds {len(held)} tensors: at most {MOST_TENSORS} are read")
    _check_apart(file, [str(name) for name in held])
    return _stripped({str(name): value for name, value in held.items()})


def _check_file(file: str | Path, what: str) -> None:
    if not os.path.isfile(file):
        raise CheckpointError(f"{what} '{file}' {'is a directory' if os.path.isdir(file) else 'do not exist'}")


def _check_apart(file: str | Path, names: Sequence[str]) -> None:
    """Refuse names that stand for two tensors: nobody knows which of them is meant."""
    twice = next((name for name, number in Counter(names).items() if number > 1), None)
    if twice is not None:
        raise CheckpointError(f"'{file}' holds two tensors named '{twice}'")


def _stripped(held: Mapping[str, object]) -> dict[str, object]:
    """Return names without what wrappers of modules put ahead of all of them."""
    found = dict(held)
    for prefix in (*_PREFIXES, *_PREFIXES):  # each may be the outer one
        if found and all(name.startswith(prefix) for name in found):
            found = {name.removeprefix(prefix): value for name, value in found.items()}
    return found


def _safetensors(file: str | Path) -> Mapping[str, object]:
    """Read by torch, which knows bfloat16."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(file)
    except (OSError, SafetensorError, TypeError, ValueError, KeyError, AttributeError, RuntimeError) as error:
        raise CheckpointError(f"'{file}' is no safetensors file: {_first(error)}") from None


def _npz(file: str | Path) -> Mapping[str, object]:
    import tokenize
    import zipfile
    import zlib

    try:
        if zipfile.is_zipfile(file):
            with zipfile.ZipFile(file) as archive:
                _check_size(file, sum(member.file_size for member in archive.infolist()))
        held = np.load(file, allow_pickle=False)
        if not isinstance(held, np.lib.npyio.NpzFile):
            raise CheckpointError(f"'{file}' holds one array without a name: save it with numpy.savez")
        with held:
            _check_apart(file, held.files)
            return {name: held[name] for name in held.files}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error, NotImplementedError) as error:
        if "pickle" not in str(error):
            raise CheckpointError(f"'{file}' is no NPZ file: {_first(error)}") from None
        if not zipfile.is_zipfile(file):  # NumPy takes whatever it does not know for a pickle
            raise CheckpointError(f"'{file}' is no NPZ file") from None
        raise CheckpointError(f"'{file}' holds objects, which are never loaded: save plain arrays") from None
    except (MemoryError, OverflowError, RecursionError, RuntimeError, tokenize.TokenError) as error:
        # Headers that claim sizes beyond all memory, or nest without an end; encrypted members.
        raise CheckpointError(f"'{file}' cannot be read: {_first(error)}") from None


def _check_size(file: str | Path, size: int) -> None:
    """Refuse what is larger than memory once it is unpacked: a few megabytes of zeros may be a terabyte."""
    memory = physical_memory()
    if memory is not None and size > memory:
        raise CheckpointError(f"'{file}' holds {size:,} bytes unpacked: the memory of this machine is {memory:,}")


def torch_file(file: str | Path, what: str = "weights") -> Entries:
    """Load a torch state dict without executing anything in it; ``what`` names it where it is not there.

    Raises
    ------
    CheckpointError
        If it is no plain state dict.
    """
    import pickle
    import struct

    import torch

    _check_file(file, what)
    none = f"'{file}' is no torch file: weights are read of .safetensors, .npz and torch files"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch's advice on old formats, ahead of our own line
            held = torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if "Unsupported operand" in str(error):
            raise CheckpointError(none) from None
        raise CheckpointError(f"'{file}' is no plain state dict: it holds objects, which are never loaded") from None
    except (KeyError, IndexError, TypeError, AttributeError, AssertionError, struct.error):
        raise CheckpointError(none) from None
    except (RuntimeError, EOFError, OSError, ValueError) as error:
        raise CheckpointError(f"'{file}' is no torch state dict: {_first(error)}") from None
    for name in _WRAPPERS:
        if isinstance(held, Mapping) and isinstance(held.get(name), Mapping):
            held = held[name]
    if not isinstance(held, Mapping):
        raise CheckpointError(f"'{file}' holds a {type(held).__name__}: expected a state dict")
    return held


def _first(error: Exception) -> str:
    return str(error).partition("\n")[0] or "it is cut short"


def fault(tensor: object) -> str:
    """Return what keeps a torch tensor from being weights, empty if nothing does."""
    import torch

    if (
        not isinstance(tensor, torch.Tensor)
        or tensor.layout != torch.strided
        or tensor.is_nested
        or tensor.is_complex()
    ):
        return "is no plain tensor of real numbers"
    if tensor.is_quantized:
        return "is quantised: save the dequantised weights, tensor.dequantize()"
    if tensor.is_meta:
        return "has a shape but no values"
    if not tensor.numel():
        return f"is empty: its shape is {tuple(tensor.shape)}"
    try:
        held = tensor.detach()  # double precision holds more than .float() can
        finite = torch.isfinite(held if held.dtype == torch.float64 else held.float()).all().item()
    except (NotImplementedError, TypeError):
        return f"is of {tensor.dtype}, which is no kind of weights"
    return "" if finite else "is not finite"


def shape_of(value: object) -> tuple[int, ...] | None:
    """Return the shape of what a file holds; None of what has none."""
    import torch

    if isinstance(value, np.ndarray):
        return value.shape
    plain = isinstance(value, torch.Tensor) and not value.is_nested
    return tuple(value.shape) if plain and isinstance(value, torch.Tensor) else None


def array(file: str | Path, name: str, value: object, dtype: str) -> np.ndarray:
    """Return a tensor of a file as weights of an engine's precision.

    Parameters
    ----------
    file, name : str or Path, str
        Where it is from, for the error.
    value : object
        Tensor or array of floating-point numbers.
    dtype : str
        ``float32`` or ``float64``.

    Raises
    ------
    CheckpointError
        If it is no array of floating-point numbers, or one of them is not finite, or not in this precision.
    """
    import torch

    if isinstance(value, torch.Tensor):
        if found := fault(value):
            raise CheckpointError(f"'{file}': {name} {found}")
        if not value.dtype.is_floating_point:
            raise _no_float(file, name, str(value.dtype).removeprefix("torch."))
        wide = torch.float64 if value.dtype == torch.float64 else torch.float32
        value = value.detach().resolve_neg().to(wide).numpy()
    if not isinstance(value, np.ndarray):
        raise CheckpointError(f"'{file}': {name} is {shown(value)}, no tensor")
    if value.dtype.kind != "f":
        raise _no_float(file, name, str(value.dtype))
    with np.errstate(over="ignore"):
        found_array = np.array(value, dtype=dtype, order="C")
    bad = found_array.size - int(np.isfinite(found_array).sum())
    if bad:
        lost = "" if not np.isfinite(value).all() else f" in {dtype}, the run's engine.dtype"
        raise CheckpointError(f"'{file}': {bad} of {value.size} numbers of {name} are not finite{lost}")
    return found_array


def _no_float(file: str | Path, name: str, dtype: str) -> CheckpointError:
    return CheckpointError(f"'{file}': {name} is of {dtype}: weights are floating-point numbers")
