"""The values of a field among which a requirement is looked for.

    chip.adc.bits                     bits of a converter: 2 to 12
    chip.adc.bits=3:8                 whole numbers, or single values with commas, as of a sweep
    chip.device.mismatch=0..0.5       a range, at so many steps; log:0.01..10 in equal ratios
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from analysis.sweep import designs
from analysis.sweep.designs import Axis, Interval
from neuroep.errors import ConfigError, given_as
from neuroep.runs import arguments
from neuroep.runs.overrides import dotted

STEPS = 17
"""Values of a range, unless said otherwise: sixteen parts, four halvings."""
BITS = "2:12"
"""Of a converter whose bits are named alone."""


@dataclass(frozen=True)
class Scale:
    """Values of one field, in increasing order."""

    name: str
    texts: tuple[str, ...]
    """As the command line takes them."""


def scale(text: str, steps: int = STEPS) -> Scale:
    """Read ``NAME`` or ``NAME=VALUES``.

    Raises
    ------
    ConfigError
        If it is no field, values are no numbers, or there are fewer than two.
    """
    if "=" not in text:
        name, entry = dotted(text)
        if entry or not name.endswith("bits"):
            example = f"{name}=0..0.5 or {name}=1,2,4"
            raise ConfigError(f"field '{text}': say among which values to look, for example {example}")
        text = f"{name}={BITS}"
    found = designs.axis(text)
    texts = found.choices if found.interval is None else _spread(found, found.interval, steps)
    different: dict[float, str] = {}
    for each in texts:
        different.setdefault(_number(text, each), each)
    if len(different) < 2:
        raise ConfigError(f"field '{text}': a requirement needs at least two values to look among")
    return Scale(found.name, tuple(different[number] for number in sorted(different)))


def scales(texts: Sequence[str], steps: int = STEPS) -> list[Scale]:
    """Read several fields; see :func:`scale`."""
    if isinstance(texts, str):
        raise ConfigError(f"fields are '{texts}': give a list, for example ['chip.adc.bits=2:10']")
    if not texts:
        example = given_as("--field chip.adc.bits=2:10", 'fields=["chip.adc.bits=2:10"]')
        raise ConfigError(f"no field is named: add {example}")
    steps = arguments.whole("steps", steps)
    if steps < 2:
        raise ConfigError(f"steps is {steps}: a range has at least 2")
    if steps > designs.MOST:
        raise ConfigError(f"steps is {steps}: a range has at most {designs.MOST}")
    found = [scale(text, steps) for text in texts]
    for name in (one.name for one in found):
        if sum(one.name == name for one in found) > 1:
            raise ConfigError(f"field {name} is given twice; give all its values at once")
    return found


def _spread(axis: Axis, interval: Interval, steps: int) -> list[str]:
    """Return values at equal distances, or ratios, both ends as they are among them."""
    low, high = interval.low, interval.high
    shares = [n / (steps - 1) for n in range(steps)]
    evenly = [low + share * (high - low) for share in shares]
    values = [low * (high / low) ** share for share in shares] if interval.log else evenly
    texts = [str(round(value)) if interval.whole else f"{value:.6g}" for value in values]
    if not interval.whole:
        texts[0], texts[-1] = (short if float(short) == end else repr(end) for short, end in
                               zip((texts[0], texts[-1]), (low, high), strict=True))  # fmt: skip
    return texts


def _number(text: str, value: str) -> float:
    try:
        return float(value)
    except ValueError:
        raise ConfigError(f"field '{text}': '{value}' is no number, and has no place in an order") from None
