"""What limits learning now: named limits with numbers, the one that costs most first, and what would help.

    for limit in neuroep.runs.limits.diagnose(session).limits:
        print(limit.told(), limit.overrides)

The *cost* of a limit is the share of the wanted update that does not get through, a mean over synapses, 0 to 1:

===========================  ========================================================================================
limit                        cost
===========================  ========================================================================================
arrays that cannot learn     share of the update that noise takes the place of (:mod:`neuroep.runs.forgetting`)
weights at the range         share of weights at the range of their devices, which follow the update no further
weight leak                  in memory: share of the epoch's updates that has leaked away by its end, or turned them
write disturb                in memory: share of updates that what neighbours feel of their pulses undoes, or turns
pulse trains too short       share of trains whose strongest lines ask for more slots than there are
outputs at a bound           share of the outputs' error that passes no gradient on (``health.stuck_error``)
layers at a bound            share of synapses that no gradient reaches at all, in exact arithmetic either
programming noise            digital: what exact gradients, of the conductances and of the weights meant, differ by
                             because of it; every update draws it anew
what a cause costs           what the contrast's cosine with the exact one gains when the cause is taken away
readings beyond the ranges   what it gains when the same weights are programmed, and the ranges calibrated, anew
===========================  ========================================================================================

Two causes that each hide the contrast alone gain little when one of them is taken away. Where no cause gains half of
what is lost, each one is also put alone on a chip without the others, and its cost is the mean of what it takes there
and of what its absence gains, for two causes the shares of Shapley, and never less than what its absence gains.

Cosines are those of a :class:`~neuroep.gradients.contrast_error.Probe`: a few training samples, drawn once, measured on
a twin of the engine that training never sees. Only where more than :data:`SAID` is lost are causes taken away, one
after the other, on chips with the weights as they are (:mod:`neuroep.runs.cures`); a chip that is fine pays the probe
alone. Then the cures of the cause that costs most are tried on the same samples, and the first one that wins back
:data:`ENOUGH` of its cost is named, or else the best one. Draws are keyed by the epoch: a resumed run
finds the same.

A probe takes about as long as 8 updates, a search as 20 and the chips that it programs. So a run searches in epochs 1,
4, 16 and so on, probes in the first four, where most goes wrong, and otherwise where 8 updates are at most 2 % of those
since the last probe: on small data an epoch repeats what was found, and says of which that is (:func:`repeated`).
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np

from hw_models.reading import Entries, Page
from neuroep.engines.engine import Engine
from neuroep.engines.twins import twin
from neuroep.errors import DivergenceError, UserError
from neuroep.gradients.contrast_error import Probe, Probed, lost, mean_cosines
from neuroep.runs import building, config as configuration, cures, forgetting
from neuroep.runs.config import Config
from neuroep.runs.cures import Cause, Cure
from neuroep.runs.session import Session

SAMPLES, BATCHES = 16, 2
"""Of a probe: samples of a batch, and batches."""
SAID = 0.03
"""Cost from which a limit is said."""
ENOUGH = 0.7
"""Share of a cause's cost that a cure is to win back."""
MASKED = 0.5
"""Share of what is lost from which a cause explains it by itself."""
PROBE, SHARE = 8, 0.02
"""Updates that a probe takes as long as, and the share of a run's updates that it may take."""
FIRST = 4
"""Epochs that are probed whatever it takes."""
LEARNED = 0.98
"""Training accuracy from which nothing limits learning: there is hardly an error left to learn from."""
BEYOND = "readings beyond the ranges"
RANGE, TRAINS, OUTPUTS = "weights at the range", "pulse trains too short", "outputs at a bound"
LAYERS, WRITES = "layers at a bound", "programming noise"
LEAKED, DISTURBED = "weight leak", "write disturb"
OF_ARRAYS = RANGE, TRAINS, LEAKED, DISTURBED, forgetting.NAME
"""Those of which arrays tell themselves."""
UNKNOWN = "the contrast"
OWN = frozenset({*OF_ARRAYS, OUTPUTS, LAYERS, WRITES, UNKNOWN})
"""Limits that are no cause of an error of the contrast."""


@dataclass(frozen=True)
class Limit:
    """Something that limits learning."""

    name: str
    """What it is."""
    cost: float
    """Share of the wanted update that does not get through."""
    where: str
    """By synapse or layer, with its number there, the largest first."""
    cure: str = ""
    """Which field would help, its value now and then, and why."""
    overrides: tuple[str, ...] = ()
    """The same for the command line."""

    def told(self) -> str:
        """Return one line."""
        place = f" ({self.where})" if self.where else ""
        return f"{self.name}{place} cost {self.cost:.0%} of the update" + (f": {self.cure}" if self.cure else "")

    def as_dict(self) -> Page:
        """Return plain values."""
        return asdict(self) | {"overrides": list(self.overrides)}


