# Tested by tests/hw_models/arrays/test_stepping.py.
"""Which devices may be moved by expected steps as far as their noise and grain go, and when exact trains cost less.

**Few pulses.** The noise of a step is one Gaussian (:mod:`hw_models.arrays.expected`), so a device needs n pulses of a
batch:

write noise        whoever gets a pulse is read anew, so it must be sure that there is one. Trains give a device none
                   with P(0) = prod over trains of C(BL - a, b)/C(BL, b) <= e^-n, n = sum of a b/BL: n >= 16, wrong
                   once in 10^7 devices
log-normal noise   of n steps of 1 + noise xi the skewness is noise (noise^2 + 3)/sqrt(n): n >= 4 noise^2
                   (noise^2 + 3)^2, a skewness of 1/2 and less

Those that get fewer, but not none, play their trains beside the others. Log-normal steps of devices (``dw_min_law``)
ask for nothing: each device has its step, whatever law it was drawn from.

**All of them** play, which is exact and costs less, where most would: where a batch gives a device fewer than four
times as many pulses on average, and where a single pulse of most devices forgets more than a step can describe, which
are devices of a few tens of states. It is decided from the response and the signals alone, so that both devices of a
pair decide alike.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hw_models.arrays.played import PlayedDevices
from hw_models.arrays.population import Population
from hw_models.arrays.trains import Rows
from hw_models.chip import Pulse

CERTAIN = 16.0
"""Mean pulses of a batch from which it counts as certain that a device gets one."""
SKEWNESS = 0.5
"""Of the sum of pulses, up to which a Gaussian stands for it."""
AMPLE = 4.0
"""Times the fewest pulses that a batch is to give on average: of uneven signals many get far fewer, and a device that
plays beside others costs more than where all of them do."""
SAMPLED = 1024
"""Devices drawn to see how many are coarse."""
MOST = 0.5
"""Share of coarse devices from which all play."""


def fewest(pulse: Pulse, tells: bool) -> float:
    """Return the pulses of a batch from which a device may be stepped, 0 where any number will do.

    ``tells``: whether it matters who got a pulse, as it does with write noise.
    """
    found = CERTAIN if tells else 0.0
    if pulse.noise_law == "log_normal":
        found = max(found, (pulse.noise * (pulse.noise**2 + 3) / SKEWNESS) ** 2)
    return found


def mostly_coarse(pulsed: PlayedDevices) -> bool:
    """Return whether one pulse of most such devices forgets more than a step describes, in the middle of its range.

    Of devices that are drawn for this.
    """
    shape, real = (1, SAMPLED), pulsed.dtype
    own, _ = Population(pulsed.pulse, shape, (0, "stepping"), real).drawn()
    planes, exponents, near = np.zeros((2, *shape), real), np.empty(shape, real), np.empty(shape, np.bool_)
    middle = np.array(np.broadcast_to((own.high + own.low) / 2, shape))
    given = (tuple(planes), middle, own, pulsed.law, (pulsed.noise, real.type(0), False), exponents, near)
    _, coarse = pulsed.kernels.assess(0, 1, 0, SAMPLED, *given)
    return bool(coarse > MOST * SAMPLED)


def mean_pulses(rows: Sequence[Rows]) -> float:
    """Return the mean number of pulses that a device gets of all trains, an average over the devices."""
    found = 0.0
    for term in rows:
        sides = ((term.post, term.factor_post), (term.pre, term.factor_pre))
        post, pre = (np.minimum(np.abs(side) * factor[:, None], 1).mean(axis=1) for side, factor in sides)
        found += float(np.sum(post * pre * term.length, dtype=np.float64))
    return found
