"""How a conductance falls with the time since its last write; conductances in uS, float32 in and out.

    drift          nu = |mean(v) + spread(v) z|,  g_d = g_p (1 + t/t0)^-nu             v of the target, t since
                                                                                       the device's last write
"""

from __future__ import annotations

import math
from typing import Protocol

import numpy as np

from hw_models.laws.curves import Array, Seconds, clipped_log, single
from hw_models.laws.law import Law


class Drifting(Protocol):
    """What the law asks of a device."""

    @property
    def g_max(self) -> float: ...

    @property
    def drift_mean(self) -> tuple[float, float, float, float]: ...

    @property
    def drift_spread(self) -> tuple[float, float, float, float]: ...

    @property
    def drift_mean_above(self) -> tuple[float, ...]: ...

    @property
    def drift_spread_above(self) -> tuple[float, ...]: ...

    @property
    def drift_start(self) -> float: ...

    @property
    def age(self) -> float: ...


class PowerLawDrift(Law):
    """The conductance falls as a power of time. The exponent depends on the conductance and varies between devices."""

    equation = "g_d = g_p (1 + t/t0)^-nu, nu = |mean(v) + spread(v) z|"
    source = "Nandakumar et al., ICECS 2019; Joshi et al., Nat. Commun. 11:2473, 2020 (phase-change memory)"

    def exponent(self, g_target: Array, z: Array, device: Drifting) -> Array:
        """Return nu = |mean + spread z| of devices programmed to targets [uS]."""
        v = np.abs(single(g_target)) / device.g_max
        spread = clipped_log(v, device.drift_spread, device.drift_spread_above)
        return np.abs(clipped_log(v, device.drift_mean, device.drift_mean_above) + spread * single(z))

    def drifted(self, g: Array, nu: Array, device: Drifting, t: Seconds | None = None) -> Array:
        """Return g (1 + t/t0)^-nu [uS] at t seconds after the last write, by default the age; t may be an array.

        A write, be it programming or a pulse that moves the weight, starts drift anew whatever went before (Boybat et
        al., "Impact of conductance drift on multi-PCM synaptic architectures", NVMTS 2018): g is what the write left.
        """
        time = device.age if t is None else t
        if isinstance(time, np.ndarray):
            return single(g) * np.exp(single(nu) * single(-np.log1p(time / device.drift_start)))
        return single(g) * np.exp(single(nu) * -math.log1p(time / device.drift_start)) if time > 0 else single(g)


DRIFT = PowerLawDrift()
"""The law."""
