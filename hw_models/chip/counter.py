# Tested by tests/hw_models/arrays/test_net_counts.py.
"""Counters of coincidences, as data; what they count: :mod:`hw_models.arrays.net_counts`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from hw_models.chip.fields import NonNegative, Part, at


class Counter(Part):
    """An up and down counter for every weight, which counts the coincidences of both phases."""

    bits: Annotated[int, Field(ge=2, le=24)] = at("update", "bits", 12)
    """Width of a counter, in two's complement. Within a sample a counter first goes down by all coincidences of one
    phase, then up by those of the other."""
    slots: Annotated[int, Field(ge=1, le=65535)] = at("update", "count slots", 4095)
    """Longest train of one phase of a sample that is counted."""
    overflow: Literal["saturate", "wrap"] = at("update", default="wrap")
    """Wrap: beyond its last value a counter goes on at the other end. It comes back, so only what is left of both
    phases must fit. Saturate: a counter stays at its last value. It then loses counts of one phase only, so it has to
    hold all of them."""
    shift: Annotated[int, Field(ge=-16, le=16)] | None = at("update", "bits", None)
    """A pulse is 2^shift counts. Whole pulses are given, and the rest waits in the counter. With a negative shift, a
    count is 2^-shift pulses. Unset is 0, or as far below 0 as is needed for the longest train that the previous update
    asked for, array by array."""
    draws: Literal["replayed", "independent"] = at("update", default="replayed")
    """Replayed: the generators of the lines begin both phases of a sample alike, so what the phases have in common
    cancels count by count. Independent: the generators go on, so it cancels only on average."""
    room: NonNegative = at("update", default=0.25)
    """With management: trains are fitted to signals that are larger than those of the first phase by this share. This
    leaves room for the signals of the second phase."""

    def impossible(self) -> Iterator[str]:
        """Yield what cannot be together."""
        if self.shift is not None and self.shift > self.bits - 2:
            pulse = f"a counter of {self.bits} bits never reaches a pulse of {1 << self.shift} counts"
            yield f"shift = {self.shift}: {pulse}, allowed is up to {self.bits - 2}"
