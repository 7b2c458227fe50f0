"""A sweep of 24 trials that nothing disturbed, on one thread; what others give is compared with its bytes."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from analysis.sweep import runner
from analysis.sweep.results import RESULTS, Sweep
from tests.analysis.sweep.cases import SETTINGS, VARY


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, trained: Path) -> bytes:
    """Bytes of the table."""
    out = tmp_path_factory.mktemp("sweep") / "out"
    with ThreadPoolExecutor(1) as executor:
        runner.run(trained, VARY, out=out, executor=executor, **SETTINGS)
    return (out / RESULTS).read_bytes()


@pytest.fixture
def sweep(tmp_path: Path, trained: Path) -> Callable[..., Sweep]:
    """Sweep the tiny run in this process, on few samples."""

    def run(vary: list[str], source: Path = trained, out: Path = tmp_path / "out", **settings: Any) -> Sweep:
        with ThreadPoolExecutor(1) as executor:
            return runner.run(source, vary, out=out, **{"samples": 20, "executor": executor, **settings})

    return run
