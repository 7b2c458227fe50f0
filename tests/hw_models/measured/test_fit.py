"""Fits of devices that a slow twin has measured: every estimate within its standard errors, over several seeds.

Statistical tests have fixed seeds. A deviation counts in standard errors; those of variances on the scale of variances,
since a root of one that is near 0 has no normal error.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

import hw_models
from hw_models.errors import ChipError
from hw_models.laws.pulse_response import PULSE_RESPONSES
from hw_models.measured import moments, noise, spreads
from hw_models.measured.fit import VARIANCES, ResponseFit, fit_response
from hw_models.measured.moments import Hats, PulseSamples
from hw_models.measured.shapes import SHAPES, about_zero
from tests.naive.traces import factors, measure

SIGMA = 4.0
SEEDS = range(3)
CASES: Mapping[str, Mapping[str, float]] = {
    "constant": {"up_down": 0.2, "noise": 0.5, "pulses": 140, "devices": 20},
    "linear": {"dw_min_spread": 0.1, "noise": 0.4},
    "soft_bounds": {
        "dw_min": 0.06, "dw_min_spread": 0.1, "up_down": 0.1, "up_down_spread": 0.1, "w_max_spread": 0.1,
        "w_min_spread": 0.08, "noise": 0.3,
    },
    "exponential": {"dw_min_spread": 0.15, "noise": 0.5, "pulses": 120},
    "power": {"dw_min": 0.1, "dw_min_spread": 0.1, "noise": 0.4, "pulses": 120},
}  # fmt: skip
SHAPED: Mapping[str, Mapping[str, float]] = {
    "linear": {"gamma_up": 0.4, "gamma_down": 0.6},
    "exponential": {"a_up": 0.15, "a_down": 0.1, "gamma_up": 1.2, "gamma_down": 1.5},
    "power": {"gamma_up": 1.5, "gamma_down": 0.7},
}
SPREADS = ("dw_min_spread", "up_down_spread", "w_max_spread", "w_min_spread")


def off(fit: ResponseFit, name: str, truth: float) -> float:
    """Return how many standard errors an estimate is off."""
    one = fit.estimates[name]
    if name not in VARIANCES:
        return (one.value - truth) / one.error
    error = max(2 * one.value * one.error, one.error**2)
    return (one.value**2 - truth**2) / error


def truths(response: str) -> dict[str, float]:
    """Return what should be found; slow ends of power are left out: their bounds are not told by any trace."""
    given = dict(CASES[response])
    known = {"dw_min": given.get("dw_min", 0.04), "noise": given["noise"], "up_down": given.get("up_down", 0.0)}
    known |= {"reading": 0.2} | SHAPED.get(response, {})
    spread = SPREADS[:1] if response == "power" else SPREADS
    known |= {name: given.get(name, 0.0) for name in spread}
    return known if response == "power" else known | {"w_max": 1.0, "w_min": -1.0}


@pytest.mark.parametrize("response", CASES)
@pytest.mark.parametrize("seed", SEEDS)
def test_a_formula_is_found_within_its_errors(response: str, seed: int) -> None:
    g, way = measure(response, 200 + seed, reading=0.2, **CASES[response])  # type: ignore[arg-type]
    fit = fit_response(g, way, response=response, g_min=10.0, g_max=30.0)
    wrong = {name: round(off(fit, name, truth), 1) for name, truth in truths(response).items()}
    # The noise of pulses is known to 2 %: states near a bound are cut, sums are over what is near a state.
    error = 0.02 * CASES[response]["noise"]
    wrong["noise"] *= fit.estimates["noise"].error / np.hypot(fit.estimates["noise"].error, error)
    assert all(abs(value) < SIGMA for value in wrong.values()), wrong
    best = next(one for one in fit.formulas if one.response == response)
    assert best.better > -SIGMA * np.sqrt(2 * best.free)
    assert best.probability > 1e-4
    assert fit.pulse.response == response


@pytest.mark.parametrize("seed", SEEDS)
def test_a_table_is_found_within_its_errors(seed: int) -> None:
    g, way = measure(
        "table", 300 + seed, noise=0.5, dw_min_spread=0.1, multiple=lambda x: 0.5 + x, reading=0.2, pulses=120
    )
    fit = fit_response(g, way, g_min=10.0, g_max=30.0)
    ups, downs = zip(*(factors("table", 2 * x - 1, 1.0, -1.0) for x in fit.states), strict=True)
    # At a hard bound the last state is guessed from those before.
    for found, error, truth, seen in (
        (fit.steps[0], fit.step_errors[0], ups, slice(0, -1)),
        (fit.steps[1], fit.step_errors[1], downs, slice(1, None)),
    ):  # fmt: skip
        # A hat lies over a bend of the truth at 0.5, so there it is a mean.
        slack = np.hypot(error, 0.02 * 0.04)
        assert (np.abs(found - 0.04 * np.array(truth))[seen] < SIGMA * slack[seen]).all()
    assert fit.pulse.table_noise is not None
    multiples = fit.pulse.noise * np.array(fit.pulse.table_noise)
    assert multiples[1:-1] == pytest.approx(0.5 * (0.5 + fit.states[1:-1]), abs=0.08)
    assert abs(off(fit, "dw_min_spread", 0.1)) < SIGMA
    assert not any(one.better > 0 for one in fit.formulas)
    assert fit_response(g, way, response="auto").response == "table"


def test_standard_errors_cover() -> None:
    """Of 16 fits, steps and noise are within two standard errors about 95 times in a hundred."""
    found, steps = [], []
    for seed in range(16):
        g, way = measure("soft_bounds", 400 + seed, devices=12, pulses=50, cycles=3, dw_min=0.1, noise=0.4, reading=0.2)
        fit = fit_response(g, way, response="soft_bounds", g_min=10.0, g_max=30.0)
        found.append([off(fit, "dw_min", 0.1), off(fit, "reading", 0.2), off(fit, "up_down", 0.0)])
        steps.append(fit.estimates["dw_min"].value)
    z = np.array(found)
    assert 0.83 < (np.abs(z) < 2).mean() <= 1.0
    assert 0.7 < np.sqrt((z**2).mean()) < 1.45
    assert np.abs(z.mean(axis=0)).max() < 0.8
    # Less than a quarter of the error of up_down, which is what half the mean of an |asymmetry| around 0 leaves.
    assert np.mean(steps) == pytest.approx(0.1, rel=0.012)


def test_noise_near_a_soft_bound_is_that_of_its_samples() -> None:
    """Without noise of readings: most samples of the last states stand where steps are far smaller than there."""
    found = []
    for seed in range(8):
        g, way = measure("soft_bounds", 430 + seed, devices=12, pulses=50, cycles=3, dw_min=0.1, noise=0.4, reading=0.0)
        fit = fit_response(g, way, response="soft_bounds", g_min=10.0, g_max=30.0)
        found.append(fit.estimates["noise"].value)
        assert fit.pulse.noise_base == 0
    assert np.mean(found) == pytest.approx(0.4, abs=4 * np.std(found) / np.sqrt(8))
    assert np.mean(found) == pytest.approx(0.4, rel=0.07)


def test_the_larger_of_two_noisy_steps_is_not_the_step() -> None:
    """Of devices of equal steps up and down, each known to a tenth, in many sets of twelve."""
    draw, found = np.random.default_rng(8).normal, []
    for _ in range(400):
        own = 0.1 * (1 + 0.1 * draw(size=(12, 2)))
        every = spreads.moments(own, np.full((12, 2), 0.01**2))
        plain = spreads.steps(every, tilted=False)
        up_down = spreads.drawn_in(plain.up_down, 0.1 * np.sqrt(2 / 12))
        found.append((every.middle / (1 - abs(up_down) / 2), plain.dw_min, spreads.steps(every, tilted=True).dw_min))
    drawn, plain_, tilted = np.mean(found, axis=0)
    assert plain_ > 0.1015
    assert tilted > 0.102
    assert drawn == pytest.approx(0.101, rel=0.003)


@pytest.mark.parametrize("truth", [0.0, 0.5, 1.0, 2.0, -4.0])
def test_an_asymmetry_that_is_drawn_in(truth: float) -> None:
    """Its size is right within a tenth of its error, but for 0, where half of what is too much is taken off."""
    estimates = truth + np.random.default_rng(9).normal(size=4000)
    drawn = np.array([spreads.drawn_in(one, 1.0) for one in estimates])
    assert np.abs(drawn).mean() == pytest.approx(abs(truth) if truth else 0.5, abs=0.15)
    assert drawn.mean() == pytest.approx(truth, abs=0.16)
    assert spreads.drawn_in(0.2, np.nan) == 0.2
    assert spreads.drawn_in(7.0, 1.0) == 7.0


def test_reading_noise_is_no_cycle_noise() -> None:
    """Three steps of reading noise, on devices without cycle noise."""
    g, way = measure("constant", 5, devices=16, pulses=60, cycles=3, noise=0.0, reading=1.2)
    fit = fit_response(g, way, response="constant", g_min=10.0, g_max=30.0)
    assert abs(off(fit, "reading", 1.2)) < SIGMA
    cycle = sum(fit.estimates[name].value for name in ("noise", "noise_base") if name in fit.estimates)
    assert cycle < 1.0  # without the covariance of successive residuals it would be 4.2
    assert abs(off(fit, "dw_min", 0.04)) < SIGMA


def test_whose_noise_the_readings_are() -> None:
    g, way = measure("constant", 6, devices=10, pulses=60, cycles=2, noise=0.3, reading=0.2)
    write, read, none = (fit_response(g, way, readings=name) for name in ("write", "read", "instrument"))
    assert write.pulse.write_noise == pytest.approx(0.02 / 0.04, rel=0.15)
    assert (read.pulse.write_noise, none.pulse.write_noise) == (0, 0)
    assert read.read_noise == pytest.approx(0.2, rel=0.1)
    assert (write.read_noise, none.read_noise) == (0, 0)


def test_one_device_has_cycles_for_errors() -> None:
    g, way = measure("soft_bounds", 7, devices=1, pulses=80, cycles=6, dw_min=0.06, noise=0.3, reading=0.1)
    fit = fit_response(g[0], way)
    assert fit.estimates["dw_min"].error > 0
    assert "dw_min_spread" not in fit.estimates
    assert fit.pulse.dw_min_spread == 0
    assert "Fewer than 8 devices" in fit.notes[-1]
    few = fit_response(g[0, :161], way[:160])
    assert np.isnan(few.estimates["dw_min"].error)
    assert "Too few devices and cycles" in few.notes[-1]


def test_devices_that_do_not_move_are_counted() -> None:
    g, way = measure("soft_bounds", 8, devices=12, pulses=60, cycles=2, dw_min=0.08, noise=0.3, reading=0.1)
    g[[3, 7]] = 15 + 0.1 * np.random.default_rng(0).normal(size=(2, g.shape[1]))
    fit = fit_response(g, way)
    assert fit.pulse.corrupt == pytest.approx(2 / 12, rel=1e-3)
    assert fit.moving.sum() == 10
    assert "3, 7." in " ".join(fit.notes)


def test_traces_that_do_not_reach_their_bounds_say_so() -> None:
    g, way = measure("soft_bounds", 9, devices=10, pulses=12, cycles=6, dw_min=0.03, noise=0.2, reading=0.05)
    fit = fit_response(g, way)
    assert any("do not come to their upper bound" in note for note in fit.notes)
    assert "w_max_spread" not in fit.estimates


def test_units_and_given_ranges() -> None:
    g, way = measure("constant", 10, devices=8, pulses=100, cycles=2, noise=0.3, reading=0.1)
    micro, siemens = fit_response(g, way), fit_response(g * 1e-6, way, unit="S")
    assert siemens.pulse == micro.pulse
    assert siemens.g_max == pytest.approx(micro.g_max)
    wide = fit_response(g, way, g_min=0.0, g_max=50.0)
    assert (wide.g_min, wide.g_max) == (0, 50)
    assert wide.pulse.dw_min == pytest.approx(0.04 * 20 / 50, rel=0.2)
    assert wide.pulse.w_max == pytest.approx(0.2, abs=0.02)


def test_conductances_that_no_device_has() -> None:
    g, way = measure("constant", 10, devices=8, pulses=100, cycles=2, noise=0.3, reading=0.1)
    with pytest.raises(ChipError, match=r"^g_min = -2\.\d+ uS, the mean lower bound of the devices, is below 0: take"):
        fit_response(g - 12, way)
    assert fit_response(g - 12, way, g_min=0.0).g_min == 0
    assert any("is the unit of the conductances right" in note for note in fit_response(g * 1e-6, way).notes)


def test_log_normal_steps_are_told() -> None:
    g, way = measure("constant", 11, devices=40, pulses=120, cycles=1, noise=0.2, reading=0.1)
    assert fit_response(g, way).pulse.dw_min_law == "normal"
    own = 0.04 * np.exp(0.5 * np.random.default_rng(2).normal(size=60))
    every = spreads.moments(np.stack([own, own], axis=1), np.zeros((60, 2)))
    assert every.log_normal
    assert spreads.steps(every, tilted=False).square == pytest.approx(np.var(own, ddof=1) / own.mean() ** 2)


def test_log_normal_steps_are_listed_as_the_chip_has_them() -> None:
    """The median of the steps, and the spread of their logarithm."""
    way, draw = [1] * 60 + [-1] * 60, np.random.default_rng(3).normal
    rise = np.minimum(0.4 * np.exp(0.4 * draw(size=(80, 1))) * np.arange(61), 20)
    g = 10 + np.concatenate([rise, rise[:, -2::-1]], axis=1) + 0.05 * draw(size=(80, 121))
    fit = fit_response(g, way, response="constant")
    assert fit.pulse.dw_min_law == "log_normal"
    for name in ("dw_min", "dw_min_spread"):
        assert getattr(fit.pulse, name) == pytest.approx(fit.estimates[name].value, rel=1e-3)


@pytest.mark.parametrize("tilt", [-0.3, 0.0, 0.2])
def test_spreads_of_steps_and_asymmetry(tilt: float) -> None:
    """The moments of the definition, over many devices without errors."""
    draw = np.random.default_rng(3).normal
    s, t = 0.02 * (1 + 0.2 * draw(size=40_000)), tilt + 0.1 * draw(size=40_000)
    own = np.stack([s * (1 + np.minimum(t, 0)), s * (1 - np.maximum(t, 0))], axis=1)
    every = spreads.moments(own, np.zeros_like(own))
    found = spreads.steps(every, tilted=True)
    assert found.dw_min == pytest.approx(0.02, rel=0.005)
    assert found.up_down == pytest.approx(tilt, abs=0.005)
    assert np.sqrt(found.square) == pytest.approx(0.2, rel=0.03)
    assert np.sqrt(every.tilt) == pytest.approx(0.1, rel=0.03)


def test_stein_takes_away_what_sorting_by_noisy_readings_does() -> None:
    """Steps that rise linearly, states on a narrow hill: sorted by readings alone the slope is far too small."""
    draw = np.random.default_rng(4).normal
    w = 0.25 * draw(size=200_000)
    read, then = w + 0.06 * draw(size=w.size), w + 0.05 * (1 + w) + 0.06 * draw(size=w.size)
    own = np.ones(w.size, dtype=int)
    chosen = PulseSamples(0 * own, own, 0 * own, read, then - read, own < 0)
    states = np.linspace(0, 1, 5)
    hats = Hats(states, (read + 1) / 2, np.full(w.size, 2.0))
    truth = 0.05 * (1 + (2 * states - 1))
    right, plain = (moments.table(hats, chosen, np.ones(w.size), s2) for s2 in (0.06**2, 0.0))
    assert right[1:4] == pytest.approx(truth[1:4], abs=0.003)
    assert np.abs(plain[1:4] - truth[1:4]).max() > 0.02


def test_readings_are_told_from_pulses_by_successive_residuals() -> None:
    draw = np.random.default_rng(5).normal
    pulses, readings = 0.3 * draw(size=100_000), 0.2 * draw(size=100_001)
    residual = pulses + np.diff(readings)
    follows = np.arange(100_000) > 0
    assert noise.of_readings(residual, follows, np.ones(100_000)) == pytest.approx(0.04, rel=0.05)


@pytest.mark.parametrize("name", SHAPES)
def test_shapes_are_the_responses_of_the_project(name: str) -> None:
    """Beside the functions that its kernels are compiled from, and their slopes."""
    x = np.linspace(0.02, 0.98, 9)
    values = {"linear": (0.3, 0.5), "exponential": (0.3, 0.2, 1.1, 0.7), "power": (1.5, 0.6, 0.1, 0.05),
              "soft_bounds": (0.1, 0.05), "constant": ()}[name]  # fmt: skip
    shape = SHAPES[name]
    fields = dict(zip(shape.names, values, strict=True))
    high, low = 1 + 2 * fields.pop("above", 0.0), -1 - 2 * fields.pop("below", 0.0)
    pulse = hw_models.chip.Pulse(response=name, w_max=high, w_min=low, **fields)
    up, down = shape.factors(x, np.array(values))
    law = PULSE_RESPONSES[name]
    for n, w in enumerate(2 * x - 1):
        if law.factors is None:
            bounds = [np.array([[b]]) for b in (high, low)]
            slopes = law.slopes(pulse, *bounds, lambda *_: np.ones((1, 1)))
            wanted = [1 - float(c[0, 0]) * w for c in slopes]
        else:
            constants = tuple(np.float32(c) for c in law.constants(pulse))
            wanted = [float(f) for f in law.factors(np.float32(w), np.float32(high), np.float32(low), constants)[:2]]
        assert [up[n], down[n]] == pytest.approx(wanted, rel=1e-4, abs=1e-5)


SHIFTED: Mapping[str, tuple[float, ...]] = {
    "constant": (), "linear": (0.3, 0.5), "exponential": (0.3, 0.2, 1.1, 0.7), "power": (1.5, 0.6, 0.0, 0.0),
    "soft_bounds": (0.1, 0.05),
}  # fmt: skip


@pytest.mark.parametrize("name", SHIFTED)
def test_fields_of_a_pulse_are_about_weight_zero(name: str) -> None:
    """A formula in x and the pulse that it becomes take the same steps, of bounds that weight 0 is not midway of."""
    low, high, shape = -0.8, 1.2, SHAPES[name]
    w = np.linspace(low + 0.02, high - 0.02, 9)
    up, down = shape.factors((w - low) / (high - low), np.array(SHIFTED[name]))
    fields, scale = about_zero(name, dict(zip(shape.names, SHIFTED[name], strict=True)), low, high)
    high, low = high + 2 * fields.pop("above", 0.0), low - 2 * fields.pop("below", 0.0)
    pulse, law = hw_models.chip.Pulse(response=name, w_max=high, w_min=low, **fields), PULSE_RESPONSES[name]
    for n, here in enumerate(w):
        if law.factors is None:
            bounds = [np.array([[b]]) for b in (high, low)]
            wanted = [1 - float(c[0, 0]) * here for c in law.slopes(pulse, *bounds, lambda *_: np.ones((1, 1)))]
        else:
            constants = tuple(np.float32(c) for c in law.constants(pulse))
            wanted = [float(f) for f in law.factors(np.float32(here), *map(np.float32, (high, low)), constants)[:2]]
        assert [up[n], down[n]] == pytest.approx(scale * wanted, rel=1e-4, abs=1e-5)


def test_a_range_whose_middle_is_not_that_of_the_bounds() -> None:
    """Weight 0 at a tenth of the range below: steps up are 1.2 of those in the middle there, steps down 0.8."""
    g, way = measure("soft_bounds", 14, devices=20, pulses=80, cycles=3, dw_min=0.06, noise=0.2, reading=0.1)
    fit = fit_response(g, way, response="soft_bounds", g_min=8.0, g_max=28.0)
    assert fit.pulse.dw_min == pytest.approx(1.2 * 0.06, rel=0.03)
    assert fit.pulse.up_down == pytest.approx(1 / 3, abs=0.03)
    assert (fit.pulse.w_max, fit.pulse.w_min) == pytest.approx((1.2, -0.8), abs=0.02)
    table = fit_response(g, way, g_min=8.0, g_max=28.0)
    assert table.estimates["dw_min"].value == pytest.approx(1.2 * 0.06, rel=0.08)


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({"response": "soft_bound"}, "unknown response 'soft_bound': .*did you mean 'soft_bounds'"),
        ({"readings": "reads"}, "unknown readings 'reads': .*did you mean 'read'"),
        ({"unit": "us"}, "unknown unit 'us': .*did you mean 'uS'"),
        ({"states": 3}, "states = 3: allowed are whole numbers from 4 to 64"),
        ({"g_min": -1.0}, r"g_min = -1\.0: a conductance from 0 is needed"),
        ({"g_min": 30.0, "g_max": 20.0}, r"g_min = 30\.0: it should be below g_max = 20\.0 uS"),
        ({"g_min": 0.0, "g_max": 200.0}, "g_min = 0, g_max = 200 uS: their middle lies outside of the traces"),
        ({"respons": "table"}, "unknown keyword of fit_response 'respons': .*did you mean 'response'"),
    ],
)
def test_settings_that_cannot_be(settings: dict[str, object], line: str) -> None:
    g, way = measure("constant", 12, devices=4, pulses=60, cycles=2, noise=0.2, reading=0.1)
    with pytest.raises(ChipError, match=f"^{line}"):
        fit_response(g, way, **settings)  # type: ignore[arg-type]


@pytest.mark.filterwarnings("error")
def test_devices_too_unlike_to_tell_their_steps_are_one_line() -> None:
    """Readings noisier than steps and bounds of a spread of a half: refused, or with errors that say so."""
    refused = 0
    for seed in range(5):
        g, way = measure(
            "soft_bounds", 500 + seed, devices=30, pulses=60, cycles=2, dw_min=0.09, dw_min_spread=0.6, noise=0.4,
            w_max_spread=0.35, w_min_spread=0.3, reading=3.0,
        )  # fmt: skip
        g[0] = 20.0
        try:
            fit = fit_response(g, way, response="soft_bounds", g_min=10.0, g_max=30.0)
        except ChipError as error:
            refused += 1
            assert "steps at weight 0 are" in str(error)
        else:
            assert abs(off(fit, "dw_min", 0.09)) < SIGMA
    assert refused < 5


def test_directions_that_are_missing_or_swapped() -> None:
    g, way = measure("constant", 13, devices=4, pulses=60, cycles=2, noise=0.2, reading=0.1)
    with pytest.raises(ChipError, match=r"^direction is missing"):
        fit_response(g)
    with pytest.raises(ChipError, match="are signs swapped"):
        fit_response(g, -way)
