"""Questions about networks, each answered by a table and a picture.

===============  ===============================================================
gradcheck        EP's gradient against the exact one, by parameter and nudge
comparison       the reference, exact local arithmetic and chips side by side
bench            trains, deploys and measures one contestant of a comparison after another
demo             such a comparison on embedded data
sweep            any field of a configuration or a chip against accuracy
array_learning   what an array does while an engine learns
pictures         everything that draws
report           one page of a run, a comparison or a sweep
===============  ===============================================================

A picture is a function ``plot_x(result, ax=None) -> Axes``: it draws on the axes it is given, or on a figure of its
own, has units on its axes, and never shows itself. Every module is there by its name, ``analysis.comparison.run``, and
is imported when it is asked for. Nothing in :mod:`neuroep` but the command line imports this
package.
"""

from __future__ import annotations

from types import ModuleType

from hw_models import lazy


def __getattr__(name: str) -> ModuleType:
    """Import a module when it is asked for."""
    return lazy.submodule(__name__, __path__, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *lazy.modules(__path__)})
