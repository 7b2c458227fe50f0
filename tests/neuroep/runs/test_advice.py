"""Advice: phases that stop unsettled, and what an accuracy at chance points to."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neuroep import data
from neuroep.engines import stopping
from neuroep.engines.settling import Schedule
from neuroep.runs import advice, building, config, evaluation, training
from neuroep.runs.session import Session
from tests import cases

CHIPS = Path(__file__).resolve().parents[3] / "examples" / "chips"
SETTLED = {"residual": 1e-3, "unsettled": 0.0, "nudged_residual": 0.01, "nudged_unsettled": 0.0}


def settings(**changes: Any) -> config.Config:
    tables: dict[str, dict[str, Any]] = {name: {} for name in ("network", "settling", "optimiser", "data")}
    tables["network"] = {"tokens": 10, "dense": [6, 2]}
    for name, value in changes.items():
        section, _, field = name.partition("__")
        tables[section][field] = value
    return config.parse(tables, "test")


def said(health: dict[str, float], noisy: bool = False, **changes: Any) -> list[str]:
    given = {f"settling__{name}": value for name, value in changes.items()}
    return advice.settling(SETTLED | health, *building.schedules(settings(**given)), noisy)


class TestSettling:
    def test_what_settles_is_not_mentioned(self):
        assert said({}, tolerance=1e-2, nudged_tolerance=0.03) == []
        assert said({"unsettled": 0.04, "residual": 0.5}, tolerance=1e-2) == []

    def test_a_free_phase_above_its_tolerance(self):
        """The demo's: residual 0.14 at a tolerance of 1e-4 after 10 steps."""
        found = said({"residual": 0.1434, "unsettled": 1.0}, tolerance=1e-4, free_steps=10)
        cure = "raise settling.free_steps (now 10) or settling.tolerance (now 0.0001)"
        assert found == [f"100% of free phases stop unsettled, states still move by 0.14: {cure}"]

    def test_a_nudged_phase_above_its_tolerance(self):
        (line,) = said({"nudged_residual": 0.2, "nudged_unsettled": 0.31}, nudged_tolerance=0.03, nudged_steps=5)
        assert line.startswith("31% of nudged phases stop unsettled, displacements still change by 0.2 of themselves: ")
        assert line.endswith("raise settling.nudged_steps (now 5) or settling.nudged_tolerance (now 0.03)")

    def test_phases_of_fixed_length_that_still_move(self):
        """Without a tolerance no phase is called converged; only one that moves much is unsettled."""
        fixed = {"unsettled": 1.0, "nudged_unsettled": 1.0}
        assert said(fixed) == []
        (line,) = said(fixed | {"residual": 1.0}, order="synchronous")
        assert "raise settling.free_steps (now 20), or take order 'layerwise' or a smaller dt if they go" in line
        (line,) = said(fixed | {"nudged_residual": 0.5})
        assert line.endswith("raise settling.nudged_steps (now 20)")

    def test_noise_is_named_as_the_reason(self):
        health = {"residual": 0.17, "unsettled": 1.0, "nudged_residual": 1.4, "nudged_unsettled": 1.0}
        free, nudged = said(health, noisy=True, tolerance=1e-2, nudged_tolerance=0.03)
        cure = "settling.stop calibrated finds how many sweeps they need"
        why = f"states still move by 0.17: settling.tolerance = 0.01 is below the noise; {cure}"
        assert free == f"read noise keeps free phases from settling, {why}"
        assert nudged.endswith(f"settling.nudged_tolerance = 0.03 is below the noise; {cure}")
        assert said(health, noisy=True) == []

    def test_levels_are_named_as_the_reason(self):
        health = {"residual": 0.016, "unsettled": 1.0, "at_levels": 1.0}
        health |= {"nudged_residual": 0.83, "nudged_unsettled": 1.0, "nudged_at_levels": 1.0}
        free, nudged = said(health, tolerance=1e-2, nudged_tolerance=0.03)
        told = "free phases settle to within the converters' levels, states still move by 0.016"
        assert free == f"{told}: more steps change nothing, settling.tolerance = 0.01 is below the levels, more bits do"
        assert nudged.endswith("nudged_tolerance = 0.03 is below the levels, more bits or a larger estimator.beta do")
        assert said(health | {"residual": 0.009, "nudged_residual": 0.09}, tolerance=1e-3, nudged_tolerance=0.03) == []
        (line,) = said({"residual": 0.1, "unsettled": 1.0, "at_levels": 0.1}, tolerance=1e-2)
        assert "raise settling.free_steps" in line

    def test_a_chip_of_eight_bits_ends_in_a_cycle_that_more_steps_do_not_end(self):
        """Before, 200 steps were answered by the advice to take more; the states come back exactly."""
        for steps in (30, 200):
            given = ["--limit", "50", "--chip", str(CHIPS / "mismatched.toml"), "--nudged_steps", str(steps)]
            parts = Session.open(config.load(CHIPS.parent / "configs" / "reviews.toml", given))
            engine, free = parts.engine, parts.estimator.free
            split = parts.corpus.split("train")
            batches = data.batches(split, parts.corpus.vectors, 50, sequences=parts.corpus.sequences)
            batch = next(batches)
            measured = parts.estimator.measure(engine, batch).health
            assert measured["nudged_unsettled"] == measured["nudged_at_levels"] == 1
            assert measured["nudged_residual"] > 0.1
            lines = advice.settling(measured, free, parts.estimator.nudged, engine.redraws)
            assert len(lines) == 2
            assert all("settle to within the converters' levels" in line and "raise" not in line for line in lines)
            traced = engine.settle(batch, replace(free, steps=80), record=("states",))
            assert traced.at_levels
            *before, now = (state.values for state in traced.trace.states)
            assert any(all(np.array_equal(now[name], one[name]) for name in now) for one in before)

    def test_a_chip_that_had_too_few_steps_is_told_so(self):
        """With a hundredth of the time constant in each step the states are on their way, levels or not."""
        given = ["--limit", "50", "--chip", str(CHIPS / "mismatched.toml"), "--dt", "0.01"]
        parts = Session.open(config.load(CHIPS.parent / "configs" / "reviews.toml", given))
        lines = evaluation.evaluate(parts.engine, parts.corpus, "test", parts.estimator.free).remarks
        assert ["raise settling.free_steps" in line for line in lines] == [True]

    @pytest.mark.parametrize("where", ["local", "cpu"])
    def test_a_measurement_tells(self, where):
        net = cases.network("sentiment")
        engine, batch = cases.engine(where, net), cases.batch(net)
        short, long = Schedule(steps=2, tolerance=1e-6), Schedule(steps=500, tolerance=1e-6)
        for free, nudged in ((short, long), (long, short), (long, long)):
            health = cases.estimator(free=free, nudged=nudged).measure(engine, batch).health
            assert (health["unsettled"], health["nudged_unsettled"]) == (free is short, nudged is short)
            assert (health["residual"] > 1e-6, health["nudged_residual"] > 1e-6) == (free is short, nudged is short)

    @pytest.mark.parametrize("where", ["local", "cpu"])
    def test_so_does_an_evaluation(self, where):
        given = settings(data__limit=40)
        parts = Session.open(given)
        engine = cases.engine(where, parts.network, {n: 6 * v for n, v in parts.engine.parameters().items()})
        found = evaluation.evaluate(engine, parts.corpus, "test", Schedule(steps=3, tolerance=1e-9))
        (line,) = found.remarks
        assert line.startswith("100% of samples stop unsettled, states still move by ")
        assert line in found.as_text() and found.as_dict()["remarks"] == [line]
        found = evaluation.evaluate(engine, parts.corpus, "test", Schedule(steps=500, tolerance=1e-3))
        assert found.remarks == () and len(found.as_text().splitlines()) == 3


