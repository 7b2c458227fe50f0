r"""Arrays that cannot learn: devices that forget a change before the noise of the pulses for it has averaged out.

An array gives N pulses per device and update for a net change of n, kappa = N/n. A pulse strays by sigma of a step,
and pulses that cancel in the mean do not in their number, so that an update has a signal-to-noise of
n/sqrt(N (1 + sigma^2)). A device whose steps depend on its state forgets in T = 1/(N leak dw) updates: what it holds is
a change of n T, with a variance of N (1 + sigma^2) T/2. With the pulses that it averages over

    held = 2 N T = 2/(leak dw),      needs = kappa^2 (1 + sigma^2),      signal-to-noise^2 = held/needs

whatever the rate: below 1 the array holds noise, however long it learns. Nothing of this is said of an array that is
read before it forgets (the fast one of two), of devices that do not forget, and where it is not known.

The bound is ours; leak and symmetry point: :mod:`neuroep.engines.chip.rules.scaling`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from neuroep.runs import cures
from neuroep.runs.config import Config
from neuroep.runs.cures import Cure

NAME = "arrays that cannot learn"
Coherence = Mapping[str, Mapping[str, float | None]]
"""By array what :meth:`neuroep.engines.engine.Engine.coherence` returns, or a record has of it: null is endless."""


class Forgetful(NamedTuple):
    """An array that cannot learn."""

    name: str
    kappa: float
    pulses: float
    """Per device and update."""
    forgets: float
    """In so many updates."""
    needs: float
    """Pulses for a signal-to-noise of one."""

    @property
    def held(self) -> float:
        """Pulses over which the state of a device is a mean."""
        return 2 * self.pulses * self.forgets

    @property
    def cost(self) -> float:
        """Share of the update that noise takes the place of."""
        return 1 - self.held / self.needs

    def told(self) -> str:
        """Return what is wrong with it."""
        updates = f"{self.forgets:.2g}" if self.forgets < 100 else f"{self.forgets:,.0f}"
        given = f"{self.name} gets {self.pulses:,.1f} pulses for a net change of {self.pulses / self.kappa:.2g}"
        given += f" and forgets in {updates} updates"
        return f"{given}: it averages over {self.held:,.0f} pulses and needs {self.needs:,.0f}"


def of(coherence: Coherence) -> Iterator[Forgetful]:
    """Yield the arrays that cannot learn."""
    for name, found in coherence.items():
        kappa, pulses, forgets, needs = (found.get(key) for key in ("kappa", "pulses", "forgets", "needs"))
        if not (kappa and pulses and forgets and needs) or found.get("passes_on"):
            continue
        array = Forgetful(name, kappa, pulses, forgets, needs)
        if array.held < array.needs:
            yield array


def wanted(config: Config) -> tuple[Cure, ...]:
    """Return what may help."""
    chip = config.chip
    if chip is None:
        return ()
    update = chip.update
    if not (update.contrasts or update.counts):
        why = "the phases are subtracted before they pulse; net_counts does so without holding one of them"
        return (cures.to("chip.update.signals", "contrast", why),)
    why = "a fast array is read before it forgets, and its own symmetry point is subtracted"
    return (cures.to("chip.update.scheme", "agad", why),)
