"""Weights from elsewhere as a run: whose tensor is whose, one line for what does not fit, and what the run can do."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import pytest

import neuroep as package
from neuroep.errors import CheckpointError, ConfigError, UserError
from neuroep.runs import adoption, deployment, directory as runs, training
from tests.neuroep.runs.test_weight_files import save

SHAPES = {
    "query.weight": (32, 32),
    "dense_1.weight": (8, 32), "dense_1.bias": (8,),
    "dense_2.weight": (2, 8), "dense_2.bias": (2,),
}  # fmt: skip
"""Of the tiny network."""


@pytest.fixture
def weights(trained) -> dict[str, np.ndarray]:
    """Those of the trained run, as others would have them."""
    return dict(runs.load(trained).checkpoint().parameters)


@pytest.fixture
def file(tmp_path, weights):
    """A file of an own choice of names."""
    path = tmp_path / "mine.npz"
    np.savez(path, **{theirs(name): value for name, value in weights.items()})
    return path


def theirs(name: str) -> str:
    """Return what somebody else calls a parameter."""
    for ours, other in (("query", "attention.W"), ("dense_1", "fc1"), ("dense_2", "head")):
        name = name.replace(ours, other)
    return name


def same(run, weights) -> None:
    found = run.checkpoint().parameters
    assert found.keys() == weights.keys() == SHAPES.keys()
    for name, value in weights.items():
        np.testing.assert_array_equal(found[name], value, err_msg=name)


@pytest.mark.parametrize("kind", ["w.npz", "w.safetensors", "w.pt"])
def test_the_same_names(tmp_path, tiny, weights, kind):
    save(tmp_path / kind, weights)
    found = adoption.adopt(tmp_path / kind, tiny, tmp_path / "run")
    same(found.run, weights)
    assert found.names == {name: name for name in SHAPES} and found.by_shape == ()


def test_shapes_that_one_parameter_has_alone(tmp_path, tiny, file, weights):
    found = adoption.adopt(file, tiny, tmp_path / "run")
    same(found.run, weights)
    assert found.names == {name: theirs(name) for name in SHAPES}
    assert set(found.by_shape) == set(SHAPES)


def test_it_evaluates_as_the_run_it_is_from(tmp_path, tiny, file, trained):
    run = adoption.adopt(file, tiny, tmp_path / "run").run.path
    for options in ([], ["--engine", "reference"], ["--chip", "pcm"]):
        wanted, found = (deployment.evaluate(each, "test", options) for each in (trained, run))
        # A chip draws by the epoch whose devices these are, which is 0 for weights that are programmed.
        np.testing.assert_array_equal(found.confusion, wanted.confusion)


def test_it_deploys_sweeps_reports_and_starts_others(tmp_path, tiny, file, neuroep):
    run = adoption.adopt(file, tiny, tmp_path / "run").run.path
    assert package.deploy(run, chip="rram", seeds=2).seeds == (0, 1)
    swept = neuroep("sweep", run, "--chip", "pcm", "--vary", "chip.adc.bits=4,8", "--out", tmp_path / "sweep",
                    "--samples", "40", "--workers", "1", "--quiet")  # fmt: skip
    assert swept.code == 0
    assert neuroep("report", run, "--out", tmp_path / "run.html").code == 0
    page = (tmp_path / "run.html").read_text()
    assert "Its weights were trained elsewhere: file" in page and hashlib.sha256(file.read_bytes()).hexdigest() in page
    record = training.train(tiny, tmp_path / "next", start=run, overrides=["--epochs", "1"], progress=False)
    assert record["epoch"] == 1
    with pytest.raises(CheckpointError, match="it holds imported weights and no training to resume"):
        training.train(runs.load(run).config, run, resume=True, progress=False)


def test_how_it_was_made_is_recorded(tmp_path, tiny, file):
    run = adoption.adopt(file, tiny, tmp_path / "run", left_out=[]).run
    about = run.environment["adopted"]
    assert about["file"] == "mine.npz" and about["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()
    assert about["names"]["dense_1.weight"] == "fc1.weight" and about["left_out"] == []
    assert run.environment["network"]["parameters"] == sum(int(np.prod(shape)) for shape in SHAPES.values())
    assert run.metrics == []


def test_what_names_say(tmp_path, tiny, weights):
    """A synapse for both of its parts, a transpose, a bias that is none, a tensor that is nobody's."""
    held = {"fc1.weight": weights["dense_1.weight"].T, "fc1.bias": weights["dense_1.bias"],
            "q": weights["query.weight"].T, "head.kernel": weights["dense_2.weight"], "mean": np.ones(32)}  # fmt: skip
    np.savez(tmp_path / "w.npz", **held)
    names = {"dense_1": "fc1.T", "query.weight": "q.T", "dense_2.bias": "zeros"}
    found = adoption.adopt(tmp_path / "w.npz", tiny, tmp_path / "run", names=names, left_out=["mean"])
    same(found.run, weights | {"dense_2.bias": np.zeros(2)})
    assert found.by_shape == ("dense_2.weight",) and found.left_out == ("mean",)
    assert "left out: mean" in found.as_text() and "q.T" in found.as_text()


