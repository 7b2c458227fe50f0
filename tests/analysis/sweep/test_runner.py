"""Sweeps in one process: what is recorded, run again, added, refused; independence of the order and of the executor."""

from __future__ import annotations

import csv
import json
import random
import shutil
import time
from collections import Counter
from concurrent.futures import CancelledError, Executor, Future, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import pytest

from analysis.sweep import execution, runner
from analysis.sweep.ledger import RUN, SWEEP, TRIALS
from analysis.sweep.results import RESULTS, load
from neuroep.errors import ConfigError, DivergenceError
from neuroep.runs import config, deployment, training
from tests.analysis.sweep.cases import SETTINGS, VARY

BITS = ["chip.adc.bits=3,8"]


def lines(out: Path) -> list[dict]:
    return [json.loads(line) for line in (out / TRIALS).read_text().splitlines()]


def test_deploying_is_what_deploy_does(sweep, trained):
    found = sweep(["chip.adc.bits=4"], overrides=["--chip", "pcm"], seeds=2, samples=None)
    expected = deployment.deploy(trained, overrides=["--chip", "pcm", "--chip.adc.bits", "4"], seeds=2)
    assert [row["accuracy"] for row in found.rows] == [one.accuracy for one in expected.evaluations]
    assert [row["loss"] for row in found.rows] == [one.loss for one in expected.evaluations]
    counters = {name: number for name, number in found.rows[1].items() if name.startswith("counters.")}
    assert counters == {f"counters.{name}": number for name, number in expected.evaluations[1].counters.items()}


@pytest.mark.parametrize("chip", ["none", "ideal", "pcm"])
def test_learning_is_what_train_does(sweep, tiny, tmp_path, chip):
    found = sweep(["estimator.beta=0.2"], tiny, overrides=["--chip", chip], seeds=2, samples=None)
    settings = config.load(tiny, ["--chip", chip, "--beta", "0.2", "--training.seed", "1"])
    record = training.train(settings, tmp_path / "run", progress=False, diagnose=False)
    row = found.rows[1]
    assert (row["accuracy"], row["loss"]) == (
        record["evaluate"]["test"]["accuracy"],
        record["evaluate"]["test"]["loss"],
    )
    assert (row["train_loss"], row["updates"]) == (record["train"]["loss"], record["updates"])
    assert row["counters.settle_steps"] == record["counters"]["settle_steps"]
    assert found.rows[0]["accuracy"] != row["accuracy"]


def test_learning_from_a_run(sweep, trained, tmp_path):
    found = sweep(["chip.adc.bits=8"], mode="learn", samples=None)
    from neuroep.runs import directory as runs

    settings = runs.load(trained, ["--chip.adc.bits", "8"]).config
    record = training.train(settings, tmp_path / "run", start=trained, progress=False, diagnose=False)
    assert found.rows[0]["accuracy"] == record["evaluate"]["test"]["accuracy"]


def test_deploying_a_configuration_trains_it_first(sweep, tiny, tmp_path, trained):
    found = sweep(BITS, tiny, mode="deploy", seeds=2)
    assert (tmp_path / "out" / RUN / "config.toml").is_file()
    assert "chip" not in (tmp_path / "out" / RUN / "config.toml").read_text()
    again = sweep(BITS, tiny, mode="deploy", seeds=2)
    assert again.rows == found.rows
    deployed = sweep(BITS, trained, tmp_path / "other", seeds=2)
    assert [row["accuracy"] for row in deployed.rows] == [row["accuracy"] for row in found.rows]


def test_finished_trials_are_not_run_again_and_more_can_be_added(sweep, tmp_path, monkeypatch):
    out = tmp_path / "out"
    small = sweep(BITS)
    sweep(BITS)
    assert len(lines(out)) == 2
    larger = sweep(["chip.adc.bits=3,5,8"], seeds=2)
    assert len(lines(out)) == 6 and set(row["id"] for row in small.rows) < {row["id"] for row in larger.rows}
    assert len(json.loads((out / SWEEP).read_text())["designs"]) == 2
    whole = sweep(["chip.adc.bits=3,5,8"], out=tmp_path / "whole", seeds=2)
    assert whole.rows == larger.rows
    assert (tmp_path / "whole" / RESULTS).read_bytes() == (out / RESULTS).read_bytes()


