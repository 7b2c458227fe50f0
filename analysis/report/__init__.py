"""One HTML page of a run, a comparison, a sweep or a gradient check, to be kept or sent; it needs nothing else.

    path = analysis.report.write("runs/reviews")

No scripts, nothing from the network, pictures within the page, the same bytes for the same directory.

==================  ===================================================================
writing             which kind a directory is; renders and writes its page
page                building blocks of HTML, the style sheet, pictures as PNG
numbers             numbers, shares and times in words
run_report          a run: accuracy by split and epoch, weights, counters
behaviour_section   settling, saturation, attention, updates, where the data can be opened
weights_section     weights and conductances before and after learning
comparison_report   contestants side by side, gradients, states
gradcheck_report    errors of the gradient by nudge and by step
sweep_report        means by point, failed trials, command
sweep_pictures      which pictures of a sweep, and the contour's target
chip_section        what a chip differs in from an ideal one, with its sources
settings_section    configuration, versions and command
==================  ===================================================================
"""

from __future__ import annotations

from types import ModuleType

from analysis.report.writing import render, write
from hw_models import lazy

__all__ = ["render", "write"]


def __getattr__(name: str) -> ModuleType:
    """Import a module when it is asked for."""
    return lazy.submodule(__name__, __path__, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *lazy.modules(__path__)})
