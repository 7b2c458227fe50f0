"""Write disturb against a loop over writes."""

from __future__ import annotations

import numpy as np
import pytest

from hw_models.arrays.crossbar import Crossbar
from hw_models.chip import Chip
from hw_models.laws import disturb

SHAPE, ROWS, COLUMNS = (5, 7), [(0, 4), (4, 7)], [(0, 3), (3, 5)]


def brute_force(moves, share, in_turn):
    """Write device after device and let the others on its lines feel it; one that is written later makes up for it."""
    found = np.zeros_like(moves)
    for first, last in COLUMNS:
        for begin, end in ROWS:
            for i in range(first, last):
                for j in range(begin, end):
                    if in_turn:
                        found[i, j] = 0
                    for a in range(first, last):
                        for b in range(begin, end):
                            if (a == i) != (b == j):
                                found[a, b] += share * moves[i, j]
    return found


@pytest.mark.parametrize("in_turn", [False, True])
def test_half_selected_devices_move_by_a_share(in_turn):
    moves = np.random.default_rng(0).normal(size=SHAPE)
    found = disturb.felt(moves, 0.03, ROWS, COLUMNS, in_turn)
    np.testing.assert_allclose(found, brute_force(moves, 0.03, in_turn), atol=1e-14)


@pytest.mark.parametrize("mapping", ["differential", "offset"])
def test_a_programmed_crossbar_is_off_by_what_its_devices_felt(mapping):
    """Twice programmed: the moves are those from the first weights to the second."""
    rng = np.random.default_rng(1)
    chip = Chip.parse({"crossbar": {"rows": 4, "columns": 3, "mapping": mapping, "weight_range": 1.5}})
    first, second = rng.uniform(-1, 1, SHAPE), rng.uniform(-1, 1, SHAPE)
    device = chip.device.model_copy(update={"disturb": 0.01})
    bar = Crossbar(chip.model_copy(update={"device": device}), SHAPE, seed=1, name="bar", dtype="float64")
    assert not bar.ideal
    bar.program(first)
    bar.program(second)
    edges = bar.devices.row_tiles, bar.devices.column_tiles
    wanted = second + disturb.felt(second - first, 0.01, *edges, True)
    np.testing.assert_allclose(bar.weights(), wanted, atol=1e-5)
    x, s = rng.random((3, 7)), rng.random((3, 5))
    np.testing.assert_allclose(bar.forward(x), x @ wanted.T, atol=1e-4)
    np.testing.assert_allclose(bar.transposed(s), s @ wanted, atol=1e-4)
    other = Crossbar(chip.model_copy(update={"device": device}), SHAPE, seed=1, name="bar", dtype="float64")
    other.load(bar.state())
    bar.begin()
    np.testing.assert_array_equal(other.forward(x), bar.forward(x))


@pytest.mark.parametrize("in_memory", [False, True])
@pytest.mark.parametrize("mapping", ["differential", "offset"])
def test_conductances_leak_towards_g_min(mapping, in_memory):
    """A loop over devices and updates: g -> g_min + (g - g_min) (1 - leak); a state goes on in another crossbar."""
    device = {"g_min": 2.0, "leak": 0.1}
    chip: dict = {"crossbar": {"mapping": mapping, "reference": "analog"} if mapping == "offset" else {}}
    if in_memory:
        chip |= {"device": device, "update": {"scheme": "mixed_precision"}}
    else:
        chip |= {"device": device, "update": {"reprogram_every": 5}}
    parsed = Chip.parse(chip)
    made = [Crossbar(parsed, SHAPE, seed=1, name="bar", dtype="float64") for _ in range(2)]
    weight = np.random.default_rng(1).uniform(-1, 1, SHAPE)
    bar, other = made
    bar.program(weight)
    wanted = [side.astype(np.float64) for side in bar.conductances()]
    for _ in range(3):
        bar.leak()
        bar.refresh()
        wanted = [2.0 + (side - 2.0) * 0.9 for side in wanted]
    for found, side in zip(bar.conductances(), wanted, strict=True):
        np.testing.assert_allclose(found, side, rtol=1e-5)
    x = np.random.default_rng(2).random((3, 7))
    other.load(bar.state(), weight)
    np.testing.assert_array_equal(other.forward(x), bar.forward(x))
    if not in_memory:
        bar.program(weight)
        np.testing.assert_allclose(bar.weights(), weight, atol=1e-5)


@pytest.mark.parametrize("mapping", ["differential", "offset"])
def test_a_write_moves_devices_from_where_they_have_leaked_to(mapping):
    """A loop over devices of three programmings with leaks between: neighbours feel what is made up for, too."""
    share, loss, g_min, span, tile = 0.02, 0.1, 2.0, 23.0, (3, 2)
    device = {"g_min": g_min, "leak": loss, "disturb": share}
    layout = {"rows": tile[0], "columns": tile[1], "weight_range": 1.0} | (
        {"mapping": "offset", "reference": "digital"} if mapping == "offset" else {}
    )
    chip = Chip.parse({"device": device, "crossbar": layout, "update": {"reprogram_every": 5}})
    bar = Crossbar(chip, (4, 5), seed=1, name="bar", dtype="float64")
    rng = np.random.default_rng(5)
    low = 0.0 if mapping == "differential" else -1.0
    held = np.zeros((4, 5))
    for _ in range(3):
        weight = rng.uniform(-0.8, 0.8, (4, 5))
        bar.program(weight)
        moves = weight - held
        for i, j in np.ndindex(4, 5):
            rows, columns = bar.devices.row_tiles, bar.devices.column_tiles
            b = next(last for first, last in rows if first <= j < last)
            d = next(last for first, last in columns if first <= i < last)
            feels = sum(moves[i, n] for n in range(j + 1, b)) + sum(moves[n, j] for n in range(i + 1, d))
            feels *= share
            if mapping == "differential":
                g = [max(s * weight[i, j], 0) * span + max(s * feels, 0) * span for s in (1, -1)]
            else:
                g = [(weight[i, j] + 1) / 2 * span + feels / 2 * span]
            for side, above in enumerate(g):
                assert bar.conductances()[side][0, i, j] == pytest.approx(g_min + above, rel=2e-5)
        held = weight
        for _ in range(2):
            bar.leak()
            held = low + (held - low) * (1 - loss)
        bar.refresh()
