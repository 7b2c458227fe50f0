"""Recipes: what is chosen for which chip, that the run is the same from its configuration, and goes on with it."""

from __future__ import annotations

import pytest

from neuroep import cli
from neuroep.errors import ConfigError
from neuroep.runs import config, directory as runs, recipes, sections, training
from neuroep.runs.session import Session
from tests.neuroep.engines.chip.conftest import nested

PCM = {"device.read_noise": 0.0088, "device.read_noise_law": "pcm", "dac.bits": 8, "dac.sign": "auto", "adc.bits": 8}
HELD = {"readout.signal": "difference", "readout.hold_offset": 1e-3}
SEVERAL = ["chip.nudged.drive", "chip.crossbar.follow_weights", "chip.calibration_every"]


def settings(chip, **more):
    values = {
        "network": {"tokens": 12, "dense": [8, 2], "readout": "pooled", "output_bias": 1.0},
        "data": {"limit": 60},
        "settling": {"free_steps": 6, "nudged_steps": 6},
        "training": {"epochs": 1, "batch": 20, "evaluate": []},
        **more,
    }
    if chip is not None:
        values["chip"] = nested({"calibration_samples": 20, **chip})
    return values


def chosen(chip, given=()):
    return {choice.setting: choice for choice in recipes.auto(config.parse(settings(chip)), given)}


def test_noise_above_what_the_nudge_moves_asks_for_increments_and_ranges_that_follow():
    found = chosen(PCM)
    assert list(found) == SEVERAL
    assert found["chip.nudged.drive"].value == "increments" and "noise" in found["chip.nudged.drive"].why
    assert found["chip.calibration_every"].value == "20"
    assert all("\n" not in choice.line and choice.line.startswith(name) for name, choice in found.items())


def test_what_is_seen_is_the_noise_of_two_reads_and_what_the_nudge_moves():
    """Twice the noise, about half the ratio; without any it is infinite, and exact steps are none."""
    ratios = []
    for noise in (0.0, 1e-3, 2e-3):
        seen = recipes.look(config.parse(settings({"device.read_noise": noise, "device.mismatch": 0.1})))
        ratios.append(seen.ratio["output"])
        assert seen.apart == 0 and max(seen.step.values()) == 0
    assert ratios[0] == float("inf") and 1.7 < ratios[1] / ratios[2] < 2.3


def test_a_nudge_that_is_lost_in_the_noise_is_not_called_0_times_the_noise():
    """What the nudge moves less the noise is 0 where it does not stand out of it, which the reason says in words."""
    why = chosen({"device.read_noise": 5.0})["chip.nudged.drive"].why
    assert "does not stand out of the noise of reads, and increments are read with less noise" in why
    assert "the nudge moves" in chosen(PCM)["chip.nudged.drive"].why


@pytest.mark.parametrize(
    ("chip", "wanted"),
    [
        ({}, {}),
        ({"adc.bits": 20, "dac.bits": 20}, {"chip.crossbar.follow_weights": "true", "chip.calibration_every": "10"}),
        ({"adc.bits": 5, "dac.bits": 5}, dict(zip(SEVERAL, ("increments", "true", "20"), strict=True))),
        ({"transposed.devices": "own", "transposed.weight_error": 0.5}, {"chip.nudged.paths": "exchanged"}),
        (HELD, {"estimator.order": "mirrored", "estimator.beta": "0.5", "chip.nudged.drive": "increments"}),
        ({"device.phase_drift": 1e-3}, {"estimator.order": "mirrored", "chip.nudged.drive": "increments"}),
        (HELD | {"readout.hold_noise": 1e-3}, {"chip.readout.holds": "16"}),
        ({"substrate": "event_driven"}, {"chip.calibration_every": "10"}),
    ],
)
def test_what_is_chosen_for_a_chip(chip, wanted):
    found = {name: choice.value for name, choice in chosen(chip).items()}
    assert wanted.items() <= found.items()
    if len(wanted) != 1 and "order" not in str(wanted):
        assert found == wanted


WRITTEN = {"device.programming_noise": [0.5], "device.g_max": 25.0, "device.mismatch": 0.05}


def test_what_writing_is_off_by_is_seen_and_mismatch_is_not():
    """0.5 uS on each of the two devices of a weight, of 25 uS: sqrt(2) of 2 % of the range, whatever stays."""
    for noise, share in ((0.5, 0.02), (1.0, 0.04)):
        for mismatch in (0.0, 0.1):
            chip = WRITTEN | {"device.programming_noise": [noise], "device.mismatch": mismatch}
            seen = recipes.look(config.parse(settings(chip)))
            assert seen.rewritten == pytest.approx(2**0.5 * share, rel=0.25)
            assert seen.rewritten < seen.blurred < 8 * seen.rewritten
    assert recipes.look(config.parse(settings({"device.mismatch": 0.1}))).rewritten == 0


