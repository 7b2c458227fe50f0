"""Schemes of learning: pulse trains of the phases, remainders, limits that are reported, events that fork."""

from __future__ import annotations

import numpy as np
import pytest

from hw_models.chip import Chip
from neuroep.engines.chip import rules
from neuroep.engines.chip.arrays import CrossbarArray, EventDrivenArray
from neuroep.engines.chip.rules.rule import Place
from neuroep.engines.numba.substrate import Setting
from neuroep.engines.schedule import Schedule
from neuroep.engines.workers import Workers
from neuroep.errors import ConfigError
from neuroep.learning.contrast import Contrast, Moved
from neuroep.learning.optimisers import SGD
from neuroep.runs import config, training
from neuroep.runs.session import Session
from tests.neuroep.engines.chip.conftest import nested
from tests.neuroep.engines.chip.two_arrays import TwoArrays

GENERATOR = np.random.default_rng(7)
POST = Moved(GENERATOR.random((6, 4)), GENERATOR.random((6, 4)))
PRE = Moved(GENERATOR.normal(size=(6, 5)), GENERATOR.normal(size=(6, 5)))
CONTRAST = Contrast(POST, PRE, 0.4, 6)
WEIGHT = GENERATOR.uniform(-0.3, 0.3, (4, 5))


def array(seed: int = 0, rule: SGD | None = None, bias: bool = True, **fields) -> CrossbarArray:
    chip = Chip.parse(nested({name.replace("__", "."): value for name, value in fields.items()}))
    setting = Setting(rule or SGD(), Workers(1), "float64", seed)
    return CrossbarArray("dense_1", WEIGHT, np.zeros(4) if bias else None, chip, setting)


@pytest.mark.parametrize("draws", ["replayed", "independent"])
@pytest.mark.parametrize("kind", ["single", "one_sided", "bidirectional"])
def test_net_counts_change_the_weights_along_the_gradient_on_average(kind, draws):
    """With every cell; bias exactly; of draws of either kind."""
    rate, found, pulses = 1e-2, [], 0
    pair = {} if kind == "single" else {"device__cell__kind": kind, "device__pulse__w_min": 0.0}
    for seed in range(300):
        made = array(
            seed, crossbar__weight_range=1.0, device__pulse__dw_min=1e-3, update__scheme="pulsed",
            update__signals="net_counts", update__counter__draws=draws, update__counter__slots=63,
            update__counter__room=1.0, **pair,
        )  # fmt: skip
        start = made.state()["weight"]
        for state in made.rule.devices.states:
            state += 0.3
        assert made.update(CONTRAST, rate) == 0
        found.append(made.state()["weight"] - start)
        health = made.health()
        assert health["trains_too_short"] == health["counts_lost"] == 0
        pulses += made.counters()["pulses"]
    wanted = -rate * CONTRAST.weight_gradient()
    error = np.std(found, axis=0, ddof=1) / np.sqrt(len(found))
    assert np.abs((np.mean(found, axis=0) - wanted) / error).max() < 4.5
    assert np.linalg.norm(error) < 0.1 * np.linalg.norm(wanted)
    np.testing.assert_allclose(made.bias, -rate * CONTRAST.bias_gradient())
    assert pulses > 300 * np.abs(wanted).sum() / 1e-3  # of a pair both ways, half as many on either device


def test_short_counts_and_lost_ones_are_reported():
    how = {"update__scheme": "pulsed", "update__signals": "net_counts", "device__pulse__dw_min": 1e-4}
    short = array(**how, update__counter__slots=4, update__counter__shift=0)
    short.update(CONTRAST, 1e-2)
    health = short.health()
    assert (health["trains_too_short"], health["counts_lost"]) == (1.0, 0.0)
    assert short.health()["trains_too_short"] == 0
    lossy = array(**how, update__counter__bits=2, update__counter__overflow="saturate")
    lossy.update(CONTRAST, 1e-2)
    assert 0.05 < lossy.health()["counts_lost"] <= 1
    record = {"arrays": {"dense_1": {"counts_lost": 0.06}}}
    assert training.near_limits(record) == ["dense_1: 6% of coincidences beyond the counters"]


