"""The rounds of an ablation: which trials run, kills and workers, seeds until errors are small, learning."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor

import pytest

from analysis import ablate
from analysis.ablate.conditions import AS_IT_IS, BOTH, WITHOUT
from analysis.ablate.page import command
from analysis.sweep import runner
from analysis.sweep.ledger import SWEEP, TRIALS
from analysis.sweep.page import base
from analysis.sweep.results import RESULTS
from neuroep.errors import ConfigError
from tests.analysis.ablate.conftest import CHIP

EFFECTS = {"mismatch", "read noise", "ADC bits", "DAC bits"}


def test_which_trials(small):
    """As it is, without any, four without one and four alone, and one pair; three chips of each."""
    assert {cost.effect for cost in small.costs} == EFFECTS
    assert len(small.sweep.rows) == 3 * (2 + 4 + 4 + 1)
    assert len(small.pairs) == 1 and small.unseen == ("read-out bits",)
    assert not small.sweep.unfinished and small.sweep.about["mode"] == "deploy"


def test_conditions_are_those_of_a_sweep(small, trained, tmp_path):
    """A sweep over the mismatch alone gives the same accuracies to the bit."""
    shared = [word for n, word in enumerate(CHIP) if "mismatch" not in CHIP[n - n % 2]]
    with ThreadPoolExecutor(1) as executor:
        found = runner.run(trained, ["chip.device.mismatch=0,0.3"], out=tmp_path / "s", overrides=shared, samples=20,
                           seeds=3, executor=executor)  # fmt: skip
    by = {(row["chip.device.mismatch"], row["seed"]): row["accuracy"] for row in found.rows}
    for seed in range(3):
        assert small.accuracies(WITHOUT, "mismatch")[seed] == by[0.0, seed]
        assert small.accuracies(AS_IT_IS)[seed] == by[0.3, seed]


def test_killed_and_run_again_it_gives_the_same_bytes(ablated, small, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(small.out, out)
    lines = (small.out / TRIALS).read_bytes().splitlines(keepends=True)
    (out / TRIALS).write_bytes(b"".join(lines[:10]) + lines[10][:40])
    (out / RESULTS).unlink()
    again = ablated(out, pairs=2)
    assert (out / RESULTS).read_bytes() == (small.out / RESULTS).read_bytes()
    assert again.as_dict() == small.as_dict()


def test_processes_give_the_same_bytes(small, trained, tmp_path):
    ablate.run(trained, out=tmp_path / "out", overrides=CHIP, samples=20, seeds=3, pairs=2, workers=2)
    assert (tmp_path / "out" / RESULTS).read_bytes() == (small.out / RESULTS).read_bytes()


def test_more_chips_are_added(ablated, small, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(small.out, out)
    seen = []
    more = ablated(out, pairs=0, seeds=4, report=lambda record: seen.append(record["seed"]))
    assert set(seen) == {3} and len(seen) == 10
    assert {cost.without.seeds for cost in more.costs} == {4}
    assert more.pairs[0].beyond.seeds == 3


def test_until_the_errors_are_small(ablated, tmp_path):
    """Only what is still unknown gets more chips, and the chip as it is with it."""
    found = ablated(tmp_path / "out", seeds=None, until=0.03, max_seeds=6, pairs=0)
    for cost in found.costs:
        for each in (cost.without, cost.only):
            assert each.error <= 0.03 or each.seeds == 6
            assert each.seeds >= 3
    counts = {len(found.accuracies(WITHOUT, cost.effect)) for cost in found.costs}
    assert len(found.accuracies(AS_IT_IS)) == max(counts | {len(found.accuracies(AS_IT_IS))})
    shutil.copytree(found.out, tmp_path / "again")
    ran = []
    ablated(tmp_path / "again", seeds=None, until=0.03, max_seeds=6, pairs=0, report=ran.append)
    assert ran == []


def test_chosen_effects_alone(ablated, tmp_path):
    found = ablated(tmp_path / "out", effects=["ADC bits"], pairs=4, seeds=1)
    assert [cost.effect for cost in found.costs] == ["ADC bits"] and found.pairs == []
    assert len(found.sweep.rows) == 4


def test_one_effect_is_the_whole_chip(ablated, tmp_path):
    """Without it the chip is ideal, and it alone is the chip: two conditions are one point."""
    found = ablated(tmp_path / "out", overrides=["--chip", "ideal", "--chip.adc.bits", "3"], seeds=2)
    assert len(found.sweep.rows) == 4
    assert found.costs[0].without.mean == -found.costs[0].only.mean


def test_learning_sees_effects_of_updates(ablated, tiny, tmp_path):
    overrides = ["--chip", "reram", "--optimiser.kind", "sgd", "--epochs", "1", "--data.limit", "40"]
    names = ["pulse noise", "learning in memory"]
    found = ablated(tmp_path / "out", tiny, overrides=overrides, effects=names, seeds=1, pairs=4)
    assert found.sweep.about["mode"] == "learn" and not found.sweep.failed
    assert {cost.effect for cost in found.costs} == set(names) and found.pairs == []
    assert len(found.sweep.rows) == 6  # what the noise is within, alone, is its frame
    assert BOTH not in {kind for kind, _ in found._conditions}


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({"pairs": -1}, "pairs is -1: allowed are whole numbers from 0"),
        ({"seeds": 0}, "seeds is 0"),
        ({"max_seeds": 4}, "max_seeds is 4: it acts only with"),
        ({"overrides": [*CHIP, "--engine.chip_seed", "3"]}, "engine.chip_seed: mode 'deploy' gives"),
        ({"overrides": [*CHIP, "--chip.neuron.state_range", "2"]}, "neuron.state_range = 2.0: it acts only"),
        ({"workers": 1}, "workers and executor: give one of them"),
    ],
)
def test_what_cannot_be_writes_nothing(ablated, tmp_path, settings, line):
    with pytest.raises(ConfigError) as error:
        ablated(tmp_path / "out", **settings)
    assert line in str(error.value) and not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("more", "line"),
    [
        (["--chip.device.mismatch", "0.2"], "chip.device.mismatch is 0.3 there and 0.2 here"),
        (["--chip.neuron.state_noise", "0.1"], "chip.neuron.state_noise is 0 there and 0.1 here"),
        (["--chip.device.g_max", "20"], "chip.device.g_max is 25 there and 20 here"),
    ],
)
def test_another_chip_is_refused(ablated, small, tmp_path, more, line):
    """All fields of effects are varied: before, another value of one was taken, and the page mixed two chips."""
    out = tmp_path / "out"
    shutil.copytree(small.out, out)
    page = (out / SWEEP).read_bytes()
    given = [word for n, word in enumerate(CHIP) if CHIP[n - n % 2] != more[0]]
    with pytest.raises(ConfigError) as error:
        ablated(out, pairs=2, overrides=[*given, *more])
    assert str(error.value) == f"'{out}' holds an ablation of another chip: {line}; choose another directory"
    assert (out / SWEEP).read_bytes() == page


def test_what_no_trial_depends_on_may_differ_and_the_page_is_of_the_last(ablated, small, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(small.out, out)
    ran = []
    given = [word for n, word in enumerate(CHIP) if CHIP[n - n % 2] != "--chip.readout.bits"]
    given += ["--chip.readout.bits", "5"]
    again = ablated(out, pairs=2, overrides=given, report=ran.append)
    assert ran == [] and again.costs == small.costs
    assert command(again)[3 : 3 + len(given)] == given and base(again.sweep).chip.readout.bits == 5
