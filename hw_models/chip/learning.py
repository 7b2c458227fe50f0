# Tested by tests/hw_models/chip/test_description.py.
"""How weights change, as data: the scheme; what one pulse does to a device: :mod:`hw_models.chip.pulse`."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from hw_models.chip.fields import Count, Part, Positive, at


class Update(Part):
    """How weights change; see :mod:`hw_models.arrays.pulses` for pulses."""

    scheme: Literal["digital", "mixed_precision", "pulsed"] = at("update", default="digital")
    """Master copy and reprogramming; digital accumulation and whole granules as pulses; or pulses in memory."""
    reprogram_every: Count = at("update", "updates", 1)
    """Digital: updates of the master copy between two programmings."""
    write_threshold: Annotated[float, Field(ge=0, lt=1)] = at("update", "weight range", 0.0)
    """Digital: a programming writes only the devices of weights that are to move by more than this since they were
    written, see :mod:`hw_models.arrays.last_writes`; 0 writes all."""
    granule: Positive | None = at("update", "weight range", None)
    """Mixed precision: accumulated change that is moved by one pulse; unset takes dw_min."""
    trains: Literal["expected", "stochastic"] = at("update", default="expected")
    """Pulsed: steps of the trains' mean, variance and correlation, or every stochastic train pulse by pulse."""
    signals: Literal["phases", "contrast"] = at("update", default="phases")
    """Pulsed: trains +s+ x a+ and -s- x a-, or (s+ - s-) x mean a and mean s x (a+ - a-) of held phases."""
    train_length: Annotated[int, Field(ge=1, le=63)] = at("update", "pulse slots", 31)
    """Pulsed: longest train."""
    overlong: Literal["post", "both"] = at("update", default="post")
    """Pulsed, with management: what is cut where the longest train is too short, signals of the post side, or both."""
    management: bool = at("update", default=True)
    """Pulsed: fit train length and both factors to the signals at hand; off keeps A = B = sqrt(rate/(dw_min BL))."""

    @property
    def in_memory(self) -> bool:
        """Whether weights change on the devices themselves, by pulses."""
        return self.scheme != "digital"

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.scheme != "digital":
            self.idle("with scheme digital", "reprogram_every", "write_threshold")
        if self.scheme != "mixed_precision":
            self.idle("with scheme mixed_precision", "granule")
        if self.scheme != "pulsed":
            self.idle("with scheme pulsed", "trains", "signals", "train_length", "overlong", "management")
        if not self.management:
            self.idle("with management", "overlong")
        return self
