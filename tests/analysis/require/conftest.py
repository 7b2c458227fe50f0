"""Small requirements: bits of a converter on twenty reviews; a front over two fields of a priced chip."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from analysis import require
from analysis.require import Requirement

NOISY = ["--chip", "ideal", "--chip.device.mismatch", "0.05", "--chip.dac.bits", "6"]
PRICED = ["--chip", "rram"]


@pytest.fixture(scope="session")
def required(tmp_path_factory: pytest.TempPathFactory, trained: Path) -> Callable[..., Requirement]:
    """Ask what fields must be, of the tiny run and in this process."""

    def run(fields: Sequence[str], out: Path | None = None, source: Path = trained, **settings: Any) -> Requirement:
        out = tmp_path_factory.mktemp("required") / "out" if out is None else out
        given = {"overrides": NOISY, "samples": 40, **settings}
        with ThreadPoolExecutor(1) as executor:
            return require.run(source, fields, out=out, executor=executor, **given)

    return run


@pytest.fixture(scope="session")
def bits(required: Callable[..., Requirement]) -> Requirement:
    """A requirement of one field."""
    return required(["chip.adc.bits=2:9"], target=0.7, seeds=2, max_seeds=4)


@pytest.fixture(scope="session")
def front(required: Callable[..., Requirement]) -> Requirement:
    """A front over two fields."""
    fields = ["chip.adc.bits=2:7", "chip.dac.bits=2:5"]
    return required(fields, against="energy", overrides=PRICED, seeds=1, resolution=0.05, target=0.6)
