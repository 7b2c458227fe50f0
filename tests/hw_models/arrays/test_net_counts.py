"""Counters of coincidences: those of the slow twin, their moments, what does not fit, what waits, what it takes."""

from __future__ import annotations

import numba
import numpy as np
import pytest

from hw_models import durations
from hw_models.arrays.net_counts import NetCounts
from hw_models.arrays.pulses import PulsedDevices
from hw_models.arrays.trains import Trains
from hw_models.chip import Pulse, Timing, Update
from hw_models.chip.counter import Counter
from hw_models.errors import ChipError
from hw_models.kernels import random as randomness
from hw_models.kernels.blocks import serial
from hw_models.tally import CurrentPhase, Tally
from tests.naive import net_counts as naive

pytestmark = pytest.mark.kernels
compiled = pytest.mark.skipif(bool(numba.config.DISABLE_JIT), reason="statistics of many updates")
GRANULE, SHAPE = 1e-3, (3, 5)


def scheme(management=True, **counter):
    return Update(scheme="pulsed", signals="net_counts", management=management, counter=Counter(**counter))


def counted(update, shape=SHAPE, tally=None):
    trains = Trains(0, "a", serial)
    return NetCounts(shape, update, GRANULE, trains, Tally() if tally is None else tally)


def phases(rows=4, shape=SHAPE, apart=0.05, seed=0):
    """Both phases of a batch, signed, one row silent, one line that changes its sign."""
    rng = np.random.default_rng(seed)
    minus = [rng.normal(size=(rows, size)).astype("f4") for size in shape]
    plus = [(side + apart * rng.normal(size=side.shape)).astype("f4") for side in minus]
    plus[1][0, 0] = -minus[1][0, 0]
    if rows > 1:
        minus[0][1] = plus[0][1] = 0
    return [(-1.0, *minus), (1.0, *plus)]


def drawn(step):
    def uniforms(term, side, word, slot, size):
        key = randomness.key(0, "pulse", "a", "trains", 0, term, side)
        return randomness.uniforms(key, step, slot, (1, size), first_row=word)[0]

    return uniforms


@pytest.mark.parametrize("rate", [2e-4, 0.02])
@pytest.mark.parametrize("draws", ["replayed", "independent"])
@pytest.mark.parametrize(("overflow", "bits"), [("saturate", 3), ("saturate", 9), ("wrap", 2), ("wrap", 8)])
@pytest.mark.parametrize("management", [True, False])
def test_counters_are_those_of_the_slow_twin(management, overflow, bits, draws, rate):
    """Several words for a train, and counters that are full: the same draws, so the same counts, at both precisions."""
    update = scheme(management, slots=150, shift=0, bits=bits, overflow=overflow, draws=draws)
    for dtype in ("f4", "f8"):
        own = counted(update)
        terms = [(sign, post.astype(dtype), pre.astype(dtype)) for sign, post, pre in phases()]
        want, met = naive.count(np.zeros(SHAPE, int), terms, rate, GRANULE, update, drawn(6))
        np.testing.assert_array_equal(own.count(terms, rate, 6), want)
        assert own.met == met > 0
        assert own.lost == 0 if bits > 3 else own.lost > 0 or rate < 0.01


@compiled
@pytest.mark.parametrize("draws", ["replayed", "independent"])
def test_mean_and_variance_are_those_of_the_equations(draws):
    """4000 batches of one sample of 20 slots: five standard errors of every device."""
    update, rng = scheme(False, slots=20, shift=0, bits=16, draws=draws), np.random.default_rng(1)
    rate, ways = 20 * GRANULE, rng.choice([-1.0, 1.0], 8)  # factors are 1: signals are probabilities
    minus = [rng.uniform(0.1, 0.9, (1, size)) * ways[:size] for size in SHAPE]
    plus = [side * rng.uniform(0.7, 1.1, side.shape) for side in minus]
    plus[1][0, 4] *= -1
    own, terms = counted(update), [(-1.0, *minus), (1.0, *plus)]
    found = np.array([own.count(terms, rate, step) for step in range(4000)])
    for i, j in np.ndindex(SHAPE):
        lines = minus[0][0, i], minus[1][0, j], plus[0][0, i], plus[1][0, j]
        mean, variance = (20 * value for value in naive.moments(*lines, draws == "replayed"))
        own_counts = found[:, i, j]
        assert abs(own_counts.mean() - mean) < 5 * np.sqrt(variance / 4000)
        kurtosis = ((own_counts - mean) ** 4).mean() / own_counts.var() ** 2
        assert abs(own_counts.var() / variance - 1) < 5 * np.sqrt((kurtosis - 1) / 4000)


