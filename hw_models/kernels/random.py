"""Counter-based random numbers keyed by meaning.

A draw depends on (seed, what it is for) and on nothing else: not on the number of threads, nor on what was drawn
before, nor on whether the run was resumed. Two forms:

:func:`generator`    NumPy's Philox 4x64, its 128-bit key a BLAKE2 hash of the meaning: a stream in order.
:func:`normals`, :func:`uniforms`    Philox 4x32-10 by :func:`key` and the counter (step, tile, row, element): every
    row stands for itself, so that any block of rows gives the same numbers; the way of physical noise.

Source: Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache

import numpy as np


def _digest(seed: int, meaning: tuple[str | int, ...], size: int) -> bytes:
    text = repr((int(seed), *(m if isinstance(m, str) else int(m) for m in meaning)))
    return hashlib.blake2b(text.encode(), digest_size=size).digest()


def generator(seed: int, *meaning: str | int) -> np.random.Generator:
    """Return the generator that belongs to one purpose.

    Parameters
    ----------
    seed : int
        Seed of the run.
    *meaning : str or int
        What is drawn, from the general to the particular, for example ``("order", epoch)``.

    Returns
    -------
    numpy.random.Generator
        The same key always gives the same stream.
    """
    found = np.frombuffer(_digest(seed, meaning, 16), dtype=np.uint64).copy()
    return np.random.Generator(np.random.Philox(key=found))


def key(seed: int, *meaning: str | int) -> np.ndarray:
    """Return the key of Philox 4x32 that belongs to one purpose, uint32 (2,)."""
    return np.frombuffer(_short_digest(seed, meaning), dtype="<u4").astype(np.uint32)


@lru_cache(4096)  # an array asks for the same few keys again and again
def _short_digest(seed: int, meaning: tuple[str | int, ...]) -> bytes:
    return _digest(seed, meaning, 8)


def normals(
    key: np.ndarray, step: int, tile: int, shape: tuple[int, int], first_row: int = 0, dtype: str = "float32"
) -> np.ndarray:
    """Return standard normals.

    Parameters
    ----------
    key : numpy.ndarray
        From :func:`key`.
    step, tile : int
        Words of the counter, from 0 to 2^32 - 1.
    shape : tuple of int
        (rows, n). A row's stream belongs to its n.
    first_row : int
        Number of the first row.
    dtype : str
        Of the result; the values are those of float32.
    """
    from hw_models.kernels import noise as noise_kernels

    out = np.empty(shape, dtype=np.float32)
    noise_kernels.fill_normals(key, step, tile, first_row, out)
    return out.astype(dtype, copy=False)


def uniforms(
    key: np.ndarray, step: int, tile: int, shape: tuple[int, int], first_row: int = 0, dtype: str = "float32"
) -> np.ndarray:
    """Return uniforms in [0, 1), multiples of 2^-24; see :func:`normals`."""
    from hw_models.kernels import noise as noise_kernels

    out = np.empty(shape, dtype=np.float32)
    noise_kernels.fill_uniforms(key, step, tile, first_row, out)
    return out.astype(dtype, copy=False)
