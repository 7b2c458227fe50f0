"""A small ablation: four effects, two chips, twenty reviews."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from analysis import ablate
from analysis.ablate import Ablation

CHIP = ["--chip", "ideal", "--chip.device.mismatch", "0.3", "--chip.adc.bits", "4", "--chip.readout.bits", "6"]
CHIP += ["--chip.device.read_noise", "0.5", "--chip.dac.bits", "3"]


@pytest.fixture(scope="session")
def ablated(tmp_path_factory: pytest.TempPathFactory, trained: Path) -> Callable[..., Ablation]:
    """Ablate the tiny run in this process."""

    def run(out: Path | None = None, source: Path = trained, **settings: Any) -> Ablation:
        out = tmp_path_factory.mktemp("ablated") / "out" if out is None else out
        given = {"overrides": CHIP, "samples": 20, "seeds": 3, **settings}
        with ThreadPoolExecutor(1) as executor:
            return ablate.run(source, out=out, executor=executor, **given)

    return run


@pytest.fixture(scope="session")
def small(ablated: Callable[..., Ablation]) -> Ablation:
    """The ablation that several tests look at."""
    return ablated(pairs=2)
