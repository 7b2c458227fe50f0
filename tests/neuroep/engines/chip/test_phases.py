"""What differs from phase to phase, through a whole engine: shifts of products, holders, and the order of phases."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest

from hw_models.arrays.crossbar import Crossbar
from hw_models.chip import Chip
from hw_models.tally import CurrentPhase, Tally
from neuroep import engines
from neuroep.engines.schedule import Schedule
from neuroep.errors import ConfigError
from neuroep.gradients import estimators
from neuroep.gradients.formulas import ORDERS
from tests.neuroep.engines.chip.conftest import assembled

DOUBLE = {"engine.dtype": "float64"}
DRIFT = {"device.phase_drift": -1e-3}
HELD = {"readout.signal": "difference"}
OFFSET = HELD | {"readout.hold_offset": 1e-3}
FIXED = Schedule(steps=6, tolerance=0.0)


def opened(chip, settings=None, key="train"):
    """Return engine, estimator and a keyed batch of a small run."""
    parts = assembled(chip, DOUBLE | (settings or {}))
    batch = next(iter(parts.shuffled(0)))
    return parts.engine, replace(parts.estimator, free=FIXED, nudged=FIXED), batch.keyed(key, 0)


def gradient(engine, estimator, batch):
    return estimator.gradient(engine, batch, step=0)


MAPPINGS = {
    "pairs": {},
    "offset, digital": {"crossbar": {"mapping": "offset"}},
    "offset, analog": {"crossbar": {"mapping": "offset", "reference": "analog"}},
    "slices": {"crossbar": {"slices": 2, "slice_bits": 3}},
    "adc": {"adc": {"range": 50.0}},
    "offset with adc": {"crossbar": {"mapping": "offset"}, "adc": {"range": 50.0}},
    "tiles": {"crossbar": {"rows": 3, "columns": 2}},
}


@pytest.mark.parametrize("name", MAPPINGS)
@pytest.mark.parametrize("numbers", [2, "rows"])
def test_currents_grow_with_the_phase(name, numbers):
    """Both directions, one sample and many: a loop over devices of I = (1 + k d + n sign) g v, the middle's too."""
    rng, phase = np.random.default_rng(0), CurrentPhase()
    chip = {**MAPPINGS[name], "device": {"phase_drift": 0.01, "nudge_shift": 0.1}}
    parsed = Chip.parse(chip)
    weight, samples = rng.uniform(-1, 1, (4, 5)), 3
    bar = Crossbar(parsed, weight.shape, seed=1, name="bar", dtype="float64", tally=Tally(phase))
    bar.program(weight)
    k = np.array([0, 1, 4]) if numbers == "rows" else numbers
    for way, signals in (("forward", rng.random((samples, 5))), ("transposed", rng.random((samples, 4)))):
        free = getattr(bar, way)(signals)
        with phase.turn(k, -0.3):
            found = getattr(bar, way)(signals)
        both = bar.conductances()
        g = [side.astype(np.float64) for side in both]
        for b, row in itertools.product(range(samples), range(found.shape[1])):
            factor = 1 + 0.01 * np.broadcast_to(k, samples)[b] - 0.1
            extra = 0.0
            if name.startswith("offset") and "analog" not in name:  # the middle is subtracted as a digital number
                unit = 2 / (parsed.device.g_max - parsed.device.g_min) * bar.weight_range
                extra = (factor - 1) * unit * float(g[1][0].ravel()[0]) * signals[b].sum()
            assert found[b, row] == pytest.approx(factor * free[b, row] + extra, rel=1e-5, abs=1e-6)


def test_a_phase_settles_with_its_own_weights():
    """An ideal engine whose dense weights are scaled by 1 + k d, from the same free state; held products stay."""
    engine, _, batch = opened(DRIFT)
    clamped = engine.clamp(batch)
    free = engine.settle(clamped, FIXED)
    weights = engine.parameters()
    ideal = engines.local(engine.network, weights, dtype="float64", seed=0)
    np.testing.assert_allclose(engine.outputs(free), ideal.outputs(ideal.settle(batch, FIXED)), atol=1e-6)
    for number, beta in ((1, 0.3), (2, -0.3), (5, 0.0)):
        scaled = {
            name: value * (1 - 1e-3 * number) if name.startswith("dense") and name.endswith("weight") else value
            for name, value in weights.items()
        }
        other = engines.local(engine.network, scaled, dtype="float64", seed=0)
        start = replace(free.state, stale=frozenset(free.state.values))
        wanted = other.settle(clamped, FIXED, beta, start)
        found = engine.settle(clamped, FIXED, beta, free, number=number)
        for layer, values in engine.states(found).items():
            np.testing.assert_allclose(values, other.states(wanted)[layer], atol=1e-9)