@pytest.mark.parametrize(
    ("changes", "heard"),
    [
        ([0.07, 0.018, *[0.016] * 18], True),
        ([0.07, 0.016, 0.012, 0.016, 0.012, 0.016, 0.012, 0.016], True),
        ([0.9**n for n in range(30)], False),
        ([0.04 * 0.99**n for n in range(30)], False),
        ([0.5] * 20, False),
        ([0.01], False),
        ([], False),
    ],
)
def test_cycles_are_told_from_what_dies_out(changes, heard):
    """A bound of 0.06 is that of 8 bits."""
    assert stopping.cycles(changes, 0.06) is heard


def record(epoch: int = 4, accuracy: float = 0.5, loss: float = 0.25, **health: float) -> dict[str, Any]:
    moved = {"displacement_plus": 0.02, "displacement_minus": 0.02, "dead_outputs": 0.0, "saturated_outputs": 0.0}
    return {"epoch": epoch, "train": {"accuracy": accuracy, "loss": loss}, "health": {**moved, **health}, "remarks": []}


FIRST = record(1, loss=0.30)
LABELS = (500, 500)


class TestAged:
    def lines(self, device, **accuracies):
        reached = {name: {"accuracy": each} for name, each in accuracies.items()}
        chip = config.parse({"chip": {"device": device}}, "test")
        return advice.aged({"train": {"accuracy": 0.8}, "evaluate": reached}, chip)

    def test_an_evaluation_of_drifted_devices_that_lacks_points(self):
        drifts = {"drift_mean": [0.0, 0.05, 0.05, 0.05], "age": 1e5}
        (line,) = self.lines(drifts, test=0.5, validation=0.75)
        assert line.startswith("test, 30% below training, is evaluated chip.device.age = 100000 s after the last write")
        assert line.endswith("evaluate with chip.device.age = 0 to tell what age costs from what was not learned")
        assert self.lines({"read_noise": 0.1}, test=0.5) == [] and self.lines(drifts, test=0.71) == []

    def test_whatever_ages(self):
        growing = {"read_noise": 0.0088, "read_noise_law": "pcm", "age": 1e5}
        assert len(self.lines(growing, test=0.5)) == 1

    def test_without_a_chip_or_an_accuracy_nothing_is_said(self):
        record = {"train": {}, "evaluate": {"test": {"accuracy": 0.1}}}
        drifts = config.parse({"chip": {"device": {"drift_mean": [0.0, 0.05, 0.05, 0.05], "age": 1e5}}}, "test")
        assert advice.aged(record, drifts) == []
        assert advice.aged({"train": {"accuracy": 0.9}, "evaluate": {"test": {"accuracy": 0.1}}}, settings()) == []