def test_signals_that_are_not_finite_make_weights_so():
    made = array(update__scheme="pulsed", update__signals="net_counts")
    broken = Moved(np.full((6, 4), np.nan), POST.minus)
    assert made.update(Contrast(broken, PRE, 0.4, 6), 1e-2) == 20


@pytest.mark.parametrize("signals", ["phases", "contrast"])
@pytest.mark.parametrize("trains", ["expected", "stochastic"])
def test_trains_change_the_weights_along_the_gradient_on_average(signals, trains):
    rate, found = 1e-2, []
    for seed in range(300):
        made = array(
            seed, crossbar__weight_range=1.0, device__pulse__dw_min=1e-3, update__scheme="pulsed",
            update__signals=signals, update__trains=trains, update__train_length=63,
        )  # fmt: skip
        assert made.update(CONTRAST, rate) == 0
        found.append(made.state()["weight"] - WEIGHT)
        assert made.health()["trains_too_short"] == 0
    wanted = -rate * CONTRAST.weight_gradient()
    error = np.std(found, axis=0, ddof=1) / np.sqrt(len(found))
    assert np.abs((np.mean(found, axis=0) - wanted) / error).max() < 4.5
    assert np.linalg.norm(error) < 0.1 * np.linalg.norm(wanted)
    np.testing.assert_allclose(made.bias, -rate * CONTRAST.bias_gradient())


def test_what_mixed_precision_has_not_moved_stays_in_the_accumulator():
    made = array(crossbar__weight_range=1.0, update__scheme="mixed_precision", device__pulse__dw_min=1e-2)
    for step in range(1, 4):
        made.update(CONTRAST, 1e-2)
        kept = made.state()
        moved = kept["weight"] - WEIGHT
        np.testing.assert_allclose(moved / 1e-2, np.rint(moved / 1e-2), atol=1e-6)
        np.testing.assert_allclose(moved + kept["accumulated"], -step * 1e-2 * CONTRAST.weight_gradient(), atol=1e-9)
        assert np.abs(kept["accumulated"]).max() < 1e-2


def test_many_granules_at_once_take_one_step():
    made = array(crossbar__weight_range=1.0, update__scheme="mixed_precision", device__pulse__dw_min=1e-6)
    made.update(CONTRAST, 3e-2)
    moved = made.state()["weight"] - WEIGHT
    np.testing.assert_allclose(moved, np.clip(-3e-2 * CONTRAST.weight_gradient(), -1, 1), atol=1e-5)


def test_weights_at_the_range_and_short_trains_are_reported():
    assert array(crossbar__weight_headroom=2.0).health() == {"weights_at_range": 0.0}
    full = array(crossbar__weight_range=0.05, device__levels=9)
    assert full.health()["weights_at_range"] == np.mean(np.abs(WEIGHT) >= 0.05 * 0.999)
    short = array(update__scheme="pulsed", update__train_length=1, device__pulse__dw_min=1e-5)
    short.update(CONTRAST, 1e-2)
    assert short.health()["trains_too_short"] == 1
    assert short.health()["trains_too_short"] == 0


def test_devices_cannot_be_programmed_beyond_their_own_bounds():
    made = array(update__scheme="pulsed", device__pulse__w_max=0.5, device__pulse__w_min=-0.4)
    stored = made.crossbar.stored
    assert stored.max() == 0.5
    assert stored.min() == -0.4


@pytest.mark.parametrize(
    ("fields", "rule", "name"),
    [
        ({"update__scheme": "pulsed"}, SGD(momentum=0.5), "optimiser.momentum"),
        ({"update__scheme": "pulsed"}, SGD(weight_decay=0.5), "optimiser.weight_decay"),
        ({"update__scheme": "mixed_precision"}, SGD(weight_decay=0.5), "optimiser.weight_decay"),
    ],
)
def test_rules_that_need_digital_weights_are_refused(fields, rule, name):
    with pytest.raises(ConfigError, match=name):
        array(rule=rule, **fields).update(CONTRAST, 1e-2)


