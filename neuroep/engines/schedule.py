# Tested by tests/neuroep/engines/test_settling.py.
"""Schedules: in which order the layers of a phase move, by how much, and when it stops."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from numbers import Integral, Real

from hw_models.text import shown
from neuroep.errors import ConfigError, unknown
from neuroep.network import Network

ORDERS = ("layerwise", "synchronous")
FORMS = ("states", "differences")
ACCELERATIONS = ("none", "anderson")
TOLERANCE, BY_SAMPLE, CALIBRATED = "tolerance", "by_sample", "calibrated"
STOPS = (TOLERANCE, BY_SAMPLE, CALIBRATED)


def _is_whole(value: object) -> bool:
    """Tell a whole number from 1, of any such type, from all else."""
    return not isinstance(value, bool) and isinstance(value, Integral) and int(value) >= 1


def _is_number(value: object) -> bool:
    return not isinstance(value, bool) and isinstance(value, Real)


@dataclass(frozen=True)
class Schedule:
    """How a phase settles and when it stops.

    Parameters
    ----------
    order : str
        ``layerwise`` or ``synchronous``.
    steps : int
        Most sweeps.
    tolerance : float
        Stop when what one sweep changes, over dt, is at most this: the distance of the states from where their drives
        want them. Free phases: the largest change of any state. Nudged phases: relative to the displacement from the
        free state, worst layer; 0.01 to 0.1 is sensible. 0 always takes all steps.
    dt : float
        Time step over the neurons' time constant, in (0, 1].
    check_every : int, optional
        Sweeps between looks at the tolerance. Default: every sweep on a CPU, every fourth on a GPU, where a look waits.
    form : str
        What a nudged phase is solved for: its ``states``, or in exact arithmetic their ``differences`` to the free
        state (:mod:`neuroep.engines.nudging`).
    acceleration : str
        ``none``, or in exact arithmetic ``anderson`` (:mod:`neuroep.engines.acceleration`), layer by layer and at once.
    stop : str
        What ends a phase before its steps are used up: its ``tolerance``, which each sample meets for itself where it
        is ``by_sample`` (:mod:`neuroep.engines.leaving`), or, ``calibrated``, the number of sweeps that a calibration
        has found (:mod:`neuroep.engines.phase_lengths`). The tolerance then says what may be missing:
        free, of a state beside its noise, root mean square; nudged, of a layer's displacement, a share. An engine that
        was not calibrated takes all steps.

    Raises
    ------
    ConfigError
        If a setting is out of range.
    """

    order: str = "layerwise"
    steps: int = 50
    tolerance: float = 0.0
    dt: float = 1.0
    check_every: int | None = None
    form: str = "states"
    acceleration: str = "none"
    stop: str = TOLERANCE

    def __post_init__(self) -> None:
        if self.order not in ORDERS:
            raise ConfigError(unknown("order", self.order, ORDERS))
        for name, value in (("steps", self.steps), ("check_every", self.check_every)):
            if not (_is_whole(value) or (value is None and name == "check_every")):
                raise ConfigError(f"{name} is {shown(value)}: allowed are whole numbers from 1")
        if not (_is_number(self.tolerance) and 0 <= self.tolerance < math.inf):
            raise ConfigError(f"tolerance is {shown(self.tolerance)}: allowed are numbers from 0")
        if not (_is_number(self.dt) and 0 < self.dt <= 1):
            raise ConfigError(f"dt is {shown(self.dt)}: allowed is 0 < dt <= 1")
        if self.form not in FORMS:
            raise ConfigError(unknown("form", self.form, FORMS))
        if self.acceleration not in ACCELERATIONS:
            raise ConfigError(unknown("acceleration", self.acceleration, ACCELERATIONS))
        if self.stop not in STOPS:
            raise ConfigError(unknown("stop", self.stop, STOPS))
        if self.stop == BY_SAMPLE and self.dt < 1:
            raise ConfigError(f"stop = '{BY_SAMPLE}': it goes with dt = 1, not dt = {self.dt}; use '{TOLERANCE}'")
        if self.acceleration != "none" and (self.order != "layerwise" or self.dt < 1):
            how = f"order = '{self.order}'" if self.order != "layerwise" else f"dt = {self.dt}"
            told = "it goes with order = 'layerwise' and dt = 1"
            raise ConfigError(f"acceleration = '{self.acceleration}': {told}, not {how}; use 'none'")

    def paced(self, share: float) -> Schedule:
        """Return the schedule of a layer that takes this share of the time step."""
        return replace(self, dt=self.dt * share)

    def whole(self, steps: int | None = None, stop: str = TOLERANCE) -> Schedule:
        """Return the schedule of a phase that takes all its sweeps, or so many, whatever it does meanwhile."""
        return replace(self, steps=self.steps if steps is None else steps, tolerance=0.0, stop=stop)

    def look(self, steps: int, every: int) -> int:
        """Return the sweep of the next look at what changes, after so many: the last one where no tolerance asks."""
        return min(self.steps, steps + every - steps % every) if self.tolerance else self.steps

    def groups(self, network: Network) -> tuple[tuple[str, ...], ...]:
        """Return the layers updated together, in the order of one sweep.

        Differences end a sweep with the attention layers: at rest they wait for the layers above anyway, and at the end
        they have seen the last hidden states.
        """
        if self.order == "synchronous":
            return (tuple(layer.name for layer in network.layers),)
        even, odd = network.parity
        attention = {layer.name for layer in network.attention}
        return (odd, even) if self.form == "differences" and not attention & {*odd} else (even, odd)

    def arrivals(self, network: Network) -> dict[str, int]:
        """Return the sweep in which a nudge of the output first moves each layer that it can reach, counted from 1."""
        moved: dict[str, int] = {}
        for sweep in range(1, len(network.layers) + 1):
            for group in self.groups(network):
                near = [name for name in group if network.neighbours[name] & moved.keys()]
                first = [network.output.name] if network.output.name in group else []
                moved = dict.fromkeys([*near, *first], sweep) | moved
        return moved
