"""Blocks of work and the threads that take them."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from threadpoolctl import threadpool_info

from neuroep.engines.workers import Workers, blocks
from neuroep.errors import ConfigError


@pytest.mark.parametrize(("length", "most"), [(0, 4), (1, 4), (4, 4), (5, 4), (17, 4), (100, 7)])
def test_blocks_cover_the_range_once_in_near_equal_pieces(length, most):
    parts = blocks(length, most)
    assert [i for a, b in parts for i in range(a, b)] == list(range(length))
    sizes = [b - a for a, b in parts]
    assert max(sizes) <= most and max(sizes) - min(sizes) <= 1


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_results_come_in_order(threads):
    assert Workers(threads).run(lambda a, b: (a, b), blocks(50, 3)) == blocks(50, 3)


def test_threads_share_the_work():
    meeting = threading.Barrier(2, timeout=20)
    assert sorted(Workers(2).run(lambda a, b: meeting.wait(), [(0, 1), (1, 2)])) == [0, 1]


def test_an_error_of_a_block_is_raised():
    def task(first, last):
        raise ValueError(f"{first}")

    with pytest.raises(ValueError, match="0"):
        Workers(2).run(task, [(0, 1), (1, 2)])


def test_blas_has_one_thread_inside_and_its_own_number_outside():
    def openblas():
        return [pool["num_threads"] for pool in threadpool_info() if pool["internal_api"] == "openblas"]

    before, workers = openblas(), Workers(2)
    with workers.single_blas(), workers.single_blas():
        assert set(openblas()) <= {1}
    assert openblas() == before


def test_default_is_all_processors():
    assert Workers().threads >= 1


@pytest.mark.parametrize("threads", [0, -2])
def test_threads_below_one(threads):
    with pytest.raises(ConfigError, match=f"^threads is {threads}: allowed are whole numbers from 1$"):
        Workers(threads)


BITS = """
import hashlib
from neuroep import engines, estimators, networks
from tests import cases
net = networks.sentiment(12, 24, (64, 2))
engine = engines.local(net, threads=2)
found = estimators.centred(0.1).gradient(engine, cases.batch(net, 200))
print(hashlib.sha256(b"".join(value.tobytes() for value in found.values())).hexdigest())
"""


def test_gradients_do_not_depend_on_blas_threads():
    found = set()
    for threads in ("1", "2"):
        environment = {**os.environ, "OPENBLAS_NUM_THREADS": threads, "PYTHONPATH": str(Path(__file__).parents[3])}
        done = subprocess.run([sys.executable, "-c", BITS], env=environment, capture_output=True, text=True, check=True)
        found.add(done.stdout)
    assert len(found) == 1
