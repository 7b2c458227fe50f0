"""Rules with a fast and a slow array: noise-free traces against twins and aihwkit, what is counted, resume, threads."""

from __future__ import annotations

import numpy as np
import pytest

from hw_models import durations
from hw_models.chip import Chip
from hw_models.chip.rules import RULES
from neuroep.engines.chip import rules
from neuroep.engines.chip.rules import agad, scaling
from neuroep.engines.chip.rules.mixed_precision import MixedPrecision
from neuroep.engines.chip.rules.pulsed_array import PulsedArray
from neuroep.engines.chip.rules.rule import Place
from neuroep.engines.chip.rules.transfer import TransferRule
from neuroep.engines.numba.substrate import Setting
from neuroep.engines.workers import Workers
from neuroep.learning.contrast import Contrast, Held, Moved
from neuroep.learning.optimisers import SGD
from tests.hw_models.conftest import oracle  # noqa: F401
from tests.naive import transfer as twin
from tests.neuroep.engines.chip.conftest import nested

SHAPE = (3, 4)
TRANSFERS = [name for name, facts in RULES.items() if "transfer.rate" in facts.takes]
CERTAIN = {"update.scaling": "off", "update.management": False, "update.train_length": 1, "update.trains": "stochastic"}
LINEAR = {"response": "linear", "gamma_up": 0.4, "gamma_down": 0.7}


def contrast(post: np.ndarray, pre: np.ndarray) -> Contrast:
    """Return one whose wanted change is along post^T pre."""
    return Contrast(Moved(np.atleast_2d(post), np.zeros((1, len(post)))), Held(np.atleast_2d(pre)), 1.0, 1)


def made(scheme: str, seed: int = 0, threads: int = 1, weight: np.ndarray | None = None, **fields) -> TransferRule:
    """Return a rule on a chip with these fields."""
    chip = Chip.parse(nested({"update.scheme": scheme, "crossbar.weight_range": 1.0} | fields))
    setting = Setting(SGD(), Workers(threads), "float64", seed, clock=durations.clock(chip.timing))
    start = np.zeros(SHAPE) if weight is None else weight.copy()
    return rules.named(scheme)(Place("a", chip, setting), start, np.zeros(len(start)))


