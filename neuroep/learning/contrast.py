r"""Contrasts: what the two ends of a synapse saw in its phases, the only thing a weight update may use.

.. math:: \frac{dL}{dW} = -\frac{1}{\mathrm{span}} \left\langle s^+ a^{+T} - s^- a^{-T} \right\rangle

with s the post side, a the pre side, span the difference of the nudges (2 beta centred, beta one-sided). The states are
differenced *before* the outer product, :math:`s^+a^+ - s^-a^- = (s^+ - s^-)\bar a + \bar s (a^+ - a^-)`, because at
small beta the products are nearly equal and float32 would lose their difference. Works on NumPy arrays and torch
tensors alike.

**More than two phases.** A formula of any number of phases is a sum of two-phase contrasts with shares that add up to 1
(:mod:`neuroep.gradients.formulas`), so the difference still comes before the product:

.. math:: \frac{dL}{dW} = -\frac{1}{\mathrm{span}} \sum_j r_j \left\langle s_j^+ a_j^{+T} - s_j^- a_j^{-T}
          \right\rangle, \qquad r_j = \frac{\mathrm{share}_j / \mathrm{span}_j}{\mathrm{share}_1 / \mathrm{span}_1},
          \quad \mathrm{span} = \mathrm{span}_1 / \mathrm{share}_1

The plus phase of a pair is the one of positive weight, so r > 0, as rows that become trains of pulses need it. Each
pair is measured as two phases are, and its factor goes to the rows of the post side. A pre side that
moves has the rows of all pairs below each other (:class:`Stacked`); where it is clamped, the rows of the post side are
summed first (:class:`Summed`), and the product is no larger than with two phases.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, Protocol, TypeAlias, runtime_checkable

import numpy as np

Array = Any
"""numpy.ndarray or torch.Tensor."""
Piece: TypeAlias = tuple[slice, Callable[[], Array]]
"""Some rows of one end of a synapse: their place among all, and what computes their change."""
Number: TypeAlias = "int | np.ndarray"
"""Of a phase since the free one, which is 0; (samples,) where samples take turns of their own."""


@runtime_checkable
class Gradient(Protocol):
    """What an engine learns from: a contrast, or a gradient that is known, as rivals of EP give it."""

    def weight_gradient(self) -> object:
        """Return dL/dW."""

    def bias_gradient(self) -> object:
        """Return dL/db."""


class Signal(Protocol):
    """One end of a synapse in the plus and the minus phase, each (rows, size)."""

    @property
    def plus(self) -> Array: ...

    @property
    def minus(self) -> Array: ...

    @property
    def mean(self) -> Array: ...

    @property
    def change(self) -> Array | None: ...


@dataclass(frozen=True)
class Moved:
    """A state that the nudge moved."""

    plus: Array
    minus: Array

    @cached_property
    def mean(self) -> Array:
        """(plus + minus) / 2."""
        return 0.5 * (self.plus + self.minus)

    @cached_property
    def change(self) -> Array:
        """plus - minus."""
        return self.plus - self.minus


@dataclass(frozen=True)
class Held:
    """A clamped signal, the same in both phases."""

    mean: Array
    change: None = None

    @property
    def plus(self) -> Array:
        """The clamped value."""
        return self.mean

    @property
    def minus(self) -> Array:
        """The clamped value."""
        return self.mean


@dataclass(frozen=True)
class Nulled:
    """A signal less what two phases without a nudge have made of it."""

    signal: Signal
    null: Signal

    @cached_property
    def change(self) -> Array:
        """plus - minus, less that of the phases without a nudge."""
        own: Array = self.signal.change
        return own - self.null.change

    @property
    def mean(self) -> Array:
        """(plus + minus) / 2."""
        return self.signal.mean

    @property
    def plus(self) -> Array:
        """Mean and half the change."""
        return self.mean + 0.5 * self.change

    @property
    def minus(self) -> Array:
        """Mean less half the change."""
        return self.mean - 0.5 * self.change


@dataclass(frozen=True)
class TokenRows:
    """States of an attention layer, one row per real token, computed from its attention weights when asked.

    Parameters
    ----------
    rows : callable
        ``rows(sign_plus, sign_minus)`` returns ``sign_plus a+ + sign_minus a-``, shape (rows, dim), combining the
        weights before the product with the patterns.
    """

    rows: Callable[[float, float], Array]

    @cached_property
    def change(self) -> Array:
        """plus - minus."""
        return self.rows(1.0, -1.0)

    @property
    def mean(self) -> Array:
        """(plus + minus) / 2."""
        return self.rows(0.5, 0.5)

    @property
    def plus(self) -> Array:
        """States of the plus phase."""
        return self.rows(1.0, 0.0)

    @property
    def minus(self) -> Array:
        """States of the minus phase."""
        return self.rows(0.0, 1.0)


@dataclass(frozen=True)
class Displaced:
    """A state known by what the phases have moved a free state by, which the state itself would round off.

    Parameters
    ----------
    free : callable
        Returns the free state, (rows, size).
    moved : callable
        ``moved(sign_plus, sign_minus)`` returns ``sign_plus d+ + sign_minus d-`` of the differences to it.
    cut : callable, optional
        ``cut(columns)`` returns the same of some columns alone, where that is cheaper.
    """

    free: Callable[[], Array]
    moved: Callable[[float, float], Array]
    cut: Callable[[slice], Displaced] | None = None

    def pieces(self) -> list[Piece]:
        """Return some rows of the change at a time, where all of them would take much memory."""
        return self.moved.pieces() if isinstance(self.moved, Pieces) else []

    @cached_property
    def change(self) -> Array:
        """plus - minus."""
        return self.moved(1.0, -1.0)

    @cached_property
    def mean(self) -> Array:
        """(plus + minus) / 2."""
        return self.free() + self.moved(0.5, 0.5)

    @property
    def plus(self) -> Array:
        """States of the plus phase."""
        return self.free() + self.moved(1.0, 0.0)

    @property
    def minus(self) -> Array:
        """States of the minus phase."""
        return self.free() + self.moved(0.0, 1.0)


@dataclass(frozen=True)
class Pieces:
    """What combines the differences of two phases, and does so some rows at a time where that is asked for.

    Parameters
    ----------
    rows : callable
        ``rows(first, last, sign_plus, sign_minus)`` returns ``sign_plus d+ + sign_minus d-`` of some samples.
    offsets : numpy.ndarray
        (samples + 1,) where their rows begin.
    most : int
        Rows of one piece, unless a sample alone has more.
    """

    rows: Callable[[int, int, float, float], Array]
    offsets: np.ndarray
    most: int

    def __call__(self, plus: float, minus: float) -> Array:
        """Return all rows."""
        return self.rows(0, len(self.offsets) - 1, plus, minus)

    def pieces(self) -> list[Piece]:
        """Return the change in pieces; none where one holds all rows."""
        ends = [0]
        for sample in range(1, len(self.offsets)):
            if self.offsets[sample] - self.offsets[ends[-1]] > self.most and sample - 1 > ends[-1]:
                ends.append(sample - 1)
        places = list(zip(ends, [*ends[1:], len(self.offsets) - 1], strict=True))
        if len(places) < 2:
            return []
        cuts = (slice(*self.offsets[[first, last]].tolist()) for first, last in places)
        return [(cut, partial(self.rows, *place, 1.0, -1.0)) for cut, place in zip(cuts, places, strict=True)]


@dataclass(frozen=True)
class Pair:
    """Two phases to contrast.

    Parameters
    ----------
    plus, minus : object
        States of the network.
    span : float
        Nudge of the plus phase minus nudge of the minus phase.
    share : float
        Of their difference quotient, of the sign of ``span``; those of all pairs of a formula add up to 1.
    numbers : (Number, Number)
        When the plus and the minus phase settled.
    free : object, optional
        The free state, for a read-out that subtracts what it makes of two equal phases.
    null : Pair, optional
        Two phases without a nudge, whose change is subtracted.
    """

    plus: Any
    minus: Any
    span: float
    share: float = 1.0
    numbers: tuple[Number, Number] = (1, 2)
    free: object = None
    null: Pair | None = None


@dataclass(frozen=True)
class Stacked:
    """One end of a synapse in several pairs of phases, the rows of every pair below those of the one before.

    Parameters
    ----------
    parts : sequence of Signal
        By pair, none clamped.
    factors : sequence of float
        r of every pair; 1 throughout for the pre side.
    join : callable
        Puts arrays below each other: ``numpy.concatenate`` or ``torch.cat``.
    """

    parts: Sequence[Signal]
    factors: Sequence[float]
    join: Callable[[Sequence[Array]], Array]

    def _joined(self, rows: list[Array]) -> Array:
        return self.join([factor * row for factor, row in zip(self.factors, rows, strict=True)])

    @cached_property
    def change(self) -> Array:
        """r (plus - minus) of every pair."""
        return self._joined([part.change for part in self.parts])

    @cached_property
    def mean(self) -> Array:
        """r (plus + minus) / 2 of every pair."""
        return self._joined([part.mean for part in self.parts])

    @cached_property
    def plus(self) -> Array:
        """States of the plus phases, times r."""
        return self._joined([part.plus for part in self.parts])

    @cached_property
    def minus(self) -> Array:
        """States of the minus phases, times r."""
        return self._joined([part.minus for part in self.parts])


@dataclass(frozen=True)
class Summed:
    """The post side of a clamped pre side in several pairs of phases: sums over the pairs.

    Parameters
    ----------
    parts : sequence of Signal
        By pair.
    factors : sequence of float
        r of every pair.
    """

    parts: Sequence[Signal]
    factors: Sequence[float]

    def _sum(self, rows: list[Array]) -> Array:
        first, *others = [factor * row for factor, row in zip(self.factors, rows, strict=True)]
        return sum(others, start=first)

    @cached_property
    def change(self) -> Array:
        """Sum of r (plus - minus)."""
        return self._sum([part.change for part in self.parts])

    @cached_property
    def mean(self) -> Array:
        """Sum of r (plus + minus) / 2."""
        return self._sum([part.mean for part in self.parts])

    @cached_property
    def plus(self) -> Array:
        """Sum of r plus."""
        return self._sum([part.plus for part in self.parts])

    @cached_property
    def minus(self) -> Array:
        """Sum of r minus."""
        return self._sum([part.minus for part in self.parts])


@dataclass(frozen=True)
class Contrast:
    """What one synapse saw.

    Parameters
    ----------
    post, pre : Signal
        Both ends, rows of a token-wise synapse are tokens, of a dense one samples; of several pairs of phases stacked
        or summed.
    span : float
        Difference of the two nudges; of several pairs span over share of the first, whose rows have factor 1.
    samples : int
        Batch size over which the gradient is averaged.
    """

    post: Signal
    pre: Signal
    span: float
    samples: int

    @property
    def scale(self) -> float:
        """Factor from the summed outer products to dL/dW."""
        return -1.0 / (self.span * self.samples)

    @property
    def post_change(self) -> Array:
        """Change of the post side; a layer is never clamped, so there is one."""
        return self.post.change

    @property
    def pre_moves(self) -> bool:
        """Whether the pre side is not clamped, so that there are two terms."""
        pre = self.pre
        return (isinstance(pre, Displaced) and pre.cut is not None) or pre.change is not None

    def terms(self) -> list[tuple[Array, Array]]:
        """Return pairs (post rows, pre rows): dL/dW is ``scale`` times the sum of ``post.T @ pre`` over them."""
        pairs = [(self.post_change, self.pre.mean)]
        if self.pre_moves:
            pairs.append((self.post.mean, self.pre.change))
        return pairs

    def pieces(self) -> list[Piece]:
        """Return some rows of :attr:`post_change` at a time where the pre side is clamped; none where they are few."""
        return self.post.pieces() if isinstance(self.post, Displaced) and not self.pre_moves else []

    def pre_columns(self) -> Callable[[slice], list[Array]]:
        """Return what gives the pre rows of :meth:`terms` in some columns.

        A wide pre side need so never be whole in memory once more; what cannot be cut is computed here, once.
        """
        pre = self.pre
        if isinstance(pre, Displaced) and pre.cut is not None:
            cut = pre.cut

            def some(columns: slice) -> list[Array]:
                part = cut(columns)
                return [part.mean, part.change]

            return some
        whole = [pre.mean, pre.change] if self.pre_moves else [pre.mean]
        return lambda columns: [side[:, columns] for side in whole]

    def bias_gradient(self) -> Array:
        """Return dL/db, shape (post size,)."""
        return self.scale * self.post_change.sum(0)

    def weight_gradient(self) -> Array:
        """Return dL/dW, shape (post size, pre size)."""
        products = [post.T @ pre for post, pre in self.terms()]
        return self.scale * sum(products[1:], start=products[0])
