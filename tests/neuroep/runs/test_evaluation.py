"""Evaluation: what is counted, on any split, with either engine."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from neuroep.errors import CheckpointError, ConfigError, DataError
from neuroep.runs import deployment, directory as runs, evaluation
from neuroep.runs.evaluation import Evaluation
from neuroep.runs.session import Session


def example(confusion) -> Evaluation:
    names = tuple("abc"[: len(confusion)])
    return Evaluation("test", names, np.array(confusion), 0.25, 0.5, 4.0, 1e-3, 1.0)


def test_shares_follow_from_the_confusion():
    found = example([[3, 1, 0], [2, 2, 0], [0, 0, 0]])
    assert found.samples == 8
    assert found.accuracy == 5 / 8
    assert found.per_class["a"] == 0.75
    assert found.per_class["b"] == 0.5
    assert math.isnan(found.per_class["c"])


def test_it_can_be_written_and_read():
    found = example([[3, 1], [2, 2]])
    assert json.loads(runs.as_json(found.as_dict()))["confusion"] == [[3, 1], [2, 2]]
    assert "accuracy 0.6250 on 8 samples" in found.as_text()


@pytest.fixture(scope="module")
def parts(trained):
    run = runs.load(trained)
    return Session.open(run)


def test_it_counts_what_the_outputs_say(parts):
    from neuroep import data

    found = evaluation.evaluate(parts.engine, parts.corpus, "train", parts.estimator.free, batch=20)
    batch = next(iter(data.batches(parts.corpus.split("train"), parts.corpus.vectors, 90)))
    settled = parts.engine.settle(batch, parts.estimator.free)
    outputs = parts.engine.outputs(settled)
    right = outputs.argmax(1) == batch.labels
    assert found.accuracy == pytest.approx(right.mean())
    assert found.predicted.tolist() == outputs.argmax(1).tolist()
    assert found.confusion.sum(1).tolist() == np.bincount(batch.labels, minlength=2).tolist()
    loss = 0.5 * ((outputs - np.eye(2)[batch.labels]) ** 2).sum(1).mean()
    assert found.loss == pytest.approx(loss, rel=1e-5)
    assert found.dead_outputs == pytest.approx((outputs <= 0).mean())
    assert found.steps == settled.steps


@pytest.mark.parametrize("batch", [1, 7, 90, 500])
def test_the_batch_size_does_not_matter(parts, batch):
    schedule = parts.estimator.free
    one = evaluation.evaluate(parts.engine, parts.corpus, "train", schedule, batch=30)
    two = evaluation.evaluate(parts.engine, parts.corpus, "train", schedule, batch=batch, order="length")
    np.testing.assert_array_equal(one.confusion, two.confusion)
    assert one.loss == pytest.approx(two.loss, rel=1e-5)


def test_a_run_is_evaluated_as_it_was_trained(trained):
    recorded = runs.load(trained).metrics[-1]["evaluate"]["test"]
    found = deployment.evaluate(trained)
    assert json.loads(runs.as_json(found.as_dict())) == recorded


def test_either_engine_evaluates_a_run(trained):
    local = deployment.evaluate(trained, "train")
    reference = deployment.evaluate(trained, "train", ["--engine", "reference"])
    np.testing.assert_array_equal(local.confusion, reference.confusion)


@pytest.mark.parametrize(
    ("split", "overrides", "error", "message"),
    [
        ("tset", [], DataError, "unknown split 'tset': .*did you mean 'test'"),
        ("test", ["--dense", "9,2"], CheckpointError, "belongs to another network"),
        ("test", ["--tokens", "13"], CheckpointError, "belongs to another network"),
        ("test", ["--free_steps", "0"], ConfigError, "settling.free_steps = 0"),
    ],
)
def test_what_cannot_be_evaluated(trained, split, overrides, error, message):
    with pytest.raises(error, match=message):
        deployment.evaluate(trained, split, overrides)


def test_an_empty_split_is_refused(parts):
    from dataclasses import replace

    empty = parts.corpus.split("train").take(np.zeros(0, dtype=np.int64))
    corpus = replace(parts.corpus, splits={"train": empty})
    with pytest.raises(DataError, match="split 'train' is empty"):
        evaluation.evaluate(parts.engine, corpus, "train", parts.estimator.free)


@pytest.mark.parametrize("order", [None, "length"])
def test_predictions_stand_in_the_order_of_the_split(trained, order):
    """However they were settled: one by one they are the same."""
    session = Session.open(trained)
    split = session.corpus.split("test")
    found = evaluation.evaluate(session.engine, session.corpus, "test", session.estimator.free, batch=8, order=order)
    assert (found.right == (found.predicted == split.labels)).all()
    assert found.right.mean() == pytest.approx(found.accuracy)
    by_class = [int(((found.predicted == k) & (split.labels == k)).sum()) for k in range(len(found.classes))]
    assert by_class == np.diag(found.confusion).tolist()
    plain = evaluation.evaluate(session.engine, session.corpus, "test", session.estimator.free, batch=8)
    assert (found.predicted == plain.predicted).mean() > 0.9
