"""Where a target begins to be met along a field, what is undecided about it, and how that is said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from analysis.require.verdicts import Verdict
from analysis.sweep.points import shown


@dataclass(frozen=True)
class Border:
    """Where the target begins to be met along the first field."""

    line: object
    """Value of the second field; None where there is one alone."""
    misses: object
    """Last value that misses it; None where all that are known meet it."""
    meets: object
    """First value that meets it; None where none does."""
    open: tuple[object, ...]
    """Values whose verdict is open: their means alone tell on which side they lie."""
    between: tuple[object, object] | None
    """Where the two above are not both sure, or not neighbours: the nearest values on either side that are sure, or the
    end of the field."""
    skipped: tuple[object, ...]
    """Values between these that were not run."""
    rising: bool
    """Whether larger values meet it."""
    ran: int = field(default=0, compare=False)
    """How many values were run."""
    there: int = field(default=0, compare=False)
    """How many values there are."""
    turned: tuple[tuple[object, ...], tuple[object, ...]] | None = None
    """Values that surely meet it and that surely miss it, where these lie on both sides of a border."""

    def said(self, name: str, target: float) -> str:
        """Return it in words.

        Parameters
        ----------
        name : str
            Of the field.
        target : float
        """
        goal = f"{100 * target:.10g} %"
        way = ("from {} on" if self.rising else "up to {}").format(shown(self.meets))
        doubt = f"open by the confidence asked for: {_several(self.open)}" if self.open else ""
        if self.turned is not None:
            good, bad = map(_several, self.turned)
            more = doubt and f"; {doubt}"
            return f"there is no border: {goal} is met at {name} = {good} and missed at {bad}{more}"
        if self.between is not None:
            low, high = map(shown, self.between)
            why = "; ".join([doubt] * bool(doubt) + [f"not run: {_several(self.skipped)}"] * bool(self.skipped))
            means = "no value does" if self.meets is None else f"it does {way}"
            return f"undecided between {low} and {high} whether {name} meets {goal} ({why}); by the means {means}"
        doubt = doubt and f"; {doubt}"
        if self.meets is None:
            some = "" if self.ran == self.there else f" ({self.ran} of its {self.there} values were run)"
            return f"no value of {name} meets {goal}{some}{doubt}; neuroep ablate says what else costs accuracy"
        beyond = "" if self.misses is None else f"; {shown(self.misses)} misses it"
        return f"{name} meets {goal} {way}{beyond}{doubt}"


def border(line: object, values: Sequence[object], along: Mapping[int, Verdict], rising: bool) -> Border:
    """Return the border on a line.

    Parameters
    ----------
    line : object
        Value of the second field.
    values : sequence
        Of the first field.
    along : mapping
        Verdicts by index, one at least.
    rising : bool
        Whether accuracy rises along the field.
    """
    met = sorted((n for n, v in along.items() if v.met), reverse=not rising)
    missed = [n for n, v in along.items() if not v.met and (not met or (n < met[0]) == rising)]
    last = (max(missed) if rising else min(missed)) if missed else None
    ends = [*met[:1], *([] if last is None else [last])]
    sure = {n: v.met for n, v in along.items() if v.sure}
    turned = any(good and not bad and (n < m) == rising for n, good in sure.items() for m, bad in sure.items())
    apart = bool(met) and not all(n in along for n in _towards(met[0], last, len(values), rising))
    between, skipped = None, range(0)
    if not turned and (apart or not all(along[n].sure for n in ends)):
        low, high = _sure(along, len(values), rising)
        between, skipped = (values[low], values[high]), range(low, high + 1)
    met_there, missed_there = (tuple(values[n] for n in sorted(sure) if sure[n] is way) for way in (True, False))
    return Border(
        line,
        misses=None if last is None else values[last],
        meets=values[met[0]] if met else None,
        open=tuple(values[n] for n in sorted(along) if not along[n].sure),
        between=between,
        skipped=tuple(values[n] for n in skipped if n not in along),
        rising=rising,
        ran=len(along),
        there=len(values),
        turned=(met_there, missed_there) if turned else None,
    )


def _towards(first: int, last: int | None, count: int, rising: bool) -> range:
    """Return the places beyond the first that meets, up to the last that misses, or to the end of the field."""
    if rising:
        return range(0 if last is None else last, first)
    return range(first + 1, count if last is None else last + 1)


def _sure(along: Mapping[int, Verdict], count: int, rising: bool) -> tuple[int, int]:
    """Return the places on a line of so many values between which nothing is sure, the lower one first.

    Those are the first sure miss, as accuracy falls, and the last sure meeting before it; or the ends.
    """
    falling = sorted(along, reverse=rising)
    missed = next((n for n in falling if along[n].sure and not along[n].met), 0 if rising else count - 1)
    met = [n for n in falling if along[n].sure and along[n].met and (n > missed) == rising and n != missed]
    first = met[-1] if met else (count - 1 if rising else 0)
    return min(first, missed), max(first, missed)


def _several(values: Sequence[object]) -> str:
    return ", ".join(map(shown, values))
