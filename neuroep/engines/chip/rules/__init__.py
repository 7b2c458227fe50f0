# Tested by tests/neuroep/engines/chip/test_updates.py.
"""How the weights of one synapse change on crossbars: a module for each ``update.scheme`` of a chip, named like it.

What each computes is in its module and, in a line, in :mod:`hw_models.chip.rules` (``neuroep chips --rules``). What
they share, from one to the next:

=========== ==============================================================================================
rule        crossbars by label, their shares in what is read, state, tally
in_memory   devices that take pulses, bounds, leak
trained     trains of the contrast or of whole phases, automatic scaling (scaling), coherence
transfer    a fast array, reads of its columns, a chopper, a digital buffer, pulses to the slow array
=========== ==============================================================================================

Biases sit in the digital periphery in all of them and follow the optimiser exactly. A new rule is a module here, whose
``RULE`` is a :class:`neuroep.engines.chip.rules.rule.LearningRule`, and its entry in :mod:`hw_models.chip.rules`.
"""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import TYPE_CHECKING

from hw_models import lazy

if TYPE_CHECKING:
    from neuroep.engines.chip.rules.rule import LearningRule


def named(scheme: str) -> type[LearningRule]:
    """Return the rule of that name, as the description of a chip allows it."""
    rule: type[LearningRule] = importlib.import_module(f"{__name__}.{scheme}").RULE
    return rule


def __getattr__(name: str) -> ModuleType:
    """Import a module when it is asked for."""
    return lazy.submodule(__name__, __path__, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *lazy.modules(__path__)})
