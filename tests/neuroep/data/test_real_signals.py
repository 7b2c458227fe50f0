"""Four public sets of sensor signals, where a copy is at hand (``$NEUROEP_DATA``): loaded, and learned."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from neuroep import data
from neuroep.data.baseline import linear_accuracy
from neuroep.runs import config, training

ROOT = Path(__file__).resolve().parents[3]
FOLDER = Path(os.environ.get("NEUROEP_DATA") or ROOT.parent / "shared" / "data") / "signals"
CONFIG = ROOT / "examples" / "configs" / "signals.toml"

pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="no copy of the signals")

SIZES = {  # train, test, channels, points, classes, a linear model on all numbers
    "JapaneseVowels": (270, 370, 12, 29, 9, 0.981),
    "BasicMotions": (40, 40, 6, 100, 4, 0.725),
    "ItalyPowerDemand": (67, 1029, 1, 24, 2, 0.966),
    "GunPoint": (50, 150, 1, 150, 2, 0.860),
}


@pytest.mark.parametrize("name", SIZES)
def test_each_is_loaded_as_it_is(name):
    train, test, channels, points, classes, linear = SIZES[name]
    corpus = data.load("arrays", path=FOLDER / name, tokens=points)
    assert {split: len(samples) for split, samples in corpus.splits.items()} == {"train": train, "test": test}
    assert (corpus.dim, len(corpus.classes)) == (channels, classes)
    assert max(split.tokens["signal"].lengths.max() for split in corpus.splits.values()) == points
    assert linear_accuracy(corpus) == pytest.approx(linear, abs=0.02)


@pytest.mark.parametrize(
    ("name", "tokens", "window", "least"), [("ItalyPowerDemand", 6, 4, 0.9), ("BasicMotions", 10, 10, 0.7)]
)
def test_each_is_learned(name, tokens, window, least, tmp_path):
    classes = SIZES[name][4]
    overrides = ["--data.path", str(FOLDER / name), "--tokens", str(tokens), "--window", str(window)]
    settings = config.load(CONFIG, [*overrides, "--dense", f"64,{classes}"])
    record = training.train(settings, tmp_path / "run", progress=False)
    assert record["evaluate"]["test"]["accuracy"] > least
