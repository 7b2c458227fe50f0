"""Oracle cases of independent simulators, where they are at hand."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

ORACLES = Path(__file__).resolve().parents[3] / "shared" / "oracles"
Oracle = Callable[[str], tuple[dict[str, Any], dict[str, np.ndarray]]]


@pytest.fixture(scope="session")
def oracle() -> Oracle:
    """Return what reads one file of cases: its meta page and its arrays; skips the test where there is none."""

    def read(name: str) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        path = ORACLES / f"{name}.npz"
        if not path.is_file():
            pytest.skip(f"no oracle cases in {ORACLES}")
        with np.load(path, allow_pickle=False) as file:
            arrays = {key: file[key] for key in file.files if key != "meta"}
            return json.loads(str(file["meta"])), arrays

    return read
