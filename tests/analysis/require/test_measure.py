"""Requirements: the same border as of a whole sweep, kills, a sweep's trials used again, fronts."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor

import pytest

from analysis import require
from analysis.require.frontier import front_of
from analysis.require.results import PRICES
from analysis.sweep import results as sweeps, runner
from analysis.sweep.ledger import TRIALS
from analysis.sweep.results import RESULTS
from neuroep.errors import ConfigError
from tests.analysis.require.conftest import NOISY, PRICED


def swept(learned, vary, out, overrides=NOISY, **settings):
    given = {"overrides": overrides, "samples": 60, **settings}
    with ThreadPoolExecutor(1) as executor:
        return runner.run(learned, vary, out=out, executor=executor, **given)


@pytest.fixture(scope="module")
def whole(learned, tmp_path_factory):
    """All eight points with four seeds."""
    return swept(learned, ["chip.adc.bits=2:9"], tmp_path_factory.mktemp("whole") / "out", seeds=4)


def test_the_border_is_that_of_a_whole_sweep(bits, whole):
    (border,) = bits.borders
    means = {point.values[0]: point.mean for point in whole.means}
    met = [n for n in sorted(means) if means[n] >= 0.8]
    assert border.rising and border.meets == met[0] and border.misses == met[0] - 1
    assert len(bits.verdicts) < len(means)


def test_verdicts_are_of_the_seeds_that_were_needed(bits):
    """The ends have as many as the direction along the field needs."""
    for place, verdict in bits.verdicts.items():
        ran = len(bits.accuracies[place])
        assert ran in (2, 4) and (ran == verdict.seeds or place in {(0,), (7,)})
        assert verdict.sure or verdict.seeds == 4
    assert bits.directions.sure == (True,)


def test_killed_and_run_again_it_gives_the_same_bytes(required, bits, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(bits.out, out)
    lines = (bits.out / TRIALS).read_bytes().splitlines(keepends=True)
    (out / TRIALS).write_bytes(b"".join(lines[:5]) + lines[5][:30])
    again = required(["chip.adc.bits=2:9"], out, target=0.8, seeds=2, max_seeds=4)
    assert (out / RESULTS).read_bytes() == (bits.out / RESULTS).read_bytes()
    assert again.as_dict() == bits.as_dict()


def test_a_sweep_goes_on_and_its_trials_are_used(required, whole, bits, tmp_path):
    shutil.copytree(whole.out, tmp_path / "out")
    ran = []
    found = required(["chip.adc.bits=2:9"], tmp_path / "out", target=0.8, seeds=2, max_seeds=4, report=ran.append)
    (border,), (alone,) = found.borders, bits.borders
    assert ran == [] and (border.misses, border.meets, border.between) == (alone.misses, alone.meets, alone.between)
    assert set(alone.open) <= set(border.open) and border.skipped == () and border.ran == 8
    assert len(found.verdicts) == 8


def test_chips_of_a_sweep_that_are_not_asked_for_do_not_count(required, whole, bits, tmp_path):
    """Four chips of every point are there. Before, the table had the mean of all beside the error of two."""
    shutil.copytree(whole.out, tmp_path / "out")
    found = required(["chip.adc.bits=2:9"], tmp_path / "out", target=0.8, seeds=2, max_seeds=2)
    for row in found.table():
        place = (row["chip.adc.bits"] - 2,)
        first = [found.accuracies[place][seed] for seed in (0, 1)]
        assert (row["seeds"], row["accuracy"]) == (2, pytest.approx(sum(first) / 2))
        assert found.means[place] == row["accuracy"] == found.verdicts[place].mean


def test_a_front_is_of_the_chips_asked_for(required, learned, tmp_path):
    """Three chips of each point are there and one is asked for: the front is that of the first."""
    fields = ["chip.adc.bits=2:5", "chip.dac.bits=2:4"]
    swept(learned, fields, tmp_path / "out", PRICED, seeds=3)
    alone = required(fields, against="energy", overrides=PRICED, seeds=1, resolution=0.05)
    found = required(fields, tmp_path / "out", against="energy", overrides=PRICED, seeds=1, resolution=0.05)
    assert [(one.values, one.accuracy) for one in found.front] == [(one.values, one.accuracy) for one in alone.front]


def test_another_target_asks_only_for_what_is_missing(required, bits, tmp_path):
    shutil.copytree(bits.out, tmp_path / "out")
    found = required(["chip.adc.bits=2:9"], tmp_path / "out", target=0.6, seeds=2, max_seeds=4)
    assert found.design["target"] == 0.6 and len(found.sweep.rows) >= len(bits.sweep.rows)


def test_a_field_along_which_accuracy_falls(required):
    found = required(["chip.device.mismatch=0..2"], target=0.8, steps=5, seeds=2, max_seeds=2,
                     overrides=["--chip", "ideal", "--chip.adc.bits", "8"])  # fmt: skip
    (border,) = found.borders
    assert not border.rising and found.rising == (False,)
    assert border.meets is None or border.misses is None or border.meets < border.misses


def test_two_fields_have_a_border_on_each_line(required, learned, tmp_path):
    fields = ["chip.adc.bits=2:6", "chip.device.mismatch=0,0.5,2"]
    found = required(fields, target=0.8, seeds=2, max_seeds=2, overrides=["--chip", "ideal"])
    assert found.rising[0] and len(found.verdicts) < 15
    everything = swept(learned, fields, tmp_path / "out", ["--chip", "ideal"], seeds=2)
    means = {point.values: point.mean for point in everything.means}
    for border in found.borders:
        met = [n for n in range(2, 7) if means[n, border.line] >= 0.8]
        monotone = met == list(range(met[0], 7)) if met else True
        if monotone:
            assert border.meets == (met[0] if met else None)


def test_the_front_is_that_of_all_points(front, learned, tmp_path):
    """All points by brute force, with the same prices: the same front, of fewer trials."""
    shutil.copytree(front.out, tmp_path / "out")
    swept(learned, ["chip.adc.bits=2:7", "chip.dac.bits=2:5"], tmp_path / "out", PRICED, seeds=1)
    everything = require.load(tmp_path / "out")
    assert len(everything.means) == 24 > len(front.means)
    assert front_of(everything.means, everything.prices, 0.05) == front_of(front.means, front.prices, 0.05)
    assert len(sweeps.load(front.out / PRICES).rows) == 24


def test_a_requirement_of_a_configuration_learns(required, tiny):
    given = ["--chip", "ideal", "--epochs", "1", "--data.limit", "40"]
    found = required(["chip.readout.bits=4,12"], None, tiny, target=0.2, seeds=2, max_seeds=2, overrides=given)
    assert found.sweep.about["mode"] == "learn" and found.borders[0].meets == 4


@pytest.mark.parametrize(
    ("fields", "settings", "line"),
    [
        (["chip.adc.bits"], {}, "no target is given: add target=0.87, or against='energy'"),
        (["chip.adc.bits"] * 3, {"target": 0.9}, "field chip.adc.bits is given twice"),
        (["chip.adc.bits", "chip.dac.bits", "chip.device.mismatch=0,1"], {"target": 0.9}, "3 fields are given: with a"),
        (["chip.adc.bits", "chip.device.mismatch=0..1"], {"against": "energy", "steps": 1000}, "have 11000 points"),
        (["chip.adc.bits"], {"against": "enrgy"}, "unknown price 'enrgy': "),
        (["chip.adc.bits"], {"against": "energy"}, "nothing is known of its energy; give its chip constants of cost"),
        (["chip.adc.bits"], {"against": "energy", "max_seeds": 3}, "max_seeds is 3: against a price"),
        (["chip.adc.bits"], {"against": "energy", "mode": "learn"}, "prices are of classifications, use mode 'deploy'"),
        (["chip.adc.bits"], {"target": 0.9, "resolution": 0}, "resolution is 0: allowed are shares"),
        (["chip.adc.bits"], {"target": 1.2}, "target is 1.2: allowed are shares between 0 and 1"),
        (["chip.adc.bits=0:9"], {"target": 0.9}, "chip.adc.bits = 0"),
    ],
)
def test_what_cannot_be_writes_nothing(required, tmp_path, fields, settings, line):
    with pytest.raises(ConfigError) as error:
        required(fields, tmp_path / "out", **settings)
    assert line in str(error.value) and "\n" not in str(error.value) and not (tmp_path / "out").exists()
