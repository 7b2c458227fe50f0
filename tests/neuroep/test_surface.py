"""Keywords and names given to what users call: a misspelt one gets the nearest, and none is dropped."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

import analysis
import hw_models
import neuroep
from hw_models.chip import Chip
from hw_models.errors import ChipError, UserError
from neuroep.errors import ConfigError, DataError
from tests import cases


@pytest.mark.parametrize(
    ("call", "keyword", "near"),
    [
        (lambda k: neuroep.engines.local(cases.network(), **k), "chpi", "chip"),
        (lambda k: neuroep.engines.reference(cases.network(), **k), "devise", "device"),
        (lambda k: neuroep.engines.build("local", cases.network(), **k), "thread", "threads"),
        (lambda k: neuroep.engines.local(cases.network(), **k), "chipseed", "chip_seed"),
        (lambda k: neuroep.engines.reference(cases.network(), **k), "optimizer", "optimiser"),
        (lambda k: neuroep.networks.sentiment(5, 4, (3, 2), **k), "redout", "readout"),
        (lambda k: neuroep.networks.pooled(5, 4, (3, 2), **k), "masks", "mask"),
        (lambda k: neuroep.networks.inference(5, 4, (3, 3), **k), "projection_bais", "projection_bias"),
        (lambda k: neuroep.networks.initial_parameters(cases.network(), **k), "output_bais", "output_bias"),
        (lambda k: neuroep.estimators.centred(**k), "nudge", "nudged"),
        (lambda k: neuroep.estimators.random(**k), "sed", "seed"),
        (lambda k: neuroep.data.load("reviews", tokens=5, **k), "limits", "limit"),
        (lambda k: neuroep.train("c.toml", "out", **k), "resum", "resume"),
        (lambda k: neuroep.evaluate("run", **k), "overides", "overrides"),
        (lambda k: neuroep.deploy("run", **k), "seed", "seeds"),
        (lambda k: neuroep.adopt("w.npz", "c.toml", "out", **k), "name", "names"),
        (lambda k: neuroep.export("run", "net.cir", **k), "samples", "sample"),
        (lambda k: neuroep.Session.open("run", **k), "device", "devices"),
        (lambda k: neuroep.Session.evaluate(None, **k), "progres", "progress"),
        (lambda k: neuroep.load_config("c.toml", **k), "overides", "overrides"),
        (lambda k: analysis.comparison.run("run", [], "out", **k), "modes", "mode"),
        (lambda k: analysis.gradients.run(None, "out", **k), "sample", "samples"),
        (lambda k: analysis.demo.run("out", **k), "progres", "progress"),
        (lambda k: analysis.sweep.runner.run("run", [], out="out", **k), "worker", "workers"),
        (lambda k: analysis.require.run("run", [], out="out", **k), "targets", "target"),
        (lambda k: analysis.ablate.run("run", out="out", **k), "effect", "effects"),
        (lambda k: hw_models.Crossbar(Chip.ideal(), (2, 3), **k), "names", "name"),
    ],
)
def test_a_misspelt_keyword_gets_the_nearest_one(call, keyword, near):
    """Before, a TypeError without it."""
    line = rf"^unknown keyword of [\w.]+ '{keyword}': allowed are .*; did you mean '{near}'\?$"
    with pytest.raises((ConfigError, DataError, ChipError), match=line):
        call({keyword: 1})


@pytest.mark.parametrize(
    ("call", "error", "line"),
    [
        (lambda: neuroep.data.load(), DataError, "load: missing a required argument: 'name'; its arguments are name"),
        (lambda: hw_models.Crossbar(), ChipError, "Crossbar: missing a required argument: '"),
        (lambda: neuroep.estimators.centred(0.1, 4), ConfigError,
         "centred: too many positional arguments; its arguments are beta; by keyword points, free, nudged, seed, "),
        (lambda: neuroep.estimators.centred(0.1, beta=0.2), ConfigError, "centred: multiple values for argument"),
        (lambda: analysis.demo.run(1, 2, 3, 4, 5), ConfigError, "run: too many positional arguments; "),
    ],
)  # fmt: skip
def test_arguments_missing_or_too_many(call, error, line):
    """Before, a TypeError."""
    with pytest.raises(error, match=f"^{line}"):
        call()


@pytest.mark.parametrize("name", ["local", "reference"])
def test_signatures_are_written_out(name):
    """So that an editor completes them; no builder takes just anything."""
    for build in (getattr(neuroep.engines, name), neuroep.networks.pooled, neuroep.estimators.centred):
        kinds = {parameter.kind for parameter in inspect.signature(build).parameters.values()}
        assert inspect.Parameter.VAR_KEYWORD not in kinds


def test_a_chip_by_its_name(tmp_path):
    """Before, the name ended in an AttributeError inside the engine."""
    net, batch = cases.network("pooled_sentiment"), cases.batch(cases.network("pooled_sentiment"))
    mine = hw_models.load("rram").model_copy(update={"name": "mine"})
    hw_models.save(mine, tmp_path / "mine.toml")
    for given, chip in (("rram", hw_models.load("rram")), (tmp_path / "mine.toml", mine), (mine, mine)):
        engines = [neuroep.engines.local(net, chip=one, seed=3) for one in (given, chip)]
        assert engines[0].substrate.chip == chip
        for engine in engines:
            engine.calibrate([batch], cases.estimator())
        outputs = [engine.outputs(engine.settle(batch)) for engine in engines]
        np.testing.assert_array_equal(*outputs)
    crossbar = hw_models.Crossbar("rram", (3, 4))
    assert crossbar.device == hw_models.load("rram").device


@pytest.mark.parametrize("make", [lambda chip: neuroep.engines.local(cases.network(), chip=chip),
                                  lambda chip: hw_models.Crossbar(chip, (2, 3))])  # fmt: skip
def test_what_is_no_chip(make):
    with pytest.raises(ChipError, match=r"^unknown chip 'pcn': .*; did you mean 'pcm'\?$"):
        make("pcn")
    with pytest.raises(ChipError, match=r"^chip is a dict: give a Chip, the name of one, or a TOML file$"):
        make({"name": "pcm"})


@pytest.mark.parametrize("device", ["cpu"])
def test_a_chip_of_either_engine(device):
    net, chip = cases.network(), hw_models.load("pcm")
    for build in (neuroep.engines.reference, lambda net, **k: neuroep.engines.build("reference", net, **k)):
        engine = build(net, chip="pcm", chip_seed=4, device=device)
        assert engine.substrate.chip == chip and engine.describe()["chip"] == chip.name
        assert engine.describe()["engine"] == "reference" and engine.describe()["device"] == device


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ({"chip_seed": 3}, "chip_seed is 3: it acts only with a chip"),
        ({"chip": "pcm", "products": "bfloat16"}, "products is 'bfloat16': a chip rounds by its own converters"),
        ({"chip": "pcm", "chip_seed": -1}, "chip_seed = -1: "),
    ],
)
def test_what_the_reference_engine_refuses(given, line):
    with pytest.raises(ConfigError) as found:
        neuroep.engines.reference(cases.network(), **given)
    assert str(found.value).startswith(line) and "\n" not in str(found.value)


@pytest.mark.parametrize(
    ("call", "line"),
    [
        (lambda: Chip.parse([]), r"chip: \[\]: tables of fields are needed"),
        (lambda: Chip.parse(None), "chip: None: tables of fields are needed"),
        (lambda: hw_models.save("hermes", "x.toml"), "chip is 'hermes': a hw_models.Chip is needed"),
        (lambda: hw_models.save(Chip(), None), "path is None: the name of a file is needed"),
        (lambda: neuroep.estimators.centred().gradient(None, None), "engine is None: one of neuroep.engines is needed"),
        (lambda: neuroep.runs.directory.load(None), "path is None: the name of a run directory is needed"),
    ],
)
def test_what_is_of_another_kind_is_refused_in_a_line(call, line: str) -> None:
    """They ended in an AttributeError or a TypeError."""
    with pytest.raises(UserError, match=line) as raised:
        call()
    assert "\n" not in str(raised.value)
