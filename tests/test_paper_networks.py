"""docs/paper_networks.py: EP as ``neuroep train`` does it, its rivals from the same start, rows, tables, picture."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import paper_measures
import paper_networks
import paper_tables
import paper_trainings
import pytest
import torch
import trainings
from paper_trainings import Course, Study, train
from trainings import entries

import neuroep
from neuroep.gradients import angles

REVIEWS = """
[network]
kind = "sentiment"
tokens = 40
dense = [16, 2]
mask = false
output_bias = 1.0

[data]
name = "reviews"
limit = 200

[settling]
free_steps = 60
nudged_steps = 60
tolerance = 1e-3
nudged_tolerance = 1e-2
nudged_form = "differences"
acceleration = "anderson"

[optimiser]
projection_rate = 1e-3
dense_rate = 1e-3

[training]
epochs = 2
batch = 50
"""


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a configuration of a small network that reads flat, as the paper's do."""
    file = tmp_path_factory.mktemp("configs") / "reviews.toml"
    file.write_text(REVIEWS)
    return file


def study(config: Path, method: str, **more: Any) -> Study:
    """Return a training of it."""
    return Study("imdb", method, (), config, **more)


def run(path: Path, asked: Study, epochs: float = 2, every: int = 3, kept: Path | None = None) -> list[dict[str, Any]]:
    """Return the rows of a training."""
    train(path, asked, epochs, every, None, kept)
    return entries(path)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
@pytest.mark.parametrize("method", paper_trainings.METHODS)
def test_a_gpu_goes_where_the_cpu_goes(config: Path, tmp_path: Path, method: str) -> None:
    here, there = (moved(study(config, method, device=device)) for device in ("cpu", "cuda"))
    assert all(angles.cosine(here[name], value) > 0.999 for name, value in there.items())
    rows = run(tmp_path / "rows", study(config, method, device="cuda"), epochs=1)
    assert rows[-1]["device"] == torch.cuda.get_device_name() and rows[-1]["updates"] == 4


def moved(asked: Study, updates: int = 4) -> dict[str, np.ndarray]:
    """Return how far the weights are from their start after so many updates."""
    course = Course(asked)
    start = {name: value.copy() for name, value in course.session.engine.parameters().items()}
    for (epoch, batch), _ in zip(course.batches(), range(updates), strict=False):
        course.update(epoch, batch)
    return {name: value - start[name] for name, value in course.session.engine.parameters().items()}


def test_ep_is_what_neuroep_trains(config: Path, tmp_path: Path) -> None:
    """With the same bits; and its run directory becomes the same rows."""
    rows = run(tmp_path / "rows", study(config, "ep"), every=4)
    neuroep.train(config, tmp_path / "run", overrides=study(config, "ep").words, progress=False)
    paper_trainings.adopt(tmp_path / "adopted", "imdb", tmp_path / "run")
    paper_trainings.adopt(tmp_path / "adopted", "imdb", tmp_path / "run")
    adopted = entries(tmp_path / "adopted")
    assert [row["updates"] for row in rows] == [row["updates"] for row in adopted] == [4, 8]
    for row, other in zip(rows, adopted, strict=True):
        assert {name: row[name] for name in ("accuracy", "loss", "epoch", "seed", "samples")}.items() <= other.items()


def test_rivals_go_where_ep_goes(config: Path) -> None:
    """From the same weights, by the same batches: with a small beta all three make nearly the same updates."""
    found = {method: moved(study(config, method, beta=0.01)) for method in paper_trainings.METHODS}
    for name, value in found["implicit"].items():
        assert angles.cosine(found["bptt"][name], value) > 0.999, name
        assert angles.cosine(found["ep"][name], value) > 0.98, name
    away = moved(study(config, "bptt", seed=1))
    assert angles.cosine(away["dense_1.weight"], found["bptt"]["dense_1.weight"]) < 0.9


