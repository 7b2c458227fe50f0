"""Laws of what one programming pulse does to a device, by where its weight stands.

Weights w are shares of the weight range, b+ and b- a device's own bounds. One pulse, before noise, with
s+ = dw_min (1 + min(up_down, 0)) and s- = dw_min (1 - max(up_down, 0)):

============ ============================================ ============================================
response     up                                           down
============ ============================================ ============================================
constant     w += s+                                      w -= s-
linear       w += s+ (1 - gamma+ w/w_max)                 w -= s- (1 - gamma- w/w_min)
soft_bounds  w += s+ (1 - w/b+)                           w -= s- (1 - w/b-)
exponential  w += s+ max(1 - A+ exp(gamma+ z), 0)         w -= s- max(1 - A- exp(-gamma- z), 0)
power        w += s+ ((b+ - w)/(b+ - b-))^gamma+          w -= s- ((w - b-)/(b+ - b-))^gamma-
table        w += s+ T+(x)                                w -= s- T-(x)
============ ============================================ ============================================

with z = 2 a w/(b+ - b-) + b; linear takes |gamma + spread z|: an absolute spread, about the mean bound; x = (w - b-)/
(b+ - b-) is the state as a share of a device's own range, and T is linear between the states of a table, as measured.

To add a response, write a class and name it in :data:`PULSE_RESPONSES`. An affine one, a step times 1 - c w, gives the
slopes c of every device. Any other gives ``factors``, a plain function of one device in single precision, which
:mod:`hw_models.kernels.pulses` compiles into its loops: factors of a step up and down, and their derivatives by w. It
may call those of :mod:`hw_models.kernels.scalar`.

Sources: linear and soft bounds as LinearStepDevice and SoftBoundsDevice of aihwkit 1.2; exponential: Gong et al., IEDM
2018, as ExpStepDevice of aihwkit; table: as PiecewiseStepDevice of aihwkit, with states where they were measured.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Protocol

import numpy as np

from hw_models.kernels.scalar import BRINK, ONE, ZERO, alike, exp, power
from hw_models.laws.law import Law, registry

FLOOR = 0.01
"""Smallest bound of a device, as a share of the mean bound."""
MOST_STATES = 64
"""Of a table."""
Spread = Callable[[str, float, float | None], np.ndarray]
"""1 + spread z of every device for a field of that name, not below a floor: (out, in), or (1, in) ones."""
Factors = Callable[[Any, Any, Any, tuple[np.float32, ...]], tuple[Any, Any, Any, Any]]
"""Of (w, b+, b-, constants): factors of a step up and of one down, and their derivatives by w."""


class PulseFields(Protocol):
    """What laws ask of the description of a pulse."""

    @property
    def w_max(self) -> float: ...

    @property
    def w_min(self) -> float: ...

    @property
    def gamma_up(self) -> float: ...

    @property
    def gamma_down(self) -> float: ...

    @property
    def gamma_up_spread(self) -> float: ...

    @property
    def gamma_down_spread(self) -> float: ...

    @property
    def a_up(self) -> float: ...

    @property
    def a_down(self) -> float: ...

    @property
    def slope(self) -> float: ...

    @property
    def offset(self) -> float: ...

    @property
    def table_states(self) -> tuple[float, ...] | None: ...

    @property
    def table_up(self) -> tuple[float, ...] | None: ...

    @property
    def table_down(self) -> tuple[float, ...] | None: ...

    @property
    def table_noise(self) -> tuple[float, ...] | None: ...


class PulseLaw(Law):
    """A law of pulses; affine where it gives no factors."""

    softens: ClassVar[bool] = False
    """Whether steps shrink to nothing as the bound ahead comes near."""

    @property
    def factors(self) -> Factors | None:
        """How the step depends on the weight where that is not 1 - c w; see the module."""
        return None

    def slopes(self, pulse: PulseFields, high: np.ndarray, low: np.ndarray, spread: Spread) -> list[np.ndarray]:
        """Return c of a step up and of one down, (out, in) or (1, in) where devices are alike; affine responses."""
        return [np.zeros((1, high.shape[1]), dtype=high.dtype)] * 2

    def constants(self, pulse: PulseFields) -> tuple[float, ...]:
        """Return what ``factors`` takes beside weight and bounds."""
        return (pulse.a_up, pulse.a_down, pulse.gamma_up, pulse.gamma_down, 2 * pulse.slope, pulse.offset)

    def packed(self, pulse: PulseFields) -> tuple[np.float32, ...] | np.ndarray:
        """Return the constants as kernels take them, single precision: a tuple, or one array of any length."""
        return tuple(np.float32(value) for value in self.constants(pulse))

    @property
    def multiple(self) -> Callable[..., object]:
        """What cycle-to-cycle noise is multiplied by at a weight, a plain function of (w, b+, b-, constants)."""
        return alike

    def faults(self, pulse: PulseFields) -> Iterator[str]:
        """Yield a line for each number that this response cannot take."""
        yield from ()

    def idle(self, pulse: PulseFields) -> Iterator[tuple[str, tuple[str, ...]]]:
        """Yield fields that do not act beside others, ``response`` where it is the constant one: when, and names."""
        yield from ()


class ConstantStep(PulseLaw):
    """The step is the same at every weight."""

    name, equation, source = "constant", "w += s", "common usage"


class LinearStep(PulseLaw):
    """The step shrinks linearly towards the mean bound."""

    name, equation, source = "linear", "w += s (1 - gamma w/w_max)", "as LinearStepDevice of aihwkit 1.2"
    takes: ClassVar[Mapping[str, str]] = {
        "gamma_up": "the share by which the step up shrinks at the upper bound",
        "gamma_down": "the share by which the step down shrinks at the lower bound",
        "gamma_up_spread": "the device-to-device standard deviation of gamma_up, in the unit of gamma_up",
        "gamma_down_spread": "the device-to-device standard deviation of gamma_down, in the unit of gamma_down",
    }

    def slopes(self, pulse: PulseFields, high: np.ndarray, low: np.ndarray, spread: Spread) -> list[np.ndarray]:
        """Return |gamma + spread z| over the mean bound."""
        up, down = spread("gamma_up", pulse.gamma_up_spread, None), spread("gamma_down", pulse.gamma_down_spread, None)
        fall = np.abs(pulse.gamma_down + (down - 1)) / pulse.w_min if pulse.w_min else 0 * down
        return [np.abs(pulse.gamma_up + (up - 1)) / pulse.w_max, fall]

    def idle(self, pulse: PulseFields) -> Iterator[tuple[str, tuple[str, ...]]]:
        """Yield the response where no step shrinks."""
        if not (pulse.gamma_up or pulse.gamma_down or pulse.gamma_up_spread or pulse.gamma_down_spread):
            yield "with gamma_up, gamma_down or a spread of one", ("response",)


class SoftBoundsStep(PulseLaw):
    """The step shrinks linearly to zero at the device's own bound."""

    name, equation, source = "soft_bounds", "w += s (1 - w/b)", "as SoftBoundsDevice of aihwkit 1.2"
    softens = True

    def slopes(self, pulse: PulseFields, high: np.ndarray, low: np.ndarray, spread: Spread) -> list[np.ndarray]:
        """Return 1/b+ and 1/b-; a device without weights below 0 has no bound there that steps could shrink to."""
        fall = 1 / np.minimum(low, FLOOR * pulse.w_min) if pulse.w_min else 0 * low
        return [1 / np.maximum(high, FLOOR * pulse.w_max), fall]


