"""The closed loop of updates against its slow twin: to rounding without noise, with it in mean, spread, correlation."""

from __future__ import annotations

import numpy as np
import pytest

from hw_models.arrays.columns import read_columns
from neuroep.engines.chip.rules.mixed_precision import MixedPrecision
from neuroep.learning.contrast import Contrast, Held, Moved
from tests.naive.closed_loop import Column, Looped
from tests.neuroep.engines.chip.test_verified import made, pulse

UPDATES, ROUNDS, NEAR = 12, 6, 0.02
SHAPE = (12, 8)
WIDE = (20, 30)
SOFT = {"response": "soft_bounds", "dw_min": 0.03, "dw_min_spread": 0.3, "up_down_spread": 0.2, "w_max_spread": 0.2,
        "w_min_spread": 0.2}  # fmt: skip


def courses(shape: tuple[int, int], updates: int = UPDATES, size: float = 0.08, seed: int = 5) -> np.ndarray:
    """Return random walks of what weights are to be, (updates, out, in), of which some leave the bounds."""
    draws = np.random.default_rng(seed)
    return np.cumsum(draws.normal(0, size, (updates, *shape)), axis=0) + draws.uniform(-0.7, 0.7, shape)


def rule_of(shape: tuple[int, int], **fields) -> MixedPrecision:
    return made(np.zeros(shape), **{"update.verify.tolerance": NEAR, "update.verify.rounds": ROUNDS}, **fields)


def followed(rule: MixedPrecision, course: np.ndarray) -> np.ndarray:
    """Return what weights are behind every update."""
    nothing = Contrast(Moved(*[np.zeros((1, course.shape[1]))] * 2), Held(np.zeros((1, course.shape[2]))), 1.0, 1)
    found = []
    for wanted in course:
        rule.digital.weight[:] = wanted
        assert rule.update(nothing, 0.0) == 0
        found.append(rule.crossbar.stored.copy())
    return np.array(found)


def twins(rule: MixedPrecision, draw=None, **noise) -> list[Column]:
    """Return the columns of a rule's array, of devices with its bounds, steps and faults, as they were programmed."""
    own, stuck, held = rule.devices.devices, rule.devices.sides[0].stuck, rule.crossbar.stored
    fields = [np.broadcast_to(each, held.shape) for each in own]
    columns = []
    for j in range(held.shape[1]):
        devices = []
        for i in range(held.shape[0]):
            up, down, high, low, c_up, c_down = (float(each[i, j]) for each in fields)
            fixed = stuck is not None and bool(stuck.where[i, j])
            start = float(held[i, j]) if fixed else 0.0
            offset = noise.get("write", 0.0) * draw() if draw and noise.get("write") else 0.0
            devices.append(Looped(up, down, low, high, (c_up, c_down), start, draw, stuck=fixed, offset=offset,
                                  noise=noise.get("noise", 0.0), write=noise.get("write", 0.0)))  # fmt: skip
        bounds = rule.chip.device.pulse.w_min, rule.chip.device.pulse.w_max
        columns.append(Column(devices, rule.loops[0].step, NEAR, ROUNDS, bounds, noise.get("read", 0.0)))
    return columns


CASES = {
    "constant": {"dw_min": 0.03, "dw_min_spread": 0.3},
    "soft": SOFT,
    "corrupt": SOFT | {"corrupt": 0.2},
    "one way at a bound": {"dw_min": 0.03, "w_max": 0.3, "w_min": -0.2, "w_max_spread": 0.3},
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("tiles", [{}, {"crossbar.rows": 3, "crossbar.columns": 5}], ids=["one tile", "tiles"])
def test_without_noise_devices_are_those_of_the_twin_after_every_update(name, tiles):
    """Pulses, reads and weights of random walks that leave the bounds."""
    rule, course = rule_of(SHAPE, **pulse(**CASES[name]), **tiles), courses(SHAPE)
    columns = twins(rule)
    found = followed(rule, course)
    for update, wanted in enumerate(course):
        for j, column in enumerate(columns):
            column.update(wanted[:, j])
            np.testing.assert_allclose(found[update][:, j], [each.weight for each in column.devices], atol=2e-5)
    work = rule.performed()
    assert work.number("pulse") == sum(each.pulses for column in columns for each in column.devices)
    reads = sum(column.reads for column in columns)
    assert work.number("product forward") == reads
    assert work.number("read forward") == reads * rule.crossbar.devices.count


NOISES = {
    "steps": ({"noise": 0.6}, {"noise": 0.6}),
    "write noise": ({"write_noise": 1.5}, {"write": 0.045}),
    "both": ({"noise": 0.4, "write_noise": 1.0}, {"noise": 0.4, "write": 0.03}),
}


@pytest.mark.parametrize("name", NOISES)
@pytest.mark.parametrize("read", [0.0, 0.1])
def test_with_noise_errors_and_pulses_are_those_of_the_twin(name, read):
    """Mean, spread and extent of what weights are off by, pulses, reads, and how errors of updates are correlated."""
    fields, told = NOISES[name]
    device = {"device.read_noise": read} if read else {}
    rule = rule_of(WIDE, **pulse(**SOFT | fields), **device)
    course = courses(WIDE, size=0.03) * 0.5
    draw = np.random.default_rng(11).standard_normal
    spread = noise_of_a_read(rule_of(WIDE, **pulse(**SOFT), **device)) if read else 0.0
    assert spread == pytest.approx(0.3 * NEAR, rel=0.3) or not read
    columns = twins(rule, draw, **told, read=spread)
    found, others = followed(rule, course), []
    for wanted in course:
        for j, column in enumerate(columns):
            column.update(wanted[:, j])
        others.append(np.array([[each.weight for each in column.devices] for column in columns]).T)
    ours, theirs = found - course, np.array(others) - course
    one, other = ours[-6:], theirs[-6:]
    assert abs(one.mean() - other.mean()) < 5 * other.std() / np.sqrt(WIDE[0] * WIDE[1])
    assert one.std() == pytest.approx(other.std(), rel=0.1)
    assert np.quantile(np.abs(one), 0.9) == pytest.approx(np.quantile(np.abs(other), 0.9), rel=0.06)
    pair = [np.corrcoef(*(np.clip(each[n].ravel(), -NEAR, NEAR) for n in (-1, -2)))[0, 1] for each in (ours, theirs)]
    assert pair[0] == pytest.approx(pair[1], abs=0.12)  # of the few far ones there are not enough
    given = sum(each.pulses for column in columns for each in column.devices)
    assert rule.performed().number("pulse") == pytest.approx(given, rel=0.08)
    reads = sum(column.reads for column in columns)
    assert rule.performed().number("product forward") == pytest.approx(reads, rel=0.08)


def noise_of_a_read(rule: MixedPrecision) -> float:
    """Return the spread of repeated reads of a column about what devices hold, in shares of the range."""
    every = np.arange(rule.crossbar.shape[1])
    found = [read_columns(rule.crossbar, every) - rule.crossbar.stored for _ in range(20)]
    return float(np.std(found))
