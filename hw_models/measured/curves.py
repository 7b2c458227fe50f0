"""Pulse curves as they were measured: readings of devices, and the pulses ahead of each."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from hw_models.errors import ChipError

Array = np.ndarray
ANEW = -1000000
"""In place of pulses ahead of a reading: it is the first, or nothing tells what was done to the device before it."""
FEWEST = 20
"""Pulses of all devices together."""
STILL = 0.1
"""Share of the median device's way below which a device counts as one that no pulse moves."""
GLITCH = 20.0
"""Ways of the median device from a device's middle to where no device goes: a reading is wrong."""
SPIKE, FAR = 18.0, 0.15
"""Robust standard deviations of readings about the middle of their neighbours, and share of a device's way, from which
a reading that stands apart from both neighbours is no state."""
UNLIKE, SURELY, BLOCKS = 50.0, 6.0, 6
"""Factor between devices from which one is in another unit, if pulses move it; standard deviations from which a
movement is no noise; and blocks of a row of readings whose means are compared."""
MOST_OFF = 0.1
"""Share of a device's readings beyond which these are no glitches."""
MOST = 0.01
"""Share of the readings that may be left out so."""
WHITE = 0.75
"""Half the mean squared change between readings at a bound over their variance from which they do not wander."""
FEW, SHARE = 3, 0.2
"""Devices that come to a bound, and their share, from which they tell the bounds of those that do not."""
NEAR, ON_END = 0.5, 3
"""Share of a device's changes within which it is at its farthest reading, and readings on end there that tell it stays.
"""
SHRUNK = 0.25
"""Share of the largest steps below which steps at the end of a run say that it has."""


@dataclass(frozen=True)
class Curves:
    """Readings of devices; all arrays (devices, readings)."""

    conductance: Array
    """[uS]; NaN behind the last reading of a device that has fewer than others."""
    pulses: Array
    """Pulses between the reading before and this one, up above 0, down below; ``ANEW`` of a reading that starts."""
    cycle: Array
    """Number of the cycle of every reading, from 0."""
    names: tuple[str, ...]
    """Of the devices."""
    notes: tuple[str, ...] = ()
    """What was made of the file, a sentence each."""
    open_range: bool = False
    """Whether conductances are shares of a range that nobody gave, in uS of one that is made up."""

    @property
    def devices(self) -> int:
        """How many."""
        return len(self.names)

    @property
    def known(self) -> Array:
        """Mask of the readings that have pulses ahead."""
        return np.isfinite(self.conductance) & (self.pulses != ANEW)

    def count(self, sign: int) -> int:
        """Return how many pulses of a direction there are."""
        own = self.pulses[self.known]
        return int(np.abs(own[np.sign(own) == sign]).sum())

    @property
    def one_sided(self) -> bool:
        """Whether all pulses lead up."""
        return self.count(-1) == 0

    @property
    def cycles(self) -> int:
        """Number of cycles."""
        return int(self.cycle[np.isfinite(self.conductance)].max()) + 1

    def steps(self) -> Array:
        """Return the change per pulse of every reading, along its direction [uS]; NaN where there is none."""
        change = np.diff(self.conductance, axis=1, prepend=np.nan)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(self.known & (self.pulses != 0), change / self.pulses, np.nan)

    def part(self, kept: Array) -> Curves:
        """Return the devices of a mask."""
        names = tuple(name for name, keep in zip(self.names, kept, strict=True) if keep)
        return replace(
            self, conductance=self.conductance[kept], pulses=self.pulses[kept], cycle=self.cycle[kept], names=names
        )