def signals(updates: int = 200, seed: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Return entries of -1, 0 and 1."""
    draws = np.random.default_rng(seed)
    return draws.integers(-1, 2, (updates, SHAPE[0])), draws.integers(-1, 2, (updates, SHAPE[1]))


def traces(rule, posts, pres, rate: float = 1e6):
    """Return what fast and slow array hold after every update, and what is kept."""
    found = []
    for post, pre in zip(posts, pres, strict=True):
        assert rule.update(contrast(post.astype(float), pre.astype(float)), rate) == 0
        kept = {name: values.copy() for name, values in rule.kept.items()}
        found.append((rule.fast.stored.copy(), rule.crossbar.stored.copy(), kept))
    return [np.array([each[n] for each in found]) for n in range(2)], [each[2] for each in found]


# The rate is a whole number of pulses per pulse of A where what is read is rounded at random: there is no rest.
CASES = {
    "tiki_taka": ({"every": 2}, {"every": 2}, 50.0),
    "tiki_taka_v2": ({}, {"keep": 0.1}, 13.717),
    "chopped": ({"chop_probability": 1.0}, {"flips": 1}, 17.317),
    "agad": ({"chop_every": 3}, {"flips": 3}, 21.137),
    "rider": ({"tracking": 0.3}, {"eta": 0.3}, 19.173),
    "e_rider": ({"tracking": 0.3, "chop_probability": 1.0}, {"eta": 0.3, "flips": 1}, 19.173),
    "momentum": ({"momentum": 0.0}, {"mu": 0.0, "dw": 0.02}, 9.313),
}


def test_every_rule_with_a_transfer_has_a_trace():
    assert CASES.keys() == set(TRANSFERS) - {"residual"}  # see test_residual.py


@pytest.mark.parametrize("scheme", CASES)
@pytest.mark.parametrize("response", ["constant", "linear"])
def test_noise_free_traces_are_those_of_the_papers_equations(scheme, response):
    if response == "linear" and scheme in ("tiki_taka", "momentum"):
        response = "constant"  # what is read would not be whole pulses
    fields, told, rate = CASES[scheme]
    device = {"dw_min": 0.02} | (LINEAR if response == "linear" else {})
    chip = CERTAIN | {f"device.pulse.{name}": value for name, value in device.items()}
    chip |= {f"update.transfer.{name}": value for name, value in fields.items()}
    chip |= {"update.transfer.columns": 1, "update.transfer.rate": rate, "update.transfer.most": 1}
    posts, pres = signals()
    (fast, slow), kept = traces(made(scheme, **chip), posts, pres)
    pulse = twin.device(response, 0.02, gamma=(0.4, 0.7))
    wanted = twin.run(scheme, posts, pres, pulse_fast=pulse, pulse_slow=pulse, rate=rate, most=1, **told)
    np.testing.assert_allclose(fast, wanted[0], atol=1e-6)
    np.testing.assert_allclose(slow, wanted[1], atol=1e-6)
    assert np.abs(slow).max() > 0.05
    for name, place in (("gathered", 2), ("reference", 3), ("chopper", 4)):
        if name in kept[0]:
            np.testing.assert_allclose([each[name] for each in kept], wanted[place], atol=1e-6)


@pytest.mark.parametrize("device", ["constant", "softbounds"])
@pytest.mark.parametrize("version", [1, 2])
def test_tiki_taka_is_that_of_aihwkit(oracle, version, device):  # noqa: F811
    """Per pulse to 1e-5: A of steps of 0.02, W of 0.01; version 1 moves by signs, version 2 by its buffer."""
    _, cases = oracle("aihwkit_compounds")
    response = {"constant": {}, "softbounds": {"response": "soft_bounds", "w_max": 0.8, "w_min": -0.8}}[device]
    chip = CERTAIN | {f"device.pulse.{name}": value for name, value in (response | {"dw_min": 0.01}).items()}
    own = {"every": 2, "rate": 1e9} if version == 1 else {"rate": 13.7, "keep": 0.1}
    chip |= {f"update.transfer.{name}": value for name, value in (own | {"columns": 1, "most": 1}).items()}
    rule = made("tiki_taka" if version == 1 else "tiki_taka_v2", **chip)
    coarse = Chip.parse(nested(chip | {"update.scheme": rule.chip.update.scheme, "device.pulse.dw_min": 0.02}))
    rule.groups["fast"][0] = PulsedArray(rule.fast, coarse, rule.place.setting, rule.tally)
    (fast, slow), kept = traces(rule, -cases["d"].astype(int), cases["x"].astype(int))
    key = f"tiki{version}_{device}"
    np.testing.assert_allclose(fast, cases[f"{key}_hidden_weights_0"], atol=1e-5)
    np.testing.assert_allclose(slow, cases[f"{key}_hidden_weights_1"], atol=1e-5)
    if version == 2:
        gathered = 0.01 * np.array([each["gathered"] for each in kept])
        np.testing.assert_allclose(gathered, cases[f"{key}_buffered_FP_weight_0"], atol=1e-5)


@pytest.mark.parametrize("device", ["constant", "softbounds"])
@pytest.mark.parametrize(("every", "rate"), [(1, 0.0037), (5, 0.00141421)])
def test_mixed_precision_is_that_of_aihwkit(oracle, every, rate, device):  # noqa: F811
    """There the first transfer may come behind the second update; four empty updates before make the turns the same."""
    _, cases = oracle("aihwkit_compounds")
    response = {"constant": {}, "softbounds": {"response": "soft_bounds", "w_max": 0.8, "w_min": -0.8}}[device]
    chip = {f"device.pulse.{name}": value for name, value in (response | {"dw_min": 0.01}).items()}
    rule = made("mixed_precision", **chip, **{"update.transfer.every": every})
    assert isinstance(rule, MixedPrecision)
    for _ in range(every - 1):
        rule.update(contrast(np.zeros(3), np.zeros(4)), rate)
    found = []
    for post, pre in zip(-cases["d"].astype(float), cases["x"].astype(float), strict=True):
        rule.update(contrast(post, pre), rate)
        found.append((rule.crossbar.stored.copy(), rule.digital.weight.copy()))
    key = f"mixed_{device}_every{every}"
    np.testing.assert_allclose([w for w, _ in found], cases[f"{key}_w"], atol=1e-5)
    np.testing.assert_allclose([chi for _, chi in found], -cases[f"{key}_hidden_weights_chi"], atol=1e-5)


@pytest.mark.parametrize("loss", [{"device.leak": 0.1}, {"device.retention": 1e-3, "timing.integration": 1e-6}])
@pytest.mark.parametrize("scheme", ["mixed_precision", "tiki_taka_v2"])
def test_products_read_what_leaked_between_two_transfers(scheme, loss):
    """Of matrices of their own, as those of unlike devices: none of three updates gives the slow array a pulse."""
    rule = made(scheme, weight=np.full(SHAPE, 0.5), **{"device.mismatch": 1e-6, "update.transfer.every": 10} | loss)
    for number in range(3):
        rule.place.setting.clock.now = (number + 1) * 1e-4
        rule.update(contrast(np.ones(3), np.ones(4)), 1e-6)
    assert rule.crossbar.stored.max() < 0.41
    np.testing.assert_allclose(rule.crossbar.forward(np.eye(4)).T, rule.crossbar.stored, rtol=1e-4)


@pytest.mark.parametrize(
    ("fields", "each"),
    [
        ({}, 1e-6 + 3e-7),
        ({"dac.bits": 8, "dac.digit_bits": 1}, 7 * (1e-6 + 3e-7)),
        ({"crossbar.repeats": 4, "device.read_noise": 1e-6}, 4 * (1e-6 + 3e-7)),
        ({"crossbar.columns": 1}, 1e-6 + 1e-7),
    ],
)
def test_reads_of_columns_take_as_long_as_products(fields, each):
    """Four columns of three outputs that share an ADC, in the digits of a code, as often as reads are repeated."""
    times = {"timing.integration": 1e-6, "timing.adc": 1e-7, "adc.columns": 3, "adc.bits": 8}
    rule = made("tiki_taka_v2", **times | fields)
    rule.update(contrast(np.ones(3), np.ones(4)), 0.0)
    assert rule.seconds == pytest.approx(4 * each)


@pytest.mark.parametrize("tracking", [1.0, 0.5, 0.2])
def test_what_agad_moves_is_what_was_wanted_however_its_reference_follows(tracking):
    fields = {"device.pulse.dw_min": 1e-4, "update.train_length": 63, "update.scaling": "off"}
    rule = made("agad", **fields, **{"update.transfer.tracking": tracking})
    post, pre = np.array([1.0, -1.0, 1.0]), np.array([1.0, 1.0, -1.0, -1.0])
    for _ in range(400):
        rule.update(contrast(post, pre), 1e-3)
    np.testing.assert_allclose(rule.crossbar.stored, 0.4 * np.outer(post, pre), rtol=0.05)


def test_what_is_gathered_stays_as_large_where_the_range_grows():
    rule = made("chopped", weight=np.full(SHAPE, 0.5), **{"crossbar.weight_range": None})
    rule.kept["gathered"][:] = 0.6
    rule.crossbar.stored[:] = 0.9
    full = rule.crossbar.weight_range
    assert rule._widen() == 0
    assert rule.crossbar.weight_range == 2 * full
    np.testing.assert_allclose(rule.kept["gathered"], 0.3)


@pytest.mark.parametrize("scheme", ["rider", "e_rider"])
@pytest.mark.parametrize("path", ["own", "other"])
def test_products_see_the_residual_of_a_tracked_array(scheme, path):
    """W' = W + gamma c (P - Q): both ways, their mean, and what is kept; the digital products are counted."""
    own = {"transposed.devices": "own", "device.mismatch": 0.1} if path == "other" else {}
    rule = made(scheme, weight=np.full(SHAPE, 0.3), **{"update.transfer.gamma": 0.4}, **own)
    draws = np.random.default_rng(0)
    for bar in (rule.fast, rule.fast.other):
        if bar is not None:
            bar.stored[:] = draws.uniform(-0.5, 0.5, SHAPE)
            bar.refresh()
    rule.kept["reference"][:] = draws.uniform(-0.5, 0.5, SHAPE)
    rule.kept["chopper"][:] = (1, -1, -1, 1)
    found, before = {}, rule.performed().number("multiply-add reference")
    found["own"], found["other"] = rule.forward(np.eye(4)).T, rule.transposed(np.eye(3))
    assert rule.performed().number("multiply-add reference") - before == (4 + 3) * 12
    for name, read in found.items():
        bars = [bar.other if name == "other" and bar.other is not None else bar for bar in (rule.crossbar, rule.fast)]
        slow, fast = (bar.weights() for bar in bars)
        wanted = slow + 0.4 * np.array([1, -1, -1, 1]) * (fast - rule.kept["reference"])
        np.testing.assert_allclose(read, wanted, atol=1e-6)
        if name == "own":
            np.testing.assert_allclose(rule.weights(), wanted, atol=1e-6)
            np.testing.assert_allclose(rule.expected(np.eye(4)).T, wanted, atol=1e-6)
            if path == "own":
                np.testing.assert_allclose(rule.state()["weight"], wanted, atol=1e-6)


@pytest.mark.parametrize("fields", [{}, {"chop_every": 5}, {"tracking": 0.5}, {"chop_every": 2}])
def test_gain_of_agad_is_that_of_a_simulated_fast_array(fields):
    """A gathers 1 between two reads and keeps a share of what it has; the mean of c (a - P) when all repeats."""
    coarse = {"device.pulse.response": "soft_bounds", "device.pulse.dw_min": 0.3, "update.transfer.pulses": 0.5}
    rule = made("agad", **coarse, **{f"update.transfer.{name}": value for name, value in fields.items()})
    assert 0.4 < rule.kept_share < 0.9
    seen = simulated(rule.kept_share, fields.get("tracking", 1.0), fields.get("chop_every", 1))
    assert rule.gain == pytest.approx(seen, rel=1e-6)


def simulated(kept: float, eta: float, every: int, reads: int = 4000) -> float:
    """Return the mean of c (a - P) of AGAD."""
    a = reference = 0.0
    sign, seen = 1.0, []
    for number in range(1, reads + 1):
        a = kept * a + sign
        seen.append(sign * (a - reference))
        if number % every == 0:
            sign, reference = -sign, reference + eta * (a - reference)
    return float(np.mean(seen[-20 * every :]))


def test_a_long_period_of_agad_sees_a_change_half_of_it():
    """(F + 1)/2 where nothing is forgotten; sums of sums of a period of 1e5 would take minutes in every update."""
    assert agad._seen(100_000, 1.0, 1.0) == pytest.approx(50_000.5)


@pytest.mark.parametrize("fields", [{}, {"tracking": 0.3}, {"chop_probability": 0.3}])
def test_gain_of_e_rider_is_that_of_a_simulated_fast_array(fields):
    coarse = {"device.pulse.response": "soft_bounds", "device.pulse.dw_min": 0.3, "update.transfer.pulses": 0.5}
    rule = made("e_rider", **coarse, **{f"update.transfer.{name}": value for name, value in fields.items()})
    eta, flips = fields.get("tracking", 0.05), fields.get("chop_probability", 0.1)
    draws, p, q, sign, seen = np.random.default_rng(1), np.zeros(2000), np.zeros(2000), np.ones(2000), []
    for _ in range(300):
        p = rule.kept_share * p + sign
        seen.append(sign * (p - q))
        q = q + eta * (p - q)
        sign = np.where(draws.random(len(sign)) < flips, -sign, sign)
    assert rule.gain == pytest.approx(np.mean(seen[150:]), rel=0.02)


PULSES = {"device.pulse.response": "soft_bounds", "update.transfer.pulses": 4.0, "update.scaling": "auto"}


@pytest.mark.parametrize("every", [1, 3])
@pytest.mark.parametrize(("scheme", "mu"), [("momentum", 0.9), ("momentum", 0.5), ("tiki_taka_v2", 1.0)])
def test_a_change_is_seen_as_often_as_by_a_fast_array_that_forgets_with_every_pulse(scheme, mu, every):
    """Soft bounds, w += +-dw - dw w: twelve pulses an update, of which four more go up; all reads over one change."""
    fields = {"device.pulse.dw_min": 0.01, "update.transfer.every": every} | PULSES
    rule, a, seen = made(scheme, **fields, **({"update.transfer.momentum": mu} if mu < 1 else {})), 0.0, []
    for _ in range(200):
        for _ in range(12 * every):
            a += 0.01 * (4 / 12 - a)
        seen.append(a)
        a *= mu
    assert rule.arriving * rule.gain == pytest.approx(seen[-1] / (4 * every * 0.01), rel=0.01)


@pytest.mark.parametrize("every", [1, 3])
@pytest.mark.parametrize("scheme", ["momentum", "tiki_taka_v2", "tiki_taka"])
def test_weights_follow_the_wanted_change_though_the_fast_array_forgets(scheme, every):
    """Three trains an update of which one goes back, kappa 3, on soft bounds: to 10 % of the rate."""
    chip = PULSES | {"device.pulse.dw_min": 0.02, "update.train_length": 63, "update.signals": "contrast"}
    rule, held = made(scheme, weight=np.zeros((20, 30)), **chip, **{"update.transfer.every": every}), []
    rows, wanted = np.array([1.0, -1.0, 1.0])[:, None] * np.ones((1, 20)), []
    for _ in range(120):
        assert rule.update(Contrast(Moved(rows, np.zeros((3, 20))), Held(np.ones((3, 30))), 1.0, 3), 2e-4) == 0
        held.append(float((rule.crossbar.stored + 0.02 * rule.kept.get("gathered", 0.0)).mean()))
        wanted.append(2e-4 * rule.chip.update.step / (3 * rule.square.rms[0]))
    assert held[-1] - held[29] == pytest.approx(sum(wanted[30:]), rel=0.1)


SOFT = {"response": "soft_bounds", "dw_min": 0.02}
PAIRED = {"response": "exponential", "dw_min": 0.01, "w_min": 0.0, "a_up": 0.5, "a_down": 0.5}
FOLLOWED = {
    "kappa 1": (1, SOFT, {}),
    "kappa 17": (17, SOFT, {}),
    "leak": (3, SOFT, {"device.leak": 0.1}),
    "retention": (3, SOFT, {"device.retention": 1e-6, "timing.pulse": 2e-9}),
    "uneven steps": (3, SOFT | {"up_down": 0.5}, {"crossbar.mapping": "offset", "crossbar.reference": "device"}),
    "a bound": (3, {"dw_min": 0.05}, {}),
    "short trains": (3, SOFT | {"noise": 3.0}, {"update.train_length": 9, "device.pulse.dw_min": 0.005}),
    "pairs": (5, PAIRED, {"device.cell.kind": "bidirectional"}),
}


def many(kappa: int, draws: np.random.Generator) -> Contrast:
    """Return as many trains as kappa: one up, and pairs that cancel, of other signs at every device, in any order."""
    post, pre = np.ones((kappa, 20)), np.ones((kappa, 30))
    for k in range(1, kappa, 2):
        post[k], pre[k : k + 2] = draws.choice((-1.0, 1.0), 20), draws.choice((-1.0, 1.0), 30)
        post[k + 1] = -post[k]
    order = draws.permutation(kappa)
    return Contrast(Moved(post[order], np.zeros((kappa, 20))), Held(pre[order]), 1.0, kappa)


LEARN = [("kappa 17", "tiki_taka"), ("kappa 17", "chopped"), ("kappa 17", "agad"), ("kappa 17", "momentum")]
LEARN += [("kappa 1", "tiki_taka"), ("leak", "tiki_taka"), ("leak", "chopped"), ("retention", "tiki_taka")]
LEARN += [("uneven steps", "agad"), ("uneven steps", "momentum"), ("a bound", "tiki_taka"), ("a bound", "chopped")]
LEARN += [("short trains", "momentum"), ("short trains", "chopped"), ("pairs", "tiki_taka")]


@pytest.mark.parametrize(("case", "scheme"), LEARN)
def test_weights_follow_whatever_the_pulses_for_a_change_and_what_devices_say(scheme, case):
    """By 0.8 to 1.2 of what is wanted, once A is where a change that goes on takes it.

    What W's devices are asked for counts, each pulse as the mean of its steps at weight 0, and what waits in H.
    """
    kappa, pulse, fields = FOLLOWED[case]
    chip = {"update.scaling": "auto", "update.train_length": 63, "update.signals": "contrast"}
    chip |= {f"device.pulse.{name}": value for name, value in pulse.items()} | fields
    rule, draws, asked, wanted = made(scheme, weight=np.zeros((20, 30)), **chip), np.random.default_rng(5), 0.0, 0.0
    give = rule._give

    def given(label: str, columns: np.ndarray, whole: np.ndarray, found: tuple[int, int]) -> int:
        nonlocal asked
        asked += float(whole.sum()) / 600 if label == "crossbar" else 0.0
        return give(label, columns, whole, found)

    rule._give, held = given, []
    for number in range(180):
        rule.place.setting.clock.now = 1e-7 * number
        rule.update(many(kappa, draws), 1e-4)
        held.append((asked + float(np.mean(rule.kept.get("gathered", 0.0)))) * scaling.at_zero(rule.pulse))
        wanted += 1e-4 * rule.chip.update.step / (kappa * rule.square.rms[0]) if number >= 100 else 0.0
    moved = rule.chip.device.moved * (held[-1] - held[99])
    assert moved == pytest.approx(wanted, rel=0.2)


def test_references_of_the_fast_array_err_by_themselves():
    """A of W's devices, W's references exact: pulses up and down by turns leave A at -(mean + spread z)."""
    device = {"response": "soft_bounds", "dw_min": 0.05, "w_max": 1.0, "w_min": -1.0}
    chip = {f"device.pulse.{name}": value for name, value in device.items()}
    chip |= {"crossbar.mapping": "offset", "crossbar.reference": "device", "update.train_length": 1}
    chip |= {"update.transfer.reference_mean": 0.4, "update.transfer.reference_spread": 0.1}
    rule = made("agad", **chip)
    groups = {label: group[0].devices for label, group in rule.groups.items()}
    np.testing.assert_allclose(groups["crossbar"].reference, 0.0, atol=1e-6)
    own = groups["fast"].reference
    assert own.mean() == pytest.approx(0.4, abs=0.1)
    assert 0.05 < own.std() < 0.15
    groups["fast"].sides[0].alternate(groups["fast"].states[0], 200, 0)
    groups["fast"]._show(rule.fast.stored)
    np.testing.assert_allclose(rule.fast.stored, -own, atol=0.03)
