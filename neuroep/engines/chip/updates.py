"""How the weights of one crossbar change: the schemes of :class:`hw_models.chip.description.Update`.

================  ===========================================================================================
digital           the rule moves a float master copy, and the devices are programmed with it
mixed_precision   the rule moves an accumulator chi; whole granules of it go to the devices as pulses
                  (Nandakumar et al., Front. Neurosci. 14:406, 2020)
pulsed            in memory: rank-1 pulse trains of what the two ends saw, no gradient is ever computed
                  (Gokmen and Vlasov, Front. Neurosci. 10:333, 2016)
================  ===========================================================================================

Biases sit in the digital periphery in all of them and follow the rule exactly.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np

from hw_models.arrays.crossbar import Crossbar
from hw_models.arrays.pulses import PulsedDevices
from hw_models.chip import Chip
from neuroep.engines.numba.arrays import IdealArray, ideal
from neuroep.engines.numba.substrate import Setting
from neuroep.errors import ConfigError
from neuroep.learning.contrast import Contrast
from neuroep.learning.optimisers import SGD, Optimiser

EDGE = 0.999
"""Share of a bound from which a weight counts as being there."""
SINGLE = 1000
"""Most pulses of a device that are given one by one; more are given in one step of their mean and spread."""
CROSSBAR = "crossbar"
"""Name in a checkpoint of what the crossbar keeps."""


class Scheme(Protocol):
    """Keeps what learning needs beside the devices of one crossbar."""

    @property
    def bias(self) -> np.ndarray | None: ...

    @property
    def updates(self) -> int: ...

    def update(self, contrast: Contrast, rate: float) -> int: ...

    def state(self) -> dict[str, np.ndarray]: ...

    def load(self, state: Mapping[str, np.ndarray]) -> None: ...

    def pulses(self) -> int: ...

    def health(self) -> dict[str, float]: ...

    @property
    def digital(self) -> IdealArray: ...


class Digital:
    """Float master copy; see the module."""

    def __init__(self, crossbar: Crossbar, weight: np.ndarray, bias: np.ndarray | None, chip: Chip, setting: Setting):
        self.crossbar, self.every = crossbar, chip.update.reprogram_every
        self.digital = _rule(weight, bias, setting)
        crossbar.program(self.digital.weight)

    @property
    def bias(self) -> np.ndarray | None:
        """(out,), of the digital periphery."""
        return self.digital.bias

    @property
    def updates(self) -> int:
        """Number of updates made."""
        return self.digital.updates

    def update(self, contrast: Contrast, rate: float) -> int:
        """Move the master copy and program the devices; return how many weights are not finite."""
        bad = self.digital.update(contrast, rate)
        if not bad and self.updates % self.every == 0:
            self.crossbar.elapse()
            self.crossbar.program(self.digital.weight)
        return bad

    def state(self) -> dict[str, np.ndarray]:
        """Return the master copy, what the rule keeps, and the crossbar."""
        return self.digital.state() | _crossbar_state(self.crossbar)

    def load(self, state: Mapping[str, np.ndarray]) -> None:
        """Take over what the rule keeps, and the crossbar."""
        self.digital.load(state)
        self.crossbar.load(_crossbar_part(state), self.digital.weight)

    def pulses(self) -> int:
        """Return 0: devices are programmed, not pulsed."""
        return 0

    def health(self) -> dict[str, float]:
        """Return the share of master weights at or beyond the range of the devices."""
        edge = self.crossbar.weight_range * EDGE
        return {"weights_at_range": float((np.abs(self.digital.weight) >= edge).mean())}


class InMemory:
    """What the two schemes share whose weights are the devices' own."""

    def __init__(self, crossbar: Crossbar, weight: np.ndarray, bias: np.ndarray | None, chip: Chip, setting: Setting):
        self.crossbar, self.chip = crossbar, chip
        crossbar.program(weight)
        device = chip.device.pulse
        place = (weight.shape, setting.seed, crossbar.name)
        limits = crossbar.devices.weight_bounds()
        self.devices = PulsedDevices(device, *place, run=setting.workers.run, dtype=setting.dtype, limits=limits)
        self._bound()
        self.digital = _rule(np.zeros_like(weight) if self.accumulates else weight[:, :0], bias, setting)
        self.sent = 0

    accumulates = False
    digital: IdealArray

    @property
    def bias(self) -> np.ndarray | None:
        """(out,), of the digital periphery."""
        return self.digital.bias

    @property
    def updates(self) -> int:
        """Number of updates made."""
        return self.digital.updates

    def health(self) -> dict[str, float]:
        """Return the share of devices at their bounds."""
        own, stored = self.devices.devices, self.crossbar.stored
        return {"weights_at_range": float(((stored >= own.high * EDGE) | (stored <= own.low * EDGE)).mean())}

    def _bound(self) -> None:
        """Cut what was programmed to the devices' own bounds."""
        own, stored = self.devices.devices, self.crossbar.stored
        np.clip(stored, own.low, own.high, out=stored)
        self.crossbar.refresh()

    def pulses(self) -> int:
        """Return the number of pulses the devices have seen."""
        return self.sent

    def _pulsed(self, pulses: int) -> int:
        """Count pulses and read the devices anew; return how many weights are not finite."""
        self.sent += pulses
        stored = self.crossbar.stored
        bad = int(stored.size - np.count_nonzero(np.isfinite(stored)))
        if not bad:
            self.crossbar.elapse()
            self.crossbar.refresh()
        return bad

    def state(self) -> dict[str, np.ndarray]:
        """Return the devices' weights, what the rule keeps, and the crossbar."""
        kept = self.digital.state()
        if self.accumulates:
            kept["accumulated"] = kept.pop("weight")
        kept["weight"] = self.crossbar.stored * np.asarray(self.crossbar.weight_range, self.crossbar.stored.dtype)
        return kept | _crossbar_state(self.crossbar)

    def load(self, state: Mapping[str, np.ndarray]) -> None:
        """Take over what the rule keeps, and the crossbar."""
        self.digital.load(state)
        if self.accumulates:
            self.digital.weight[:] = state["accumulated"]
        self.crossbar.load(_crossbar_part(state), None)


