"""Sample-and-holds against loops over samples and neurons, written from the circuit."""

from __future__ import annotations

import math

import numpy as np
import pytest

from hw_models.chip import Readout
from hw_models.periphery.holders import Holders, Places
from hw_models.periphery.readout import PhaseReadout, Seen
from neuroep.learning.contrast import Moved

SAMPLES, SIZE = 6, 5
FAULTY = {"signal": "difference", "hold_offset": 0.02, "hold_gain": 0.03, "hold_droop": 0.1}


def phases(seed: int, shape: tuple[int, int] = (SAMPLES, SIZE)) -> Moved:
    draw = np.random.default_rng(seed)
    return Moved(draw.uniform(-1, 1, shape), draw.uniform(-1, 1, shape))


def circuit(holders: Holders, state, holder: int, wait: float, neuron: int) -> float:
    """Return what one capacitor shows: amplified, leaked, with the pedestal of its switch."""
    voltage = state * (1 + holders.gain[holder, neuron])
    return voltage * math.exp(-holders.readout.hold_droop * wait) + holders.offset[holder, neuron]


@pytest.mark.parametrize("turns", [(1, 2), (2, 1), (1, 0), (3, 8), "sample"])
@pytest.mark.parametrize("chopping", ["off", "batch", "sample"])
def test_two_phases_are_what_capacitors_hold(turns, chopping):
    """A loop over samples and neurons, for either order, and for an order and a swap of each sample's own."""
    readout, ends = Readout(**FAULTY, chopping=chopping), phases(1)
    holders = Holders(readout, 3, "hidden", SIZE)
    holders.begin("train", 4)
    swap = np.random.default_rng(2).random(SAMPLES) < 0.5
    plus, minus = (np.where(swap, 2, 1), np.where(swap, 1, 2)) if turns == "sample" else turns
    made = PhaseReadout(readout, 3, "dense_1", "post", width=SIZE)
    seen = made.digitised(ends, False, Seen((holders.hold(SAMPLES, plus, minus),)))
    swapped = holders.swapped(SAMPLES)
    for b in range(SAMPLES):
        when = [int(np.broadcast_to(each, SAMPLES)[b]) for each in (plus, minus)]
        for i in range(SIZE):
            held = []
            for state, mine, other in ((ends.plus, *when), (ends.minus, *when[::-1])):
                holder = int(mine > other) ^ int(swapped[b])
                held.append(circuit(holders, state[b, i], holder, max(when) - mine, i))
            assert seen.change[b, i] == pytest.approx(held[0] - held[1], abs=1e-13)
            assert seen.mean[b, i] == pytest.approx((held[0] + held[1]) / 2, abs=1e-13)
            assert seen.plus[b, i] == pytest.approx(held[0], abs=1e-13)
            assert seen.minus[b, i] == pytest.approx(held[1], abs=1e-13)


def test_holders_stay_and_have_their_spread():
    """Standard deviations of 20,000 neurons within 4.5 sigma; gain, offset and both holders uncorrelated."""
    many = 20000
    made = Holders(Readout(**FAULTY), 1, "hidden", many)
    again = Holders(Readout(**FAULTY), 1, "hidden", many)
    again.begin("train", 7)
    rows = [*(made.gain / 0.03), *(made.offset / 0.02)]
    for row, other in zip(rows, [*(again.gain / 0.03), *(again.offset / 0.02)], strict=True):
        np.testing.assert_array_equal(row, other)
        assert abs(row.std() - 1) < 4.5 / np.sqrt(2 * many) and abs(row.mean()) < 4.5 / np.sqrt(many)
    assert np.abs(np.corrcoef(rows) - np.eye(4)).max() < 4.5 / np.sqrt(many)
    assert not np.array_equal(Holders(Readout(**FAULTY), 2, "hidden", many).offset, made.offset)
    assert not np.array_equal(Holders(Readout(**FAULTY), 1, "other", many).offset, made.offset)


@pytest.mark.parametrize("chopping", ["batch", "sample"])
def test_holders_are_swapped_half_of_the_time(chopping):
    holders, found = Holders(Readout(**FAULTY, chopping=chopping), 1, "hidden", SIZE), []
    for batch in range(400):
        holders.begin("train", batch)
        found.append(holders.swapped(50))
    found = np.array(found)
    assert (found == found[:, :1]).all() == (chopping == "batch")
    values = found[:, 0] if chopping == "batch" else found
    assert abs(values.mean() - 0.5) < 4.5 * 0.5 / np.sqrt(values.size)
    other = Holders(Readout(**FAULTY, chopping=chopping), 1, "another layer", SIZE)
    other.begin("train", 399)
    np.testing.assert_array_equal(other.swapped(50), found[-1])  # one switch for all neurons


