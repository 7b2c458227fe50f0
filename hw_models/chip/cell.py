# Tested by tests/hw_models/chip/test_cell.py.
"""Which devices make one weight that changes in memory, as data; equations: :mod:`hw_models.arrays.cells`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from hw_models.chip.fields import Count, Finite, NonNegative, Part, at


class Cell(Part):
    """The devices of one weight; states and weights are shares of the weight range, as in ``device.pulse``."""

    kind: Literal["single", "one_sided", "bidirectional"] = at("update", default="single")
    """Which devices take the pulses of a weight. Single: one state, which sets the conductances of a pair. One-sided:
    two devices that only grow, each with its own response, bounds and history; pulses up go to G+, pulses down to G-.
    Bidirectional: two devices; a pulse up raises G+ and lowers G-, a pulse down does the opposite. Programming leaves
    one of the two at g_min, which no pulse lowers further: from there a pulse lets a weight grow by one step, and
    shrink by two."""
    reference_at: Literal["symmetry", "middle"] | None = at("programming", default=None)
    """With crossbar.reference = 'device': where the reference device of a weight is programmed. Symmetry: at the state
    at which the steps up and down of the weight's device are alike. Middle: at weight 0. Unset is symmetry; if the root
    mean square of these states is farther from 0 than half way to a bound, it is middle."""
    reference_mean: Finite = at("programming", "of the weight range", 0.0)
    """Mean error of the programming of references."""
    reference_spread: NonNegative = at("device", "of the weight range", 0.0)
    """Device-to-device standard deviation of that error."""
    reference_rounds: Annotated[int, Field(ge=1, le=64)] = at("programming", "rounds", 1)
    """Most times that references are programmed when weights are programmed. A reference is programmed again, with a
    newly drawn error, if the device beside it cannot hold what it is written with to within a pulse."""
    reset: NonNegative = at("update", "of the weight range", 0.0)
    """Mean state of a device of a pair after a reset."""
    reset_spread: NonNegative = at("device", "of the weight range", 0.0)
    """Device-to-device standard deviation of the state after a reset."""
    reset_noise: NonNegative = at("update", "of the weight range", 0.0)
    """Standard deviation of that state from reset to reset."""
    refresh_every: Count | None = at("update", "updates", None)
    """One-sided pairs: updates between two searches of all devices for pairs that are nearly full. Such pairs are reset
    and their difference is written again. Unset never searches."""
    refresh_above: Annotated[float, Field(gt=0, le=1)] = at("update", "of w_max", 0.75)
    """Refresh: a pair is refreshed if its larger device is beyond this state and its smaller one beyond
    refresh_lesser."""
    refresh_lesser: Annotated[float, Field(ge=0, le=1)] = at("update", "of w_max", 0.25)
    """Refresh: least state of the smaller device. With a smaller one, the difference is nearly a whole device, and a
    refresh would write the pair as it was."""
    refresh_most: Count | None = at("update", "pairs", None)
    """Refresh: most pairs of an array at once, those with the largest device first. Unset takes all."""
    refresh_rounds: Count = at("update", default=1)
    """Refresh: how often the missing part of the difference is given in pulses of dw_min. Before each round but the
    first, the pair is read again."""
    refresh_noise: NonNegative = at("read", "of the weight range", 0.0)
    """Refresh: standard deviation of a read state."""

    @property
    def paired(self) -> bool:
        """Whether two devices take pulses."""
        return self.kind != "single"

    def impossible(self) -> Iterator[str]:
        """Yield what cannot be together."""
        if self.kind != "one_sided":
            names = (name for name in type(self).model_fields if name.startswith(("refresh", "reset")))
            self.idle("with cell.kind one_sided", *names)
        if self.refresh_every is None:
            names = (name for name in type(self).model_fields if name.startswith(("refresh_", "reset")))
            self.idle("with refresh_every", *names)
        if self.refresh_lesser > self.refresh_above:
            yield f"refresh_lesser = {self.refresh_lesser}: at most refresh_above = {self.refresh_above}"
