"""Automatic scaling: the mean square of a contrast, symmetry points, pulses, and that rates are sizes of steps."""

from __future__ import annotations

import numpy as np
import pytest

from hw_models import presets
from hw_models.arrays.pulses import PulsedDevices
from hw_models.chip import Chip, Pulse
from neuroep.engines.chip import rules
from neuroep.engines.chip.rules import scaling
from neuroep.engines.chip.rules.rule import Place
from neuroep.engines.numba.substrate import Setting
from neuroep.engines.workers import Workers
from neuroep.learning.contrast import Contrast, Held, Moved
from neuroep.learning.optimisers import SGD, Adam
from tests.neuroep.engines.chip.conftest import nested


def contrast(size: float, seed: int = 0) -> Contrast:
    draws = np.random.default_rng(seed)
    post, pre = (Moved(size * draws.normal(size=(9, n)), size * draws.normal(size=(9, n))) for n in (20, 30))
    return Contrast(post, pre, 0.4, 9)


def uneven(size: float, seed: int = 0) -> Contrast:
    """A contrast of 20 outputs and 30 inputs whose lines differ by up to 30 times."""
    draws = np.random.default_rng(seed)
    outputs, inputs = np.geomspace(0.2, 6, 20), np.geomspace(4, 0.3, 30)
    post, pre = (Moved(*(draws.normal(size=(9, len(own))) * own for _ in range(2))) for own in (size * outputs, inputs))
    return Contrast(post, pre, 0.4, 9)


@pytest.mark.parametrize("of_inputs", [False, True])
def test_random_projections_find_the_mean_squares_of_lines(of_inputs):
    made = uneven(1.0)
    wanted = np.square(made.weight_gradient()).mean(axis=0 if of_inputs else 1)
    found = np.array([scaling.squares(made, 0, "a", update, of_inputs) for update in range(600)])
    error = found.std(axis=0) / np.sqrt(len(found))
    assert (np.abs(found.mean(axis=0) - wanted) < 4.5 * error).all()
    assert (error < 0.05 * wanted).all()


def test_the_running_mean_squares_count_all_updates_alike_until_their_memory_is_full():
    place = Place("a", Chip(), Setting(SGD(), Workers(1), "float64", 0))
    kept, outputs, inputs = np.zeros(3), np.zeros(20), np.zeros(30)
    running = scaling.RunningSquare(place, 3, kept, outputs, inputs)
    wanted, lines, weight = np.zeros(2), [np.zeros(20), np.zeros(30)], 0.0
    for update in range(8):
        made = uneven(1.0 + update, update)
        running.add(made, update)
        new = [scaling.squares(made, 0, "a", update, of_inputs) for of_inputs in (False, True)]
        wanted = 2 / 3 * wanted + np.array((new[0].mean(), np.square(made.bias_gradient()).mean()))
        lines = [2 / 3 * old + each for old, each in zip(lines, new, strict=True)]
        weight = 2 / 3 * weight + 1
        np.testing.assert_allclose(running.rms, np.sqrt(wanted / weight), rtol=1e-12)
        for gains, own in zip(running.gains(), lines, strict=True):
            np.testing.assert_allclose(gains, np.minimum(np.sqrt(own.mean() / own), 10), rtol=1e-12)
    assert scaling.RunningSquare(place, 3, kept).gains() is None


def test_lines_without_a_gradient_have_gains_that_end():
    place = Place("a", Chip(), Setting(SGD(), Workers(1), "float64", 0))
    running = scaling.RunningSquare(place, 3, np.zeros(3), np.zeros(20), np.array([0.0, 1.0, 2.0]))
    assert (running.gains()[0] == 1).all()
    np.testing.assert_allclose(running.gains()[1], [10, 1, np.sqrt(0.5)])


