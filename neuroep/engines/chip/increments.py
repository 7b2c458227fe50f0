"""Increments on crossbars: what nudged phases read of a chip whose ``nudged.drive`` says so."""

from __future__ import annotations

from collections.abc import Mapping

from neuroep.engines.chip.arrays import CrossbarArray
from neuroep.engines.parts import Values


class CrossbarIncrements:
    """Reads changes of states through the arrays of synapses; see :class:`neuroep.engines.parts.Increments`.

    Parameters
    ----------
    arrays : mapping of str to CrossbarArray
        By synapse, all of them by the time that one is read.
    path : {"own", "other"}
        Other: forward through the array of the transposed path, and back through that of the forward path.
    """

    def __init__(self, arrays: Mapping[str, CrossbarArray], path: str = "own") -> None:
        self._arrays, self._path = arrays, path

    def forward(self, synapse: str, change: Values) -> Values:
        """Read ``change @ W.T``."""
        return self._arrays[synapse].rule.forward(change, True, self._path)

    def transposed(self, synapse: str, change: Values) -> Values:
        """Read ``change @ W``."""
        return self._arrays[synapse].rule.transposed(change, None, True, self._path)