def check(found: Curves) -> Curves:
    """Return the curves if a response can be fitted to them.

    Raises
    ------
    ChipError
        If nothing moves, directions are swapped, a reading lies where no device goes, or there are too few pulses.
    """
    g = found.conductance
    if not np.nanmax(g) > np.nanmin(g):
        raise ChipError(f"conductance is {np.nanmax(g):g} uS in every reading: no pulse moved a device")
    ups, downs = found.count(1), found.count(-1)
    if ups + downs < FEWEST or not ups:
        raise ChipError(f"there are {ups} pulses up and {downs} down: at least {FEWEST} pulses, some up, are needed")
    low, middle, high = np.nanpercentile(g, [5, 50, 95], axis=1)
    way = np.median(high - low)
    off = np.abs(g - middle[:, None]) > GLITCH * way if way > 0 else g > np.inf
    if off.any():
        device, place = np.argwhere(off)[0]
        if off[device].mean() > MOST_OFF:
            rest = np.delete(middle, device)
            shown = f"goes from {low[device]:.4g} to {high[device]:.4g} uS, others are about {np.median(rest):.4g}"
            raise ChipError(f"conductance of device '{found.names[device]}' {shown}: is it in another unit?")
        shown = f"{g[device, place]:g} uS, where its others are {low[device]:g} to {high[device]:g}"
        raise ChipError(f"conductance of device '{found.names[device]}', reading {place}: {shown}: a glitch?")
    _check_units(found)
    change = np.diff(g, axis=1, prepend=np.nan)
    for sign, word, other in ((1, "up", "lower"), (-1, "down", "higher")):
        own = change[found.known & (np.sign(found.pulses) == sign)] * sign
        if len(own) > 1 and own.mean() < -2 * own.std() / np.sqrt(len(own)):
            if float(np.nanmedian(g)) < 0:
                shown = f"conductances are below 0, {float(np.nanmedian(g)):.4g} uS in the middle"
                raise ChipError(f"{shown}: currents have the sign of their read voltage, so turn one of the two")
            raise ChipError(f"pulses {word} lead to {other} conductances: are the columns or directions swapped?")
    _check_ways(found)
    return found


def _check_units(found: Curves) -> None:
    """Refuse curves of which some are like the others but for a factor: one of another unit is no device that stands
    still.

    Raises
    ------
    ChipError
        With the device.
    """
    low, middle, high = np.nanpercentile(found.conductance, [5, 50, 95], axis=1)
    way, change = high - low, np.diff(found.conductance, axis=1, prepend=np.nan)
    for device in np.flatnonzero(way <= STILL * np.median(way)):
        share = float(np.median(way)) / max(float(way[device]), 1e-300)
        level = float(np.median(middle)) / max(float(abs(middle[device])), 1e-300)
        moves = True
        for sign in (1, -1):
            own = change[device][found.known[device] & (np.sign(found.pulses[device]) == sign)] * sign
            moves &= len(own) < 2 or bool(own.mean() > SURELY * own.std() / np.sqrt(len(own)))
        if moves and min(share, level) > UNLIKE:
            shown = f"{low[device]:.3g} to {high[device]:.3g} uS, others about {float(np.median(middle)):.3g}"
            raise ChipError(f"conductance of device '{found.names[device]}' goes from {shown}: is it in another unit?")


def _check_ways(found: Curves) -> None:
    """Refuse curves that go back most of their way through pulses of one direction, or through none.

    Of a row of readings with pulses of one direction, or none, the means of blocks are compared: one that lies below an
    earlier one (of pulses down, above; without pulses, either) by half of the device's way has gone back. Noise of
    pulses alone wanders by its root mean square times the root of the readings between, and noise of readings less; a
    fall that is made in a single step is a reset that no row tells.

    Raises
    ------
    ChipError
        With the device, the readings, and what it may be.
    """
    for device, g in enumerate(found.conductance):
        known = np.isfinite(g)
        if known.sum() < 2 * BLOCKS:
            continue
        low, high = np.percentile(g[known], [5, 95])
        sign = np.where(found.known[device], np.sign(found.pulses[device]), 9)
        edges = np.flatnonzero(np.diff(sign)) + 1
        for a, b in pairwise([0, *edges.tolist(), len(g)]):
            if sign[a] == 9 or b - a < 2 * BLOCKS:
                continue
            own = g[max(a - 1, 0) : b] * (sign[a] or 1)
            back = max((_back(one) for one in ((own,) if sign[a] else (own, -own))), key=lambda one: one[0])
            if back[0] > 0.5 * (high - low):
                where = f"readings {a + back[1]} to {a + back[2]} of device '{found.names[device]}'"
                if not sign[a]:
                    raise ChipError(f"{where} move by {back[0]:.3g} uS, and no row says a pulse: pulses down are -1")
                word, other = ("up", "down") if sign[a] > 0 else ("down", "up")
                raise ChipError(f"{where}: pulses {word} lead {other} by {back[0]:.3g} uS: is their direction right?")


def _back(g: Array) -> tuple[float, int, int]:
    """Return by how much a row falls, and from which reading to which; 0 where noise may do as much."""
    parts = np.array_split(np.arange(len(g)), BLOCKS)
    means = np.array([g[part].mean() for part in parts])
    falls = np.maximum.accumulate(means) - means
    last = int(np.argmax(falls))
    first = int(np.argmax(means[: last + 1]))
    start, end = int(parts[first].mean()), int(parts[last].mean())
    if last == first:
        return 0.0, start, end
    noise = float(np.std(np.diff(g, n=2))) / np.sqrt(2)
    steps = np.diff(g[start : end + 1])
    sudden = -float(steps.min()) > 0.5 * falls[last]
    sure = falls[last] > SURELY * noise * np.sqrt(end - start)
    return (float(falls[last]) if sure and not sudden else 0.0), start, end