@compiled
@pytest.mark.parametrize("draws", ["replayed", "independent"])
def test_devices_of_a_line_are_correlated_as_their_train_makes_them(draws):
    """Covariances of all pairs of devices against those of single slots, by enumeration of who fires."""
    update, rng = scheme(False, slots=12, shift=0, bits=16, draws=draws), np.random.default_rng(2)
    minus = [rng.uniform(0.2, 0.8, (1, size)) for size in (2, 3)]
    plus = [side * rng.uniform(0.6, 1.2, side.shape) for side in minus]
    own = counted(update, (2, 3))
    found = np.array([own.count([(-1.0, *minus), (1.0, *plus)], 12 * GRANULE, n).ravel() for n in range(4000)])
    moments = {(a, b): 0.0 for a in range(6) for b in range(6)}
    states = [line_states(m, p, draws) for m, p in zip([*minus[0][0], *minus[1][0]], [*plus[0][0], *plus[1][0]],
                                                       strict=True)]  # fmt: skip
    mean = np.zeros(6)
    for chosen in np.ndindex(*(len(each) for each in states)):
        lines = [states[k][c] for k, c in enumerate(chosen)]
        chance = np.prod([line[0] for line in lines])
        step = np.array([d[2] * x[2] - d[1] * x[1] for d in lines[:2] for x in lines[2:]], float)
        mean += chance * step
        for a, b in moments:
            moments[a, b] += chance * step[a] * step[b]
    want = 12 * np.array([[moments[a, b] - mean[a] * mean[b] for b in range(6)] for a in range(6)])
    got, spread = np.cov(found.T), np.sqrt(np.diag(want))
    assert np.abs((got - want) / np.outer(spread, spread)).max() < 5 * np.sqrt(2 / 4000)
    corr = want / np.outer(spread, spread)
    assert np.abs(corr[~np.eye(6, dtype=bool)]).max() > 0.15


def line_states(minus, plus, draws):
    """Probability, and whether a line fires in either phase."""
    if draws == "independent":
        return [((minus if m else 1 - minus) * (plus if p else 1 - plus), m, p) for m in (0, 1) for p in (0, 1)]
    both = min(minus, plus)
    return [(both, 1, 1), (max(minus - plus, 0), 1, 0), (max(plus - minus, 0), 0, 1), (1 - max(minus, plus), 0, 0)]


@compiled
@pytest.mark.parametrize("words", [1 << 22, 16])
def test_slots_samples_chunks_and_updates_are_counted_for_themselves(monkeypatch, words):
    """Four samples that are alike have four times the variance of one, in one chunk or in four, and trains of two words
    twice that of one of half; what an update counts says nothing of the next one's. Five standard errors."""
    monkeypatch.setattr("hw_models.arrays.net_counts.WORDS", words)
    rng, many = np.random.default_rng(3), 800
    minus = [rng.uniform(0.2, 0.8, (1, size)) for size in (2, 3)]
    plus = [side * rng.uniform(0.8, 1.2, side.shape) for side in minus]

    def found(rows, slots):
        own = counted(scheme(False, slots=slots, shift=0, bits=20), (2, 3))
        terms = [(sign, *(np.repeat(side, rows, 0) for side in sides)) for sign, sides in ((-1.0, minus), (1.0, plus))]
        return np.array([own.count(terms, slots * GRANULE, step).ravel() for step in range(many)], float)

    one, four, half = found(1, 70), found(4, 70), found(1, 35)
    error = 5 * np.sqrt(2 * 2 / many)
    np.testing.assert_allclose(four.var(0) / one.var(0), 4, rtol=error)
    np.testing.assert_allclose(one.var(0) / half.var(0), 2, rtol=error)
    for counts in (one, four):
        apart = (counts - counts.mean(0)) / counts.std(0)
        assert np.abs((apart[1:] * apart[:-1]).mean(0)).max() < 5 / np.sqrt(many)


