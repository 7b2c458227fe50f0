"""What must not land in one table: trials that differ in more than what is varied; runs that are not the sweep's."""

from __future__ import annotations

import json
import logging
import shutil

import pytest

from analysis.sweep import execution, ledger, rounds, runner, workers
from analysis.sweep.ledger import RUN, SWEEP, TRIALS
from analysis.sweep.page import base, command, unseen
from analysis.sweep.results import load
from neuroep.errors import ConfigError
from neuroep.runs import config, deployment, directory as runs
from tests.analysis.sweep.cases import resealed

CHIP_FILE = "name = 'mine'\n[device]\nmismatch = {}\n"


def other(sweep, message: str, vary: list[str], **settings) -> str:
    with pytest.raises(ConfigError, match=message) as error:
        sweep(vary, **settings)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_settings_of_chips_that_are_varied_as_a_whole(sweep):
    sweep(["chip=ideal,pcm"])
    assert other(sweep, "chip.adc.bits differs", ["chip=ideal,pcm"], overrides=["--chip.adc.bits", "3"])
    assert other(sweep, "chip.adc.bits differs", ["chip=rram"], overrides=["--chip.adc.bits", "3"])
    assert len(sweep(["chip=rram"]).rows) == 3


def test_the_page_is_of_what_was_asked_last(sweep):
    """Settings on which no trial depends may differ; before, chip and command were those of the first question."""
    sweep(["chip.adc.bits=4"], overrides=["--chip", "rram", "--chip.readout.bits", "6"])
    given = ["--chip", "rram", "--chip.readout.bits", "5"]
    found = sweep(["chip.adc.bits=4,5"], overrides=given)
    assert len(found.rows) == 2 and command(found)[3:7] == given and base(found).chip.readout.bits == 5
    assert "readout.bits" in unseen(found, base(found))
    assert other(sweep, "chip.dac.bits differs", ["chip.adc.bits=4"], overrides=[*given, "--chip.dac.bits", "3"])


def test_a_chip_file_that_changed(sweep, tmp_path, monkeypatch):
    (tmp_path / "mine.toml").write_text(CHIP_FILE.format(0.1))
    sweep([f"chip={tmp_path}/mine.toml"])
    (tmp_path / "mine.toml").write_text(CHIP_FILE.format(0.1) + "# only a comment\n")
    assert len(sweep([f"chip={tmp_path}/mine.toml"]).rows) == 1
    (tmp_path / "mine.toml").write_text(CHIP_FILE.format(0.9))
    assert other(sweep, "was another then", [f"chip={tmp_path}/mine.toml"])


def test_another_version(sweep, monkeypatch):
    sweep(["chip.adc.bits=4"])
    monkeypatch.setattr(rounds, "__version__", "9.9")
    assert other(sweep, "version differs: it has .* this one '9.9", ["chip.adc.bits=4"])


def test_threads_of_the_reference(sweep, tiny):
    settings = {"source": tiny, "overrides": ["--engine", "reference", "--epochs", "1"]}
    sweep(["estimator.beta=0.1"], **settings)
    settings["overrides"] = [*settings["overrides"], "--threads", "2"]
    assert other(sweep, "engine.threads differs: it has 1, this one 2", ["estimator.beta=0.1"], **settings)


def test_other_data_under_the_same_path(sweep, tiny, tmp_path):
    sweep(["data.limit=60"], source=tiny, overrides=["--epochs", "1"])
    page = json.loads((tmp_path / "out" / SWEEP).read_text())
    assert page["data"] is None
    path = tmp_path / "out" / TRIALS
    resealed(path, lambda line: line.update(id="0" * 32))
    message = "data.limit = 60, seed 0 was run there with other data"
    assert other(sweep, message, ["data.limit=60"], source=tiny, overrides=["--epochs", "1"])


def test_the_data_are_part_of_the_page(sweep, tmp_path):
    sweep(["chip.adc.bits=4"])
    path = tmp_path / "out" / SWEEP
    resealed(path, lambda page: page.update(data="other"))
    assert other(sweep, "data differs", ["chip.adc.bits=5"])