def test_settings_can_be_overridden(tmp_path, tiny, weights):
    save(tmp_path / "w.npz", {name: value.astype(np.float64) + 1e-12 for name, value in weights.items()})
    how = ["--dtype", "float64", "--free_steps", "7"]
    run = adoption.adopt(tmp_path / "w.npz", tiny, tmp_path / "run", overrides=how).run
    assert (run.config.engine.dtype, run.config.settling.free_steps) == ("float64", 7)
    assert run.checkpoint().parameters["query.weight"].dtype == np.float64


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"dense_1.weight": np.zeros((8, 31))}, "is of shape (8, 31), 'dense_1.weight' of shape (8, 32) (outp"),
        ({"dense_1.weight": np.zeros((32, 8))}, "its transpose fits, --map dense_1.weight.T=dense_1.weight"),
        ({"dense_1.weight": None}, "'dense_1.weight' of shape (8, 32) (outputs, inputs) is missing: no tensor is left"),
        ({"dense_1.bias": None, "b": np.zeros(9)}, "missing: no tensor that is left has that shape: 'b' of shape (9,)"),
        ({"dense_2.bias": None}, "is missing: no tensor is left; if there is none, --map zeros=dense_2.bias"),
        ({"dense_1.weight": None, "fc": np.zeros((32, 8))}, "missing; 'fc' is its transpose, --map fc.T=dense_1.w"),
        ({"dense_1.bias": None, "a": np.zeros(8), "b": np.zeros(8)}, "'dense_1.bias' of shape (8,) may be a or b: say"),
        ({"extra": np.zeros(3)}, "no place for 'extra', of shape (3,): if it is none of its weights, leave it out"),
        ({"query.weight": np.full((32, 32), np.nan)}, "1024 of 1024 numbers of query.weight are not finite"),
        ({"dense_1.bias": np.arange(8)}, "dense_1.bias is of int64: weights are floating-point numbers"),
    ],
)  # fmt: skip
def test_what_does_not_fit(tmp_path, tiny, weights, neuroep, change, line):
    held = {name: value for name, value in (weights | change).items() if value is not None}
    np.savez(tmp_path / "w.npz", **held)
    before = sorted(tmp_path.iterdir())
    found = neuroep("adopt", tmp_path / "w.npz", "--config", tiny, "--out", tmp_path / "run").line
    assert found.startswith(f"'{tmp_path / 'w.npz'}': ") and line in found
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["fc2=dense_2"], "has no 'fc2.weight': it holds "),
        (["fc3.weight=dense_1.weight"], "has no 'fc3.weight': it holds"),
        (["fc1.weight=dense1.weight"], "the network has no parameter 'dense1.weight': allowed are query.weight, "),
        (["fc1=dense_1", "fc1.bias=dense_1.bias"], "parameter 'dense_1.bias' is given twice, as 'fc1.bias' and as"),
        (["fc1=dense_1", "head=dense_1"], "--map 'head=dense_1': 'dense_1' is 'fc1' already"),
        (["fc1"], "--map 'fc1': give THEIR=OURS, for example fc1.weight=dense_1.weight"),
        (["fc1.bias=none", "fc1.bias=dense_1.bias"], "tensor 'fc1.bias' is left out, and given as 'dense_1.bias'"),
        (["fc9.bias=none"], "has no 'fc9.bias': it holds"),
        (["head.weight=dense_1.weight"], "'head.weight' is of shape (2, 8), 'dense_1.weight' of shape (8, 32) (out"),
    ],
)  # fmt: skip
def test_names_that_cannot_be(tmp_path, tiny, file, neuroep, words, line):
    options = [option for word in words for option in ("--map", word)]
    found = neuroep("adopt", file, "--config", tiny, "--out", tmp_path / "run", *options).line
    assert line in found and not (tmp_path / "run").exists()


