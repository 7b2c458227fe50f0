"""Attention maps: words beside their weights, and how many keys they amount to."""

from __future__ import annotations

from pathlib import Path

from analysis.drawing import style

import numpy as np
import pytest

from analysis.run.attention import PADDING, attend, effective_keys, plot_attention
from neuroep.errors import ConfigError
from neuroep.runs import config
from neuroep.runs.session import Session

ROOT = Path(__file__).resolve().parents[3]
WORDS = ("a", "b$c", "extraordinarilylongword")


def assembled(*overrides: str) -> Session:
    settings = [*overrides, "--limit", "60", "--tokens", "30"]
    parts = Session.open(config.load(ROOT / "examples" / "configs" / "reviews.toml", settings))
    return parts


def test_effective_keys() -> None:
    assert effective_keys(np.full((2, 7), 1 / 7)) == pytest.approx(7)
    assert effective_keys(np.eye(4)) == pytest.approx(1)
    assert effective_keys(np.array([[0.3, 0.3, 0.0], [0, 0, 0]])) == pytest.approx([2, 0])


@pytest.mark.parametrize("chip", [[], ["--chip", "hermes"], ["--chip", "orchard_2021_loihi2"]])
def test_attend_is_what_the_engine_attends_to(chip: list[str]) -> None:
    parts = assembled(*chip)
    (found,) = attend(parts.engine, parts.corpus, "test", 2, parts.estimator.free)
    tokens = parts.corpus.split("test").tokens["text"][2]
    assert found.keys == found.queries == tuple(parts.corpus.words[n] for n in tokens)
    assert found.weights.shape == (len(tokens), len(tokens))
    assert found.weights.sum(axis=1) == pytest.approx(1, abs=1e-5)
    assert np.all((found.effective > 1) & (found.effective <= len(tokens) + 1e-4))
    assert {found.label, found.predicted} <= set(parts.corpus.classes)
    (again,) = attend(parts.engine, parts.corpus, "test", 2, parts.estimator.free)
    np.testing.assert_array_equal(found.weights, again.weights)


def test_padding_is_one_key_that_counts_place_by_place() -> None:
    parts = assembled("--network.mask", "false")
    (found,) = attend(parts.engine, parts.corpus, "test", 2, parts.estimator.free)
    assert found.keys[-1] == PADDING
    assert len(found.keys) == len(found.queries) + 1
    assert found.weights.sum(axis=1) == pytest.approx(1, abs=1e-5)
    assert np.all(found.effective > effective_keys(found.weights))


def test_two_sequences() -> None:
    parts = Session.open(
        config.parse({"network": {"kind": "inference", "dense": [8, 3], "tokens": [9, 9]}, "data": {"name": "pairs"}})
    )
    for found in attend(parts.engine, parts.corpus, "test", 1):
        assert found.weights.shape == (len(found.queries), len(found.keys))


def test_map_and_numbers(tmp_path: Path) -> None:
    weights = np.array([[1.0, 0, 0], [0.5, 0.5, 0]])
    given = style.figure().add_subplot()
    ax = plot_attention(weights, WORDS, given, queries=WORDS[:2])
    assert ax is given
    np.testing.assert_array_equal(ax.images[0].get_array(), weights)
    assert [text.get_text() for text in ax.texts][:2] == ["1.0", "2.0"]
    assert [text.get_text() for text in ax.get_xticklabels()] == ["a", r"b\$c", "extraordinarilylo\u2026"]
    assert ax.get_xlabel().startswith("key") and ax.get_ylabel().startswith("query")
    assert ax.figure.axes[1].get_ylabel() == "attention weight [1]"
    style.save(ax, tmp_path / "picture.png")


def test_long_sentences_are_cut_and_told() -> None:
    ax = plot_attention(np.full((60, 60), 1 / 60), ["w"] * 60)
    assert ax.images[0].get_array().shape == (48, 48)
    assert "12 more queries, 12 more keys" in ax.get_title(loc="left")
    assert ax.texts[0].get_text() == "60.0"


def test_refused_with_one_line() -> None:
    with pytest.raises(ConfigError, match=r"weights have shape \(2, 2\)"):
        plot_attention(np.eye(2), WORDS)
    with pytest.raises(ConfigError, match="words are empty"):
        plot_attention(np.zeros((0, 0)), ())
    with pytest.raises(ConfigError, match="effective has shape"):
        plot_attention(np.eye(3), WORDS, effective=np.ones(2))
    parts = assembled()
    with pytest.raises(ConfigError, match="sample is 100000"):
        attend(parts.engine, parts.corpus, "test", 100000)
