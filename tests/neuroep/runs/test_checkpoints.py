"""Checkpoints: what is written is read, nothing half-written is ever under the name, damage is one line."""

from __future__ import annotations

import json
import os
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from hw_models import whole_files
from neuroep import engines
from neuroep.engines.schedule import Schedule
from neuroep.errors import CheckpointError, DataError
from neuroep.learning.optimisers import Adam
from neuroep.runs import checkpoints, seals
from neuroep.runs.checkpoints import About, Checkpoint
from tests import cases


def example(epoch: int = 1) -> Checkpoint:
    draw = np.random.default_rng(epoch)
    weight = draw.normal(size=(4, 6)).astype(np.float32)
    optimiser = {"query.weight.first_moment": draw.normal(size=(4, 6)), "query.updates": np.array(7, dtype=np.int64)}
    devices = {"query.crossbar.counts": draw.integers(9, size=3), "chip.neurons.output/range": draw.normal(size=2)}
    about = About(network="abc", epoch=epoch, updates=7, seed=3, engine="local", config="def", data="ghi")
    return Checkpoint(about, {"query.weight": weight, "view": weight[:, ::2], "turned": weight.T}, optimiser, devices)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "checkpoint.safetensors"


def test_what_is_written_is_read(path):
    written = example()
    checkpoints.save(path, written)
    read = checkpoints.load(path)
    assert read.about == written.about
    for section in ("parameters", "optimiser", "devices"):
        before, after = getattr(written, section), getattr(read, section)
        assert set(before) == set(after) and len(after)
        for name, array in before.items():
            assert after[name].dtype == array.dtype
            assert after[name].shape == array.shape
            np.testing.assert_array_equal(after[name], array)


@pytest.mark.parametrize("kind", engines.NAMES)
def test_writing_takes_no_second_copy_of_weights_and_moments(path, kind):
    """180 million weights with Adam's moments are 2.2 GB: copies would be most of what a training needs."""
    net = cases.network("sentiment", tokens=90, dim=40, dense=(150, 2))
    engine = engines.build(kind, net, optimiser=Adam(), threads=1)
    rates = dict.fromkeys([synapse.name for synapse in net.synapses], 1e-3)
    estimator = cases.estimator(free=Schedule(steps=2), nudged=Schedule(steps=2))
    engine.update(estimator.measure(engine, cases.batch(net, 3)).contrasts, rates)
    held = sum(values.nbytes for section in engine.live() for values in section.values())
    about = About(net.signature(), 1, 1, 0)
    checkpoints.save(path, Checkpoint(about, *engine.live()))  # the first loads what writes
    tracemalloc.start()
    try:
        checkpoints.save(path, Checkpoint(about, *engine.live()))
        taken = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert held > 6e6 and taken < held / 10
    read = checkpoints.load(path)
    for section in (engine.parameters(), engine.optimiser_state()):
        assert section
        for name, values in section.items():
            np.testing.assert_array_equal({**read.parameters, **read.optimiser}[name], values)


@pytest.mark.parametrize("kind", engines.NAMES)
def test_what_is_live_cannot_be_written_to_and_what_is_asked_for_is_a_copy(kind):
    engine = engines.build(kind, cases.network("sentiment"), optimiser=Adam(), threads=1)
    live = engine.live().parameters["dense_1.weight"]
    with pytest.raises(ValueError, match="read-only"):
        live[:] = 1
    copied = engine.parameters()["dense_1.weight"]
    copied[:] = 9
    assert not np.shares_memory(copied, live) and not (engine.parameters()["dense_1.weight"] == 9).any()


def test_the_optimiser_can_be_left_out(path):
    checkpoints.save(path, example())
    read = checkpoints.load(path, optimiser=False)
    assert not read.optimiser and not read.devices
    assert set(read.parameters) == {"query.weight", "view", "turned"}


def as_version_2(path) -> None:
    """Write a file as version 0.1 did: devices among the optimiser's state."""
    with safe_open(path, framework="numpy") as file:
        page = json.loads(file.metadata()["neuroep"])
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
    tensors = {name.replace("devices.", "optimiser."): array for name, array in tensors.items()}
    page |= {"format": 2, "tensors": {name: seals.of_array(name, array) for name, array in tensors.items()}}
    save_file(tensors, path, metadata={"neuroep": json.dumps(page | {seals.SEAL: seals.of_page(page)})})


def test_devices_are_found_in_a_file_of_version_0_1(path):
    checkpoints.save(path, example())
    as_version_2(path)
    assert "optimiser.query.crossbar.counts" in load_file(path)
    read = checkpoints.load(path)
    assert read.about.format == 2
    assert set(read.optimiser) == set(example().optimiser)
    assert set(read.devices) == set(example().devices)
    checkpoints.save(path, read)
    again = checkpoints.load(path)
    assert again.about.format == checkpoints.FORMAT and set(again.devices) == set(read.devices)


