"""A damaged or mixed-up run directory is refused in one line; it never gives another number."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from hw_models.clock import LASTING
from neuroep import engines
from neuroep.errors import CheckpointError, ConfigError, DataError
from neuroep.learning import optimisers
from neuroep.runs import checkpoints, config, deployment, directory as runs, training
from tests import cases
from tests.conftest import TINY
from tests.lots import drawn

CHECKPOINT, CONFIG = "checkpoint.safetensors", "config.toml"


def metadata(path) -> dict[str, str]:
    """Return the strings of a safetensors file."""
    raw = path.read_bytes()
    size = int.from_bytes(raw[:8], "little")
    return json.loads(raw[8 : 8 + size])["__metadata__"]


@pytest.fixture
def run(trained, tmp_path):
    """A copy of a finished run."""
    shutil.copytree(trained, tmp_path / "run")
    return tmp_path / "run"


@pytest.fixture
def other(tmp_path):
    """Another run: the same settings but the seed."""
    (tmp_path / "tiny.toml").write_text(TINY)
    settings = config.load(tmp_path / "tiny.toml", ["--training.seed", "1"])
    training.train(settings, tmp_path / "other", progress=False)
    return tmp_path / "other"


def refused(neuroep, *arguments: object) -> str:
    """Return the line with which a command is refused."""
    found = neuroep(*arguments)
    # What was loaded, where it was, is said before.
    notes, line = found.err[:-1].splitlines()[:-1], found.err.removesuffix("\n").rpartition("\n")[2]
    assert found.code == 2 and found.out == "" and line.startswith("neuroep: error: ")
    assert all(note.startswith("neuroep: data ") for note in notes)
    line = line.removeprefix("neuroep: error: ")
    assert line.isprintable() and len(line) < 500
    return line


def resumed(neuroep, run, *arguments: object):
    """Resume the tiny run for an epoch more."""
    (run.parent / "tiny.toml").write_text(TINY)
    settings = ("--resume", "--epochs", "3", "--quiet", *arguments)
    return neuroep("train", run.parent / "tiny.toml", "--out", run, *settings)


def test_every_flipped_bit_of_a_checkpoint_is_seen(run):
    """Before, a flipped bit of a weight was evaluated. Bytes of head and page, and every tensor.

    ``make test-all`` tries every byte of head and page.
    """
    path = run / CHECKPOINT
    whole = path.read_bytes()
    size = 8 + int.from_bytes(whole[:8], "little")
    head = [n for n in range(size) if n < 8 or drawn(str(n), of=4)]
    places = [*head, *np.linspace(size, len(whole) - 1, 400, dtype=int)]
    for number, place in enumerate(places):
        raw = bytearray(whole)
        raw[place] ^= 1 << number % 8
        path.write_bytes(raw)
        with pytest.raises(CheckpointError, match=r"damaged|no checkpoint of neuroep|has format") as caught:
            checkpoints.load(path)
        assert str(caught.value).isprintable()


def test_what_a_flipped_bit_does_to_a_command(neuroep, run):
    path = run / CHECKPOINT
    raw = bytearray(path.read_bytes())
    raw[-1] ^= 1
    path.write_bytes(raw)
    for line in (refused(neuroep, "evaluate", run), resumed(neuroep, run).line):
        assert line.startswith(f"checkpoint '{path}' is damaged: tensor '") and line.endswith("is not what was written")


@pytest.mark.parametrize("fault", ["missing moment", "missing weight", "another shape", "another dtype", "one more"])
def test_tensors_that_are_not_those_that_were_written(neuroep, run, fault):
    """Before, a missing moment was resumed from zero and one of another shape read beyond its end."""
    path = run / CHECKPOINT
    tensors, page = load_file(path), metadata(path)
    name = "optimiser.dense_1.weight.first_moment"
    if fault == "missing moment":
        del tensors[name]
    elif fault == "missing weight":
        del tensors["parameters.dense_1.weight"]
    elif fault == "another shape":
        tensors[name] = tensors[name].T.copy()
    elif fault == "another dtype":
        tensors[name] = tensors[name].view(np.int32)
    else:
        tensors["optimiser.dense_1.weight.third_moment"] = tensors[name]
    save_file(tensors, path, metadata=page)
    assert f"checkpoint '{path}' is damaged: tensor '" in resumed(neuroep, run).line


MOMENT = "dense_1.weight.first_moment"


@pytest.mark.parametrize("kind", engines.NAMES)
@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        (MOMENT, lambda a: a[:1], r"has shape \(1, 20\) of float32: the engine needs \(7, 20\) of floating"),
        (MOMENT, lambda a: a.T, r"has shape \(20, 7\)"),
        (MOMENT, lambda a: a.astype(np.int64), "of int64"),
        (MOMENT, lambda a: a * np.nan, "is not finite"),
        (MOMENT, None, r"is missing: the engine needs shape \(7, 20\)"),
        ("query.updates", None, "is missing"),
        ("query.updates", lambda a: a - 9, "is -8: allowed are whole numbers from 0"),
        ("query.updates", lambda a: a[None], r"has shape \(1,\)"),
        ("dense_1.weight.frist_moment", 3, "is unknown to this engine; did you mean 'dense_1.weight.first_moment'"),
    ],
)
def test_an_engine_takes_back_only_what_it_keeps(kind, name, change, message):
    """Before, the wrong shape reached a kernel that checks no bounds: a damaged heap, SIGSEGV."""
    net = cases.network()
    engine = engines.build(kind, net)
    measured = cases.estimator().measure(engine, cases.batch(net))
    engine.update(measured.contrasts, dict.fromkeys([synapse.name for synapse in net.synapses], 1e-3))
    state, before = engine.optimiser_state(), engine.optimiser_state()
    if change is None:
        del state[name]
    else:
        state[name] = np.zeros(3) if change == 3 else np.asarray(change(state[name]))
    with pytest.raises(CheckpointError, match=message):
        engine.load_optimiser_state(state)
    cases.assert_same(engine.optimiser_state(), before)
    engine.load_optimiser_state(before)


@pytest.mark.parametrize("chip", ["pcm", "ecram_mo", "loihi", "isaac"])
def test_an_engine_on_a_chip_takes_back_only_what_it_keeps(chip):
    net = cases.network("pooled_sentiment")
    engine = engines.local(net, chip=chip, optimiser=optimisers.SGD())
    state = engine.optimiser_state() | engine.device_state()
    engine.load_optimiser_state(engine.optimiser_state(), engine.device_state())
    for name, values in state.items():
        without = {key: value for key, value in state.items() if key != name}
        if name.endswith(("tally.counts", *LASTING)):  # version 0.1 kept none
            engine.load_optimiser_state(without)
        else:
            with pytest.raises(CheckpointError, match=f"'{name}' is missing"):
                engine.load_optimiser_state(without)
        for wrong in (np.zeros((2, *values.shape), values.dtype), values.astype("U8")):
            with pytest.raises(CheckpointError, match=f"'{name}' has shape"):
                engine.load_optimiser_state({**state, name: wrong})


def test_a_configuration_of_another_run_is_refused(neuroep, run, other):
    """Before, it was evaluated."""
    shutil.copy(other / CONFIG, run / CONFIG)
    assert "was made with another configuration than its config.toml" in refused(neuroep, "evaluate", run)
    assert "was made with another configuration" in resumed(neuroep, run).line


def test_a_setting_that_decides_nothing_may_be_edited(neuroep, run):
    text = (run / CONFIG).read_text()
    (run / CONFIG).write_text(text.replace("epochs = 2", "epochs = 20"))
    assert neuroep("evaluate", run).code == 0
    (run / CONFIG).write_text(text.replace("batch = 20", "batch = 30"))
    assert "another configuration" in refused(neuroep, "evaluate", run)


@pytest.mark.parametrize(
    "content", ["{", "[]", "[" * 5000, "9" * 5000, "\xff", "", None, "swapped", "edited"], ids=lambda c: repr(c)[:9]
)
def test_a_damaged_environment_ends_no_resume(neuroep, run, other, content):
    """Before, it ended every one. What needs it says what can be done without."""
    path = run / "environment.json"
    if content is None:
        path.unlink()
    elif content == "swapped":
        shutil.copy(other / "environment.json", path)
    elif content == "edited":
        path.write_text(path.read_text().replace('"cpus": ', '"cpus": 1'))
    else:
        path.write_bytes(content.encode("latin-1"))
    assert neuroep("evaluate", run).code == 0
    assert resumed(neuroep, run).code == 0
    for line in (refused(neuroep, "report", run), resumed(neuroep, run, "--from", other).line):
        assert str(path) in line and "evaluating and resuming do not need it" in line


@pytest.mark.parametrize("fault", ["flip", "swap", "order", "edit", "bytes", "digits", "nested", "short"])
def test_damaged_metrics(neuroep, run, other, fault):
    path = run / "metrics.jsonl"
    raw = path.read_bytes()
    lines = raw.split(b"\n")
    changed = {
        "flip": raw.replace(b'"loss": 0.', b'"loss": 0.1', 1),
        "swap": (other / "metrics.jsonl").read_bytes(),
        "order": b"\n".join([lines[1], lines[0], b""]),
        "edit": raw.replace(b'"seal"', b'"sael"', 1),
        "bytes": raw.replace(b"train", b"\xff", 1),
        "digits": raw.replace(b'"epoch": 1', b'"epoch": ' + b"1" * 5000, 1),
        "nested": b"[" * 5000 + b"\n" + raw,
        "short": lines[0] + b"\n",
    }
    path.write_bytes(changed[fault])
    for line in (resumed(neuroep, run).line, refused(neuroep, "report", run)):
        assert str(path) in line
    assert neuroep("evaluate", run).code == 0


@pytest.mark.parametrize(
    ("fault", "told"),
    [("gone", "is missing, and the checkpoint has"), ("directory", "is a directory, or a link that leads nowhere"),
     ("UTF-16", "line 1 is no JSON")],
)  # fmt: skip
def test_metrics_that_are_no_file(neuroep, run, fault, told):
    """They were told as 'ends before the checkpoint: at epoch 0', or without the name of the file."""
    path = run / "metrics.jsonl"
    text = path.read_text()
    path.unlink()
    if fault == "directory":
        path.mkdir()
    elif fault == "UTF-16":
        path.write_bytes(text.encode("utf-16"))
    assert str(path) in (line := refused(neuroep, "report", run)) and told in line


def test_files_of_one_run_stay_together_over_a_resume(neuroep, run):
    name = runs.load(run).name
    assert resumed(neuroep, run).code == 0
    found = runs.load(run)
    assert found.name == name and found.checkpoint().about.epoch == 3
    assert [record["epoch"] for record in found.metrics] == [1, 2, 3]
    assert found.environment["engine"]["engine"] == "local"


@pytest.mark.parametrize("fault", ["bit", "shape", "dtype", "size"])
def test_a_damaged_moment_is_seen_by_an_evaluation_too(neuroep, run, fault):
    """Before, only a missing moment was: the rest of the optimiser's state was left unread."""
    path, name = run / CHECKPOINT, "optimiser.dense_1.weight.first_moment"
    tensors, page = load_file(path), metadata(path)
    moment = tensors[name]
    changed = {
        "bit": np.ascontiguousarray(moment).view(np.uint8) ^ np.uint8(1),
        "shape": moment.reshape(-1),
        "dtype": moment.astype(np.float16),
        "size": moment[:1],
    }[fault]
    tensors[name] = np.ascontiguousarray(changed.view(moment.dtype) if fault == "bit" else changed)
    save_file(tensors, path, metadata=page)
    line = f"checkpoint '{path}' is damaged: tensor '{name}' is not what was written"
    assert refused(neuroep, "evaluate", run) == line
    with pytest.raises(CheckpointError, match="is not what was written"):
        runs.load(run).checkpoint(optimiser=False)


