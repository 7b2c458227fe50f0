"""Pictures: each one a function ``plot_x(result, ax=None) -> Axes`` that draws on the axes it is given, or on a figure
of its own, has units on its axes, and never shows itself.

==========  =====================================================================================
settling    states and energy along the settle, free and nudged
gradients   GDU curves, gradient error against beta
training    accuracy and loss by epoch
comparison  engines and chips beside the reference
sweeps      accuracy against a setting with a band over seeds, heat maps with the contour of a target
devices     weights and conductances before and after, potentiation and depression
arrays      conductances of chosen synapses while they learn, update maps, saturation
attention   which words attend to which
counters    what an inference or an update takes
style       the look that all share
==========  =====================================================================================
"""

from __future__ import annotations

from types import ModuleType

from analysis.pictures import headless
from hw_models import lazy

headless.load()


def __getattr__(name: str) -> ModuleType:
    """Import a module when it is asked for."""
    return lazy.submodule(__name__, __path__, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *lazy.modules(__path__)})