def test_phases_that_are_alike_leave_nothing_where_draws_are_replayed():
    alike = phases(rows=20, apart=0.0)
    alike = [(-1.0, *alike[0][1:]), (1.0, *alike[0][1:])]
    assert not counted(scheme(slots=63)).count(alike, 0.02, 0).any()
    noisy = counted(scheme(slots=63, draws="independent", shift=0)).count(alike, 0.02, 0)
    assert np.abs(noisy).max() > 3


def test_noise_goes_by_what_the_phases_differ_by():
    """Of phases a hundredth apart replayed counts stray a tenth as far as independent ones."""
    terms, strays = phases(rows=20, apart=0.01), {}
    terms[1][2][0, 0] = terms[0][2][0, 0]
    for draws in ("replayed", "independent"):
        own = counted(scheme(slots=630, shift=0, bits=16, draws=draws))
        strays[draws] = np.std([own.count(terms, 0.05, step) for step in range(60)], axis=0).mean()
    assert 0.05 < strays["replayed"] / strays["independent"] < 0.2


def test_a_counter_that_wraps_needs_room_for_what_is_left_alone():
    terms = phases(rows=30)
    whole, short, full = (
        counted(scheme(slots=63, shift=0, bits=bits, overflow=how)).count(terms, 0.02, 3)
        for bits, how in ((20, "wrap"), (6, "wrap"), (6, "saturate"))
    )
    assert np.abs(whole).max() < 32
    np.testing.assert_array_equal(short, whole)
    assert (full != whole).any()
    held = counted(scheme(slots=63, shift=0, bits=9, overflow="saturate"))
    np.testing.assert_array_equal(held.count(terms, 0.02, 3), whole)
    assert held.lost == 0


def test_what_counters_lose_is_told():
    lossy = counted(scheme(slots=63, shift=0, bits=4, overflow="saturate"))
    lossy.count(phases(rows=30), 0.02, 0)
    assert 0 < lossy.lost <= lossy.met
    alone = [(-1.0, *(np.ones((1, size)) for size in SHAPE)), (1.0, *(np.zeros((1, size)) for size in SHAPE))]
    own = counted(scheme(False, slots=40, shift=0, bits=5))
    assert (own.count(alone, 40 * GRANULE, 0) == -8).all()  # -40 and once round
    assert own.lost == 32 * 15 and own.met == 40 * 15


def test_what_comes_round_in_another_chunk_is_not_lost(monkeypatch):
    """40 down in each of four samples, then 40 up in each of four: a counter of 5 bits ends where it began."""
    ones, none = np.ones((4, 1)), np.zeros((4, 1))
    phases = [(sign, np.concatenate(both) * np.ones((8, 3)), np.ones((8, 5)))
              for sign, both in ((-1.0, (ones, none)), (1.0, (none, ones)))]  # fmt: skip
    for words in (1 << 22, 16):
        monkeypatch.setattr("hw_models.arrays.net_counts.WORDS", words)
        own = counted(scheme(False, slots=40, shift=0, bits=5))
        assert not own.count(phases, 40 * GRANULE, 0).any()
        assert own.lost == 0 and own.met == 2 * 4 * 40 * 15


@pytest.mark.parametrize(("first", "room", "cut"), [(0.0, 1.0, 1), (0.1, 0.25, 1), (0.4, 0.25, 1), (0.9, 0.25, 0)])
def test_a_second_phase_that_trains_were_not_fitted_to_is_told(first, room, cut):
    """Of a silent first phase nothing is counted, of one of a tenth a thirtieth of what was wanted."""
    terms = [(-1.0, np.full((2, 3), first), np.ones((2, 5))), (1.0, np.ones((2, 3)), np.ones((2, 5)))]
    terms[0][1][1] = terms[1][1][1] = 0.5  # the other sample is fitted
    own = counted(scheme(slots=4095, shift=0, bits=20, room=room))
    mean = np.mean([own.count(terms, 0.2, step) for step in range(20)])
    assert own.cut == 20 * cut and own.sent == 40 and own.short == 0
    wanted = 0.2 * (1 - first) / GRANULE
    assert mean < 0.7 * wanted if cut else mean == pytest.approx(wanted, rel=0.1)


