"""What computes with the tensors of a device.

Loading this module lets :func:`hw_models.kernels.arithmetic.arithmetic` know tensors.
"""

from __future__ import annotations

import warnings
from functools import lru_cache
from importlib.util import find_spec
from subprocess import SubprocessError

import numpy as np
import torch

from hw_models.kernels.arithmetic import ArrayArithmetic, arithmetic
from hw_models.kernels.tensors import MemoryArithmetic, TensorArithmetic


@lru_cache
def on(device: torch.device) -> TensorArithmetic:
    """Return what computes with the tensors of a device."""
    if device.type == "cpu":
        return MemoryArithmetic(device)
    if device.type == "cuda" and find_spec("triton") is not None:
        return fused_or_not(device)
    return TensorArithmetic(device)


def fused_or_not(device: torch.device) -> TensorArithmetic:
    """Return what computes with Triton's kernels, or with operations where these do not run, which is said."""
    try:
        from hw_models.kernels.fused import FusedArithmetic

        found = FusedArithmetic(device)
        found.normals((np.zeros(2, dtype=np.uint32), 0, 0, 0), (1, 4))
    except (ImportError, OSError, RuntimeError, SubprocessError) as error:
        # It compiles for this device what calls kernels, too: without a compiler for C, or where nothing may be kept.
        warnings.warn(f"Triton's kernels do not run on {device}: {error}; reads will be slower", stacklevel=2)
        return TensorArithmetic(device)
    return found


@arithmetic.register
def _of_tensor(values: torch.Tensor) -> ArrayArithmetic:
    return on(values.device)
