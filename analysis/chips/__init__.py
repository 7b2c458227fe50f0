"""How does a chip differ from an ideal one, and what do its devices do?

========  =========================================================================
devices   histograms of weights and conductances before and after
pulses    potentiation and depression
page      fields, units, sources and pictures of a chip, as sections of other pages
measured  a chip of measured devices: curves, laws and picture
========  =========================================================================
"""

from __future__ import annotations

from types import ModuleType

from hw_models import lazy


def __getattr__(name: str) -> ModuleType:
    """Import a module when it is asked for."""
    return lazy.submodule(__name__, __path__, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *lazy.modules(__path__)})