def test_a_failed_trial_stops_no_other(sweep, tmp_path, monkeypatch):
    real = execution.execute

    def failing(spec):
        if spec["config"]["chip"]["adc"]["bits"] == 3:
            raise DivergenceError("dense_1", 2)
        return real(spec)

    monkeypatch.setattr(execution, "execute", failing)
    found = sweep(BITS, seeds=2)
    assert [row["error"] is None for row in found.rows] == [False, False, True, True]
    assert found.failed[0]["error"].startswith("diverged: state of 'dense_1' is not finite at settle step 2")
    assert "4 trials, 2 failed" in found.as_text()
    monkeypatch.setattr(execution, "execute", real)
    assert len(sweep(BITS, seeds=2).failed) == 2
    assert len(lines(tmp_path / "out")) == 4
    mended = sweep(BITS, seeds=2, retry_failed=True)
    assert not mended.failed and len(lines(tmp_path / "out")) == 6
    assert mended.rows == sweep(BITS, out=tmp_path / "whole", seeds=2).rows


def test_divergence_is_recorded(sweep, tiny, tmp_path):
    found = sweep(
        ["optimiser.dense_rate=1e-3,1e30"], tiny, overrides=["--optimiser.kind", "sgd", "--potential", "linear"]
    )
    assert found.rows[0]["error"] is None
    assert "not finite" in found.rows[1]["error"] and "\n" not in found.rows[1]["error"]
    with found.to_csv(tmp_path / "all.csv").open(encoding="utf-8", newline="") as file:
        kept, failed = csv.DictReader(file)
    assert (failed["optimiser.dense_rate"], failed["accuracy"]) == ("1e+30", "")
    assert failed["error"] == found.rows[1]["error"]
    assert kept["error"] == "" and float(kept["accuracy"]) == found.rows[0]["accuracy"]


class Shuffled(Executor):
    """Four threads that begin each task after a random wait."""

    def __init__(self, seed: int) -> None:
        self.inner, self.draw = ThreadPoolExecutor(4), random.Random(seed)

    def submit(self, fn, /, *args, **kwargs):
        pause = self.draw.random() * 0.3

        def later():
            time.sleep(pause)
            return fn(*args, **kwargs)

        return self.inner.submit(later)


@pytest.mark.parametrize("seed", range(2))
def test_the_order_does_not_matter(trained, tmp_path, undisturbed, seed):
    order = []
    runner.run(
        trained, VARY, out=tmp_path / "out", executor=Shuffled(seed), report=lambda r: order.append(r["id"]), **SETTINGS
    )
    assert (tmp_path / "out" / RESULTS).read_bytes() == undisturbed
    assert order != [row["id"] for row in load(tmp_path / "out").rows]


def test_seeds_until_the_mean_is_known(sweep, tmp_path, trained):
    rule = {"until": 0.03, "max_seeds": 6}
    found = sweep(BITS, **rule)
    for mean in found.means:
        assert 3 <= len(mean.accuracies) <= 6
        assert len(mean.accuracies) == 6 or mean.error <= 0.03
    assert any(len(mean.accuracies) > 3 for mean in found.means)
    again = runner.run(trained, BITS, out=tmp_path / "b", executor=Shuffled(1), samples=20, **rule)
    assert again.rows == found.rows
    kept = (tmp_path / "out" / TRIALS).read_text().splitlines(keepends=True)
    (tmp_path / "out" / TRIALS).write_text("".join(kept[::2]))
    assert sweep(BITS, **rule).rows == found.rows


class Breaking(Executor):
    """Breaks under the trials of some bits, as a pool does whose worker is killed."""

    def __init__(self, fatal: set[int], times: int) -> None:
        self.inner, self.fatal, self.times, self.seen = ThreadPoolExecutor(1), fatal, times, Counter()

    def submit(self, fn, /, spec):
        bits = spec["config"]["chip"]["adc"]["bits"]
        self.seen[spec["id"]] += 1
        if bits in self.fatal and self.seen[spec["id"]] <= self.times:
            return self.inner.submit(self._break)
        return self.inner.submit(fn, spec)

    @staticmethod
    def _break():
        raise BrokenProcessPool("killed")


