"""What of a chip hurts? Every effect off one at a time, and each alone, paired over chip seeds and samples.

    found = analysis.ablate.run("runs/reviews", out="runs/ablated", overrides=["--chip", "rram"], seeds=10)
    found.as_text()

===========  ========================================================================
conditions   which effects are off at which point
measure      the ablation as a whole
differences  paired differences over seeds, with their errors
results      what it found, and how it is read back
pictures     ranked differences, and pairs that interact
page         its page
===========  ========================================================================

An effect is data beside the parts of a chip: :mod:`hw_models.chip.effects`. Trials, ledger and workers are those of
:mod:`analysis.sweep`.
"""

from __future__ import annotations

from types import ModuleType

from analysis.ablate.measure import run
from analysis.ablate.results import Ablation, load
from hw_models import lazy

__all__ = ["Ablation", "load", "run"]


def __getattr__(name: str) -> ModuleType:
    """Import a module when it is asked for."""
    return lazy.submodule(__name__, __path__, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *lazy.modules(__path__)})
