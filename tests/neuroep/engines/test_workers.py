"""Blocks of work and the threads that take them."""

from __future__ import annotations

import copy
import os
import pickle
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from hw_models import presets
from neuroep import engines
from neuroep.engines.workers import Workers, blocks
from neuroep.errors import ConfigError
from neuroep.gradients.estimators import centred
from neuroep.network import builders as networks
from tests import cases


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
    meeting = threading.Barrier(2, timeout=300)
    assert sorted(Workers(2).run(lambda a, b: meeting.wait(), [(0, 1), (1, 2)])) == [0, 1]


def test_an_error_of_a_block_is_raised():
    def task(first, last):
        raise ValueError(f"{first}")

    with pytest.raises(ValueError, match="0"):
        Workers(2).run(task, [(0, 1), (1, 2)])


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_the_first_part_that_failed_is_told_and_no_part_begins_after_it(threads):
    begun = []

    def task(first, last):
        begun.append(first)
        if first >= 3:
            raise ValueError(f"part {first}")

    with pytest.raises(ValueError, match="part 3"):
        Workers(threads).run(task, [(number, number + 1) for number in range(100)])
    assert len(begun) <= 3 + threads and {0, 1, 2, 3} <= set(begun)


def test_a_thread_that_is_slow_to_wake_is_not_waited_for():
    """The other thread of the pool is held; the caller does every part itself."""
    workers, held = Workers(2), threading.Event()
    pool = workers._threads()
    busy = [pool.submit(held.wait, 300) for _ in range(2)]
    assert workers.run(lambda a, b: (a, b), blocks(50, 3)) == blocks(50, 3)
    assert not any(each.done() for each in busy)
    held.set()


def test_a_part_may_share_out_its_own():
    workers = Workers(2)
    found = workers.run(lambda a, b: workers.run(lambda c, d: a + c, blocks(6, 2)), blocks(9, 1))
    assert found == [[number, number + 2, number + 4] for number in range(9)]


def test_blas_has_one_thread_inside_and_its_own_number_outside():
    def openblas():
        return [pool["num_threads"] for pool in threadpool_info() if pool["internal_api"] == "openblas"]

    before, workers = openblas(), Workers(2)
    with workers.single_blas(), workers.single_blas():
        assert set(openblas()) <= {1}
    assert openblas() == before


def test_default_is_all_processors():
    assert Workers().threads >= 1


@pytest.mark.parametrize("threads", [0, -2, 100_000, 2.0, "2", True])
def test_threads_that_cannot_be(threads):
    most = max(8, 4 * os.cpu_count())
    line = f"^threads is {threads}: allowed are whole numbers from 1 to {most} on this machine$"
    with pytest.raises(ConfigError, match=line):
        Workers(threads)


@pytest.mark.parametrize("make", [engines.local, engines.reference])
@pytest.mark.parametrize("name", ["OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"])
@pytest.mark.parametrize("value", ["0", "100000", "9" * 5000])
def test_threads_of_the_environment_that_cannot_be(monkeypatch, make, name, value):
    """Before: SIGSEGV in torch, a traceback of Numba's."""
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match=rf"^{name} is {value[:12]}: allowed are whole numbers from 1 to \d+ on this"):
        make(cases.network())


@pytest.mark.parametrize("value", ["", "4,2", "many"])
def test_what_is_no_number_is_left_to_the_library(monkeypatch, value):
    monkeypatch.setenv("OMP_NUM_THREADS", value)
    assert engines.local(cases.network()).substrate.setting.workers.threads >= 1


FORKED = """
import multiprocessing, sys
from neuroep import engines, networks
from neuroep.gradients.estimators import centred
from tests import cases

net = networks.sentiment(12, 24, (300, 2), readout=sys.argv[3])
engine = engines.build(sys.argv[1], net, threads=int(sys.argv[2]))
batch = cases.batch(net, 200)

def work(_):
    found = centred(0.1).gradient(engine, batch)
    return {name: value.tobytes() for name, value in found.items()}

mine = work(0)
with multiprocessing.get_context("fork").Pool(1) as pool:
    child = pool.map_async(work, [0]).get(timeout=600)[0]
print(mine.keys() == child.keys() and (sys.argv[1] == "reference" or mine == child))
"""


@pytest.mark.parametrize("readout", ["flat", "pooled"])
@pytest.mark.parametrize("kind", ["local", "reference"])
def test_an_engine_goes_on_in_a_forked_process(process, kind, readout):
    """Before: the child waited for threads that a fork does not copy, for ever."""
    out, err = process("-c", FORKED, kind, 2, readout).communicate(timeout=900)
    assert out == "True\n", err


COPIES = {"pickled": lambda engine: pickle.loads(pickle.dumps(engine)), "copied": copy.deepcopy}


@pytest.mark.parametrize("way", COPIES)
@pytest.mark.parametrize(
    ("kind", "chip"),
    [("reference", None), ("local", None), *(("local", name) for name in ("pcm", "reram", "loihi", "isaac", "rram"))],
)
@pytest.mark.parametrize("threads", [1, 2])
def test_a_used_engine_can_be_copied(kind, chip, threads, way):
    """Before: 'cannot pickle _queue.SimpleQueue', 'ctypes objects containing pointers cannot be pickled'."""
    net = networks.sentiment(12, 24, (30, 2), readout="pooled")
    modelled = {} if chip is None else {"chip": presets.load(chip)}
    engine, batch = engines.build(kind, net, threads=threads, **modelled), cases.batch(net, 60)
    estimator = centred(0.1)
    engine.calibrate([batch], estimator)
    rates = dict.fromkeys([synapse.name for synapse in net.synapses], 0.01)

    def learn(each):
        each.update(estimator.measure(each, batch.keyed("train", 1)).contrasts, rates)
        return each.parameters()

    learn(engine)
    other = COPIES[way](engine)
    cases.assert_same(learn(other), learn(engine))


def test_blas_stays_limited_while_another_engine_is_inside():
    """Before: the first to leave gave BLAS its threads back, and the last to leave took them for good."""
    def openblas():
        return {pool["num_threads"] for pool in threadpool_info() if pool["internal_api"] == "openblas"}

    with threadpool_limits(2, user_api="blas"):
        one, other = Workers(1).single_blas(), Workers(1).single_blas()
        one.__enter__()
        other.__enter__()
        one.__exit__(None, None, None)
        assert openblas() <= {1}
        other.__exit__(None, None, None)
        assert openblas() <= {2}


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
