"""A small network on small chips, ready to learn."""

from __future__ import annotations

from typing import Any

from hw_models import load
from hw_models.chip import Chip
from neuroep import engines
from neuroep.engines.engine import Engine
from neuroep.engines.settling import Schedule
from neuroep.learning.optimisers import SGD, Adam
from tests import cases

NET = cases.network("pooled_sentiment")
SYNAPSE = "dense_1"
RATES = {part.name: 0.01 for part in NET.synapses}
SHORT = Schedule(steps=6)
ESTIMATOR = cases.estimator(free=SHORT, nudged=SHORT)
BATCHES = [cases.batch(NET, seed=n) for n in range(4)]
CHIPS: dict[str, Any] = {
    "pair": {"device": {"g_max": 20.0, "programming_noise": [0.1]}},
    "offset": {"device": {"g_max": 20.0}, "crossbar": {"mapping": "offset", "rows": 3, "columns": 4}},
    "slices": {"device": {"g_max": 20.0}, "crossbar": {"slices": 2, "slice_bits": 4}},
    "pulsed": {"update": {"scheme": "pulsed"}, "device": {"pulse": {"dw_min": 1e-4}}},
}


def engine(name: str) -> Engine:
    """Return an engine with a small chip, or Loihi, or none."""
    if name == "none":
        return cases.engine("local", NET)
    chip = load("orchard_2021_loihi2") if name == "loihi" else Chip.parse({"name": name, **CHIPS[name]})
    rule = SGD() if name == "pulsed" else Adam()
    found = engines.local(NET, cases.parameters(NET), threads=1, chip=chip, optimiser=rule)
    if found.calibrates:
        found.calibrate(BATCHES, ESTIMATOR)
    return found
