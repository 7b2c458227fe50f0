"""Calibration of a chip in an engine: what breaks off, samples without words, patterns of analog attention."""

from __future__ import annotations

import dataclasses
import operator

import numpy as np
import pytest

from hw_models.arrays.converter_bank import Digitisers
from hw_models.chip import Chip
from hw_models.errors import ChipError
from neuroep import cli, data, engines
from neuroep.data.batch import Batch, TokenVectors
from neuroep.engines.chip.arrays import CrossbarArray, EventDrivenArray
from neuroep.engines.chip.attention import AnalogAttention, DigitisedAttention
from neuroep.engines.engine import Engine
from neuroep.engines.schedule import Schedule
from neuroep.errors import ConfigError, DataError, DivergenceError
from neuroep.gradients.estimators import centred
from neuroep.network import builders as networks
from neuroep.randomness import generator
from neuroep.runs import building, config
from neuroep.runs.session import Session
from tests import cases
from tests.neuroep.engines.chip.conftest import BASE, nested

SCHEDULE = Schedule(steps=3)
ESTIMATOR = centred(beta=0.3, free=SCHEDULE, nudged=SCHEDULE)
CHIPS = {
    "converters": {"dac": {"bits": 4}, "adc": {"bits": 4}},
    "read-out": {"adc": {"bits": 4}, "readout": {"bits": 6, "signal": "difference"}},
    "attention": {"adc": {"bits": 4}, "attention": {"kind": "analog", "state": {"bits": 4}}},
    "events": {"substrate": "event_driven", "events": {"state_bits": 4}},
}


def engine(kind: str, seed: int = 0):
    network = networks.sentiment(tokens=5, dim=4, dense=(3, 2), readout="pooled")
    return engines.local(network, chip=Chip.parse(CHIPS[kind]), seed=seed), cases.batch(network, 3)


def observing(made) -> list[str]:
    """Names of all parts that still observe."""
    found = []
    inner = [unit.inner for unit in made.units.values() if isinstance(unit, DigitisedAttention)]
    for part in [*made.substrate._parts(), *inner]:
        if isinstance(part, EventDrivenArray):
            found += ["events"] if part.array.observing else []
            continue
        held = {CrossbarArray: "crossbar.converters", AnalogAttention: "stored", DigitisedAttention: "shown"}
        part = operator.attrgetter(held[type(part)])(part) if type(part) in held else part
        ranged = part.digitisers if isinstance(part, Digitisers) else {}
        found += [key for key, digitiser in ranged.items() if digitiser.observing]
    return found


@pytest.mark.parametrize("kind", CHIPS)
@pytest.mark.parametrize("fault", [ValueError, KeyboardInterrupt, SystemExit])
def test_a_calibration_that_breaks_off_leaves_nothing_observing(kind, fault):
    """Afterwards the engine refuses to settle; it ran past its converters without a word."""
    made, batch = engine(kind)

    def batches():
        yield batch
        raise fault

    with pytest.raises(fault):
        made.calibrate(batches(), ESTIMATOR)
    assert observing(made) == []
    assert made.calibrates
    with pytest.raises((ChipError, ConfigError), match=r"neither set nor calibrated|have no range"):
        made.settle(batch, SCHEDULE)
    made.calibrate([batch], ESTIMATOR)
    assert not made.calibrates and observing(made) == []
    fresh, _ = engine(kind)
    fresh.calibrate([batch], ESTIMATOR)
    batch = batch.keyed("test")
    np.testing.assert_array_equal(
        made.outputs(made.settle(batch, SCHEDULE)), fresh.outputs(fresh.settle(batch, SCHEDULE))
    )


@pytest.mark.parametrize("kind", CHIPS)
def test_a_calibration_whose_states_are_not_finite_leaves_nothing_observing(kind):
    made, batch = engine(kind)
    with np.errstate(all="ignore"):
        huge = TokenVectors(np.full_like(batch.inputs["text"].vectors, 3e38), batch.inputs["text"].lengths)
        with pytest.raises((ChipError, DivergenceError)):
            made.calibrate([Batch({"text": huge}, batch.labels)], ESTIMATOR)
    assert observing(made) == []
    assert made.calibrates


@pytest.mark.parametrize("kind", CHIPS)
def test_samples_without_a_known_word_are_named(kind):
    made, batch = engine(kind)
    empty = TokenVectors(0 * batch.inputs["text"].vectors, 0 * batch.inputs["text"].lengths)
    with pytest.raises(DataError, match=f"the {batch.size} calibration samples hold no known word of 'text'.*raise"):
        made.calibrate([Batch({"text": empty}, batch.labels)], ESTIMATOR)
    assert observing(made) == []
    with pytest.raises(DataError, match="the 0 calibration samples"):
        made.calibrate([], ESTIMATOR)


