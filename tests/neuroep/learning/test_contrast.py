"""Contrasts: the gradient they stand for, on NumPy arrays and torch tensors, and why states are differenced first."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from neuroep.learning.contrast import Contrast, Held, Moved, TokenRows

RNG = np.random.default_rng(3)
POST, PRE = (RNG.normal(size=(2, 7, n)) for n in (4, 3))
SPAN, SAMPLES = 0.4, 5
KINDS = {"numpy": np.asarray, "torch": torch.as_tensor}


def rows(plus, minus):
    """A lazy signal as the engines make them."""
    return TokenRows(lambda p, m: p * plus + m * minus)


@pytest.fixture(params=KINDS)
def kind(request):
    return KINDS[request.param]


@pytest.mark.parametrize("signal", [Moved, rows])
def test_gradient_is_the_difference_of_outer_products(kind, signal):
    post, pre = ([kind(value) for value in end] for end in (POST, PRE))
    contrast = Contrast(signal(*post), signal(*pre), SPAN, SAMPLES)
    wanted = -(POST[0].T @ PRE[0] - POST[1].T @ PRE[1]) / (SPAN * SAMPLES)
    np.testing.assert_allclose(contrast.weight_gradient(), wanted, rtol=0, atol=1e-13)
    np.testing.assert_allclose(contrast.bias_gradient(), -(POST[0] - POST[1]).sum(0) / (SPAN * SAMPLES), atol=1e-13)


def test_a_held_end_gives_one_term(kind):
    contrast = Contrast(Moved(*(kind(value) for value in POST)), Held(kind(PRE[0])), SPAN, SAMPLES)
    assert len(contrast.terms()) == 1
    wanted = -((POST[0] - POST[1]).T @ PRE[0]) / (SPAN * SAMPLES)
    np.testing.assert_allclose(contrast.weight_gradient(), wanted, rtol=0, atol=1e-13)


def test_a_moved_end_gives_two_terms():
    contrast = Contrast(Moved(*POST), Moved(*PRE), SPAN, SAMPLES)
    assert len(contrast.terms()) == 2
    total = sum(post.T @ pre for post, pre in contrast.terms())
    np.testing.assert_allclose(contrast.scale * total, contrast.weight_gradient(), rtol=0, atol=1e-13)
    assert contrast.scale == pytest.approx(-1 / (SPAN * SAMPLES))


@pytest.mark.parametrize("signal", [Moved(*POST), rows(*POST)], ids=["moved", "rows"])
def test_every_signal_tells_both_phases(signal):
    np.testing.assert_allclose(signal.plus, POST[0])
    np.testing.assert_allclose(signal.minus, POST[1])
    np.testing.assert_allclose(signal.mean, (POST[0] + POST[1]) / 2)
    np.testing.assert_allclose(signal.change, POST[0] - POST[1])


def test_a_held_signal_is_the_same_in_both():
    held = Held(PRE[0])
    assert held.plus is held.minus is held.mean and held.change is None


def test_differencing_first_keeps_what_float32_products_lose():
    """A nudge that moves states by 1e-5 of their size: late differences are off by percents, early ones are not."""
    step = 1e-5
    exact = [np.stack([end[0], end[0] + step * end[1]]) for end in (POST, PRE)]
    post, pre = (end.astype(np.float32) for end in exact)
    # What float32 states can know at best.
    wanted = sum(sign * a.astype(float).T @ b.astype(float) for sign, a, b in zip((1, -1), post, pre, strict=True))
    found = -Contrast(Moved(*post), Moved(*pre), 1.0, 1).weight_gradient()
    late = post[0].T @ pre[0] - post[1].T @ pre[1]
    scale = np.abs(wanted).max()
    assert np.abs(found - wanted).max() < 1e-6 * scale
    assert np.abs(late - wanted).max() > 1e-3 * scale