class TestChance:
    def test_a_run_that_learns_is_left_alone(self):
        assert advice.chance(record(accuracy=0.6), FIRST, settings(), LABELS) == []
        assert advice.chance(record(2), FIRST, settings(), LABELS) == []

    @pytest.mark.parametrize(("accuracy", "heard"), [(0.54, True), (0.56, False)])
    def test_chance_is_the_most_frequent_class_within_its_error(self, accuracy, heard):
        """Three standard errors of 1,000 samples are 4.7 %."""
        assert bool(advice.chance(record(accuracy=accuracy), FIRST, settings(), LABELS)) is heard
        assert advice.chance(record(accuracy=0.8), FIRST, settings(), (800, 200))

    def test_of_too_few_samples_nothing_is_said(self):
        assert advice.chance(record(accuracy=1.0), FIRST, settings(), (4, 4)) == []
        assert advice.chance(record(accuracy=0.5), FIRST, settings(), (4, 4)) == []

    def test_outputs_dead_from_the_start(self):
        first = record(1, dead_outputs=0.9, loss=0.3)
        (line,) = advice.chance(record(dead_outputs=0.98), first, settings(), LABELS)
        assert line.startswith("training accuracy 50.0% after 4 epochs is chance (50.0%): 98% of the outputs are")
        assert "as in epoch 1: raise network.output_bias (now unset)" in line
        first = record(1, saturated_outputs=0.9, loss=0.3)
        found = advice.chance(record(saturated_outputs=0.9), first, settings(network__output_bias=3.0), LABELS)
        assert "as in epoch 1: lower network.output_bias (now 3.0)" in found[0]

    def test_clipped_outputs_are_told_in_the_first_epoch(self):
        """No other cause is so sure, and an epoch of a large network takes long."""
        dead = record(1, dead_outputs=0.5)
        (line,) = advice.chance(dead, dead, settings(), LABELS)
        assert line.startswith("training accuracy 50.0% after 1 epoch is chance (50.0%): 50% of the outputs are at ")
        assert "pass no gradient on: raise network.output_bias (now unset)" in line
        assert advice.chance(record(1), record(1), settings(), LABELS) == []
        learns = record(1, accuracy=0.6, dead_outputs=0.5)
        assert advice.chance(learns, learns, settings(), LABELS) == []

    def test_outputs_that_died_while_learning(self):
        (line,) = advice.chance(record(dead_outputs=0.9), FIRST, settings(), LABELS)
        assert "0% in epoch 1: learning put them there, lower optimiser.projection_rate (now 0.0001)" in line

    def test_a_nudge_that_moves_nothing(self):
        still = record(displacement_plus=1e-5, displacement_minus=1e-5)
        (line,) = advice.chance(still, FIRST, settings(), LABELS)
        assert "moves the outputs by 1e-05 only: raise estimator.beta" in line

    @pytest.mark.parametrize(("loss", "word"), [(0.4, "lower optimiser"), (0.2999, "change optimiser")])
    def test_the_loss_tells_of_the_rates(self, loss, word):
        (line,) = advice.chance(record(loss=loss), FIRST, settings(), LABELS)
        assert f"the loss went from 0.3000 in epoch 1 to {loss:.4f}: {word}.projection_rate" in line

    def test_nothing_that_stands_out(self):
        (line,) = advice.chance(record(), FIRST, settings(), LABELS)
        assert line.endswith("no number stands out, try other rates, a larger beta or more epochs")
        (line,) = advice.chance(record() | {"remarks": ["7% of free phases ..."]}, FIRST, settings(), LABELS)
        assert line.endswith(": phases stop unsettled")


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["--output_bias", "-5"], "as in epoch 1: raise network.output_bias (now -5.0)"),
        (["--projection_rate", "0", "--dense_rate", "0"], "change optimiser.projection_rate (now 0) and dense_rate"),
        (["--dense_rate", "3", "--projection_rate", "1e-2"], "lower optimiser.projection_rate (now 0.01)"),
    ],
)
def test_runs_that_do_not_learn_say_why(tmp_path, overrides, words):
    from pathlib import Path

    from neuroep.runs import training

    example = Path(__file__).resolve().parents[3] / "examples" / "configs" / "reviews.toml"
    short = ["--limit", "300", "--epochs", "3", "--evaluate", "[]", "--tokens", "30"]
    given = config.load(example, [*short, *overrides])
    found = training.train(given, tmp_path / "run", progress=False)
    told = [line for line in training.notes(found) if "is chance" in line]
    assert len(told) == 1 and words in told[0], training.notes(found)