@pytest.mark.parametrize("method", ["ep", "implicit"])
def test_a_training_goes_on_where_it_was_stopped(config: Path, tmp_path: Path, method: str) -> None:
    whole = run(tmp_path / "whole", study(config, method))
    run(tmp_path / "rows", study(config, method), 0.75, kept=tmp_path / "kept" / "here")
    again = run(tmp_path / "rows", study(config, method), kept=tmp_path / "kept" / "here")
    untold = {"seconds", "peak_mib"}
    assert [row["updates"] for row in again] == [row["updates"] for row in whole] == [3, 4, 6, 8]
    for row, other in zip(again, whole, strict=True):
        assert {k: v for k, v in row.items() if k not in untold} == {k: v for k, v in other.items() if k not in untold}
    assert run(tmp_path / "rows", study(config, method), kept=tmp_path / "kept" / "here") == again


def test_outputs_may_start_as_they_are_drawn(config: Path, tmp_path: Path) -> None:
    """As torch's layers do, and rows and tables say so."""
    given = [study(config, "ep", output_bias=bias).open(False) for bias in (1.0, None)]
    assert [session.config.network.output_bias for session in given] == [1.0, None]
    first, drawn = (session.engine.parameters()["dense_2.bias"] for session in given)
    assert (first == 1).all() and (drawn != 1).all()
    (row,) = run(tmp_path / "rows", study(config, "ep", output_bias=None), 0.25, every=1)
    assert row["output_bias"] is None and paper_tables.called(row).endswith(", outputs as drawn")


def test_frozen_layers_keep_what_was_drawn(config: Path) -> None:
    found = moved(study(config, "ep", frozen=("query", "dense_2")))
    assert {name for name, value in found.items() if value.any()} == {"dense_1.weight", "dense_1.bias"}


def test_credit_and_memory_become_rows(config: Path, tmp_path: Path) -> None:
    path, asked = tmp_path / "rows", study(config, "ep")
    course = Course(asked)
    course.save(tmp_path / "weights.safetensors")
    paper_measures.credit(path, asked, tmp_path / "weights.safetensors", batches=1, samples=20)
    rows = {(row["way"], row["layer"]): row for row in entries(path)}
    assert {layer for _, layer in rows} == {"query", "dense_1", "dense_2"}
    for layer in ("query", "dense_1", "dense_2"):
        small, large = rows["ep, beta 0.02", layer], rows["ep, beta 0.5", layer]
        assert small["error"] < large["error"] and small["cosine"] > 0.99
        assert rows["implicit", layer]["error"] < 0.02 > rows["bptt", layer]["error"]
    for method in paper_measures.STEPWISE:
        paper_measures.memory(path, study(config, method.partition(",")[0]), method, (1, 3))
    peaks = [row for row in entries(path) if row["kind"] == "memory"]
    assert [(row["method"], row["steps"]) for row in peaks] == [(m, k) for m in paper_measures.STEPWISE for k in (1, 3)]
    assert all(row["peak_mib"] >= row["before_mib"] > 0 for row in peaks)


def line(updates: int, accuracy: float, **more: Any) -> Mapping[str, Any]:
    """Return a row of a training."""
    about = {"kind": "training", "data": "snli", "method": "ep", "beta": 0.1, "mask": False, "seed": 0, "frozen": []}
    told = {"updates": updates, "epoch": updates / 10, "accuracy": accuracy, "samples": 50, "seconds": 3.0 * updates}
    return about | told | {"train": {"accuracy": 0.5}} | more