@dataclass(frozen=True)
class Diagnosis:
    """What limits learning, and the numbers behind."""

    limits: tuple[Limit, ...]
    """The one that costs most first."""
    probed: Probed

    def as_dict(self) -> Page:
        """Return plain values for a record."""
        return {"limits": [limit.as_dict() for limit in self.limits], "contrasts": self.probed.as_dict()}


def told(record: Entries) -> list[str]:
    """Return the lines of an epoch's record, none where nothing limits learning any more; older records have none."""
    accuracy = record.get("train", {}).get("accuracy")
    return [] if accuracy is not None and accuracy >= LEARNED else lines(record.get("limits", ()))


def lines(entries: Sequence[Entries]) -> list[str]:
    """Return a line for each limit of a record, the worst first."""
    listed = _listed(entries)
    for number, limit in enumerate(listed):  # several causes of one contrast have its cosines in common: said once
        fields, apart, seen = limit.where.partition("; ")
        if apart and any(other.where.endswith(f"; {seen}") for other in listed[:number]):
            listed[number] = replace(limit, where=fields)
    told = [limit.told() for limit in listed]
    return [f"{'then' if n else 'limits learning most'}: {line}" for n, line in enumerate(told)]


def diagnose(
    session: Session,
    arrays: Mapping[str, Mapping[str, float]] | None = None,
    *,
    coherence: forgetting.Coherence | None = None,
    epoch: int = 0,
    before: Entries | None = None,
    search: bool = True,
    changing: Collection[str] | None = None,
) -> Diagnosis:
    """Measure what limits learning on a session's chip with its weights as they are now; the session stays as it is.

    Parameters
    ----------
    session : Session
        With a chip.
    arrays : mapping, optional
        What the arrays told of limits while they learned, :meth:`Engine.array_health`; default what the probe saw.
    coherence : mapping, optional
        What the arrays told of their pulses while they learned, :meth:`Engine.coherence`.
    epoch : int
        Keys the draws.
    before : mapping, optional
        An earlier record, or what :meth:`Diagnosis.as_dict` returned then.
    search : bool
        Take causes away one by one; else what is lost now is shared out among those of ``before``, if there are any.
    changing : collection of str, optional
        Settings that a cure may change; default all.
    """
    probe = _probe(session, epoch)
    probed = probe.probed(session.engine)
    shares = _shares_of(session, probe) if arrays is None else arrays
    listed = before.get("limits", ()) if before else ()
    found = [*_of_arrays(session.config, shares), *_of_outputs(session.config, probed), _of_layers(probed, listed)]
    found += [*_of_writes(session, probe), *_of_pulses(session.config, coherence)]
    found = [_with_cures_of(limit, changing) for limit in found]
    if probed.lost >= SAID:
        asked = _Search(session, probe, probed, shares, changing)
        known = _of_contrasts(listed)
        found += asked.again(known, _lost_in(before)) if before and known and not search else asked.limits()
    return Diagnosis(_ranked(found), probed)


def affordable(record: Entries, before: Sequence[Entries]) -> bool:
    """Tell whether an epoch is to be probed, by the updates since the last probe and before it."""
    probed = [each for each in before if "limits" in each and not _probed_in(each)]
    return record["epoch"] <= FIRST or not probed or SHARE * (record["updates"] - probed[-1]["updates"]) >= PROBE


def repeated(
    config: Config,
    arrays: Mapping[str, Mapping[str, float]],
    last: Entries,
    coherence: forgetting.Coherence | None = None,
) -> Page:
    """Return the record of an epoch that is not probed: what its arrays tell, and the rest of the last record.

    ``contrasts`` are those of the last probe, with the ``epoch`` it was in, which is said behind its limits.
    """
    epoch = _probed_in(last) or last["epoch"]
    listed = [limit for limit in _listed(last["limits"]) if limit.name not in OF_ARRAYS]
    if not _probed_in(last):
        listed = [replace(limit, where=f"{limit.where}; in epoch {epoch}".lstrip("; ")) for limit in listed]
    found = _ranked([*_of_arrays(config, arrays), *_of_pulses(config, coherence), *listed])
    return {"limits": [limit.as_dict() for limit in found], "contrasts": {**last["contrasts"], "epoch": epoch}}


