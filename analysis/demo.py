"""The demo: one network, one seed, trained on both engines and deployed on three chips, beside a bag of words.

    result = analysis.demo.run()
    result.as_text()

It is a comparison (:mod:`analysis.comparison`) on the generated reviews, which need no download: what a review says
comes down to one adjective that belongs to the aspect named at the start, and to a negation, so counting words helps
little.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from analysis import comparison
from analysis.comparison.measure import Comparison, Report
from analysis.folders import unused
from hw_models.keywords import checked
from hw_models.reading import Entries
from neuroep.errors import ConfigError
from neuroep.runs import config as configuration
from neuroep.runs.config import Config

SETTINGS: Mapping[str, Entries] = {
    "network": {"kind": "sentiment", "tokens": 40, "dense": [64, 2], "readout": "pooled", "output_bias": 1.0},
    "data": {"name": "reviews"},
    "settling": {"free_steps": 20, "nudged_steps": 30, "tolerance": 1e-2, "nudged_tolerance": 0.01},
    "estimator": {"kind": "centred", "beta": 0.2},
    "optimiser": {"projection_rate": 1e-2, "dense_rate": 3e-3, "decay_epochs": 10},
    "training": {"epochs": 10, "batch": 50},
}
"""The settings of examples/configs/reviews.toml, which an installed package does not carry."""

CHIPS = ("pcm", "hermes", "rram")
DEFAULT = Path("runs/demo")


def settings(training: Entries | None = None) -> Config:
    """Return the configuration of the demo.

    Parameters
    ----------
    training : mapping, optional
        Changes to its section ``training``, for example ``{"epochs": 2}``.
    """
    tables = {name: dict(table) for name, table in SETTINGS.items()}
    tables["training"] |= training or {}
    return configuration.parse(tables, "demo")


@checked(ConfigError)
def run(
    out: str | Path | None = None,
    *,
    config: Config | None = None,
    progress: bool = False,
    report: Report | None = None,
) -> Comparison:
    """Train on both engines, deploy on chips, and compare.

    Parameters
    ----------
    out : str or Path, optional
        New or empty directory; default ``runs/demo``, or ``runs/demo-2`` and so on if that exists.
    config : Config, optional
        What to train instead of the reviews.
    progress : bool
        Show bars on a terminal.
    report : callable, optional
        Called with engine and record after each epoch.

    Raises
    ------
    ConfigError
        If the directory is not empty or cannot be written.
    """
    place = unused(DEFAULT) if out is None else Path(out)
    return comparison.run(config or settings(), CHIPS, place, progress=progress, report=report)