def test_rows_become_tables_and_a_picture(tmp_path: Path) -> None:
    rows = [line(10, 50.0), line(20, 60.0), line(20, 61.0), line(15, 1.0), line(10, 55.0, method="bptt", seed=1)]
    rows += [line(10, 40.0, frozen=["query"]), line(25, 70.0, data="imdb", mask=True)]
    rows[4] = {name: value for name, value in rows[4].items() if name != "beta"}
    assert list(paper_tables.accuracies(rows)) == [
        "| | seed | epoch 1 | epoch 2 | time of an epoch [s] |",
        "|---|---|---|---|---|",
        "| ep, beta 0.1 | 0 | 50.0 | 61.0 | 30 |",
        "| bptt | 1 | 55.0 |  | 30 |",
    ]
    assert list(paper_tables.by_updates(rows))[2:] == ["| ep, beta 0.1, mask on | 0 | 25 | 50.0 | 70.0 | 50 | 75 |"]
    assert list(paper_tables.frozen(rows))[2:] == ["| nothing | 10 | 50.0 | 50.0 |", "| `query` | 10 | 40.0 | 50.0 |"]
    peaks = [{"kind": "memory", "data": data, "method": "ep", "steps": steps, "peak_mib": 9.0, "before_mib": 2.0}
             for data, steps in (("snli", 5), ("imdb", 5), ("snli", 1), ("snli", 5))]  # fmt: skip
    assert list(paper_tables.memories([row | {"seconds": 1.0} for row in peaks]))[2:] == [
        f"| {data}, ep | {steps} | 9 | 7 | 1.0 |" for data, steps in (("imdb", 5), ("snli", 1), ("snli", 5))
    ]
    layers = [{"kind": "credit", "data": "snli", "updates": 3, "layer": layer, "way": way, "error": 0.1, "cosine": 0.5}
              for layer in ("query", "dense_1") for way in ("ep, beta 0.1", "bptt")]  # fmt: skip
    assert list(paper_tables.credits(layers)) == [
        "| after updates | layer | ep, beta 0.1 | bptt |",
        "|---|---|---|---|",
        "| snli, 3 | `query` | 0.5000 (10 %) | 0.5000 (10 %) |",
        "| snli, 3 | `dense_1` | 0.5000 (10 %) | 0.5000 (10 %) |",
    ]
    paper_tables.picture([row | {"seconds": 1.0} for row in peaks], tmp_path / "picture.png")
    assert (tmp_path / "picture.png").stat().st_size > 1000


def test_trainings_on_a_gpu_are_drawn_by_seed(tmp_path: Path) -> None:
    """Whole epochs of unmasked networks whose outputs start in their range, a rival's seed beside EP's own."""
    there = {"device": "card", "output_bias": 1.0}
    rows = [line(updates, 50.0 + updates, **there, seed=seed) for seed in (0, 1) for updates in (10, 20)]
    rows += [line(10, 1.0, **there | other) for other in ({"mask": True}, {"output_bias": None}, {"frozen": ["query"]})]
    rows += [line(10, 2.0, output_bias=1.0), line(15, 3.0, **there), line(10, 58.0, **there, beta=0.5)]
    rows += [{k: v for k, v in line(10, 59.0, **there, method="bptt").items() if k != "beta"}]
    assert paper_tables.by_seed(rows, "ep", 0.1) == {0: {1: 60.0, 2: 70.0}, 1: {1: 60.0, 2: 70.0}}
    assert paper_tables.by_seed(rows, "bptt", None) == {0: {1: 59.0}}
    paper_tables.courses(rows, tmp_path / "picture.png")
    assert (tmp_path / "picture.png").stat().st_size > 1000
    page = tmp_path / "paper_networks.md"
    marks = ("accuracy", "accuracy on a CPU", "accuracy as drawn", "imdb", "frozen", "memory", "credit")
    page.write_text("".join(f"<!-- {mark} -->\n<!-- end of {mark} -->\n" for mark in marks))
    for row in rows:
        trainings.add(tmp_path / "rows", row)
    paper_tables.write(tmp_path / "rows", tmp_path)
    parts = [part.partition("<!-- end")[0] for part in page.read_text().split("<!-- accuracy")[1:]]
    assert [part.count("| 0 |") for part in parts] == [4, 1, 1]


def test_what_ends_phases_is_said_to_every_training(monkeypatch: pytest.MonkeyPatch) -> None:
    """--stop reaches the configuration; without it the file's rule stands."""
    found: list[Study] = []
    monkeypatch.setattr(paper_networks, "train", lambda rows, asked, *more: found.append(asked))
    for words in (["--stop", "tolerance"], []):
        monkeypatch.setattr("sys.argv", ["paper_networks.py", "train", "rows", "snli", "ep", *words])
        paper_networks.main()
    assert [asked.settings for asked in found] == [("--settling.stop", "tolerance"), ()]
    file = paper_trainings.CONFIGS["snli"]
    stops = [neuroep.load_config(file, overrides=asked.words).settling.stop for asked in found]
    assert stops == ["tolerance", "by_sample"]


def test_rows_do_not_say_where_the_data_lie(config: Path) -> None:
    words = ("--data.path", "here", "--data.vectors", "there", "--settling.stop", "tolerance")
    asked = Study("imdb", "ep", words, config)
    assert asked.told == ["--settling.stop", "tolerance"]
