"""Samples that leave their phase once they have settled, against every sample settled by itself."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hw_models.chip import Chip
from neuroep import engines
from neuroep.engines import leaving
from neuroep.engines.numba import attention
from neuroep.engines.schedule import BY_SAMPLE, Schedule
from neuroep.errors import ConfigError
from neuroep.gradients import angles
from neuroep.gradients.estimators import Estimator
from tests import cases
from tests.neuroep.engines import sides

SAMPLES, BETA = 7, 0.3
FREE = Schedule(steps=60, tolerance=1e-3)
NUDGED = Schedule(steps=60, tolerance=0.02, form="differences")
NETWORKS = ("sentiment", "pooled_sentiment", "inference", "pooled_inference", "deep", "woven")
PLACES = [("local", "none"), ("local", "anderson"), ("cpu", "none"), ("cpu", "anderson")]
on_both = pytest.mark.parametrize(("where", "acceleration"), PLACES)


@pytest.fixture
def eager(monkeypatch):
    """Let a sample leave as soon as it has settled, however few they are."""
    monkeypatch.setattr(leaving, "SHARE", 0.0)


def missed(changes):
    """Return what a sample misses after these sweeps, by the equation, sweep by sweep."""
    slowest = 0.0
    for sweep in range(3, len(changes) + 1):
        before, now = changes[sweep - 2], changes[sweep - 1]
        if before > 0:
            slowest = max(slowest, now / before)
    slowest = min(slowest, 0.95)
    return changes[-1] * max(1.0, slowest / (1 - slowest))


def sweep_by_the_rule(changes, tolerance):
    """Return the first sweep after which a sample misses no more than that."""
    met = (count for count in range(1, len(changes)) if missed(changes[:count]) <= tolerance)
    return next(met, len(changes))


class Case:
    """A network whose samples settle in unlike numbers of sweeps."""

    def __init__(self, name, where, acceleration, potential="hard_sigmoid", mask=True):
        self.net = sides.network(name, potential, mask)
        theta = sides.parameters(self.net, 0.5 if potential == "linear" else 2.5)  # it diverges otherwise
        self.engine = cases.engine(where, self.net, theta, dtype="float64")
        self.batch = cases.batch(self.net, SAMPLES, spread=2.0)
        self.free = replace(FREE, acceleration=acceleration)
        self.nudged = replace(NUDGED, acceleration=acceleration)
        self.alone = [cases.take(self.batch, [number]) for number in range(SAMPLES)]

    def left(self, schedule):
        return replace(schedule, stop=BY_SAMPLE)

    def states(self, state):
        return {name: self.engine.to_numpy(value) for name, value in state.values.items()}

    def settled_alone(self):
        """Return every sample's clamped batch and free phase by itself, as long as the equation says."""
        clamped = [self.engine.clamp(one) for one in self.alone]
        long = self.free.whole(FREE.steps)
        seen = [self.engine.settle(one, long, record=("change",)).trace.change for one in clamped]
        sweeps = [sweep_by_the_rule(changes, self.free.tolerance) for changes in seen]
        return clamped, [self.engine.settle(one, self.free.whole(n)) for one, n in zip(clamped, sweeps, strict=True)]

    def nudged_alone(self, clamped, free):
        """Return the displacements of both nudges of a sample after every sweep, by layer (sweeps, nudges, size)."""
        found = []
        for one, start in zip(clamped, free, strict=True):
            both = self.engine.nudge(one, self.nudged.whole(NUDGED.steps), [BETA, -BETA], start, ("states",))
            paths = [[self.states(state.moved) for state in phase.trace.states] for phase in both]
            found.append({name: np.array([[d[name][0] for d in path] for path in paths]) for name in paths[0][0]})
        return found

    def sweeps_by_the_rule(self, paths, tolerance, least):
        """Return the sweep in which each sample leaves, by the equation, sample by sample and layer by layer."""
        left, sweep, told = {}, 0, {number: [] for number in range(len(paths))}
        while len(left) < len(paths):
            sweep += 1
            shares = dict.fromkeys(set(range(len(paths))) - set(left), 0.0)
            for name in paths[0]:
                for nudge in range(2):
                    most = max(
                        np.abs(path[name][nudge, left.get(number, sweep) - 1]).max()
                        for number, path in enumerate(paths)
                    )
                    for number in shares:
                        now = paths[number][name][nudge, sweep - 1]
                        before = paths[number][name][nudge, sweep - 2] if sweep > 1 else 0 * now
                        change = np.abs(now - before).max()
                        if change > 1e-15 * most:
                            shares[number] = max(shares[number], change / most)
            for number, share in shares.items():
                told[number].append(share)
            if sweep >= least:
                last = sweep == NUDGED.steps
                left |= {number: sweep for number in shares if last or missed(told[number]) <= tolerance}
        return [left[number] for number in range(len(paths))]


