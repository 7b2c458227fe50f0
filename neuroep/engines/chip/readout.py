"""The read-out of the phases as a part of an engine; its physics: :mod:`hw_models.periphery.readout`."""

from __future__ import annotations

from hw_models.periphery.readout import PhaseReadout
from neuroep.engines.parts import Part
from neuroep.learning.contrast import Held, Signal


class SynapseReadout(PhaseReadout, Part):
    """Digitisers of one end of one synapse."""

    def measure(self, signal: Signal) -> Signal:
        """Return what it makes of a signal."""
        return self.digitised(signal, isinstance(signal, Held))

    def counters(self) -> dict[str, int]:
        """Return conversions of states, and those at the stop."""
        return {"state_conversions": self.conversions, "state_conversions_at_stop": self.at_stop}