@pytest.mark.parametrize(("times", "failed"), [(1, 0), (2, 0), (3, 1)])
def test_a_deadly_trial_is_given_up_alone(sweep, monkeypatch, tmp_path, times, failed):
    from analysis.sweep import executors

    monkeypatch.setattr(executors.Given, "renew", lambda pool: pool.executor)
    found = sweep(["chip.adc.bits=3:6"], executor=Breaking({4}, times))
    assert len(found.rows) == 4 and len(found.failed) == failed
    assert all("ended 3 times" in row["error"] and row["chip.adc.bits"] == 4 for row in found.failed)
    attempts = {line["values"]["chip.adc.bits"]: line["attempt"] for line in lines(tmp_path / "out")}
    assert attempts[4] == min(times + 1, 3)


def test_a_suspect_runs_alone(sweep, monkeypatch):
    from analysis.sweep import executors

    monkeypatch.setattr(executors.Given, "renew", lambda pool: pool.executor)
    monkeypatch.setattr(executors.Given, "window", 2)
    inner = Breaking({4, 5}, 3)
    together = []

    class Watched(Executor):
        def __init__(self) -> None:
            self.open: dict[Future, str] = {}

        def submit(self, fn, /, spec):
            now = [trial for future, trial in self.open.items() if not future.done()]
            if inner.seen[spec["id"]] == 2 or any(inner.seen[trial] > 2 for trial in now):
                together.extend(now)
            future = inner.submit(fn, spec)
            self.open[future] = spec["id"]
            return future

    found = sweep(["chip.adc.bits=3:10"], executor=Watched())
    assert [row["chip.adc.bits"] for row in found.failed] == [4, 5]
    assert not together


def test_a_broken_executor_of_ones_own_is_one_line(sweep, tmp_path):
    with pytest.raises(ConfigError, match="executor is broken; run the same command again"):
        sweep(["chip.adc.bits=3:6"], executor=Breaking({5}, 9))
    assert {3, 4} <= {line["values"]["chip.adc.bits"] for line in lines(tmp_path / "out")} <= {3, 4, 6}
    assert len(sweep(["chip.adc.bits=3:6"]).rows) == 4


class Failing(Executor):
    """Raises an error of its own in place of every trial."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def submit(self, fn, /, spec):
        future: Future = Future()
        future.set_exception(self.error)
        return future


def test_a_worker_without_neuroep_ends_the_sweep(sweep, tmp_path):
    with pytest.raises(ConfigError, match="a worker cannot import neuroep: ModuleNotFoundError: no analysis"):
        sweep(BITS, executor=Failing(ModuleNotFoundError("no analysis")))
    assert not lines(tmp_path / "out")


def test_what_an_executor_raises_is_recorded(sweep):
    found = sweep(BITS, executor=Failing(OSError("no\nspace")))
    assert [row["error"] for row in found.failed] == ["OSError: no space"] * 2


def test_a_cancelled_trial_gets_another_try(sweep):
    found = sweep(BITS, executor=Failing(CancelledError()))
    assert all("ended 3 times" in row["error"] for row in found.failed) and len(found.failed) == 2


def test_an_interrupt_leaves_a_consistent_ledger(sweep, tmp_path):
    def interrupt(record):
        if record["values"]["chip.adc.bits"] == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sweep(["chip.adc.bits=3:8"], report=interrupt)
    assert len(load(tmp_path / "out").rows) == 3
    assert (tmp_path / "out" / RESULTS).is_file()
    assert len(sweep(["chip.adc.bits=3:8"]).rows) == 6
    assert len(lines(tmp_path / "out")) == 6


def test_another_sweep_is_refused_and_left_alone(sweep, trained, tmp_path):
    sweep(BITS)
    before = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    other = tmp_path / "run"
    shutil.copytree(trained, other)
    for vary, settings, what in (
        (BITS, {"mode": "learn"}, "mode differs"),
        (BITS, {"overrides": ["--batch", "7"]}, "training.batch differs"),
        (["chip.dac.bits=3"], {}, "fields differs"),
    ):
        with pytest.raises(ConfigError, match=f"holds another sweep: {what}"):
            sweep(vary, **settings)
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == before
    assert sweep(BITS, other).rows


def test_nothing_is_written_where_something_is_wrong(sweep, tmp_path):
    for settings, message in (
        ({"workers": 1}, "workers and executor: give one"),
        ({"workers": 0, "executor": None}, "workers is 0"),
        ({"seeds": 0}, "seeds is 0"),
        ({"design": "sobol"}, "points is not set"),
    ):
        with pytest.raises(ConfigError, match=message):
            sweep(BITS, **settings)
    with pytest.raises(ConfigError, match="design is empty"):
        sweep([])
    assert not (tmp_path / "out").exists()
