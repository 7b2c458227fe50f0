"""Record anew: ``python -m tests.recorded.make [NAME ...]``; of the cases named, or of all.

Do so only where results are meant to change, and say in the commit which and why.

- ``weights.safetensors``: final weights of every run, ``RUN/PARAMETER``.
- ``state.json``: digests of all else that a checkpoint holds (moments, devices), without their names.
- ``names.json``: the names that those digests had, apart, because names may change.
- ``results.json``: losses, accuracies and health per epoch; tables of the studies.
- ``counters.json``: what was counted, apart, because it may come to be counted differently.
- ``machine.json``: where it was recorded.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).parent
SECTIONS = ("results", "counters", "state", "names")


def record(names: list[str]) -> None:
    """Run cases and write what they give."""
    from safetensors.numpy import load_file, save_file

    from tests.recorded import house, machine
    from tests.recorded.cases import RUNS, STUDIES

    known = [*RUNS, *STUDIES]
    for name in names:
        if name not in known:
            raise SystemExit(f"'{name}' is none of {', '.join(known)}")
    old = {section: read(section) for section in SECTIONS} if names else {section: {} for section in SECTIONS}
    tables: dict[str, dict[str, Any]] = {s: {n: v for n, v in t.items() if n in known} for s, t in old.items()}
    weights: dict[str, np.ndarray] = {}
    if names:
        others = [name for name in known if name not in names]
        stored = load_file(HERE / "weights.safetensors")
        weights = {key: array for key, array in stored.items() if key.partition("/")[0] in others}
    for name in names or known:
        start = time.process_time()
        with tempfile.TemporaryDirectory() as folder:
            if name in STUDIES:
                tables["results"][name], tables["counters"][name] = house.study(name, Path(folder))
            else:
                found = house.train(RUNS[name], Path(folder))
                tables["results"][name] = found.epochs
                tables["counters"][name] = {
                    "epochs": found.counters,
                    "checkpoint": {key: array.tolist() for key, array in found.checkpoint.counts.items()},
                }
                tables["names"][name] = list(found.checkpoint.state)
                tables["state"][name] = sorted(map(house.digest, found.checkpoint.state.values()))
                weights |= {f"{name}/{key}": array for key, array in found.checkpoint.parameters.items()}
        print(f"{time.process_time() - start:6.2f} s  {name}", flush=True)
    save_file({key: np.ascontiguousarray(weights[key]) for key in sorted(weights)}, HERE / "weights.safetensors")
    (HERE / "weights.safetensors").chmod(0o644)
    for section, table in tables.items():
        _write(section, {name: table[name] for name in known if name in table})
    _write("machine", machine.fingerprint())


def read(section: str) -> dict[str, Any]:
    """Return what is recorded, by the names of cases; or the machine."""
    return json.loads((HERE / f"{section}.json").read_text())


def _write(section: str, table: dict[str, Any]) -> None:
    """Write a line per case: short, and a difference shows which case changed."""
    entries = {name: json.dumps(value, separators=(",", ":")) for name, value in table.items()}
    lines = ",\n".join(f"{json.dumps(name)}: {entry}" for name, entry in entries.items())
    (HERE / f"{section}.json").write_text("{\n" + lines + "\n}\n")


if __name__ == "__main__":
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(variable, "1")
    os.environ.setdefault("MPLBACKEND", "Agg")
    record(sys.argv[1:])