def test_all_tensors_of_a_module_are_left_out_by_its_name(tmp_path, tiny, weights, neuroep):
    """A normalisation has five: each was named by an error of its own, one run of the command after the other."""
    extra = {f"norm.{part}": np.ones(5, dtype=np.float32) for part in ("weight", "bias", "running_mean")}
    np.savez(tmp_path / "more.npz", **weights, **extra)
    place = "--config", tiny, "--out", tmp_path / "run"
    told = neuroep("adopt", tmp_path / "more.npz", *place).line
    assert told.endswith("leave it out by --map norm.weight=none, or all 3 of 'norm' by --map norm=none")
    found = adoption.adopt(tmp_path / "more.npz", tiny, tmp_path / "run", left_out=["norm"])
    same(found.run, weights)
    assert set(found.left_out) == set(extra)


def test_what_python_callers_may_give_wrong(tmp_path, tiny, file):
    (tmp_path / "used").mkdir()
    (tmp_path / "used" / "file").touch()
    for given, error, line in (
        ((tmp_path / "none.npz", tiny, tmp_path / "run"), CheckpointError, "do not exist"),
        ((file, tiny, tmp_path / "used"), ConfigError, "not empty"),
        ((file, 3, tmp_path / "run"), ConfigError, "config is a int: give a configuration file or a Config"),
        ((file, tmp_path / "none.toml", tmp_path / "run"), UserError, "none.toml"),
    ):
        with pytest.raises(error, match=line):
            adoption.adopt(*given)
    with pytest.raises(ConfigError, match="names is 3: give their names by ours"):
        adoption.adopt(file, tiny, tmp_path / "run", names=3)
    assert not (tmp_path / "run").exists()


def test_command(tmp_path, tiny, file, neuroep, weights):
    found = neuroep("adopt", file, "--config", tiny, "--out", tmp_path / "run", "--map", "fc1=dense_1")
    assert found.code == 0 and found.out.startswith(f"{tmp_path / 'run'}: weights of {file}\n")
    assert "  dense_1.weight fc1.weight\n" in found.out and "  dense_2.weight head.weight, by its shape\n" in found.out
    same(runs.load(tmp_path / "run"), weights)
    page = json.loads(neuroep("adopt", file, "--config", tiny, "--out", tmp_path / "again", "--json").out)
    assert page["names"]["query.weight"] == "attention.W.weight"


def test_a_transpose_that_should_be_none_is_told_as_it_is(tmp_path, tiny, weights):
    """The line gave as its cure the very name that it refused."""
    save(tmp_path / "w.npz", weights)
    with pytest.raises(CheckpointError, match=r"it fits as it is, names=\{'dense_1\.weight': 'dense_1\.weight'\}$"):
        adoption.adopt(tmp_path / "w.npz", tiny, tmp_path / "run", names={"dense_1.weight": "dense_1.weight.T"})
