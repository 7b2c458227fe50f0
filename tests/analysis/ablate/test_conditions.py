"""Conditions of an ablation: which effects are off, which fields that sets, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from analysis.ablate.conditions import BOTH, EVERY, FRAME, IDEAL, ONLY, WITHOUT, Condition, dissect, given
from analysis.ablate.measure import _Points
from analysis.sweep import plans
from hw_models import presets
from hw_models.chip import effects
from neuroep.errors import ConfigError
from neuroep.runs import config, directory as runs

RELAXED = {"programming_noise": "[0.5, 1.0]", "programming_noise_fresh": "[0.2, 0.3]"}
RELAXED |= {"programming_noise_g_max": "50.0"}


def parts(run: Path, *overrides: str, mode: str = "deploy", named: tuple[str, ...] = ()):
    return dissect(config.load(run / runs.CONFIG, list(overrides), forgiven={}), mode, named)


def test_what_is_off():
    assert Condition(WITHOUT, ("drift",)).off == {"drift"}
    assert Condition(IDEAL).off == EVERY
    assert Condition(ONLY, ("drift",)).off == EVERY - {"drift"}
    noise = Condition(ONLY, ("pulse noise",)).off
    assert noise == EVERY - {"pulse noise", "learning in memory"}
    assert Condition(FRAME, ("pulse noise",)).off == noise | {"pulse noise"}


@pytest.mark.parametrize("name", presets.names())
def test_each_point_is_the_chip_without_these_effects(trained, name):
    """By way of the command line's texts, on every preset."""
    given_too = ["--chip", name, "--optimiser.kind", "sgd"]
    found = parts(trained, *given_too, mode="learn")
    conditions = [each for each in found.conditions() if each.kind != BOTH]
    choices = {tuple(found.choice(each).items()): each for each in conditions}
    plan = plans.make(trained, list(map(dict, choices)), given_too, mode="learn", laid_over=True)
    for condition, point in zip(choices.values(), plan.points, strict=True):
        assert point.config.chip.differences() == effects.without(found.chip, condition.off).differences()


@pytest.mark.parametrize("age", ["0.0", "1e4"])
def test_a_fitted_error_of_writes_stays_what_it_was(trained, age):
    """Setting it on the command line means another fit, unless what goes with it is set as well."""
    table = [part for name, value in RELAXED.items() for part in (f"--chip.device.{name}", value)]
    table += ["--chip", "ideal", "--chip.device.mismatch", "0.1", "--chip.device.age", age]
    found = parts(trained, *table)
    made = _Points.made(found, trained, table, "deploy", "test", 20)
    for point, off in ((made.points[each], each.off) for each in made.points if each.kind == WITHOUT):
        device = point.config.chip.device
        if "programming noise" not in off | {"relaxation"} & off:
            assert device.programming_noise_g_max == 50.0
            fresh = "relaxation" in off
            assert device.programming_noise == ((0.2, 0.3) if fresh else (0.5, 1.0))
            assert device.programming_noise_fresh == (() if fresh else (0.2, 0.3))
    assert {effect.name for effect in found.chosen} >= {"programming noise", "mismatch"}
    assert ("relaxation" in {effect.name for effect in found.chosen}) == (age != "0.0")


def test_a_deployment_sees_no_effect_of_updates(trained):
    given = ("--chip", "ideal", "--chip.readout.bits", "6", "--chip.device.mismatch", "0.1")
    assert parts(trained, *given).unseen == ("read-out bits",)
    assert parts(trained, *given, mode="learn").unseen == ()


def test_pairs_of_effects_within_each_other_are_left_out(trained):
    found = parts(trained, "--chip", "reram", "--optimiser.kind", "sgd", mode="learn")
    pairs = {frozenset(pair) for pair in found.pairs()}
    assert frozenset({"pulse noise", "learning in memory"}) not in pairs
    assert frozenset({"pulse noise", "spread of steps"}) in pairs


def test_values_as_the_command_line_takes_them():
    values = {"none": None, "true": True, "0.5": 0.5, "[1.0, 2.0]": (1.0, 2.0), "digital": "digital"}
    assert [given(value) for value in values.values()] == list(values)
    assert given({"attention": 1e-6}) == '{"attention" = 1e-06}'


def test_time_constants_by_layer_are_a_value(trained):
    tau = '{dense_1 = 1e-6, dense_2 = 2e-6}'
    overrides = ["--chip", "ideal", "--chip.timing.tau", tau, "--settling.order", "synchronous", "--settling.dt", "0.1"]
    made = _Points.made(parts(trained, *overrides), trained, overrides, "deploy", "test", 20)
    assert {point.values["chip.timing.tau"] for point in made.points.values()} == {
        None, '{"dense_1": 1e-06, "dense_2": 2e-06}'
    }  # fmt: skip


@pytest.mark.parametrize(
    ("overrides", "named", "line"),
    [
        ((), (), "an ablation needs a chip: add overrides=[\"--chip\", \"NAME\"]"),
        (("--chip", "ideal"), (), "chip 'ideal' has no effect: there is nothing to switch off"),
        (("--chip", "ideal", "--chip.readout.bits", "6"), (), "chip 'ideal' has no effect that mode 'deploy' sees"),
        (("--chip", "pcm"), ("read nose",), "unknown effect 'read nose': "),
        (("--chip", "pcm"), ("wires",), "effect 'wires': chip 'joshi_2020_pcm' has "),
        (("--chip", "pcm", "--chip.readout.bits", "6"), ("read-out bits",), "no result of mode 'deploy' depends on it"),
    ],
)
def test_what_cannot_be_is_one_line(trained, overrides, named, line):
    with pytest.raises(ConfigError) as error:
        parts(trained, *overrides, named=named)
    assert line in str(error.value) and "\n" not in str(error.value)
