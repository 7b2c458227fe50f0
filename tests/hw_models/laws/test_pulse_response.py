"""Pulse responses: what a law says of itself, factors and derivatives of curved ones, slopes of affine ones."""

from __future__ import annotations

import numpy as np
import pytest

from hw_models.chip import Chip, Pulse
from hw_models.errors import ChipError
from hw_models.laws.pulse_response import FLOOR, PULSE_RESPONSES
from tests.naive import pulses as naive

GIVEN = {"gamma_up": 2.0, "gamma_down": 1.5, "a_up": 0.3, "a_down": -0.2, "slope": 0.7, "offset": 0.1}
GIVEN |= {"table_states": (0.0, 0.3, 0.6, 1.0), "table_up": (1.5, 1.0, 0.8, 0.1), "table_down": (0.2, 0.4, 1.0, 0.9)}
CURVED = [name for name, law in PULSE_RESPONSES.items() if law.factors is not None]


def pulse(name, **rest):
    """Return a pulse of this response with the numbers that it takes."""
    taken = {field: GIVEN[field] for field in PULSE_RESPONSES[name].takes if field in GIVEN} | rest
    return Pulse(response=name, dw_min=0.01, **{field: value for field, value in taken.items() if value is not None})


@pytest.mark.parametrize("name", PULSE_RESPONSES)
def test_what_a_law_says_of_itself(name):
    law = pulse(name).law
    assert law.name == name and law.equation and law.source
    assert f"{name}: {law.equation}" in Chip.settings()["device.pulse.response"].description
    for field, meaning in law.takes.items():
        assert f"{name}: {meaning}" in Chip.settings()[f"device.pulse.{field}"].description


@pytest.mark.parametrize("name", CURVED)
@pytest.mark.parametrize("w", [-0.7, -0.2, 0.0, 0.4, 0.75])
def test_derivatives_are_those_of_the_factors(name, w):
    given, high, low, step = pulse(name, w_max=0.9, w_min=-0.8), np.float32(0.9), np.float32(-0.8), np.float32(0.01)
    law = given.law.packed(given)
    at = lambda x: np.array(given.law.factors(np.float32(x), high, low, law), dtype=np.float64)  # noqa: E731
    np.testing.assert_allclose(at(w)[2:], (at(w + step) - at(w - step))[:2] / (2 * step), rtol=5e-3, atol=1e-3)


@pytest.mark.parametrize("name", CURVED)
@pytest.mark.parametrize("w", [-0.7, 0.0, 0.6])
def test_factors_are_the_equations(name, w):
    given = pulse(name)
    law = given.law.packed(given)
    found = given.law.factors(np.float32(w), np.float32(1), np.float32(-1), law)
    np.testing.assert_allclose(found[:2], [naive.factor(given, w, up) for up in (True, False)], rtol=1e-5)


@pytest.mark.parametrize("name", sorted(PULSE_RESPONSES.keys() - CURVED))
def test_slopes_are_the_equations(name):
    given, high, low = pulse(name, w_max=0.8, w_min=-0.5), np.full((1, 3), 0.8), np.full((1, 3), -0.5)
    up, down = given.law.slopes(given, high, low, lambda *_: np.ones((1, 3)))
    for w in (-0.4, 0.3):
        np.testing.assert_allclose(1 - up * w, naive.factor(given, w, True) * np.ones((1, 3)), rtol=1e-6)
        np.testing.assert_allclose(1 - down * w, naive.factor(given, w, False) * np.ones((1, 3)), rtol=1e-6)


def test_soft_bounds_of_a_device_that_has_none_left_stay_finite():
    given = pulse("soft_bounds")
    up, down = given.law.slopes(given, np.zeros((1, 1)), np.zeros((1, 1)), lambda *_: np.ones((1, 1)))
    assert up == 1 / FLOOR and down == -1 / FLOOR


def test_numbers_that_a_response_cannot_take_are_refused():
    with pytest.raises(ChipError, match="exponents should be from 0"):
        Pulse(response="power", gamma_up=-1.0, gamma_down=1.0)


@pytest.mark.parametrize(
    ("fields", "line"),
    [
        ({"gamma_up": 0.1}, "gamma_up = 0.1: it acts only with response linear, exponential or power"),
        ({"response": "power", "gamma_up": 1.0, "a_up": 0.5}, "a_up = 0.5: it acts only with response exponential"),
        ({"response": "linear"}, "response = 'linear': it acts only with gamma_up, gamma_down or a spread of one"),
        ({"response": "exponential", "a_up": 0.5, "gamma_down": 1.0}, "gamma_down = 1.0: it acts only with a_down"),
    ],
)
def test_what_does_not_act_is_refused(fields, line):
    with pytest.raises(ChipError, match=line):
        Chip.parse({"device": {"pulse": fields}, "update": {"scheme": "pulsed"}})


def test_a_table_of_steps_up_alone_is_mirrored():
    given = pulse("table", table_down=None, table_states=None)
    law = given.law.packed(given)
    for w in (-0.8, 0.1, 0.5):
        up, _, _, _ = given.law.factors(np.float32(w), np.float32(1), np.float32(-1), law)
        _, down, _, _ = given.law.factors(np.float32(-w), np.float32(1), np.float32(-1), law)
        assert up == pytest.approx(down, abs=1e-6)


def test_a_table_is_linear_between_its_states_and_ends_with_them():
    """Against np.interp on a dense grid, beyond the range too; a device without a range stands at the first state."""
    given = pulse("table", noise=0.5, table_noise=(1.0, 3.0, 2.0, 0.0), w_max=0.8, w_min=-0.4)
    law, x = given.law.packed(given), np.linspace(-0.2, 1.2, 141)
    low, high = np.float32(-0.4), np.float32(0.8)
    for share in x:
        w = np.float32(low + share * (high - low))
        up, down, _, _ = given.law.factors(w, high, low, law)
        found = up, down, given.law.multiple(w, high, low, law)
        for value, table in zip(found, (given.table_up, given.table_down, given.table_noise), strict=True):
            assert value == pytest.approx(np.interp(share, given.table_states, table), abs=2e-6)
    assert given.law.factors(low, low, low, law)[:2] == (np.float32(1.5), np.float32(0.2))


@pytest.mark.parametrize(
    ("fields", "line"),
    [
        ({"table_up": (1.0,)}, "with response 'table' 2 to 64 numbers are needed"),
        ({"table_down": (1.0,)}, "table_down = .1.0.: table_up has 4 numbers, give as many"),
        ({"table_down": (1.0, 0.5)}, "table_down = .*table_up has 4 numbers, give as many"),
        ({"table_up": (1.0, -0.5, 0.0, 1.0)}, "table_up = .*numbers should be at least 0"),
        ({"table_states": (0.0, 0.5, 0.5, 1.0)}, "table_states = .*they should rise from 0 to 1"),
        ({"table_noise": (1.0, 1.0, 1.0, 2.0)}, "table_noise = .*it acts only with noise above 0"),
    ],
)
def test_tables_that_cannot_be_are_refused(fields, line):
    with pytest.raises(ChipError, match=line):
        pulse("table", **fields)