def old(run) -> None:
    """Turn a checkpoint into one of format 1, as earlier versions wrote it."""
    saved = checkpoints.load(run / CHECKPOINT)
    names = ("network", "epoch", "updates", "seed", "engine", "config", "data")
    page = {name: getattr(saved.about, name) for name in names} | {"format": 1}
    tensors = {f"parameters.{name}": array for name, array in saved.parameters.items()}
    tensors |= {f"optimiser.{name}": array for name, array in saved.optimiser.items()}
    save_file(tensors, run / CHECKPOINT, metadata={"neuroep": json.dumps(page)})


def test_a_run_of_an_earlier_version_is_evaluated_but_not_resumed(neuroep, run):
    result = neuroep("evaluate", run, "--json").out
    old(run)
    assert neuroep("evaluate", run, "--json").out == result
    assert "an earlier version made it, without digests; start a new run --from it" in resumed(neuroep, run).line
    started = ("--out", run.parent / "new", "--from", run, "--quiet", "--epochs", "1")
    assert neuroep("train", run.parent / "tiny.toml", *started).code == 0


def test_a_page_does_not_become_an_old_one(run):
    path = run / CHECKPOINT
    page = json.loads(metadata(path)["neuroep"])
    save_file(load_file(path), path, metadata={"neuroep": json.dumps({**page, "format": 4})})
    with pytest.raises(CheckpointError, match="has format 4: this version reads 1 to 3"):
        checkpoints.load(path)
    save_file(load_file(path), path, metadata={"neuroep": json.dumps({**page, "epoch": 9})})
    with pytest.raises(CheckpointError, match="its page is not what was written"):
        checkpoints.load(path)


