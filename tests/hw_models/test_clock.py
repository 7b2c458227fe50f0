"""The clock of a chip, against sums over samples written out."""

from __future__ import annotations

import pytest

from hw_models.chip import Timing
from hw_models.clock import Clock
from hw_models.durations import clock as clock_of
from hw_models.tally import CurrentPhase


def test_a_batch_is_a_sequence_of_samples() -> None:
    clock = clock_of(Timing(integration=1e-7, copies=4))
    clock.opened(10)
    for _ in range(5):
        clock.advance(2e-7)
    assert clock.time == pytest.approx(1e-6)
    clock.close()
    starts = [(i // 4) * 1e-6 for i in range(10)]  # sample i begins after those before it on its copy
    assert clock.now == pytest.approx(max(starts) + 1e-6)
    assert (clock.sample, clock.batch, clock.batches) == (pytest.approx(1e-6), pytest.approx(3e-6), 1)
    clock.close()
    assert clock.batches == 1, "nothing has happened since"
    clock.wrote(5e-6)
    assert clock.now == pytest.approx(8e-6)


def test_time_is_counted_by_phase() -> None:
    phase = CurrentPhase()
    clock = clock_of(Timing(integration=1e-7), phase)
    with phase.during("free"):
        clock.opened(3)
        clock.advance(1e-6)
    with phase.during("update"):
        clock.close()
        clock.wrote(2e-6)
    counted = {work.phase: number for work, number in clock.counted().rows()}
    assert counted == {"free": 3_000_000, "update": 2_000_000}


def test_what_is_aside_leaves_no_trace_but_the_count() -> None:
    clock = clock_of(Timing(integration=1e-7))
    clock.opened(2)
    clock.advance(1e-6)
    before = clock.state()
    with clock.aside():
        clock.opened(7)
        clock.advance(1.0)
        clock.close()
    after = clock.state()
    assert all((before[name] == after[name]).all() for name in ("times", "batches"))


def test_a_state_puts_another_clock_there() -> None:
    one, other = (clock_of(Timing(integration=1e-7)) for _ in range(2))
    one.opened(2)
    one.advance(1e-6)
    other.load(one.state())
    one.close()
    assert (other.now, other.sample, other.batch) == (one.now, one.sample, one.batch)
    assert other.tally.packed().tolist() == one.tally.packed().tolist()


def test_it_stands_still_without_durations() -> None:
    clock = Clock()
    assert not clock.passes
    assert clock.state() == {}
