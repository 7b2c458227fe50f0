"""What do chips make of a network? The reference, exact local arithmetic and chips side by side.

    found = analysis.comparison.run(config, chips=["pcm", "hermes"], out="runs/compare")
    found.as_text()

========  ===========================================================================
measure   the comparison as a whole
results   what it found, its files, and how they are read back
bench     trains, deploys and measures one contestant after another
pictures  accuracy, states that drift apart, energy, gradients
page      its page
========  ===========================================================================
"""

from __future__ import annotations

from types import ModuleType

from analysis.comparison.measure import run
from analysis.comparison.results import Comparison, load
from hw_models import lazy

__all__ = ["Comparison", "load", "run"]


def __getattr__(name: str) -> ModuleType:
    """Import a module when it is asked for."""
    return lazy.submodule(__name__, __path__, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *lazy.modules(__path__)})
