# Tested by tests/hw_models/laws/test_heat.py.
"""What temperature does where the physics is known: thermal noise of reads, and the onset of drift.

    thermal noise   variance of a current 4 k T G B whatever drives it, with the bandwidth B = 1/(2 t_int) of an
                    integration over t_int; over V^2 as a share of the current at the read voltage V, the full scale
                    of signals: :mod:`hw_models.arrays.line_heat`
                    In continuous time a step of the simulation averages over its seconds, B = 1/(2 dt)
    drift           t0(T) = t0 exp(E/k (1/T - 1/T0)), with the activation E and the temperature T0 of the fit

Sources: Nyquist, Phys. Rev. 32:110, 1928. Le Gallo, Krebs, Zipoli, Salinga and Sebastian, "Collective structural
relaxation in phase-change memory devices", Adv. Electron. Mater. 4:1700627, 2018: drift begins at an onset time that is
thermally activated, and goes with the logarithm of time over it.
"""

from __future__ import annotations

import math
from typing import NamedTuple

BOLTZMANN = 1.380649e-23
"""k [J/K]."""
ELECTRON = 1.602176634e-19
"""Charge [C]: J in an eV."""
MICRO = 1e-6
"""S in a uS."""


class Heat(NamedTuple):
    """What devices have of a temperature."""

    noise: float = 0.0
    """4 k T B/V^2 [uS]: variance of the current of a conductance, over it and the square of the read voltage."""
    hurry: float = 1.0
    """Speed of drift over that at the temperature of its fit: t0/t0(T)."""
    integration: float = 0.0
    """t_int of that bandwidth [s]."""

    def louder(self, span: float) -> float:
        """Return what noise is that is averaged over a time step of continuous time [s] in place of t_int; 1 for 0."""
        return math.sqrt(self.integration / span) if span else 1.0


def thermal_noise(temperature: float, integration: float, voltage: float) -> float:
    """Return 4 k T B/V^2 [uS] of an integration [s]: variance of a current over G and V^2, V the read voltage [V].

    It is infinite where time and voltage are too small for a number.
    """
    square = 2 * integration * voltage**2 * MICRO
    return 4 * BOLTZMANN * temperature / square if square else math.inf


def hurry(temperature: float, activation: float, fitted: float) -> float:
    """Return t0(fitted)/t0(temperature) of an activation [eV], within e^700 either way; temperatures in K."""
    power = activation * ELECTRON / BOLTZMANN * (1 / fitted - 1 / temperature)
    return math.exp(max(-700.0, min(power, 700.0)))
