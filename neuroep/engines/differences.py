# Tested by tests/neuroep/engines/test_nudging.py.
r"""What solves nudged phases for differences to the free state: parts of exact arithmetic, beside those of states.

A nudge moves states by 1e-3 to 1e-6 of themselves. Two settled states subtracted have the rounding of the states in
their difference; solved for directly, :math:`d = s(\beta) - s(0)` has a rounding of its own size only. The free state
:math:`s` counts as a fixed point: what it lacks of one is in both phases alike, and in no difference.

With :math:`\Delta u = W\, d_{pre} + W^T d_{post}`, the drive's change, and y the target:

- hard sigmoid of slope g: :math:`d = \mathrm{clip}(x, -z, 1 - z) + (z - s)`, where the free drive puts the neuron at
  :math:`z = g u`, beyond 0 or 1 where it is clipped, and at s where it is not. Free :math:`x = g\,\Delta u`; nudged
  layer-wise :math:`x = (\Delta u + \beta (y - z)) / (1/g + \beta)`; nudged synchronously
  :math:`x = g\,(\Delta u - \beta (s + d - y))`.
- linear: the same without a clip, z = s.
- smooth sigmoid: :math:`d = s (1 - s) E / (1 + s E),\ E = e^w - 1`; tanh: twice the same with (1 + s)/2 for s and 2 w
  for w. Free :math:`w = \Delta u`; nudged layer-wise the root of :math:`w = \Delta u - \beta (s + d(w) - y)`, by Newton
  steps inside a bracket.
- attention: :math:`l = \kappa\, \Delta f X^T,\ E = e^{l - \bar l} - 1,\ \bar l = \sum_j p_j l_j,\ c = \sum_j p_j E_j,\
  \Delta p = p\,(E - c)/(1 + c),\ \Delta a = \Delta p\, X`. Any constant may stand for :math:`\bar l`; with the mean
  1 + c is at least 1 (Jensen).

A neuron whose state has rounded to the bound of a smooth sigmoid or tanh stays there. No form subtracts two numbers
that are nearly equal but those which differ by the displacement itself. With dt < 1 all of them relax,
:math:`d \leftarrow d + dt\,(d^* - d)`.

Rows of all nudges of a batch lie below each other, ``(nudges * batch, size)``, those of the first nudge first.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from neuroep.engines.parts import Held, Part, Rows, Values
from neuroep.engines.schedule import Schedule
from neuroep.network import AttentionLayer, DenseLayer

Change = tuple[Values, Values]
"""Of one nudge, (samples,) each: the largest change of a difference in this step, NaN if there is one, and the largest
difference."""
Displacement = tuple[Values, Values]
"""Of one nudge: differences of an attention layer's read-out, (batch, size), and of its weights in the unit's form."""


class DifferenceNeurons(Part, Protocol):
    """The neurons of one dense layer, in differences."""

    def place(self, product: Values, feedback: Values | None, state: Values) -> Values:
        """Return where the free drive puts the neurons, (batch, size), made consistent with the state they hold."""
        ...

    def displace(
        self,
        place: Values,
        product: Values | None,
        feedback: Values | None,
        moved: Values,
        target: Values | None,
        betas: Sequence[float],
        schedule: Schedule,
    ) -> tuple[Values, list[Change]]:
        """Return the next differences and what has changed, by nudge.

        Parameters
        ----------
        place : array
            (batch, size), as of :meth:`place`.
        product, feedback : array or None
            (nudges * batch, size), changes of the drive by the synapses in front and behind; None where there is none.
        moved : array
            (nudges * batch, size), the differences; parts that work in place write to it.
        target : array or None
            (batch, size) what the nudges pull towards; None leaves the layer free.
        betas : sequence of float
            Strengths of the nudges.
        schedule : Schedule
            Order and time step.
        """
        ...


class DifferenceAttention(Part, Protocol):
    """One attention layer, in differences."""

    def ground(self, held: Held, weights: Values) -> Values:
        """Return p of the free state, (batch, queries, patterns), or the unit's own form of it."""
        ...

    def still(self, held: Held, nudges: int) -> Values:
        """Return the differences of weights where nothing has moved, in the unit's form, nudge by nudge below."""
        ...

    def displace(
        self, held: Held, free: Values, feedback: Values, value: Values, weights: Values, dt: float
    ) -> tuple[Values, Values, list[Change]]:
        """Return the next differences of the read-out and of the weights, and what has changed, by nudge.

        Parameters
        ----------
        held : object
            Of the batch.
        free : object
            p of the free state, as of :meth:`ground`.
        feedback : array
            (nudges * batch, size), the change of the feedback.
        value, weights : array
            Differences of the read-out, (nudges * batch, size), and of the weights in the unit's form.
        dt : float
            Time step.
        """
        ...

    def some_ground(self, free: Values, rows: np.ndarray) -> Values:
        """Return p of the free state of some samples, as it goes with what is held of them."""
        ...

    def explicit_change(self, held: Held, free: Values, weights: Values) -> Values:
        """Return the differences of p, (batch, queries, patterns), of one nudge."""
        ...

    def moved_rows(self, held: Held, free: Values, plus: Displacement | None, minus: Displacement | None) -> Rows:
        """Return what combines the differences of two nudges' token states, a row per token; None has not moved."""
        ...


class DifferenceParts(Protocol):
    """Makes the parts of a substrate that solves for differences."""

    def neurons(self, layer: DenseLayer) -> DifferenceNeurons:
        """Return the neurons of one dense layer."""
        ...

    def attention(self, layer: AttentionLayer) -> DifferenceAttention:
        """Return the unit of one attention layer."""
        ...
