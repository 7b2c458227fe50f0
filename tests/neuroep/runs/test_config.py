"""Configuration: defaults, resolution, and one clear line for each thing that cannot be."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from neuroep.errors import ConfigError
from neuroep.runs import config as configuration, published
from neuroep.runs.config import Config, load, parse, settings

EXAMPLES = sorted((Path(__file__).parents[3] / "examples" / "configs").glob("*.toml"))
TABLE = {"name": "table", "path": "t.csv", "vectors": "v.kv"}


def line_of(values: dict) -> str:
    with pytest.raises(ConfigError) as caught:
        parse(values, "x.toml")
    line = str(caught.value)
    assert "\n" not in line
    assert line.startswith("x.toml: ")
    return line.removeprefix("x.toml: ")


def test_an_empty_configuration_is_the_papers_sentiment_network():
    found = parse({})
    assert found == Config()
    assert found.network.dense == (1000, 40, 2)
    assert found.network.slope == 0.5
    assert found.network.mask


def test_inference_has_sizes_of_its_own():
    found = parse({"network": {"kind": "inference"}, "data": {"name": "pairs"}})
    assert (found.network.tokens, found.network.dense) == (25, (400, 3))
    assert found.network.inverse_temperature == 0.16
    assert found.network.lengths == (25, 25)


def test_slope_belongs_to_the_hard_sigmoid_alone():
    assert parse({"network": {"potential": "tanh"}}).network.slope is None


def test_lengths_follow_the_sequences():
    assert parse({"network": {"tokens": 7}}).network.lengths == (7,)
    pairs = {"network": {"kind": "inference", "tokens": [7, 5]}, "data": {"name": "pairs"}}
    assert parse(pairs).network.lengths == (7, 5)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_examples_load_and_survive_being_written(path):
    found = load(path)
    assert parse(tomllib.loads(found.to_toml())) == found


def test_all_examples_are_there():
    names = {path.stem for path in EXAMPLES}
    of_sets = {f"{data}_{size}" for data in ("imdb", "snli") for size in ("paper", "published", "small")}
    assert names >= {"reviews", "pairs"} | of_sets


@pytest.mark.parametrize(("name", "kind"), [("imdb_published", "sentiment"), ("snli_published", "inference")])
def test_published_examples_are_the_settings_of_imported_runs(name, kind):
    found = load(next(path for path in EXAMPLES if path.stem == name))
    assert found == parse(published.PAPER[kind])


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("imdb_published", (600, (1000, 40, 2), None, 50, 25, 0.1, 100, 1e-4, 5e-5)),
        ("snli_published", (25, (400, 3), 0.16, 60, 30, 0.5, 200, 5e-4, 2e-4)),
    ],
)
def test_published_examples_hold_the_papers_numbers(name, values):
    found = load(next(path for path in EXAMPLES if path.stem == name))
    network, settling, optimiser = found.network, found.settling, found.optimiser
    sizes = (network.tokens, network.dense, network.inverse_temperature)
    phases = (settling.free_steps, settling.nudged_steps, found.estimator.beta, found.training.batch)
    assert (*sizes, *phases, optimiser.projection_rate, optimiser.dense_rate) == values
    assert (network.mask, network.readout, settling.order, settling.tolerance) == (False, "flat", "synchronous", 0.0)
    assert (found.estimator.kind, optimiser.kind, found.training.epochs) == ("centred", "adam", 50)
    assert (optimiser.decay_epochs, optimiser.final_rate, network.output_bias) == (100, 1e-5, None)


@pytest.mark.parametrize(("data", "tolerances"), [("imdb", (0.03, 0.1)), ("snli", (0.002, 0.03))])
def test_paper_examples_settle_and_end_otherwise_and_are_the_published_ones(data, tolerances):
    """Their beta is 0.1, products those of the fast form, outputs start alive; the rest is the paper's."""
    named = {path.stem: path for path in EXAMPLES}
    ours, theirs = (load(named[f"{data}_{of}"]) for of in ("paper", "published"))
    drawn = ours.network.model_copy(update={"output_bias": None})
    assert (drawn, ours.data, ours.optimiser) == (theirs.network, theirs.data, theirs.optimiser)
    assert (ours.network.output_bias, theirs.network.output_bias) == (1.0, None)
    assert ours.training.batch == theirs.training.batch
    assert (ours.estimator.kind, ours.estimator.beta, ours.engine.products) == ("centred", 0.1, "bfloat16")
    settling = ours.settling
    assert (settling.order, settling.nudged_form, settling.acceleration) == ("layerwise", "differences", "anderson")
    assert (settling.tolerance, settling.nudged_tolerance) == tolerances
    assert settling.stop == ("by_sample" if data == "snli" else "tolerance")


