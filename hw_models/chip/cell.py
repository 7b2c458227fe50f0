# Tested by tests/hw_models/chip/test_cell.py.
"""Which devices make one weight that changes in memory, as data; equations: :mod:`hw_models.arrays.cells`."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from hw_models.chip.fields import Count, Finite, NonNegative, Part, at


class Cell(Part):
    """The devices of one weight; states and weights are shares of the weight range, as in ``device.pulse``."""

    kind: Literal["single", "one_sided", "bidirectional"] = at("update", default="single")
    """Which devices take the pulses of a weight: one state, of which a pair of conductances is made; two devices with
    responses, bounds and a history of their own that only grow, pulses up on G+ and pulses down on G-; or two of which
    a pulse up raises G+ and lowers G-, a pulse down the other way round."""
    reference_at: Literal["symmetry", "middle"] | None = at("programming", default=None)
    """Where the reference device of a weight is programmed, with crossbar.reference = 'device': at the state at which
    this device's steps up and down are alike, or at weight 0. Unset is symmetry, but of weights whose devices' points
    are farther from 0 than half way to a bound, root mean square, the middle."""
    reference_mean: Finite = at("programming", "weight range", 0.0)
    """Mean error of that programming."""
    reference_spread: NonNegative = at("device", "weight range", 0.0)
    """Device-to-device standard deviation of that error."""
    reference_rounds: Annotated[int, Field(ge=1, le=64)] = at("programming", "rounds", 1)
    """Most times that references are programmed whenever weights are: again, with an error drawn anew, those beside
    which the device does not hold what it is written with to a pulse."""
    reset: NonNegative = at("update", "weight range", 0.0)
    """State after a reset of a device of a pair: mean."""
    reset_spread: NonNegative = at("device", "weight range", 0.0)
    """Device-to-device standard deviation of it."""
    reset_noise: NonNegative = at("update", "weight range", 0.0)
    """Standard deviation of it from reset to reset."""
    refresh_every: Count | None = at("update", "updates", None)
    """One-sided pairs: updates between two looks at all devices for pairs that are to be refreshed, which are reset and
    their difference written again; unset never looks."""
    refresh_above: Annotated[float, Field(gt=0, le=1)] = at("update", "w_max", 0.75)
    """Refresh: state of the larger device of a pair beyond which it is refreshed, where the smaller one ..."""
    refresh_lesser: Annotated[float, Field(ge=0, le=1)] = at("update", "w_max", 0.25)
    """... is beyond this: a difference that is nearly a whole device would be written as it was."""
    refresh_most: Count | None = at("update", "pairs", None)
    """Refresh: most pairs of an array at once, those with the largest device first; unset takes all."""
    refresh_rounds: Count = at("update", default=1)
    """Refresh: times that what is missing to the difference is given in pulses of dw_min; before each but the first the
    pair is read again."""
    refresh_noise: NonNegative = at("read", "weight range", 0.0)
    """Refresh: standard deviation of a state as it is read."""

    @property
    def paired(self) -> bool:
        """Whether two devices take pulses."""
        return self.kind != "single"

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.kind != "one_sided":
            names = (name for name in type(self).model_fields if name.startswith(("refresh", "reset")))
            self.idle("with cell.kind one_sided", *names)
        if self.refresh_every is None:
            names = (name for name in type(self).model_fields if name.startswith(("refresh_", "reset")))
            self.idle("with refresh_every", *names)
        if self.refresh_lesser > self.refresh_above:
            raise ValueError(f"refresh_lesser = {self.refresh_lesser}: at most refresh_above = {self.refresh_above}")
        return self