VECTORS = "4 2\ngood 1 0.5\nbad -1 0.5\nfilm 0 1\nbook 1 1\n"


@pytest.fixture
def table(tmp_path):
    """A run on a table of one's own, with word vectors in a file."""
    (tmp_path / "data").mkdir()
    for name in ("train", "test"):
        (tmp_path / "data" / f"{name}.csv").write_text("text,label\ngood film,1\nbad film,0\ngood book,1\nbad book,0\n")
    (tmp_path / "vectors.txt").write_text(VECTORS)
    (tmp_path / "tiny.toml").write_text(TINY.replace("limit = 90", ""))
    places = ["--data.path", str(tmp_path / "data"), "--data.vectors", str(tmp_path / "vectors.txt")]
    named = ["--data.name", "table", "--data.text", "text", *places]
    training.train(config.load(tmp_path / "tiny.toml", named), tmp_path / "run", progress=False)
    return tmp_path


@pytest.mark.parametrize("seeds", [(), ("--chip", "rram", "--seeds", "1")])
def test_foreign_vectors_are_refused(neuroep, table, seeds):
    """Before, vectors of the same length gave an accuracy without a word."""
    (table / "other.txt").write_text(VECTORS.replace("film 0 1", "film 0 1.5"))
    (table / "none.txt").write_text("2 2\ngut 1 0.5\nschlecht 1 2\n")
    (table / "same.txt").write_text(VECTORS)
    run = table / "run"
    assert neuroep("evaluate", run, "--data.vectors", table / "same.txt", *seeds).code == 0
    line = refused(neuroep, "evaluate", run, "--data.vectors", table / "other.txt", *seeds)
    assert "'film' has another vector than" in line and "give those of the training as data.vectors" in line
    assert neuroep("evaluate", run, "--data.vectors", table / "none.txt", *seeds).code == 2
    settings = ("--out", table / "new", "--from", run, "--data.vectors", table / "other.txt")
    assert "another vector" in refused(neuroep, "train", run / CONFIG, *settings)