@given(
    tokens=st.integers(1, 900),
    dense=st.lists(st.integers(1, 50), min_size=1, max_size=4),
    beta=st.floats(1e-6, 1.9),
    tolerance=st.floats(0, 1),
    seed=st.integers(0, 2**31),
    mask=st.booleans(),
    rates=st.dictionaries(st.sampled_from(["query", "dense_1", "a b"]), st.floats(0, 1)),
)
def test_writing_and_reading_changes_nothing(tokens, dense, beta, tolerance, seed, mask, rates):
    found = parse(
        {
            "network": {"tokens": tokens, "dense": dense, "mask": mask},
            "estimator": {"beta": beta},
            "settling": {"tolerance": tolerance},
            "optimiser": {"rates": rates},
            "training": {"seed": seed},
        }
    )
    assert parse(tomllib.loads(found.to_toml())) == found


def test_every_field_says_what_it_is():
    missing = [name for name, field in settings().items() if not field.description]
    assert not missing


def test_flat_names_are_settings():
    assert set(parse({}).flat()) <= set(settings())


def test_settings_are_frozen():
    with pytest.raises(ValueError, match="frozen"):
        parse({}).training.epochs = 3


@pytest.mark.parametrize(
    ("values", "parts"),
    [
        ({"netwrk": {}}, ["unknown key 'netwrk'", "did you mean 'network'?"]),
        ({"epochs": 3}, ["unknown key 'epochs' = 3", "allowed are network, data"]),
        ({"network": {"dence": [3]}}, ["'network.dence' = [3]", "did you mean 'network.dense'?"]),
        ({"network": 3}, ["network = 3", "table"]),
        ({"network": {"kind": "sentimnt"}}, ["network.kind = 'sentimnt'", "did you mean 'sentiment'?"]),
        ({"network": {"kind": 3}}, ["network.kind = 3", "'sentiment' or 'inference'"]),
        ({"network": {"kind": ["sentiment"]}}, ["network.kind = ['sentiment']"]),
        ({"network": {"tokens": 0}}, ["network.tokens = 0", "from 1"]),
        ({"network": {"tokens": "many"}}, ["network.tokens = 'many'", "whole number"]),
        ({"network": {"tokens": [3, 4]}}, ["network.tokens = [3, 4]", "text"]),
        ({"network": {"dense": []}}, ["network.dense = []"]),
        ({"network": {"dense": [0, 2]}}, ["network.dense.0 = 0", "greater than or equal to 1"]),
        ({"network": {"dense": [2.5]}}, ["network.dense.0 = 2.5", "whole number"]),
        ({"network": {"dense": 2}}, ["network.dense = 2", "list"]),
        ({"network": {"readout": "mean"}}, ["network.readout = 'mean'", "'flat' or 'pooled'"]),
        ({"network": {"inverse_temperature": 0}}, ["network.inverse_temperature = 0", "or equal to 1e-06"]),
        ({"network": {"inverse_temperature": float("inf")}}, ["network.inverse_temperature = inf", "finite"]),
        ({"network": {"potential": "hard"}}, ["network.potential = 'hard'", "did you mean"]),
        ({"network": {"potential": "tanh", "slope": 0.5}}, ["network.slope = 0.5", "hard_sigmoid"]),
        ({"network": {"mask": "yes"}}, ["network.mask = 'yes'", "true or false"]),
        ({"network": {"output_bias": float("nan")}}, ["network.output_bias = nan", "finite"]),
        ({"network": {"output_bias": 1e7}}, ["network.output_bias = 10000000.0", "less than or equal to 1000000"]),
        ({"network": {"projection_identity": -1e300}}, ["network.projection_identity = -1e+300", "greater than"]),
        ({"network": {"kind": "inference"}}, ["network.kind = 'inference'", "2 sequences", "'reviews' has 1"]),
        ({"data": {"name": "imbd"}}, ["data.name = 'imbd'", "did you mean 'imdb'?"]),
        ({"data": {"name": "imdb"}}, ["data.vectors", "'imdb' needs"]),
        ({"data": {"name": "reviews", "path": "x"}}, ["data.path = 'x'", "generated"]),
        ({"data": {"name": "reviews", "cache": "c"}}, ["data.cache = 'c'", "generated"]),
        ({"data": {"name": "table", "vectors": "v"}}, ["data.path", "'table' needs"]),
        ({"data": TABLE}, ["data.text", "'table' needs"]),
        ({"data": {**TABLE, "text": ["a", "b", "c"]}}, ["data.text", "one or two"]),
        ({"data": {"validation": 1.0}}, ["data.validation = 1.0", "less than 1"]),
        ({"data": {"limit": 0}}, ["data.limit = 0"]),
        ({"data": {"limit": "x"}}, ["data.limit = 'x'", "whole number"]),
        ({"settling": {"free_steps": 0}}, ["settling.free_steps = 0"]),
        ({"settling": {"tolerance": -1e-3}}, ["settling.tolerance = -0.001"]),
        ({"settling": {"dt": 1.5}}, ["settling.dt = 1.5", "less than or equal to 1"]),
        ({"settling": {"dt": 0}}, ["settling.dt = 0", "greater than 0"]),
        ({"settling": {"nudged_form": "state"}}, ["settling.nudged_form = 'state'", "did you mean 'states'"]),
        ({"settling": {"acceleration": "anderson", "dt": 0.5}}, ["settling.acceleration = 'anderson'", "not dt = 0.5"]),
        (
            {"settling": {"acceleration": "anderson", "order": "synchronous"}},
            ["settling.acceleration = 'anderson'", "not order = 'synchronous'; use 'none'"],
        ),
        (
            {"settling": {"nudged_form": "differences"}, "chip": {"name": "mine"}},
            ["settling.nudged_form = 'differences'", "chip 'mine' settles its states as they are; use 'states'"],
        ),
        (
            {"settling": {"stop": "by_sample", "tolerance": 0.1, "nudged_form": "differences", "dt": 0.5}},
            ["settling.stop = 'by_sample'", "it goes with dt = 1, not dt = 0.5; use 'tolerance'"],
        ),
        (
            {
                "settling": {
                    "stop": "by_sample", "tolerance": 0.1, "nudged_form": "differences", "acceleration": "anderson",
                },
                "chip": {"name": "mine"},
            },
            [
                "settling.nudged_form = 'differences', settling.acceleration = 'anderson', settling.stop = 'by_sample'",
                "chip 'mine' settles its states as they are; use 'states', 'none', 'tolerance'",
            ],
        ),
        (
            {"settling": {"stop": "by_sample", "nudged_form": "differences"}},
            ["settling.stop = 'by_sample': nothing ends a phase; set tolerance or nudged_tolerance"],
        ),
        (
            {"settling": {"stop": "by_sample", "tolerance": 0.1}},
            ["settling.stop = 'by_sample': both ends of a contrast", "set nudged_form = 'differences'"],
        ),
        (
            {"settling": {"acceleration": "anderson"}, "chip": {"name": "mine"}},
            ["settling.acceleration = 'anderson'", "chip 'mine' settles its states as they are; use 'none'"],
        ),
        ({"estimator": {"beta": 0}}, ["estimator.beta = 0", "equal to 1e-09"]),
        ({"estimator": {"beta": -0.1}}, ["estimator.beta = -0.1"]),
        ({"estimator": {"beta": float("nan")}}, ["estimator.beta = nan", "finite"]),
        ({"estimator": {"beta": float("inf")}}, ["estimator.beta = inf", "finite"]),
        ({"estimator": {"beta": "0.1"}}, ["estimator.beta = '0.1'"]),
        ({"estimator": {"beta": 2}}, ["estimator.beta = 2", "less than 2.0"]),
        ({"estimator": {"beta": 2, "points": 4}}, ["estimator.beta = 2", "less than 2.0"]),
        ({"estimator": {"points": 1}}, ["estimator.points = 1", "greater than or equal to 2"]),
        ({"estimator": {"points": 3}}, ["estimator.points = 3", "allowed are even whole numbers from 2 to 16"]),
        ({"estimator": {"points": 4.0}}, ["estimator.points = 4.0", "whole number"]),
        ({"estimator": {"point": 4}}, ["estimator.point", "did you mean 'estimator.points'"]),
        ({"estimator": {"kind": "positive", "points": 4}}, ["estimator.points = 4", "only centred takes more"]),
        ({"optimiser": {"rates": {"query": -1}}}, ["optimiser.rates.query = -1"]),
        ({"optimiser": {"momentum": 0.9}}, ["optimiser.momentum = 0.9", "sgd"]),
        ({"optimiser": {"weight_decay": 1e4}}, ["optimiser.weight_decay = 10000.0", "rate 0.0001", "less than 1"]),
        ({"optimiser": {"weight_decay": 2, "rates": {"query": 0.5}}}, ["optimiser.weight_decay = 2", "rate 0.5"]),
        ({"training": {"batch": 0}}, ["training.batch = 0"]),
        ({"training": {"epochs": True}}, ["training.epochs = True", "whole number"]),
        ({"training": {"seed": -1}}, ["training.seed = -1"]),
        ({"training": {"evaluate": "test"}}, ["training.evaluate = 'test'", "list"]),
        ({"engine": {"device": "gpu"}}, ["engine.device = 'gpu'", "cuda:N"]),
        ({"engine": {"device": "cuda"}}, ["engine.device = 'cuda'", "'local' runs on the CPU"]),
        ({"engine": {"threads": 0}}, ["engine.threads = 0"]),
        (
            {"engine": {"products": "bfloat16", "dtype": "float64"}},
            ["engine.products = 'bfloat16'", "goes with dtype 'float32', not 'float64'", "use 'full'"],
        ),
        (
            {"engine": {"products": "bfloat16"}, "chip": {"name": "mine"}},
            ["engine.products = 'bfloat16'", "mine", "use 'full'"],
        ),
        (
            {"engine": {"products": "bfloat16"}},
            ["engine.products = 'bfloat16'", "set settling.nudged_form = 'differences'"],
        ),
        (
            {"engine": {"repeats": "once"}, "data": {"name": "digits"}},
            ["engine.repeats = 'once'", "data 'digits' are numbers", "use 'each'"],
        ),
    ],
)
def test_what_cannot_be_is_one_line(values, parts):
    line = line_of(values)
    for part in parts:
        assert part in line