def table(folder, known: int, unknown: int, texts=("text",)) -> dict:
    """Write vectors, and splits of samples with and without a known word."""
    (folder / "glove.txt").write_text("good 1 2\nbad 3 4\nfilm 5 6\n")
    for split in ("train", "test"):
        rows = ["good film,1"] * known + ["zzz,0"] * unknown
        (folder / f"{split}.csv").write_text("\n".join(["text,label", *rows]) + "\n")
    return {
        "chip": "pcm",
        "network": {"tokens": 5, "dense": [4, 2], "readout": "pooled"},
        "data": {"name": "table", "path": str(folder), "vectors": str(folder / "glove.txt"), "text": "text",
                 "cache": str(folder / "cache")},
        "training": {"epochs": 1},
    }  # fmt: skip


@pytest.fixture
def seen(monkeypatch):
    """Collect the batches that an engine is calibrated on."""
    batches = []
    monkeypatch.setattr(Engine, "calibrate", lambda engine, given, estimator: batches.extend(given))
    return batches


def test_samples_without_a_known_word_are_not_drawn(tmp_path, seen):
    """One of 41 texts holds a word, one sample is drawn: it is that one."""
    values = table(tmp_path, 1, 40)
    Session.open(config.parse(values | {"chip": {**CHIPS["converters"], "calibration_samples": 1}}))
    assert [batch.inputs["text"].lengths.tolist() for batch in seen] == [[2]]


def test_the_draw_is_what_it_was_where_all_samples_hold_words(seen):
    """Passing over nothing leaves the first samples of the permutation."""
    tables = {**BASE, "chip": nested({"adc.bits": 8, "calibration_samples": 16})}
    parts = Session.open(config.parse(tables))
    split = parts.corpus.split("train")
    assert (split.tokens["text"].lengths > 0).all()
    drawn = generator(0, "calibration").permutation(len(split))[:16]
    expected = data.batches(split.take(drawn), parts.corpus.vectors, parts.config.training.batch)
    for one, other in zip(seen, expected, strict=True):
        np.testing.assert_array_equal(one.inputs["text"].vectors, other.inputs["text"].vectors)


def test_a_corpus_without_any_known_word_says_so(tmp_path, capsys):
    import tomli_w

    values = table(tmp_path, 0, 5)
    corpus = building.build_corpus(config.parse(table(tmp_path, 1, 5)))
    split = corpus.split("train")
    silent = split.take(np.flatnonzero(split.tokens["text"].lengths == 0))
    corpus = dataclasses.replace(corpus, splits={"train": silent, "test": silent})
    with pytest.raises(DataError, match="none of its 5 training samples has a known word in 'text'"):
        Session.open(config.parse(values), corpus=corpus)
    (tmp_path / "c.toml").write_text(tomli_w.dumps(table(tmp_path, 0, 5)))
    assert cli.main(["train", str(tmp_path / "c.toml"), "--out", str(tmp_path / "run"), "--quiet"]) == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 1 and not (tmp_path / "run").exists()


def test_patterns_that_are_not_finite_are_refused():
    chip = Chip.parse({"attention": {"kind": "analog", "pattern_range": 6.0}})
    network = networks.sentiment(tokens=5, dim=4, dense=(3, 2), readout="pooled")
    made, batch = engines.local(network, chip=chip), cases.batch(network, 3)
    clamped = made.clamp(batch)
    tokens = clamped.tokens["text"]
    tokens.vectors[0, 0, 0] = np.nan
    with pytest.raises(ChipError, match=r"attention patterns: 1 of .* weights are not finite"):
        made.units["attention"].hold(np.zeros((int(tokens.count.sum()), 4), np.float32), tokens, tokens)


def test_a_fixed_pattern_range_is_that_of_the_calibration_too():
    """The currents on which the converters are calibrated are those of the run."""
    found = []
    for span in (6.0, 12.0):
        chip = {"attention": {"kind": "analog", "pattern_range": span}, "adc": {"bits": 8}}
        network = networks.sentiment(tokens=5, dim=4, dense=(3, 2), readout="pooled")
        made = engines.local(network, chip=Chip.parse(chip), seed=0)
        made.calibrate([cases.batch(network, 3)], ESTIMATOR)
        found.append(made.units["attention"].stored.converters.of("forward")[1].range)
    assert found[0] == pytest.approx(2 * found[1], rel=1e-3)