def test_other_data_with_the_same_vectors_are_evaluated_if_they_are_named(neuroep, table):
    shutil.copytree(table / "data", table / "more")
    with (table / "more" / "test.csv").open("a") as file:
        file.write("bad bad book,0\n")
    assert neuroep("evaluate", table / "run", "--data.path", table / "more").code == 0
    shutil.copy(table / "more" / "test.csv", table / "data" / "test.csv")
    line = refused(neuroep, "evaluate", table / "run")
    assert "are not those that" in line and "add --data.name table" in line
    assert neuroep("evaluate", table / "run", "--data.name", "table").code == 0
    with pytest.raises(DataError, match="are not those that"):
        deployment.deploy(table / "run", overrides=["--chip", "rram"])


def test_the_bytes_of_a_checkpoint_are_those_of_its_contents(run, tmp_path):
    """Two runs of the same settings stay interchangeable, which a sweep relies on."""
    (tmp_path / "tiny.toml").write_text(TINY)
    training.train(config.load(tmp_path / "tiny.toml"), tmp_path / "again", progress=False)
    assert (tmp_path / "again" / CHECKPOINT).read_bytes() == (run / CHECKPOINT).read_bytes()


def test_a_page_says_what_it_belongs_to(run):
    saved = checkpoints.load(run / CHECKPOINT)
    page = checkpoints.page(saved)
    assert page["seal"] == saved.seal == checkpoints.load_about(run / CHECKPOINT).seal
    assert checkpoints.page(replace(saved, parameters={}))["seal"] != saved.seal
    assert saved.run == saved.about.run != saved.seal


@pytest.mark.parametrize("name", ["loop", "a\0b", "x" * 300, "file"])
def test_a_run_directory_that_is_none(tmp_path, neuroep, name):
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "file").touch()
    with pytest.raises(CheckpointError, match="run directory"):
        runs.load(tmp_path / name)
    (tmp_path / "tiny.toml").write_text(TINY)
    with pytest.raises((ConfigError, CheckpointError)) as caught:
        training.train(config.load(tmp_path / "tiny.toml"), tmp_path / name, resume=True)
    assert str(caught.value).isprintable()
    assert not list(tmp_path.glob(".*"))
