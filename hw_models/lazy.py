# Tested by tests/neuroep/test_package.py.
"""Modules of a package that are imported when they are asked for.

``import neuroep`` costs nothing, and ``analysis.comparison.run`` works all the same: a package whose
``__getattr__`` calls :func:`submodule` offers each of its modules by name.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable
from types import ModuleType


def submodule(package: str, path: Iterable[str], name: str, others: Iterable[str] = ()) -> ModuleType:
    """Return the module of that name in a package.

    Parameters
    ----------
    package, path
        ``__name__`` and ``__path__`` of the package.
    name : str
        What was asked for.
    others : iterable of str
        Names the package has beside its modules, to be suggested as well.

    Raises
    ------
    AttributeError
        If it has none, with the nearest name.
    """
    known = modules(path)
    if name in known:
        return importlib.import_module(f"{package}.{name}")
    near = ""
    if not name.startswith("_"):
        from hw_models.errors import nearest

        near = nearest(name, [*others, *known])
    raise AttributeError(f"module '{package}' has no attribute '{name}'{near}")


def modules(path: Iterable[str]) -> list[str]:
    """Return the names of a package's modules."""
    return sorted(module.name for module in pkgutil.iter_modules(path) if not module.name.startswith("_"))