def on_chip(chip: dict[str, Any], **settling: Any) -> config.Config:
    return config.parse({"network": {"tokens": 10, "dense": [6, 2]}, "settling": settling, "chip": chip}, "test")


@pytest.mark.parametrize(("settling", "words"), [
    ({}, ["order = 'layerwise' and settling.dt = 1 is not continuous time", "layers take turns", "100% of the way"]),
    ({"order": "synchronous", "dt": 0.5}, ["a step goes 50% of the way where a time constant goes 39%"]),
    ({"order": "layerwise", "dt": 0.1}, ["layers take turns; set settling.order = 'synchronous'"]),
    ({"order": "synchronous", "dt": 0.1}, []),
])  # fmt: skip
def test_coarse_steps_are_no_continuous_time(settling, words):
    found = advice.doubts(on_chip({"timing": {"tau": 1e-7}}, **settling))
    assert len(found) == bool(words) and all(word in found[0] for word in words)
    assert advice.doubts(on_chip({"timing": {"integration": 1e-7}}, **settling)) == []


def test_a_mean_of_more_sweeps_than_there_are_is_doubted():
    noisy = {"device": {"read_noise": 0.1}}
    found = advice.doubts(on_chip(noisy | {"nudged": {"mean_sweeps": 100}}, free_steps=20, nudged_steps=30))
    assert found == ["chip.nudged.mean_sweeps = 100: a phase has 20 sweeps at most, and its mean no more"]
    assert advice.doubts(on_chip(noisy | {"nudged": {"mean_sweeps": 5}})) == []


def test_doubts_are_said_where_a_session_opens(caplog):
    chip = {"timing": {"tau": 3e-7}, "crossbar": {"rows": 7}}
    made = config.parse({"network": {"tokens": 10, "dense": [6, 2]}, "data": {"name": "reviews"}, "chip": chip}, "test")
    config.say.cache_clear()
    Session.open(made)
    assert [each.message for each in caplog.records if "not continuous time" in each.message]


WRITTEN = {"counters": {"writes": 4000}}


class TestLeftAlone:
    """Devices that are written when their weight has moved by a threshold, and rates that no longer move it so far."""

    def chip(self, threshold: float) -> config.Config:
        tables = {"update": {"write_threshold": threshold}, "device": {"programming_noise": [0.5]}}
        return config.parse({"chip": tables, "optimiser": {"decay_epochs": 4}}, "test")

    def test_devices_that_are_hardly_written_any_more(self):
        (line,) = advice.left_alone({"counters": {"writes": 39}}, WRITTEN, self.chip(0.04))
        assert line.startswith("39 devices written, 4000 in epoch 1: ") and "write_threshold = 0.04" in line
        assert line.endswith("raise optimiser.decay_epochs (now 4) or optimiser.final_rate (now 1e-05)")

    def test_devices_that_are_written_are_not_mentioned(self):
        assert advice.left_alone({"counters": {"writes": 40}}, WRITTEN, self.chip(0.04)) == []
        assert advice.left_alone(WRITTEN, WRITTEN, self.chip(0.04)) == []

    def test_without_a_threshold_or_a_chip_nothing_is_said(self):
        for held in (self.chip(0.0), settings()):
            assert advice.left_alone({"counters": {"writes": 0}}, WRITTEN, held) == []

    def test_a_run_says_it(self, tmp_path):
        """Rates of 1e-6 from the second epoch on, on devices that are written for 2 % of the range."""
        tables = {"update": {"write_threshold": 0.02}, "device": {"programming_noise": [0.1]}}
        values = {
            "network": {"tokens": 12, "dense": [8, 2]},
            "data": {"limit": 60},
            "settling": {"free_steps": 6, "nudged_steps": 6},
            "optimiser": {"projection_rate": 0.05, "dense_rate": 0.05, "decay_epochs": 1, "final_rate": 1e-6},
            "training": {"epochs": 2, "batch": 20, "evaluate": []},
            "chip": tables | {"calibration_samples": 20},
        }
        record = training.train(config.parse(values), tmp_path / "run", progress=False, diagnose=False)
        assert any("devices written, " in line for line in record["remarks"])
