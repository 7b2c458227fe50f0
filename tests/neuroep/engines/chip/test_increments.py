"""Increments on crossbars: ranges of their own, what their noise goes by, their price, calibration while learning."""

from __future__ import annotations

import numpy as np
import pytest

from hw_models.arrays.crossbar import Crossbar
from hw_models.chip import Chip
from hw_models.errors import ChipError
from neuroep.engines.schedule import Schedule
from neuroep.gradients.estimators import centred
from tests.neuroep.engines.chip.conftest import assembled, nested
from tests.neuroep.engines.chip.test_performed import added, batch

INCREMENTS = {"nudged.drive": "increments"}
BITS = {"dac.bits": 8, "adc.bits": 8}
SCHEDULE = Schedule(steps=3)
ESTIMATOR = centred(beta=0.3, free=SCHEDULE, nudged=SCHEDULE)
SETTLED = centred(beta=0.3, free=Schedule(steps=100), nudged=SCHEDULE)


@pytest.mark.parametrize("order", ["layerwise", "synchronous"])
@pytest.mark.parametrize("dt", [1.0, 0.5])
@pytest.mark.parametrize("hold", [True, False])
@pytest.mark.parametrize("readout", ["pooled", "flat"])
def test_on_an_ideal_chip_the_states_are_those_of_plain_nudged_phases(order, dt, hold, readout):
    """To rounding: sums of float64 in another order."""
    settings = {"engine.dtype": "float64", "settling.order": order, "settling.dt": dt, "network.readout": readout}
    chip, found = {"crossbar.hold_input": hold, "device.g_min": 2.0, "device.mismatch": 0.2}, []
    for drive in ("states", "increments"):
        parts = assembled({**chip, "nudged.drive": drive}, settings)
        phases = parts.estimator.settle(parts.engine, batch(parts))
        found.append([phases.free.state, *(settled.state for settled in phases.nudged.values())])
    for one, other in zip(*found, strict=True):
        for name in one.values:
            np.testing.assert_allclose(other.values[name], one.values[name], atol=1e-14)
    moved = np.abs(found[1][1].values["hidden_1"] - found[1][0].values["hidden_1"]).max()
    assert moved > 1e-4


def test_ranges_of_increments_are_signed_and_a_small_share_of_those_of_states():
    parts = assembled({**INCREMENTS, **BITS, "dac.sign": "auto", "adc.margin": 1.5}, {})
    for array in parts.engine.arrays.values():
        assert array.crossbar.increments is not None
        for name, digitiser in array.crossbar.increments.digitisers.items():
            states = array.crossbar.converters.digitisers[name]
            if array is parts.engine.arrays["query"]:
                assert digitiser.range is None  # a projection of the clamped input drives no increment
                continue
            assert digitiser.converter.sign == "signed" and not digitiser.unsigned
            assert 0 < digitiser.range < 0.3 * states.range, name
    assert parts.engine.arrays["dense_2"].crossbar.converters.digitisers["forward.dac"].unsigned


def test_the_range_is_that_of_what_was_read():
    """Brute force: the largest increment that any array was driven with, and its largest current, in calibration."""
    parts = assembled({**INCREMENTS, **BITS}, {"engine.dtype": "float64"})
    engine, first = parts.engine, batch(parts)
    seen = {}
    for name, array in engine.arrays.items():
        for way in ("forward", "transposed"):
            real = array.crossbar.__getattribute__(way)

            def spied(x, *rest, name=name, way=way, real=real, array=array):
                if rest[-1] is True:
                    current = x @ (array.crossbar.weights() if way == "transposed" else array.crossbar.weights().T)
                    size = np.abs(x).max(), np.abs(current).max() / array.crossbar.weight_range
                    seen[name, way] = tuple(np.maximum(size, seen.get((name, way), (0, 0))))
                return real(x, *rest)

            setattr(array.crossbar, way, spied)
    engine.calibrate([first], ESTIMATOR, ("again",))
    assert seen.keys() == {(name, way) for name in ("dense_1", "dense_2") for way in ("forward", "transposed")}
    for (name, way), sizes in seen.items():
        found = [digitiser.range for digitiser in engine.arrays[name].crossbar.increments.of(way)]
        np.testing.assert_allclose(found, sizes, rtol=1e-6)


