"""Conditions of an ablation: which effects of a chip are off, and the point of a sweep that this is.

as it is   nothing is off
ideal      all effects are off
without    one effect is off
only       all others are off; of an effect within another one, that one stays
frame      what ``only`` is compared with: all are off but what the effect is within; mostly the ideal chip
both       two effects are off

All points set the same fields of the chip, so that they are points of one sweep: those of its effects, to the value of
the chip or to the one that switches the effect off.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from analysis.sweep.designs import Choice
from analysis.sweep.trials import acts_on_updates_alone
from hw_models.chip import Chip, effects
from hw_models.chip.effects import EFFECTS, Changes, Effect
from hw_models.errors import unknown
from neuroep.errors import ConfigError, setting
from neuroep.runs.config import CHIP, Config
from neuroep.runs.overrides import UNSET

AS_IT_IS, IDEAL, WITHOUT, ONLY, FRAME, BOTH = "as it is", "ideal", "without", "only", "frame", "both"
EVERY = frozenset(effect.name for effect in EFFECTS)
REFITTED: Mapping[str, Sequence[str]] = {
    "device.programming_noise": (
        "device.programming_noise_fresh", "device.relaxation_times", "device.programming_noise_g_max"
    ),
}  # fmt: skip
"""Fields that are taken back to their defaults where another one is set, and have to be set beside it."""


@dataclass(frozen=True)
class Condition:
    """A chip with some effects off."""

    kind: str
    of: tuple[str, ...] = ()
    """The effects it is about."""

    @property
    def off(self) -> frozenset[str]:
        """Names of the effects that are off."""
        if self.kind in (WITHOUT, BOTH):
            return frozenset(self.of)
        if self.kind == AS_IT_IS:
            return frozenset()
        stay = {each.name for name in self.of for each in effects.around(effects.named(name))}
        return EVERY - stay - (set(self.of) if self.kind == ONLY else set())


@dataclass(frozen=True)
class Dissection:
    """The effects of a chip that an ablation takes apart, and their fields."""

    chip: Chip
    chosen: tuple[Effect, ...]
    """What is switched off."""
    fields: tuple[str, ...]
    """Fields of the chip that the points set."""
    unseen: tuple[str, ...]
    """Effects of the chip that no result of such trials depends on."""

    def conditions(self) -> list[Condition]:
        """Return all conditions, those of pairs among them, in the order in which they are told."""
        found = [Condition(AS_IT_IS), Condition(IDEAL)]
        for effect in self.chosen:
            found += [Condition(WITHOUT, (effect.name,)), Condition(ONLY, (effect.name,))]
            found += [Condition(FRAME, (effect.name,))] if effect.within else []
        return found + [Condition(BOTH, pair) for pair in self.pairs()]

    def pairs(self) -> list[tuple[str, str]]:
        """Return the pairs of effects of which neither is a part of the other."""
        inside = {effect.name: {each.name for each in effects.around(effect)} for effect in self.chosen}
        pairs = combinations(inside, 2)
        return [(one, other) for one, other in pairs if one not in inside[other] and other not in inside[one]]

    def choice(self, condition: Condition) -> Choice:
        """Return the values of all fields under a condition, as a sweep's point has them."""
        own, changes = dict(Chip.fields_of(self.chip)), effects.changes(self.chip, condition.off)
        return {f"{CHIP}.{name}": given(changes.get(name, own[name])) for name in self.fields}


def given(value: object) -> str:
    """Return the value of a field as the command line takes it."""
    if value is None:
        return UNSET[0]
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{json.dumps(name)} = {given(each)}" for name, each in value.items()) + "}"
    return value if isinstance(value, str) else json.dumps(value)


def dissect(config: Config, mode: str, named: Sequence[str] = ()) -> Dissection:
    """Return what of a configuration's chip can be switched off and seen.

    Parameters
    ----------
    config : Config
        With a chip.
    mode : {"deploy", "learn"}
        What the trials do: a deployment makes no updates, and sees no effect of them.
    named : sequence of str
        Effects to be taken apart; empty takes all that the chip has.

    Raises
    ------
    ConfigError
        If there is no chip, a name is no effect or the chip does not have it, or there is nothing to be taken apart.
    """
    chip = config.chip
    if chip is None:
        raise ConfigError(f"an ablation needs a chip: add {setting('chip', 'NAME')}")
    there = {effect.name: effect for effect in effects.present(chip)}
    for name in named:
        if name not in EVERY:
            raise ConfigError(unknown("effect", name, sorted(EVERY)))
        if name not in there:
            raise ConfigError(f"effect '{name}': chip '{chip.name}' has {', '.join(there) or 'none'}")
    own = {name: _seen(effect.changes(chip), config, chip, mode) for name, effect in there.items()}
    unseen = tuple(name for name, fields in own.items() if not fields)
    for name in named:
        if name in unseen:
            raise ConfigError(f"effect '{name}': no result of mode '{mode}' depends on it")
    chosen = tuple(effect for name, effect in there.items() if name not in unseen and (not named or name in named))
    if not chosen:
        kept = f" that mode '{mode}' sees" if unseen else ""
        raise ConfigError(f"chip '{chip.name}' has no effect{kept}: there is nothing to switch off")
    every = _seen(effects.changes(chip, EVERY), config, chip, mode)
    fields = list(dict.fromkeys([*every, *(name for names in own.values() for name in names)]))
    defaults, values = dict(Chip.fields_of(Chip())), dict(Chip.fields_of(chip))
    for name, beside in REFITTED.items():
        more = [each for each in beside if name in fields and values[each] != defaults[each]]
        fields += [each for each in more if each not in fields]
    return Dissection(chip, chosen, tuple(fields), unseen)


def _seen(changes: Changes, config: Config, chip: Chip, mode: str) -> list[str]:
    """Return the fields among some changes on which a result of such trials depends."""
    flat = config.flat()
    updates = {name for name in changes if mode == "deploy" and acts_on_updates_alone(f"{CHIP}.{name}", flat)}
    return [name for name in changes if name not in updates and name not in chip.unseen]