def _probed_in(record: Entries) -> int:
    """Return the epoch of the probe that a record repeats; 0 where it has one of its own."""
    found = record["contrasts"].get("epoch", 0)
    return int(found)


def _ranked(found: Sequence[Limit]) -> tuple[Limit, ...]:
    """Return the limits that are said, the one that costs most first."""
    return tuple(sorted((limit for limit in found if limit.cost >= SAID), key=lambda limit: -limit.cost))


def _listed(entries: Sequence[Entries]) -> list[Limit]:
    """Return the limits of a record."""
    return [Limit(**{**entry, "overrides": tuple(entry["overrides"])}) for entry in entries]


def _with_cures_of(limit: Limit, changing: Collection[str] | None) -> Limit:
    """Return a limit without its cure, where that changes a setting that may not be changed."""
    return limit if _may(limit.overrides, changing) else replace(limit, cure="", overrides=())


def _may(overrides: Sequence[str], changing: Collection[str] | None) -> bool:
    """Tell whether overrides change nothing but settings that may be changed."""
    return changing is None or {name.removeprefix("--") for name in overrides[::2]} <= set(changing)


def _probe(session: Session, epoch: int) -> Probe:
    """Return the probe of a session: the same samples in every epoch, with draws of its own."""
    drawn = session.draw("train", SAMPLES * BATCHES, "limits")
    starts = range(0, len(drawn), SAMPLES)
    batches = [session.batch("train", drawn[a : a + SAMPLES]).keyed("limits", epoch, a) for a in starts]
    return Probe(session.estimator, batches)


def _shares_of(session: Session, probe: Probe) -> Mapping[str, Mapping[str, float]]:
    """Return what the arrays tell of limits on the samples of a probe."""
    engine = twin(session.engine, probe.age)
    engine.array_health()  # of what was before
    for step, batch in enumerate(probe.batches):
        probe.estimator.measure(engine, batch, step)
    return engine.array_health()


def _of_arrays(config: Config, arrays: Mapping[str, Mapping[str, float]]) -> Iterator[Limit]:
    """Yield the limits of which the arrays tell themselves."""
    if config.chip is None or not arrays:
        return
    crossbars = cures.RANGE, cures.FOLLOW_ALL, cures.FOLLOW, cures.HEADROOM
    ranges = (cures.INTEGERS,) if config.chip.substrate == "event_driven" else crossbars
    longer = cures.SLOTS if config.chip.update.counts else cures.TRAIN
    for name, share, wanted in (
        (RANGE, "weights_at_range", ranges),
        (TRAINS, "trains_too_short", (longer, cures.STEP)),
        (LEAKED, "updates_leaked", (cures.LEAK, cures.RETENTION)),
        (DISTURBED, "updates_disturbed", (cures.DISTURB,)),
    ):
        by_synapse = {synapse: found.get(share, 0.0) for synapse, found in arrays.items()}
        cost = sum(by_synapse.values()) / len(by_synapse)
        yield Limit(name, cost, _shares(by_synapse), *_cure(config, wanted))


def _of_pulses(config: Config, coherence: forgetting.Coherence | None) -> Iterator[Limit]:
    """Yield that arrays forget what they learn before the noise of its pulses has averaged out."""
    if found := sorted(forgetting.of(coherence or {}), key=lambda array: -array.cost):
        cost = sum(array.cost for array in found) / len(coherence or {})
        cure = _cure(config, forgetting.wanted(config))
        yield Limit(forgetting.NAME, cost, "; ".join(array.told() for array in found), *cure)


def _of_outputs(config: Config, probed: Probed) -> Iterator[Limit]:
    """Yield that outputs cannot be pulled away from their bounds."""
    where = f"{probed.stuck:.0%} of their error passes no gradient on"
    yield Limit(OUTPUTS, probed.stuck if probed.stuck > 0.5 else 0.0, where, *_cure(config, (cures.OUTPUTS,)))


def _of_layers(probed: Probed, before: Sequence[Entries]) -> Limit:
    """Return that no gradient reaches a synapse; what was the worst limit before has most likely put layers there."""
    silent = [name for name, error in probed.errors.items() if error.wanted == 0]
    if len(silent) == len(probed.errors):
        silent = []  # no output errs, or all of them are at a bound, which is said already
    first: Entries = before[0] if before else {"cure": "", "overrides": ()}
    where = f"no gradient reaches {', '.join(silent)}"
    return Limit(LAYERS, len(silent) / len(probed.errors), where, first["cure"], tuple(first["overrides"]))


