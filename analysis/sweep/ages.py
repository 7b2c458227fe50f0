"""At what age the devices of a sweep's chips were read; see :mod:`hw_models.chip.ageing`."""

from __future__ import annotations

from collections.abc import Iterable

from hw_models.chip import Chip, ageing, layers
from hw_models.errors import ChipError
from hw_models.reading import Entries
from neuroep.runs.config import CHIP

DEVICE = f"{CHIP}.device."


def told(about: Entries, rows: Iterable[Entries]) -> list[str]:
    """Return a line for the chip of all points, or one for each of the chips that are varied.

    Parameters
    ----------
    about : mapping
        The page ``sweep.json``.
    rows : iterable of mapping
        The trials, of which varied fields count.

    Returns
    -------
    list of str
        Empty where nothing goes by an age, where the age is varied, and in directories that do not name their chip.
    """
    fields = about["fields"]
    if f"{DEVICE}age" in fields:
        return []
    try:
        if CHIP in fields:
            lines = {name: ageing.told(Chip.parse(values)) for name, values in about.get("chips", {}).items()}
            return [f"{CHIP} = {name}: {line}" for name, line in lines.items() if line]
        values = about.get("chip") or {}
        # Fields that act at some points only, as those beside a size of 0, are kept.
        chip = Chip.parse({**values, layers.KEPT: sorted({*layers.idle(Chip, values), *layers.kept_of(values)})})
    except ChipError:
        return []
    varied = [name for name in fields if name.startswith(DEVICE) and name.count(".") == 2]
    found = {ageing.told(chip)}
    for row in rows:
        values = {name.removeprefix(DEVICE): row[name] for name in varied if isinstance(row[name], int | float | str)}
        values = {name: value for name, value in values.items() if not isinstance(getattr(chip.device, name), tuple)}
        found.add(ageing.told(chip.model_copy(update={"device": chip.device.model_copy(update=values)})))
    return [line for line in [max(found, key=len)] if line]
