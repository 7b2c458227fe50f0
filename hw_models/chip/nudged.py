# Tested by tests/neuroep/engines/chip/test_increments.py.
"""How a chip computes its nudged phases, as data.

EP reads the difference of two phases, which the nudge moves by 1e-4 to 1e-2 of full scale. *Increments* make the arrays
see that difference alone: the drives u0 of the settled free state s0 are held, and in a nudged phase

    u = u0 + W (s - s0)        forward,        u = u0 + W^T (s - s0)        transposed

Read noise of devices goes by what drives them, so it shrinks with |s - s0|; DAC and ADC have ranges of their own for
increments, signed and calibrated on them, whose steps are as much finer. Price: one more read of every array for u0.
A sigma-delta or event-driven chip does the same by itself.
"""

from __future__ import annotations

from typing import Literal

from hw_models.chip.fields import Part, at


class Nudged(Part):
    """How nudged phases are computed; the free phase is as ever."""

    drive: Literal["states", "increments"] = at("read", default="states")
    """Nudged phases drive the arrays with states, or with what these moved since the settled free state, whose drives
    are read once more and held."""

    @property
    def increments(self) -> bool:
        """Whether arrays are driven with changes of the states."""
        return self.drive == "increments"
