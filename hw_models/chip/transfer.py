# Tested by tests/hw_models/chip/test_description.py.
"""How what a fast array has gathered goes to the slow one, as data; an unset field is the rule's own default."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from hw_models.chip.fields import Count, Finite, NonNegative, Part, Positive, Share, at


class Transfer(Part):
    """Reads of a fast array A, column by column, and what they do to the slow array W."""

    every: Count | None = at("update", "updates", None)
    """Updates between two reads, n_s; of mixed precision between two transfers of whole granules."""
    columns: Count | None = at("update", "columns", None)
    """Columns that are read each time, one group after the other; unset reads all."""
    gamma: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = at("read", default=None)
    """Share of A in the weights that products read, where A is tracked of what it is beyond its reference; 0 hides it.
    Of residual learning the scale of an array over that of the one before it, below 1."""
    tiles: Annotated[int, Field(ge=2, le=32)] | None = at("update", "arrays", None)
    """Residual: arrays that hold a weight, each at gamma times the scale of the one before."""
    warm: Count | None = at("update", "updates", None)
    """Residual: updates after which one more array takes part, from the coarsest to the finest; unset all do."""
    verify: bool | None = at("update", default=None)
    """Residual: whether columns are read before and after pulses, so that finer arrays learn what these missed."""
    pulses: Positive | None = at("update", "pulses", None)
    """With scaling auto: what trains change A by in one update, root mean square over its devices, as pulses; unset
    takes 4 (1 + noise^2) to 100, at most what A does not forget until it is read for the last time, and a quarter of
    its bound."""
    rate: Positive | None = at("update", "pulses", None)
    """What a reading at A's full range adds to the pulses of W; unset is what makes W follow the wanted change. Given,
    and with scaling auto, weights follow it alone: learning rates and update.step are then of biases."""
    most: Count | None = at("update", "pulses", None)
    """Most pulses of a device of W at a time; unset gives all."""
    keep: Annotated[float, Field(ge=0, lt=1)] | None = at("update", default=None)
    """Share of H that stays where pulses were given; unset takes off what was given."""
    chop_every: Count | None = at("update", "reads", None)
    """Reads of a column after which its sign flips."""
    chop_probability: Share | None = at("update", default=None)
    """Probability that the sign of a column flips behind a read of it."""
    tracking: Annotated[float, Field(gt=0, le=1)] | None = at("update", default=None)
    """How far the reference follows: of a running mean the share of the newest read, eta."""
    momentum: Annotated[float, Field(ge=0, lt=1)] | None = at("update", default=None)
    """Share of A that stays from one read of it to the next, mu."""
    read_range: Annotated[float, Field(gt=0, le=1)] | None = at("update", "A's range", None)
    """Reading of a column at the stop of its ADC, where that has bits and A is hidden."""
    reference_mean: Finite | None = at("programming", "A's range", None)
    """Mean error of the references of A's devices, with crossbar.reference = 'device'; unset is that of device.cell,
    which the weights' own have."""
    reference_spread: NonNegative | None = at("device", "A's range", None)
    """Device-to-device standard deviation of that error, likewise."""