def test_all_wrong_settings_are_told_at_once_those_of_a_chip_among_them(tmp_path):
    (tmp_path / "mine.toml").write_text("[adc]\nbits = 99\nbitz = 4\n")
    file = tmp_path / "run.toml"
    file.write_text(
        '[training]\nepochs = -1\n[estimater]\nbeta = 3\n[optimiser]\nkind = "adm"\n[settling]\nstop = 3\n'
        '[engine]\nproducts = "bfloat16"\n'
    )
    with pytest.raises(ConfigError) as caught:
        load(file, ["--chip", str(tmp_path / "mine.toml"), "--training.batch", "x"])
    found = caught.value.lines
    assert [line for line in found if line.startswith(f"{file}: ")] == [
        line for line in found if any(name in line for name in ("training.epochs", "estimater", "optimiser", "stop"))
    ]
    assert len(found) == 7 and "training.batch = 'x': should be a whole number" in found
    assert f"{tmp_path / 'mine.toml'}: adc.bits = 99: should be less than or equal to 24" in found
    assert next(line for line in found if "bitz" in line).endswith("did you mean 'adc.bits'?")
    assert not any("engine.products" in line for line in found), "settings that do not go together come after these"


def test_a_chip_that_cannot_be_hides_no_wrong_setting_and_makes_none():
    """Without its chip, engine.chip_seed would act on nothing: that is not said."""
    with pytest.raises(ConfigError) as caught:
        parse({"chip": {"adc": {"bits": "x"}}, "engine": {"chip_seed": 3}})
    assert caught.value.lines == ["configuration: chip.adc.bits = 'x': should be a whole number"]
    with pytest.raises(ConfigError) as caught:
        parse({"chip": {"timing": {"pulse": 1e-7}}, "training": {"epochs": 0}})
    assert [line.split(" = ")[0] for line in caught.value.lines] == [
        "configuration: training.epochs", "configuration: chip.timing.pulse",
    ]  # fmt: skip


