"""Arrays of a chip behind the seam of :mod:`neuroep.engines.arrays`: crossbars, and event-driven arrays."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from hw_models.chip import Chip
from hw_models.converters import Quantiser
from hw_models.crossbar import Crossbar
from hw_models.events import EventArray
from hw_models.randomness import key
from neuroep.contrast import Contrast
from neuroep.engines.arrays import Memory, ideal
from neuroep.engines.chip.updates import SCHEMES, Scheme
from neuroep.engines.substrate import Setting


class CrossbarArray:
    """The weights of one synapse on a crossbar; see :class:`neuroep.engines.arrays.Array`.

    Parameters
    ----------
    name : str
        Of the synapse; keys the draws of its devices.
    weight : numpy.ndarray
        (out, in), programmed.
    bias : numpy.ndarray or None
        (out,), of the digital periphery.
    chip : Chip
        What to build.
    setting : Setting
        Rule, threads, dtype, seed.
    """

    def __init__(self, name: str, weight: np.ndarray, bias: np.ndarray | None, chip: Chip, setting: Setting) -> None:
        weight = np.array(weight, dtype=setting.dtype, order="C")
        self.crossbar = Crossbar(chip, weight.shape, setting.seed, name, setting.workers.run, setting.dtype)
        self.scheme: Scheme = SCHEMES[chip.update.scheme](self.crossbar, weight, bias, chip, setting)

    @property
    def bias(self) -> np.ndarray | None:
        """(out,)."""
        return self.scheme.bias

    @property
    def updates(self) -> int:
        """Number of updates made."""
        return self.scheme.updates

    @property
    def quantisers(self) -> dict[str, Quantiser]:
        """All ranges by name."""
        return self.crossbar.converters.quantisers

    def begin(self, *occasion: str | int) -> None:
        """Key all draws by this occasion."""
        self.crossbar.begin(*occasion)

    def forward(self, pre: np.ndarray, memory: Memory | None = None) -> np.ndarray:
        """Read ``pre @ W.T``."""
        return self.crossbar.forward(pre)

    def transposed(
        self, post: np.ndarray, out: np.ndarray | None = None, memory: Memory | None = None
    ) -> np.ndarray:
        """Read ``post @ W``."""
        return self.crossbar.transposed(post, out)

    def expected(self, pre: np.ndarray) -> np.ndarray:
        """Return the product with the mean effective weights."""
        return self.crossbar.expected(pre)

    def update(self, contrast: Contrast, rate: float) -> int:
        """Change the weights by the chip's scheme; return how many are not finite."""
        return self.scheme.update(contrast, rate)

    def state(self) -> dict[str, np.ndarray]:
        """Return weight, bias, what the rule keeps, and the crossbar."""
        return self.scheme.state()

    def load(self, state: Mapping[str, np.ndarray]) -> None:
        """Take over what the rule keeps, and the crossbar."""
        self.scheme.load(state)

    def counters(self) -> dict[str, int]:
        """Return conversions, device reads and pulses."""
        return {**self.crossbar.counters, "pulses": self.scheme.pulses()}


class EventDrivenArray:
    """The weights of one synapse on an event-driven array; parameters as in :class:`CrossbarArray`.

    Learning is digital: the rule moves a float master copy that is rounded to integers, or, in place, its steps are
    rounded at random and added to the integers themselves.
    """

    def __init__(self, name: str, weight: np.ndarray, bias: np.ndarray | None, chip: Chip, setting: Setting) -> None:
        self.array = EventArray(chip.events, weight.shape, setting.seed, name, setting.workers.run, setting.dtype)
        self.in_place = chip.events.in_place
        self.array.program(np.asarray(weight, dtype=setting.dtype))
        start = np.zeros_like(weight) if self.in_place else weight
        self.digital = ideal(start, bias, setting.optimiser, setting.workers, setting.dtype)
        self._place = (setting.seed, "rounding", name)

    @property
    def bias(self) -> np.ndarray | None:
        """(out,)."""
        return self.digital.bias

    @property
    def updates(self) -> int:
        """Number of updates made."""
        return self.digital.updates

    @property
    def quantisers(self) -> dict[str, Quantiser]:
        """All ranges by name."""
        return self.array.quantisers

    def begin(self, *occasion: str | int) -> None:
        """Do nothing: reads are exact."""

    def forward(self, pre: np.ndarray, memory: Memory | None = None) -> np.ndarray:
        """Send the changes of ``pre`` since this memory last saw it; return the accumulated product."""
        memory = {} if memory is None else memory
        result, memory["forward"] = self.array.forward(pre, memory.get("forward"))
        return result

    def transposed(
        self, post: np.ndarray, out: np.ndarray | None = None, memory: Memory | None = None
    ) -> np.ndarray:
        """Send the changes of ``post``; return the accumulated product."""
        memory = {} if memory is None else memory
        result, memory["transposed"] = self.array.transposed(post, memory.get("transposed"))
        return result

    def expected(self, pre: np.ndarray) -> np.ndarray:
        """Return the product with the integer weights, without events."""
        return pre @ self.array.weights().T

    def update(self, contrast: Contrast, rate: float) -> int:
        """Change the weights; return how many are not finite."""
        bad = self.digital.update(contrast, rate)
        if bad:
            return bad
        if self.in_place:
            self.array.step(self.digital.weight, key(*self._place), self.updates)
            self.digital.weight[:] = 0
        else:
            self.array.program(self.digital.weight)
        return 0

    def state(self) -> dict[str, np.ndarray]:
        """Return weight, bias, what the rule keeps, and the array."""
        kept = self.digital.state() | {f"events.{name}": values for name, values in self.array.state().items()}
        return kept | ({"weight": self.array.weights()} if self.in_place else {})

    def load(self, state: Mapping[str, np.ndarray]) -> None:
        """Take over what the rule keeps, and the array."""
        self.digital.load(state)
        self.array.load({name.removeprefix("events."): v for name, v in state.items() if name.startswith("events.")})

    def counters(self) -> dict[str, int]:
        """Return events and synaptic operations."""
        return dict(self.array.counters)
