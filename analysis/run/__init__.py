"""What did a run learn, and how does its network behave?

============  ================================================================
subject       a run's files, and its network and data where they can be opened
measure       everything its page draws, measured before anything is drawn
epochs        accuracy and loss by epoch
costs         what an update and an inference took
settling      energy and change along the settle, free and nudged
saturation    states at their limits
attention     which words attend to which
learning      what an array does while a copy of the network learns on
arrays        conductances of chosen synapses while they learn, update maps
weights       weights before and after
conductances  conductances before and after
page          its page
============  ================================================================
"""

from __future__ import annotations

from types import ModuleType

from hw_models import lazy


def __getattr__(name: str) -> ModuleType:
    """Import a module when it is asked for."""
    return lazy.submodule(__name__, __path__, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *lazy.modules(__path__)})
