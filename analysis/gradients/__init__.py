"""Is EP's gradient right? Against back-propagation through time step by step, and against the exact one by nudge.

    found = analysis.gradients.run("examples/configs/reviews.toml", "runs/check")
    found.as_text()

==============  ==========================================================
measure         the check as a whole, its files
gdu             EP's updates beside BPTT's gradients, step by step
gradient_error  error against the nudge, by parameter and estimator
pictures        curves and errors
page            its page
==============  ==========================================================
"""

from __future__ import annotations

from types import ModuleType

from analysis.gradients.measure import GradientCheck, run
from hw_models import lazy

__all__ = ["GradientCheck", "run"]


def __getattr__(name: str) -> ModuleType:
    """Import a module when it is asked for."""
    return lazy.submodule(__name__, __path__, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *lazy.modules(__path__)})
