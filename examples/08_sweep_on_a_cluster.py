"""The same sweep on this machine's processes and on a Dask cluster: the same table to the last byte.

    pip install 'neuroep[cluster]'
    python examples/08_sweep_on_a_cluster.py --out runs/08_cluster

Without ``--cluster tcp://HOST:8786`` two Dask workers are started on this machine. Any worker may be killed while it
runs: its trial is run again elsewhere. docs/clusters.md has the recipes for Slurm.

What to expect, after a quarter of a minute: 84 % without mismatch falls to 60 % where devices conduct 30 % more or less
than they were programmed to, 4 bits cost up to five points more, and both tables are the same bytes.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from analysis.sweep import results, runner
from neuroep.runs import config, training

HERE = Path(__file__).parent
VARY = ("chip.adc.bits=4,6,8", "chip.device.mismatch=0,0.1,0.3")


@contextmanager
def two_workers() -> Iterator[str]:
    """Start a cluster of two worker processes, one thread each, and give its address."""
    from distributed import LocalCluster

    settings = {"n_workers": 2, "threads_per_worker": 1, "processes": True, "dashboard_address": None}
    with LocalCluster(**settings, silence_logs=50) as cluster:
        yield cluster.scheduler_address


def main(out: Path, cluster: str | None = None, fast: bool = False) -> bool:
    """Train into ``out/run``, sweep twice; return whether the tables are the same. ``fast`` is for the tests."""
    overrides = ["--epochs", "1", "--limit", "100"] if fast else ["--epochs", "4"]
    training.train(config.load(HERE / "configs" / "reviews.toml", overrides), out / "run", resume=True)
    chip = ["--chip", str(HERE / "chips" / "mismatched.toml")]
    settings = {"overrides": chip, "seeds": 1 if fast else 2, "samples": 50 if fast else None}
    vary = VARY[1:] if fast else VARY
    here = runner.run(out / "run", vary, out=out / "here", workers=1 if fast else None, **settings)
    if cluster is None:
        with two_workers() as address:
            there = runner.run(out / "run", vary, out=out / "there", cluster=address, **settings)
    else:
        there = runner.run(out / "run", vary, out=out / "there", cluster=cluster, **settings)
    print(there.as_text())
    same = (here.out / results.RESULTS).read_bytes() == (there.out / results.RESULTS).read_bytes()
    print(f"{results.RESULTS} of both: {'the same bytes' if same else 'they differ'}")
    return same


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("runs/08_cluster"), help="new directory")
    parser.add_argument("--cluster", metavar="ADDRESS", help="scheduler of a cluster that runs already")
    arguments = parser.parse_args()
    main(arguments.out, arguments.cluster)
