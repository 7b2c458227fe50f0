"""Every picture by its name: ``analysis.pictures.plot_energy``.

A picture is a function ``plot_x(result, ax=None) -> Axes``: it draws on the axes it is given, or on a figure of its
own, has units on its axes, and never shows itself. It lives with its question (``analysis.run.settling.plot_energy``);
here each is found by its name in the source, so that no list is kept, and its module is imported when it is asked for.

    names = dir(analysis.pictures)
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from hw_models.errors import nearest

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ROOT = Path(__file__).parent
PICTURE = re.compile(r"^def (plot_\w+)\(", re.MULTILINE)


@cache
def found() -> dict[str, str]:
    """Return the module of every picture by the picture's name."""
    modules = {}
    for path in sorted(ROOT.glob("*/*.py")):
        for name in PICTURE.findall(path.read_text(encoding="utf-8")):
            modules[name] = f"{__package__}.{path.parent.name}.{path.stem}"
    return modules


def __getattr__(name: str) -> Callable[..., Axes]:
    """Import a picture when it is asked for."""
    modules = found()
    if name not in modules:
        near = "" if name.startswith("_") else nearest(name, modules)
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'{near}")
    picture: Callable[..., Axes] = vars(import_module(modules[name]))[name]
    return picture


def __dir__() -> list[str]:
    return sorted({*globals(), *found()})
