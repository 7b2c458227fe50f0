# Tested by tests/neuroep/data/test_generated.py.
"""Generated film reviews, two classes: what counts is the aspect the reviewer cares for.

    i came for the story . music really seemed shrill but plot never felt predictable and humour felt witty . at home .

A review first says which aspect decides (``story`` stands for the plot), then judges that aspect and two others in any
order. The label is the judgement of the deciding aspect, turned round by a negation:

    label = polarity of the adjective of the deciding aspect, flipped if a negation stands in its clause

The other judgements are as often good as bad, and never negated, so counting good and bad words helps little: a reader
has to look the adjective up which belongs to the aspect (attention can: nouns and adjectives of an aspect share a
feature) and to combine it with the negation. ``but`` and ``although`` join judgements which differ, ``and`` and
``while`` such which agree.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from neuroep.data.lexicon import Lexicon, lexicon, pick

DIM = 32
"""Size of a word vector."""

CLASSES = ("negative", "positive")


class Aspect(NamedTuple):
    """Words about one side of a film."""

    focus: tuple[str, ...]
    """Nouns which say what decides."""
    nouns: tuple[str, ...]
    """Nouns of the judgements."""
    good: tuple[str, ...]
    bad: tuple[str, ...]


ASPECTS: Mapping[str, Aspect] = {
    "plot": Aspect(
        ("story", "tale"),
        ("plot", "script"),
        ("gripping", "clever", "surprising", "inventive"),
        ("predictable", "muddled", "contrived", "rambling"),
    ),
    "acting": Aspect(
        ("cast", "actors"),
        ("acting", "hero"),
        ("convincing", "nuanced", "heartfelt", "magnetic"),
        ("wooden", "stiff", "hammy", "lifeless"),
    ),
    "music": Aspect(
        ("sound", "songs"),
        ("music", "score"),
        ("melodic", "stirring", "haunting", "lush"),
        ("shrill", "noisy", "tuneless", "blaring"),
    ),
    "images": Aspect(
        ("images", "scenery"),
        ("camera", "lighting"),
        ("luminous", "crisp", "radiant", "vivid"),
        ("blurry", "murky", "grainy", "garish"),
    ),
    "humour": Aspect(
        ("comedy", "laughs"),
        ("humour", "banter"),
        ("witty", "hilarious", "playful", "wry"),
        ("stale", "crude", "corny", "tasteless"),
    ),
}

NEGATIONS = ("hardly", "never", "barely")
_INTENSIFIERS = ("really", "truly", "quite")
_VERBS = ("felt", "seemed")
CONTRAST = ("but", "although")
AGREEMENT = ("and", "while")
_OPENINGS = ("for me the {} decides .", "i came for the {} .", "here the {} matters most .")
_CLOSINGS = ("", "on sunday .", "with friends .", "at home .")
_NEGATED = 0.25
_INTENSIFIED = 0.25

FEATURES = (
    *ASPECTS,
    *("focus", "noun", "adjective", "polarity", "negation", "intensity", "verb", "join", "contrast", "mark"),
)
"""Dimensions of a word vector before its identity: one per aspect (nouns and adjectives of it), what kind of word it is
(focus and other nouns, adjective, verb, joining word, mark or filler), the polarity of an adjective (mild 0.7 to strong
1.3, below 0 if bad), and whether an adverb negates or intensifies and a joining word contrasts."""

_SCALE = 3.0
_IDENTITY = 1.75
_STRENGTHS = (0.7, 0.9, 1.1, 1.3)


def words() -> Lexicon:
    """Return the words of the corpus with their vectors of length about 4 to 6."""
    features: dict[str, dict[str, float]] = {}
    for name, aspect in ASPECTS.items():
        features.update({word: {name: 1, "focus": 1} for word in aspect.focus})
        features.update({word: {name: 1, "noun": 1} for word in aspect.nouns})
        for sign, adjectives in ((1, aspect.good), (-1, aspect.bad)):
            for word, strength in zip(adjectives, _STRENGTHS, strict=True):
                features[word] = {name: 1, "adjective": 1, "polarity": sign * strength}
    features.update({word: {"negation": 1.5} for word in NEGATIONS})
    features.update({word: {"intensity": 1.5} for word in _INTENSIFIERS})
    features.update({word: {"verb": 1.5} for word in _VERBS})
    features.update({word: {"join": 1, "contrast": 1} for word in CONTRAST})
    features.update({word: {"join": 1, "contrast": -1} for word in AGREEMENT})
    features["."] = {"mark": 1.5}
    fillers = " ".join((*_OPENINGS, *_CLOSINGS)).replace("{}", "").split()
    features.update({word: {"mark": 0.5} for word in fillers if word not in features})
    return lexicon(features, FEATURES, dim=DIM, scale=_SCALE, identity=_IDENTITY, key="reviews")


def sample(draw: np.random.Generator, label: int) -> str:
    """Write one review of a class.

    Parameters
    ----------
    draw : numpy.random.Generator
        Source of the choices.
    label : int
        0 negative, 1 positive.
    """
    chosen = [list(ASPECTS)[i] for i in draw.permutation(len(ASPECTS))[:3]]
    negated = draw.random() < _NEGATED
    verdicts = [bool(label), draw.random() < 0.5, draw.random() < 0.5]
    good = [verdicts[0] != negated, *verdicts[1:]]
    adverbs = [pick(draw, _INTENSIFIERS) if draw.random() < _INTENSIFIED else "" for _ in chosen]
    if negated:
        adverbs[0] = pick(draw, NEGATIONS)
    order = draw.permutation(3)
    clauses = [_clause(draw, ASPECTS[chosen[i]], good[i], adverbs[i]) for i in order]
    joins = [pick(draw, AGREEMENT if verdicts[a] == verdicts[b] else CONTRAST) for a, b in pairwise(order)]
    opening = pick(draw, _OPENINGS).format(pick(draw, ASPECTS[chosen[0]].focus))
    body = f"{clauses[0]} {joins[0]} {clauses[1]} {joins[1]} {clauses[2]} ."
    return " ".join(f"{opening} {body} {pick(draw, _CLOSINGS)}".split())


def _clause(draw: np.random.Generator, aspect: Aspect, good: bool, adverb: str) -> str:
    noun, adjective = pick(draw, aspect.nouns), pick(draw, aspect.good if good else aspect.bad)
    return f"{noun} {adverb} {pick(draw, _VERBS)} {adjective}"
