"""Orders of phases, phases without a nudge, chopping and the zero of holders at once; each alone: test_phases.py."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from neuroep.engines.schedule import Schedule
from neuroep.gradients import estimators
from tests.neuroep.engines.chip.conftest import assembled
from tests.neuroep.engines.chip.test_phases import HELD, OFFSET, gradient, norm, opened

CURES = {"mirrored": {"order": "mirrored"}, "null": {"null": True}}


@pytest.mark.parametrize("cure", CURES)
@pytest.mark.parametrize("chopping", ["batch", "sample"])
def test_a_swap_of_the_holders_leaves_other_cures_theirs(chopping, cure):
    """Pairs that cancel meet the same holders: with a swap of their own, half of all batches keep the whole offset."""
    engine, estimator, batch = opened(OFFSET | {"readout.chopping": chopping})
    ideal, estimator = opened({})[0], replace(estimator, beta=0.2)
    for number in range(6):
        keyed = batch.keyed("train", number)
        exact = gradient(ideal, replace(estimator, **CURES[cure]), keyed)
        plain = norm(gradient(engine, estimator, keyed), exact)
        assert norm(gradient(engine, replace(estimator, **CURES[cure]), keyed), exact) < 0.05 * plain


def test_all_pairs_of_a_batch_are_swapped_alike_and_batches_apart():
    engine, estimator, batch = opened(OFFSET | {"readout.chopping": "batch"})
    mirrored, seen = replace(estimator, order="mirrored", null=True), []
    for number in range(10):
        phases = mirrored.settle(engine, batch.keyed("train", number), 0)
        pairs = estimators.pairs(mirrored.formula(0), mirrored.beta, phases)
        assert len(pairs) == 2
        holders = engine.substrate._holders["hidden_1"]
        signs = []
        for pair in (*pairs, *(pair.null for pair in pairs)):
            signs.append(holders.hold(batch.size, *pair.numbers).errors(holders.width).sign[0, 0])
        first, second, *nulls = signs
        assert second == -first and nulls == [first, second]
        seen.append(first)
    assert {1.0, -1.0} == set(seen)


FAULTY = HELD | {"readout.hold_offset": 0.03, "readout.hold_gain": 0.05, "readout.hold_droop": 0.02}
DENSE = {"dense_1": ("attention", "hidden_1"), "dense_2": ("hidden_1", "output")}


def held(engine, layer, values, numbers, later, chopped):
    """What capacitors show of a phase, (samples, neurons), one by one."""
    holders = engine.substrate._holders[layer]
    swapped, found = chopped(len(values)), np.zeros(values.shape)
    for b in range(len(values)):
        mine, other = (int(np.broadcast_to(each, len(values))[b]) for each in (numbers, later))
        holder = int(mine > other) ^ int(swapped[b])
        left = np.exp(-holders.readout.hold_droop * (max(mine, other) - mine))
        for i in range(values.shape[1]):
            found[b, i] = values[b, i] * (1 + holders.gain[holder, i]) * left + holders.offset[holder, i]
    return found


def by_hand(engine, estimator, phases, step, zero):
    """dL/dW of both dense synapses from the settled states, pair by pair of phases, time by time."""
    formula = estimator.formula(step)
    found = {name: 0.0 for name in DENSE}
    times = list(phases.times)
    for each in times:
        for plus, minus, share in formula.differences:
            turns = each.numbers.get(plus, 1), each.numbers.get(minus, 2)

            def both(layer, one, other, turns=turns):
                chopped = engine.substrate._holders[layer].swapped
                states = [engine.to_numpy(state.values[layer]) for state in (one, other)]
                return [
                    held(engine, layer, state, mine, later, chopped)
                    for state, mine, later in zip(states, turns, turns[::-1], strict=True)
                ]

            ends = {}
            for layer in {layer for pair in DENSE.values() for layer in pair}:
                up, down = both(layer, each.state(plus), each.state(minus))
                change = up - down
                if zero:
                    first, second = both(layer, phases.free.state, phases.free.state)
                    change = change - (first - second)
                if each.null:
                    nulls = [settled.state for settled in each.null[plus, minus]]
                    first, second = both(layer, *nulls)
                    change = change - (first - second)
                ends[layer] = change, (up + down) / 2
            span = estimator.beta * (plus - minus)
            for name, (pre, post) in DENSE.items():
                (d_pre, m_pre), (d_post, m_post) = ends[pre], ends[post]
                moved = d_post.T @ m_pre + m_post.T @ d_pre
                found[name] = found[name] - share / span / len(times) * moved / len(m_pre)
    return found


@pytest.mark.parametrize("null", [False, True])
@pytest.mark.parametrize("periods", [1, 2])
@pytest.mark.parametrize("order", ["fixed", "batch", "sample", "mirrored"])
@pytest.mark.parametrize("chopping", ["off", "batch", "sample"])
def test_every_order_of_held_phases_is_what_capacitors_show(chopping, order, periods, null):
    """Gain, offset and droop of two holders for each neuron, phases in a drifting supply: a loop over capacitors."""
    chip = FAULTY | {"device.phase_drift": 1e-3, "device.nudge_shift": 1e-3}
    engine, estimator, batch = opened(chip | ({"readout.chopping": chopping} if chopping != "off" else {}))
    estimator = replace(estimator, order=order, null=null, periods=periods, beta=0.3)
    for step in (0, 1):
        phases = estimator.settle(engine, batch.keyed("train", step), step)
        numbers = [int(np.max(each)) for one in phases.times for each in one.numbers.values()]
        count = 2 * periods * (2 if order == "mirrored" else 1)
        assert order == "sample" or sorted(numbers) == list(range(1, count + 1))
        wanted = by_hand(engine, estimator, phases, step, zero=False)
        pairs = estimators.pairs(estimator.formula(step), estimator.beta, phases)
        found = engine.gradient(engine.contrasts(phases.clamped, pairs))
        for name, exact in wanted.items():
            np.testing.assert_allclose(found[f"{name}.weight"], exact, atol=1e-10 + 1e-9 * np.abs(exact).max())


@pytest.mark.parametrize(
    ("kind", "points"), [("positive", 2), ("negative", 2), ("random", 2), ("centred", 2), ("centred", 4)]
)
@pytest.mark.parametrize("order", ["fixed", "mirrored"])
@pytest.mark.parametrize("zero", [False, True])
def test_every_estimator_in_either_order_is_what_capacitors_show(zero, order, points, kind):
    """One-sided ones and four points too, less what the holders make of the free state."""
    chip = FAULTY | {"readout.chopping": "batch"} | ({"readout.auto_zero": "sample"} if zero else {})
    engine, estimator, batch = opened(chip)
    estimator = replace(estimator, kind=kind, order=order, points=points, beta=0.25)
    for step in (0, 1, 2):
        phases = estimator.settle(engine, batch.keyed("train", step), step)
        wanted = by_hand(engine, estimator, phases, step, zero)
        pairs = estimators.pairs(estimator.formula(step), estimator.beta, phases)
        found = engine.gradient(engine.contrasts(phases.clamped, pairs))
        for name, exact in wanted.items():
            np.testing.assert_allclose(found[f"{name}.weight"], exact, atol=1e-10 + 1e-9 * np.abs(exact).max())


@pytest.mark.parametrize(
    ("cure", "size"), [({}, 2.0), ({"null": True}, 4.0), ({"order": "mirrored"}, 1.0), ({"periods": 4}, 0.5)], ids=str
)
@pytest.mark.parametrize("zero", [False, True])
def test_noise_of_holds_adds_up_pair_by_pair(zero, cure, size):
    """Variance of the mean change of the output over hold_noise^2: 2 of a pair, 2 more of each null or zero.

    Means over independent pairs divide it; 5 sigma over batches.
    """
    noise, found = 0.01, []
    chip = (
        HELD
        | {"readout.hold_noise": noise}
        | ({"readout.auto_zero": "sample", "readout.hold_droop": 1e-12} if zero else {})
    )
    engine, estimator, batch = opened(chip)
    estimator = replace(estimator, **cure, free=Schedule(steps=2), nudged=Schedule(steps=1))
    phases = estimator.settle(engine, batch.keyed("train", 0), 0)
    pairs = estimators.pairs(estimator.formula(0), estimator.beta, phases)
    for number in range(60):
        engine.substrate.begin("hold", number)
        off = []
        for pair in pairs:
            contrast = engine.contrasts(phases.clamped, [pair])["dense_2"]
            exact = sum(
                sign * (engine.to_numpy(one.plus.values["output"]) - engine.to_numpy(one.minus.values["output"]))
                for sign, one in ((1, pair), (-1, pair.null))
                if one is not None
            )
            off.append(np.asarray(contrast.post.change) - exact)
        found.append(np.mean(off, axis=0))
    wanted = size + (2.0 / len(pairs) if zero else 0.0)
    values = np.array(found) / noise
    assert abs(values.var() / wanted - 1) < 5 * np.sqrt(2 / values.size)


def test_phases_of_unequal_length_end_with_the_mean_of_as_many_sweeps(monkeypatch):
    """mean_sweeps: where one phase meets its tolerance earlier, it takes the sweeps of the other, and the mean of 3."""
    parts = assembled({"device.read_noise": 1e-7, "nudged.mean_sweeps": 3}, {"engine.dtype": "float64"})
    engine, counts = parts.engine, []
    mean = engine.mean

    def spied(clamped, states):
        counts.append(len(states))
        return mean(clamped, states)

    monkeypatch.setattr(engine, "mean", spied)
    nudged = Schedule(steps=40, tolerance=0.01, dt=0.5)
    estimator = replace(parts.estimator, free=Schedule(steps=30, dt=0.5), nudged=nudged, beta=0.8)
    estimator.settle(engine, next(iter(parts.shuffled(0))).keyed("train", 0), 0)
    assert len(counts) == 4  # the free phase, both nudges, and one of them again
    assert set(counts) == {3}


@pytest.mark.parametrize("drive", ["states", "increments"])
@pytest.mark.parametrize("further", [1, 2, 5])
def test_a_phase_that_goes_on_is_one_that_was_never_left(further, drive):
    """Noise, a mean over the last 3 sweeps, a nudge of any sign: the same bits after 4 + n sweeps as after 4 and n."""
    chip = {"device.read_noise": 0.05, "nudged.mean_sweeps": 3, "nudged.drive": drive, "device.phase_drift": 1e-3}
    found = []
    for cut in (True, False):
        parts = assembled(chip, {"engine.dtype": "float64"})
        engine = parts.engine
        clamped = engine.clamp(next(iter(parts.shuffled(0))).keyed("train", 0))
        free = engine.settle(clamped, Schedule(steps=5, dt=0.5))
        for beta, number in ((0.3, 1), (-0.3, 2), (0.0, 3)):
            if cut:
                first = engine.settle(clamped, Schedule(steps=4, dt=0.5), beta, free, number=number)
                last = engine.settle(clamped, Schedule(steps=further, dt=0.5), beta, first, number=number).after(first)
            else:
                last = engine.settle(clamped, Schedule(steps=4 + further, dt=0.5), beta, free, number=number)
            assert last.steps == 4 + further
            found.append(last.state)
    for one, other in zip(found[:3], found[3:], strict=True):
        for name, values in one.values.items():
            assert values.tobytes() == other.values[name].tobytes(), name
