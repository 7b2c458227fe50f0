"""neuroep: Equilibrium Propagation on simulated analog and neuromorphic chips.

    corpus = neuroep.data.load("reviews", tokens=40)
    network = neuroep.networks.sentiment(tokens=40, dim=corpus.dim, dense=(64, 2), readout="pooled")
    engine = neuroep.engines.local(network, chip="pcm")
    found = neuroep.deployment.evaluate("runs/reviews")

Every module is there by its name and is imported when it is asked for.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from hw_models import lazy

if TYPE_CHECKING:
    from types import ModuleType

    from neuroep import data, engines, errors, gradients, learning, network, randomness, runs
    from neuroep.data import batch
    from neuroep.engines import settling
    from neuroep.gradients import estimators, yardsticks
    from neuroep.learning import optimisers
    from neuroep.network import builders as networks, potentials
    from neuroep.runs import building, checkpoints, config, deployment, evaluation, published, training

__version__ = "0.1.0"
__all__ = [
    "__version__",
    "batch",
    "building",
    "checkpoints",
    "config",
    "data",
    "deployment",
    "engines",
    "errors",
    "estimators",
    "evaluation",
    "gradients",
    "learning",
    "network",
    "networks",
    "optimisers",
    "potentials",
    "published",
    "randomness",
    "runs",
    "settling",
    "training",
    "yardsticks",
]
_HOMES = {
    "building": "neuroep.runs.building",
    "batch": "neuroep.data.batch",
    "checkpoints": "neuroep.runs.checkpoints",
    "config": "neuroep.runs.config",
    "deployment": "neuroep.runs.deployment",
    "estimators": "neuroep.gradients.estimators",
    "evaluation": "neuroep.runs.evaluation",
    "networks": "neuroep.network.builders",
    "optimisers": "neuroep.learning.optimisers",
    "potentials": "neuroep.network.potentials",
    "published": "neuroep.runs.published",
    "settling": "neuroep.engines.settling",
    "training": "neuroep.runs.training",
    "yardsticks": "neuroep.gradients.yardsticks",
}
"""Modules offered by a shorter name than their place."""


def __getattr__(name: str) -> ModuleType:
    """Import a module when it is asked for."""
    if name in _HOMES:
        return importlib.import_module(_HOMES[name])
    return lazy.submodule(__name__, __path__, name, _HOMES)


def __dir__() -> list[str]:
    return sorted({*__all__, *lazy.modules(__path__)})