def test_both_ends_see_the_same_noise_and_it_is_held_once():
    """The post side of one synapse and the pre side of the next: one capacitor, one draw, one hold."""
    readout, ends = Readout(signal="difference", hold_noise=1e-2), phases(1, (200, 40))
    holders = Holders(readout, 3, "hidden", 40)
    hold = holders.hold(200, 1, 2)
    seen = [
        PhaseReadout(readout, 3, synapse, end).digitised(ends, False, Seen((hold,)))
        for synapse, end in (("dense_1", "post"), ("dense_2", "pre"))
    ]
    for name in ("change", "mean", "plus", "minus"):
        np.testing.assert_array_equal(*(np.asarray(getattr(one, name)) for one in seen))
    assert holders.tally.total("hold") == 2 * ends.plus.size
    later = PhaseReadout(readout, 3, "dense_1", "post").digitised(ends, False, Seen((holders.hold(200, 1, 2),)))
    errors = (seen[0].change - ends.change).ravel(), (later.change - ends.change).ravel()
    assert abs(np.corrcoef(errors)[0, 1]) < 4.5 / np.sqrt(ends.plus.size)


@pytest.mark.parametrize("times", [1, 4])
@pytest.mark.parametrize("zero", ["off", "sample"])
def test_noise_of_repeated_holds_and_of_a_zero(times, zero):
    """std(change) = sqrt(2/n) hold_noise, and sqrt(2) of that with a zero of every sample; 4.5 sigma of 40,000."""
    readout = Readout(signal="difference", hold_noise=1e-2, holds=times, hold_offset=0.3, auto_zero=zero)
    ends, free = phases(1, (400, 100)), phases(2, (400, 100)).plus
    holders = Holders(readout, 3, "hidden", 100)
    made = PhaseReadout(readout, 3, "dense_1", "post", width=100)
    seen = made.digitised(ends, False, Seen((holders.hold(400, 1, 2),), None, Moved(free, free)))
    offset = 0.0 if zero == "sample" else holders.offset[0] - holders.offset[1]
    error = seen.change - ends.change - offset
    wanted = np.sqrt((4 if zero == "sample" else 2) / times) * 1e-2
    assert abs(error.std() / wanted - 1) < 4.5 / np.sqrt(2 * error.size)
    assert holders.tally.total("hold") == times * ends.plus.size * (4 if zero == "sample" else 2)
    _ = seen.mean
    assert holders.tally.total("hold") == times * ends.plus.size * (4 if zero == "sample" else 2)


def test_converters_are_paid_for_every_hold_and_every_zero():
    readout = Readout(signal="difference", bits=8, hold_noise=1e-2, hold_offset=0.1, holds=3, auto_zero="sample")
    ends, free = phases(1), phases(2).plus
    made = PhaseReadout(readout, 3, "dense_1", "post", width=SIZE)
    made.observe()
    _ = made.digitised(ends, False).change
    made.freeze()
    before = made.conversions
    hold = Holders(readout, 3, "hidden", SIZE).hold(SAMPLES, 1, 2)
    seen = made.digitised(ends, False, Seen((hold,), None, Moved(free, free)))
    _ = seen.change, seen.mean, seen.plus
    assert made.conversions - before == 3 * 3 * ends.plus.size  # change, mean and zero


@pytest.mark.parametrize("turns", [(1, 2), (2, 1)])
def test_a_zero_takes_away_what_holders_do_to_the_free_state(turns):
    readout, ends, free = Readout(**FAULTY, auto_zero="sample"), phases(1), phases(2).plus
    near = Moved(free + 1e-3 * ends.plus, free + 1e-3 * ends.minus)
    holders = Holders(readout, 3, "hidden", SIZE)
    made = PhaseReadout(readout, 3, "dense_1", "post", width=SIZE)
    seen = made.digitised(near, False, Seen((holders.hold(SAMPLES, *turns),), None, Moved(free, free)))
    gain = [holders.gain[0], holders.gain[1]] if turns == (1, 2) else [holders.gain[1], holders.gain[0]]
    loss = [math.exp(-0.1), 1.0] if turns == (1, 2) else [1.0, math.exp(-0.1)]
    plus, minus = ((1 + g) * left for g, left in zip(gain, loss, strict=True))
    np.testing.assert_allclose(seen.change, 1e-3 * (plus * ends.plus - minus * ends.minus), atol=1e-12)


