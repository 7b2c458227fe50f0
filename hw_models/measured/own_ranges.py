"""An exponential by ranges of the devices' own, beside one range for all.

States of an exponential are shares of a device's range. Where curves do not come to a bound this is taken from g_min to
g_max for all. Devices that lie on both sides of such an end have ends of their own, which curves do not tell: gamma and
A then hang on what is taken for them. So each device is fitted once more with a range that begins at its own farthest
reading, and an interval is the union of both.
"""

from __future__ import annotations

from dataclasses import replace

from hw_models.measured import laws
from hw_models.measured.laws import FittedResponse
from hw_models.measured.population import Estimate


def with_own_ends(fitted: FittedResponse) -> FittedResponse | None:
    """Return an exponential by the devices' own ends of the range; None where one range for all may be theirs."""
    data = fitted.data
    low = bool(data.low.min() < data.edges[0] < data.low.max())
    high = bool(data.high.min() < data.edges[1] < data.high.max())
    reached = (data.reached[0] or low, data.reached[1] or high)
    if data.one_sided or reached == data.reached:
        return None
    names = [one.name for one in fitted.best.problem.shared]
    shared = fitted.best.shared.copy()
    for way, ratio in fitted.tied.items():
        shared[names.index(f"slope_{way}")] = ratio * shared[names.index(f"gamma_{way}")]
    start = replace(fitted, best=replace(fitted.best, shared=shared), tied={})
    return laws.fit(replace(data, reached=reached), fitted.response, None, start)


def either(one: Estimate, other: Estimate) -> Estimate:
    """Return an estimate with the interval of another beside its own."""
    return replace(one, low=min(one.low, other.low), high=max(one.high, other.high), told=one.told and other.told)
