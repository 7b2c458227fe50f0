"""How the error of a write grows with time; conductances in uS, float32 in and out.

    relaxed        g_r = max(0, g_p + sqrt(f (s_T(v)^2 - s(v)^2)) z),  s the fresh and s_T the whole noise,
                   f = ln(t/t1)/ln(t2/t1) within [0, 1] for the ages t1, t2 of relaxation_times; g_p without them
"""

from __future__ import annotations

import math
from typing import Protocol

import numpy as np

from hw_models.laws.curves import Array, Seconds, single
from hw_models.laws.law import Law
from hw_models.laws.programming import WRITE, Programmed


class Relaxing(Programmed, Protocol):
    """What the law asks of a device."""

    @property
    def relaxation_times(self) -> tuple[float, float]: ...

    @property
    def age(self) -> float: ...


class LogarithmicRelaxation(Law):
    """The variance of the error grows with the logarithm of time, from that right after a write to its final one."""

    equation = "g_r = max(0, g_p + sqrt(f (s_T(v)^2 - s(v)^2)) z), f = ln(t/t1)/ln(t2/t1)"
    unit = "uS"
    source = "Wan et al., Nature 608, 504, 2022"

    def relaxed(self, g: Array, g_target: Array, z: Array, device: Relaxing, t: Seconds | None = None) -> Array:
        """Return what has become of programmed conductances g [uS] at t seconds after the last write, drift left out.

        The law is a fit's two times with the logarithm between them, as conductances of resistive memory relax (Wan et
        al., Nature 608, 504, 2022: spread after 1 s, a day and two days).
        """
        time, (start, end) = device.age if t is None else t, device.relaxation_times
        share = single(np.log(np.clip(time, start, end) / start) / math.log(end / start))
        v = single(g_target) / device.g_max
        terms = device.programming_noise, device.programming_noise_fresh
        whole, fresh = (WRITE.fitted(v, each, device) for each in terms)
        return np.maximum(single(g) + np.sqrt(np.maximum(whole**2 - fresh**2, 0) * share) * single(z), 0)


RELAXATION = LogarithmicRelaxation()
"""The law."""