def test_counts_that_wait_stay_as_large_where_the_range_grows():
    """Twice the range: each count stands for twice the weight, so there are half as many."""
    own = counted(scheme(slots=500, shift=4, bits=16))
    own.counters[:] = [[9, -9, 1, -1, 15]] * 3
    own.widened(2.0)
    np.testing.assert_array_equal(own.counters, [[4, -4, 0, 0, 7]] * 3)


def test_a_count_is_local():
    """What other lines do changes nothing at a device: the generators and factors of its own lines alone."""
    terms, update = phases(), scheme(False, slots=70, shift=0)
    before = counted(update).count(terms, 0.02, 0)
    for _, post, pre in terms:
        post[:, 2], pre[:, 4] = 0.7, -0.2
    after = counted(update).count(terms, 0.02, 0)
    np.testing.assert_array_equal(before[:2, :4], after[:2, :4])
    assert (before[2] != after[2]).any() and (before[:, 4] != after[:, 4]).any()


def test_what_is_below_a_pulse_waits_in_the_counter():
    """Of a shift of 3 a pulse is 8 counts; the sum of both is what a shift of 0 counts finer."""
    update, terms = scheme(slots=500, shift=3, bits=16), phases()
    own, given = counted(update), np.zeros(SHAPE, int)
    counts = np.zeros(SHAPE, int)
    for step in range(4):
        counts = naive.count(counts, terms, 0.002, GRANULE / 8, update, drawn(step))[0]
        pulses = own.count(terms, 0.002, step)
        given += pulses
        counts -= 8 * pulses
        np.testing.assert_array_equal(own.counters, counts)
        assert np.abs(own.counters).max() < 8
    assert given.any() and set(own.kept) == {"counts"}


def test_a_count_of_a_negative_shift_is_several_pulses():
    update, terms = scheme(slots=63, shift=-2), phases()
    own = counted(update)
    want = naive.count(np.zeros(SHAPE, int), terms, 0.02, 4 * GRANULE, update, drawn(0))[0]
    np.testing.assert_array_equal(own.count(terms, 0.02, 0), 4 * want)
    assert not own.counters.any() and not own.kept


def test_an_unset_shift_follows_the_longest_train():
    """The first update finds 1 pulse a count; then as many as the train needs, and it is no longer too short."""
    own, terms = counted(scheme(slots=10)), phases()
    assert own.shift == 0
    own.count(terms, 0.02, 0)
    asked, short = float(own.asked), own.short
    assert short > 0 and own.shift == -int(np.ceil(np.log2(asked / 10))) < 0
    own.short = 0
    own.count(terms, 0.02, 1)
    assert own.short == 0 and float(own.asked) == asked
    own.count(terms, 1e-5, 2)
    assert own.shift == 0 and set(own.kept) == {"asked"}


@compiled
def test_trains_too_short_shrink_the_update_and_keep_its_direction():
    """4000 updates: 5 % of the size are 5.8 standard errors; one line that shrank twice as far would leave 0.964."""
    terms = phases(rows=1, apart=0.3)
    terms[1][2][0, 0] = terms[0][2][0, 0]
    own = counted(scheme(slots=7, shift=0, bits=16, room=1.0))
    mean = np.mean([own.count(terms, 0.05, step) for step in range(4000)], axis=0)
    wanted = terms[1][1].T @ terms[1][2] - terms[0][1].T @ terms[0][2]
    assert np.corrcoef(mean.ravel(), wanted.ravel())[0, 1] > 0.99
    assert own.short == own.sent == 4000
    top = 4 * np.abs(terms[0][1]).max() * np.abs(terms[0][2]).max()
    assert (mean * wanted).sum() / (wanted**2).sum() == pytest.approx(7 / top, rel=0.05)


