"""What did a run learn, and how does its network behave?

=========  =====================================================================================
epochs     accuracy and loss by epoch
settling   states and energy along the settle, free and nudged
attention  which words attend to which
learning   an array while an engine learns
arrays     conductances of chosen synapses while they learn, update maps, saturation
weights    weights and conductances before and after
behaviour  settling, saturation, attention, updates, where the data can be opened
page       its page
=========  =====================================================================================
"""

from __future__ import annotations

from types import ModuleType

from hw_models import lazy


def __getattr__(name: str) -> ModuleType:
    """Import a module when it is asked for."""
    return lazy.submodule(__name__, __path__, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *lazy.modules(__path__)})
