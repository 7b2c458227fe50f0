"""neuroep: Equilibrium Propagation on simulated analog and neuromorphic chips.

    corpus = neuroep.data.load("reviews", tokens=40)
    network = neuroep.networks.sentiment(tokens=40, dim=corpus.dim, dense=(64, 2), readout="pooled")
    engine = neuroep.engines.local(network, chip="pcm")
    found = neuroep.deployment.evaluate_run("runs/reviews")

Every module is there by its name and is imported when it is asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hw_models import lazy

if TYPE_CHECKING:
    from types import ModuleType

    from neuroep import (
        assembly,
        batch,
        checkpoints,
        config,
        data,
        deployment,
        engines,
        errors,
        estimators,
        evaluation,
        networks,
        optimisers,
        potentials,
        published,
        randomness,
        runs,
        settling,
        training,
        yardsticks,
    )

__version__ = "0.1.0"
__all__ = [
    "__version__",
    "assembly",
    "batch",
    "checkpoints",
    "config",
    "data",
    "deployment",
    "engines",
    "errors",
    "estimators",
    "evaluation",
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


def __getattr__(name: str) -> ModuleType:
    """Import a module when it is asked for."""
    return lazy.submodule(__name__, __path__, name)


def __dir__() -> list[str]:
    return sorted({*__all__, *lazy.modules(__path__)})
