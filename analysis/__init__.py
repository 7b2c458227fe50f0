"""Questions about networks and chips, each a folder with its measure, its pictures and its page.

==========  ===============================================================================
gradients   is EP's gradient right? against the exact one, by parameter, nudge and step
comparison  what do chips make of a network? the reference, exact arithmetic, chips
sweep       how good must a chip be? any field against accuracy
ablate      what of a chip hurts? every effect off, and each alone
require     how good must a chip be? fields that meet a target, the front against a price
run         what did a run learn, and how does its network behave?
chips       how does a chip differ from an ideal one?
drawing     what all pictures and pages share
pictures    every picture by its name
report      one page of a run, a comparison, a sweep, an ablation, a requirement or a gradient check
demo        a comparison on embedded data
==========  ===============================================================================

A picture is a function ``plot_x(result, ax=None) -> Axes``: it draws on the axes it is given, or on a figure of its
own, has units on its axes, and never shows itself. Everything is there by its name, ``analysis.comparison.run``, and
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