def test_integers_in_place_refuse_weight_decay_too(tmp_path):
    chip = Chip.parse({"substrate": "event_driven", "events": {"in_place": True, "state_range": 1.0}})
    setting = Setting(SGD(weight_decay=0.5), Workers(1), "float64", 0)
    with pytest.raises(ConfigError, match="weight_decay"):
        EventDrivenArray("dense_1", WEIGHT, None, chip, setting).update(CONTRAST, 1e-2)
    values = {"chip": chip.to_dict(), "data": {"limit": 40}, "optimiser": {"weight_decay": 0.5}}
    with pytest.raises(ConfigError, match="weight_decay"):
        training.train(config.parse(values), tmp_path / "run", progress=False)


def test_a_nudged_phase_leaves_what_the_free_phase_has_sent_alone(small):
    """With a threshold the outcome depends on what was sent: both nudges must start from the same memory."""
    engine = small({"substrate": "event_driven", "events.threshold": 0.02}).engine
    parts = small({"substrate": "event_driven", "events.threshold": 0.02}).parts
    from neuroep import data

    batch = next(iter(data.batches(parts.corpus.split("train"), parts.corpus.vectors, 8, sequences=("text",))))
    clamped, schedule = engine.clamp(batch), Schedule(steps=3)
    free = engine.settle(clamped, schedule)
    sent = {name: kept["forward"].sent.copy() for name, kept in free.state.memory.items() if "forward" in kept}
    minus = engine.outputs(engine.settle(clamped, schedule, beta=-0.3, start=free)).copy()
    engine.settle(clamped, schedule, beta=0.3, start=free)
    again = engine.outputs(engine.settle(clamped, schedule, beta=-0.3, start=free))
    np.testing.assert_array_equal(minus, again)
    for name, values in sent.items():
        np.testing.assert_array_equal(free.state.memory[name]["forward"].sent, values)


def test_the_patterns_of_a_sequence_are_written_once_however_often_the_input_is_read(small):
    analog = {"attention.kind": "analog", "device.read_noise": 0.05}
    held, fresh = small(analog), small(analog | {"crossbar.hold_input": False})
    assert held.counters["writes"] == fresh.counters["writes"]
    assert held.counters["reads"] < fresh.counters["reads"]


def test_patterns_are_read_as_soon_as_written(small):
    drift = {"device.drift_mean": [0.0, 0.3, 0.3, 0.3], "attention.kind": "analog"}
    chip = small(drift | {"device.age": 1e6}).engine.units["attention"].stored._stored(1.0)
    assert chip.device.age == 0


def test_a_time_constant_does_not_fake_convergence(small):
    settings = {"settling.tolerance": 1e-3, "settling.free_steps": 3000, "network.potential": "smooth_sigmoid"}
    parts = small({"neuron.time_constant": 50.0}, settings).parts
    from neuroep import data

    batch = next(iter(data.batches(parts.corpus.split("train"), parts.corpus.vectors, 8, sequences=("text",))))
    slow = parts.engine.settle(batch, parts.estimator.free)
    wanted = parts.engine.settle(batch, Schedule(steps=3000))
    assert slow.converged
    error = np.abs(parts.engine.outputs(slow) - parts.engine.outputs(wanted)).max()
    assert error < 3e-3


def test_the_yardstick_knows_the_weights_as_the_devices_conduct_them(small):
    from neuroep import data
    from neuroep.gradients import yardsticks
    from neuroep.gradients.estimators import centred

    chip = {"device.mismatch": 0.3, "crossbar.mapping": "offset"}
    parts = small(chip, {"network.potential": "smooth_sigmoid", "engine.dtype": "float64"}).parts
    batch = next(iter(data.batches(parts.corpus.split("train"), parts.corpus.vectors, 8, sequences=("text",))))
    long = Schedule(steps=300, tolerance=1e-9)
    found = yardsticks.cosine_to_bptt(parts.engine, batch, centred(beta=1e-3, free=long, nudged=long), 200)
    assert min(found.values()) > 0.9999