def _of_writes(session: Session, probe: Probe) -> Iterator[Limit]:
    """Yield what programming noise costs where devices are written at every update; mismatch, which stays, does not.

    The weights as they are, cut at their ranges, go to the chip anew, with its programming noise and without, and the
    cosines of both exact gradients with that of the weights themselves are compared.
    """
    chip = session.config.chip
    if chip is None or not chip.device.programming_noise or chip.update.scheme != "digital":
        return
    parameters = _within(session.engine)
    meant = probe.wanted(session.engine, parameters)
    cosines = []
    for noise in ([], ["--chip.device.programming_noise", "[]"]):
        config = configuration.changed(session.config, noise)
        engine = building.build_engine(config, session.network, parameters)
        engine.read_at(probe.age)
        cosines.append(mean_cosines(engine, probe.wanted(engine), meant))
    noisy, still = cosines
    where = "cosine of the exact gradient " + ", ".join(f"{name} {value:.2f}" for name, value in noisy.items())
    yield Limit(WRITES, lost(noisy) - lost(still), where, *_cure(session.config, (cures.WRITE, cures.CLIP)))


def _within(engine: Engine) -> dict[str, np.ndarray]:
    """Return the parameters with weights cut at the range of their devices."""
    found, ranges = engine.parameters(), engine.substrate.ranges()
    for synapse in engine.network.synapses:
        full = ranges.get(f"crossbar {synapse.name} weights", math.inf)
        found[f"{synapse.name}.weight"] = np.clip(found[f"{synapse.name}.weight"], -full, full)
    return found


def _lost_in(record: Entries) -> float:
    """Return what was lost as an earlier record has it, where numbers that are none are null."""
    cosines = {name: error["cosine"] for name, error in record["contrasts"]["errors"].items()}
    return lost({name: math.nan if value is None else value for name, value in cosines.items()})


def _of_contrasts(before: Sequence[Entries]) -> list[Limit]:
    """Return the limits of an earlier record that cost the contrast its direction and have a name."""
    return [limit for limit in _listed(before) if limit.name not in OWN]


def _cure(config: Config, wanted: Sequence[Cure]) -> tuple[str, tuple[str, ...]]:
    """Return the first cure that changes something, in words and as overrides."""
    for cure in wanted:
        if cure.overrides(config):
            return cure.told(config), cure.overrides(config)
    return "", ()


def _shares(values: Mapping[str, float]) -> str:
    """Return shares by name, the largest first, those below 1 % left out."""
    ranked = sorted(values.items(), key=lambda item: -item[1])
    return ", ".join(f"{name} {value:.0%}" for name, value in ranked if value >= 0.01)