class MixedPrecision(InMemory):
    """Digital accumulation, whole granules as pulses; see the module."""

    accumulates = True

    def update(self, contrast: Contrast, rate: float) -> int:
        """Accumulate, then move whole granules; return how many weights are not finite."""
        refuse_decay(self.digital.optimiser, "mixed_precision")
        chi = self.digital.weight
        bad = self.digital.update(contrast, rate)
        if bad:
            return bad
        granule = (self.chip.update.granule or self.chip.device.pulse.dw_min) * self.crossbar.weight_range
        whole = np.trunc(chi / chi.dtype.type(granule))
        chi -= whole * chi.dtype.type(granule)
        up, down = np.maximum(whole, 0), np.maximum(-whole, 0)
        if max(up.max(initial=0), down.max(initial=0)) <= SINGLE:
            up, down = up.astype(np.int64), down.astype(np.int64)
        return self._pulsed(self.devices.apply(self.crossbar.stored, up, down, step=self.updates))


class Pulsed(InMemory):
    """Pulse trains of what the two ends saw; see the module."""

    def update(self, contrast: Contrast, rate: float) -> int:
        """Send the trains of one batch; return how many weights are not finite."""
        rule = self.digital.optimiser
        if not isinstance(rule, SGD) or rule.momentum:
            name = "optimiser.momentum" if isinstance(rule, SGD) else "optimiser.kind"
            value = rule.momentum if isinstance(rule, SGD) else "adam"
            raise ConfigError(f"{name} = {value!r}: pulsed in-memory updates take 'sgd' without momentum")
        refuse_decay(rule, "pulsed")
        if self.bias is not None:
            bias = self.bias
            bias -= bias.dtype.type(rate) * contrast.bias_gradient()
        self.digital.updates += 1
        step = -rate * contrast.scale / self.crossbar.weight_range
        terms = self._terms(contrast)
        self._watch(terms, abs(step))
        return self._pulsed(self.devices.update(self.crossbar.stored, terms, step, self.chip.update, self.updates))

    def __init__(self, crossbar: Crossbar, weight: np.ndarray, bias: np.ndarray | None, chip: Chip, setting: Setting):
        super().__init__(crossbar, weight, bias, chip, setting)
        self._trains = self._short = 0

    def _watch(self, terms: list[tuple[float, Any, Any]], step: float) -> None:
        """Count the trains, and those whose strongest lines would need more slots than a train may have."""
        longest = self.chip.update.train_length * self.chip.device.pulse.dw_min
        for _, post, pre in terms:
            needed = step * np.abs(post).max(axis=1, initial=0) * np.abs(pre).max(axis=1, initial=0)
            self._trains += int(np.count_nonzero(needed))
            self._short += int(np.count_nonzero(needed > longest))

    def health(self) -> dict[str, float]:
        """Return the share of devices at their bounds; since the last call, of trains that were too short.

        With expected trains also of the moves that had to be played pulse by pulse (:mod:`hw_models.arrays.expected`).
        """
        own = self.devices
        short = self._short / self._trains if self._trains else 0.0
        played = own.played / (own.played + own.stepped) if own.played else 0.0
        self._trains = self._short = own.played = own.stepped = 0
        found = {"trains_too_short": short}
        if self.chip.update.trains == "expected":
            found["pulses_played"] = played
        return super().health() | found

    def _terms(self, contrast: Contrast) -> list[tuple[float, Any, Any]]:
        """Return (sign, post rows, pre rows): the weights are to change along the sum of sign post^T pre."""
        if self.chip.update.signals == "contrast":
            return [(1.0, post, pre) for post, pre in contrast.terms()]
        post, pre = contrast.post, contrast.pre
        return [(1.0, post.plus, pre.plus), (-1.0, post.minus, pre.minus)]


SCHEMES: Mapping[str, Any] = {"digital": Digital, "mixed_precision": MixedPrecision, "pulsed": Pulsed}


def _rule(weight: np.ndarray, bias: np.ndarray | None, setting: Setting) -> IdealArray:
    return ideal(weight, bias, setting.optimiser, setting.workers, setting.dtype)


def refuse_decay(rule: Optimiser, scheme: str) -> None:
    """Refuse weight decay, which needs the weights in digital form."""
    if rule.weight_decay:
        value = f"optimiser.weight_decay = {rule.weight_decay}"
        raise ConfigError(f"{value}: update scheme '{scheme}' cannot decay weights")


def _crossbar_state(crossbar: Crossbar) -> dict[str, np.ndarray]:
    return {f"{CROSSBAR}.{name}": values for name, values in crossbar.state().items()}


def _crossbar_part(state: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    start = f"{CROSSBAR}."
    return {name.removeprefix(start): values for name, values in state.items() if name.startswith(start)}
