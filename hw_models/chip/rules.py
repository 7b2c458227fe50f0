# Tested by tests/hw_models/chip/test_description.py.
"""Learning rules as data: what each computes, on which arrays, who published it, and which fields it takes.

What carries them out are modules of the engine that are named like them. Symbols: g = dL/dW by the contrast, A an array
that is fast because every update goes to it, W the slow one (Tiki-Taka's C), a_j a column of A as read, H digital and
counted in pulses of W, c_j = +-1 a chopper, k the number of the update.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

Default = int | float | str | bool | None


@dataclass(frozen=True)
class RuleFacts:
    """What is said of a learning rule."""

    equation: str
    """In one line."""
    analog: str
    """What the arrays of devices beside W do."""
    digital: str
    """What it keeps and computes in digital form."""
    source: str
    """Paper."""
    takes: Mapping[str, Default] = field(default_factory=dict)
    """Fields of the table of an update that act with it and not with every other rule, dotted, with what an unset one
    stands for."""

    @property
    def sends_trains(self) -> bool:
        """Whether rank-1 trains of pulses go to an array."""
        return "trains" in self.takes


BEGINS: dict[str, Default] = dict.fromkeys(("zero_shift", "verify.rounds", "verify.tolerance"))
"""Fields of rules whose weights are the devices' own: how these are brought to where they begin."""


def trains(scaling: str, signals: str) -> dict[str, Default]:
    """Return the fields of rules that send trains of pulses, and what unset ones of scaling and signals stand for."""
    names = ("trains", "train_length", "overlong", "management", "memory", "step", "rms", "fill")
    return dict.fromkeys(names) | BEGINS | {"scaling": scaling, "signals": signals}


def fast(**own: Default) -> dict[str, Default]:
    """Return the fields of rules with a fast array whose columns are read, with a rule's own defaults."""
    unset = ("columns", "pulses", "rate", "most", "reference_mean", "reference_spread")
    common: dict[str, Default] = dict.fromkeys(unset) | {"every": 1, "read_range": 1.0}
    return trains("auto", "contrast") | {f"transfer.{name}": value for name, value in (common | own).items()}


