# Tested by tests/neuroep/engines/test_nudged_stopping.py and tests/neuroep/runs/test_advice.py.
r"""When a phase stops: what :meth:`neuroep.engines.settling.Settling.sweep` decides by.

With :math:`\Delta` the change of the last sweep, all samples:

- free: :math:`\max_l \|\Delta_l\| / dt \le` tolerance, in units of the states.
- nudged: :math:`\max_l \|\Delta_l\| / (dt\, \|d_l\|) \le` tolerance, relative to the displacement
  :math:`d_l = s_l - s_l^{free}` of the same layer, and never before the nudge has had the sweeps to reach every layer.
  What EP reads is that displacement, and it falls by orders of magnitude from the output to the attention layers: in
  units of the states a phase would stop while the layers in front still stand at the free state.

The norm is the largest entry. A change of a few units in the last place of the layer's largest state is rounding and
counts as none: the layers behind, whose displacements are larger, then decide. A layer that has not moved at all (its
outputs are clipped to a bound, or no synapse leads there) is at rest; noise that moves the states in every sweep keeps
a phase going until its steps are used up.

**Levels.** With converters, what one sweep makes of another's states has finitely many values: it ends in a fixed point
or in a cycle, whose changes are those of a few levels and no longer fall. No tolerance below them is ever met.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import pairwise
from statistics import median

import numpy as np

from neuroep.errors import DivergenceError

LEVELS = 8
"""Steps of the coarsest converter up to which a cycle is one of levels: several arrays and tiles drive one neuron."""
ROUNDING = 8
"""Units in the last place of a layer's largest state up to which a change is rounding: that of sums over all tokens."""


def finite(changes: Mapping[str, float], step: int) -> Mapping[str, float]:
    """Return the largest change of every layer that moved.

    Raises
    ------
    DivergenceError
        If one is not finite.
    """
    for name, value in changes.items():
        if not math.isfinite(value):
            raise DivergenceError(name, step)
    return changes


def relative(
    changes: Mapping[str, float], displaced: Mapping[str, tuple[float, float]], dt: float, epsilon: float
) -> float:
    """Return the largest ratio of a layer's change over dt to its displacement.

    Parameters as of :func:`shares`, the changes those of all samples.
    """
    return float(shares({name: np.asarray(changes[name]) for name in displaced}, displaced, dt, epsilon))


def shares(
    changes: Mapping[str, np.ndarray], displaced: Mapping[str, tuple[float, float]], dt: float, epsilon: float
) -> np.ndarray:
    """Return by sample the largest ratio of a layer's change over dt to the displacement of that layer.

    Parameters
    ----------
    changes : mapping of str to numpy.ndarray
        max|delta s| of the last sweep by layer, (samples,) or of all.
    displaced : mapping of str to (float, float)
        max|s - s_free| and max|s| of the layers to judge by.
    dt : float
        Time step.
    epsilon : float
        Unit in the last place of 1.
    """
    rounding = max(1.0, ROUNDING * dt) * epsilon
    worst = np.zeros(())
    for name, (displacement, size) in displaced.items():
        ratio = changes[name] / (dt * displacement) if displacement > 0 else np.asarray(math.inf)
        worst = np.maximum(worst, np.where(changes[name] > rounding * size, ratio, 0.0))
    return worst


def cycles(changes: list[float], most: float) -> bool:
    """Tell changes that are small and no longer fall, as those of a cycle, from those that die out.

    What dies out falls in nearly every sweep. Over the later half a cycle does not fall in at least a quarter of them,
    and its median is not much below the least of the earlier half.
    """
    half = len(changes) // 2
    early, late = changes[:half], changes[half:]
    if not early or len(late) < 2 or late[-1] > most:
        return False
    stays = sum(after >= before * (1 - 1e-6) for before, after in pairwise(late))
    return 4 * stays >= len(late) - 1 and median(late) >= 0.5 * min(early)