def exponential_factors(w: Any, high: Any, low: Any, constants: tuple[np.float32, ...]) -> tuple[Any, Any, Any, Any]:
    """Return max(1 - A exp(+-gamma z), 0) of both directions, and the derivatives by w."""
    a_up, a_down, gamma_up, gamma_down, slope, offset = constants
    scale = slope / np.float32(high - low)
    z = np.float32(w * scale + offset)
    up, down = a_up * exp(gamma_up * z), a_down * exp(-gamma_down * z)
    up, down = (ONE if up > ONE else up), (ONE if down > ONE else down)
    d_up, d_down = -gamma_up * scale * up, gamma_down * scale * down
    return ONE - up, ONE - down, (d_up if up < ONE else ZERO), (d_down if down < ONE else ZERO)


class ExponentialStep(PulseLaw):
    """The step falls off exponentially towards the bounds."""

    name, equation, source = "exponential", "w += s max(1 - A exp(gamma z), 0)", "Gong et al., IEDM 2018"
    takes: ClassVar[Mapping[str, str]] = {
        "gamma_up": "the rate gamma of a step up",
        "gamma_down": "the rate gamma of a step down",
        "a_up": "the factor A of a step up, the strength with which the state acts on it",
        "a_down": "the factor A of a step down, the strength with which the state acts on it",
        "slope": "the factor a in z = 2 a w / (w_max - w_min) + b",
        "offset": "the constant b in z = 2 a w / (w_max - w_min) + b",
    }

    @property
    def factors(self) -> Factors:
        """Return the function."""
        return exponential_factors

    def idle(self, pulse: PulseFields) -> Iterator[tuple[str, tuple[str, ...]]]:
        """Yield what belongs to an effect of the state that is not there."""
        if not (pulse.a_up or pulse.a_down):
            yield "with a_up or a_down", ("response",)
        for way, a in (("up", pulse.a_up), ("down", pulse.a_down)):
            if not a:
                yield f"with a_{way}", (f"gamma_{way}",)
        if not ((pulse.a_up and pulse.gamma_up) or (pulse.a_down and pulse.gamma_down)):
            yield "with a_up and gamma_up, or a_down and gamma_down", ("slope", "offset")


