# Tested by tests/neuroep/data/test_generated.py.
"""Generated sentence pairs, three classes: does the hypothesis follow from the premise?

    premise     a girl is still sleeping in the kitchen
    hypothesis  a person is not running indoors             (entailment)

A sentence tells who does what where. Each of the three facts is a word or its hypernym (``girl``, ``person``). What the
hypothesis says is drawn without looking at the label, so the hypothesis alone tells nothing about it; the premise is
then drawn to fit:

    entailment     every fact of the hypothesis is in the premise, in the same word or in one below it (girl, person)
    neutral        one fact is not: the premise has only its hypernym, or does not name the place
    contradiction  one fact is excluded: another person, another action, another place

``not`` or ``never`` in the hypothesis denies its action: then an excluded action entails it, and what entailed it now
contradicts it. To tell, each word of the hypothesis must be held against the word of the premise with the same role,
and the outcome be combined with the negation: a linear function of word counts cannot. Premises leave the place out, or
name hypernyms, more often in neutral pairs, so the premise alone says a little.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from neuroep.data.lexicon import Lexicon, lexicon, pick

DIM = 32
"""Size of a word vector."""

CLASSES = ("entailment", "neutral", "contradiction")

ROLES: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "subject": {"person": ("girl", "farmer", "nurse"), "animal": ("dog", "cat", "horse")},
    "action": {"moving": ("running", "walking", "jumping"), "resting": ("sleeping", "sitting", "lying")},
    "place": {"outdoors": ("park", "garden", "field"), "indoors": ("kitchen", "hall", "barn")},
}
"""Words below each hypernym, by their role."""

NEGATIONS = ("not", "never")
_AFFIRMATIONS = ("now", "still")
_FUNCTION = ("a", "is", "in", "the")

_GENERAL = 0.3
_WITHOUT_PLACE = 0.3
_NEGATED = 0.15
_HALF = 0.5

FEATURES = (
    *ROLES,
    *("function", "negation", "general", "group 1", "group 2", "member 1", "member 2", "member 3"),
)
"""Dimensions of a word vector before its identity: the role of the word (subject, action, place, none); whether an
adverb denies (+) or affirms (-); whether a word is a hypernym (+) or below one (-); which group of its role it is of,
and which member of the group it is."""

_SCALE = 2.5
_IDENTITY = 0.8


def words() -> Lexicon:
    """Return the words of the corpus with their vectors, of length 5 to 6 for those which carry a fact."""
    features: dict[str, dict[str, float]] = {}
    for role, groups in ROLES.items():
        for number, (hypernym, members) in enumerate(groups.items(), start=1):
            group = {role: 1.5, f"group {number}": 1.3}
            features[hypernym] = {**group, "general": 0.5}
            for place, member in enumerate(members, start=1):
                features[member] = {**group, "general": -0.5, f"member {place}": 1.3}
    features.update({word: {"negation": 2.0} for word in NEGATIONS})
    features.update({word: {"negation": -2.0} for word in _AFFIRMATIONS})
    features.update({word: {"function": 0.7} for word in _FUNCTION})
    return lexicon(features, FEATURES, dim=DIM, scale=_SCALE, identity=_IDENTITY, key="pairs")


def sample(draw: np.random.Generator, label: int) -> tuple[str, str]:
    """Write a premise and a hypothesis of a class.

    Parameters
    ----------
    draw : numpy.random.Generator
        Source of the choices.
    label : int
        0 entailment, 1 neutral, 2 contradiction.
    """
    said = _said(draw)
    negated = draw.random() < _NEGATED
    relation = CLASSES[2 - label if negated else label]
    if relation == "neutral":
        facts = _unsettled(draw, said)
    elif relation == "contradiction":
        facts = _excluding(draw, said, "action" if negated else pick(draw, tuple(said)))
    else:
        facts = _supporting(draw, said)
    if "place" not in said and draw.random() < _HALF:
        facts["place"] = _word(draw, "place")
    premise = _sentence(facts, pick(draw, _AFFIRMATIONS))
    return premise, _sentence(said, pick(draw, NEGATIONS if negated else _AFFIRMATIONS))


def relation_of(premise: str, hypothesis: str) -> str:
    """Work the class of a pair out from its words, the way the grammar means it.

    Parameters
    ----------
    premise, hypothesis : str
        Sentences of this corpus.
    """
    facts, said = _facts(premise), _facts(hypothesis)
    held = [_holds(role, facts.get(role), word) for role, word in said.items()]
    relation = "contradiction" if "excluded" in held else "neutral" if "open" in held else "entailment"
    if set(NEGATIONS) & set(hypothesis.split()):
        return {"contradiction": "entailment", "entailment": "contradiction"}.get(relation, relation)
    return relation


def _holds(role: str, fact: str | None, word: str) -> str:
    """Tell whether a word of the hypothesis holds, is open, or is excluded by the word of the premise."""
    if fact is None or (fact == hypernym_of(role, word) and fact != word):
        return "open"
    return "holds" if word in (fact, hypernym_of(role, fact)) else "excluded"


def _facts(sentence: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for role, groups in ROLES.items():
        names = {*groups, *(member for members in groups.values() for member in members)}
        found.update((role, word) for word in sentence.split() if word in names)
    return found


def hypernym_of(role: str, word: str) -> str:
    """Return the hypernym of a word, or the word itself where it is one."""
    return next(name for name, members in ROLES[role].items() if word == name or word in members)


def _said(draw: np.random.Generator) -> dict[str, str]:
    """Draw the facts of a hypothesis, at least one of which a premise can leave open."""
    while True:
        said = {role: _word(draw, role) for role in ROLES}
        if draw.random() < _WITHOUT_PLACE:
            del said["place"]
        if _openable(said):
            return said


def _openable(said: Mapping[str, str]) -> tuple[str, ...]:
    """Return the roles a premise can leave open: a place, or a word which has a hypernym."""
    return tuple(role for role, word in said.items() if role == "place" or word not in ROLES[role])


def _supporting(draw: np.random.Generator, said: Mapping[str, str]) -> dict[str, str]:
    """Return facts which hold what is said: the same words, or words below them."""
    facts = {}
    for role, word in said.items():
        below = ROLES[role].get(word)
        facts[role] = pick(draw, below) if below and draw.random() < _HALF else word
    return facts


def _unsettled(draw: np.random.Generator, said: Mapping[str, str]) -> dict[str, str]:
    """Return facts which leave one thing said open."""
    facts = _supporting(draw, said)
    role = pick(draw, _openable(said))
    word = said[role]
    if word in ROLES[role] or (role == "place" and draw.random() < _HALF):
        del facts[role]
    else:
        facts[role] = hypernym_of(role, word)
    return facts


def _excluding(draw: np.random.Generator, said: Mapping[str, str], role: str) -> dict[str, str]:
    """Return facts which exclude what is said in one role: another word of the group, or another group."""
    facts = _supporting(draw, said)
    groups, word = ROLES[role], said[role]
    own = hypernym_of(role, word)
    siblings = tuple(member for member in groups[own] if word != own and member != word)
    if siblings and draw.random() < _HALF:
        facts[role] = pick(draw, siblings)
    else:
        facts[role] = _word(draw, role, tuple(name for name in groups if name != own))
    return facts


def _word(draw: np.random.Generator, role: str, groups: Sequence[str] = ()) -> str:
    hypernym = pick(draw, groups or tuple(ROLES[role]))
    return hypernym if draw.random() < _GENERAL else pick(draw, ROLES[role][hypernym])


def _sentence(facts: Mapping[str, str], adverb: str) -> str:
    subject, place = facts["subject"], facts.get("place", "")
    where = place if place in ROLES["place"] else f"in the {place}"
    return f"a {subject} is {adverb} {facts['action']} {where if place else ''}".rstrip()
