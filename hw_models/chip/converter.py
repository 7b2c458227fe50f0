# Tested by tests/hw_models/chip/test_description.py.
"""A DAC, an ADC or a digitiser as data; equations: :mod:`hw_models.arrays.converters`."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from hw_models.chip.fields import Bits, NonNegative, Part, Positive, at


class Converter(Part):
    """A DAC, an ADC, or a digitiser of states. Convention of the field: see :mod:`hw_models.arrays.converters`."""

    bits: Bits | None = at("conversion", "bit", None)
    """Resolution; unset converts exactly. Signed: 2^bits - 2 steps over [-range, range], zero among the levels."""
    range: Positive | None = at("conversion", "signal; an ADC: fully driven devices at g_max", None)
    """Full scale; unset with bits calibrates it on samples before the run and then freezes it."""
    sign: Literal["signed", "unsigned", "auto"] = at("conversion", default="signed")
    """Unsigned: 2^bits - 1 steps over [0, range]. Auto: unsigned where a signal cannot be negative, as the states of a
    sigmoid; on a crossbar by itself, where no calibration value was."""
    percentile: Annotated[float, Field(gt=0, le=100)] = at("calibration", "%", 100.0)
    """Share of the calibration values within the calibrated range; those that are 0 do not count."""
    margin: Positive = at("calibration", default=1.0)
    """Calibrated range over that percentile; above 1 leaves headroom for weights that grow."""
    stochastic: bool = at("conversion", default=False)
    """Round up or down at random, with the exact value as mean."""
    noise: NonNegative = at("conversion", "full scale", 0.0)
    """Standard deviation of Gaussian noise ahead of the quantiser."""

    @property
    def acts(self) -> bool:
        """Whether it changes a signal."""
        return self.bits is not None or self.range is not None or self.noise > 0

    @property
    def calibrates(self) -> bool:
        """Whether its range comes from samples."""
        return self.acts and self.range is None

    @property
    def of_increments(self) -> Converter:
        """The same circuit for changes of a signal, which have either sign.

        Behind digital codes its full scale is theirs to choose and calibrated anew; what only clips keeps its range.
        """
        digital = self.bits is not None or self.noise > 0
        return self.model_copy(update={"sign": "signed", "range": None if digital else self.range})

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.bits == 1 and self.sign != "unsigned":
            raise ValueError(f"bits = 1: a {self.sign} converter has zero among its levels and needs 2 or more")
        if not self.acts:
            self.idle("with bits, a range or noise", "sign", "percentile", "margin")
        if self.bits is None:
            self.idle("with bits", "stochastic")
        if self.range is not None:
            self.idle("where the range is calibrated", "percentile", "margin")
            if self.sign == "auto":
                raise ValueError("sign = 'auto': a fixed range needs signed or unsigned")
        return self
