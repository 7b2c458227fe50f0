"""Drift while a chip learns, by its clock and without an age ahead: a twin loops over devices, seconds and writes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from hw_models import durations
from hw_models.arrays.cells import DeviceCells, Made
from hw_models.arrays.crossbar import Crossbar
from hw_models.arrays.stored import STEP
from hw_models.chip import Chip
from hw_models.clock import Clock
from hw_models.kernels.blocks import serial
from hw_models.tally import Tally

LOW, HIGH, START = 1.0, 25.0, 1e-3
SLOPE, LEVEL, LEAST, MOST = -0.05, 0.02, 0.01, 0.3
"""nu = clip(SLOPE ln(g/HIGH) + LEVEL, LEAST, MOST), the same for all devices of a conductance."""
DEVICE = {"g_min": LOW, "g_max": HIGH, "drift_mean": [SLOPE, LEVEL, LEAST, MOST], "drift_start": START}
OUT, IN = 5, 7
SEED = 11


class Twin:
    """Conductances of all devices as they were written, and when [s]."""

    def __init__(self, mapping: str, lines: int, hurry: float = 1.0) -> None:
        self.sides = 2 if mapping == "differential" else 1
        self.mapping, self.hurry = mapping, hurry
        self.g = np.zeros((self.sides, OUT + lines, IN))
        self.at = np.zeros((self.sides, OUT + lines, IN))

    def write(self, a: np.ndarray, which: np.ndarray, now: float) -> None:
        """Write the devices of some weights, shares of the range, and of all reference lines."""
        for i, j in np.argwhere(which):
            if self.sides == 2:
                both = [LOW + max(a[i, j], 0) * (HIGH - LOW), LOW + max(-a[i, j], 0) * (HIGH - LOW)]
            else:
                both = [(LOW + HIGH) / 2 + a[i, j] * (HIGH - LOW) / 2]
            for side, g in enumerate(both):
                self.g[side, i, j], self.at[side, i, j] = g, now

    def write_references(self, now: float) -> None:
        """Write them at the middle."""
        self.g[:, OUT:], self.at[:, OUT:] = (LOW + HIGH) / 2, now

    def drifted(self, now: float) -> np.ndarray:
        """Return what every device conducts now, one by one."""
        found = np.zeros_like(self.g)
        for place in np.ndindex(self.g.shape):
            nu = min(max(SLOPE * math.log(self.g[place] / HIGH) + LEVEL, LEAST), MOST)
            found[place] = self.g[place] * (1 + self.hurry * (now - self.at[place]) / START) ** -nu
        return found

    def weights(self, now: float, compensated: bool) -> np.ndarray:
        """Return weights (out, in), shares of the range, as reads see them."""
        g = self.drifted(now)
        ratio = self.g.sum() / g.sum() if compensated else 1.0
        if self.sides == 2:
            return (g[0] - g[1])[:OUT] / (HIGH - LOW) * ratio
        middle = g[0, OUT:].mean(0) if g.shape[1] > OUT else (LOW + HIGH) / 2 / ratio
        return (g[0, :OUT] - middle) * 2 / (HIGH - LOW) * ratio


LAYOUTS: dict[str, dict[str, Any]] = {
    "pair": {},
    "pair, compensated": {"device": {"drift_compensation": True}},
    "analog reference": {"crossbar": {"mapping": "offset", "reference": "analog"}},
    "digital reference": {"crossbar": {"mapping": "offset"}, "device": {"drift_compensation": True}},
    "own path": {"transposed": {"devices": "own"}},
    "hot": {"device": {"drift_activation": 1.0}, "temperature": 400.0},
}
WRITES = ("all", "third", "threshold", "pulses")


def built(layout: str, writes: str) -> Chip:
    tables: dict[str, Any] = {"crossbar": {"weight_range": 1.0}, "device": dict(DEVICE), "timing": {"row": 1e-3}}
    for name, values in LAYOUTS[layout].items():
        tables[name] = {**tables.get(name, {}), **values} if isinstance(values, dict) else values
    if writes == "threshold":
        tables["update"] = {"write_threshold": 0.05}
    if writes == "pulses":
        tables["update"] = {"scheme": "pulsed"}
        tables["timing"] = {"pulse": 1e-3}
    return Chip.model_validate(tables)


def resumed(bar: Crossbar, chip: Chip, clock: Clock, weight: np.ndarray) -> Crossbar:
    """Return another crossbar that goes on from its state, with the same bits."""
    other = Crossbar(chip, (OUT, IN), 3, clock=clock, dtype="float64")
    other.load(bar.state(), weight)
    for each in (bar, other):
        clock.opened(4)
        each.begin("resumed")
        each.catch_up()
    assert bar.forward(np.eye(IN)).tobytes() == other.forward(np.eye(IN)).tobytes()
    assert bar.transposed(np.eye(OUT)).tobytes() == other.transposed(np.eye(OUT)).tobytes()
    return other


@pytest.mark.parametrize(("seconds", "moved"), [(0.5, False), (2.0, True)])
def test_relaxation_takes_no_work_before_it_begins(seconds: float, moved: bool) -> None:
    """An update of half a second leaves devices as they were written until a second; building them anew takes long."""
    device = {"programming_noise": [2.0], "programming_noise_fresh": [0.5], "relaxation_times": [1.0, 1e5]}
    chip = Chip.model_validate({"device": device, "timing": {"row": 1e-3}})
    clock = durations.clock(chip.timing)
    bar = Crossbar(chip, (OUT, IN), 3, clock=clock)
    bar.program(np.full((OUT, IN), 0.5, np.float32))
    planes, before = bar.planes, bar.weights()
    clock.wrote(seconds)
    clock.opened(4)
    bar.catch_up()
    assert (bar.planes is not planes) is moved
    assert bool(np.abs(bar.weights() - before).max() > 1e-3) is moved


@pytest.mark.parametrize("writes", WRITES)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_devices_drift_from_their_own_last_write_by_the_clock(layout: str, writes: str) -> None:
    """Over batches of 40 ms and updates of up to a second, resumed once; as fine as matrices are built anew."""
    chip, draw = built(layout, writes), np.random.default_rng(SEED)
    assert chip.device.age == 0
    clock = durations.clock(chip.timing)
    bar = Crossbar(chip, (OUT, IN), 3, clock=clock, dtype="float64")
    weight = draw.uniform(-0.9, 0.9, (OUT, IN))
    bar.program(weight)
    twin = Twin(chip.crossbar.mapping, OUT if layout == "analog reference" else 0, chip.heat.hurry)
    twin.write(weight, np.ones((OUT, IN), dtype=bool), 0.0)
    twin.write_references(0.0)
    now, written = 0.0, weight.copy()
    compensated = chip.device.drift_compensation
    before = worst = 0.0
    for update in range(8):
        clock.opened(4)
        bar.begin("batch", update)
        bar.catch_up()
        read = bar.forward(np.eye(IN)).T
        back = bar.transposed(np.eye(OUT))
        want = twin.weights(now, compensated)
        worst = max(worst, float(np.abs(want - twin.weights(before, compensated)).max()))
        for found in (read, back, bar.weights()):
            np.testing.assert_allclose(found, want, atol=2 * STEP * MOST)
        clock.advance(0.01)
        clock.close()
        now += 4 * 0.01
        before = now
        weight = weight + draw.normal(0, 0.06, weight.shape)
        np.clip(weight, -0.95, 0.95, out=weight)
        if writes == "pulses":
            which = (draw.random(weight.shape) < 0.4) & (weight != written)  # what moves a weight writes it
            bar.stored[which] = weight[which]
            if bar.other is not None:
                bar.other.stored[which] = weight[which]
            weight = np.where(which, weight, written)
            twin.write(weight, which, now)
            bar.elapse()
            bar.reread()
        elif writes != "third" or update % 3 == 2:
            which = np.abs(weight - written) > 0.05 if writes == "threshold" else np.ones(weight.shape, dtype=bool)
            bar.elapse()
            bar.program(weight)
            twin.write(weight, which, now)
            twin.write_references(now)
        else:
            which = np.zeros(weight.shape, dtype=bool)
        written = np.where(which, weight, written)
        took = (1e-3, 1.0, 1e-6, 0.1)[update % 4]
        clock.wrote(took)
        now += took
        if update == 5:
            bar = resumed(bar, chip, clock, weight)
    assert clock.now == pytest.approx(now, rel=1e-6)
    assert worst > 0.05, "devices have drifted visibly"


CELLS: dict[str, dict[str, Any]] = {
    "one-sided": {"device": {"cell": {"kind": "one_sided"}, "pulse": {"dw_min": 0.02, "w_min": 0.0}}},
    "bidirectional": {"device": {"cell": {"kind": "bidirectional"}, "pulse": {"dw_min": 0.02, "w_min": 0.0}}},
    "beside a reference": {
        "crossbar": {"mapping": "offset", "reference": "device"},
        "device": {"cell": {"reference_mean": 0.1, "reference_at": "middle"}, "pulse": {"dw_min": 0.02}},
    },
}

PULSES = {
    "one-sided": ((1, 0), (0, 1)), "bidirectional": ((1, -1), (-1, 1)), "beside a reference": ((1, -1), (0, 0)),
}  # fmt: skip
"""Ways of the first and the second device under a pulse up and one down."""


@pytest.mark.parametrize("disturb", [0.0, 1e-3])
@pytest.mark.parametrize("kind", CELLS)
def test_of_two_devices_of_a_weight_a_pulse_writes_the_one_that_it_moves(kind: str, disturb: float) -> None:
    """Whole pulses a second apart; neither what a reference nor what a neighbour feels begins drift anew."""
    own, full = CELLS[kind], HIGH - LOW
    device = {**DEVICE, "disturb": disturb, **own["device"]}
    tables = {"crossbar": {"weight_range": 1.0, **own.get("crossbar", {})}, "device": device}
    chip = Chip.model_validate({**tables, "timing": {"pulse": 1e-3}, "update": {"scheme": "pulsed"}})
    clock, draw = durations.clock(chip.timing), np.random.default_rng(SEED)
    bar, paired = Crossbar(chip, (OUT, IN), 3, clock=clock), kind != "beside a reference"
    bar.program(draw.uniform(-0.5, 0.5, (OUT, IN)))
    weight = bar.stored.copy()  # writing them disturbs as well
    cells = DeviceCells(bar, Made(chip.device, 3, serial, Tally()))
    bar.refresh()
    s = np.stack([np.maximum(weight, 0), np.maximum(-weight, 0)] if paired else [weight + 0.1, 0 * weight + 0.1])
    s, at, low = s.astype(np.float64), np.zeros((2, OUT, IN)), 0.0 if paired else -1.0
    for number in range(4):
        clock.wrote(1.0)
        net = draw.integers(-3, 4, (OUT, IN)) * (draw.random((OUT, IN)) < 0.5)
        numbers = np.maximum(net, 0), np.maximum(-net, 0)
        bar.elapse()
        cells.apply(bar.stored, *numbers, number)
        before = s.copy()
        for i, j in np.ndindex(OUT, IN):
            for side, ways in enumerate(PULSES[kind]):
                for way, pulses in zip(ways, numbers, strict=True):
                    for _ in range(int(pulses[i, j]) * abs(way)):
                        s[side, i, j] = min(max(s[side, i, j] + way * 0.02, low), 1.0)
                if abs(s[side, i, j] - before[side, i, j]) > 1e-9:
                    at[side, i, j] = number + 1.0
        if disturb:
            moves = (s - before)[0] - (s - before)[1]
            cells.disturbed(bar.felt(moves.astype(np.float32), in_turn=False))
            for i, j in np.ndindex(OUT, IN):
                felt = disturb * (moves[i].sum() + moves[:, j].sum() - 2 * moves[i, j])
                side = 1 if paired and felt < 0 else 0
                s[side, i, j] = min(max(s[side, i, j] + (abs(felt) if paired else felt), low), 1.0)
        bar.reread()
        clock.wrote(0.5)
        bar.catch_up()
        clock.wrote(-0.5)
        for side, found in enumerate(bar.conductances()):
            for i, j in np.ndindex(OUT, IN):
                g = LOW + s[side, i, j] * full if paired else (LOW + HIGH) / 2 + s[side, i, j] * full / 2
                nu = min(max(SLOPE * math.log(g / HIGH) + LEVEL, LEAST), MOST)
                want = g * (1 + (number + 1.5 - at[side, i, j]) / START) ** -nu
                assert found[0, i, j] == pytest.approx(want, rel=2 * STEP * MOST), (number, side, i, j)
        if number == 1:
            other = Crossbar(chip, (OUT, IN), 3, clock=clock)
            DeviceCells(other, Made(chip.device, 3, serial, Tally()))
            other.load(bar.state())
            np.testing.assert_array_equal(other.conductances(), bar.conductances())