def test_a_one_sided_positive_nudge_may_be_strong():
    assert parse({"estimator": {"kind": "positive", "beta": 3}}).estimator.beta == 3


def test_missing_file(tmp_path):
    with pytest.raises(ConfigError, match=r"cannot read configuration '.*none.toml': No such file"):
        load(tmp_path / "none.toml")
    (tmp_path / "reviews.toml").touch()
    with pytest.raises(ConfigError, match=r"No such file or directory; did you mean '.*/reviews.toml'\?"):
        load(tmp_path / "reviws.toml")


def test_broken_toml_names_the_line(tmp_path):
    path = tmp_path / "broken.toml"
    path.write_text("[network]\ntokens = = 3\n")
    with pytest.raises(ConfigError, match=r"broken.toml: not valid TOML: .*line 2"):
        load(path)


def test_text_that_is_no_unicode(tmp_path):
    path = tmp_path / "broken.toml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="not valid TOML"):
        load(path)


def test_relative_paths_count_from_the_file(tmp_path):
    (tmp_path / "some").touch()
    path = tmp_path / "here.toml"
    path.write_text('[data]\nname = "imdb"\npath = "imdb"\nvectors = "../v.bin.gz"\ncache = "cache"\n')
    data = load(path).data
    assert data.path == str(tmp_path / "imdb")
    assert data.vectors == str((tmp_path / "../v.bin.gz").resolve())
    assert data.cache == str(tmp_path / "cache")


