"""neuroep: Equilibrium Propagation on simulated analog and neuromorphic chips.

    record = neuroep.train("examples/configs/reviews.toml", "runs/reviews")
    found = neuroep.evaluate("runs/reviews")                            # as it was trained
    found = neuroep.deploy("runs/reviews", chip="pcm", seeds=5)         # programmed on five chips
    session = neuroep.Session.open("runs/reviews", chip="pcm")          # its parts, to go on with

    corpus = neuroep.data.load("reviews", tokens=40)
    network = neuroep.networks.sentiment(tokens=40, dim=corpus.dim, dense=(64, 2), readout="pooled")
    engine = neuroep.engines.local(network, chip="pcm")

================  ====================================================================================
Session           corpus, network, calibrated engine and estimator of a run or a configuration
train             a configuration into a run directory
evaluate, deploy  a run, on its own devices or another chip; on chips of several seeds
adopt             weights trained elsewhere into a run directory
export            a settled sample on a chip as a SPICE netlist
cost              joules, seconds and area of a classification and of an update on a chip
load_config       read a configuration file
load_chip         a preset, a registered chip, or a TOML file
data              ``data.load``: corpora and word vectors; ``data.batches``
networks          builders of networks
engines           ``engines.local`` in Numba and BLAS, ``engines.reference`` in torch; either on a chip if one likes
estimators        of the gradient, from free and nudged phases
yardsticks        exact gradients to hold these against
errors            all errors are one line; ``errors.UserError`` is the base of those that a user can mend
================  ====================================================================================

All of it is imported when it is asked for.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from hw_models import lazy

if TYPE_CHECKING:
    from hw_models.chip.files import load as load_chip
    from neuroep import data, engines, errors
    from neuroep.gradients import estimators, yardsticks
    from neuroep.network import builders as networks
    from neuroep.runs.adoption import adopt
    from neuroep.runs.config import load as load_config
    from neuroep.runs.costs import cost
    from neuroep.runs.deployment import deploy, evaluate
    from neuroep.runs.netlists import export
    from neuroep.runs.session import Session
    from neuroep.runs.training import train

__version__ = "0.2.0"
__all__ = [
    "Session",
    "__version__",
    "adopt",
    "cost",
    "data",
    "deploy",
    "engines",
    "errors",
    "estimators",
    "evaluate",
    "export",
    "load_chip",
    "load_config",
    "networks",
    "train",
    "yardsticks",
]
_HOMES = {
    "Session": ("neuroep.runs.session", "Session"),
    "adopt": ("neuroep.runs.adoption", "adopt"),
    "cost": ("neuroep.runs.costs", "cost"),
    "deploy": ("neuroep.runs.deployment", "deploy"),
    "estimators": ("neuroep.gradients.estimators", ""),
    "evaluate": ("neuroep.runs.deployment", "evaluate"),
    "export": ("neuroep.runs.netlists", "export"),
    "load_chip": ("hw_models.chip.files", "load"),
    "load_config": ("neuroep.runs.config", "load"),
    "networks": ("neuroep.network.builders", ""),
    "train": ("neuroep.runs.training", "train"),
    "yardsticks": ("neuroep.gradients.yardsticks", ""),
}
"""Module of each name, and its name there; none of a module itself."""


def __getattr__(name: str) -> object:
    """Import what is asked for."""
    if name not in _HOMES:
        return lazy.submodule(__name__, __path__, name, _HOMES)
    place, own = _HOMES[name]
    module = importlib.import_module(place)
    return vars(module)[own] if own else module


def __dir__() -> list[str]:
    return sorted({*__all__, *lazy.modules(__path__)})