EVERYWHERE = DRIFT | OFFSET | {"crossbar.hold_input": False, "attention.kind": "analog"}


@pytest.mark.parametrize("chip", [DRIFT, OFFSET, DRIFT | OFFSET | {"crossbar.hold_input": False}, EVERYWHERE], ids=str)
def test_samples_that_take_turns_are_batches_that_do(chip):
    """The change of every sample is that of a batch in which all have its order; a loop over samples."""
    engine, estimator, batch = opened(chip)
    drawn = replace(estimator, order="sample")
    swapped = drawn._swapped(batch.size, 0)
    assert swapped.any() and not swapped.all()
    phases = drawn.settle(engine, batch, 0)
    mixed = engine.contrasts(phases.clamped, estimators.pairs(drawn.formula(0), drawn.beta, phases))
    whole = []
    for late in (False, True):
        phases = estimator.settle(engine, batch.keyed("train", 0), 0)
        if late:
            clamped = engine.clamp(batch.keyed("train", 0))
            free = engine.settle(clamped, FIXED)
            turns, beta = {-1.0: 1, 1.0: 2}, estimator.beta
            nudged = {n: engine.settle(clamped, FIXED, n * beta, free, number=k) for n, k in turns.items()}
            phases = estimators.Phases(clamped, free, nudged, turns)
        whole.append(engine.contrasts(phases.clamped, estimators.pairs(estimator.formula(0), estimator.beta, phases)))
    for name in ("dense_1", "dense_2"):
        for end in ("post", "pre"):
            found = np.asarray(getattr(mixed[name], end).change)
            for b, late in enumerate(swapped):
                wanted = np.asarray(getattr(whole[int(late)][name], end).change)
                np.testing.assert_allclose(found[b], wanted[b], atol=1e-9)


def test_a_layer_is_held_once_for_both_of_its_synapses():
    engine, estimator, batch = opened(HELD | {"readout.hold_noise": 0.05, "readout.hold_gain": 0.1})
    contrasts = estimator.measure(engine, batch, 0).contrasts
    for name in ("change", "mean"):
        np.testing.assert_array_equal(
            np.asarray(getattr(contrasts["dense_1"].post, name)), np.asarray(getattr(contrasts["dense_2"].pre, name))
        )
    sizes = {layer.name: layer.size for layer in engine.network.layers}
    made = engine.performed()
    held = {part: tally.total("hold") for part, tally in made.items() if part.startswith("holders of")}
    tokens = sum(int(sequence.lengths.sum()) for sequence in batch.inputs.values())
    _ = [contrast.terms() for contrast in contrasts.values()]
    made = engine.performed()
    held = {part.removeprefix("holders of "): t.total("hold") for part, t in made.items() if part.startswith("holders")}
    attention = engine.network.attention[0].name
    wanted = {name: 2 * batch.size * size for name, size in sizes.items()}
    assert held == wanted | {f"{attention} tokens": 2 * tokens * sizes[attention]}


def norm(found, exact):
    return max(np.abs(found[name] - exact[name]).max() for name in exact)


@pytest.mark.parametrize("fault", [DRIFT, OFFSET, HELD | {"readout.hold_droop": 1e-3}], ids=str)
@pytest.mark.parametrize("points", [2, 4])
def test_the_reverse_order_and_phases_without_a_nudge_take_away_what_is_linear_in_time(fault, points):
    """What is left is a fault times the displacement, as in the mean of two phases; the plain order has the fault."""
    engine, estimator, batch = opened(fault)
    estimator = replace(estimator, points=points, beta=0.2)
    exact = gradient(*opened({})[:1], estimator, batch)
    plain = norm(gradient(engine, estimator, batch), exact)
    for cure in ({"order": "mirrored"}, {"null": True}):
        assert norm(gradient(engine, replace(estimator, **cure), batch), exact) < 0.15 * plain


