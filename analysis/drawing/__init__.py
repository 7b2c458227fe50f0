"""What all pictures and pages share: one look, one page of HTML, one way to write a number.

========  ===============================================================================
panels    a picture says beside itself which page shows it, and is found there
style     figures without a display, a palette for any colour vision, units on every axis
html      building blocks of a page: everything is escaped there, nothing else makes tags
numbers   shares, times and counts as they are read in tables
counters  what an inference or an update takes, in words and as bars
settings  how to do it again: command, settings, versions
headless  matplotlib, whatever plotting backend a process inherits
========  ===============================================================================

Whoever draws imports this package first (the linter sorts it so), for it loads matplotlib.
"""

from __future__ import annotations

from types import ModuleType

from analysis.drawing import headless

from hw_models import lazy

headless.load()


def __getattr__(name: str) -> ModuleType:
    """Import a module when it is asked for."""
    return lazy.submodule(__name__, __path__, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *lazy.modules(__path__)})
