# Tested by tests/hw_models/measured/test_fit.py.
"""What is estimated again without one group of devices or of cycles each, and the standard errors that follow.

Source: the delete-a-group jackknife, Efron and Stein, Annals of Statistics 9:586, 1981.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from hw_models.measured import spreads

Array = np.ndarray
SURE = 2.0
"""Standard errors above 0 from which a variance counts."""


@dataclass(frozen=True)
class GroupValues:
    """What is estimated again for every group: numbers by name, spreads and readings as variances."""

    numbers: Mapping[str, float]
    table: Array
    variance: Array
    steps: spreads.Moments
    multiples: Array | None

    def row(self) -> Array:
        """Return all in one array."""
        extra = [] if self.multiples is None else [self.multiples]
        return np.concatenate([list(self.numbers.values()), self.table.ravel(), self.variance.ravel(), *extra])

    def of_devices(self, tilted: bool) -> GroupValues:
        """Return them with the steps of a population whose asymmetries differ, or are alike."""
        found = spreads.steps(self.steps, tilted)
        own = {"dw_min": found.dw_min, "up_down": found.up_down, "dw_min_spread": found.square}
        return replace(self, numbers={**self.numbers, **own})


def settled(values: GroupValues, others: Sequence[GroupValues]) -> tuple[GroupValues, Array]:
    """Return estimates and their standard errors, from those without one group each; NaN where there are none.

    Whether asymmetries differ from device to device is decided here, and goes for all of them.
    """
    tilt = values.numbers["up_down_spread"]
    error = _jackknife(np.array([[one.numbers["up_down_spread"]] for one in others]))[0] if others else np.nan
    tilted = bool(tilt > (SURE * error if np.isfinite(error) else 0.0))
    values, others = values.of_devices(tilted), [one.of_devices(tilted) for one in others]
    if not others:
        return values, np.full(len(values.row()), np.nan)
    errors = _jackknife(np.stack([one.row() for one in others]))
    if tilted:
        return values, errors
    up_down = spreads.drawn_in(values.numbers["up_down"], errors[list(values.numbers).index("up_down")])
    own = {"up_down": up_down, "dw_min": values.steps.middle / (1 - abs(up_down) / 2)}
    return replace(values, numbers={**values.numbers, **own}), errors


def _jackknife(rows: Array) -> Array:
    """Return the standard errors of estimates, from (groups, estimates) without one group each."""
    with np.errstate(invalid="ignore"):
        found: Array = np.sqrt((len(rows) - 1) / len(rows) * ((rows - rows.mean(axis=0)) ** 2).sum(axis=0))
    return found
