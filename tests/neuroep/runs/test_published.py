"""Published state dicts: both networks seen from their shapes, nothing executed, one line for what does not fit."""

from __future__ import annotations

import numpy as np
import pytest

from neuroep.errors import CheckpointError, ConfigError
from neuroep.runs import building, deployment, directory as runs, published, training

torch = pytest.importorskip("torch")


def tensors(projections: int, dim: int, tokens: int, dense: list[int], bias: bool = False, wide: bool = False) -> dict:
    """Make a state dict as the published code writes it."""
    draw = torch.Generator().manual_seed(0)
    shapes = [(dim, dim)] * projections
    width = projections * tokens * dim
    for size in dense:
        shapes.append((size, width))
        width = size
    held = {}
    for number, shape in enumerate(shapes):
        dtype = torch.float64 if wide else torch.float32
        held[f"synapses.{number}.weight"] = torch.randn(shape, generator=draw, dtype=dtype) * 0.1
        if bias or number >= projections:
            held[f"synapses.{number}.bias"] = torch.randn(shape[0], generator=draw, dtype=dtype)
    return held


@pytest.fixture
def file(tmp_path):
    return tmp_path / "weights.pt"


REVIEWS = ["--data.name", "reviews", "--vectors", "none"]
PAIRS = ["--data.name", "pairs", "--vectors", "none"]


@pytest.mark.parametrize("bias", [False, True])
def test_sentiment(file, tmp_path, bias):
    held = tensors(1, 32, 5, [7, 4, 2], bias)
    torch.save(held, file)
    run = published.convert(file, tmp_path / "run")
    network = run.config.network
    assert (network.kind, network.tokens, network.dense, network.projection_bias) == ("sentiment", 5, (7, 4, 2), bias)
    assert not network.mask
    assert run.config.settling.order == "synchronous"
    assert run.config.data.vectors == "word2vec-google-news-300"
    parameters = runs.load(tmp_path / "run").checkpoint().parameters
    assert len(parameters) == len(held)
    np.testing.assert_array_equal(parameters["query.weight"], held["synapses.0.weight"].numpy())
    np.testing.assert_array_equal(parameters["dense_3.bias"], held["synapses.3.bias"].numpy())


def test_inference(file, tmp_path):
    held = tensors(4, 32, 5, [7, 3])
    torch.save(held, file)
    run = published.convert(file, tmp_path / "run")
    assert (run.config.network.kind, run.config.network.tokens, run.config.network.dense) == ("inference", 5, (7, 3))
    assert run.config.network.inverse_temperature == 0.16
    parameters = run.checkpoint().parameters
    names = [synapse.name for synapse in building.build_network(run.config, 32).synapses]
    for number, name in enumerate(names):
        np.testing.assert_array_equal(parameters[f"{name}.weight"], held[f"synapses.{number}.weight"].numpy())


@pytest.mark.parametrize(("projections", "dense", "data"), [(1, [7, 2], REVIEWS), (4, [7, 3], PAIRS)])
@pytest.mark.parametrize("engine", ["local", "reference"])
def test_an_imported_run_evaluates(file, tmp_path, projections, dense, data, engine):
    torch.save(tensors(projections, 32, 20, dense), file)
    run = published.convert(file, tmp_path / "run", data)
    found = deployment.evaluate(run.path, "test", ["--engine", engine, "--free_steps", "3"])
    assert found.samples > 0
    assert 0 < found.accuracy < 1


@pytest.mark.parametrize("wrap", ["state_dict", "model_state_dict", "module.", "double"])
def test_usual_wrappings(file, tmp_path, wrap):
    held = tensors(1, 8, 3, [4, 2], wide=wrap == "double")
    wrapped = {f"module.{name}": value for name, value in held.items()} if wrap == "module." else held
    torch.save({wrap: held, "epoch": 3} if "dict" in wrap else wrapped, file)
    parameters = published.convert(file, tmp_path / "run").checkpoint().parameters
    np.testing.assert_allclose(parameters["query.weight"], held["synapses.0.weight"].float().numpy())
    assert parameters["query.weight"].dtype == np.float32


class Evil:
    """Something that acts when it is unpickled."""

    def __reduce__(self):
        return (print, ("executed",))


def without(held: dict, name: str) -> dict:
    return {key: value for key, value in held.items() if key != name}


GOOD = tensors(1, 8, 3, [4, 2])


