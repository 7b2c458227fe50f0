r"""What is wrong with the contrasts that a chip measures, by synapse, and what of it differs between the phases.

EP reads a small difference of two phases. What is the same in both (mismatch, gain, offset, non-linearity) is learned
around; what *differs* between them stands in the contrast whole. The two are told apart by a second measurement with
the same samples, sweeps and draws, but without a nudge:

.. math:: g = c(\beta), \qquad n = \frac{\epsilon}{\beta}\, c(\epsilon) \;\;(\epsilon \to 0), \qquad d = g - n

c is the contrast, dL/dW as the update sees it. A chip whose phases differ by the nudge alone gives the *null contrast*
n = 0, whatever else it does to signals. So n is all that differs: offset, gain and droop of holders, kT/C, read noise,
heating, a free phase that has not settled; and d is what the nudge itself made, with all that both phases share. g, n
and d follow from c alone, so they hold for every effect of a chip that there is or will be. Over K batches k of other
samples and other draws, with the contrast w of exact arithmetic on the weights as the arrays conduct them,

    signal      S = sqrt(mean_k |d_k|^2)
    offset      O = sqrt(max(0, mean_{j<k} n_j . n_k))         what is the same in every batch
    noise       N = sqrt(max(0, mean_k |n_k|^2 - O^2))         its spread
    signal-to-noise S/N;   cosines mean_k cos(g_k, w_k) as it is, mean_k cos(d_k, w_k) with what is common alone
    errors      sqrt(mean |d_k - w_k|^2 / mean |w_k|^2) of what is common, sqrt(mean |n_k|^2 / mean |w_k|^2) of the rest

All norms are over the entries of a weight matrix. An update on B samples has a noise of about N sqrt(samples/B). Two
batches tell an offset from noise only where it is the larger part; a smaller one counts as noise.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import combinations

import numpy as np

from neuroep.data.batch import Batch
from neuroep.engines import local
from neuroep.engines.engine import Engine
from neuroep.engines.parts import Part
from neuroep.engines.twins import twin
from neuroep.gradients.angles import cosine
from neuroep.gradients.estimators import Estimator
from neuroep.gradients.health import stuck_error
from neuroep.learning.contrast import Contrast
from neuroep.network import DenseSynapse

NULL = 2.0**-40
"""Nudge of the null contrast in units of beta: far below a rounding of the states, a power of two."""
Gradient = dict[str, np.ndarray]
"""By name of a parameter."""


@dataclass(frozen=True)
class ContrastError:
    """Of one synapse; see the module. Lengths are those of dL/dW."""

    signal: float
    """S, what the nudge makes of the contrast."""
    offset: float
    """O, what differs between the phases in the same way in every batch."""
    noise: float
    """N, what differs by chance."""
    wanted: float
    """Length of the exact contrast."""
    cosine: float
    """Of the contrast as it is with the exact one; nan where that vanishes."""
    cosine_common: float
    """Of what is left when what differs between the phases is taken away."""
    error_common: float
    """|d - w| / |w|; nan where the exact contrast vanishes."""
    error_differing: float
    """|n| / |w|; nan where the exact contrast vanishes."""

    @property
    def signal_to_noise(self) -> float:
        """S/N; infinite without noise."""
        return self.signal / self.noise if self.noise else math.inf

    @property
    def lost_between(self) -> float:
        """Cosine that is lost to what differs between the phases, 0 to 2; nan where there is no contrast."""
        return max(0.0, self.cosine_common - self.cosine) if not math.isnan(self.cosine) else math.nan

    @property
    def lost(self) -> float:
        """1 - cosine, 0 to 2; nan where there is no contrast."""
        return 1.0 - self.cosine

    def as_dict(self) -> dict[str, float]:
        """Return plain values."""
        return asdict(self)


@dataclass(frozen=True)
class Probed:
    """What a probe found on an engine."""

    errors: dict[str, ContrastError]
    """By synapse."""
    stuck: float
    """Share of the outputs' error that passes no gradient on, see :func:`neuroep.gradients.health.stuck_error`."""
    below: dict[str, float]
    """Share of the change between the phases, of exact arithmetic, that lies below half a step of what digitises it:
    by ``"LAYER state"`` of the layers' own digitisers, by ``"SYNAPSE post"`` and ``"SYNAPSE pre"`` of the read-out."""

    @property
    def lost(self) -> float:
        """Mean over synapses of 1 - cosine, at most 1: the share of the wanted update that does not get through."""
        return lost({name: error.cosine for name, error in self.errors.items()})

    def as_dict(self) -> dict[str, object]:
        """Return plain values."""
        errors = {name: error.as_dict() for name, error in self.errors.items()}
        return {"errors": errors, "stuck": self.stuck, "below": self.below}