@pytest.mark.parametrize("kind", ["positive", "negative"])
def test_one_sided_phases_can_be_mirrored_too(kind):
    """(free, +) and (+, free): what the holders add cancels."""
    engine, estimator, batch = opened(OFFSET)
    estimator = replace(estimator, kind=kind)
    exact = gradient(*opened({})[:1], estimator, batch)
    plain = norm(gradient(engine, estimator, batch), exact)
    mirrored = replace(estimator, order="mirrored")
    assert norm(gradient(engine, mirrored, batch), exact) < 0.02 * plain
    phases = mirrored.settle(engine, batch, 0)
    assert phases.again is not None
    assert set(phases.again.nudged) == {0.0, *phases.nudged}


@pytest.mark.parametrize("points", [2, 4])
def test_sweeps_and_phases_are_paid(points):
    """Twice the nudged sweeps mirrored, twice with phases without a nudge, each with its number since the free one."""
    engine, estimator, batch = opened(OFFSET)
    estimator = replace(estimator, points=points)
    steps, holds = {}, {}
    for name, change in {"fixed": {}, "mirrored": {"order": "mirrored"}, "null": {"null": True}}.items():
        before, held = engine.settle_steps, engine.counters()["holds"]
        for contrast in replace(estimator, **change).measure(engine, batch, 0).contrasts.values():
            contrast.terms()
        steps[name], holds[name] = engine.settle_steps - before, engine.counters()["holds"] - held
    free = 6 * batch.size
    assert steps["fixed"] == free + points * 6 * batch.size
    assert steps["mirrored"] == steps["null"] == free + 2 * points * 6 * batch.size
    assert holds["mirrored"] == holds["null"] == 2 * holds["fixed"] > 0
    mirrored = replace(estimator, order="mirrored").settle(engine, batch, 0)
    first, second = mirrored.numbers, mirrored.again.numbers
    assert sorted(first.values()) == list(range(1, points + 1))
    assert all(first[nudge] + second[nudge] == 2 * points + 1 for nudge in first)


def test_an_order_of_each_batch_swaps_the_phases_of_some():
    engine, estimator, batch = opened(OFFSET)
    drawn, found = replace(estimator, order="batch"), []
    for step in range(12):
        phases = drawn.settle(engine, batch, step)
        found.append(phases.numbers)
    assert {1.0: 1, -1.0: 2} in found and {1.0: 2, -1.0: 1} in found
    assert [list(numbers.values()) for numbers in found] == [[1, 2]] * 12  # settled as they are numbered


def test_orders_are_checked():
    with pytest.raises(ConfigError, match=r"turned.*allowed are fixed, batch, sample, mirrored"):
        estimators.centred(order="turned")
    with pytest.raises(ConfigError, match="order = 'sample': estimator 'positive' has one nudged phase"):
        replace(estimators.positive(), order="sample")
    with pytest.raises(ConfigError, match="step is not given"):
        replace(estimators.centred(), order="sample")._swapped(3, None)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("null", [False, True])
def test_an_ideal_chip_gives_the_same_gradient_in_any_order(order, null):
    engine, estimator, batch = opened({})
    exact = gradient(engine, estimator, batch)
    found = gradient(engine, replace(estimator, order=order, null=null), batch)
    for name in exact:
        np.testing.assert_allclose(found[name], exact[name], atol=1e-6 if null else 1e-12)


CHIP = OFFSET | DRIFT | {"readout.hold_noise": 1e-3, "readout.auto_zero": "mean", "readout.chopping": "sample"}


def test_a_chip_goes_on_where_it_stood():
    """Update, save, load into a new engine, update: the same weights as without a stop."""

    def step(parts, number):
        batch = next(iter(parts.shuffled(0))).keyed("train", number)
        measured = replace(parts.estimator, order="sample").measure(parts.engine, batch, number)
        parts.engine.update(measured.contrasts, parts.rates(0))

    parts = assembled(CHIP | {"readout.bits": 10}, {})
    step(parts, 0), step(parts, 1)
    again = assembled(CHIP | {"readout.bits": 10}, {})
    again.engine.load_parameters(parts.engine.parameters())
    again.engine.load_optimiser_state(parts.engine.optimiser_state(), parts.engine.device_state())
    for each in (parts, again):
        step(each, 2)
    for name, values in parts.engine.parameters().items():
        np.testing.assert_array_equal(values, again.engine.parameters()[name])
    for name, values in parts.engine.device_state().items():
        np.testing.assert_array_equal(values, again.engine.device_state()[name])


