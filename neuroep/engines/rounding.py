# Tested by tests/neuroep/engines/test_rounding.py.
"""Whether products of states are rounded, and where not: what all arrays of an engine share.

Rounded products are several times as fast, and their fixed point is a little off, or a cycle of roundings that no sweep
ends. So a free phase begins with them and ends in full (:class:`neuroep.engines.settling.Settling`), and nudged phases,
which as differences lose only what a product loses of itself, read them throughout.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

COARSE = 0.02
"""Change of a free phase's sweep, in units of the states, below which its products are read in full: about 2^-9 of a
drive that adds up some tens of inputs."""


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
