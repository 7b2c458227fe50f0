r"""GDU curves: EP's updates beside BPTT's gradients, step by step (the paper's figure).

EP nudges the free fixed point for K synchronous steps; BPTT unrolls K more free steps. Piece k of the one and of the
other coincide as beta goes to 0 (Ernoult et al., NeurIPS 2019; Bal and Sengupta, IJCAI 2023).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from hw_models.reading import Page
from neuroep.data.batch import Batch
from neuroep.engines.clamped import Clamped
from neuroep.engines.engine import Engine
from neuroep.gradients.angles import cosine
from neuroep.gradients.estimators import Estimator
from neuroep.gradients.yardsticks import unrolled
from neuroep.network import Network

SHOWN = 3
"""Weights shown of each synapse."""
QUIET = 1e-6
"""A step whose BPTT gradient is smaller than this share of the parameter's largest is not compared: it is rounding."""


@dataclass(frozen=True)
class Curve:
    """Updates of one synapse over the steps."""

    places: tuple[tuple[int, int], ...]
    """(post, pre) of the weights shown."""
    ep: np.ndarray
    """(steps, shown), -dL/dw by EP."""
    bptt: np.ndarray
    """(steps, shown), -dL/dw by BPTT."""
    cosine: np.ndarray
    """(steps,) of the whole weight's two updates; nan where BPTT's is rounding."""
    error: np.ndarray
    """(steps,) ||ep - bptt|| of the whole weight over the largest ||bptt|| of a step; nan if BPTT's vanish."""
    total_cosine: float
    """Cosine of the two curves of all weights over all steps."""
    total_error: float
    """Relative error of EP's curves of all weights over all steps; nan if BPTT's vanish."""


@dataclass(frozen=True)
class GDU:
    """Curves of all synapses by name."""

    estimator: str
    beta: float
    curves: Mapping[str, Curve]

    @property
    def steps(self) -> int:
        """Number of steps K."""
        return len(next(iter(self.curves.values())).ep)

    def as_dict(self) -> Page:
        """Return plain values."""
        curves = {
            name: {
                "places": [list(place) for place in curve.places],
                **{part: getattr(curve, part).tolist() for part in ("ep", "bptt", "cosine", "error")},
                "total_cosine": curve.total_cosine,
                "total_error": curve.total_error,
            }
            for name, curve in self.curves.items()
        }
        return {"estimator": self.estimator, "beta": self.beta, "curves": curves}


@dataclass
class _Recorder:
    """Keeps of each step what a curve shows; the gradients themselves are let go."""

    places: tuple[tuple[int, int], ...]
    ep: list[np.ndarray] = field(default_factory=list)
    bptt: list[np.ndarray] = field(default_factory=list)
    sums: list[tuple[float, float, float, float]] = field(default_factory=list)
    """Per step ||ep||, ||bptt||, ||ep - bptt||, cosine."""

    def add(self, ep: np.ndarray, bptt: np.ndarray) -> None:
        index = tuple(np.array(self.places).T)
        self.ep.append(-ep[index])
        self.bptt.append(-bptt[index])
        ours, exact, missed = (float(np.linalg.norm(gradient)) for gradient in (ep, bptt, ep - bptt))
        self.sums.append((ours, exact, missed, cosine(ep, bptt)))

    def curve(self) -> Curve:
        ours, exact, missed, angle = np.array(self.sums).T
        shown = np.array(self.ep), np.array(self.bptt)
        if not exact.any():
            nothing = np.full(len(exact), np.nan)
            return Curve(self.places, *shown, nothing, nothing, float("nan"), float("nan"))
        whole, wanted = np.linalg.norm(ours), np.linalg.norm(exact)
        total_cosine = float(ours * exact @ np.nan_to_num(angle) / (whole * wanted)) if whole else 0.0
        loud = exact > QUIET * exact.max()
        steps = np.where(loud, angle, np.nan), missed / exact.max()
        return Curve(self.places, *shown, *steps, total_cosine, float(np.linalg.norm(missed) / wanted))


def measure(
    engine: Engine, batch: Batch | Clamped, estimator: Estimator, total: Mapping[str, np.ndarray], shown: int = SHOWN
) -> GDU:
    """Follow EP and BPTT step by step.

    Parameters
    ----------
    engine : Engine
        Of torch parts, in float64.
    batch : Batch or Clamped
        A few samples.
    estimator : Estimator
        Whose free phase converges; the steps of its nudged phase are the steps followed, without tolerance.
    total : mapping of str to numpy.ndarray
        Whole gradient by parameter name, from which the weights shown are chosen.
    shown : int
        Weights shown of each synapse, at most.
    """
    clamped = engine.clamp(batch)
    free = engine.settle(clamped, estimator.free)
    recorders = _recorders(engine.network, total, shown)
    ep = estimator.pieces(engine, clamped, free, step=0)
    bptt = unrolled(engine, clamped, free.state, estimator.nudged)
    for ours, exact in zip(ep, bptt, strict=True):
        for name, recorder in recorders.items():
            recorder.add(ours[f"{name}.weight"], exact[f"{name}.weight"])
    return GDU(estimator.name, estimator.beta, {name: recorder.curve() for name, recorder in recorders.items()})


def _recorders(network: Network, total: Mapping[str, np.ndarray], shown: int) -> dict[str, _Recorder]:
    return {synapse.name: _Recorder(strongest(total[f"{synapse.name}.weight"], shown)) for synapse in network.synapses}


def strongest(gradient: np.ndarray, count: int) -> tuple[tuple[int, int], ...]:
    """Return the places of the largest entries of a matrix, each in a row of its own."""
    size = np.abs(gradient)
    columns = size.argmax(axis=1)
    peaks = size[np.arange(len(size)), columns]
    rows = np.argsort(-peaks, kind="stable")[:count]
    return tuple((int(row), int(columns[row])) for row in rows)
