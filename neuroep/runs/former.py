"""Names that settings had while version 0.2 was in the making, in configurations that run directories keep.

``cost.coding`` and ``cost.read_voltage`` of a chip said again what ``dac.encoding`` and ``device.read_voltage`` say.
"""

from __future__ import annotations

from collections.abc import Mapping

from hw_models.reading import Entries, Page

ENCODINGS: Mapping[object, str] = {"width": "pulse_width", "pulses": "pulses", "serial": "serial"}
"""By the words of ``cost.coding``; its default, "amplitude", said nothing."""
PULSED = "wan_2022_core"
"""A component that said the coding of its chip."""


def moved(values: Entries) -> Page:
    """Return the settings of a run directory under the names that they have now."""
    chip = values.get("chip")
    cost = chip.get("cost") if isinstance(chip, Mapping) else None
    if not isinstance(chip, Mapping) or not isinstance(cost, Mapping) or "coding" not in cost:
        return dict(values)
    kept = {name: value for name, value in cost.items() if name not in ("coding", "read_voltage")}
    coding = "pulses" if PULSED in cost.get("components", ()) else cost["coding"]
    found = {**chip, "cost": kept}
    if coding in ENCODINGS:
        found["dac"] = {**chip.get("dac", {}), "encoding": ENCODINGS[coding]}
    if "read_voltage" in cost:
        found["device"] = {"read_voltage": cost["read_voltage"], **chip.get("device", {})}
    return {**values, "chip": found}
