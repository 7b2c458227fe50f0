r"""How many sweeps the phases of a chip take, found once at a calibration: what ``stop = "calibrated"`` goes by.

**Why no tolerance.** A read draws noise and a converter has levels, so a state that is settled still moves. After k
sweeps it is :math:`s_k = s^* + e_k + n_k`, the settled state, what is still missing, and noise. Where a sweep shrinks
what is missing to the share :math:`\rho` and adds white noise of variance :math:`\nu^2` (read noise times the slope of
the neuron, and :math:`q^2/12` of a converter with steps q that noise carries over them),

.. math:: \langle |s_{k+1} - s_k|^2 \rangle = \frac{2 \nu^2}{1 + \rho} + (1 - \rho)^2 |e_k|^2, \qquad
          \sigma^2 = \langle n_k^2 \rangle = \frac{\nu^2}{1 - \rho^2}

per entry: changes never fall below the first term, a tolerance below it is never met, and a phase takes all its steps
for nothing. A rule that looks at the changes of each batch would need the sweep behind the last useful one to see it,
and would end phases when noise happens to be small.

**What is measured instead.** Calibration samples settle twice with draws of their own, a and b, for all steps. With
:math:`\bar s` the mean over the last sweeps, a quarter of them or half of the nudged ones, noise is not in the product
of the two, what is missing is:

.. math:: B_k^2 = \langle (s^a_k - \bar s^a)(s^b_k - \bar s^b) \rangle \to \langle e_k^2 \rangle, \qquad
          R_k = \frac{\langle d^a_k \bar d^b \rangle + \langle d^b_k \bar d^a \rangle}
                     {2 \langle \bar d^a \bar d^b \rangle}

over samples and neurons of a layer, d the difference of the two nudged states that a contrast is made of, R the share
of its displacement that has been reached. Then a phase takes the first number of sweeps after which

- free: :math:`B_k^2 - B_{end}^2 \le \sigma^2/10 + q^2/12 + \text{tolerance}^2 + 3\,\mathrm{se}(B^2)` in every layer, q
  the coarsest level of the converters and B_end the mean over the last quarter, which a cycle over levels leaves: the
  unsettled part of a state that is read out is small beside its noise.
- nudged: :math:`|1 - R_k| \le \max(\text{nudged tolerance}, 3\,\mathrm{se}(R))` in every layer, and never before the
  nudge has reached every layer. Noise of a displacement averages out over the samples from which weights learn, what is
  missing of it does not: so the bound is one on the mean. Where noise hides whether a layer has come within the
  tolerance, a nudge is given at least the sweeps of the free phase, whose errors die out by the same Jacobian.

Standard errors are those of sums over samples, of the noise that the last sweeps show.

A free state that is itself one end of a contrast, that of a single nudge, takes the sweeps of both: what it has not
settled would go on settling in the other end alone.

**What a chip needs for it.** The codes that its converters show in the sweeps of a calibration, and a counter of sweeps
afterwards. All samples, and the two ends of every contrast, take the same number: no result hangs on how samples are
cut into batches, nor on noise (a number that went by the noise of a phase would pick states by it).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np

from neuroep.data.batch import Batch
from neuroep.engines.clamped import Clamped
from neuroep.engines.schedule import CALIBRATED, Schedule
from neuroep.engines.shortfall import Course, Missing, Reached
from neuroep.engines.state import State, Values
from neuroep.learning.contrast import Number
from neuroep.network import Network

NEURONS = 256
"""Most neurons of a layer that are looked at, at even distances."""


@dataclass(frozen=True)
class PhaseLengths:
    """Sweeps of the phases."""

    free: int
    nudged: int
    free_met: bool
    """Whether the phase settles within its steps."""
    nudged_met: bool
    SHAPE: ClassVar[tuple[int, ...]] = (4,)
    """Of :meth:`packed`."""

    def packed(self) -> np.ndarray:
        """Return it for a checkpoint."""
        return np.array([self.free, self.nudged, self.free_met, self.nudged_met], dtype=np.int64)

    @classmethod
    def unpacked(cls, values: np.ndarray) -> PhaseLengths:
        """Return what :meth:`packed` made."""
        free, nudged, *met = np.asarray(values).tolist()
        return cls(int(free), int(nudged), *map(bool, met))

    def met(self, phase: str) -> bool:
        """Tell whether a phase, ``free`` or ``nudged``, settles within its steps."""
        return self.free_met if phase == "free" else self.nudged_met

    def resolved(self, schedule: Schedule, phase: str) -> Schedule:
        """Return the schedule of a phase with the number of its sweeps, at most its own."""
        return schedule.whole(min(schedule.steps, self.free if phase == "free" else self.nudged), CALIBRATED)


class SweptPhase(Protocol):
    """One phase of a batch, sweep by sweep."""

    @property
    def state(self) -> State: ...

    @property
    def ended(self) -> bool: ...

    def sweep(self) -> State: ...


class Sweeping(Protocol):
    """What finding lengths asks of an engine."""

    network: Network
    averages: int
    level: float

    def clamp(self, batch: Batch) -> Clamped: ...

    def sweeps(
        self,
        batch: Clamped,
        schedule: Schedule,
        beta: float = 0.0,
        start: State | None = None,
        number: Number | None = None,
    ) -> SweptPhase: ...

    def computing(self) -> AbstractContextManager[None]: ...

    def to_numpy(self, array: Values) -> np.ndarray: ...


class Contrasting(Protocol):
    """What finding lengths asks of an estimator."""

    @property
    def free(self) -> Schedule: ...

    @property
    def nudged(self) -> Schedule: ...

    @property
    def nudges(self) -> tuple[float, float]:
        """The two nudges of its widest contrast, 0 for the free state."""
        ...


def found(
    engine: Sweeping, batches: Iterable[Batch], estimator: Contrasting, occasion: Sequence[str | int] = ()
) -> PhaseLengths:
    """Return how many sweeps phases take, from samples that settle twice for all steps of their schedules.

    Parameters
    ----------
    engine : Sweeping
        On a chip.
    batches : iterable of Batch
        Calibration samples.
    estimator : Contrasting
        Whose phases they are.
    occasion : sequence of str or int
        Keys the draws.
    """
    free, nudged = Missing(engine.level), Reached()
    for number, batch in enumerate(batches):
        both = [_courses(engine, batch.keyed("phase lengths", *occasion, number, copy), estimator) for copy in "ab"]
        free.add(*(course for course, _ in both))
        nudged.add(*(course for _, course in both))
    first, first_met = free.length(estimator.free)
    arrivals = estimator.nudged.arrivals(engine.network)
    last, last_met = nudged.length(estimator.nudged, max(arrivals.values(), default=1), first)
    if 0 in estimator.nudges:
        first = min(first + last, estimator.free.steps)
    return PhaseLengths(first, last, first_met, last_met)


def _courses(engine: Sweeping, batch: Batch, estimator: Contrasting) -> tuple[Course, Course]:
    """Return the states of a free phase sweep by sweep, and the differences of two nudged phases from its end."""
    with engine.computing():
        clamped = engine.clamp(batch)
        phase = engine.sweeps(clamped, estimator.free.whole())
        free = _course(engine, phase)
        ends = []
        for number, beta in enumerate(estimator.nudges, start=1):
            one = engine.sweeps(clamped, estimator.nudged.whole(), beta, phase.state, number) if beta else None
            ends.append([free[-1]] * estimator.nudged.steps if one is None else _course(engine, one))
    plus, minus = ends
    moved = [{name: a[name] - b[name] for name in a} for a, b in zip(plus, minus, strict=True)]
    return free, moved


def _course(engine: Sweeping, phase: SweptPhase) -> Course:
    """Take all sweeps of a phase and return what it would read out after each of them."""
    recent: deque[dict[str, np.ndarray]] = deque(maxlen=engine.averages)
    found: Course = []
    while not phase.ended:
        values = phase.sweep().values
        recent.append({name: _seen(engine.to_numpy(value)) for name, value in values.items()})
        found.append({name: np.mean([each[name] for each in recent], axis=0) for name in recent[-1]})
    return found


def _seen(values: np.ndarray) -> np.ndarray:
    """Return the neurons of a layer that are looked at, (samples, neurons), a copy."""
    size = values.shape[1]
    chosen = np.arange(size) if size <= NEURONS else np.linspace(0, size - 1, NEURONS).round().astype(np.int64)
    return values[:, chosen].astype(np.float64)