@dataclass(frozen=True)
class Probe:
    """How contrasts are probed: estimator and batches, the same for every engine that is compared."""

    estimator: Estimator
    batches: Sequence[Batch]
    """Keyed: the key of each is that of its draws."""
    yardstick: Estimator | None = None
    """What measures the exact contrasts, where it is another one: so that the bias of a larger nudge is an error."""
    age: float = 0.0
    """Devices are read so long after their last write [s]."""

    def measured(self, engine: Engine, nudge: float = 1.0) -> list[Gradient]:
        """Return the gradient of every batch with nudges so many times as large, scaled as if they were beta's own.

        Nudged phases take all their sweeps, and each measurement is of a twin of its own, so that two of them with the
        same keys have the same draws and begin at the same time on the chip's clock. The engine stays as it is.
        """
        engine = twin(engine, self.age)
        whole = self.estimator.nudged.whole()
        one = replace(self.estimator, beta=self.estimator.beta * nudge, nudged=whole)
        found = [one.gradient(engine, batch, step) for step, batch in enumerate(self.batches)]
        return [{name: nudge * value for name, value in gradient.items()} for gradient in found]

    def exact(self, engine: Engine, parameters: Mapping[str, np.ndarray] | None = None) -> Engine:
        """Return exact arithmetic with the weights as an engine's arrays conduct them, or with others."""
        weights = engine.conducting() if parameters is None else parameters
        return local(engine.network, weights, seed=engine.seed, dtype=engine.dtype)

    def wanted(self, engine: Engine, parameters: Mapping[str, np.ndarray] | None = None) -> list[Gradient]:
        """Return the gradient of every batch in exact arithmetic, with weights as of :meth:`exact`."""
        exact, estimator = self.exact(engine, parameters), self.yardstick or self.estimator
        return [estimator.gradient(exact, batch, step) for step, batch in enumerate(self.batches)]

    def cosines(self, engine: Engine) -> dict[str, float]:
        """Return by synapse the mean cosine of the contrast as it is with the exact one, nan where that vanishes."""
        return mean_cosines(engine, self.measured(engine), self.wanted(engine))

    def probed(self, engine: Engine) -> Probed:
        """Return what is wrong with the contrasts of an engine; two measurements of every batch, and an exact one."""
        engine = twin(engine, self.age)
        found, null, exact = self.measured(engine), self.measured(engine, NULL), self.exact(engine)
        taken = [self.estimator.measure(exact, batch, step) for step, batch in enumerate(self.batches)]
        wanted = [exact.gradient(each.contrasts) for each in taken]
        lists = _by_synapse(engine, found, null, wanted)
        return Probed(
            {name: _error(*values) for name, *values in lists},
            self._stuck(engine),
            _below(engine, [each.contrasts for each in taken]),
        )

    def _stuck(self, engine: Engine) -> float:
        """Return the mean over batches."""
        output, shares = engine.network.output, []
        for batch in self.batches:
            outputs = engine.outputs(engine.settle(batch, self.estimator.free))
            shares.append(stuck_error(output, outputs, batch.labels))
        return float(np.mean(shares))


def mean_cosines(engine: Engine, found: Sequence[Gradient], wanted: Sequence[Gradient]) -> dict[str, float]:
    """Return by synapse the mean cosine of gradients of the same batches, nan where the wanted ones vanish."""
    return {name: _cosine(g, w) for name, g, w in _by_synapse(engine, found, wanted)}


