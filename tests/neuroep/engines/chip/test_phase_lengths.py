"""Phases of a chip whose numbers of sweeps a calibration finds: taken, kept, counted, and what they do to states."""

from __future__ import annotations

import numpy as np
import pytest

import neuroep
from neuroep.engines.phase_lengths import PhaseLengths
from neuroep.engines.schedule import CALIBRATED
from neuroep.engines.twins import twin
from neuroep.errors import ConfigError
from neuroep.runs.session import Session
from tests.neuroep.engines.chip.conftest import assembled, described

NOISY = {"device.read_noise": 0.03, "adc.bits": 8}
LONG = {"settling.stop": CALIBRATED, "settling.free_steps": 16, "settling.nudged_steps": 16}
LONG |= {"settling.nudged_tolerance": 0.05}


def batch_of(parts, number=0):
    return next(iter(parts.shuffled(0))).keyed("train", number)


def test_a_noisy_chip_takes_few_sweeps_and_every_batch_the_same():
    parts = assembled(NOISY, LONG)
    lengths = parts.engine.lengths
    assert lengths is not None and lengths.free_met and lengths.free < 10
    for number, batch in enumerate(parts.shuffled(0)):
        phases = parts.estimator.settle(parts.engine, batch.keyed("train", number), number)
        assert phases.free.steps == lengths.free
        assert {phase.steps for phase in phases.settled} == {lengths.nudged}
        assert phases.free.converged


@pytest.mark.parametrize("changes", [{"estimator.order": "mirrored"}, {"estimator.null": True}])
def test_every_phase_without_a_nudge_takes_the_sweeps_of_the_nudged_ones(changes):
    """Those that an auto-zero subtracts, too: they must have moved as long as what they are subtracted from."""
    parts = assembled(NOISY, LONG | changes)
    phases = parts.estimator.settle(parts.engine, batch_of(parts), 0)
    taken = {phase.steps for phase in phases.settled}
    taken |= {phase.steps for both in phases.null.values() for phase in both}
    assert taken == {parts.engine.lengths.nudged}


def test_a_free_state_that_is_contrasted_settles_longer():
    centred, single = (assembled(NOISY, LONG | {"estimator.kind": kind}) for kind in ("centred", "positive"))
    assert single.engine.lengths.free > centred.engine.lengths.free


def test_results_do_not_hang_on_the_threads_nor_on_being_resumed():
    one, three = (assembled(NOISY, LONG | {"engine.threads": threads}) for threads in (1, 3))
    assert one.engine.lengths == three.engine.lengths
    for number in range(2):
        for parts in (one, three):
            found = parts.estimator.measure(parts.engine, batch_of(parts, number), number)
            parts.engine.update(found.contrasts, parts.rates(0))
    again = twin(one.engine)
    assert again.lengths == one.engine.lengths
    for engine in (three.engine, again):
        for name, values in one.engine.parameters().items():
            np.testing.assert_array_equal(values, engine.parameters()[name])


def test_how_samples_are_cut_into_batches_decides_no_number():
    sizes = [assembled(NOISY, LONG | {"training.batch": size}) for size in (4, 16)]
    for parts in sizes:
        engine, lengths = parts.engine, parts.engine.lengths
        steps = {engine.settle(batch, parts.estimator.free).steps for batch in parts.shuffled(0)}
        assert steps == {lengths.free}


def test_training_finds_them_anew_and_resumes_to_the_same_bits(tmp_path):
    tables = described(NOISY, LONG | {"settling.calibrate_every": 2, "training.epochs": 2})
    record = neuroep.train(tables, tmp_path / "whole", progress=False)
    neuroep.train(tables, tmp_path / "halved", overrides=["--training.epochs", "1"], progress=False)
    neuroep.train(tables, tmp_path / "halved", resume=True, progress=False)
    ends = [neuroep.Session.open(tmp_path / name).engine for name in ("whole", "halved")]
    assert ends[0].lengths == ends[1].lengths
    for name, values in ends[0].device_state().items():
        np.testing.assert_array_equal(values, ends[1].device_state()[name])
    assert record["health"]["free_steps"] <= record["health"]["most_free_steps"] < 16
    assert record["health"]["nudged_steps"] <= record["health"]["most_nudged_steps"] <= 16
    assert record["evaluate"]["test"]["steps"] == record["evaluate"]["test"]["most_steps"] < 16


