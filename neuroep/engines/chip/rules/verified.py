# Tested by tests/neuroep/engines/chip/test_verified.py.
r"""Devices that follow what they are to be: pulses go by what is read of them, until the reading is right.

M what they are to be, kept within the bounds of the mean device; V what was read of each column last; R the weight
range; e the tolerance of each device, of e_0 to begin with, e_0 ``update.verify`` [R]:

    once an update    e <- clip(keep e, e_0, 1)
    in every round    chi = M - V
                      n = sign(chi) max(1, floor(|chi|/(largest step))) where |chi| > e R, else 0
                      e <- patience e, where there are pulses
                      W <- W + n dw_W by pulses;  V_j <- w_j as read, of columns j with pulses

As few pulses are given as a device asks for whose steps are three standard deviations larger than usual, so that none
goes back and forth. A device with a step that is coarse beside e, or whose write noise is, gets a pulse whenever its
reading is off, and each draws its noise anew until one leaves it near enough. Those that seldom come near (a step
as large as their range, a fault) soon rest where they are nearest: e grows with every pulse in vain.

Source: write and verify, as in Alibart et al., Nanotechnology 23:075201, 2012; tolerances that go by each device are
chosen here.
"""

from __future__ import annotations

import numpy as np

from hw_models.arrays.columns import read_columns
from hw_models.arrays.crossbar import Crossbar
from neuroep.engines.chip.rules.scaling import largest

PATIENCE, KEEP = 1.02, 0.97
"""What a tolerance grows by with each pulse, and what is left of it from update to update."""
ROUNDING = 1e-3
"""Of a pulse: what single precision may lack of a whole number."""


class Verified:
    """The loop of one crossbar; see the module.

    Parameters
    ----------
    crossbar : Crossbar
        Of the devices.
    tolerance : float
        e_0, a share of the weight range.
    kept : dict of str to numpy.ndarray
        Where V and e are kept, by "read" and "tolerance".
    """

    def __init__(self, crossbar: Crossbar, tolerance: float, kept: dict[str, np.ndarray]) -> None:
        self.crossbar, self.least, self.device = crossbar, tolerance, crossbar.device
        self.step = self.device.moved * largest(self.device.pulse)
        self.seen = kept["read"] = np.zeros(crossbar.shape, crossbar.dtype)
        self.times = kept["readings"] = np.zeros((), np.int64)
        self.tolerance = kept["tolerance"] = np.full(crossbar.shape, tolerance, crossbar.dtype)

    def begin(self, wanted: np.ndarray) -> None:
        """Let tolerances fall, and keep M, (out, in) in weight units, within what devices can be, once an update."""
        self.tolerance *= KEEP
        np.clip(self.tolerance, self.least, 1, out=self.tolerance)
        full, pulse = self.crossbar.weight_range, self.device.pulse
        np.clip(wanted, full * (pulse.w_min or -pulse.w_max), full * pulse.w_max, out=wanted)

    def lacking(self, wanted: np.ndarray) -> np.ndarray:
        """Return the pulses that devices are to get, (out, in), and let the tolerances of those with some grow."""
        chi, full = wanted - self.seen, self.crossbar.weight_range
        off = np.abs(chi) > self.tolerance * full
        self.tolerance[off] *= PATIENCE
        whole = np.maximum(np.floor(np.abs(chi) / (self.step * full) + ROUNDING), 1)
        return np.where(off, np.sign(chi) * whole, 0)

    @property
    def read_at_all(self) -> bool:
        """Whether anything was read yet: not before a first update, when converters are calibrated."""
        return bool(self.times)

    def read(self, columns: np.ndarray) -> None:
        """Read columns."""
        self.times += 1
        self.seen[:, columns] = read_columns(self.crossbar, columns) * self.crossbar.weight_range