@on_both
@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.usefixtures("eager")
def test_every_sample_settles_as_by_itself(name, where, acceleration):
    """Free phases: states, attention weights, energies, sweeps and what is counted."""
    check_free(Case(name, where, acceleration))


def check_free(case):
    engine, clamped = case.engine, case.engine.clamp(case.batch)
    _, alone = case.settled_alone()
    sweeps = [each.steps for each in alone]
    assert len(set(sweeps)) > 1
    before = engine.settle_steps
    found = engine.settle(clamped, case.left(case.free))
    assert found.steps == max(sweeps)
    assert engine.settle_steps - before == sum(sweeps)
    assert found.converged and 0 < found.residual <= case.free.tolerance
    for layer, value in case.states(found.state).items():
        wanted = np.concatenate([case.states(each.state)[layer] for each in alone])
        np.testing.assert_allclose(value, wanted, rtol=0, atol=1e-12)
    np.testing.assert_allclose(found.energy, np.concatenate([each.energy for each in alone]), rtol=0, atol=1e-11)


@on_both
@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.usefixtures("eager")
def test_every_sample_learns_as_by_itself(name, where, acceleration):
    """Nudged phases: the gradient is the mean of those of samples alone, in as many sweeps as the rule says."""
    check_nudged(Case(name, where, acceleration))


def check_nudged(case):
    engine = case.engine
    clamped, free = case.settled_alone()
    paths = case.nudged_alone(clamped, free)
    least = max(case.nudged.arrivals(case.net).values())
    sweeps = case.sweeps_by_the_rule(paths, case.nudged.tolerance, least)
    assert len(set(sweeps)) > 1
    wanted: dict[str, np.ndarray] = {}
    for one, start, count in zip(case.alone, free, sweeps, strict=True):
        how = Estimator("centred", BETA, case.free.whole(start.steps), case.nudged.whole(count))
        for synapse, value in how.gradient(engine, one).items():
            wanted[synapse] = wanted.get(synapse, 0) + value / SAMPLES
    before = engine.settle_steps
    estimator = Estimator("centred", BETA, case.left(case.free), case.left(case.nudged))
    found = estimator.gradient(engine, case.batch)
    assert engine.settle_steps - before == sum(each.steps for each in free) + 2 * sum(sweeps)
    for synapse, value in wanted.items():
        np.testing.assert_allclose(found[synapse], value, rtol=0, atol=1e-11 * max(1, np.abs(value).max()))


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("name", ["sentiment", "inference", "woven", "pooled_sentiment"])
@pytest.mark.usefixtures("eager")
def test_padding_that_takes_part(name, packed, monkeypatch):
    """Where padding shares as one pattern, and where logits of pairs lie packed and feedback is computed in parts."""
    if packed:
        monkeypatch.setattr(attention, "LOGITS", 1)
    for acceleration in ("none", "anderson"):
        check_free(Case(name, "local", acceleration, mask=False))
        check_nudged(Case(name, "local", acceleration, mask=False))


@pytest.mark.parametrize("potential", ["smooth_sigmoid", "tanh", "linear", "mixed"])
@pytest.mark.usefixtures("eager")
def test_neurons_of_every_kind(potential):
    """Both engines leave samples in the same sweeps, with the same gradient."""
    found = []
    for where in ("local", "cpu"):
        case = Case("deep", where, "anderson", potential)
        estimator = Estimator("centred", BETA, case.left(case.free), case.left(case.nudged))
        gradient = estimator.gradient(case.engine, case.batch)
        found.append((gradient, case.engine.settle_steps))
    assert found[0][1] == found[1][1]
    for name, value in found[0][0].items():
        np.testing.assert_allclose(found[1][0][name], value, rtol=0, atol=1e-10)