def without_glitches(found: Curves) -> Curves:
    """Return the curves without single readings that no pulse explains, with a note of them.

    A reading far above or below both of its neighbours, where pulses do not turn there so. The pulses on both sides of
    it are those between its neighbours; where they are of both directions the reading behind it starts anew.

    Raises
    ------
    ChipError
        If more than one reading in a hundred is such.
    """
    glitches = [(device, place) for device in range(found.devices) for place in _spikes(found, device)]
    if not glitches:
        return found
    device, place = glitches[0]
    shown = f"reading {place} of device '{found.names[device]}', {found.conductance[device, place]:.4g} uS"
    many = int(np.isfinite(found.conductance).sum())
    if len(glitches) > max(1, MOST * many):
        raise ChipError(f"{len(glitches)} of {many} readings stand apart from both neighbours, as {shown}: glitches?")
    g, pulses, cycle = found.conductance.copy(), found.pulses.copy(), found.cycle.copy()
    for device, place in reversed(glitches):
        first, second = pulses[device, place : place + 2]
        pulses[device, place + 1] = first + second if first * second >= 0 else ANEW
        for row, behind in ((g, np.nan), (pulses, ANEW), (cycle, cycle[device, -1])):
            row[device, place:] = np.append(row[device, place + 1 :], behind)
    others = f" and {len(glitches) - 1} more" if len(glitches) > 1 else ""
    note = f"Left out as glitches, far from both neighbours: {shown}{others}."
    return replace(found, conductance=g, pulses=pulses, cycle=cycle, notes=(*found.notes, note))


def _spikes(found: Curves, device: int) -> list[int]:
    """Return the places of single readings of a device that no pulse explains."""
    g, pulses = found.conductance[device], found.pulses[device]
    many = int(np.isfinite(g).sum())
    if many < 5:
        return []
    g, pulses = g[:many], pulses[:many]
    ahead, behind = g[1:-1] - g[:-2], g[1:-1] - g[2:]
    low, high = np.percentile(g, [5, 95])
    least = max(SPIKE * 1.4826 * float(np.median(np.abs(ahead + behind) / 2)), FAR * float(high - low))
    apart = (np.sign(ahead) == np.sign(behind)) & (np.minimum(np.abs(ahead), np.abs(behind)) > least)
    before, after = np.sign(pulses[1:-1]), np.sign(pulses[2:])
    whole = (pulses[1:-1] != ANEW) & (pulses[2:] != ANEW)
    turns = (before != after) & (before == np.sign(ahead))
    places = np.flatnonzero(apart & whole & ~turns) + 1
    # Of neighbours none is single.
    return [int(k) for n, k in enumerate(places) if not (n and places[n - 1] == k - 1)]


def moving(found: Curves) -> Array:
    """Return the mask of devices that pulses move, (devices,): of others the 5 to 95 % of readings is far narrower."""
    low, high = np.nanpercentile(found.conductance, [5, 95], axis=1)
    way = high - low
    return way > STILL * np.median(way)


def runs(found: Curves) -> list[tuple[int, int, int, int]]:
    """Return rows of pulses of one direction: device, direction, first reading with such pulses, and last."""
    rows = []
    sign = np.where(found.known, np.sign(found.pulses), 0)
    for device, own in enumerate(sign):
        edges = np.flatnonzero(np.diff(own, prepend=0, append=0))
        rows += [
            (device, int(own[a]), int(a), int(b - 1)) for a, b in pairwise(edges) if own[a]
        ]
    return rows


def reaching(found: Curves) -> Array:
    """Return which devices come to their bounds, low and high, (devices, 2): steps at the ends of runs have all but
    ended."""
    mean, error = _quarters(found)
    most = mean[:, :, :3].max(axis=2)
    return (mean[:, :, 3] < SHRUNK * most) & (mean[:, :, 3] + 2 * error[:, :, 3] < 0.6 * most)


def ending(found: Curves, side: int) -> float:
    """Return the mean step in the last quarter of runs towards a side, low (0) or high (1), as a share of the largest
    of the first three, of the devices that come to that bound; 0 where it is not clearly above 0."""
    mean, error = (one[reaching(found)[:, side], side] for one in _quarters(found))
    if not len(mean):
        return 0.0
    last = float(mean[:, 3].mean())
    sure = last > SURELY * float(np.sqrt((error[:, 3] ** 2).sum())) / len(mean)
    return last / float(mean[:, :3].max(axis=1).mean()) if sure else 0.0


