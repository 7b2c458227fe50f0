"""Sweeps on a Dask cluster: the same table, a killed worker, what is refused."""

from __future__ import annotations

import os
import signal
import socket
import sys

import pytest

from analysis.sweep import runner
from analysis.sweep.executors import Cluster
from analysis.sweep.results import RESULTS
from neuroep.errors import ConfigError
from tests.analysis.sweep.cases import SETTINGS, VARY


def test_a_killed_worker_changes_nothing(trained, tmp_path, undisturbed):
    distributed = pytest.importorskip("distributed")
    victims = []

    def kill(record):
        if not victims:
            victims.append(int(record["worker"].rpartition(":")[2]))
            os.kill(victims[0], signal.SIGKILL)

    settings = {"n_workers": 2, "threads_per_worker": 1, "processes": True, "dashboard_address": None}
    with distributed.LocalCluster(**settings, silence_logs=50) as cluster:
        address = cluster.scheduler_address
        found = runner.run(trained, VARY, out=tmp_path / "out", cluster=address, report=kill, timeout=300, **SETTINGS)
    assert victims and victims[0] != os.getpid()
    assert len(found.rows) == 24 and not found.failed
    assert (tmp_path / "out" / RESULTS).read_bytes() == undisturbed
    assert len((tmp_path / "out" / "trials.jsonl").read_text().splitlines()) == 24


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:1", "nonsense://x", "127.0.0.1:1"])
def test_an_unreachable_cluster_is_one_line(trained, tmp_path, address):
    pytest.importorskip("distributed")
    with pytest.raises(ConfigError, match=r"cannot be reached within 0\.3 s") as error:
        runner.run(trained, VARY, out=tmp_path / "out", cluster=address, timeout=0.3)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:{}", "tls://127.0.0.1:{}", "inproc://x", "tcp://[::1"])
def test_what_is_no_scheduler_is_one_line_and_no_more(trained, tmp_path, process, address):
    """Before, nine lines of Dask's traceback followed 20 s later, and a listener that says nothing held it for ever."""
    pytest.importorskip("distributed")
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen()
        place = address.format(mute.getsockname()[1])
        code = (
            "import sys; from analysis.sweep import runner\nfrom neuroep.errors import ConfigError\n"
            "try: runner.run(sys.argv[1], ['chip.adc.bits=4'], out=sys.argv[2], overrides=['--chip', 'rram'],"
            " cluster=sys.argv[3], timeout=1.0)\n"
            "except ConfigError as error: sys.exit(str(error))"
        )
        child = process("-c", code, trained, tmp_path / "out", place)
        _, errors = child.communicate(timeout=60)
    assert errors.startswith(f"cluster '{place}' cannot be reached within 1 s: ") and errors.count("\n") == 1
    assert child.returncode == 1


class Deserted:
    """A client whose workers go and come."""

    status = "running"
    workers: dict[str, int] = {}  # noqa: RUF012

    def nthreads(self) -> dict[str, int]:
        return self.workers


def test_a_cluster_without_workers_says_so_once(caplog):
    """Before, it waited without a word."""
    pytest.importorskip("distributed")
    pool = Cluster("tcp://127.0.0.1:1")
    pool._client = Deserted()
    pool.check()
    pool.check()
    assert [record.getMessage().split(",")[0] for record in caplog.records] == [
        "cluster 'tcp://127.0.0.1:1': no worker is left"
    ]
    pool._client.workers = {"a": 1}
    pool.check()
    assert "a worker has come" in caplog.records[1].getMessage()
    pool._client.status = "closed"
    with pytest.raises(ConfigError, match="was lost; run the same command again"):
        pool.check()


def test_without_the_package(trained, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ConfigError, match="pip install"):
        runner.run(trained, VARY, out=tmp_path / "out", cluster="tcp://127.0.0.1:1")