@on_both
def test_every_sample_is_as_far_from_rest_as_the_tolerance_says(where, acceleration):
    """The slowest one takes no fewer sweeps than all of them otherwise; those that left before miss no more."""
    case = Case("inference", where, acceleration)
    clamped = case.engine.clamp(case.batch)
    rest = case.states(case.engine.settle(clamped, Schedule(steps=400, tolerance=1e-13)).state)
    whole, found = (case.engine.settle(clamped, each) for each in (case.free, case.left(case.free)))
    assert found.steps >= whole.steps and found.residual <= case.free.tolerance
    reached = case.states(found.state)
    apart = max(np.abs(reached[name] - value).max() for name, value in rest.items())
    assert 0 < apart < 3 * case.free.tolerance


@pytest.mark.parametrize("ratio", [0.2, 0.5, 0.8, 0.9])
def test_a_pace_is_known_by_the_changes(ratio):
    """Of changes that fall by a share in each sweep the rest of the series is missing, in time and out of order."""
    pace, rows, changes = leaving.Pace(5), np.arange(5), np.array([1.0, 3, 0, 1, 2])
    for sweep in range(1, 8):
        missing = pace.missing(changes * ratio**sweep, rows, sweep)
    rest = changes * ratio**7 * max(1, ratio / (1 - ratio))
    np.testing.assert_allclose(missing, rest)
    rows = np.array([1, 4])
    missing = pace.missing(changes[rows] * ratio**10, rows, 10)  # looked at three sweeps later
    np.testing.assert_allclose(missing, rest[rows] * ratio**3)


def test_a_sample_that_has_once_been_slow_waits():
    """Its last change is small, as one towards the fixed point of rounded products that full ones have just left."""
    pace, rows = leaving.Pace(2), np.arange(2)
    for sweep, changes in enumerate([[1, 1], [0.1, 0.1], [0.08, 0.02], [0.06, 4e-3], [1e-3, 1e-3]], start=1):
        missing = pace.missing(np.array(changes), rows, sweep)
    np.testing.assert_allclose(missing, [4e-3, 1e-3])
    growing = leaving.Pace(1)
    for sweep, change in enumerate([1.0, 0.1, 0.2, 0.0], start=1):
        assert np.isfinite(growing.missing(np.array([change]), np.array([0]), sweep)).all()
    assert growing.missing(np.array([1e-3]), np.array([0]), 5) == pytest.approx(19e-3)


def test_few_wait_for_others():
    """One of nine is less than an eighth: it goes on until another one has settled."""
    residuals = np.array([1e-4, *[1.0] * 8])
    assert leaving.leavers(residuals, 1e-3) is None
    residuals[3] = 1e-3
    np.testing.assert_array_equal(leaving.leavers(residuals, 1e-3), residuals > 1e-3)
    assert leaving.leavers(residuals, 1e-5) is None
    assert leaving.leavers(np.array([np.nan, 0.0]), 1e-3).tolist() == [True, False]


def test_what_has_left_stays_and_the_others_are_put_to_their_place():
    whole = np.zeros(5)

    def put(whole, some, move):
        whole[move.places] = some[move.rows]

    left = leaving.Left(whole, 5, put)
    left.leave(whole, np.array([True, False, True, True, False]), np.array([9, 2e-4, 9, 9, 1e-4]))
    np.testing.assert_array_equal(left.whole(np.array([1.0, 2, 3])), [1, 0, 2, 3, 0])
    left.leave(np.array([4.0, 5, 6]), np.array([False, True, False]), np.array([1e-5, 9, 3e-5]))
    assert left.rows.tolist() == [2]
    np.testing.assert_array_equal(left.whole(np.array([7.0])), [4, 0, 7, 6, 0])
    assert left.residual == 2e-4


