"""Contrasts: the gradient they stand for, on NumPy arrays and torch tensors, and why states are differenced first."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from neuroep.gradients.formulas import central
from neuroep.learning.contrast import Contrast, Displaced, Held, Moved, Pieces, Stacked, Summed, TokenRows

RNG = np.random.default_rng(3)
POST, PRE = (RNG.normal(size=(2, 7, n)) for n in (4, 3))
SPAN, SAMPLES = 0.4, 5
KINDS = {"numpy": np.asarray, "torch": torch.as_tensor}


def rows(plus, minus):
    """A lazy signal as the engines make them."""
    return TokenRows(lambda p, m: p * plus + m * minus)


def displaced(plus, minus):
    """The same states, known by their differences to one between them."""
    free = 0.3 * plus + 0.7 * minus
    return Displaced(lambda: free, lambda p, m: p * (plus - free) + m * (minus - free))


@pytest.fixture(params=KINDS)
def kind(request):
    return KINDS[request.param]


@pytest.mark.parametrize("signal", [Moved, rows, displaced])
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


@pytest.mark.parametrize("signal", [Moved(*POST), rows(*POST), displaced(*POST)], ids=["moved", "rows", "displaced"])
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


JOINS = {"numpy": np.concatenate, "torch": torch.cat}


def several(make, pre_moves, factors, join):
    """Post and pre side of several pairs of phases, and -dL/dW times samples and span by adding whole products."""
    rng = np.random.default_rng(8)
    posts, pres = (rng.normal(size=(len(factors), 2, 7, n)) for n in (4, 3))
    if not pre_moves:
        pres = np.broadcast_to(pres[0, 0], pres.shape)
    wanted = sum(r * (s[0].T @ a[0] - s[1].T @ a[1]) for r, s, a in zip(factors, posts, pres, strict=True))
    parts = [Moved(make(plus), make(minus)) for plus, minus in posts]
    if not pre_moves:
        return Summed(parts, factors), Held(make(np.array(pres[0, 0]))), wanted, posts
    sides = [Moved(make(plus), make(minus)) for plus, minus in pres]
    return Stacked(parts, factors, join), Stacked(sides, [1.0] * len(factors), join), wanted, posts


@pytest.mark.parametrize("pre_moves", [True, False])
@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("factors", [(1.0, 0.25), (1.0, 0.5, 0.125)])
def test_several_pairs_are_the_weighted_sum_of_all_products(name, factors, pre_moves):
    post, pre, wanted, posts = several(KINDS[name], pre_moves, factors, JOINS[name])
    contrast = Contrast(post, pre, SPAN, SAMPLES)
    np.testing.assert_allclose(contrast.weight_gradient(), -wanted / (SPAN * SAMPLES), rtol=0, atol=1e-13)
    moved = sum(r * (s[0] - s[1]).sum(0) for r, s in zip(factors, posts, strict=True))
    np.testing.assert_allclose(contrast.bias_gradient(), -moved / (SPAN * SAMPLES), rtol=0, atol=1e-13)
    phases = post.plus.T @ pre.plus - post.minus.T @ pre.minus
    np.testing.assert_allclose(phases, wanted, rtol=0, atol=1e-13)
    np.testing.assert_allclose(post.mean, (post.plus + post.minus) / 2, rtol=0, atol=1e-14)


def test_several_pairs_keep_what_float32_products_lose():
    """As with two phases: four states that nudges move by 1e-5 of their size, with the weights of four points."""
    formula = central(4)
    rng = np.random.default_rng(4)
    ends = [[base + 1e-5 * nudge * way for nudge in formula.nudges] for base, way in rng.normal(size=(2, 2, 7, 4))]
    posts, pres = (dict(zip(formula.nudges, np.float32(end), strict=True)) for end in ends)
    whole = dict(zip(formula.nudges, formula.weights, strict=True))
    wanted = sum(w * posts[n].astype(float).T @ pres[n].astype(float) for n, w in whole.items())
    late = sum(np.float32(w) * (posts[n].T @ pres[n]) for n, w in whole.items())
    first = formula.differences[0].weight
    factors = [pair.weight / first for pair in formula.differences]
    post = Stacked([Moved(posts[p], posts[m]) for p, m, _ in formula.differences], factors, np.concatenate)
    pre = Stacked([Moved(pres[p], pres[m]) for p, m, _ in formula.differences], [1.0, 1.0], np.concatenate)
    found = -Contrast(post, pre, 1 / first, 1).weight_gradient()
    assert found.dtype == np.float32
    scale = np.abs(wanted).max()
    assert np.abs(found - wanted).max() < 3e-6 * scale
    assert np.abs(late - wanted).max() > 1e-3 * scale


def test_displaced_states_change_by_what_they_were_moved_by_to_the_last_digit():
    """States of 1 that move by 1e-9 in single precision: subtracted they have moved by nothing."""
    free = np.ones((2, 3), np.float32)
    up, down = np.float32(1e-9) * np.arange(6, dtype=np.float32).reshape(2, 3), np.zeros((2, 3), np.float32)
    signal = Displaced(lambda: free, lambda p, m: np.float32(p) * up + np.float32(m) * down)
    np.testing.assert_array_equal(signal.change, up)
    assert not (signal.plus - signal.minus).any()


def cut(plus, minus):
    """A signal that can be cut, and counts what is computed of it whole."""
    made = displaced(plus, minus)

    def refuse(*_):
        raise AssertionError("computed whole")

    return Displaced(refuse, refuse, lambda columns: displaced(plus[:, columns], minus[:, columns])), made


def test_pre_rows_of_some_columns_are_those_of_all(kind):
    post, pre = ([kind(value) for value in end] for end in (POST, PRE))
    narrow, whole = cut(*pre)
    clamped = Contrast(Moved(*post), Held(pre[0]), SPAN, SAMPLES)
    assert not clamped.pre_moves and len(clamped.pre_columns()(slice(0, 2))) == 1
    for signal in (narrow, whole, Moved(*pre), rows(*pre)):
        contrast = Contrast(Moved(*post), signal, SPAN, SAMPLES)
        wanted = [whole.mean, whole.change]
        assert contrast.pre_moves
        some = contrast.pre_columns()
        for columns in (slice(0, 2), slice(1, PRE[0].shape[1])):
            for found, side in zip(some(columns), wanted, strict=True):
                np.testing.assert_allclose(found, side[:, columns], rtol=0, atol=1e-13)


def test_pieces_are_the_rows_of_whole_samples():
    change, offsets = RNG.normal(size=(9, 4)), np.array([0, 3, 3, 4, 9])
    whole = Pieces(lambda first, last, p, m: p * change[offsets[first] : offsets[last]], offsets, 4)
    contrast = Contrast(Displaced(lambda: 0.0, whole), Held(RNG.normal(size=(9, 3))), SPAN, 4)
    places = [place for place, _ in contrast.pieces()]
    assert places == [slice(0, 4), slice(4, 9)]
    np.testing.assert_array_equal(np.concatenate([rows() for _, rows in contrast.pieces()]), contrast.post_change)
    assert not Pieces(whole.rows, offsets, 9).pieces()
    assert not Contrast(Displaced(lambda: 0.0, whole), Moved(change, change), SPAN, 4).pieces()
    assert not Contrast(Moved(change, change), Held(change), SPAN, 4).pieces()