def test_what_is_not_finite_is_told():
    terms = phases()
    terms[1][1][0, 0] = np.nan
    assert counted(scheme()).count(terms, 0.02, 0) is None
    assert counted(scheme()).count(phases(), np.inf, 0) is None


def test_nothing_is_counted_of_silence():
    silent = [(sign, np.zeros((2, 3)), np.ones((2, 5))) for sign in (-1.0, 1.0)]
    own = counted(scheme())
    assert not own.count(silent, 0.02, 0).any() and own.slots == 0


def test_blocks_of_samples_and_threads_change_no_mean(monkeypatch):
    """A batch that is counted in several chunks has other draws, and the same counters where all is certain."""
    ones = [(-1.0, np.zeros((9, 3)), np.zeros((9, 5))), (1.0, np.ones((9, 3)), np.ones((9, 5)))]
    for words in (1 << 22, 64):
        monkeypatch.setattr("hw_models.arrays.net_counts.WORDS", words)
        own = counted(scheme(False, slots=70, shift=0, bits=16))
        assert (own.count(ones, 70 * GRANULE, 0) == 9 * 70).all()
        assert own.slots == 2 * 9 * 70


def test_coincidences_slots_and_seconds_are_written_down():
    tally, update = Tally(), scheme(slots=63, shift=0)
    own = counted(update, tally=tally)
    own.count(phases(), 0.02, 0)
    assert tally.number("count") == own.met > 0
    assert tally.number("counting") == own.slots > 0
    assert durations.counted(Timing(pulse=1e-6), own.slots) == own.slots * 1e-6
    assert durations.counted(Timing(pulse=1e-6, count=1e-9), own.slots) == own.slots * 1e-9


def test_gates_let_pulses_pass_side_by_side():
    """As many slots as the neediest device, up and then down; nobody else is on a selected line."""
    tally = Tally(CurrentPhase())
    devices, weights = PulsedDevices(Pulse(dw_min=1e-3), (2, 3), 0, "a", tally=tally), np.zeros((2, 3), "f4")
    net = np.array([[3, -2, 0], [1, 0, -5]])
    with tally.now.metering():
        given = devices.apply(weights, np.maximum(net, 0), np.maximum(-net, 0), 0, gated=True)
    np.testing.assert_allclose(weights, 1e-3 * net, atol=1e-7)
    assert given == 11 and devices.slots == 8
    made = {name: tally.number(name) for name in ("pulse", "slot", "firing", "half")}
    assert made == {"pulse": 11, "slot": 8, "firing": 8 * 5, "half": 22}


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"scheme": "pulsed", "counter": {"bits": 4}}, "counter.bits"),
        ({"scheme": "pulsed", "signals": "net_counts", "trains": "stochastic"}, "trains"),
        ({"scheme": "pulsed", "signals": "net_counts", "train_length": 7}, "train_length"),
        ({"scheme": "pulsed", "signals": "net_counts", "overlong": "both"}, "overlong"),
        ({"scheme": "digital", "signals": "net_counts"}, "signals"),
        ({"scheme": "pulsed", "signals": "net_counts", "management": False, "counter": {"room": 1.0}}, "counter.room"),
    ],
)
def test_fields_that_cannot_act_are_refused(fields, name):
    with pytest.raises(ChipError, match=rf"{name} = .*acts only"):
        Update(**made(fields))


def test_a_pulse_that_no_counter_reaches_is_refused():
    with pytest.raises(ChipError, match=r"shift = 7: a counter of 8 bits never reaches .* allowed is up to 6"):
        Counter(bits=8, shift=7)
    whole = [(-1.0, *(np.zeros((1, n)) for n in SHAPE)), (1.0, *(np.ones((1, n)) for n in SHAPE))]
    assert (counted(scheme(False, slots=64, bits=8, shift=6)).count(whole, 64 * GRANULE / 64, 0) == 1).all()


def made(fields):
    return {**fields, "counter": Counter(**fields["counter"])} if "counter" in fields else fields
