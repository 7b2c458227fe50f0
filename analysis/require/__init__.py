"""How good must a chip be? The values of a field, or of two, that meet a target; the front of accuracy against a price.

    found = analysis.require.run("runs/reviews", ["chip.adc.bits=2:10"], target=0.9, out="runs/bits",
                                 overrides=["--chip", "rram"])
    found.as_text()

============  =======================================================================
scales        the values of a field, in their order
verdicts      whether a point meets the target, with a confidence
directions    along which way accuracy rises
borders       where the target begins to be met on a line, in words
search        where a grid begins to meet it, along one field and along two
frontier      which points may be on the front
standings     what a few chips of a point tell of its mean over all
expectations  what accuracies to expect elsewhere, and so where to look next
measure       the question as a whole
results       what it found, and how it is read back
pictures      verdicts over one field or two, the front
page          its page
============  =======================================================================

Trials, ledger and workers are those of :mod:`analysis.sweep`: a sweep over the same fields and its trials go on here.
"""

from __future__ import annotations

from types import ModuleType

from analysis.require.measure import run
from analysis.require.results import Requirement, load
from hw_models import lazy

__all__ = ["Requirement", "load", "run"]


def __getattr__(name: str) -> ModuleType:
    """Import a module when it is asked for."""
    return lazy.submodule(__name__, __path__, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *lazy.modules(__path__)})
