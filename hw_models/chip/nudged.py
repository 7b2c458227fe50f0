# Tested by tests/neuroep/engines/chip/test_increments.py.
"""How a chip computes its nudged phases, as data.

EP reads the difference of two phases, which the nudge moves by 1e-4 to 1e-2 of full scale. *Increments* make the arrays
see that difference alone: the drives u0 of the settled free state s0 are held, and in a nudged phase

    u = u0 + W (s - s0)        forward,        u = u0 + W^T (s - s0)        transposed

Read noise of devices goes by what drives them, so it shrinks with |s - s0|; DAC and ADC have ranges of their own for
increments, signed and calibrated on them, whose steps are as much finer. Price: one more read of every array for u0.
A sigma-delta or event-driven chip does the same by itself.

Where forward and transposed products come from two arrays that differ, V beside W, the free phase settles where
s0 = F(s0), F of W s forward and V^T s back, whose Jacobian J is not symmetric; its increments travel by J, and the
contrast of the phases is not the gradient. With the arrays *exchanged*,

    u = u0 + V (s - s0)        forward,        u = u0 + W^T (s - s0)        transposed

they travel by J^T = J - 2A, A the antisymmetric part of J at s0: the step s' = F(s) - beta dC - 2A (s - s0) of AsymEP
(Scurria et al., arXiv 2602.03670), to first order in s - s0, without A and without another read. The contrast is then
the gradient of the loss at the free state, up to O(beta^2).
"""

from __future__ import annotations

from typing import Literal, Self

from pydantic import model_validator

from hw_models.chip.fields import Count, Part, at


class Nudged(Part):
    """How nudged phases are computed. The free phase does not change."""

    drive: Literal["states", "increments"] = at("read", default="states")
    """Nudged phases drive the arrays with their states (states), or with the change of these states since the settled
    free state (increments). The drives of the free state are then read once more and held."""

    paths: Literal["own", "exchanged"] = at("read", default="own")
    """Increments: they go through the array of their own direction (own), or forward through the array of the
    transposed path and back through that of the forward path (exchanged, AsymEP). Exchanged paths compensate a
    transposed path with other weights."""

    mean_sweeps: Count = at("step", "sweeps", 1)
    """Number of last sweeps of every phase, also the free one, whose mean state is read out and is the start of the
    next phase. White noise of reads and states falls with the root of this number. It costs an addition per neuron for
    each of these sweeps, but no further sweep."""

    @property
    def increments(self) -> bool:
        """Whether arrays are driven with changes of the states."""
        return self.drive == "increments"

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if not self.increments:
            self.idle("with drive increments", "paths")
        return self
