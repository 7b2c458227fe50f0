# Tested by tests/hw_models/chip/test_description.py.
"""What a field of a chip is: a checked number with unit, moment and meaning, in a frozen table, a :class:`Part`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, Self

import numpy as np
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from hw_models.chip import faults
from hw_models.chip.faults import Idle, Impossible
from hw_models.errors import ChipError

if TYPE_CHECKING:
    from pydantic.config import JsonDict
    from pydantic.fields import FieldInfo

Bits = Annotated[int, Field(ge=1, le=24)]
Count = Annotated[int, Field(ge=1, le=1_000_000_000)]
Seconds = Annotated[float, Field(ge=0, le=1e6, allow_inf_nan=False)]
"""Of one operation."""
LARGEST, SMALLEST = 1e30, 1e-30
"""Physical numbers beyond leave single precision."""


def _held(value: float) -> float:
    if value < SMALLEST:
        raise ValueError(f"should be at least {SMALLEST}")
    return value


Positive = Annotated[float, Field(gt=0, le=LARGEST, allow_inf_nan=False), AfterValidator(_held)]
NonNegative = Annotated[float, Field(ge=0, le=LARGEST, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1)]
Finite = Annotated[float, Field(ge=-LARGEST, le=LARGEST, allow_inf_nan=False)]
Four = Annotated[tuple[Finite, Finite, Finite, Finite], Field(strict=False)]
Branch = Annotated[tuple[Finite, ...], Field(strict=False)]


SHARE = "of "
"""Beginning of the unit of a share: 0.08 of g."""
USUAL = 1.0
"""Largest share that is not asked after, where a field says no other."""


def at(when: str, unit: str = "1", default: object = 0.0, means: str | None = None, *, most: float = USUAL) -> Any:
    """Return a field with its unit and the moment it acts: per device, programming, conversion, read, step, update.

    A unit that begins with :data:`SHARE` is that of a share. ``means`` stands in for the text under a field whose
    meaning the laws have that take it; ``most`` is the largest share that a chip may well have.
    """
    extra: JsonDict = {"unit": unit, "when": when, **({"most": str(most)} if most != USUAL else {})}
    return Field(default=default, description=means, json_schema_extra=extra)


def said_of(field: FieldInfo) -> Mapping[str, str]:
    """Return unit and moment of a field, and its most, as :func:`at` gave them; empty where it has none."""
    extra = field.json_schema_extra
    return {name: str(value) for name, value in extra.items()} if isinstance(extra, dict) else {}


_SILENCED: ContextVar[bool] = ContextVar("silenced", default=False)


@contextmanager
def silenced() -> Iterator[None]:
    """Let fields stand that could not act: those that a chip keeps, which have been looked at before."""
    token = _SILENCED.set(True)
    try:
        yield
    finally:
        _SILENCED.reset(token)


class Part(BaseModel):
    """A frozen table of a chip's parameters."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, use_attribute_docstrings=True)

    def __init__(self, /, **values: Any) -> None:
        """Check the fields; a fault anywhere in them is a ``ChipError`` of one line."""
        try:
            super().__init__(**values)
        except ValidationError as error:
            names = dict(leaves_of(type(self)))
            found = faults.told(faults.lines(error, names))
            raise ChipError(*(f"{type(self).__name__}: {line}" for line in found)) from None

    # To pydantic it is its own: parts within parts are checked without it, and keep their place in the error.
    __init__.__pydantic_base_init__ = True  # type: ignore[attr-defined]

    @field_validator("*", mode="before")
    @classmethod
    def _plain(cls, value: object) -> object:
        """Take a number of NumPy as Python's own."""
        return value.item() if isinstance(value, np.generic) else value

    @model_validator(mode="after")
    def _checked(self) -> Self:
        told: list[str] = []
        try:
            for line in self.impossible():
                told.append(line)
        except Idle as error:
            raise Idle(error.lines, told) from None
        if told:
            raise Impossible(told)
        return self

    def impossible(self) -> Iterator[str]:
        """Yield a line for each fault of fields beside each other; :meth:`idle` raises where one could not act.

        A fault does not end the search: what follows from one is not told as another.
        """
        yield from ()

    def idle(self, reason: str, *names: str) -> None:
        """Refuse fields that are set where they could not act.

        Parameters
        ----------
        reason : str
            Where they act, the end of "it acts only ...".
        *names : str
            Fields, dotted where they are of a part of this one; of a part all its fields.

        Raises
        ------
        Idle
            If one differs from its default.
        """
        if _SILENCED.get():
            return
        # pydantic checks a part again where it is put into another one: what a chip keeps has been looked at.
        kept, found = getattr(self, "kept", None) or (), {}
        for leaf, value, default in (each for name in names for each in self._set(name)):
            if value != default and leaf not in kept:
                shown = list(value) if isinstance(value, tuple) else value
                found[leaf] = f"{leaf} = {shown!r}: it acts only {reason}"
        if found:
            raise Idle(found)

    def _with_default(self, path: Sequence[str]) -> Self:
        """Return a copy, unchecked, in which the field of that path has its default."""
        name, *below = path
        value = getattr(self, name)._with_default(below) if below else type(self).model_fields[name].default
        return BaseModel.model_copy(self, update={name: value})

    def _set(self, dotted: str) -> Iterator[tuple[str, object, object]]:
        """Yield name, value and default of a field, or of all fields of a part."""
        *path, leaf = dotted.split(".")
        part: Part = self
        for name in path:
            part = getattr(part, name)
        value = getattr(part, leaf)
        if not isinstance(value, Part):
            yield dotted, value, type(part).model_fields[leaf].default
            return
        for name in type(value).model_fields:
            yield from self._set(f"{dotted}.{name}")


@cache
def leaves_of(part: type[Part], start: str = "") -> tuple[tuple[str, FieldInfo], ...]:
    """Return dotted name and pydantic's information of every leaf of a kind of part."""
    found: list[tuple[str, FieldInfo]] = []
    for name, field in part.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, Part):
            found += leaves_of(field.annotation, f"{start}{name}.")
        else:
            found.append((f"{start}{name}", field))
    return tuple(found)