@pytest.mark.parametrize(
    ("held", "message"),
    [
        ({"synapses.0.weight": Evil()}, "holds objects, which are never loaded"),
        ([1, 2], "holds a list: expected a state dict"),
        ({"fc.weight": torch.zeros(3, 3)}, "has no synapses.N.weight"),
        (without(GOOD, "synapses.1.weight"), "synapses.1.weight is missing, of 3 synapses"),
        (without(GOOD, "synapses.1.bias"), "dense_1.bias is missing: the network needs"),
        ({**GOOD, "synapses.0.weight": torch.zeros(8)}, "synapses.0.weight is no matrix"),
        ({**GOOD, "synapses.0.weight": torch.zeros(7, 8)}, "has weights 7x8, 4x24, 2x4: expected one or four square"),
        ({**GOOD, "synapses.1.weight": torch.zeros(4, 23)}, "expected one or four square projections"),
        ({**GOOD, "synapses.2.weight": torch.zeros(2, 5)}, r"dense_2.weight is \(2, 5\): the network needs \(2, 4\)"),
        ({**GOOD, "synapses.2.weight": torch.full((2, 4), float("nan"))}, "synapses.2.weight is not finite"),
        ({"synapses.0.weight": torch.zeros(8, 8)}, "has weights 8x8"),
        ({"synapses.0.weight": 3}, "synapses.0.weight is no plain tensor of real numbers"),
        ({"synapses.0.weight": torch.zeros(8, 8).to_sparse()}, "synapses.0.weight is no plain tensor of real numbers"),
        ({"synapses.0.weight": torch.zeros(8, 8) * 1j}, "synapses.0.weight is no plain tensor of real numbers"),
    ],
)
def test_what_is_no_published_network(file, tmp_path, capsys, held, message):
    torch.save(held, file)
    with pytest.raises(CheckpointError, match=message) as caught:
        published.convert(file, tmp_path / "run")
    assert "\n" not in str(caught.value)
    assert "executed" not in capsys.readouterr().out
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("share", [0.0, 0.5, 0.95])
def test_a_truncated_file(file, tmp_path, share):
    torch.save(GOOD, file)
    whole = file.read_bytes()
    file.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(CheckpointError, match=r"weights\.pt") as caught:
        published.convert(file, tmp_path / "run")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("held", [b"hello world\n", b"index,text\n1,2\n", b"\x80\x04K", bytes(range(256))])
def test_what_is_no_torch_file(file, tmp_path, held):
    file.write_bytes(held)
    with pytest.raises(CheckpointError, match=r"weights\.pt' is no torch file: weights are read of .*torch files$"):
        published.convert(file, tmp_path / "run")


def test_parameters_are_tensors(file, tmp_path):
    held = {name: torch.nn.Parameter(value) for name, value in tensors(1, 8, 3, [4, 2]).items()}
    torch.save(held, file)
    assert published.convert(file, tmp_path / "run").checkpoint().parameters["query.weight"].shape == (8, 8)


def test_an_imported_run_is_not_resumed(file, tmp_path):
    torch.save(tensors(1, 32, 5, [4, 2]), file)
    run = published.convert(file, tmp_path / "run", REVIEWS)
    with pytest.raises(CheckpointError, match="it holds imported weights and no training to resume"):
        training.train(run.config, run.path, resume=True, progress=False)


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("synapses.0.weight", lambda w: torch.quantize_per_tensor(w, 0.1, 0, torch.qint8), "is quantised: save the"),
        ("synapses.0.weight", lambda w: w[:0], r"is empty: its shape is \(0, 32\)"),
        ("synapses.0.weight", lambda w: w[:, :0], r"is empty: its shape is \(32, 0\)"),
        ("synapses.1.bias", lambda w: w[:0], "is empty"),
        ("synapses.0.weight", lambda w: w.to("meta"), "has a shape but no values"),
        ("synapses.0.weight", lambda w: torch.nested.nested_tensor([w[0], w[1][:3]]), "is no plain tensor"),
        (f"synapses.{'9' * 5000}.weight", lambda w: w, "no synapse has such a number"),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_tensors_that_are_no_weights(file, tmp_path, name, change, message):
    """Before, quantised and empty tensors and a number of 5,000 digits ended in tracebacks."""
    held = tensors(1, 32, 3, [2], bias=True)
    held[name] = change(held.get(name, torch.ones(2)))
    torch.save(held, file)
    with pytest.raises(CheckpointError, match=message) as caught:
        published.convert(file, tmp_path / "run")
    assert len(str(caught.value)) < 400 and not (tmp_path / "run").exists()


def test_a_missing_file(tmp_path):
    with pytest.raises(CheckpointError, match="do not exist"):
        published.convert(tmp_path / "none.pt", tmp_path / "run")


def test_overrides_and_target_are_checked(file, tmp_path):
    torch.save(GOOD, file)
    with pytest.raises(ConfigError, match="unknown setting '--vectrs'"):
        published.convert(file, tmp_path / "run", ["--vectrs", "x"])
    with pytest.raises(CheckpointError, match="the network needs"):
        published.convert(file, tmp_path / "run", ["--dense", "5,2"])
    (tmp_path / "used").mkdir()
    (tmp_path / "used" / "file").touch()
    with pytest.raises(ConfigError, match="not empty"):
        published.convert(file, tmp_path / "used")


def test_vectors_of_another_length_are_another_network(file, tmp_path):
    torch.save(tensors(1, 8, 3, [4, 2]), file)
    run = published.convert(file, tmp_path / "run", REVIEWS)
    with pytest.raises(CheckpointError, match="belongs to another network"):
        deployment.evaluate(run.path)
