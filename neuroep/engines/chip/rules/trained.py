# Tested by tests/neuroep/engines/chip/test_updates.py.
"""What the rules share that send trains of pulses: which signals, how large a change they ask for, what it takes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from hw_models.chip import Update
from neuroep.engines.chip.rules.in_memory import InMemory
from neuroep.engines.chip.rules.rule import CROSSBAR, Place
from neuroep.engines.chip.rules.scaling import RunningSquare, symmetry
from neuroep.learning.contrast import Contrast
from neuroep.learning.optimisers import SGD, Optimiser

SQUARE, OUTPUTS, INPUTS = "square", "square_outputs", "square_inputs"
"""Names of the running mean squares of an array and of its lines among what a rule keeps."""
Terms = Sequence[tuple[float, Any, Any]]
"""(sign, post rows, pre rows): the weights are to change along the sum of sign post^T pre."""


class WantedChange(NamedTuple):
    """What an update is to change weights by: -lr scale/r times the sum over the terms of sign post^T pre."""

    rate: float
    """lr, of weights; without scaling a factor of the gradient."""
    rms: float
    """r; 1 without scaling, 0 where there never was a gradient."""
    scale: float
    """From summed products to the gradient."""
    terms: Terms

    @property
    def share(self) -> float:
        """-scale/r, nothing where there never was a gradient."""
        return -self.scale / self.rms if self.rms else 0.0


class TrainedInMemory(InMemory):
    """Trains of pulses; see the module.

    Attributes
    ----------
    sent, asked : dict of str to float
        By label of a crossbar the pulses of its last trains, mean over its devices; and those that were asked of them.
    """

    usual = SGD()

    def __init__(self, place: Place, weight: np.ndarray, bias: np.ndarray | None) -> None:
        super().__init__(place, weight, bias)
        self.scaled = place.chip.update.scaled
        self._trains = self._short = 0
        self._sent: dict[str, list[float]] = {}
        self.sent: dict[str, float] = {}
        self.asked: dict[str, float] = {}
        if self.scaled:
            self.kept[SQUARE] = np.zeros(3)
            if place.chip.update.per_line:
                self.kept |= {OUTPUTS: np.zeros(weight.shape[0]), INPUTS: np.zeros(weight.shape[1])}
            own = (self.kept.get(name) for name in (OUTPUTS, INPUTS))
            self.square = RunningSquare(place, place.chip.update.memory, self.kept[SQUARE], *own)

    @classmethod
    def follows(cls, optimiser: Optimiser, update: Update) -> Optimiser:
        """Return SGD where changes are scaled: rates are sizes of steps then, whichever rule they were meant for."""
        plain = isinstance(optimiser, SGD) or not update.scaled
        return optimiser if plain else SGD(weight_decay=optimiser.weight_decay)

    def _wanted(self, contrast: Contrast, rate: float) -> WantedChange:
        """Return what an update is to change weights by, and move the bias likewise, exactly."""
        rms, bias, terms = 1.0, 1.0, self._terms(contrast)
        if self.scaled:
            self.square.add(contrast, self.updates)
            rms, bias = self.square.rms
            terms = self._evened(terms)
            rows = len(contrast.terms()) * len(contrast.post_change)
            work = rows * self.square.projected + sum(len(post) for _, post, _ in terms) * self.chip.update.per_line
            self.tally.add(
                self.place.name, "multiply-add update", work * sum(self.crossbar.shape), self.crossbar.shape
            )
        self._move_bias(contrast, self._rate_of(rate) / bias if bias else 0.0)
        self.digital.updates += 1
        return WantedChange(self._rate_of(rate), rms, contrast.scale, terms)

    def _evened(self, terms: Terms) -> Terms:
        """Return terms whose signals are multiplied by the gains of their lines."""
        gains = self.square.gains()
        if gains is None:
            return terms
        outputs, inputs = gains
        return [(sign, post * outputs.astype(post.dtype), pre * inputs.astype(pre.dtype)) for sign, post, pre in terms]

    def _rate_of(self, rate: float) -> float:
        """Return the size of a step; without scaling the rate itself."""
        return rate * self.chip.update.step if self.scaled else rate

    def _send(self, label: str, terms: Terms, change: float, net: float = 0.0) -> float:
        """Send trains to a crossbar, of mean ``change`` times the sum of products.

        ``net`` is the net change that they are meant to make, root mean square, in pulses. Returns the seconds.
        """
        if not self.chip.update.counts:
            self._watch(terms, abs(change / self.crossbars[label].weight_range))
        group = self.groups[label]
        if (counters := group[0].counters) is not None:
            pulses = counters.count(terms, change / group[0].crossbar.weight_range, self.updates)
            given = sum(each.release(pulses, self.updates) for each in group)
        else:
            given = sum(each.send(terms, change / each.crossbar.weight_range, self.updates) for each in group)
        told = self._sent.setdefault(label, [0.0, 0.0, 0.0, 0.0])
        devices = self.chip.device.moved * self.crossbar.shape[0] * self.crossbar.shape[1] * len(self.groups[label])
        self.sent[label] = given / max(devices, 1)
        self.asked[label] = self._asked(terms, change / self.crossbars[label].weight_range)
        for place, value in enumerate((self.sent[label], net, self.asked[label], 1.0)):
            told[place] += value
        return self._sending(label)

    def _asked(self, terms: Terms, step: float) -> float:
        """Return the pulses of a weight, mean over all, that trains are to make of a change by a share of the range."""
        pulses = sum(float(np.abs(post).mean(axis=1) @ np.abs(pre).mean(axis=1)) for _, post, pre in terms)
        return abs(step) * pulses / self.chip.device.granule

    def delivered_of(self, given: float, asked: float) -> float:
        """Return the share of what was asked of trains that they had room for; of counted phases it is not known."""
        return min(given / asked, 1.0) if given and asked and not self.chip.update.counts else 1.0

    def _watch(self, terms: Terms, step: float) -> None:
        """Count the trains, and those whose strongest lines would need more slots than a train may have."""
        longest = self.chip.update.train_length * self.chip.device.granule
        for _, post, pre in terms:
            needed = step * np.abs(post).max(axis=1, initial=0) * np.abs(pre).max(axis=1, initial=0)
            self._trains += int(np.count_nonzero(needed))
            self._short += int(np.count_nonzero(needed > longest))

    def health(self) -> dict[str, float]:
        """Return the share of devices at their bounds; since the last call, of trains that were too short.

        With expected trains also of the moves that had to be played pulse by pulse (:mod:`hw_models.arrays.expected`).
        """
        if self.chip.update.counts:
            return super().health() | self._counters()
        own = [each.devices for label in self._sent or (CROSSBAR,) for each in self.groups[label][:1]]
        short = self._short / self._trains if self._trains else 0.0
        played, stepped = sum(each.played for each in own), sum(each.stepped for each in own)
        self._trains = self._short = 0
        for each in own:
            each.played = each.stepped = 0
        found = {"trains_too_short": short}
        if self.chip.update.trains == "expected":
            found["pulses_played"] = played / (played + stepped) if played else 0.0
        return super().health() | found

    def _counters(self) -> dict[str, float]:
        """Return the shares of trains too short, second phases cut and counts lost since the last call."""
        own = self.groups[self.trained][0].counters
        if own is None:
            return {}
        found = {"trains_too_short": own.short / max(own.sent, 1), "phases_cut": own.cut / max(own.sent, 1)}
        found["counts_lost"] = min(own.lost / max(own.met, 1), 1.0)
        own.sent = own.short = own.cut = own.met = own.lost = 0
        return found

    def _widen(self) -> int:
        """Write the weights with twice the range if it is time to; what waits in their counters is then less of it."""
        before, bad = self.crossbar.weight_range, super()._widen()
        own = self.groups[CROSSBAR][0].counters
        if own is not None and before != self.crossbar.weight_range:
            own.widened(self.crossbar.weight_range / before)
        return bad

    def coherence(self) -> dict[str, dict[str, float]]:
        """Return kappa, the updates in which devices forget, and the pulses of an update, since the last call.

        By crossbar: ``kappa`` all pulses over the net change that trains had room for, both per device and update, root
        mean square;
        ``pulses`` per device and update; ``forgets`` in so many updates; ``needs`` the pulses per device for a ratio
        of signal to noise of one, kappa^2 (1 + noise^2); ``passes_on`` where another array averages what it gathers.
        """
        pulse, found = self.chip.device.pulse, {}
        for label, (given, wanted, asked, number) in self._sent.items():
            net = wanted * self.delivered_of(given, asked)
            if net <= 0 or number <= 0:
                continue
            pulses, kappa, own = given / number, given / net, symmetry(pulse)
            fades = pulses * own.leak * own.step
            found[label] = {
                "kappa": kappa,
                "pulses": pulses,
                "forgets": 1 / fades if fades > 0 else float("inf"),
                "needs": kappa**2 * (1 + own.noise**2),
            }
            if label != CROSSBAR:
                found[label]["passes_on"] = 1.0
        self._sent = {}
        return found

    def _terms(self, contrast: Contrast) -> Terms:
        """Return (sign, post rows, pre rows): the weights are to change along the sum of sign post^T pre."""
        if self.chip.update.contrasts:
            return [(1.0, post, pre) for post, pre in contrast.terms()]
        post, pre = contrast.post, contrast.pre
        plus, minus = (1.0, post.plus, pre.plus), (-1.0, post.minus, pre.minus)
        return [minus, plus] if self.chip.update.counts else [plus, minus]