def test_a_run_of_the_users_is_not_trained_further(sweep, tiny, trained, tmp_path):
    shutil.copytree(trained, tmp_path / "out" / RUN)
    before = (trained / runs.CHECKPOINT).read_bytes()
    overrides = ["--epochs", "3", "--chip", "pcm"]
    assert other(sweep, "is not empty", ["chip.adc.bits=4"], source=tiny, mode="deploy", overrides=overrides)
    assert (tmp_path / "out" / RUN / runs.CHECKPOINT).read_bytes() == before
    assert [path.name for path in (tmp_path / "out").iterdir()] == [RUN]


@pytest.mark.parametrize("left", [{"lock": ""}, {"lock": "", "trials.jsonl": ""}])
def test_what_a_kill_before_the_page_leaves_is_taken(sweep, tmp_path, left):
    (tmp_path / "out").mkdir()
    for name, text in left.items():
        (tmp_path / "out" / name).write_text(text)
    assert len(sweep(["chip.adc.bits=4"]).rows) == 1


def test_trials_without_a_page_are_not_taken(sweep, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / TRIALS).write_text("{}\n")
    assert other(sweep, "holds no sweep", ["chip.adc.bits=4"])


@pytest.mark.parametrize("field", ["optimiser.dense_rate=1e-5,1", "optimiser.rates.dense_1=0.1,0.2", "epochs=1,2"])
def test_what_only_training_reads_is_no_field_of_a_deployment(sweep, tmp_path, field):
    assert other(sweep, "are the same trial", [field], overrides=["--chip", "pcm"])
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("field", ["estimator.beta=0.05,0.4", "training.batch=20", "settling.free_steps=3"])
def test_a_training_made_once_cannot_see_what_is_varied(sweep, tiny, tmp_path, field):
    settings = {"source": tiny, "mode": "deploy", "overrides": ["--chip", "pcm"]}
    assert other(sweep, "trains a configuration once", [field], **settings)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("mode", "overrides"),
    [("deploy", ["--chip_seed", "7"]), ("learn", ["--chip_seed", "7"]), ("learn", ["--seed", "7"])],
)
def test_seeds_are_the_trials_own(sweep, mode, overrides):
    assert other(sweep, r"gives the trials the seeds 0, 1, \.\.\.", ["chip.adc.bits=4"], mode=mode, overrides=overrides)


def test_too_many_seeds(sweep, tmp_path):
    assert other(sweep, "over 100000 trials", ["chip.adc.bits=3:8"], seeds=1_000_000)
    assert not (tmp_path / "out").exists()