class _Search:
    """Takes away causes one by one and tries cures, on chips with a session's weights as they are."""

    def __init__(
        self,
        session: Session,
        probe: Probe,
        probed: Probed,
        arrays: Mapping[str, Mapping[str, float]],
        changing: Collection[str] | None = None,
    ) -> None:
        self.session, self.probe, self.probed, self.arrays = session, probe, probed, arrays
        self.changing = changing

    def limits(self) -> list[Limit]:
        """Return what the contrast loses to each cause, the cures of the worst one tried."""
        config = self.session.config
        fresh = self._lost(())
        there = [cause for cause in cures.CAUSES if cause.without(config)]
        gains = {cause: fresh - self._lost(cause.without(config)) for cause in there}
        if max(gains.values(), default=0.0) < MASKED * fresh:
            gains = self._shared(gains)
        found = [Limit(cause.name, gain, self._where(cause)) for cause, gain in gains.items()]
        found.append(self._beyond(self.probed.lost - fresh))
        if max(limit.cost for limit in found) < SAID / 2:
            return [Limit(UNKNOWN, self.probed.lost, self._cosines())]
        worst = max(gains, key=lambda cause: gains[cause], default=None)
        if worst is None or gains[worst] < SAID / 2:
            return found
        cured = self._cured(worst, fresh, gains[worst])
        return [cured if limit.name == worst.name else limit for limit in found]

    def _shared(self, gains: Mapping[Cause, float]) -> dict[Cause, float]:
        """Return the mean of what the absence of each cause gains and of what it takes on a chip without the others."""
        config = self.session.config
        without = {cause: cause.without(config) for cause in gains}
        all_of_it = tuple(word for words in without.values() for word in words)
        bare, found = self._lost(all_of_it), {}
        for cause, gain in gains.items():
            others = tuple(word for other, words in without.items() if other is not cause for word in words)
            found[cause] = max(gain, 0.5 * (gain + self._lost(others) - bare))
        return found

    def again(self, known: Sequence[Limit], then: float) -> list[Limit]:
        """Return limits that were found when so much was lost, with what is lost now, shared out as then."""
        now = self.probed.lost / max(then, *(limit.cost for limit in known))
        causes = {cause.name: cause for cause in cures.CAUSES}
        places = {limit.name: self._place(causes.get(limit.name)) for limit in known}
        return [replace(limit, cost=limit.cost * now, where=places[limit.name]) for limit in known]

    def _place(self, cause: Cause | None) -> str:
        return _shares(self._stops()) if cause is None else self._where(cause)

    def _lost(self, overrides: tuple[str, ...]) -> float:
        """Return what is lost with some settings changed, on a chip programmed and calibrated anew; 1 if it fails."""
        try:
            config = configuration.changed(self.session.config, overrides)
            own = self.probe.estimator
            probe = replace(self.probe, estimator=building.build_estimator(config), yardstick=own)
            return lost(probe.cosines(self.session.programmed(config).engine))
        except (DivergenceError, UserError):
            return 1.0

    def _cured(self, cause: Cause, fresh: float, gain: float) -> Limit:
        """Return a cause's limit with the first of its cures that wins back enough, or else the best."""
        config = self.session.config
        best: tuple[str, tuple[str, ...], float] = "", (), 0.0
        for cure in cause.cures:
            overrides = cure.overrides(config)
            if not _may(overrides, self.changing):
                continue
            won = fresh - self._lost(overrides) if overrides else 0.0
            if won > best[2]:
                best = (cure.told(config), overrides, won)
            if won >= ENOUGH * gain:
                break
        return Limit(cause.name, gain, self._where(cause), *best[:2])

    def _beyond(self, cost: float) -> Limit:
        """Return the limit that ranges were calibrated on other weights or states than there are now.

        Its cure is room in the converters whose ranges would grow most if they were calibrated now.
        """
        table, factor = self._grown()
        wanted = (cures.CALIBRATE, *(cures.room(f"chip.{table}", factor) if table else ()))
        found = Limit(BEYOND, cost, _shares(self._stops()), *_cure(self.session.config, wanted))
        return _with_cures_of(found, self.changing)

    def _stops(self) -> dict[str, float]:
        """Return the shares of readings at the stop, by synapse and converter."""
        words = {"adc_forward_at_stop": "forward ADC", "adc_transposed_at_stop": "transposed ADC", "dac_at_stop": "DAC"}
        return {
            f"{synapse} {word}": found[name]
            for synapse, found in self.arrays.items()
            for name, word in words.items()
            if found.get(name, 0.0) > 0
        }

    def _grown(self) -> tuple[str, float]:
        """Return the table of the chip whose ranges would grow most if they were calibrated now, and by what factor."""
        now = self.session.engine.substrate.ranges()
        then = self.session.programmed(self.session.config).engine.substrate.ranges()
        known = [name for name, full in now.items() if full > 0 and name in then]
        growth = {name: then[name] / now[name] for name in known if f"chip.{name.split()[0]}" in cures.CALIBRATED}
        if not growth:
            return "", 1.0
        most = max(growth, key=lambda name: growth[name])
        return most.split()[0], growth[most]

    def _where(self, cause: Cause) -> str:
        """Return the fields of a cause, and what the probe saw of it."""
        return f"{', '.join(cause.set(self.session.config))}; {self._seen(cause)}"

    def _seen(self, cause: Cause) -> str:
        """Return signal over noise where the contrast differs by chance, what is below a step, or cosines."""
        noisy = {n: e.signal_to_noise for n, e in self.probed.errors.items() if not math.isinf(e.signal_to_noise)}
        between = sum(e.lost_between for e in self.probed.errors.values() if not math.isnan(e.cosine))
        if noisy and between > 0.5 * self.probed.lost * len(self.probed.errors):
            ranked = sorted(noisy.items(), key=lambda item: item[1])
            return "signal over noise of the contrast " + ", ".join(f"{name} {value:.2g}" for name, value in ranked)
        if cause.name.endswith("read-out") and self.probed.below:
            return "of the contrast below half a step: " + _shares(self.probed.below)
        return self._cosines()

    def _cosines(self) -> str:
        ranked = sorted(self.probed.errors.items(), key=lambda item: item[1].cosine)
        return "cosine of the contrast with the exact one " + ", ".join(f"{name} {e.cosine:.2f}" for name, e in ranked)