@pytest.mark.parametrize("mapping", ["differential", "offset"])
@pytest.mark.parametrize("scheme", ["pulsed", "mixed_precision"])
def test_pulses_end_at_a_devices_own_conductance(mapping, scheme):
    """However many pulses: no device conducts beyond its own g_max or below its own g_min."""
    device = {"g_min": 1.0, "g_max": 10.0, "g_min_spread": 0.3, "g_max_spread": 0.2}
    chip = Chip.parse(
        {
            "crossbar": {"mapping": mapping},
            "device": device | {"pulse": {"dw_min": 0.02}},
            "update": {"scheme": scheme},
        }
    )
    place = Place("a", chip, Setting(SGD(), Workers(1), "float32", 0))
    made = rules.named(scheme)(place, np.zeros((6, 9), "f4"), None)
    crossbar = made.crossbar
    low, high = crossbar.devices.weight_bounds()
    for way in (1, 0):
        numbers = np.full((6, 9), 300 * way), np.full((6, 9), 300 * (1 - way))
        made.devices.apply(crossbar.stored, *numbers, step=way)
        crossbar.refresh()
        own = high if way else low
        np.testing.assert_allclose(crossbar.stored, np.clip(own, -1, 1), rtol=1e-5)
        assert len(np.unique(np.round(crossbar.stored, 4))) > 20


@pytest.mark.parametrize("scheme", ["pulsed", "mixed_precision"])
@pytest.mark.parametrize("spread", [0.0, 0.5])
def test_pulses_move_the_array_of_the_transposed_path_as_well(small, scheme, spread):
    """The same pulses: alike devices end alike, others answer each in its own way, about the same mean."""
    chip = {"update.scheme": scheme, "device.pulse.dw_min": 1e-5, "transposed.devices": "own"}
    chip |= {"update.signals": "contrast"} if scheme == "pulsed" else {}
    outcome = small(chip | {"device.pulse.dw_min_spread": spread, "crossbar.weight_headroom": 4.0})
    first = Session.open(outcome.parts.config, corpus=outcome.parts.corpus).engine
    both = {name: array for name, array in outcome.engine.arrays.items() if array.crossbar.other is not None}
    assert both.keys() == {synapse.name for synapse in outcome.parts.network.dense}  # nothing is sent back to an input
    for name, array in both.items():
        bar = array.crossbar
        if name == "query":
            assert bar.other is None  # nothing is sent back to the clamped input
            continue
        moves = [each.stored - first.arrays[name].crossbar.stored for each in (bar, bar.other)]
        apart = np.abs(moves[0] - moves[1])
        assert np.abs(moves[0]).max() > 10 * 1e-5
        if spread:
            assert apart.max() > 1e-5
            assert np.corrcoef(moves[0].ravel(), moves[1].ravel())[0, 1] > 0.5
        else:
            np.testing.assert_array_equal(moves[0], moves[1])
        for each in (bar, bar.other):
            np.testing.assert_allclose(each.weights(), each.stored * each.weight_range, atol=1e-5)


def two_arrays() -> TwoArrays:
    chip = Chip.parse({"crossbar": {"weight_range": 2.0}, "update": {"scheme": "pulsed"}})
    return TwoArrays(Place("a", chip, Setting(SGD(), Workers(1), "float64", 0)), WEIGHT.copy(), None)


def test_the_weights_of_two_arrays_are_their_sum_wherever_they_are_asked_for():
    made, moved = two_arrays(), np.linspace(-0.4, 0.4, WEIGHT.size).reshape(WEIGHT.shape)
    made.further.stored[:] = moved
    made.further.refresh()
    wanted = WEIGHT + 0.5 * 2.0 * moved
    np.testing.assert_allclose(made.state()["weight"], wanted, rtol=0, atol=1e-12)
    np.testing.assert_allclose(made.weights(), wanted, rtol=0, atol=1e-6)  # conductances are single precision
    again = two_arrays()
    again.load(made.state())
    for name, values in made.state().items():
        np.testing.assert_array_equal(again.state()[name], values)


def test_what_a_rule_cannot_follow_is_refused_before_a_run_begins(monkeypatch, tmp_path):
    """Whatever its name: a rule that goes on from another says what it takes by itself."""
    monkeypatch.setattr(rules, "named", lambda scheme: TwoArrays)
    values = {"chip": {"update": {"scheme": "mixed_precision"}}, "data": {"limit": 40}, "optimiser": {"kind": "adam"}}
    with pytest.raises(ConfigError, match=r"optimiser\.kind = 'adam'"):
        training.train(config.parse(values), tmp_path / "run", progress=False)
    assert not (tmp_path / "run").exists()