def test_a_fixed_range_of_an_adc_is_a_share_of_the_dac_of_increments():
    bar = Crossbar(Chip.parse(nested({**INCREMENTS, **BITS, "dac.range": 1.0, "adc.range": 3.0})), (4, 5))
    bar.program(np.ones((4, 5), np.float32))
    x = np.full((1, 5), 1e-3, np.float32)
    bar.observe()
    bar.forward(x, increments=True), bar.transposed(x[:, :4], increments=True)
    bar.freeze()
    assert [d.range for d in bar.converters.of("forward")] == [1.0, 3.0]
    dac, adc = bar.increments.of("forward")
    np.testing.assert_allclose([dac.range, adc.range], [1e-3, 3e-3], rtol=1e-6)
    np.testing.assert_allclose(bar.forward(x, increments=True), 3e-3, rtol=1e-6)  # five at the stop of three
    np.testing.assert_allclose(bar.transposed(x[:, :4], increments=True), 3e-3, rtol=1e-6)
    assert not np.array_equal(bar.forward(x), bar.forward(x, increments=True))


@pytest.mark.parametrize("way", ["forward", "transposed"])
def test_read_noise_of_an_increment_goes_by_its_size(way):
    """Variance of a read sigma^2 unit^2 sum x^2 (two devices), brute force over 20,000 reads; 4 sigma of it."""
    bar = Crossbar(Chip.parse(nested({**INCREMENTS, "device.read_noise": 0.5})), (6, 6), dtype="float64")
    bar.program(np.eye(6))
    x = np.tile(np.linspace(-1, 1, 6), (20000, 1))
    for size in (1.0, 1e-3):
        read = bar.forward(size * x, increments=True) if way == "forward" else bar.transposed(size * x, increments=True)
        wanted = 2 * (0.5 / 25) ** 2 * size**2 * np.square(x[0]).sum()
        off = (read - size * x).var(axis=0) / wanted - 1
        assert np.abs(off).max() < 4 * np.sqrt(2 / len(x))


def test_one_more_read_of_every_dense_array_and_nothing_else():
    counted = []
    for drive in ("states", "increments"):
        parts = assembled({"device.read_noise": 0.01, "nudged.drive": drive}, {})
        counted.append(added(parts.engine, lambda parts=parts: parts.estimator.settle(parts.engine, batch(parts))))
    plain, held = counted
    samples, engine = 8, parts.engine
    more = {key: held[key] - plain.get(key, 0) for key in held if held[key] != plain.get(key, 0)}
    devices = {name: array.crossbar.devices.count for name, array in engine.arrays.items() if name != "query"}
    ways = ("forward", "transposed")
    reads = {(name, f"read {way}", "nudged"): samples * n for name, n in devices.items() for way in ways}
    kinds = ("dac", "adc", "activation", "product")
    others = {key: number for key, number in more.items() if key[1].split()[0] in kinds}
    assert more == reads | others and len(others) == 16


def test_saturated_samples_leave_the_ranges_and_later_ones_change_them():
    parts = assembled({**INCREMENTS, **BITS}, {})
    engine = parts.engine

    def ranges():
        return {
            (name, key): digitiser.range
            for name, array in engine.arrays.items()
            for key, digitiser in array.crossbar.increments.digitisers.items()
        }

    before = ranges()
    bias = engine.arrays["dense_2"].bias
    kept = bias.copy()
    bias[:] = -50.0  # outputs rest at their bound, whatever the nudge
    engine.calibrate([batch(parts)], SETTLED, ("dead",))
    assert ranges() == before
    bias[:] = kept

    def moved(now, then):
        """By more than another order of sums does."""
        return sum(then[key] is not None and abs(now[key] / then[key] - 1) > 1e-3 for key in then)

    parts.calibrate(8)
    after = ranges()
    assert moved(after, before) >= 6  # of eight
    parts.calibrate(7)
    assert moved(ranges(), after) >= 4  # other samples, of 40
    parts.calibrate(8)
    assert ranges() == after


