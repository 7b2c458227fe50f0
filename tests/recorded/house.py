"""The only room of the recorded tests that knows the house: its command line and the files that it leaves.

Everything goes through ``neuroep.cli.main`` and through files, so that modules may move and names may change. Where the
names of a checkpoint's tensors change, :func:`read_checkpoint` is the one place to say so.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import shlex
import shutil
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import numpy as np

from neuroep.cli import main
from neuroep.runs import training
from tests.recorded.cases import RUNS, STUDIES, Case

COUNTED = ("counters", "arrays")
"""Tables of what a chip did: kept apart, as they may come to be counted differently."""
PASSING = (
    "seconds", "peak_memory_mib", "memory_mib", "run", "seal", "id", "worker", "finished", "attempt", "remarks",
    "config", "settings", "environment", "asked", "chips", "chip", "pictures", "citation", "weights",
    "network", "limits", "contrasts", "exact_phases", "common", "common_error", "differing_error",
)  # fmt: skip
"""Entries that are no results: times, sizes, names of runs and networks, sentences, settings written back."""


class Checkpoint(NamedTuple):
    """What a checkpoint holds."""

    parameters: dict[str, np.ndarray]
    """Weights by the names of the network."""
    state: dict[str, np.ndarray]
    """Moments of the optimiser, and devices of a chip."""
    counts: dict[str, np.ndarray]
    """Counters of a chip's arrays."""


class Outcome(NamedTuple):
    """What a run leaves."""

    checkpoint: Checkpoint
    epochs: list[Any]
    """A table per epoch: losses, accuracies, health."""
    counters: list[Any]
    """A table per epoch: what was counted."""


def read_checkpoint(directory: Path) -> Checkpoint:
    """Read the last checkpoint of a run directory: ``parameters.NAME``, and all else that training needs to go on."""
    from safetensors.numpy import load_file

    held = Checkpoint({}, {}, {})
    for key, array in sorted(load_file(directory / "checkpoint.safetensors").items()):
        group, _, name = key.partition(".")
        if group == "parameters":
            held.parameters[name] = array
        elif name.endswith(".counts"):
            held.counts[name] = array
        else:
            held.state[name] = array
    return held


def run(words: Iterable[str]) -> str:
    """Run a command in this process and return what it prints."""
    words, printed = list(words), io.StringIO()
    with contextlib.redirect_stdout(printed):
        code = main(words)
    if code != 0:
        raise RuntimeError(f"neuroep {shlex.join(words)}: exit code {code}")
    return printed.getvalue()


def train(case: Case, folder: Path, *more: str, name: str = "run", diagnose: bool = True) -> Outcome:
    """Train in ``folder/name`` and return what the run leaves; what limits learning on a chip is measured or not."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.toml").write_text(case.config)
    words = ["train", str(folder / "config.toml"), "--out", str(folder / name), "--quiet"]
    with mock.patch.object(training, "train", partial(training.train, diagnose=diagnose)):
        run([*words, *_chip(case.chip, folder), *shlex.split(case.arguments), *more])
    lines = [json.loads(line) for line in (folder / name / "metrics.jsonl").read_text().splitlines() if line]
    return Outcome(read_checkpoint(folder / name), [kept(line) for line in lines], [counted(line) for line in lines])


def _chip(chip: str, folder: Path) -> list[str]:
    if "\n" not in chip:
        return ["--chip", chip] if chip else []
    (folder / "chip.toml").write_text(chip)
    return ["--chip", str(folder / "chip.toml")]


def study(name: str, folder: Path, source: Path | None = None) -> tuple[Any, Any]:
    """Run the command of a study; return its results and what it counted.

    ``source`` is the folder that its source was trained in; without it, that is done here.
    """
    about = STUDIES[name]
    if source is None:
        train(RUNS[about.source], folder)
    else:
        shutil.copytree(source, folder, dirs_exist_ok=True)
    (folder / "chip.toml").write_text(about.chip)
    places = {"RUN": "run", "CONFIG": "config.toml", "CHIP": "chip.toml", "OUT": "out"}
    words = [str(folder / places[word]) if word in places else word for word in shlex.split(about.arguments)]
    printed = run(words)
    if words[0] == "evaluate":
        found = json.loads(printed)
    elif words[0] == "sweep":
        found = _table(folder / "out" / "results.parquet")
    else:
        found = json.loads((folder / "out" / f"{dict(compare='comparison').get(words[0], words[0])}.json").read_text())
        if found.get("baseline") is not None:  # recorded as the accuracy alone, of a bag of words
            found["bag_of_words"] = found["baseline"]["accuracy"]
    return kept(found), counted(found)


def _table(path: Path) -> list[dict[str, Any]]:
    """Return the rows of a sweep, its ``counters.NAME`` columns as a table of their own."""
    import pyarrow.parquet as parquet

    rows = []
    for row in parquet.read_table(path).to_pylist():
        counters = {key.partition(".")[2]: value for key, value in row.items() if key.startswith("counters.")}
        results = {key: value for key, value in row.items() if not key.startswith("counters.")}
        rows.append({**results, "counters": counters})
    return sorted(rows, key=lambda row: json.dumps(kept(row), sort_keys=True))


def kept(tree: Any) -> Any:
    """Return results without what is counted, and without what is none."""
    if isinstance(tree, Mapping):
        return {name: kept(value) for name, value in tree.items() if name not in (*COUNTED, *PASSING)}
    return [kept(value) for value in tree] if isinstance(tree, list) else tree


def counted(tree: Any) -> Any:
    """Return what is counted alone, at its places; None where there is nothing."""
    if isinstance(tree, list):
        found = [counted(value) for value in tree]
        return found if any(value is not None for value in found) else None
    if not isinstance(tree, Mapping):
        return None
    found = {name: value if name in COUNTED else counted(value) for name, value in tree.items()}
    return {name: value for name, value in found.items() if value is not None and value != {}} or None


def digest(array: np.ndarray) -> str:
    """Return a digest of type, shape and bytes."""
    about = f"{array.dtype.str} {array.shape} ".encode()
    return hashlib.sha256(about + np.ascontiguousarray(array).tobytes()).hexdigest()[:16]
