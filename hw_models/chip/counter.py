# Tested by tests/hw_models/arrays/test_net_counts.py.
"""Counters of coincidences, as data; what they count: :mod:`hw_models.arrays.net_counts`."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from hw_models.chip.fields import NonNegative, Part, at


class Counter(Part):
    """An up and down counter for every weight, which counts the coincidences of both phases."""

    bits: Annotated[int, Field(ge=2, le=24)] = at("update", "bits", 12)
    """Of a counter, in two's complement. Within a sample it goes down by all coincidences of the one phase before it
    goes up by those of the other."""
    slots: Annotated[int, Field(ge=1, le=65535)] = at("update", "count slots", 4095)
    """Longest train that is counted, of one phase of a sample."""
    overflow: Literal["saturate", "wrap"] = at("update", default="wrap")
    """Beyond its last value it goes on at the other end, or stays there. One that goes round comes back, so that only
    what is left of both phases must fit; one that stays loses counts of one phase alone, and is to hold all of them."""
    shift: Annotated[int, Field(ge=-16, le=16)] | None = at("update", "bits", None)
    """A pulse is 2^shift counts, whole pulses are given, and what is below one waits in the counter; of a negative
    shift a count is 2^-shift pulses. Unset is 0, or as far below as the longest train that the update before asked for
    needs, array by array."""
    draws: Literal["replayed", "independent"] = at("update", default="replayed")
    """Generators of the lines begin both phases of a sample alike, so that what the phases have in common cancels
    count by count, or go on, so that it cancels on average alone."""
    room: NonNegative = at("update", default=0.25)
    """With management: trains are fitted to signals of the first phase that are larger by this share, which leaves
    room for those of the second."""

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.shift is not None and self.shift > self.bits - 2:
            pulse = f"a counter of {self.bits} bits never reaches a pulse of {1 << self.shift} counts"
            raise ValueError(f"shift = {self.shift}: {pulse}, allowed is up to {self.bits - 2}")
        return self