def test_what_ages_until_the_chip_is_read_is_seen():
    young = {"device.programming_noise_fresh": [0.05], "device.g_max": 25.0, "device.programming_noise": [2.0]}
    seen = {age: recipes.look(config.parse(settings(young | {"device.age": age}))) for age in (0.0, 86400.0)}
    assert seen[0.0].rewritten == pytest.approx(seen[86400.0].rewritten, rel=0.3)
    assert seen[0.0].blurred < recipes.BLURRED < seen[86400.0].blurred


def test_where_noise_keeps_phases_from_settling_their_sweeps_are_counted():
    """An epoch then advised what the recipe had left out."""
    settling = {"free_steps": 6, "nudged_steps": 6, "tolerance": 0.001, "nudged_tolerance": 0.0}
    held = config.parse(settings({"device.read_noise": 1.0}, settling=settling))
    found = {choice.setting: choice.line for choice in recipes.auto(held)}
    line = "settling.stop = calibrated: read noise keeps free phases from settling to their tolerance"
    assert found["settling.stop"] == line
    for other, given in (
        (held, ["--settling.stop", "tolerance"]),
        (config.changed(held, ["--settling.tolerance", "0"]), []),
        (config.changed(held, ["--chip.device.read_noise", "0", "--chip.device.mismatch", "0.1"]), []),
    ):
        assert "settling.stop" not in {choice.setting for choice in recipes.auto(other, given)}


def test_devices_are_left_alone_until_they_move_by_what_a_writing_is_off_by():
    found = chosen(WRITTEN | {"device.programming_noise": [2.0]})
    assert 0.08 <= float(found["chip.update.write_threshold"].value) <= 0.2
    assert found["chip.crossbar.weight_clip"].value == "3"
    assert "chip.update.write_threshold" not in chosen({"device.mismatch": 0.1})
    drifting = {"device.drift_mean": [0.0, 0.05, 0.0, 0.1], "device.age": 10.0}
    assert "chip.update.write_threshold" not in chosen(WRITTEN | {"device.programming_noise": [2.0]} | drifting)


def noisy(**optimiser):
    """A chip whose devices are left alone below a few percent of the range; 3 updates in each of 4 epochs."""
    chip = WRITTEN | {"device.programming_noise": [0.5]}
    values = settings(chip, optimiser=optimiser, training={"epochs": 4, "batch": 20, "evaluate": []})
    return config.parse(values)


def drawn_out(config_of_run, given=()):
    found = {choice.setting: choice for choice in recipes.auto(config_of_run, given)}
    return found.get("optimiser.decay_epochs"), float(found["chip.update.write_threshold"].value)


def test_rates_decay_slowly_enough_to_write_devices_in_the_last_epoch():
    """The shortest decay by which 3 updates at the last rate move a weight by so many thresholds, in every synapse."""
    held = noisy(projection_rate=0.05, dense_rate=0.04, decay_epochs=4)
    choice, threshold = drawn_out(held)
    assert threshold in (0.02, 0.03, 0.04) and "what a writing is off by" in choice.why
    session = Session.open(held, age=0.0)
    ranges = session.engine.substrate.ranges()

    def writes(period):
        rates = Session.open(config.changed(held, ["--optimiser.decay_epochs", str(period)])).rates(3)
        least = {name: recipes.WRITES * threshold * ranges[f"crossbar {name} weights"] / 3 for name in rates}
        return [rate >= least[name] for name, rate in rates.items()]

    assert int(choice.value) > 4 and all(writes(int(choice.value))) and not all(writes(int(choice.value) - 1))


def test_rates_that_are_too_small_from_the_start_do_not_decay():
    choice, _ = drawn_out(noisy(projection_rate=1e-4, dense_rate=1e-4, decay_epochs=4))
    assert choice.value == "0"


def test_rates_of_a_chip_that_writes_all_devices_decay_as_slowly():
    """Devices that drift are not left alone; without an error of writing rates stay."""
    held = noisy(projection_rate=0.05, dense_rate=0.04, decay_epochs=4)
    alone = drawn_out(held)[0]
    drifting = ["--chip.device.drift_mean", "[0.0, 0.05, 0.0, 0.1]", "--chip.device.age", "10.0"]
    found = {choice.setting: choice for choice in recipes.auto(config.changed(held, drifting))}
    assert "chip.update.write_threshold" not in found
    assert found["optimiser.decay_epochs"].value == alone.value
    exact = config.changed(held, ["--chip.device.programming_noise", "[]", "--chip.device.mismatch", "0.1"])
    assert not {choice.setting for choice in recipes.auto(exact)} & {"optimiser.decay_epochs"}