@pytest.mark.parametrize("signals", ["contrast", "phases"])
def test_trains_are_asked_for_the_gradient_over_the_root_mean_squares_of_its_lines(signals, monkeypatch):
    """dW = -lr r g_ij/(r_i r_j), by loops over devices; and the multiply-adds of it, 16 projections and the gains."""
    chip = {"update.scheme": "pulsed", "update.scaling": "auto", "update.signals": signals, "update.step": 1.0}
    place = Place("a", Chip.parse(nested(chip)), Setting(SGD(), Workers(1), "float64", 0))
    rule, made, asked = rules.named("pulsed")(place, np.zeros((20, 30)), np.zeros(20)), uneven(1.0), {}
    monkeypatch.setattr(rule, "_send", lambda _, terms, change, __: asked.update(terms=terms, change=change) or 0.0)
    before = rule.performed().number("multiply-add update")
    rule.update(made, 2e-3)
    found = asked["change"] * sum(sign * post.T @ pre for sign, post, pre in asked["terms"])
    g = made.weight_gradient()
    outputs, inputs = scaling.squares(made, 0, "a", 0), scaling.squares(made, 0, "a", 0, of_inputs=True)
    for i in range(20):
        for j in range(30):
            gain = min(np.sqrt(outputs.mean() / outputs[i]), 10) * min(np.sqrt(inputs.mean() / inputs[j]), 10)
            assert found[i, j] == pytest.approx(-2e-3 * gain * g[i, j] / np.sqrt(outputs.mean()), rel=1e-9)
    assert rule.performed().number("multiply-add update") - before == 2 * 9 * (16 + 1) * 50


@pytest.mark.parametrize("scheme", ["pulsed", "agad"])
@pytest.mark.parametrize("trains", ["expected", "stochastic"])
def test_every_line_changes_its_weights_as_much(scheme, trains):
    """Twenty contrasts drawn alike, of lines that differ by 30 and 13 times: with gains by 1.7, without by over 5."""
    spans = {}
    for rms in ("array", "lines"):
        chip = {"update.scheme": scheme, "update.scaling": "auto", "update.signals": "contrast", "update.rms": rms}
        chip |= {"crossbar.weight_range": 2.0, "device.pulse.dw_min": 1e-4, "update.train_length": 63}
        chip |= {"update.trains": trains}
        setting = Setting(SGD(), Workers(1), "float64", 0)
        rule = rules.named(scheme)(Place("a", Chip.parse(nested(chip)), setting), np.zeros((20, 30)), np.zeros(20))
        total, before = np.zeros((20, 30)), rule.weights()
        for update in range(20):
            assert rule.update(uneven(1.0, update), 2e-3) == 0
            total += np.square(rule.weights() - before)
            before = rule.weights()
        size = [np.sqrt(total.mean(axis=axis)) for axis in (1, 0)]
        spans[rms] = [each.max() / each.min() for each in size]
    assert max(spans["lines"]) < 2.5
    assert min(spans["array"]) > 5


@pytest.mark.parametrize(("name", "leak"), [("ecram_mo", 0.62), ("ecram", 0.36), ("capacitor", 0.05)])
def test_leaks_at_the_symmetry_point_of_the_presets(name, leak):
    """(slope of the step down - slope of the step up)/(2 dw_min), of another program to two digits."""
    pulse = presets.load(name).device.pulse
    found = scaling.symmetry(pulse)
    assert found.leak * found.step / pulse.dw_min == pytest.approx(leak, abs=0.02)


def test_symmetry_of_affine_devices_is_where_their_steps_meet():
    pulse = Pulse(response="linear", dw_min=1e-3, up_down=0.2, gamma_up=0.5, gamma_down=0.3, w_max=0.9, w_min=-1.1)
    found = scaling.symmetry(pulse)
    up, down = 1e-3, 0.8e-3  # s (1 - c w)
    slopes = up * 0.5 / 0.9, down * 0.3 / 1.1
    point = (up - down) / sum(slopes)
    assert found.point == pytest.approx(point, abs=1e-3)
    assert found.step == pytest.approx(up - slopes[0] * point, rel=1e-2)
    assert found.leak == pytest.approx(sum(slopes) / (2 * found.step), rel=1e-3)
    for size in (1e-3, 0.1):  # coarse steps are cut near the bounds
        none = scaling.symmetry(Pulse(dw_min=size, w_max=0.8))
        assert none.leak == pytest.approx(0, abs=1e-9)
        assert none.step == pytest.approx(size)
        assert none.point == pytest.approx(0, abs=0.01)


def test_constant_steps_of_a_pair_do_not_forget():
    """Their lower bound, 0, cuts steps down there alone; elsewhere a pulse up and one down cancel."""
    found = scaling.symmetry(Pulse(dw_min=0.02, w_min=0.0))
    assert found.leak == pytest.approx(0, abs=1e-9)
    assert found.step == pytest.approx(0.02)
    assert found.point == pytest.approx(0.5, abs=0.01)