def _quarters(found: Curves) -> tuple[Array, Array]:
    """Return the mean step in each quarter of the long runs to either side, (devices, 2, 4), and its standard error;
    NaN of a device without such runs."""
    steps, rows = found.steps(), runs(found)
    mean, error = np.full((2, found.devices, 2, 4), np.nan)
    for side, sign in enumerate((-1, 1)):
        for device in range(found.devices):
            own = [(a, b) for d, s, a, b in rows if d == device and s == sign and b - a >= 7]
            if not own:
                continue
            longest = max(b - a for a, b in own)
            parts: list[list[Array]] = [[], [], [], []]
            for a, b in own:
                if b - a >= longest / 2:
                    for part, piece in zip(parts, np.array_split(steps[device, a : b + 1], 4), strict=True):
                        part.append(piece[np.isfinite(piece)])
            joined = [np.concatenate(part) for part in parts]
            mean[device, side] = [one.mean() for one in joined]
            error[device, side] = [one.std() / np.sqrt(len(one)) for one in joined]
    return mean, error


def reached(found: Curves, said: Array | None = None) -> tuple[bool, bool]:
    """Return whether curves come to the bounds, low and high: half of the devices do, or enough to tell the others'."""
    said = reaching(found) if said is None else said
    share, many = said.mean(axis=0), said.sum(axis=0)
    low, high = (share >= 0.5) | ((many >= FEW) & (share >= SHARE))
    return bool(low), bool(high)


def levels(found: Curves, reached: tuple[bool, bool]) -> tuple[Array, Array]:
    """Return where devices come to, low and high, (devices,) each [uS].

    Where curves come to a bound it is the mean of the last readings of runs towards it, or where these wander, as
    devices do that noise of pulses keeps off a hard bound, the farthest one; else the farthest one.
    """
    g = found.conductance
    ends = [np.nanmin(g, axis=1), np.nanmax(g, axis=1)]
    rows = runs(found)
    for side, sign in enumerate((-1, 1)):
        if not reached[side]:
            continue
        means, wander = np.full(found.devices, np.nan), []
        for device in range(found.devices):
            own = [(a, b) for d, s, a, b in rows if d == device and s == sign]
            longest = max((b - a for a, b in own), default=0)
            tails = [g[device, max(b - max(2, (b - a) // 10), a) : b + 1] for a, b in own if b - a >= longest / 2]
            if tails:
                means[device] = np.mean([tail[-3:].mean() for tail in tails])
                steps, whole = np.concatenate([np.diff(tail) for tail in tails]), np.concatenate(tails)
                wander.append(float((steps**2).mean() / max(2 * whole.var(), 1e-300)))
        if wander and np.median(wander) > WHITE:
            ends[side] = np.where(np.isfinite(means), means, ends[side])
    return ends[0], ends[1]


def passed(found: Curves) -> tuple[Array, Array]:
    """Return what bounds of devices that do not come to them lie beyond, low and high, (devices,) each [uS].

    :func:`reaching` asks whether the last quarter of runs is at the bound: if it is not, the bound is beyond the
    readings ahead of that. It need not be beyond the farthest one: that may be the bound, come to late.
    """
    g, rows = found.conductance, runs(found)
    ends = [np.nanmin(g, axis=1), np.nanmax(g, axis=1)]
    for side, sign in enumerate((-1, 1)):
        for device in range(found.devices):
            own = [(a, b) for d, s, a, b in rows if d == device and s == sign]
            longest = max((b - a for a, b in own), default=0)
            ahead = [g[device, a + (3 * (b - a)) // 4] for a, b in own if b - a >= longest / 2]
            ends[side][device] = np.mean(ahead) if ahead else ends[side][device]
    return ends[0], ends[1]


def sticking(found: Curves) -> Array:
    """Return which devices stay at their farthest reading, low and high, (devices, 2), though pulses lead on.

    Readings behind so many pulses on end towards it lie within half a step of it, by the root mean square of the
    device's changes. Noise alone comes as close by chance, and goes away again.
    """
    said = np.zeros((found.devices, 2), dtype=bool)
    sign = np.where(found.known, np.sign(found.pulses), 0)
    for device, g in enumerate(found.conductance):
        near = NEAR * float(np.sqrt(np.nanmean(np.diff(g) ** 2)))
        for side, way in enumerate((-1, 1)):
            close = (way * g > np.nanmax(way * g) - near) & (sign[device] == way)
            edges = np.flatnonzero(np.diff(close, prepend=False, append=False))
            said[device, side] = bool(len(edges)) and int((edges[1::2] - edges[::2]).max()) >= ON_END
    return said
