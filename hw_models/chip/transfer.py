# Tested by tests/hw_models/chip/test_description.py.
"""How what a fast array has gathered goes to the slow one, as data; an unset field is the rule's own default."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from hw_models.chip.fields import Count, Finite, NonNegative, Part, Positive, Share, at


class Transfer(Part):
    """Reads of a fast array A, column by column, and what they do to the slow array W."""

    every: Count | None = at("update", "updates", None)
    """Updates between two reads of A, n_s. Mixed precision: updates between two transfers of whole granules."""
    columns: Count | None = at("update", "columns", None)
    """Columns that are read each time, one group after the other. Unset reads all."""
    gamma: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = at("read", default=None)
    """Share of A in the weights that products read, where A counts relative to its reference; 0 hides A. Residual
    learning: scale of an array over that of the array before it, below 1."""
    tiles: Annotated[int, Field(ge=2, le=32)] | None = at("update", "arrays", None)
    """Residual: arrays that hold a weight. Each has gamma times the scale of the one before."""
    warm: Count | None = at("update", "updates", None)
    """Residual: updates after which one more array takes part, from the coarsest to the finest. Unset, all take part
    from the start."""
    verify: bool | None = at("update", default=None)
    """Residual: whether columns are read before and after pulses, so that finer arrays learn what these missed."""
    pulses: Positive | None = at("update", "pulses", None)
    """With scaling auto: change of A by trains in one update, as pulses, root mean square over its devices. Unset takes
    4 (1 + noise^2) to 100, at most what A does not forget until it is read for the last time, and at most a quarter of
    its bound."""
    rate: Positive | None = at("update", "pulses", None)
    """Pulses of W that a reading at A's full range adds. Unset is the value with which W follows the wanted change. If
    it is given, also with scaling auto, it alone sets the change of weights: learning rates and update.step then apply
    only to biases."""
    most: Count | None = at("update", "pulses", None)
    """Most pulses of a device of W at a time. Unset gives all."""
    keep: Annotated[float, Field(ge=0, lt=1)] | None = at("update", default=None)
    """Share of H that stays where pulses were given. Unset subtracts what was given."""
    chop_every: Count | None = at("update", "reads", None)
    """Reads of a column after which its sign flips."""
    chop_probability: Share | None = at("update", default=None)
    """Probability that the sign of a column flips after it is read."""
    tracking: Annotated[float, Field(gt=0, le=1)] | None = at("update", default=None)
    """How fast the reference follows: the share of the newest read in a running mean, eta."""
    momentum: Annotated[float, Field(ge=0, lt=1)] | None = at("update", default=None)
    """Share of A that stays from one of its reads to the next, mu."""
    read_range: Annotated[float, Field(gt=0, le=1)] | None = at("update", "of A's range", None)
    """Reading of a column at which its ADC stops, where the ADC has bits and A is hidden."""
    reference_mean: Finite | None = at("programming", "of A's range", None)
    """Mean error of the references of A's devices, with crossbar.reference = 'device'. Unset takes that of device.cell,
    which the references of the weights have."""
    reference_spread: NonNegative | None = at("device", "of A's range", None)
    """Device-to-device standard deviation of that error, likewise."""