SYMBOLS = """\
Each rule gives its equation, what its further arrays of devices do (analog), what is kept and computed in digital form,
and its source. g = dL/dW is the gradient that the contrast of the phases gives, and lr is the learning rate. W is the
array of the weights. A is a fast array, which takes every update; rider and e_rider call it P. a_j and p_j are the
readings of one of its columns. H counts in pulses of W. c_j is a sign, +1 or -1.
"""
"""What the equations mean, for the listing."""
NOTHING = "nothing"
BUFFER = "H holds one number per weight; its whole part is sent as pulses."
REFERENCE = "P holds a reference for every weight."
ESTIMATE = "Q holds an estimate of the symmetry point of P for every weight."
CHOPPER = "c holds a sign for every input."
GATHERS = "A gathers the gradient around its symmetry point"
SIGNED = "A gathers the gradient with a sign that changes"
RULES: Mapping[str, RuleFacts] = {
    "digital": RuleFacts(
        "W = optimiser(W, g), then all devices are programmed anew",
        NOTHING,
        "a master copy of W, the outer products, and the moments of the optimiser",
        "common usage for inference chips",
        dict.fromkeys(("reprogram_every", "write_threshold")),
    ),
    "mixed_precision": RuleFacts(
        "chi = optimiser(chi, g); n = trunc(chi/granule) pulses on W; chi -= n granule",
        NOTHING,
        "one number chi per weight, the outer products, and the moments of the optimiser",
        "Nandakumar et al., Front. Neurosci. 14:406, 2020",
        {"granule": None, "fill": None, "scaling": "off", "transfer.every": 1} | BEGINS | {"verify.rounds": 50},
    ),
    "pulsed": RuleFacts(
        "trains of pulses on W, which change it by -lr g on average",
        NOTHING,
        NOTHING,
        "Gokmen and Vlasov, Front. Neurosci. 10:333, 2016",
        trains("off", "phases"),
    ),
    "momentum": RuleFacts(
        "A = mu A - (1 - mu) lr g, both terms by pulses; every n_s updates pulses add a_j to W",
        "pulses of the gradient fill A, and pulses opposite to its reading let it fade",
        BUFFER,
        "Polyak, 1964 (heavy ball); Huang et al., DATE 2020 (on a second array)",
        fast(momentum=0.9),
    ),
    "tiki_taka": RuleFacts(
        "trains of -lr g on A; every n_s updates W += rate a_j by pulses, rounded at random; the weight is gamma A + W",
        GATHERS,
        NOTHING,
        "Gokmen and Haensch, Front. Neurosci. 14:103, 2020",
        fast(gamma=0.0),
    ),
    "tiki_taka_v2": RuleFacts(
        "trains of -lr g on A; every n_s updates H_j += rate a_j, n = trunc(H_j) pulses on W;"
        " where n is not 0, H_j = keep H_j",
        GATHERS,
        BUFFER,
        "Gokmen, Front. Artif. Intell. 4:699148, 2021",
        fast(keep=0.1, gamma=0.0),
    ),
    "chopped": RuleFacts(
        "trains of -lr g c_j on A; H_j += rate c_j a_j, n = trunc(H_j) pulses on W; c_j flips at random",
        SIGNED,
        f"{BUFFER} {CHOPPER}",
        "c-TTv2: Rasch, Carta, Fagbohungbe, Gokmen, Nat. Commun. 15:7133, 2024",
        fast(keep=None, chop_probability=0.1),
    ),
    "agad": RuleFacts(
        "trains of -lr g c_j on A; H_j += rate c_j (a_j - P_j), trunc(H_j) pulses on W; where c_j flips, P_j = a_j",
        SIGNED,
        f"{BUFFER} {REFERENCE} {CHOPPER}",
        "AGAD: Rasch, Carta, Fagbohungbe, Gokmen, Nat. Commun. 15:7133, 2024",
        fast(keep=None, chop_every=1, tracking=1.0),
    ),
    "rider": RuleFacts(
        "trains of -lr g on P; H_j += rate (p_j - Q_j), trunc(H_j) pulses on W; Q_j += eta (p_j - Q_j);"
        " the weight is W + gamma (P - Q)",
        GATHERS.replace("A", "P", 1),
        f"{BUFFER} {ESTIMATE}",
        "RIDER: Xiao et al., arXiv 2602.21321, 2026",
        fast(tracking=0.01, gamma=0.0),
    ),
    "e_rider": RuleFacts(
        "trains of -lr g c_j on P; H_j += rate c_j (p_j - Q_j), trunc(H_j) pulses on W; Q_j follows p_j; c_j flips;"
        " the weight is W + gamma c (P - Q)",
        SIGNED.replace("A", "P", 1),
        f"{BUFFER} {ESTIMATE} {CHOPPER}",
        "E-RIDER: Xiao et al., arXiv 2602.21321, 2026",
        fast(tracking=0.05, chop_probability=0.1, gamma=0.0),
    ),
    "residual": RuleFacts(
        "W = sum gamma^k W_k; trains of -lr g c_j on A; H_j += rate c_j (a_j - P_j); trunc(H_j/gamma^k) pulses on W_k,"
        " k = 0, 1, ...; the move of W_k, as it is read, is subtracted from H",
        f"{SIGNED}; each of W_1, W_2, ... learns what the arrays before it missed",
        f"{BUFFER} {REFERENCE} {CHOPPER}",
        "Li, Wu, Liu, Gokmen, Chen, arXiv 2510.02516, 2025; the closed loop is our own choice",
        fast(chop_every=1, tracking=1.0, gamma=0.5, tiles=8, warm=None, verify=True),
    ),
}
"""By the name that a chip calls them."""
PULSING = ", ".join(name for name in RULES if name != "digital")
"""Rules whose weights are moved by pulses, for a message."""
COMMON: frozenset[str] = frozenset(name for facts in RULES.values() for name in facts.takes)
"""Fields that do not act with every rule."""


def takers(name: str) -> str:
    """Return the rules with which a field acts, for a message."""
    return ", ".join(rule for rule, facts in RULES.items() if name in facts.takes)


def listing() -> str:
    """Return the symbols, and a paragraph for each rule: equation, arrays, what is digital, source."""
    found = [SYMBOLS]
    for name, facts in RULES.items():
        lines = [f"{name}: {facts.equation}", f"  analog   {facts.analog}", f"  digital  {facts.digital}"]
        found.append("\n".join([*lines, f"  source   {facts.source}"]))
    return "\n".join(found)
