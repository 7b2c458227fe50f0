# Tested by tests/neuroep/runs/test_directory.py.
"""Names of the files of a run directory; what they hold says :mod:`neuroep.runs.directory`."""

from __future__ import annotations

from pathlib import Path

CONFIG, ENVIRONMENT, METRICS, CHECKPOINT = "config.toml", "environment.json", "metrics.jsonl", "checkpoint.safetensors"


def is_run(path: Path) -> bool:
    """Tell whether a folder is a run directory."""
    return all((path / name).is_file() for name in (CONFIG, CHECKPOINT))
