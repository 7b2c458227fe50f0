"""Twins: the same engine again, which leaves the first one as it is."""

from __future__ import annotations

import numpy as np
import pytest

from neuroep.engines.twins import twin
from neuroep.runs import config
from neuroep.runs.session import Session
from tests.conftest import TINY


def opened(tmp_path, *overrides):
    path = tmp_path / "tiny.toml"
    path.write_text(TINY)
    return Session.open(config.load(path, overrides), age=0.0 if "--chip" in overrides else None)


def learned(parts, steps=2):
    rates = parts.rates(0)
    for step, batch in zip(range(steps), parts.batches("train"), strict=False):
        parts.engine.update(parts.estimator.measure(parts.engine, batch.keyed("train", step), step).contrasts, rates)
    return parts.engine


def everything(engine):
    return engine.parameters() | engine.optimiser_state() | engine.device_state()


PULSED = ("--chip", "reram", "--optimiser.kind", "sgd")


ONCE = ("--engine.repeats", "once")


@pytest.mark.parametrize("chip", [(), ("--chip", "pcm"), PULSED, ("--chip", "loihi2"), ONCE])
def test_a_twin_reads_and_learns_the_same_bits_and_leaves_the_first_alone(tmp_path, chip):
    parts = opened(tmp_path, *chip)
    engine = learned(parts)
    before, again = everything(engine), twin(engine)
    batch = next(parts.batches("train")).keyed("twin", 0)
    measured = parts.estimator.measure(again, batch, 0)
    gradient = again.gradient(measured.contrasts)
    again.update(measured.contrasts, parts.rates(0))
    for name, value in everything(engine).items():
        np.testing.assert_array_equal(value, before[name], err_msg=name)
    measured = parts.estimator.measure(engine, batch, 0)
    for name, value in engine.gradient(measured.contrasts).items():
        np.testing.assert_array_equal(value, gradient[name], err_msg=name)
    engine.update(measured.contrasts, parts.rates(0))
    for name, value in everything(again).items():
        np.testing.assert_array_equal(value, everything(engine)[name], err_msg=name)
    assert any(not np.array_equal(value, before[name]) for name, value in everything(engine).items())
