"""Products in bfloat16 against those of rounded numbers in double precision: what a guess of the sum leaves of them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from neuroep.engines.torch import sums

MOST = 2.0**-8
"""What rounding to bfloat16 takes of a number at most."""


@pytest.fixture
def case():
    """States, weights and their exact product."""
    draw = torch.Generator().manual_seed(3)
    states, weight = (torch.randn(shape, generator=draw).to(torch.bfloat16) for shape in ((20, 700), (700, 30)))
    return states, weight, states.double() @ weight.double()


def test_a_product_is_rounded_once(case):
    states, weight, exact = case
    found = sums.product(states, weight)
    assert found.dtype == torch.bfloat16
    assert 1e-4 < ((found.double() - exact).abs() / exact.abs()).max() <= MOST


def test_what_is_read_for_the_first_time_keeps_the_precision_of_float32(case):
    states, weight, exact = case
    memory = {}
    (guess,), known = sums.guesses(memory, 1, 20, 30, states.device)
    guess.fill_(torch.nan)  # it may be anything
    found = sums.product(states, weight, guess, known)
    assert not known and found.dtype == torch.float32
    assert (found.double() - exact).abs().max() < MOST**2 * exact.abs().max()
    assert torch.equal(guess, found.to(torch.bfloat16))


@pytest.mark.parametrize("share", [1e-3, 0.1, 3.0])
def test_a_guess_leaves_a_rounding_of_what_it_misses(case, share):
    states, weight, exact = case
    draw = torch.Generator().manual_seed(4)
    before = exact + share * exact.std() * torch.randn(exact.shape, generator=draw, dtype=torch.float64)
    memory = {sums.SUMS: sums.Guesses(before.to(torch.bfloat16)[None])}
    (guess,), known = sums.guesses(memory, 1, 20, 30, states.device)
    missed = (exact - guess.double()).abs()
    found = sums.product(states, weight, guess, known)
    assert known and ((found.double() - exact).abs() <= MOST * missed + 1e-6 * exact.abs().max()).all()
    assert torch.equal(memory[sums.SUMS].values[0], found.to(torch.bfloat16))


def test_guesses_of_some_rows_and_copies_are_their_own():
    values = torch.arange(24.0).view(2, 4, 3).to(torch.bfloat16)
    kept = sums.Guesses(values)
    some, copy = kept.some(np.array([3, 1])), kept.copy()
    values.zero_()
    assert torch.equal(some.values, copy.values[:, [3, 1]]) and copy.values.float().sum() == np.arange(24).sum()


def test_one_thread_inside():
    before = torch.get_num_threads()
    with sums.one_thread():
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == before