def test_symmetry_of_exponential_devices_is_that_of_their_equation():
    """Of the ReRAM preset: w += s max(1 - A exp(gamma z), 0), z = 2 a w/(b+ - b-) + b, in plain floats."""
    pulse = presets.load("reram").device.pulse
    s_up, s_down = pulse.dw_min, pulse.dw_min * (1 - pulse.up_down)

    def steps(w: float) -> tuple[float, float]:
        z = 2 * pulse.slope * w / 2 + pulse.offset
        up = s_up * max(1 - pulse.a_up * np.exp(pulse.gamma_up * z), 0)
        return up, s_down * max(1 - pulse.a_down * np.exp(-pulse.gamma_down * z), 0)

    found = scaling.symmetry(pulse)
    up, down = steps(found.point)
    assert up == pytest.approx(down, rel=1e-2)
    before, after = steps(found.point - 1e-3), steps(found.point + 1e-3)
    slope = ((after[1] - before[1]) - (after[0] - before[0])) / 2e-3
    assert found.leak * found.step == pytest.approx(slope / 2, rel=0.03)


def test_pulses_go_by_noise_and_memory():
    assert scaling.pulses_needed(Pulse(dw_min=1e-3), 5) == 4
    assert scaling.pulses_needed(Pulse(dw_min=1e-3, noise=1.0), 5) == 8
    assert scaling.pulses_needed(Pulse(dw_min=1e-3, noise=9.0), 5) == 100
    assert scaling.pulses_needed(Pulse(dw_min=1e-3, noise_base=1.0), 5) == pytest.approx(8)
    assert scaling.pulses_needed(Pulse(dw_min=0.1, w_max=0.8, noise=1.0), 5) == pytest.approx(2)
    soft = Pulse(dw_min=0.01, response="soft_bounds")
    assert scaling.pulses_needed(soft, 50) == pytest.approx(1 / (50 * 3 * 0.01 * scaling.symmetry(soft).leak))


WIDE = {"noise": 0.5, "noise_base": 0.3, "noise_state": 0.004}
TABLE = {"response": "table", "table_up": (1.0, 0.6), "table_down": (0.4, 1.0), "table_noise": (1.0, 3.0)}


@pytest.mark.parametrize("pulse", [{"noise": 0.7}, WIDE, {"noise": 0.4} | TABLE, WIDE | TABLE])
def test_noise_at_the_symmetry_point_is_that_of_pulses_played_there(pulse):
    """A thousand single pulses either way, to 5 %."""
    made = Pulse(dw_min=1e-3, **pulse)
    found = scaling.symmetry(made)
    devices, where = PulsedDevices(made, (20, 50), 0, "a", dtype="float64"), np.full((20, 50), found.point)
    up, down = where.copy(), where.copy()
    one = np.ones(where.shape, int)
    devices.apply(up, one, 0 * one, 0)
    devices.apply(down, 0 * one, one, 1)
    spread = np.sqrt((up.var() + down.var()) / 2)
    assert found.noise * found.step == pytest.approx(spread, rel=0.05)


@pytest.mark.parametrize(
    "pulse",
    [{"noise": 0.7}, WIDE, WIDE | TABLE, WIDE | {"response": "soft_bounds", "up_down": 0.4}, {"noise_state": 0.004}],
)
def test_devices_stray_as_far_as_pulses_played_anywhere_carry_them(pulse):
    """Five thousand single pulses either way at nine weights, within 1 % of the bounds and elsewhere: mean and spread.

    Pulses that the bounds would cut are not asked for there; to 5 %.
    """
    made = Pulse(dw_min=1e-3, **pulse)
    devices, one = PulsedDevices(made, (50, 100), 0, "a", dtype="float64"), np.ones((50, 100), int)
    far = 0.0
    for number, where in enumerate((-0.99, -0.9, -0.5, -0.25, 0.0, 0.25, 0.5, 0.9, 0.99)):
        for way in (1, 0):
            moved = np.full((50, 100), where)
            devices.apply(moved, way * one, (1 - way) * one, 2 * number + way)
            far = max(far, abs(moved.mean() - where) + moved.std())
    assert scaling.strays(made) == pytest.approx(far, rel=0.05)


