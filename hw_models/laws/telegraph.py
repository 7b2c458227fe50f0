# Tested by tests/hw_models/arrays/test_traps.py.
"""Random telegraph noise: a trap beside the filament captures and emits a charge, and the device has two conductances.

With the mean times tau_c to capture and tau_e to emit, p the share of time that the trap is filled,

    amplitude       dG = A exp(s z) g (g/g_max)^-e           at most g; A, s, e of the device, z standard normal
    occupancy       p = tau_e/(tau_c + tau_e)
    states          g + p dG while empty, g - (1 - p) dG while filled: the mean of both is what was programmed
    relaxation      1/tau = 1/tau_c + 1/tau_e; P(filled at t) = p + (P(filled at 0) - p) exp(-t/tau)
    spectrum        S(f) = 4 dG^2 p (1 - p) tau/(1 + (2 pi f tau)^2)     one-sided, Lorentzian, of integral dG^2 p (1-p)

Both times of a device are its medians times 10^(D (u - 1/2)), u uniform: log-uniform over D decades, with which the sum
of many traps is 1/f.

Sources: Machlup, J. Appl. Phys. 25:341, 1954 (spectrum); Kirton and Uren, Adv. Phys. 38:367, 1989 (times over decades);
Ielmini, Nardi and Cagli, Appl. Phys. Lett. 96:053503, 2010 (relative amplitude grows with resistance, in resistive
memory); Ambrogio et al., IEEE Trans. Electron Devices 61:2920, 2014 (spread of amplitudes).
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from hw_models.laws.curves import Array, single
from hw_models.laws.law import Law


class Trapped(Protocol):
    """What the law asks of a device."""

    @property
    def g_max(self) -> float: ...

    @property
    def rtn_amplitude(self) -> float: ...

    @property
    def rtn_exponent(self) -> float: ...

    @property
    def rtn_amplitude_spread(self) -> float: ...

    @property
    def rtn_capture(self) -> float: ...

    @property
    def rtn_emission(self) -> float: ...

    @property
    def rtn_decades(self) -> float: ...


class TelegraphNoise(Law):
    """A trap switches a device between two conductances. A share of the devices has a trap."""

    equation = "g + p dG or g - (1 - p) dG, dG = A exp(s z) g (g/g_max)^-e, p = tau_e/(tau_c + tau_e)"
    source = (
        "Machlup, J. Appl. Phys. 25:341, 1954; Kirton and Uren, Adv. Phys. 38:367, 1989; "
        "Ielmini et al., Appl. Phys. Lett. 96:053503, 2010"
    )

    def amplitude(self, g: Array, z: Array, device: Trapped) -> Array:
        """Return dG [uS] of traps with normals z in devices that conduct g [uS], at most all of that."""
        share = np.maximum(single(g) / np.float32(device.g_max), np.float32(1e-6))
        with np.errstate(over="ignore", invalid="ignore"):  # what is beyond any number is beyond g
            wide = device.rtn_amplitude * np.exp(device.rtn_amplitude_spread * single(z))
            relative = wide * share**-device.rtn_exponent
        return single(np.fmin(relative, 1.0) * single(g))

    def filled(self, device: Trapped) -> float:
        """Return p."""
        return device.rtn_emission / (device.rtn_capture + device.rtn_emission)

    def tau(self, u: Array, device: Trapped) -> Array:
        """Return the relaxation times [s] of traps with uniforms u."""
        middle = device.rtn_capture * device.rtn_emission / (device.rtn_capture + device.rtn_emission)
        return np.asarray(middle * 10 ** (device.rtn_decades * (np.asarray(u, dtype=np.float64) - 0.5)))

    def spectrum(self, f: Array, amplitude: Array, tau: Array, device: Trapped) -> Array:
        """Return the one-sided spectral density [uS^2/Hz] at frequencies [Hz] of the sum of some traps."""
        p = self.filled(device)
        each = 4 * amplitude**2 * p * (1 - p) * tau / (1 + (2 * np.pi * np.asarray(f)[:, None] * tau) ** 2)
        return np.asarray(each.sum(1))


TELEGRAPH = TelegraphNoise()
"""The law."""
