"""The read-out of the phases as a part of an engine; its physics: :mod:`hw_models.periphery.readout`."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from hw_models.periphery.holders import Holders
from hw_models.periphery.readout import PhaseReadout, Seen
from hw_models.tally import Tally
from neuroep.engines.parts import TALLY, Part
from neuroep.learning.contrast import Held, Signal


class SynapseReadout(PhaseReadout, Part):
    """Digitisers of one end of one synapse."""

    def measure(self, signal: Signal, seen: Seen | None = None) -> Signal:
        """Return what it makes of a signal of neurons that are seen so."""
        return self.digitised(signal, isinstance(signal, Held), seen)

    def ranges(self) -> dict[str, float]:
        """Return the calibrated ranges of states and of their difference."""
        _, _, synapse, end = self.place
        return {
            f"readout {synapse} {end} {name}": digitiser.range
            for name, digitiser in self.digitisers.items()
            if digitiser.converter.calibrates and digitiser.range is not None
        }

    @property
    def resolution(self) -> float:
        """Step of the difference of the phases, where that is converted, or of the state of each."""
        return max(0.0, (self.change if self.difference else self.digitiser).grid.step)

    def state(self) -> dict[str, np.ndarray]:
        """Return all ranges by name, and the tally."""
        return PhaseReadout.state(self) | {TALLY: self.tally.packed()}

    def load(self, state: Mapping[str, np.ndarray]) -> None:
        """Take over :meth:`state`."""
        PhaseReadout.load(self, state)
        if TALLY in state:
            self.tally.load(state[TALLY])

    def performed(self) -> Tally:
        """Return conversions of states, and those at the stop."""
        return self.tally

    def counters(self) -> dict[str, int]:
        """Return conversions of states, and those at the stop."""
        return {"state_conversions": self.conversions, "state_conversions_at_stop": self.at_stop}


class LayerHolders(Holders, Part):
    """The sample-and-holds of one layer, which all synapses that see it share."""

    def state(self) -> dict[str, np.ndarray]:
        """Return the tally."""
        return {TALLY: self.tally.packed()}

    def load(self, state: Mapping[str, np.ndarray]) -> None:
        """Take over :meth:`state`."""
        if TALLY in state:
            self.tally.load(state[TALLY])

    def performed(self) -> Tally:
        """Return holds of states."""
        return self.tally

    def counters(self) -> dict[str, int]:
        """Return holds of states."""
        return {"holds": self.tally.total("hold")}