def test_they_are_found_anew_as_often_as_is_said(tmp_path, monkeypatch):
    """Five updates of eight samples, every two."""
    asked, find = [], Session.find_lengths
    monkeypatch.setattr(Session, "find_lengths", lambda self, update: asked.append(update) or find(self, update))
    tables = described(NOISY, LONG | {"settling.calibrate_every": 2})
    updates = neuroep.train(tables, tmp_path / "run", progress=False)["updates"]
    assert asked == list(range(2, updates, 2))


def test_a_run_of_before_is_read_and_has_its_lengths_found(tmp_path):
    """A checkpoint without them, opened with the stop it was not trained with."""
    plain = described(NOISY, {"settling.free_steps": 16, "settling.nudged_steps": 16})
    neuroep.train(plain, tmp_path / "run", progress=False)
    assert neuroep.Session.open(tmp_path / "run").engine.lengths is None
    opened = neuroep.Session.open(tmp_path / "run", overrides=["--settling.stop", "calibrated"])
    assert opened.engine.lengths is not None


def test_a_run_opened_with_other_phases_has_its_lengths_found_anew(tmp_path):
    """Found in two sweeps they would hold however many are allowed later; how often they are found changes nothing."""
    tables = described(NOISY, LONG | {"settling.free_steps": 2, "settling.nudged_steps": 2})
    neuroep.train(tables, tmp_path / "run", progress=False)
    trained = neuroep.Session.open(tmp_path / "run").engine.lengths
    assert trained is not None and trained.free == 2
    longer = ["--settling.free_steps", "16", "--settling.nudged_steps", "16"]
    found = neuroep.Session.open(tmp_path / "run", overrides=longer).engine.lengths
    assert found is not None and found.free > 2 and found.free_met
    coarse = neuroep.Session.open(tmp_path / "run", overrides=["--settling.tolerance", "2"]).engine.lengths
    assert coarse is not None and coarse.free == 1
    often = ["--settling.calibrate_every", "7"]
    assert neuroep.Session.open(tmp_path / "run", overrides=often).engine.lengths == trained


def test_the_bill_follows_the_sweeps_taken():
    """Reads, and the seconds of the clock, of a classification."""
    chip = NOISY | {"timing.integration": 1e-7}
    counted = {}
    for stop in ("tolerance", CALIBRATED):
        engine = (parts := assembled(chip, LONG | {"settling.stop": stop})).engine
        before = engine.counters()
        found = parts.evaluate("test")
        after = engine.counters()
        counted[stop] = found.steps, *(after[name] - before[name] for name in ("settle_steps", "chip_picoseconds"))
    long, short = counted["tolerance"], counted[CALIBRATED]
    assert long[0] == 16 > short[0]
    assert short[1] / long[1] == pytest.approx(short[0] / long[0])
    assert short[2] < 0.8 * long[2]


def test_states_have_mean_and_variance_of_the_long_settle():
    """Over 200 draws of one batch: what they miss is small beside their noise, and their variance is that at rest.

    A rule that went by the noise of a phase would pick states, and change both.
    """
    parts = assembled(NOISY, LONG)
    engine, schedule = parts.engine, parts.estimator.free
    batch, draws = next(iter(parts.shuffled(0))), 200

    def states(how, name):
        return np.stack([engine.states(engine.settle(batch.keyed(name, n), how))["hidden_1"] for n in range(draws)])

    short, long = states(schedule, "short"), states(schedule.whole(), "long")
    noise = long.std(0, ddof=1)
    moves = noise > 1e-6
    missing = np.square((short.mean(0) - long.mean(0))[moves] / noise[moves]).mean() - 2 / draws
    assert missing < 0.2
    assert short.var(0, ddof=1)[moves].mean() == pytest.approx(long.var(0, ddof=1)[moves].mean(), rel=0.1)


def test_an_engine_that_was_not_calibrated_takes_all_steps():
    parts = assembled(NOISY, LONG)
    parts.engine.lengths = None
    settled = parts.engine.settle(batch_of(parts), parts.estimator.free)
    assert settled.steps == 16 and not settled.converged


def test_without_a_chip_phases_end_by_their_tolerance():
    parts = assembled(None, LONG | {"settling.tolerance": 1e-3})
    assert parts.estimator.free.stop == "tolerance"
    assert parts.engine.lengths is None


def test_a_cadence_without_anything_to_find_is_refused():
    with pytest.raises(ConfigError, match=r"settling.*calibrate_every = 5"):
        described(NOISY, {"settling.calibrate_every": 5})


def test_lengths_hold_their_shape_in_a_checkpoint():
    parts = assembled(NOISY, LONG)
    assert parts.engine.device_state()["chip.phase_lengths"].shape == PhaseLengths.SHAPE