def test_a_tilde_is_a_name(sweep, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/nowhere")
    assert len(sweep(["chip.adc.bits=4"], out="~/x").rows) == 1
    assert (tmp_path / "~" / "x" / "results.parquet").exists()


@pytest.mark.parametrize(
    "text", ['{"format": 1}', '{"format": 1, "fields": [], "settings": []}', "[]", "3", "nonsense"]
)
def test_a_damaged_page_is_one_line(sweep, tmp_path, text):
    sweep(["chip.adc.bits=4"])
    (tmp_path / "out" / SWEEP).write_text(text)
    assert other(sweep, "is damaged", ["chip.adc.bits=4"])
    with pytest.raises(ConfigError, match="is damaged"):
        load(tmp_path / "out")


@pytest.mark.parametrize(
    "line", ['{"id": "x", "values": {}, "seed": 0}', '{"id": "x", "values": 3, "seed": 0, "error": "e"}']
)
def test_a_line_that_is_no_record(sweep, tmp_path, line):
    sweep(["chip.adc.bits=4"])
    path = tmp_path / "out" / TRIALS
    path.write_text(f"{line}\n{path.read_text()}")
    assert other(sweep, "line 1 is no record", ["chip.adc.bits=4"])


def test_a_record_of_other_fields(sweep, tmp_path):
    sweep(["chip.adc.bits=4"])
    path = tmp_path / "out" / TRIALS
    path.write_text('{"id": "x", "values": {}, "seed": 0, "error": "e"}\n' + path.read_text())
    assert other(sweep, "line 1 has no 'chip.adc.bits'", ["chip.adc.bits=4"])


def test_a_worker_of_another_version_says_so(trained, monkeypatch):
    monkeypatch.setattr(workers, "version", lambda: "9.9")
    page = workers.run_trial({"id": "x", "version": "0.1", "config": {}})
    assert "this worker has neuroep 9.9, the sweep was started with 0.1" in page["error"]


def test_what_trials_have_to_say_is_said_once(sweep, monkeypatch, caplog):
    """Before, every worker printed it by itself, bare and again for each of them: twelve lines of an ablation."""
    real = execution.execute

    def execute(spec):
        logging.getLogger("hw_models.arrays.tiles").warning("%s: wires", "dense_1")
        return real(spec)

    monkeypatch.setattr(execution, "execute", execute)
    found = sweep(["chip.adc.bits=3,8"], overrides=["--chip", "pcm"], seeds=2)
    said = [record for record in caplog.records if record.name.startswith("analysis")]
    assert [record.getMessage() for record in said if "wires" in record.getMessage()] == ["dense_1: wires"]
    assert "wires" not in (found.out / TRIALS).read_text() and len(found.rows) == 4
    assert not logging.getLogger("hw_models").handlers


def test_the_deployed_weights_without_a_chip(sweep, trained, tiny, tmp_path):
    accuracy = runs.load(trained).metrics[-1]["evaluate"]["test"]["accuracy"]
    assert sweep(["chip.adc.bits=4"]).ideal == accuracy
    trains = sweep(["chip.adc.bits=4"], source=tiny, mode="deploy", out=tmp_path / "b", overrides=["--chip", "pcm"])
    assert trains.ideal == accuracy
    assert sweep(["beta=0.1"], source=tiny, out=tmp_path / "c").ideal is None


def test_evaluating_with_a_chip_seed_is_the_trial_of_that_seed(sweep, trained):
    found = sweep(["chip.adc.bits=4"], overrides=["--chip", "pcm"], seeds=2, samples=None)
    for row in found.rows:
        given = ["--chip", "pcm", "--chip.adc.bits", "4", "--chip_seed", str(row["seed"])]
        assert deployment.evaluate(trained, overrides=given).loss == row["loss"]


def test_the_device_is_that_of_the_results(tiny):
    from analysis.sweep import plans

    made = plans.make(tiny, [{"estimator.beta": "0.1"}], ["--engine", "reference"])
    assert made.points[0].config.engine.device in ("cpu", "cuda")
    assert config.load(tiny, ["--engine", "reference"]).engine.device == "auto"


def test_a_cluster_without_workers(trained, tmp_path):
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(n_workers=0, dashboard_address=None, silence_logs=50) as cluster:
        address = cluster.scheduler_address
        with pytest.raises(ConfigError, match=r"has no worker within 3 s"):
            runner.run(trained, ["chip.adc.bits=4"], out=tmp_path / "out", cluster=address, timeout=3.0)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("address", ["nonsense://x", "", " "])
def test_an_address_that_is_none_is_one_line(trained, tmp_path, process, address):
    pytest.importorskip("distributed")
    arguments = ("sweep", trained, "--vary", "chip.adc.bits=4", "--cluster", address, "--out", tmp_path / "out")
    child = process("-m", "neuroep.cli", *arguments)
    _, errors = child.communicate(timeout=600)
    assert child.returncode == 2
    assert errors.startswith("neuroep: error: cluster") and errors.count("\n") == 1


def test_the_format_is_checked(sweep, tmp_path):
    sweep(["chip.adc.bits=4"])
    path = tmp_path / "out" / SWEEP
    path.write_text(path.read_text().replace(f'"format": {ledger.FORMAT}', '"format": 99'))
    assert other(sweep, "has format 99", ["chip.adc.bits=4"])


def test_a_sweep_that_was_stopped_says_so(sweep, trained, tmp_path):
    def stop(record) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sweep(["chip.adc.bits=3:6"], seeds=2, report=stop)
    found = load(tmp_path / "out")
    assert found.unfinished == "unfinished: 1 of 8 trials; run the command that was stopped again"
    assert found.unfinished in found.as_text()
    assert sweep(["chip.adc.bits=3:6"], seeds=2).unfinished == ""
    path = tmp_path / "out" / TRIALS
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:5]))
    assert load(tmp_path / "out").unfinished.startswith("unfinished: 5 of 8 trials")
    assert sweep(["chip.adc.bits=7"]).unfinished.startswith("unfinished: 6 of 8 trials")
    assert sweep(["chip.adc.bits=3:6"], seeds=2).unfinished == ""


