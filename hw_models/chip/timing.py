# Tested by tests/hw_models/test_durations.py.
"""How long things take on a chip, as data; what follows from it: :mod:`hw_models.durations`, :mod:`hw_models.clock`.

All durations are 0 until they are set: then no time passes, no device ages while it learns, and noise is drawn afresh
in every read.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Self

from pydantic import PlainValidator, model_validator

from hw_models.chip.fields import LARGEST, SMALLEST, Count, Part, Seconds, at
from hw_models.text import shown

DURATIONS = ("dac", "integration", "adc", "digital", "hold", "pulse", "count", "row")
"""Fields that are durations of single operations."""


def _constants(value: object) -> float | dict[str, float]:
    """Return a time constant, or some by layer."""
    if isinstance(value, Mapping) and value:
        for name, each in value.items():
            if not _positive(each):
                raise ValueError(f"{name} = {shown(each)}: should be seconds above 0")
        return {str(name): float(each) for name, each in value.items()}
    if not _positive(value):
        raise ValueError("should be seconds above 0, or such by the names of layers")
    return float(value)  # type: ignore[arg-type]


def _positive(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and SMALLEST <= value <= LARGEST


Constants = Annotated[float | dict[str, float], PlainValidator(_constants)]


class Timing(Part):
    """Durations of what a chip does; formulas: :mod:`hw_models.durations`."""

    dac: Seconds = at("read", "s", 0.0)
    """Setting the lines of an array, once per product."""
    integration: Seconds = at("read", "s", 0.0)
    """Time for which currents flow and are integrated, once per product."""
    adc: Seconds = at("read", "s", 0.0)
    """One conversion. Columns that share a converter take turns."""
    digital: Seconds = at("step", "s", 0.0)
    """Time from the converters of one array to the lines of the next: sums, neurons, routing."""
    hold: Seconds = at("update", "s", 0.0)
    """Reading or holding the states of one phase for the update."""
    pulse: Seconds = at("update", "s", 0.0)
    """One slot of a pulse train."""
    count: Seconds = at("update", "s", 0.0)
    """One slot of a train that is counted and sends no pulse; 0 takes as long as a slot of a pulse train."""
    row: Seconds = at("update", "s", 0.0)
    """Programming one row of devices anew, with all iterations of its verification."""
    copies: Count = at("step", "chips", 1)
    """Copies of the chip that work on the samples of a batch side by side. Here all of them hold the same devices."""
    tau: Constants | None = at("step", "s", None)
    """Time constant of neurons that settle in continuous time, or one for each layer by its name. A sweep then takes dt
    times the smallest time constant, whatever products take, and a slower layer moves by its share of that. A phase is
    read after as many sweeps as the schedule says, settled or not. Use settling.order synchronous and settling.dt 0.1
    or less. Currents flow all the time. Unset, layers are computed product by product."""

    @property
    def passes(self) -> bool:
        """Whether time passes."""
        return bool(self.tau) or any(getattr(self, name) for name in DURATIONS)

    @property
    def settles(self) -> bool:
        """Whether a phase takes time, or its hold."""
        return bool(self.tau) or any((self.dac, self.integration, self.adc, self.digital, self.hold))

    @property
    def read(self) -> float:
        """Seconds of a product of which no columns share a converter, digital step in."""
        return self.dac + self.integration + self.adc + self.digital

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if not self.passes:
            self.idle("where time passes, with another duration", "copies")
        return self
