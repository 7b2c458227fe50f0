"""Fixtures of all tests: few threads, no network, no one's cache, and a run small enough to train in a blink."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import hypothesis
import pytest

from tests import lots
from tests.fresh import Fresh

# Before anything imports NumPy, Numba or datasets.
for name, value in {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "NUMBA_NUM_THREADS": "2",
    "HF_HUB_OFFLINE": "1",
    "MPLBACKEND": "Agg",
}.items():
    os.environ.setdefault(name, value)

# Compilers make hundreds of thousands of objects that live on: to look through them every 700 takes a tenth of their
# time.
gc.set_threshold(20_000, 20, 20)

# The same examples on every machine, however slow or busy it is.
hypothesis.settings.register_profile("calm", deadline=None, derandomize=True)
hypothesis.settings.load_profile("calm")

ROOT = Path(__file__).resolve().parents[1]
TINY = """\
[network]
tokens = 12
dense = [8, 2]
readout = "pooled"
output_bias = 1.0

[data]
limit = 90

[settling]
free_steps = 4
nudged_steps = 4

[optimiser]
projection_rate = 1e-3
dense_rate = 1e-3

[training]
epochs = 2
batch = 20
"""
"""90 generated reviews in batches of 20: the last batch is smaller."""


COMPILING = "test_kernels.py"
"""It compiles most of what others need and leaves it to them."""
PLAIN = (
    "hw_models/measured/", "neuroep/engines/torch/", "neuroep/network/",
    "neuroep/data/test_a", "neuroep/data/test_batching", "neuroep/data/test_ca", "neuroep/data/test_d",
    "neuroep/data/test_f", "neuroep/data/test_g", "neuroep/data/test_l", "neuroep/data/test_ragged",
    "neuroep/data/test_s", "neuroep/data/test_t", "neuroep/data/test_v", "neuroep/test_package", "test_house",
    "test_imports", "test_site", "test_studies",
)  # fmt: skip
"""These need next to none of it."""
EARLY = ("hw_models/laws/", "neuroep/engines/test_", "neuroep/gradients/", "neuroep/learning/")
"""These need what it compiles first: no pulses, which take half of its time."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Take some rows of slow tables, unless a test is named, and put all in order.

    ``make test`` gives a half to each of two processes, and later of one's rest to the other. The first begins with
    ``COMPILING``, the second with ``PLAIN`` and ``EARLY``: in a new checkout it has work as long as the first compiles,
    and compiles nothing that this is about to leave to it. Each half ends with what a slow machine leaves out.
    """
    if not any("::" in each for each in config.args):
        dropped = {item for table in lots.tables(items) for item in {*table} - {*lots.few(table)}}
        config.hook.pytest_deselected(items=[item for item in items if item in dropped])
        items[:] = [item for item in items if item not in dropped]

    def of(item: pytest.Item, *places: str) -> bool:
        return item.nodeid.removeprefix("tests/").startswith(places)

    first = [item for item in items if of(item, COMPILING)]
    plain = [item for places in (PLAIN, EARLY) for item in items if of(item, *places)]
    last = [item for item in items if lots.last(item)]
    others = [item for item in items if not of(item, COMPILING, *PLAIN, *EARLY) and not lots.last(item)]
    ends = last[::2], last[1::2]
    many = max(0, len(items) // 2 - len(first) - len(ends[0]))
    items[:] = [*first, *others[:many], *ends[0], *plain, *others[many:], *ends[1]]


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Leave out what a machine is too slow for."""
    if lots.too_late(item):
        pytest.skip("left out: the time is up, and others cover it piece by piece")


class Outcome(NamedTuple):
    """What a command did."""

    code: int
    out: str
    err: str

    @property
    def line(self) -> str:
        """The one line of an error, checked to be one."""
        assert self.code == 2
        assert self.out == ""
        assert self.err.startswith("neuroep: error: ")
        assert self.err.count("\n") == 1
        return self.err.removeprefix("neuroep: error: ").rstrip("\n")


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep tokenised sets away from the user's cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NEUROEP_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    """A configuration that trains in a blink."""
    path = tmp_path / "tiny.toml"
    path.write_text(TINY)
    return path


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of the tiny configuration; to be read only."""
    from neuroep.runs import config, training

    folder = tmp_path_factory.mktemp("trained")
    (folder / "tiny.toml").write_text(TINY)
    training.train(config.load(folder / "tiny.toml"), folder / "run", progress=False)
    return folder / "run"


@pytest.fixture
def neuroep(capsys: pytest.CaptureFixture[str]) -> Callable[..., Outcome]:
    """Run the command line in this process."""
    from neuroep.cli import main

    def run(*arguments: object) -> Outcome:
        capsys.readouterr()
        try:
            code = main([str(argument) for argument in arguments])
        except SystemExit as end:
            code = int(end.code or 0)
        return Outcome(code, *capsys.readouterr())

    return run


@pytest.fixture(scope="session")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fresh]:
    """Run code in processes that have imported nothing of this project."""
    found = Fresh(tmp_path_factory.mktemp("fresh"))
    yield found
    found.close()


@pytest.fixture
def process() -> Callable[..., subprocess.Popen[str]]:
    """Start Python in a process of its own."""

    def start(*arguments: object) -> subprocess.Popen[str]:
        paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
        command = [sys.executable, *map(str, arguments)]
        pipe = subprocess.PIPE
        return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, env=environment)

    return start