def test_a_stopped_design_is_not_hidden_by_another(sweep, trained, tmp_path):
    def stop(record) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sweep(["chip.adc.bits=3:8"], report=stop)
    assert sweep(["chip.adc.bits=9:14"]).unfinished.startswith("unfinished: 7 trials so far")
    assert sweep(["chip.adc.bits=3:8"]).unfinished == ""


def stopped(sweep, vary: list[str], after: int = 1, **settings) -> None:
    """Begin a sweep and stop it after some trials."""
    seen: list[object] = []

    def stop(record: object) -> None:
        seen.append(record)
        if len(seen) == after:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sweep(vary, report=stop, **settings)


@pytest.mark.parametrize(
    ("first", "then"),
    [
        ({"seeds": 3}, {"seeds": 4}),
        ({"seeds": 3}, {"seeds": 2}),
        ({"seeds": 2}, {"until": 0.5}),
        ({"until": 1e-9, "max_seeds": 4}, {"until": 0.5}),
        ({"until": 0.5}, {"seeds": 3}),
    ],
)
def test_a_stopped_sweep_is_finished_by_one_of_other_seeds(sweep, tmp_path, first, then):
    """Before, it said 'unfinished' for ever: the design that was stopped was never asked for again."""
    stopped(sweep, ["chip.adc.bits=4,6"], **first)
    assert load(tmp_path / "out").unfinished
    assert sweep(["chip.adc.bits=4,6"], **then).unfinished == ""


@pytest.mark.parametrize("then", ["chip.adc.bits=3:6", "chip.adc.bits=6,5,4"])
def test_a_stopped_sweep_is_finished_by_more_values(sweep, tmp_path, then):
    stopped(sweep, ["chip.adc.bits=4,6"], seeds=2)
    assert sweep([then], seeds=1).unfinished.startswith("unfinished")
    assert sweep([then], seeds=3).unfinished == ""
    assert [design["done"] for design in json.loads((tmp_path / "out" / SWEEP).read_text())["designs"]] == [True] * 3


def test_a_stopped_folder_of_an_earlier_version_is_finished_too(sweep, tmp_path):
    sweep(["chip.adc.bits=4"], seeds=2)
    path = tmp_path / "out" / SWEEP
    stopped = {"seeds": 1, "planned": 1, "done": False}
    resealed(path, lambda page: page["designs"].insert(0, {**page["designs"][0], **stopped}))
    assert load(tmp_path / "out").unfinished == ""


def test_a_design_that_is_refused_is_not_written_down(sweep, tmp_path):
    sweep(["chip=pcm"])
    path = tmp_path / "out" / TRIALS
    resealed(path, lambda line: line.update(id="0" * 32))
    page = (tmp_path / "out" / SWEEP).read_bytes()
    assert other(sweep, "was run there with other", ["chip=pcm,hermes"])
    assert (tmp_path / "out" / SWEEP).read_bytes() == page


@pytest.mark.parametrize("name", ["--chip.device.read_noise", "--chip.device.read-noise", "chip.device.read_noise"])
def test_fields_of_chips_are_known_however_they_are_written(sweep, name):
    sweep(["chip=ideal"], overrides=["--chip.device.read_noise", "0.1"])
    assert len(sweep(["chip=ideal"], overrides=[name, "0.10"]).rows) == 1
    assert other(sweep, "chip.device.read_noise differs", ["chip=rram"], overrides=[name, "0.2"])
