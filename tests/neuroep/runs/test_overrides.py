"""Settings on the command line: names, values, and what is the command's own."""

from __future__ import annotations

import pytest

from hw_models.laws.programming import WRITE
from neuroep.errors import ConfigError
from neuroep.runs.config import listing, parse, settings
from neuroep.runs.overrides import dotted, merged, split


def changed(*overrides: str) -> dict:
    """Return what overrides make different from the defaults."""
    before, after = parse({}).flat(), parse(merged({}, overrides)).flat()
    return {name: value for name, value in after.items() if before.get(name) != value}


@pytest.mark.parametrize(
    ("name", "text", "field", "value"),
    [
        ("--training.epochs", "3", "training.epochs", 3),
        ("--epochs", "3", "training.epochs", 3),
        ("--free-steps", "7", "settling.free_steps", 7),
        ("--beta", "1e-3", "estimator.beta", 1e-3),
        ("--beta", "1", "estimator.beta", 1.0),
        ("--mask", "false", "network.mask", False),
        ("--mask", "False", "network.mask", False),
        ("--dense", "[400, 2]", "network.dense", [400, 2]),
        ("--dense", "400,2", "network.dense", [400, 2]),
        ("--dense", "3", "network.dense", [3]),
        ("--tokens", "5", "network.tokens", 5),
        ("--evaluate", "train", "training.evaluate", ["train"]),
        ("--evaluate", "train, test", "training.evaluate", ["train", "test"]),
        ("--evaluate", "[]", "training.evaluate", []),
        ("--potential", "tanh", "network.potential", "tanh"),
        ("--engine", "reference", "engine.kind", "reference"),
        ("--threads", "2", "engine.threads", 2),
        ("--optimiser.rates.query", "0.1", "optimiser.rates", {"query": 0.1}),
        ("--rates.dense_1", "0.1", "optimiser.rates", {"dense_1": 0.1}),
    ],
)
def test_values_reach_their_setting(name, text, field, value):
    assert changed(name, text)[field] == value


def test_a_column_named_like_a_number_stays_text():
    values = merged({"data": {"name": "table", "path": "/t", "vectors": "/v.kv"}}, ["--text", "12", "--label", "true"])
    data = parse(values).data
    assert (data.text, data.label) == (("12",), "true")


def test_two_columns_in_one_value():
    values = merged({"data": {"name": "table", "path": "/t", "vectors": "/v.kv"}}, ["--text", "['a', 'b']"])
    assert values["data"]["text"] == ["a", "b"]


def test_none_unsets():
    values = {"engine": {"threads": 2}, "network": {"output_bias": 1.0}}
    found = parse(merged(values, ["--threads", "none", "--output_bias", "none"]))
    assert found.engine.threads is None
    assert found.network.output_bias is None


def test_later_overrides_win():
    assert changed("--epochs", "3", "--epochs", "4") == {"training.epochs": 4}


def test_rates_are_added_to_those_of_the_file():
    found = merged({"optimiser": {"rates": {"query": 0.1}}}, ["--rates.dense_1", "0.2"])
    assert found["optimiser"]["rates"] == {"query": 0.1, "dense_1": 0.2}


def test_the_given_values_stay_as_they_are():
    values = {"training": {"epochs": 1}}
    merged(values, ["--epochs", "3"])
    assert values == {"training": {"epochs": 1}}


@pytest.mark.parametrize("values", [{"training": 3}, {"optimiser": {"rates": 3}}])
def test_faults_of_the_file_are_left_to_the_checks(values):
    overrides = ["--epochs", "3"] if "training" in values else ["--rates.query", "0.1"]
    with pytest.raises(ConfigError, match="table"):
        parse(merged(values, overrides))


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("--kind", ["not unique", "--network.kind", "--engine.kind"]),
        ("--order", ["not unique", "--data.order", "--settling.order"]),
        ("--epoch", ["unknown setting '--epoch'", "did you mean '--epochs'?"]),
        ("--training.epoch", ["allowed are training.epochs", "did you mean '--training.epochs'?"]),
        ("--trainin.epochs", ["did you mean '--training.epochs'?"]),
        ("--zzz", ["unknown setting '--zzz'", "--help"]),
    ],
)
def test_unknown_names_are_one_line(name, parts):
    with pytest.raises(ConfigError) as caught:
        dotted(name)
    for part in parts:
        assert part in str(caught.value)


KNOWN = {"--out": True, "--resume": False}


def test_split_keeps_the_commands_own_arguments_apart():
    arguments = ["--epochs", "3", "x.toml", "--resume", "--beta=-0.1", "--out", "dir", "--out=dir"]
    own, overrides = split(arguments, KNOWN)
    assert own == ["x.toml", "--resume", "--out", "dir", "--out=dir"]
    assert overrides == ["--epochs", "3", "--beta", "-0.1"]


def test_split_takes_negative_values():
    assert split(["--beta", "-0.1"], KNOWN)[1] == ["--beta", "-0.1"]


