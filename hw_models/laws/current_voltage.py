"""Laws of the current of a device by the voltage across it; v is the voltage as a share of the read voltage.

    I = G V_read F(v),     F(v) = f(v)/f(1)

so that a device of conductance G passes G V_read where it is fully driven, as programming and verification leave it.
All are odd and grow with v. Within an array without wires the voltage across a device is that of its line, and the law
is the same for all: I = G V_read F(v) separates, so that F applied to the signals ahead of the product is exact, for
the noise of reads too, which is one of G. Behind wires every device has a voltage of its own
(:mod:`hw_models.arrays.bent_wires`). A signal that is sent as the width of a pulse has v = 1 while it lasts.

To add a law, write a class and name it in :data:`CURRENT_VOLTAGE`.

Sources: sinh: I = I_0 exp(-g/g_0) sinh(V/V_0), V_0 = 0.25 V, of metal oxide resistive memory, Guan, Yu and Wong, "A
SPICE compact model of metal oxide resistive switching memory with variations", IEEE Electron Device Lett. 33:1405,
2012; cubic: the lowest term that an odd characteristic has beside the line. """

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Protocol

import numpy as np

from hw_models.laws.curves import Array
from hw_models.laws.law import Law, registry


class Driven(Protocol):
    """What laws ask of a device."""

    @property
    def read_voltage(self) -> float | None: ...

    @property
    def iv_voltage(self) -> float | None: ...

    @property
    def iv_cubic(self) -> float: ...


class CurrentVoltage(Law):
    """A law of currents; linear where it does not say otherwise."""

    linear: ClassVar[bool] = True
    """Whether a device is a resistor."""

    def current(self, v: Array, device: Driven) -> Array:
        """Return F(v), in the type of v."""
        return v

    def slope(self, v: Array, device: Driven) -> Array:
        """Return dF/dv."""
        return np.ones_like(v)

    def formula(self, v: str, device: Driven) -> str:
        """Return F(v) in the notation of SPICE, v in it."""
        return v


class Ohmic(CurrentVoltage):
    """The current is proportional to the voltage, as in a resistor."""

    name = "linear"
    equation = "F = v"
    source = "Ohm's law"


class Sinh(CurrentVoltage):
    """The current grows exponentially above a voltage."""

    name = "sinh"
    equation = "F = sinh(a v)/sinh(a), a = read_voltage/iv_voltage"
    source = "Guan, Yu and Wong, IEEE Electron Device Lett. 33:1405, 2012"
    takes: ClassVar[Mapping[str, str]] = {
        "iv_voltage": "the voltage above which the current grows exponentially, 0.25 V for the oxide of the source"
    }
    linear = False

    def _steepness(self, device: Driven) -> float:
        if device.read_voltage is None or device.iv_voltage is None:
            raise ValueError("a device with iv 'sinh' has a read_voltage and an iv_voltage")
        return device.read_voltage / device.iv_voltage

    def current(self, v: Array, device: Driven) -> Array:
        """Return F(v), in the type of v."""
        a = self._steepness(device)
        return np.sinh(v * v.dtype.type(a)) * v.dtype.type(1 / np.sinh(a))

    def slope(self, v: Array, device: Driven) -> Array:
        """Return dF/dv."""
        a = self._steepness(device)
        return np.cosh(v * v.dtype.type(a)) * v.dtype.type(a / np.sinh(a))

    def formula(self, v: str, device: Driven) -> str:
        """Return F(v) in the notation of SPICE, v in it."""
        a = self._steepness(device)
        return f"sinh({a!r}*{v})*{float(1 / np.sinh(a))!r}"


class Cubic(CurrentVoltage):
    """The current is the sum of a linear and a cubic term of the voltage."""

    name = "cubic"
    equation = "F = (1 - c) v + c v^3, c = iv_cubic"
    source = "common usage: the lowest odd term beside the linear one"
    takes: ClassVar[Mapping[str, str]] = {
        "iv_cubic": "the share c of the cubic term in the current at the read voltage"
    }
    linear = False

    def current(self, v: Array, device: Driven) -> Array:
        """Return F(v), in the type of v."""
        c = v.dtype.type(device.iv_cubic)
        return v * (1 - c + c * v * v)

    def slope(self, v: Array, device: Driven) -> Array:
        """Return dF/dv."""
        c = v.dtype.type(device.iv_cubic)
        return 1 - c + 3 * c * v * v

    def formula(self, v: str, device: Driven) -> str:
        """Return F(v) in the notation of SPICE, v in it."""
        c = device.iv_cubic
        return f"({1 - c!r}*{v}+{c!r}*{v}*{v}*{v})"


CURRENT_VOLTAGE = registry(Ohmic(), Sinh(), Cubic())
"""Laws by name."""