def test_a_range_that_follows_the_weights():
    for follows in (True, False):
        chip = {"crossbar.follow_weights": follows, "crossbar.weight_headroom": 2.0, "device.levels": 9}
        bar = Crossbar(Chip.parse(nested(chip)), (2, 2))
        for largest in (1.0, 3.0, 0.5):
            bar.program(np.array([[largest, 0.1], [0.0, -0.1]], np.float32))
            assert bar.weight_range == 2 * (largest if follows else 1.0)
        again = Crossbar(Chip.parse(nested(chip)), (2, 2))
        again.load(bar.state())
        x = np.ones((1, 2), np.float32)
        np.testing.assert_array_equal(again.forward(x), bar.forward(x))


@pytest.mark.parametrize(
    ("fields", "line"),
    [
        ({"dac.bits": 1, "dac.sign": "unsigned"}, "dac.bits = 1: increments have either sign and need 2 or more"),
        ({"attention.kind": "analog"}, "analog attention units read states, use attention.kind = 'digital'"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(fields, line):
    with pytest.raises(ChipError, match=line) as caught:
        Chip.parse(nested({**INCREMENTS, **fields}))
    assert "\n" not in str(caught.value)


def test_an_event_driven_chip_sends_increments_anyway():
    with pytest.raises(ChipError, match="send what has changed anyway"):
        Chip.parse(nested({**INCREMENTS, "substrate": "event_driven"}))


ANTISYMMETRY = 0.3
"""Norm of the antisymmetric part of all couplings over that of the symmetric one."""


def loss_of(engine, first):
    """Loss of the settled free state, averaged over the batch."""
    settled = engine.settle(first, Schedule(steps=400, tolerance=1e-12))
    clamped = engine.clamp(first)
    return 0.5 * np.square(engine.outputs(settled) - clamped.target).sum() / clamped.samples


def differences(engine, first, name, step=1e-5, every=1):
    """dL/dW by central differences, of every so manieth input, the error of the transposed path's weights as it is."""
    array = engine.arrays[name]
    weight = array.rule.digital.weight
    found = np.zeros(weight.shape)
    for place in [(i, j) for i in range(weight.shape[0]) for j in range(0, weight.shape[1], every)]:
        kept, losses = weight[place], []
        for sign in (1, -1):
            weight[place] = kept + sign * step
            array.crossbar.program(weight)
            losses.append(loss_of(engine, first))
        weight[place], found[place] = kept, (losses[0] - losses[1]) / (2 * step)
    array.crossbar.program(weight)
    return found


def test_exchanged_paths_give_the_gradient_at_thirty_per_cent_antisymmetry():
    """Cosine to the derivative of the free state's loss, float64, beta 1e-3; what the paths of the free phase miss."""
    cosines, wanted = {}, {}
    for paths in ("exchanged", "own"):
        chip = {**INCREMENTS, "nudged.paths": paths, "transposed.devices": "own", "transposed.weight_error": 0.55}
        tanh = {"engine.dtype": "float64", "network.potential": "tanh", "network.dense": [4, 3, 2]}
        engine = (parts := assembled(chip, tanh)).engine
        first = batch(parts)
        bars = {name: array.crossbar for name, array in engine.arrays.items() if name != "query"}
        both = [(bar.weights(), bar.other.weights()) for bar in bars.values()]
        odd = np.sqrt(sum(np.square(w - v).sum() for w, v in both) / sum(np.square(w + v).sum() for w, v in both))
        assert abs(odd - ANTISYMMETRY) < 0.03, odd
        wanted = wanted or {name: differences(engine, first, name) for name in bars if name != "dense_1"}
        if "dense_1" not in wanted:
            wanted["dense_1"] = differences(engine, first, "dense_1", every=9)[:, ::9]
        for order in ("layerwise", "synchronous"):
            still = Schedule(order, steps=400, tolerance=1e-13)
            nudged = Schedule(order, steps=200)
            gradient = centred(beta=1e-3, free=still, nudged=nudged).gradient(engine, first)
            for name, slope in wanted.items():
                found = gradient[f"{name}.weight"][:, ::9] if name == "dense_1" else gradient[f"{name}.weight"]
                cosine = (slope * found).sum() / np.linalg.norm(slope) / np.linalg.norm(found)
                cosines[paths, name, order] = cosine
                if paths == "exchanged":
                    np.testing.assert_allclose(np.linalg.norm(found), np.linalg.norm(slope), rtol=2e-3)
    assert min(value for key, value in cosines.items() if key[0] == "exchanged") > 0.999
    assert cosines["own", "dense_1", "layerwise"] < 0.995


@pytest.mark.parametrize("way", ["forward", "transposed"])
@pytest.mark.parametrize("exact", [False, True])
def test_repeated_reads_are_means_of_single_ones_and_all_paid(way, exact):
    """Against a loop over reads of a crossbar with the same draws; variance falls by n, 4 sigma."""
    chip = {"device.read_noise": 0.5, "crossbar.exact_noise": exact, "adc.bits": 9, "adc.range": 4.0, "adc.noise": 0.01}
    single = Crossbar(Chip.parse(nested(chip)), (5, 5), dtype="float64")
    several = Crossbar(Chip.parse(nested({**chip, "crossbar.repeats": 4})), (5, 5), dtype="float64")
    x, reads = np.tile(np.linspace(-1, 1, 5), (500, 1)), []
    for bar in (single, several):
        bar.program(np.eye(5))
    for _ in range(4):
        reads.append(getattr(single, way)(x))
    found = getattr(several, way)(x)
    np.testing.assert_allclose(found, np.mean(reads, axis=0), rtol=1e-12, atol=1e-15)
    assert several.counters == single.counters and several.reads == 4
    ratio = found.var(axis=0).mean() / np.mean([read.var(axis=0).mean() for read in reads])
    assert abs(4 * ratio - 1) < 4 * np.sqrt(2 / (500 * 5))


def test_codes_of_increments_are_counted_by_their_own_digits():
    """Unsigned states of 8 bits go bit by bit in 8 digits, signed increments in 7."""
    chip = {**INCREMENTS, "dac.bits": 8, "dac.range": 1.0, "dac.sign": "unsigned", "dac.digit_bits": 1, "adc.bits": 8}
    bar = Crossbar(Chip.parse(nested(chip)), (3, 5))
    bar.program(np.ones((3, 5), np.float32))
    x = np.linspace(0, 1, 10, dtype=np.float32).reshape(2, 5)
    bar.observe()
    bar.forward(x), bar.forward(0.1 * x, increments=True)
    bar.freeze()
    made = bar.counters
    assert made["dac"] == 2 * 5 * (8 + 7) and made["adc"] == 2 * 3 * (8 + 7) and made["reads"] == 2 * 30 * (8 + 7)


@pytest.mark.parametrize("more", [{}, {"neuron.state_bits": 6}, {"attention.kind": "analog"}])
@pytest.mark.parametrize("settings", [{}, {"settling.dt": 0.5}, {"network.readout": "flat"}])
def test_the_state_of_a_phase_is_the_mean_of_its_last_sweeps(more, settings):
    """Against the states of the same sweeps, added up one by one: the draws are the same, and so is the start."""
    noisy = {"device.read_noise": 0.05, **more}
    plain, meaned = (assembled({**noisy, "nudged.mean_sweeps": n}, settings) for n in (1, 3))
    found = meaned.engine.settle(batch(meaned).keyed("a"), Schedule(steps=7, dt=settings.get("settling.dt", 1.0)))
    engine = plain.engine
    phase, states = engine.sweeps(batch(plain).keyed("a"), Schedule(steps=7, dt=settings.get("settling.dt", 1.0))), []
    for _ in phase:
        states.append(phase.copy())
    unit = engine.units["attention"]
    weights = [unit.explicit(phase.clamped.held["attention"], state.weights["attention"]) for state in states[-3:]]
    for name, value in found.state.values.items():
        wanted = sum(state.values[name] for state in states[-3:]) / 3
        np.testing.assert_allclose(value, wanted, atol=1e-6, err_msg=name)
    for name, value in found.state.inner.items():
        np.testing.assert_allclose(value, sum(state.inner[name] for state in states[-3:]) / 3, atol=1e-6)
    np.testing.assert_allclose(found.state.weights["attention"], sum(weights) / 3, atol=1e-6)
    assert found.state.stale == set(found.state.values)
    assert plain.engine.counters() == meaned.engine.counters()
