"""Counter-based random numbers keyed by meaning.

A draw depends on (seed, what it is for) and on nothing else: not on the number of threads, nor on what was drawn
before, nor on whether the run was resumed. The generator is NumPy's Philox 4x64 (Salmon et al., "Parallel random
numbers: as easy as 1, 2, 3", SC 2011), its 128-bit key a BLAKE2 hash of the meaning.
"""

from __future__ import annotations

import hashlib

import numpy as np


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
    text = repr((int(seed), *(m if isinstance(m, str) else int(m) for m in meaning)))
    digest = hashlib.blake2b(text.encode(), digest_size=16).digest()
    key = np.frombuffer(digest, dtype=np.uint64).copy()
    return np.random.Generator(np.random.Philox(key=key))
