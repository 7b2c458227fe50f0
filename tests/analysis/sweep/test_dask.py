"""Sweeps on a Dask cluster: the same table, a killed worker, what is refused."""

from __future__ import annotations

import os
import signal
import sys

import pytest

from analysis.sweep import runner
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


def test_without_the_package(trained, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ConfigError, match="pip install"):
        runner.run(trained, VARY, out=tmp_path / "out", cluster="tcp://127.0.0.1:1")
