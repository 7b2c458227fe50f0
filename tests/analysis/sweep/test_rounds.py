"""A plan carried out in rounds: what is asked for, what is kept, what is tried again."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from analysis.sweep import execution, plans, results
from analysis.sweep.designs import axis, points
from analysis.sweep.rounds import Rounds, pool_of
from analysis.sweep.shared import Shared
from analysis.sweep.stopping import Rule
from neuroep.errors import ConfigError, DivergenceError

ASKED = {"vary": ["chip.adc.bits=3:6"], "design": "rounds", "points": None, "design_seed": 0}
ASKED |= {"seeds": 1, "until": None, "max_seeds": None}
CHIP = ["--chip", "pcm"]


@pytest.fixture
def opened(trained, tmp_path):
    """Open rounds over four points, in this process."""
    plan = plans.make(trained, points([axis(ASKED["vary"][0])]), CHIP, samples=20)
    with ThreadPoolExecutor(1) as executor:

        def open_(**settings):
            pool = pool_of(None, None, executor=executor)
            return Rounds(plan, ASKED, Shared(tuple(CHIP)), out=tmp_path / "out", pool=pool, **settings)

        yield open_


def test_rounds_add_to_each_other(opened, tmp_path):
    ran = []
    with opened(report=ran.append) as rounds:
        first, second, *_ = rounds.plan.points
        rounds.take([first], Rule(1))
        rounds.take([first, second], Rule(2))
        assert set(rounds.accuracies(first)) == set(rounds.accuracies(second)) == {0, 1}
        assert results.load(tmp_path / "out").about["designs"][0]["planned"] == 4
        rounds.finish()
    assert [record["seed"] for record in ran] == [0, 1, 0, 1] and len(ran) == 4
    found = results.load(tmp_path / "out")
    assert len(found.rows) == 4 and not found.unfinished
    with opened(report=ran.append) as rounds:
        rounds.take(rounds.plan.points[:2], Rule(2))
    assert len(ran) == 4


def test_one_that_was_stopped_says_so(opened, tmp_path):
    with pytest.raises(KeyboardInterrupt), opened() as rounds:
        rounds.take(rounds.plan.points[:1], Rule(1))
        raise KeyboardInterrupt
    assert results.load(tmp_path / "out").unfinished.startswith("unfinished: 1 trials so far")


def test_what_failed_is_tried_again_once(opened, monkeypatch):
    count = []

    def failing(spec):
        count.append(spec["seed"])
        raise DivergenceError("dense_1", 2)

    monkeypatch.setattr(execution, "execute", failing)
    with opened() as rounds:
        for _ in range(2):
            rounds.take(rounds.plan.points[:1], Rule(1))
        assert rounds.accuracies(rounds.plan.points[0]) == {0: None} and len(count) == 1
    with opened(retry_failed=True) as rounds:
        for _ in range(2):
            rounds.take(rounds.plan.points[:1], Rule(1))
    assert len(count) == 2


def test_a_round_needs_an_open_directory(opened):
    rounds = opened()
    with pytest.raises(ValueError, match="not open"):
        rounds.take(rounds.plan.points, Rule(1))


def test_one_place_to_run():
    with pytest.raises(ConfigError, match="workers and cluster: give one of them"):
        pool_of(2, "tcp://a:1")