@pytest.mark.parametrize("threads", [2, 5])
def test_threads_change_no_bit(small, threads):
    settings = {"estimator.order": "sample", "estimator.null": True}
    one = small(CHIP, settings | {"engine.threads": 1})
    assert one.same(small(CHIP, settings | {"engine.threads": threads}))


@pytest.mark.parametrize("order", ORDERS)
def test_the_reference_engine_knows_the_orders_too(order):
    """Float64, both engines: one gradient, of mirrored phases as many sweeps."""
    engine, estimator, batch = opened({})
    reference = engines.reference(engine.network, engine.parameters(), dtype="float64", device="cpu")
    estimator = replace(estimator, order=order, null=True)
    found = [gradient(each, estimator, batch) for each in (engine, reference)]
    for name, values in found[0].items():
        np.testing.assert_allclose(values, found[1][name], atol=1e-6)


@pytest.mark.parametrize(
    ("fields", "order", "holds"),
    [
        ({}, {}, 2),
        ({"readout.holds": 3}, {}, 6),
        ({"readout.auto_zero": "sample"}, {}, 4),
        ({}, {"null": True}, 4),
        ({"readout.auto_zero": "mean", "readout.holds": 2}, {"order": "mirrored", "null": True}, 24),
    ],
)
def test_holds_take_their_time(fields, order, holds):
    """A hold for each phase, for each time it is held, for each zero, and for phases without a nudge."""
    chip = OFFSET | {"readout.hold_noise": 1e-3, "timing.hold": 1e-6} | fields
    engine, estimator, batch = opened(chip)
    estimator, clamped = replace(estimator, **order), engine.clamp(batch)
    phases = estimator.settle(engine, clamped, 0)
    before = engine.substrate.clock.within
    engine.contrasts(clamped, estimators.pairs(estimator.formula(0), estimator.beta, phases))
    assert engine.substrate.clock.within - before == pytest.approx(holds * 1e-6)


MEMORY = {"update.scheme": "mixed_precision", "device.pulse.dw_min": 1e-4}


@pytest.mark.parametrize("scheme", ["mixed_precision", "pulsed"])
def test_weights_in_memory_leak_with_every_update(scheme):
    """At a rate of 0 nothing else moves them, and both directions read what is left."""
    parts = assembled(MEMORY | {"update.scheme": scheme, "device.leak": 0.1}, DOUBLE)
    engine, before = parts.engine, parts.engine.conducting()
    for step in range(3):
        batch = next(iter(parts.shuffled(0))).keyed("train", step)
        engine.update(parts.estimator.measure(engine, batch, step).contrasts, dict.fromkeys(engine.arrays, 0.0))
    for name, array in engine.arrays.items():
        wanted = before[f"{name}.weight"] * 0.9**3
        np.testing.assert_allclose(array.conducting(), wanted, atol=1e-6)
        for read, product in ((array.forward, wanted.T), (array.transposed, wanted)):
            signals = np.random.default_rng(0).random((3, len(product)))
            np.testing.assert_allclose(read(signals), signals @ product, atol=1e-5)


def test_pulses_disturb_devices_on_their_lines():
    """Whole granules of a known accumulator: devices move by them, and by a share of what others on their lines do."""
    share, found = 0.01, []
    for given in (0.0, share):
        parts = assembled(MEMORY | {"device.disturb": given}, DOUBLE)
        rule = parts.engine.arrays["dense_1"].rule
        crossbar = rule.crossbar
        stored = crossbar.stored
        stored[:] = np.clip(np.random.default_rng(1).normal(0, 0.2, stored.shape), -0.9, 0.9)
        crossbar.refresh()
        before = stored.copy()
        rule._wait()
        up = np.random.default_rng(2).integers(0, 9, stored.shape)
        rule.devices.apply(stored, up, np.zeros_like(up), step=1)
        moved = stored - before
        rule._pulsed()
        found.append((moved, stored - before))
    (moved, alone), (same, together) = found
    np.testing.assert_array_equal(moved, same)
    np.testing.assert_array_equal(moved, alone)
    rows, columns = moved.sum(1, keepdims=True) - moved, moved.sum(0, keepdims=True) - moved
    np.testing.assert_allclose(together, moved + share * (rows + columns), atol=1e-12)
