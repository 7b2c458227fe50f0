"""Small requirements of a run that has learned something: bits of a converter, a front over two fields."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from analysis import require
from analysis.require import Requirement
from neuroep.runs import config, training
from tests.conftest import ROOT

NOISY = ["--chip", "ideal", "--chip.device.mismatch", "0.05", "--chip.dac.bits", "6"]
PRICED = ["--chip", "rram"]


@pytest.fixture(scope="session")
def learned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that tells nine reviews of ten; to be read only."""
    out = tmp_path_factory.mktemp("learned") / "run"
    given = ["--epochs", "6", "--decay_epochs", "6"]
    training.train(config.load(ROOT / "examples/configs/reviews.toml", given), out, progress=False)
    return out


@pytest.fixture(scope="session")
def required(tmp_path_factory: pytest.TempPathFactory, learned: Path) -> Callable[..., Requirement]:
    """Ask what fields must be, in this process."""

    def run(fields: Sequence[str], out: Path | None = None, source: Path = learned, **settings: Any) -> Requirement:
        out = tmp_path_factory.mktemp("required") / "out" if out is None else out
        given = {"overrides": NOISY, "samples": 60, **settings}
        with ThreadPoolExecutor(1) as executor:
            return require.run(source, fields, out=out, executor=executor, **given)

    return run


@pytest.fixture(scope="session")
def bits(required: Callable[..., Requirement]) -> Requirement:
    """A requirement of one field."""
    return required(["chip.adc.bits=2:9"], target=0.8, seeds=2, max_seeds=4)


@pytest.fixture(scope="session")
def front(required: Callable[..., Requirement]) -> Requirement:
    """A front over two fields."""
    fields = ["chip.adc.bits=2:7", "chip.dac.bits=2:5"]
    return required(fields, against="energy", overrides=PRICED, seeds=1, resolution=0.05, target=0.8)