def power_factors(w: Any, high: Any, low: Any, constants: tuple[np.float32, ...]) -> tuple[Any, Any, Any, Any]:
    """Return the distance to the bound ahead to the power of gamma, both directions, and the derivatives by w.

    A device without a range stands still, but for exponents of 0.
    """
    gamma_up, gamma_down = constants[2], constants[3]
    span = np.float32(high - low)
    scale = np.float32(ONE / span) if span > ZERO else ZERO
    above, below = np.float32((high - w) * scale), np.float32((w - low) * scale)
    up, down = power(above, gamma_up), power(below, gamma_down)
    above, below = (BRINK if above < BRINK else above), (BRINK if below < BRINK else below)
    d_up, d_down = power(above, gamma_up) / above, power(below, gamma_down) / below
    return up, down, -gamma_up * scale * d_up, gamma_down * scale * d_down


class PowerStep(PulseLaw):
    """The step falls off as a power of the distance to the bound ahead."""

    name, equation, source = "power", "w += s ((b+ - w)/(b+ - b-))^gamma", "common usage"
    takes: ClassVar[Mapping[str, str]] = {
        "gamma_up": "the exponent gamma of a step up",
        "gamma_down": "the exponent gamma of a step down",
    }

    @property
    def factors(self) -> Factors:
        """Return the function."""
        return power_factors

    def faults(self, pulse: PulseFields) -> Iterator[str]:
        """Yield exponents below 0."""
        if min(pulse.gamma_up, pulse.gamma_down) < 0:
            yield f"gamma_up = {pulse.gamma_up}, gamma_down = {pulse.gamma_down}: exponents should be from 0"

    def idle(self, pulse: PulseFields) -> Iterator[tuple[str, tuple[str, ...]]]:
        """Yield the response where both exponents are 0."""
        if not (pulse.gamma_up or pulse.gamma_down):
            yield "with gamma_up or gamma_down", ("response",)


def table_factors(
    w: np.float32, high: np.float32, low: np.float32, constants: Sequence[np.float32]
) -> tuple[np.float32, np.float32, np.float32, np.float32]:
    """Return what the table says between its states, both directions, and the derivatives by w.

    ``constants`` (4 n,): n states, factors of a step up, of a step down, and multiples of the noise. A device without
    a range stands at its first state.
    """
    n, span = len(constants) // 4, np.float32(high - low)
    scale = ONE / span if span > ZERO else ZERO
    x, k = np.float32((w - low) * scale), 0
    while k < n - 2 and x >= constants[k + 1]:
        k += 1
    slope = ONE / (constants[k + 1] - constants[k])
    t = (x - constants[k]) * slope
    inside = t if t > ZERO else ZERO
    inside = ONE if inside > ONE else inside
    rise = scale * slope if inside == t else ZERO
    up, down = constants[n + k + 1] - constants[n + k], constants[2 * n + k + 1] - constants[2 * n + k]
    return constants[n + k] + inside * up, constants[2 * n + k] + inside * down, rise * up, rise * down