def test_a_running_mean_learns_the_offset_with_updates_alone():
    """A loop over updates: means of the first, then a memory of a hundred; what no update used leaves no trace."""
    readout = Readout(signal="difference", hold_offset=0.1, hold_noise=1e-2, auto_zero="mean", chopping="sample")
    holders, made = Holders(readout, 3, "hidden", SIZE), PhaseReadout(readout, 3, "dense_1", "post", width=SIZE)
    mean, kept = np.zeros(SIZE), 0
    for update in range(1, 131):
        ends, free = phases(update, (40, SIZE)), phases(-update % 1000, (40, SIZE)).plus
        for part in (holders, made):
            part.begin("train", update)
        hold = holders.hold(40, 1, 2)
        seen = made.digitised(ends, False, Seen((hold,), None, Moved(free, free)))
        sign = np.where(holders.swapped(40), -1.0, 1.0)[:, None]
        noise = [hold.noise(0, draw, (40, SIZE), np.dtype("float64")) for draw in range(4)]
        apart = sign * (holders.offset[0] - holders.offset[1])
        zero = (sign * (apart + noise[2] - noise[3])).mean(0)
        followed = mean + (zero - mean) / min(kept + 1, 100)
        np.testing.assert_allclose(seen.change, ends.change + apart + noise[0] - noise[1] - sign * followed, atol=1e-12)
        if update % 10:
            made.updated()
            mean, kept = followed, kept + 1
        else:
            before = made.zero.copy()
            made.begin("probe")
            made.updated()
            np.testing.assert_array_equal(made.zero, before)
    assert np.abs(made.zero - (holders.offset[0] - holders.offset[1])).max() < 1e-3
    again = PhaseReadout(readout, 3, "dense_1", "post", width=SIZE)
    again.load(made.state())
    np.testing.assert_array_equal(again.zero, made.zero)
    assert again.zeros == made.zeros


def test_rows_of_tokens_are_the_neurons_of_a_layer_that_shows_them_all():
    """Two samples of 3 and 1 tokens, padded to 4: errors and noise of the flat state and of its token rows."""
    readout, dim = Readout(**FAULTY, hold_noise=1e-2), 2
    holders = Holders(readout, 3, "flat", 4 * dim)
    places = Places(np.array([0, 0, 0, 1]), np.array([0, 1, 2, 0]))
    flat = phases(1, (2, 4 * dim))
    tokens = Moved(*(each.reshape(2, 4, dim)[places] for each in (flat.plus, flat.minus)))
    hold = holders.hold(2, np.array([1, 2]), np.array([2, 1]))
    rows, whole = (
        PhaseReadout(readout, 3, "s", end).digitised(signal, False, Seen((hold,), where))
        for end, signal, where in (("post", tokens, places), ("pre", flat, None))
    )
    for name in ("change", "mean"):
        wanted = np.asarray(getattr(whole, name)).reshape(2, 4, dim)[places]
        np.testing.assert_allclose(getattr(rows, name), wanted, atol=1e-15)


def test_layers_side_by_side_keep_their_own_holders():
    readout, ends = Readout(**FAULTY, hold_noise=1e-2), phases(1, (SAMPLES, 7))
    holders = [Holders(readout, 3, name, size) for name, size in (("one", 3), ("two", 4))]
    holds = tuple(each.hold(SAMPLES, 1, 2) for each in holders)
    both = PhaseReadout(readout, 3, "dense", "pre").digitised(ends, False, Seen(holds))
    for hold, cut in zip(holds, (slice(0, 3), slice(3, 7)), strict=True):
        part = Moved(ends.plus[:, cut], ends.minus[:, cut])
        alone = PhaseReadout(readout, 3, "before", "post").digitised(part, False, Seen((hold,)))
        np.testing.assert_allclose(both.change[:, cut], alone.change, atol=1e-15)
        np.testing.assert_allclose(both.mean[:, cut], alone.mean, atol=1e-15)


def test_a_state_that_is_digitised_by_itself_has_the_noise_of_its_sample():
    """signal = states: both phases 4.5 sigma of 40,000, uncorrelated, and no hold is counted."""
    readout, ends = Readout(hold_noise=1e-2), phases(1, (400, 100))
    seen = PhaseReadout(readout, 3, "dense_1", "post").digitised(ends, False)
    errors = [(seen.plus - ends.plus).ravel(), (seen.minus - ends.minus).ravel()]
    for error in errors:
        assert abs(error.std() / 1e-2 - 1) < 4.5 / np.sqrt(2 * error.size)
    assert abs(np.corrcoef(errors)[0, 1]) < 4.5 / np.sqrt(errors[0].size)