@pytest.mark.parametrize("name", ["pcm_pair", "reram_sb", "reram_hfo2"])
def test_noise_of_presets_that_does_not_go_with_the_step_strays_by_its_own_size(name):
    """|s f(w)| + noise |s f(w)| + base s + state |w| in plain floats, of steps three deviations large.

    Write noise adds three of its deviations. As a share of the largest step the base of the phase-change pair, 2.5 of
    its dw_min, was 28 times as large.
    """
    pulse = presets.load(name).device.pulse
    large = 1 + 3 * pulse.dw_min_spread
    if pulse.dw_min_law == "log_normal":
        large = np.exp(3 * pulse.dw_min_spread)
    far = 0.0
    for k in range(201):
        w = pulse.w_min + (pulse.w_max - pulse.w_min) * k / 200
        for way in (1, -1):
            s = large * pulse.dw_min * (1 - max(-way * pulse.up_down, 0))
            if name == "pcm_pair":
                z = 2 * pulse.slope * w / (pulse.w_max - pulse.w_min) + pulse.offset
                a, gamma = (pulse.a_up, pulse.gamma_up) if way > 0 else (pulse.a_down, pulse.gamma_down)
                step = s * max(1 - a * np.exp(way * gamma * z), 0)
            else:
                step = s * max(1 - w / (pulse.w_max if way > 0 else pulse.w_min), 0)
            sigma = pulse.noise * step + pulse.noise_base * s + pulse.noise_state * abs(w)
            far = max(far, step + sigma)
    assert scaling.strays(pulse) == pytest.approx(far + 3 * pulse.write_noise * pulse.dw_min, rel=0.03)


@pytest.mark.parametrize("size", [1e-3, 1.0, 1e3])
def test_a_rate_is_the_size_of_a_step_whatever_the_size_of_the_contrast(size):
    """Of plain pulses, of a fast array that is read at once, and of the bias: ten steps of twice the rate."""
    moves, biases = [], []
    for scheme in ("pulsed", "agad"):
        chip = {"update.scheme": scheme, "update.scaling": "auto", "update.signals": "contrast"}
        chip |= {"crossbar.weight_range": 2.0, "device.pulse.dw_min": 1e-4, "update.train_length": 63}
        setting = Setting(SGD(), Workers(1), "float64", 0)
        rule = rules.named(scheme)(Place("a", Chip.parse(nested(chip)), setting), np.zeros((20, 30)), np.zeros(20))
        for _ in range(10):
            assert rule.update(contrast(size), 2e-3) == 0
        moves.append(np.sqrt(np.square(rule.weights()).mean()))
        biases.append(np.sqrt(np.square(rule.bias).mean()))
        wanted = -contrast(1.0).weight_gradient().ravel()
        assert np.corrcoef(rule.weights().ravel(), wanted)[0, 1] > 0.9
        told = rule.coherence()[{"pulsed": "crossbar", "agad": "fast"}[scheme]]
        assert 0.7 < told["kappa"] < 4
    np.testing.assert_allclose(biases, 0.04, rtol=1e-9)
    np.testing.assert_allclose(moves, 0.04, rtol=0.2)


def test_scaled_rules_follow_rates_of_any_optimiser():
    chip = Chip.parse({"update": {"scheme": "agad"}})
    rule = rules.named("agad")
    assert rule.follows(Adam(), chip.update) == SGD()
    assert rule.follows(SGD(momentum=0.5), chip.update) == SGD(momentum=0.5)
    off = Chip.parse({"update": {"scheme": "agad", "scaling": "off"}})
    assert rule.follows(Adam(), off.update) == Adam()


