"""What an ablation found: what each effect costs, the largest first, and which pairs interact.

An ablation's directory is that of a sweep (:mod:`analysis.sweep.ledger`); its page ``sweep.json`` has the effects and
the conditions too, in the design ``ablate``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from pathlib import Path

from analysis.ablate.conditions import AS_IT_IS, BOTH, FRAME, IDEAL, ONLY, WITHOUT
from analysis.ablate.differences import Accuracies, Right, SeedDifference, difference, gain, interaction, marked
from analysis.sweep import results as sweeps
from analysis.sweep.points import key
from analysis.sweep.results import Row, Sweep
from analysis.sweep.right import unpacked
from analysis.sweep.stopping import Rule, asked
from hw_models.reading import Entries, Page
from hw_models.text import lined
from neuroep.errors import ConfigError
from neuroep.runs.tables import Tabular

ABLATE = "ablate"
"""The design of an ablation in the page of its directory."""


MARKS = "differs from 0 by the whole error, all marks together: where nothing does, 1 page in 20 has any"
"""What a mark says."""
CHOSEN = "pairs: chosen by these chips, so that values beyond the sum lean to one side; marks count all pairs"
"""Below pairs that are not all."""
WIDENED = "errors over chips are wider by 1 + 2/chips (3 where looking began below 6), as they decided when to stop"
"""Below errors that have decided how many chips there are."""

SHARES = (
    "off: accuracy without it, less as it is; alone: with it only, less without any; as shares, 0.01 is a point",
    "error: standard error over chips, on these samples; whole: over chips and samples",
)
"""What the columns of a frame are."""


@dataclass(frozen=True)
class EffectCost:
    """What an effect costs."""

    effect: str
    within: str
    """Name of the effect that it is a part of, if it is."""
    told: str
    """What is left when it is off."""
    without: SeedDifference
    """Accuracy without it, the chip as it is less: what it costs beside all the others."""
    only: SeedDifference
    """Accuracy with it alone, that of the ideal chip less: below 0 it costs something by itself."""


@dataclass(frozen=True)
class PairCost:
    """Two effects, and what switching both off gains beyond the sum of what each one gains."""

    effects: tuple[str, str]
    both: SeedDifference
    """Accuracy without the two, the chip as it is less."""
    beyond: SeedDifference
    """The interaction."""


@dataclass(frozen=True, repr=False)
class Ablation(Tabular):
    """An ablation as its directory holds it."""

    sweep: Sweep

    @property
    def out(self) -> Path:
        """Its directory."""
        return self.sweep.out

    @cached_property
    def design(self) -> Entries:
        """The last ablation that was asked for."""
        return self.sweep.asked(ABLATE)

    @property
    def rule(self) -> Rule:
        """How many chips were asked for."""
        return asked(self.design)

    @cached_property
    def _conditions(self) -> dict[tuple[str, tuple[str, ...]], dict[int, Row]]:
        """Trials by kind of condition and effects, of each by seed."""
        fields = self.sweep.fields
        found: dict[tuple[str, ...], dict[int, Row]] = {}
        for row in self.sweep.rows:
            found.setdefault(tuple(key(row[name]) for name in fields), {})[row["seed"]] = row
        own = self.design["own"]
        return {
            (one["kind"], tuple(one["of"])): found.get(tuple(key({**own, **one["values"]}[f]) for f in fields), {})
            for one in self.design["conditions"]
        }

    def _trials(self, kind: str, *of: str) -> dict[int, Row]:
        if kind == FRAME and (FRAME, of) not in self._conditions:
            kind, of = IDEAL, ()
        return self._conditions[kind, of]

    def accuracies(self, kind: str, *of: str) -> Accuracies:
        """Return the accuracies by seed under a condition, see :mod:`analysis.ablate.conditions`."""
        return {seed: row["accuracy"] for seed, row in self._trials(kind, *of).items()}

    def right(self, kind: str, *of: str) -> Right:
        """Return by seed which samples were right under a condition, as far as that is known."""
        told = {seed: self.sweep.right.get(row["id"]) for seed, row in self._trials(kind, *of).items()}
        return {seed: unpacked(text) for seed, text in told.items() if text is not None}

    def _gain(self, better: tuple[str, ...], worse: tuple[str, ...]) -> SeedDifference:
        """Return how much more accurate one condition is than another."""
        right = self.right(*better), self.right(*worse)
        return gain(self.accuracies(*better), self.accuracies(*worse), right, self.rule.widening)

    @property
    def as_it_is(self) -> SeedDifference:
        """Accuracy of the chip as it is."""
        return difference((1, self.accuracies(AS_IT_IS)), widening=self.rule.widening)

    @property
    def ideal(self) -> SeedDifference:
        """Accuracy with all effects off."""
        return difference((1, self.accuracies(IDEAL)), widening=self.rule.widening)

    @property
    def pairs_in_all(self) -> int:
        """How many pairs of effects there are, also of those that were not switched off together."""
        return sum(kind == BOTH for kind, _ in self._conditions)

    @property
    def unseen(self) -> tuple[str, ...]:
        """Effects of the chip on which no result depends."""
        return tuple(self.design["unseen"])

    @cached_property
    def _told(self) -> tuple[list[EffectCost], list[PairCost]]:
        """All that a page tells in their order, marked where they differ from 0."""
        effects: list[Page] = self.design["effects"]
        there = {of for kind, of in self._conditions if kind == BOTH and self._conditions[kind, of]}
        pairs = [pair for pair in combinations([one["name"] for one in effects], 2) if pair in there]
        found: list[SeedDifference] = []
        for one in effects:
            found.append(self._gain((WITHOUT, one["name"]), (AS_IT_IS,)))
            found.append(self._gain((ONLY, one["name"]), (FRAME, one["name"])))
        for pair in pairs:
            square = (BOTH, *pair), (WITHOUT, pair[0]), (WITHOUT, pair[1]), (AS_IT_IS,)
            found.append(self._gain((BOTH, *pair), (AS_IT_IS,)))
            both, first, second, own = (self.accuracies(*each) for each in square)
            right = [self.right(*each) for each in square]
            found.append(interaction(both, first, second, own, right, self.rule.widening))
        weights, unseen = self._weights(len(effects), len(pairs))
        told = iter(marked(found, weights=weights, unseen=unseen))
        return (
            [EffectCost(one["name"], one["within"], one["told"], next(told), next(told)) for one in effects],
            [PairCost(pair, next(told), next(told)) for pair in pairs],
        )

    def _weights(self, effects: int, pairs: int) -> tuple[list[float], float]:
        """Return how marks share their level: half for effects, half for pairs, all those that could have been chosen.

        Pairs are chosen by the chips that judge them: of ten effects that cost nothing, those that seem to cost most
        are those whose interactions seem large. Counted with all others, they are marked no more often for it.
        """
        every = self.pairs_in_all
        of_effects = [1 / effects] * (2 * effects)
        if not pairs:
            return of_effects, 0.0
        return of_effects + [1 / every] * (2 * pairs), 2 * (every - pairs) / every

    @property
    def costs(self) -> list[EffectCost]:
        """Effects, those that gain most when they are off first; what did not run comes last."""
        return sorted(self._told[0], key=lambda cost: (math.isnan(cost.without.mean), -cost.without.mean))

    @property
    def pairs(self) -> list[PairCost]:
        """Pairs of effects that were switched off together, the largest interactions first."""
        return sorted(self._told[1], key=lambda pair: (math.isnan(pair.beyond.mean), -abs(pair.beyond.mean)))

    def table(self) -> list[Page]:
        """Return a row for each effect: what switching it off gains, and what it costs alone, as shares."""
        rows = []
        for one in self.costs:
            ends = {"off": _plain(one.without), "alone": _plain(one.only)}
            numbers = {f"{end}_{name}": value for end, found in ends.items() for name, value in found.items()}
            rows.append({"effect": one.effect, "within": one.within or None, **numbers})
        return rows

    def caption(self) -> str:
        """Return what the chip reaches as it is and without any effect, and where."""
        head = f"ablation {self.out}: as it is {_share(self.as_it_is)}, without any effect {_share(self.ideal)}"
        return lined([head, *SHARES, *self.sweep.aged])

    def as_dict(self) -> Page:
        """Return plain values."""
        costs = [
            {"effect": one.effect, "within": one.within or None}
            | {"without": _plain(one.without), "only": _plain(one.only)}
            for one in self.costs
        ]
        pairs = [
            {"effects": list(one.effects), "both": _plain(one.both), "beyond": _plain(one.beyond)} for one in self.pairs
        ]
        ends = {"as_it_is": _plain(self.as_it_is), "ideal": _plain(self.ideal)}
        return {**ends, "costs": costs, "pairs": pairs, "unseen": list(self.unseen)}

    def as_text(self) -> str:
        """Return tables for reading, in points of accuracy (%)."""
        lines = [f"as it is {_share(self.as_it_is)}, without any effect {_share(self.ideal)}", ""]
        heads = ("effect", "off", "+-", "whole", "unpaired", "alone", "+-", "whole", "unpaired", "chips")
        rows = [
            (one.effect, *_numbers(one.without), *_numbers(one.only), str(min(one.without.seeds, one.only.seeds)))
            for one in self.costs
        ]
        lines += aligned([heads, *rows])
        if self.pairs:
            heads_of_pairs = ("both off", "", "off", "+-", "whole", "beyond the sum", "+-", "whole", "chips")
            lines += ["", *aligned([heads_of_pairs, *map(_pair, self.pairs)])]
        lines += ["", "off: accuracy without it, less as it is; alone: with it only, less without any [points]"]
        if any(one.without.seeds > 1 for one in self.costs):
            unpaired = "unpaired: what it would be with other chips under either condition"
            lines += [f"+-: standard error over chips, on these samples; whole: over chips and samples; {unpaired}"]
            lines += [f"* {MARKS}"]
        lines += [f"{one.effect} off: {one.told}" for one in self.costs if one.told]
        lines += [CHOSEN] if len(self.pairs) < self.pairs_in_all and self.pairs else []
        lines += [WIDENED] if self.rule.widening(1) > 1 else []
        lines += self.sweep.aged
        lines += [f"not seen by mode '{self.sweep.about['mode']}': {', '.join(self.unseen)}"] if self.unseen else []
        lines += [self.sweep.unfinished] if self.sweep.unfinished else []
        failed = f", {len(self.sweep.failed)} failed" if self.sweep.failed else ""
        return lined([*lines, f"{len(self.sweep.rows)} trials{failed}; written to {self.out}"])


def load(path: str | Path) -> Ablation:
    """Read the directory of an ablation, also of one that is running.

    Raises
    ------
    ConfigError
        If it holds none.
    """
    found = sweeps.load(path)
    if not is_ablation(found.about):
        raise ConfigError(f"'{path}' holds a sweep, and no ablation")
    return Ablation(found)


def is_ablation(about: Entries) -> bool:
    """Tell whether the page of a sweep's directory has an ablation."""
    return any(one.get("design") == ABLATE for one in about["designs"])


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return rows of cells in columns, the first one to the left."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for first, *others in rows:
        cells = [f"{cell:>{width}}" for cell, width in zip(others, widths[1:], strict=True)]
        lines.append("  ".join([f"{first:<{widths[0]}}", *cells]))
    return lines


def points(share: float, sign: str = "+") -> str:
    """Return a difference of accuracies in points, ``-`` where there is none."""
    # Adding 0 makes of -0 what it is.
    return f"{round(100 * share, 2) + 0.0:{sign}.2f}" if math.isfinite(share) else "-"


def _numbers(found: SeedDifference) -> list[str]:
    errors = found.error, found.whole, found.unpaired
    return [points(found.mean) + "*" * found.clear, *(points(each, "") for each in errors)]


def _pair(found: PairCost) -> list[str]:
    both, beyond = _numbers(found.both), _numbers(found.beyond)
    return [*found.effects, *both[:3], *beyond[:3], str(found.beyond.seeds)]


def _share(found: SeedDifference) -> str:
    error = f" +- {100 * found.error:.2f}" if math.isfinite(found.error) else ""
    return f"{100 * found.mean:.2f}{error} %"


def _plain(found: SeedDifference) -> Page:
    """Return plain values, None for what is not known."""
    numbers = {"mean": found.mean, "error": found.error, "whole": found.whole, "unpaired": found.unpaired}
    known = {name: value if math.isfinite(value) else None for name, value in numbers.items()}
    return {**known, "seeds": found.seeds, "clear": found.clear}
