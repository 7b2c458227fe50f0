# Tested by tests/neuroep/engines/torch/test_sums.py.
r"""Products of numbers in bfloat16 whose sums are kept in single precision.

A product of torch in bfloat16 adds up in single precision and rounds the sum, by :math:`2^{-8}` of it at most. In a
drive of some hundred inputs that is more than the rounding of all inputs together, and it decides which neurons beside
a bound of a hard sigmoid are clipped. So with a guess c of the sum, a number of bfloat16 itself, the product read is

.. math:: y = c + \operatorname{round}\Big(\sum_j x_j w_j - c\Big),

in which only what the guess misses is rounded: :math:`2^{-8}\,|y - c|`. The guess is what the product was when the
state was last read, so that the error falls as the state settles, and costs nothing; where it has not been read before,
the product rounded as it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch

from hw_models.kept_memory import sparse
from neuroep.engines.parts import Memory

SUMS = "sums"
"""Name of what a state's memory keeps of it."""


@dataclass(frozen=True)
class Guesses:
    """What the terms of a product were, when it was last read.

    Parameters
    ----------
    values : torch.Tensor
        (terms, rows, outputs), bfloat16.
    """

    values: torch.Tensor

    def copy(self) -> Guesses:
        """Return the same in other memory."""
        return Guesses(self.values.clone())

    def some(self, rows: np.ndarray) -> Guesses:
        """Return those of some rows."""
        return Guesses(self.values[:, torch.from_numpy(rows).to(self.values.device)])


def guesses(memory: Memory, terms: int, rows: int, outputs: int, device: torch.device) -> tuple[torch.Tensor, bool]:
    """Return what a memory keeps of a product, to be written to, and whether it is known already."""
    known = SUMS in memory
    if not known:
        shape = terms, rows, outputs
        if device.type == "cpu":
            bits = sparse(shape, np.dtype(np.uint16))
            memory[SUMS] = Guesses(torch.from_numpy(bits).view(torch.bfloat16))
        else:
            memory[SUMS] = Guesses(torch.empty(shape, dtype=torch.bfloat16, device=device))
    return memory[SUMS].values, known


def product(
    states: torch.Tensor, weight: torch.Tensor, guess: torch.Tensor | None = None, known: bool = False
) -> torch.Tensor:
    """Return the product of rounded numbers.

    Parameters
    ----------
    states, weight : torch.Tensor
        (rows, n) and (n, outputs), bfloat16.
    guess : torch.Tensor, optional
        (rows, outputs) bfloat16, of the sums, written over by what they are; without it they are rounded.
    known : bool
        Whether the guess has been read already, or is anything.

    Returns
    -------
    torch.Tensor
        (rows, outputs), float32 where there is a guess, bfloat16 otherwise.
    """
    if guess is None:
        return states @ weight
    if not known:
        torch.mm(states, weight, out=guess)
    found = guess.float()
    found += torch.addmm(guess, states, weight, beta=-1)
    guess.copy_(found)
    return found


def short(values: np.ndarray | torch.Tensor) -> torch.Tensor:
    """Return numbers rounded to bfloat16."""
    return torch.as_tensor(values).to(torch.bfloat16)


@contextmanager
def one_thread() -> Iterator[None]:
    """Keep torch to one thread inside, where blocks are parallel already; the number belongs to each thread."""
    before = torch.get_num_threads()
    if before != 1:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        if before != 1:
            torch.set_num_threads(before)
