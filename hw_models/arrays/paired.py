# Tested by tests/hw_models/arrays/test_paths.py.
"""Weights that the transposed path may hold once more, on devices of its own: both are written, aged, kept together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import numpy as np

from hw_models.arrays.converter_bank import Converters
from hw_models.arrays.parts import CrossbarParts
from hw_models.arrays.paths import WeightError, forward_parts
from hw_models.arrays.programming import Array
from hw_models.arrays.stored import StoredWeights
from hw_models.clock import Clock
from hw_models.kernels.blocks import Run

if TYPE_CHECKING:
    from hw_models.arrays.crossbar import Crossbar

START = "transposed."
"""Of the names under which the second array keeps its state."""


class PairedWeights(StoredWeights):
    """What a crossbar holds, in one array or in two; parameters and attributes: :class:`Crossbar`."""

    other: Crossbar | None = None
    _sample: int | None = None

    def __init__(
        self,
        parts: CrossbarParts,
        shape: tuple[int, int],
        seed: int,
        name: str,
        run: Run,
        dtype: str,
        clock: Clock | None = None,
    ) -> None:
        own = parts.transposed.devices == "own"
        super().__init__(forward_parts(parts) if own else parts, shape, seed, name, run, dtype, clock)
        self._error = WeightError(parts.transposed.weight_error, self.shape, (seed, name))

    @property
    def converters(self) -> Converters:
        """DAC and ADC of both directions, and of both arrays."""
        return self._converters

    @converters.setter
    def converters(self, shared: Converters) -> None:
        self._converters = shared
        if self.other is not None:
            self.other.converters = shared

    def program(self, weight: Array) -> None:
        """Write all devices, those of the transposed path too; see :meth:`StoredWeights.program`."""
        super().program(weight)
        if self.other is not None:
            self.other.program(self._error.added(weight))

    @property
    def sample(self) -> int | None:
        """Of the batch that all signals belong to, of both arrays; None where every row is a sample."""
        return self._sample

    @sample.setter
    def sample(self, number: int | None) -> None:
        self._sample = number
        if self.other is not None:
            self.other.sample = number

    def reread(self) -> None:
        """Rebuild the matrices of products of both paths; see :meth:`StoredWeights.refresh`."""
        self.refresh()
        if self.other is not None:
            self.other.refresh()

    def leak(self) -> None:
        """Let all devices lose what they lose from one update to the next; see :meth:`StoredWeights.leak`."""
        super().leak()
        if self.other is not None:
            self.other.leak()

    def read_at(self, seconds: float) -> None:
        """Read all devices so long after they are written; see :meth:`StoredWeights.read_at`."""
        super().read_at(seconds)
        if self.other is not None:
            self.other.read_at(seconds)

    def elapse(self) -> None:
        """Let the clock go on to the moment of the reads; see :meth:`StoredWeights.elapse`."""
        super().elapse()
        if self.other is not None:
            self.other.elapse()

    def catch_up(self) -> None:
        """Begin a batch on a chip with a clock; see :meth:`StoredWeights.catch_up`."""
        super().catch_up()
        if self.other is not None:
            self.other.catch_up()

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Let time pass inside; see :meth:`StoredWeights.aside`."""
        with ExitStack() as stack:
            stack.enter_context(super().aside())
            if self.other is not None:
                stack.enter_context(self.other.aside())
            yield

    @contextmanager
    def later(self, seconds: float) -> Iterator[None]:
        """Read so much later inside; see :meth:`StoredWeights.later`."""
        with ExitStack() as stack:
            stack.enter_context(super().later(seconds))
            if self.other is not None:
                stack.enter_context(self.other.later(seconds))
            yield

    def _state_of_other(self) -> dict[str, Array]:
        """Return the state of the second array; nothing where there is none."""
        if self.other is None:
            return {}
        found = {f"{START}{name}": values for name, values in self.other.state().items()}
        return found | {f"{START}rms": np.array(self._error.rms)}

    def _load_other(self, state: Mapping[str, Array], weight: Array | None) -> None:
        """Take over the state of the second array."""
        if self.other is None:
            return
        self._error.rms = float(state[f"{START}rms"])
        kept = {name.removeprefix(START): values for name, values in state.items() if name.startswith(START)}
        self.other.load(kept, None if weight is None else self._error.added(weight))
