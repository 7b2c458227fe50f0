# Tested by tests/hw_models/cost/test_published.py.
"""What a chip's operations cost: energy, latency and area, from what its tally counted and constants with a source.

    bill = hw_models.cost.bill.price(tally, chip)        # by formula, array and phase
    bill.energy, bill.by_part(), bill.leaves_out

=========  =========================================================================================
constants  what a chip's constants are, and where they come from
coding     how inputs reach an array: passes, integration steps, conversion steps
formulas   one object for each formula of energy: equation, unit, source, what it counts
bill       the sum over a tally
latency    seconds of products, phases, updates
area       square millimetres
digital    the same network on a digital chip, by EP and by backpropagation
=========  =========================================================================================

Cost is computed from a tally afterwards; no part of a chip knows of it.
"""

from __future__ import annotations

from types import ModuleType

from hw_models import lazy


def __getattr__(name: str) -> ModuleType:
    """Import a module when it is asked for."""
    return lazy.submodule(__name__, __path__, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *lazy.modules(__path__)})