@pytest.mark.parametrize("name", ["sentiment", "pooled_inference"])
def test_threads_change_no_bit(name):
    net = sides.network(name, "hard_sigmoid", True)
    theta, batch = sides.parameters(net, 2.5), cases.batch(net, 40, spread=2.0)
    schedules = [replace(each, stop=BY_SAMPLE, acceleration="anderson") for each in (FREE, NUDGED)]
    found = []
    for threads in (1, 2):
        engine = engines.build("local", net, theta, threads=threads)
        gradient = Estimator("centred", BETA, *schedules).gradient(engine, batch)
        found.append((gradient, engine.settle_steps))
    cases.assert_same(found[0][0], found[1][0])
    assert found[0][1] == found[1][1]


def test_a_phase_seen_sweep_by_sweep_shows_all_samples():
    """And is the one that is settled at once; the recorded states and energies are of the whole batch."""
    case = Case("inference", "local", "none")
    clamped = case.engine.clamp(case.batch)
    whole = case.engine.settle(clamped, case.left(case.free), record=("states", "energy", "change"))
    phase = case.engine.sweeps(clamped, case.left(case.free))
    seen = [{name: value.copy() for name, value in state.values.items()} for state in phase]
    assert len(seen) == whole.steps
    for state, kept, energy in zip(seen, whole.trace.states, whole.trace.energy, strict=True):
        cases.assert_same(state, kept.values)
        assert energy.shape == (SAMPLES,)
    both = case.engine.nudge(clamped, case.left(case.nudged), [BETA, -BETA], whole, ("states", "energy"))
    for settled in both:
        assert settled.trace.energy[-1].shape == (SAMPLES,)
        np.testing.assert_array_equal(settled.trace.states[-1].values["output"], settled.state.values["output"])


def test_what_has_no_samples_that_leave():
    net = sides.network("sentiment", "hard_sigmoid", True)
    batch = cases.batch(net, SAMPLES)
    exact = cases.engine("local", net)
    free = exact.settle(batch, FREE)
    with pytest.raises(ConfigError, match=r"^stop is 'by_sample': both ends of a contrast take the same"):
        exact.settle(batch, replace(FREE, stop=BY_SAMPLE), 0.1, free)
    with pytest.raises(ConfigError, match=r"^stop is 'by_sample': a chip settles its states as they are"):
        engines.build("local", net, chip=Chip.ideal()).settle(batch, replace(FREE, stop=BY_SAMPLE))
    with pytest.raises(ConfigError, match=r"^stop = 'by_sample': it goes with dt = 1, not dt = 0\.5; use"):
        Schedule(dt=0.5, stop=BY_SAMPLE)


def test_nothing_is_replayed_that_changes_its_shape():
    case = Case("sentiment", "cpu", "none")

    class Refusing:
        def run(self, *_):
            message = "a phase was to be replayed"
            raise AssertionError(message)

    case.engine.substrate.replay = Refusing()
    clamped = case.engine.clamp(case.batch)
    free = case.engine.settle(clamped, case.left(case.free))
    case.engine.nudge(clamped, case.left(case.nudged), [BETA], free)


@pytest.mark.usefixtures("eager")
def test_where_products_are_rounded_at_first():
    """All samples are there again when products are read in full, and settle as in full precision alone."""
    net = sides.network("inference", "hard_sigmoid", True)
    theta, batch = sides.parameters(net, 2.5), cases.batch(net, 40, spread=2.0)
    exact = engines.build("local", net, theta, dtype="float64")
    rest = Schedule(steps=400, tolerance=1e-11)
    wanted = Estimator("centred", BETA, rest, replace(NUDGED, steps=400, tolerance=1e-7))
    how = {"stop": BY_SAMPLE, "acceleration": "anderson"}
    free, nudged = replace(FREE, tolerance=1e-4, **how), replace(NUDGED, tolerance=0.005, **how)
    engine = engines.build("local", net, theta, products="bfloat16")
    clamped = engine.clamp(batch)
    found = engine.settle(clamped, free)
    settled = exact.settle(batch, rest)
    for layer, value in exact.states(settled).items():
        assert np.abs(engine.states(found)[layer] - value).max() < 20 * free.tolerance
    assert found.residual <= free.tolerance and len(found.state.values["output"]) == 40
    assert engine.settle_steps < 40 * found.steps
    gradient = Estimator("centred", BETA, free, nudged).gradient(engine, batch)
    for name, value in wanted.gradient(exact, batch).items():
        assert angles.relative_error(gradient[name], value) < 0.05, name
