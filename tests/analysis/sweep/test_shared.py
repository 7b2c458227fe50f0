"""Settings that all points share: a recipe is followed once, laid under what is given, and kept by the directory."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from analysis import ablate, require
from analysis.ablate.page import ablation_page
from analysis.require.page import requirement_page
from analysis.sweep import results, runner, shared
from analysis.sweep.ledger import SWEEP
from analysis.sweep.page import sweep_page
from neuroep.errors import ConfigError
from neuroep.runs import config, recipes
from tests.analysis.sweep.cases import resealed

NOISY = ["--chip", "ideal", "--chip.device.read_noise", "0.5", "--chip.dac.bits", "8", "--chip.adc.bits", "8"]
NOISY += ["--chip.dac.sign", "auto", "--chip.calibration_samples", "20"]
SEVERAL = ["chip.nudged.drive", "chip.crossbar.follow_weights", "chip.calibration_every"]


@pytest.fixture
def asked(tiny, tmp_path):
    """Ask a question of the tiny configuration in this process, with a recipe."""

    def run(kind, *what, out="out", overrides=NOISY, **settings):
        given = {"overrides": overrides, "recipe": "auto", "samples": 20, "seeds": 1, **settings}
        with ThreadPoolExecutor(1) as executor:
            return kind(tiny, *what, out=tmp_path / out, executor=executor, **given)

    return run


def chosen(tiny, given=NOISY):
    return {each.setting: each.value for each in recipes.auto(config.load(tiny, given), given)}


def test_a_sweep_with_a_recipe_is_that_of_its_settings(asked, tiny, tmp_path, caplog):
    vary = ["chip.device.mismatch=0,0.05"]
    found = asked(runner.run, vary)
    lines = [record.getMessage() for record in caplog.records if record.getMessage().startswith("recipe: ")]
    settings = chosen(tiny)
    assert list(settings)[:3] == SEVERAL and [line.split()[1] for line in lines] == list(settings)
    given = [*NOISY, *(word for name, value in settings.items() for word in (f"--{name}", value))]
    plain = asked(runner.run, vary, out="plain", overrides=given, recipe=None)
    assert [row["id"] for row in found.rows] == [row["id"] for row in plain.rows]
    assert [row["accuracy"] for row in found.rows] == [row["accuracy"] for row in plain.rows]
    assert found.about["settings"]["chip.nudged.drive"] == "increments"
    with pytest.raises(ConfigError, match="holds another sweep"):
        asked(runner.run, vary, recipe=None)


def test_what_is_given_or_varied_is_left_alone(asked):
    given = [*NOISY, "--chip.calibration_every", "7"]
    found = asked(runner.run, ["chip.nudged.drive=states,increments"], overrides=given)
    names = [each["setting"] for each in found.about["recipe"]["choices"]]
    assert "chip.crossbar.follow_weights" in names and not {SEVERAL[0], SEVERAL[2]} & set(names)
    assert found.about["settings"]["chip.calibration_every"] == 7 and len(found.rows) == 2


def test_a_directory_goes_on_with_what_was_chosen_at_its_start(asked, tmp_path, monkeypatch):
    asked(runner.run, ["chip.device.mismatch=0"])
    monkeypatch.setattr(recipes, "auto", lambda *_: pytest.fail("it is not looked at anew"))
    found = asked(runner.run, ["chip.device.mismatch=0,0.05"])
    assert len(found.rows) == 2
    resealed(tmp_path / "out" / SWEEP, lambda page: page.pop("recipe"))
    with pytest.raises(pytest.fail.Exception):
        asked(runner.run, ["chip.device.mismatch=0,0.05"])


@pytest.mark.parametrize(
    ("kind", "what", "page"),
    [
        (runner.run, [["chip.device.mismatch=0"]], sweep_page),
        (ablate.run, [], ablation_page),
        (require.run, [["chip.device.mismatch=0,0.05"]], requirement_page),
    ],
)
def test_pages_show_what_was_chosen_and_how_to_ask_again(asked, kind, what, page):
    settings = {ablate.run: {"pairs": 0}, require.run: {"target": 0.5, "seeds": 2, "max_seeds": 2}}.get(kind, {})
    found = asked(kind, *what, **settings)
    shown = page(found).replace("<wbr>", "").replace('<span class="keep">', "").replace("</span>", "")
    assert "by the recipe" in shown and "chip.nudged.drive = increments" in shown
    command = next(line for line in shown.splitlines() if line.startswith("neuroep "))
    assert "--recipe auto" in command and "--chip.nudged.drive" not in command
    about = results.load(found.out).about
    assert about["settings"]["chip.crossbar.follow_weights"] is True
    assert json.loads((found.out / SWEEP).read_text())["recipe"]["name"] == "auto"


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        (["--recipe", "atuo"], "did you mean 'auto'"),
        (["--recipe", "auto", "--chip", "none"], "it is for learning on a chip, name one with --chip"),
        (["--recipe", "auto", "--mode", "deploy"], "mode 'deploy' makes no updates; leave it out, or add --mode learn"),
    ],
)
@pytest.mark.parametrize(
    "command",
    ["sweep --vary estimator.beta=0.1,0.2", "ablate", "require --field estimator.beta=0.1,0.2 --target 0.5"],
)
def test_a_recipe_that_does_not_fit_is_one_line(neuroep, tiny, tmp_path, command, more, expected):
    name, *words = command.split()
    chip = [] if "--chip" in more else ["--chip", "pcm"]
    found = neuroep(name, tiny, *words, *chip, *more, "--out", tmp_path / "out")
    assert found.code == 2 and expected in found.line
    assert not (tmp_path / "out").exists()


def test_a_recipe_goes_by_one_chip_and_a_run_is_deployed_without(neuroep, tiny, trained, tmp_path):
    varied = neuroep("sweep", tiny, "--vary", "chip=pcm,rram", "--recipe", "auto", "--out", tmp_path / "out")
    assert varied.code == 2 and "it goes by one chip, and chip is varied" in varied.line
    deployed = neuroep("ablate", trained, "--chip", "pcm", "--recipe", "auto", "--out", tmp_path / "out")
    assert deployed.code == 2 and "mode 'deploy' makes no updates" in deployed.line


def test_modes_and_files(tiny, trained):
    assert [shared.mode_of(source, None) for source in (tiny, trained)] == ["learn", "deploy"]
    assert shared.mode_of(trained, "learn") == "learn"
    assert shared.file_of(tiny) == tiny and shared.file_of(trained) == trained / "config.toml"
    with pytest.raises(ConfigError, match="did you mean 'learn'"):
        shared.mode_of(tiny, "lern")