@pytest.mark.parametrize("name", ["word2vec-google-news-300", "glove-twitter-25"])
def test_names_of_downloads_are_no_paths(tmp_path, name):
    path = tmp_path / "here.toml"
    path.write_text(f'[data]\nname = "imdb"\nvectors = "{name}"\n')
    assert load(path).data.vectors == name


def test_relative_paths_of_overrides_count_from_the_working_directory(tmp_path, monkeypatch):
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    path = tmp_path / "here.toml"
    path.write_text('[data]\nname = "imdb"\nvectors = "glove-twitter-25"\n')
    data = load(path, ["--data.path", "imdb", "--vectors", "v.txt"]).data
    assert data.path == str(tmp_path / "work" / "imdb")
    assert data.vectors == str(tmp_path / "work" / "v.txt")


def test_located_leaves_what_is_no_table_to_the_checks():
    assert configuration.located({"data": 3}, Path("/")) == {"data": 3}


@pytest.mark.parametrize(("chip", "told"), [((), True), (("--chip", "pcm"), False)])
def test_a_calibrated_stop_without_a_chip_is_said_to_rest(tmp_path, caplog, chip, told):
    configuration.say.cache_clear()
    (tmp_path / "c.toml").write_text("[settling]\nstop = 'calibrated'\n", encoding="utf-8")
    load(tmp_path / "c.toml", chip)
    line = "without a chip: settling.stop cannot act here and is kept without effect"
    assert (line in [record.getMessage() for record in caplog.records]) == told


def test_an_empty_list_is_told_in_plain_words(tmp_path):
    (tmp_path / "empty.toml").write_text("[network]\ndense = []\n")
    with pytest.raises(ConfigError) as told:
        load(tmp_path / "empty.toml")
    assert str(told.value).endswith("network.dense = []: should have at least 1 entry, and it has 0")