@pytest.mark.parametrize("arguments", [["--epochs"], ["--epochs", "--out", "x"]])
def test_split_wants_a_value(arguments):
    with pytest.raises(ConfigError, match="'--epochs' needs a value"):
        split(arguments, KNOWN)


def test_split_suggests_options_too():
    with pytest.raises(ConfigError, match="did you mean '--resume'"):
        split(["--resum", "x.toml"], KNOWN)


def test_listing_has_every_setting_with_its_choices():
    text = listing()
    for name in (*settings(chip=False), "chip"):
        assert f"--{name} " in text
    assert "(centred, positive, negative, random)" in text


PCM_SIGMA = 0.26348 + 1.9650 - 1.1731
LAB = "[device]\ng_max = 10.0\nprogramming_noise = [0.5, 1.0]\n"
"""Of a device at g_max: 1.5 uS."""
G_MAX = ["--chip.device.g_max", "50.0"]


@pytest.mark.parametrize(
    ("chip", "overrides", "sigma"),
    [
        ("pcm", G_MAX, 2 * PCM_SIGMA),
        (None, [*G_MAX, "--chip", "pcm"], 2 * PCM_SIGMA),
        ({"preset": "pcm"}, G_MAX, 2 * PCM_SIGMA),
        ({"preset": "pcm", "device": {"g_max": 100.0}}, G_MAX, 2 * PCM_SIGMA),
        ({"preset": "pcm", "device": {"g_max": 100.0}}, [], 4 * PCM_SIGMA),
        ({"preset": "pcm", "device": {"programming_noise": [1.0]}}, G_MAX, 2.0),
        ({"preset": "pcm", "device": {"programming_noise": [1.0], "g_max": 100.0}}, [], 1.0),
        ({"preset": "pcm", "device": {"programming_noise": [1.0], "g_max": 100.0}}, G_MAX, 0.5),
        ({"preset": "LAB"}, G_MAX, 7.5),
        ({"device": {"programming_noise": [0.5, 1.0], "g_max": 10.0}}, G_MAX, 7.5),
        ({"device": {"programming_noise": [0.5, 1.0]}}, G_MAX, 3.0),
        ("pcm", [*G_MAX, "--chip.device.programming_noise", "[1.0]"], 1.0),
        ("pcm", ["--chip.device.programming_noise", "[1.0]"], 1.0),
        ("pcm", [*G_MAX, "--chip.device.programming_noise_g_max", "none"], PCM_SIGMA),
        ("RESOLVED", G_MAX, 2 * PCM_SIGMA),
        ("RESOLVED", [*G_MAX, "--chip.device.programming_noise", "[1.0]"], 1.0),
        (3, G_MAX, None),
    ],
)
def test_another_g_max_of_a_chip_rescales_its_programming_noise(tmp_path, chip, overrides, sigma):
    """In a configuration, on the command line, over a preset, a laboratory's file or what a run has resolved."""
    (tmp_path / "lab.toml").write_text(LAB)
    if chip == {"preset": "LAB"}:
        chip = {"preset": str(tmp_path / "lab.toml")}
    values = {} if chip is None else parse({"chip": "pcm"}).to_dict() if chip == "RESOLVED" else {"chip": chip}
    if sigma is None:
        with pytest.raises(ConfigError, match="chip"):
            parse(merged(values, overrides))
        return
    device = parse(merged(values, overrides)).chip.device
    assert WRITE.sigma([device.g_max], device)[0] == pytest.approx(sigma, rel=1e-5)


def test_a_sweep_over_g_max_rescales_at_every_point(tmp_path):
    from analysis.sweep import plans
    from analysis.sweep.designs import axis, points

    (tmp_path / "run.toml").write_text('[chip]\npreset = "pcm"\n')
    made = plans.make(tmp_path / "run.toml", points([axis("chip.device.g_max=12.5,25,50")]), [])
    found = [point.config.chip.device for point in made.points]
    sigmas = [float(WRITE.sigma([device.g_max], device)[0]) for device in found]
    assert sigmas == pytest.approx([PCM_SIGMA / 2, PCM_SIGMA, 2 * PCM_SIGMA], rel=1e-5)


def test_unset_is_none_as_tables_print_it():
    """Before, the text 'unset' was refused as no whole number."""
    from analysis.sweep.designs import axis, points

    given = ["--chip", "rram", "--chip.adc.bits", "unset", "--chip.adc.range", "none"]
    assert merged({}, given)["chip"]["adc"] == {"bits": None, "range": None}
    assert points([axis("chip.adc.bits=unset,4,none")]) == [{"chip.adc.bits": "none"}, {"chip.adc.bits": "4"}]


@pytest.mark.parametrize("second", [["--seed", "2"], ["--training.seed=2"], ["--training.seed", "1"]])
def test_a_setting_given_twice_is_refused(second):
    """Before, the last one counted without a word."""
    with pytest.raises(ConfigError, match=r"^setting '--(training\.)?seed'.* is given twice: which value is meant\?$"):
        split(["--seed", "1", *second], {})
    split(["--rates.dense_1", "1", "--rates.dense_2", "1"], {})