@pytest.mark.parametrize("kind", ["single", "one_sided", "bidirectional"])
def test_pulses_that_all_go_one_way_are_coherent_whatever_the_cell(kind):
    pair = {} if kind == "single" else {"device.cell.kind": kind, "device.pulse.w_min": 0.0}
    chip = {"update.scheme": "pulsed", "update.scaling": "auto", "update.signals": "contrast"}
    chip |= {"crossbar.weight_range": 1.0, "device.pulse.dw_min": 1e-4, "update.train_length": 63} | pair
    place = Place("a", Chip.parse(nested(chip)), Setting(SGD(), Workers(1), "float64", 0))
    rule = rules.named("pulsed")(place, np.zeros((3, 4)), None)
    for state in rule.devices.states:
        state += 0.4
    for _ in range(20):
        rule.update(Contrast(Moved(np.ones((1, 3)), np.zeros((1, 3))), Held(np.ones((1, 4))), 1.0, 1), 1e-3)
    assert rule.coherence()["crossbar"]["kappa"] == pytest.approx(1, rel=0.2)


@pytest.mark.parametrize("scheme", ["pulsed", "agad"])
def test_pulses_that_trains_have_no_room_for_are_no_net_change(scheme):
    """All go one way: kappa is 1, though trains of four slots give half of the pulses that are asked for."""
    chip = {"update.scheme": scheme, "update.scaling": "auto", "update.signals": "contrast"}
    chip |= {"crossbar.weight_range": 1.0, "device.pulse.dw_min": 1e-4, "device.pulse.noise": 1.0}
    chip |= {"update.train_length": 4}
    rule = rules.named(scheme)(
        Place("a", Chip.parse(nested(chip)), Setting(SGD(), Workers(1), "float64", 0)), np.zeros((20, 30)), None
    )
    for _ in range(20):
        rule.update(Contrast(Moved(np.ones((1, 20)), np.zeros((1, 20))), Held(np.ones((1, 30))), 1.0, 1), 4e-4)
    (told,) = rule.coherence().values()
    assert told["pulses"] == pytest.approx(4)
    assert told["kappa"] == pytest.approx(1, rel=0.2)


def test_the_largest_step_is_anywhere_in_the_range_of_the_largest_devices():
    """Soft bounds: a step up is twice as large at the lower bound; one-sided phase change: 28.235 dw_min from reset."""
    soft = Pulse(dw_min=0.01, response="soft_bounds", dw_min_spread=0.2)
    assert scaling.largest(soft) == pytest.approx(0.02 * 1.6, rel=0.01)
    assert scaling.strays(Pulse(dw_min=0.01, noise=0.5, write_noise=2.0)) == pytest.approx(0.015 + 0.06)
    pair = presets.load("pcm_pair").device.pulse
    assert scaling.largest(pair) == pytest.approx(0.28235 * 1.6, rel=0.03)
    assert scaling.blur(pair) == pytest.approx(0.28235 / np.sqrt(12), rel=0.03)


def test_blur_is_that_of_devices_written_to_the_nearest_step():
    """From draws: uniform within a step, beside write noise."""
    draws = np.random.default_rng(0)
    off = 0.1 * (draws.uniform(-0.5, 0.5, 100_000) + 1.4 * draws.normal(size=100_000))
    assert scaling.blur(Pulse(dw_min=0.1, write_noise=1.4)) == pytest.approx(off.std(), rel=0.01)


@pytest.mark.parametrize(
    ("spread", "layout", "fill"),
    [(0.0, "device", 0.25), (0.3, "device", 0.45), (0.3, None, 0.25), (0.9, "device", 0.75)],
)
def test_weights_fill_more_of_the_range_of_devices_whose_references_err(spread, layout, fill):
    fields = {"update.scheme": "mixed_precision", "update.scaling": "auto", "device.pulse.dw_min": 1e-3}
    if layout:
        fields |= {"crossbar.mapping": "offset", "crossbar.reference": layout, "device.cell.reference_spread": spread}
    assert scaling.fill(Chip.parse(nested(fields))) == pytest.approx(fill)


@pytest.mark.parametrize(
    ("mapping", "mismatch", "fill"),
    [("offset", 0.0, 0.25), ("offset", 0.1, 0.5), ("offset", 0.5, 1.0), ("differential", 0.5, 0.25)],
)
def test_weights_of_one_mismatched_device_fill_the_range(mapping, mismatch, fill):
    """What weight 0 is off by goes with the range; of a pair both devices are at its lower end there."""
    fields = {"update.scheme": "mixed_precision", "update.scaling": "auto", "device.pulse.dw_min": 1e-3}
    fields |= {"crossbar.mapping": mapping, "device.mismatch": mismatch}
    assert scaling.fill(Chip.parse(nested(fields))) == pytest.approx(fill)
