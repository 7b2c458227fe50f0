# Tested by tests/neuroep/engines/test_rounding.py.
"""Whether products of states are rounded, and where not: what all arrays of an engine share.

Rounded products are several times as fast. What rounds the inputs of a drive is as good as independent from input to
input, and of a few thousand of them hardly anything is left; sums keep the precision of float32
(:mod:`neuroep.engines.torch.sums`). So a free phase with a tolerance that such products reach ends with them, and one
with a smaller tolerance begins with them and ends in full (:class:`neuroep.engines.settling.Settling`). Nudged phases,
which as differences lose only what a product loses of itself, read them throughout.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

COARSE = 0.02
"""Change of a free phase's sweep, in units of the states, below which its products are read in full: about 2^-8 of a
drive that adds up some tens of inputs."""


CLOSE = 0.002
"""Least tolerance of a free phase that rounded products may end by themselves: what roundings of states, feedback and
weights move the states of the paper's networks by is less."""
STALLED = 3
"""Sweeps without a smaller change than there was before, after which rounded products are taken to be in a cycle."""


def stalled(changes: Sequence[float]) -> bool:
    """Tell whether a phase of rounded products gets no further, by the changes of its sweeps."""
    last, before = changes[-STALLED:], changes[:-STALLED]
    return bool(before) and min(last) >= min(before) and max(last) <= COARSE


class Rounding:
    """What products are read as.

    Parameters
    ----------
    products : str
        ``full``, or what states and weights are rounded to.

    Attributes
    ----------
    now : bool
        Whether a product read now is rounded.
    """

    def __init__(self, products: str = "full") -> None:
        self.products = products
        self.now = self.there

    @property
    def there(self) -> bool:
        """Whether any product is rounded."""
        return self.products != "full"

    @contextmanager
    def full(self, whether: bool = True) -> Iterator[None]:
        """Read products inside in full, or as before."""
        before = self.now
        self.now = before and not whether
        try:
            yield
        finally:
            self.now = before
