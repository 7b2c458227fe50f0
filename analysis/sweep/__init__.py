"""Sweeps: any field of a configuration or a chip against accuracy, killable at any moment, on one machine or on many.

    from analysis.sweep import runner

    found = runner.run("runs/reviews", ["chip.adc.bits=3:8", "chip.device.read_noise=0,0.01"], out="runs/bits", seeds=3)
    found.as_text()

=========  ======================================================================
designs    what is varied: names and values, and the points made of them
plans      the points as checked configurations, and the trials of each
trials     one trial, and the hash of everything that affects its result
stopping   how many seeds a point gets
ledger     the record of finished trials, which a kill cannot break
records    its lines, read and checked: what was damaged or edited is refused
workers    what a worker process does; it imports nothing heavy by itself
execution  deploy weights on a chip, or learn on it
executors  local processes, a Dask cluster, or an executor of one's own
conductor  the loop that hands trials to an executor
rounds     directory and workers, open: points are run round after round
runner     the sweep as a whole
results    tables: Parquet, means by point
points     trials that belong together, and what values are called
pictures   accuracy against one setting, and against two
panels     which pictures its page shows
page       its page
=========  ======================================================================

Nothing is imported here: a worker limits its threads before NumPy is.
"""

from __future__ import annotations

from types import ModuleType

from hw_models import lazy


def __getattr__(name: str) -> ModuleType:
    """Import a module when it is asked for."""
    return lazy.submodule(__name__, __path__, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *lazy.modules(__path__)})
