"""Plain float32 products that benchmarks compare with: whichever is the fastest of NumPy's two forms and torch's.

NumPy's ``x @ W.T`` and ``(W @ x.T).T`` are the same numbers by different routines of one BLAS; torch brings a BLAS of
its own. All run on one thread. A ratio is to the form with the least median, repeat by repeat.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable

import numpy as np
import torch

torch.set_num_threads(1)
Task = Callable[[], object]


def product(a: np.ndarray, b: np.ndarray) -> dict[str, Task]:
    """Return the forms of ``a @ b`` by name; either may be a transposed view."""
    one, other = torch.from_numpy(a), torch.from_numpy(b)
    return {"numpy": lambda: a @ b, "numpy turned": lambda: (b.T @ a.T).T, "torch": lambda: one @ other}


def fastest(times: dict[str, list[float]]) -> str:
    """Return the name of the form with the least median."""
    return min(times, key=lambda name: statistics.median(times[name]))


def ratio(times: list[float], plain: list[float]) -> float:
    """Return the median of the ratios of times that were taken in turns."""
    return statistics.median(a / b for a, b in zip(times, plain, strict=True))