def test_rates_that_write_devices_to_the_end_or_are_given_stay():
    for optimiser in (
        {"projection_rate": 0.05, "dense_rate": 0.04, "decay_epochs": 40},
        {"projection_rate": 0.05, "dense_rate": 0.04, "decay_epochs": 0},
        {"projection_rate": 0.05, "dense_rate": 0.04, "decay_epochs": 4, "final_rate": 0.04},
        {"kind": "sgd", "projection_rate": 0.05, "dense_rate": 0.04, "decay_epochs": 4},
    ):
        assert drawn_out(noisy(**optimiser))[0] is None
    frozen = noisy(projection_rate=0.0, dense_rate=0.04, decay_epochs=4, rates={"dense_1": 0.0, "dense_2": 0.0})
    assert drawn_out(frozen)[0] is None
    held = noisy(projection_rate=0.05, dense_rate=0.04, decay_epochs=4)
    assert drawn_out(held, ["--optimiser.decay_epochs", "4"])[0] is None


def test_a_threshold_that_is_given_decides_how_long_rates_decay():
    held, found = noisy(projection_rate=0.05, dense_rate=0.05, decay_epochs=4), []
    for threshold in ("0.01", "0.02", "0.04", "0"):
        given = ["--chip.update.write_threshold", threshold]
        chosen = {each.setting: each.value for each in recipes.auto(config.changed(held, given), given)}
        assert "chip.update.write_threshold" not in chosen
        found.append(chosen.get("optimiser.decay_epochs"))
    assert found[0] is None and int(found[1]) < int(found[2]), found
    assert int(found[1]) <= int(found[3]) <= int(found[2]), "with all devices written it goes by the error itself"


def test_what_still_limits_learning_is_cured_by_settings_of_learning_alone():
    """Noise of the neurons, for which nothing is chosen by what is seen; and never bits, which are the circuits'."""
    noisy = {"neuron.state_noise": 0.02}
    found = chosen(noisy)
    cured = [choice for choice in found.values() if choice.why.startswith("noise of the neurons cost ")]
    assert cured and {choice.setting for choice in cured} <= {"estimator.beta", "chip.nudged.mean_sweeps"}
    given = chosen(noisy, [word for choice in cured for word in (f"--{choice.setting}", choice.value)])
    assert not {choice.setting for choice in cured} & set(given)
    assert not any("bits" in name for name in chosen({"adc.bits": 3, "adc.margin": 8.0}))


def test_every_setting_that_a_recipe_may_set_is_there():
    assert set(recipes.SETTINGS) <= set(sections.settings())


def test_settings_that_are_given_stay():
    """Noise that increments would have cured is left to what else helps."""
    found = chosen(PCM, ["--chip.nudged.drive", "states", "--chip.calibration_every", "7"])
    assert list(found)[:1] == SEVERAL[1:2] and not {SEVERAL[0], SEVERAL[2]} & set(found)
    assert all("read noise of the devices" in choice.why for choice in list(found.values())[1:])


def test_a_run_with_a_recipe_is_the_run_of_its_configuration(tmp_path, caplog):
    values = settings(PCM)
    training.train(config.parse(values), tmp_path / "chosen", recipe="auto", progress=False)
    lines = [record.getMessage() for record in caplog.records if record.getMessage().startswith("recipe: ")]
    assert [line.split()[1] for line in lines] == SEVERAL
    held = runs.load(tmp_path / "chosen")
    assert [choice["setting"] for choice in held.environment["recipe"]] == SEVERAL
    assert held.config.chip.nudged.increments and held.config.chip.calibration_every == 20
    training.train(tmp_path / "chosen" / "config.toml", tmp_path / "plain", progress=False)
    one, other = (runs.load(tmp_path / name).checkpoint() for name in ("chosen", "plain"))
    for name, weight in one.parameters.items():
        assert weight.tobytes() == other.parameters[name].tobytes(), name


def test_a_run_goes_on_with_what_was_chosen_at_its_start(tmp_path):
    for name, steps in (("whole", (2,)), ("parted", (1, 2))):
        for epochs in steps:
            values = settings(PCM)
            values["training"]["epochs"] = epochs
            training.train(config.parse(values), tmp_path / name, recipe="auto", resume=True, progress=False)
    files = [(tmp_path / name / "checkpoint.safetensors").read_bytes() for name in ("whole", "parted")]
    assert files[0] == files[1]
    training.train(config.parse(settings(PCM)), tmp_path / "without", progress=False)
    with pytest.raises(ConfigError, match="it was started without one"):
        training.train(config.parse(settings(PCM)), tmp_path / "without", recipe="auto", resume=True, progress=False)


def test_what_is_no_recipe_or_has_no_chip_is_refused_and_nothing_is_written(tmp_path, capsys):
    with pytest.raises(ConfigError, match="recipe"):
        training.train(config.parse(settings(PCM)), tmp_path / "run", recipe="atuo", progress=False)
    with pytest.raises(ConfigError, match=r'name one with overrides=\["--chip", "NAME"\]'):
        training.train(config.parse(settings(None)), tmp_path / "run", recipe="auto", progress=False)
    assert list(tmp_path.iterdir()) == []
    file = tmp_path / "config.toml"
    file.write_text("[data]\nlimit = 20\n")
    assert cli.main(["train", str(file), "--out", str(tmp_path / "run"), "--recipe", "auto"]) == 2
    assert capsys.readouterr().err.count("\n") == 1