def lost(cosines: Mapping[str, float]) -> float:
    """Return the mean over synapses of 1 - cosine, each at most 1; 0 where nothing has a direction."""
    losses = [min(1.0, 1.0 - value) for value in cosines.values() if not math.isnan(value)]
    return float(np.mean(losses)) if losses else 0.0


def _below(engine: Engine, taken: Sequence[Mapping[str, Contrast]]) -> dict[str, float]:
    """Return shares of changes below half a step; see :attr:`Probed.below`. What is exact is left out."""
    found: dict[str, float] = {}
    substrate, parts = engine.substrate, engine.units | engine.cells
    for synapse in engine.network.synapses:
        sides = {"post": [np.asarray(each[synapse.name].post_change) for each in taken]}
        if isinstance(synapse, DenseSynapse):
            sides["pre"] = [np.asarray(each[synapse.name].pre.change) for each in taken]
            found |= _below_states(engine, parts, synapse, sides)
        for end, changes in sides.items():
            step = substrate.read_out_resolution(synapse.name, end)
            if step:
                found[f"{synapse.name} {end}"] = _small(changes, step)
    return found


def _below_states(
    engine: Engine, parts: Mapping[str, Part], synapse: DenseSynapse, sides: Mapping[str, Sequence[np.ndarray]]
) -> dict[str, float]:
    """Return the shares of the layers at both ends of a dense synapse, of their own digitisers."""
    found, place = {}, 0
    ends = [(synapse.post, slice(None), "post")]
    for name in synapse.pre:
        size = engine.network.layer(name).size
        ends.append((name, slice(place, place + size), "pre"))
        place += size
    for name, columns, end in ends:
        step = parts[name].resolution
        if step:
            found[f"{name} state"] = _small([change[:, columns] for change in sides[end]], step)
    return found


def _small(changes: Sequence[np.ndarray], step: float) -> float:
    """Return sum |c| over the |c| < step/2, over that of all."""
    sizes = np.abs(np.concatenate([change.ravel() for change in changes]).astype(np.float64))
    total = float(sizes.sum())
    return float(sizes[sizes < step / 2].sum()) / total if total else 0.0


def _by_synapse(engine: Engine, *lists: Sequence[Gradient]) -> list[tuple]:
    """Return (synapse, (batches, weights) of each list), float64."""
    rows = []
    for synapse in engine.network.synapses:
        name = f"{synapse.name}.weight"
        stacked = [np.array([np.ravel(g[name]) for g in gradients], dtype=np.float64) for gradients in lists]
        rows.append((synapse.name, *stacked))
    return rows


def _cosine(found: np.ndarray, wanted: np.ndarray) -> float:
    """Return the mean cosine over batches; nan where all exact ones vanish."""
    cosines = [cosine(one, exact) for one, exact in zip(found, wanted, strict=True)]
    there = [value for value in cosines if not math.isnan(value)]
    return float(np.mean(there)) if there else math.nan


def _error(found: np.ndarray, null: np.ndarray, wanted: np.ndarray) -> ContrastError:
    """Return the numbers of one synapse, from (batches, weights) of each."""
    common = found - null
    power = float(np.mean(np.sum(null**2, axis=1)))
    shared = [float(null[j] @ null[k]) for j, k in combinations(range(len(null)), 2)]
    offset = max(0.0, float(np.mean(shared))) if shared else 0.0
    offset = offset if offset > 0.5 * power else 0.0
    length = _length(wanted)
    relative = (lambda values: _length(values) / length) if length else (lambda _: math.nan)
    return ContrastError(
        signal=_length(common),
        offset=math.sqrt(offset),
        noise=math.sqrt(max(0.0, power - offset)),
        wanted=length,
        cosine=_cosine(found, wanted),
        cosine_common=_cosine(common, wanted),
        error_common=relative(common - wanted),
        error_differing=relative(null),
    )


def _length(rows: np.ndarray) -> float:
    """Return sqrt(mean |row|^2)."""
    return float(np.sqrt(np.mean(np.sum(rows**2, axis=1))))
