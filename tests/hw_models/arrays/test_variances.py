"""Variances in bfloat16: how far they are off, where they act, and that nothing else changes."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from hw_models.arrays import variances
from hw_models.arrays.crossbar import Crossbar
from hw_models.chip import Chip
from hw_models.kernels import bfloat

FLOAT = np.dtype("float32")


def bar(shape=(60, 130), seed=3, **parts):
    """Return a crossbar of a chip whose devices have variances of their own."""
    device = {"read_noise": 0.1, "read_noise_law": "proportional"}
    chip = {"crossbar": {"rows": 64, "columns": 32}, "device": device} | parts
    made = Crossbar(Chip.model_validate(chip), shape, seed, "test")
    made.program(np.random.default_rng(1).normal(size=shape).astype(np.float32))
    return made


@pytest.fixture
def all_rounded(monkeypatch):
    """Round the smallest products, on any processor."""
    monkeypatch.setattr(variances, "LARGE", 1)
    monkeypatch.setattr(variances, "at_hand", lambda: True)


def test_squares_are_rounded_to_the_nearest_half_to_even():
    x = np.random.default_rng(0).normal(size=(7, 45)).astype(np.float32)
    x[0, :7] = 0, -0.0, np.inf, np.nan, 1e-30, 1e15, 1 + 2**-4  # its square lies between two
    found = np.empty((7, 40), dtype=np.uint16)
    bfloat.squares(x, 2, 42, found)
    expected = torch.from_numpy(x[:, 2:42] ** 2).to(torch.bfloat16).float().numpy()
    np.testing.assert_array_equal((found.astype(np.uint32) << 16).view(np.float32), expected)


@pytest.mark.parametrize("way", ["forward", "transposed"])
def test_only_the_size_of_the_noise_is_rounded(way, monkeypatch):
    signals, made = np.random.default_rng(2).normal(size=(9, 130 if way == "forward" else 60)).astype(np.float32), bar()
    mean = (made.expected if way == "forward" else made.expected_transposed)(signals)
    noise = getattr(bar(), way)(signals) - mean
    monkeypatch.setattr(variances, "LARGE", 1)
    monkeypatch.setattr(variances, "at_hand", lambda: True)
    found = getattr(bar(), way)(signals) - mean
    assert (found != noise).mean() > 0.5
    np.testing.assert_allclose(found, noise, rtol=0, atol=0.006 * np.abs(noise).max())


@pytest.mark.parametrize("way", ["forward", "transposed"])
def test_every_way_to_read_rounds_alike(way, all_rounded):
    signals = np.random.default_rng(2).normal(size=(9, 130 if way == "forward" else 60)).astype(np.float32)
    found, made = getattr(bar(), way)(signals), bar()
    plan = made._plan(way, made._row_edges if way == "forward" else made._column_edges, False)
    assert plan.direct is not None
    plan.direct = None
    np.testing.assert_array_equal(getattr(made, way)(signals), found)


def test_written_weights_have_new_variances(all_rounded):
    made, signals = bar(), np.ones((2, 130), dtype=np.float32)
    made.forward(signals)
    made.program(np.zeros((60, 130), dtype=np.float32) + np.float32(1e-3))
    other = bar()
    other.program(np.zeros((60, 130), dtype=np.float32) + np.float32(1e-3))
    other.step = made.step
    np.testing.assert_array_equal(made.forward(signals), other.forward(signals))


def test_small_products_single_samples_and_double_precision_are_exact(monkeypatch):
    monkeypatch.setattr(variances, "at_hand", lambda: True)
    assert not variances.rounds(186, (300, 300), FLOAT)
    assert variances.rounds(187, (300, 300), FLOAT)
    assert not variances.rounds(1, (2**12, 2**12), FLOAT)
    assert not variances.rounds(100, (2**12, 2**12), np.dtype("float64"))


def test_without_instructions_nothing_is_rounded(monkeypatch):
    monkeypatch.setattr(variances, "at_hand", lambda: False)
    assert not variances.rounds(100, (2**12, 2**12), FLOAT)
