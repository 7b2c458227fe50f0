"""Which arithmetic a device has, and what is said where Triton does not run."""

from __future__ import annotations

import sys
import types

import numpy as np
import pytest
import torch

from hw_models.kernels import devices, tensors
from hw_models.kernels.arithmetic import NUMPY, arithmetic, numbers

CPU = torch.device("cpu")
META = torch.device("meta")
"""Neither the CPU nor CUDA."""


def test_what_computes_with_what():
    assert arithmetic(np.zeros(2)) is NUMPY and NUMPY.in_memory
    assert arithmetic(torch.zeros(2)) is devices.on(CPU) and isinstance(devices.on(CPU), tensors.MemoryArithmetic)
    assert devices.on(CPU).in_memory and not tensors.TensorArithmetic(CPU).in_memory
    assert numbers(np.zeros(2)) and numbers(torch.zeros(2)) and not numbers(np.array(["a"])) and not numbers([1.0])
    with pytest.raises(TypeError, match=r"^a list is neither an array nor a tensor$"):
        arithmetic([1.0])


def test_another_device_has_operations():
    assert type(devices.on(META)) is tensors.TensorArithmetic


def test_without_triton_there_are_operations(monkeypatch):
    monkeypatch.setattr(devices, "find_spec", lambda name: None)
    assert type(devices.on.__wrapped__(torch.device("cuda"))) is tensors.TensorArithmetic


@pytest.mark.parametrize("error", [RuntimeError("no compiler"), OSError("no compiler")])
def test_operations_compute_where_triton_cannot_compile_and_it_is_said(monkeypatch, error):
    class Failing(tensors.TensorArithmetic):
        def normals(self, draws, shape, like=None):
            raise error

    there = types.ModuleType("hw_models.kernels.fused")
    there.FusedArithmetic = Failing
    monkeypatch.setitem(sys.modules, "hw_models.kernels.fused", there)
    with pytest.warns(UserWarning, match=r"^Triton's kernels do not run on cpu: no compiler; reads will be slower"):
        assert type(devices.fused_or_not(CPU)) is tensors.TensorArithmetic


def test_kernels_compute_where_they_run(monkeypatch):
    there = types.ModuleType("hw_models.kernels.fused")
    there.FusedArithmetic = type("Running", (tensors.TensorArithmetic,), {})
    monkeypatch.setitem(sys.modules, "hw_models.kernels.fused", there)
    assert type(devices.fused_or_not(CPU)) is there.FusedArithmetic