def test_a_file_without_classes_is_not_checked(path):
    checkpoints.save(path, example())
    with safe_open(path, framework="numpy") as file:
        page = json.loads(file.metadata()["neuroep"])
    del page["classes"]
    tensors = load_file(path)
    save_file(tensors, path, metadata={"neuroep": json.dumps(page | {seals.SEAL: seals.of_page(page)})})
    checkpoints.load(path).check_classes(["yes", "zap"], "words")
    page |= {"classes": "yes"}
    save_file(tensors, path, metadata={"neuroep": json.dumps(page | {seals.SEAL: seals.of_page(page)})})
    with pytest.raises(CheckpointError, match="no checkpoint of neuroep"):
        checkpoints.load(path)


@pytest.mark.parametrize(("known", "given"), [("ab", "ab"), ("01", "ab"), ("ab", "01")])
def test_classes_of_the_same_names_or_of_none(known, given):
    replace(example(), about=replace(example().about, classes=list(known))).check_classes(list(given), "words")


@pytest.mark.parametrize(("known", "given"), [("ab", "bc"), ("ab", "ba"), ("12", "ab")])
def test_classes_of_other_names_are_refused(known, given):
    saved = replace(example(), about=replace(example().about, classes=list(known)))
    with pytest.raises(DataError, match=f"data 'words' has classes {given[0]}, {given[1]}, .* {known[0]}, {known[1]}:"):
        saved.check_classes(list(given), "words")


def test_bytes_depend_on_the_contents_alone(path, tmp_path):
    other = tmp_path / "other.safetensors"
    checkpoints.save(path, example())
    checkpoints.save(other, example())
    assert path.read_bytes() == other.read_bytes()


def test_nothing_is_left_beside_it(path):
    checkpoints.save(path, example())
    checkpoints.save(path, example(2))
    assert [found.name for found in path.parent.iterdir()] == [path.name]
    assert checkpoints.load(path).about.epoch == 2


@pytest.mark.skipif(os.name == "nt", reason="permissions of POSIX")
def test_it_is_readable_like_any_file(path):
    checkpoints.save(path, example())
    plain = path.with_name("plain")
    plain.touch()
    assert path.stat().st_mode == plain.stat().st_mode


def test_a_failed_write_keeps_the_last_good_one(path, monkeypatch):
    checkpoints.save(path, example(1))

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(whole_files, "sync", full)
    with pytest.raises(CheckpointError, match="No space left on device"):
        checkpoints.save(path, example(2))
    monkeypatch.undo()
    assert checkpoints.load(path).about.epoch == 1
    assert [found.name for found in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("share", [0.0, 0.001, 0.2, 0.5, 0.99])
def test_truncated(path, share):
    checkpoints.save(path, example())
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(CheckpointError, match="is truncated or damaged") as caught:
        checkpoints.load(path)
    assert "\n" not in str(caught.value)


def test_no_safetensors_at_all(path):
    path.write_bytes(b"PK\x03\x04 some other file" * 10)
    with pytest.raises(CheckpointError, match="truncated or damaged"):
        checkpoints.load(path)


@pytest.mark.parametrize("metadata", [None, {"neuroep": "no json"}, {"neuroep": "{}"}, {"neuroep": "[1]"}, {"x": "y"}])
def test_someone_elses_tensors(path, metadata):
    save_file({"a": np.zeros(3)}, path, metadata=metadata)
    with pytest.raises(CheckpointError, match="no checkpoint of neuroep"):
        checkpoints.load(path)


def test_a_later_format(path):
    save_file({"a": np.zeros(3)}, path, metadata={"neuroep": json.dumps({"format": 99})})
    with pytest.raises(CheckpointError, match="format 99: this version reads 1"):
        checkpoints.load(path)


def test_missing(path):
    with pytest.raises(CheckpointError, match="does not exist"):
        checkpoints.load(path)


def test_another_network_is_refused(path):
    checkpoints.save(path, example())
    read = checkpoints.load(path)
    read.check_network("abc")
    with pytest.raises(CheckpointError, match=r"checkpoint.safetensors' belongs to another network: made by .*abc"):
        read.check_network("xyz")


def test_no_planted_link_is_written_through(path):
    victim = path.parent / "victim"
    victim.write_text("mine")
    (path.parent / f".{path.name}.partial").symlink_to(victim)
    checkpoints.save(path, example())
    assert victim.read_text() == "mine"
    assert checkpoints.load(path).about.epoch == 1