def table_multiple(w: np.float32, high: np.float32, low: np.float32, constants: Sequence[np.float32]) -> np.float32:
    """Return the multiple of the noise that the table says."""
    n, span = len(constants) // 4, np.float32(high - low)
    x, k = np.float32((w - low) * (ONE / span if span > ZERO else ZERO)), 0
    while k < n - 2 and x >= constants[k + 1]:
        k += 1
    t = (x - constants[k]) / (constants[k + 1] - constants[k])
    t = t if t > ZERO else ZERO
    t = ONE if t > ONE else t
    return constants[3 * n + k] + t * (constants[3 * n + k + 1] - constants[3 * n + k])


class TableStep(PulseLaw):
    """The step is given at some states, as measured, and is linear between them."""

    name, equation, source = "table", "w += s T(x), x = (w - b-)/(b+ - b-)", "as PiecewiseStepDevice of aihwkit 1.2"
    takes: ClassVar[Mapping[str, str]] = {
        "table_states": "the states x, which rise from 0 to 1. Unset takes equal distances, one state for each step",
        "table_up": "the steps up at these states, in units of dw_min",
        "table_down": "the steps down at these states, in units of dw_min. Unset mirrors the steps up",
        "table_noise": "the cycle-to-cycle noise at these states, in multiples of noise. Unset is 1 everywhere",
    }

    @property
    def factors(self) -> Factors:
        """Return the function."""
        return table_factors

    @property
    def multiple(self) -> Callable[..., object]:
        """Return the function."""
        return table_multiple

    def constants(self, pulse: PulseFields) -> tuple[float, ...]:
        """Return states, steps up and down, and multiples of the noise, behind each other."""
        up = pulse.table_up or ()
        states = pulse.table_states or tuple(np.linspace(0, 1, len(up)).tolist())
        return (*states, *up, *(pulse.table_down or up[::-1]), *(pulse.table_noise or (1.0,) * len(up)))

    def packed(self, pulse: PulseFields) -> np.ndarray:
        """Return them as an array: kernels are the same however many states there are."""
        return np.array(self.constants(pulse), dtype=np.float32)

    def faults(self, pulse: PulseFields) -> Iterator[str]:
        """Yield tables of different lengths, states that do not rise from 0 to 1, and steps below 0."""
        up, count = pulse.table_up, len(pulse.table_up or ())
        if up is None or not 2 <= count <= MOST_STATES:
            shown = None if up is None else list(up)
            yield f"table_up = {shown}: with response 'table' 2 to {MOST_STATES} numbers are needed"
            return
        given = {"table_down": pulse.table_down, "table_states": pulse.table_states, "table_noise": pulse.table_noise}
        for name, values in given.items():
            if values is not None and len(values) != count:
                yield f"{name} = {list(values)}: table_up has {count} numbers, give as many"
        for name, values in (given | {"table_up": up}).items():
            if values and min(values) < 0:
                yield f"{name} = {list(values)}: numbers should be at least 0"
        states = np.array(pulse.table_states or (0.0, 1.0), dtype=np.float32)
        if states[0] != 0 or states[-1] != 1 or (np.diff(states) <= 0).any():
            yield f"table_states = {list(pulse.table_states or ())}: they should rise from 0 to 1"

    def idle(self, pulse: PulseFields) -> Iterator[tuple[str, tuple[str, ...]]]:
        """Yield what says no more than a constant step does."""
        steps = {*(pulse.table_up or ()), *(pulse.table_down or ())}
        if steps == {1.0} and len({*(pulse.table_noise or (1.0,))}) == 1:
            yield "with steps that differ from 1", ("response",)


PULSE_RESPONSES = registry(
    ConstantStep(), LinearStep(), SoftBoundsStep(), ExponentialStep(), PowerStep(), TableStep()
)
"""The laws by name."""
