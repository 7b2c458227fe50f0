# Tested by tests/hw_models/measured/test_fit.py.
"""Mean steps of devices by state, from readings that have noise of their own.

A pulse of direction u = +-1 moves the state by u g_d F_u(x) + eta, with x = (w - low)/(high - low) the share of the
device's own range and g_d its gain; a reading is r = w + e, e normal of variance s2. With d = u (r' - r) the step as
read and phi any test function of the reading *before* the pulse,

    E[phi(r) d] + u s2 E[phi'(r)] = E[g phi(r) F(x)],
    E[g phi(r) F(x)] = E[g (phi F - s2 phi' F' - s2/2 phi F'')] at r, to first order in s2

(Stein's lemma, E[e phi(w + e)] = s2 E[phi'(w + e)], and a Taylor series of F): steps sorted by a noisy reading, put
right. The noise eta of the pulse does not depend on r. Sorting by the midpoint of both readings instead would be free
of e, but not of eta, half of which is in the midpoint. phi are hats on the states of a table, and F is linear between
them: one linear system either way. What is left is of second order in s2, and at the bounds, where states are cut, a
share of the last hat.

Source: corrected scores for errors in variables, Nakamura, Biometrika 77:127, 1990; Stein, Annals of Statistics 9:1135,
1981.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from hw_models.measured.traces import Runs, Traces

Array = np.ndarray
CELLS = 400
"""Of the state, in which samples of one cell count as one."""
CENTRES = (np.arange(CELLS) + 0.5) / CELLS


@dataclass(frozen=True)
class PulseSamples:
    """Single pulses, all (samples,), in order of device and time; what is in weights is as the fit has scaled it."""

    device: Array
    sign: Array
    run: Array
    before: Array
    """Reading before [uS], in weights once it is scaled."""
    step: Array
    """Change of the reading, positive in the direction of the pulse; the same unit."""
    follows: Array
    """Whether it follows the sample before it in the same trace."""

    def part(self, kept: Array) -> PulseSamples:
        """Return those of a mask; one follows only what is still there."""
        follows = self.follows & np.concatenate([[False], kept[:-1]])
        parts = (self.device, self.sign, self.run, self.before, self.step, follows)
        return PulseSamples(*(values[kept] for values in parts))

    def scaled(self, low: float, high: float) -> PulseSamples:
        """Return them in weights, [-1, 1] from ``low`` to ``high`` [uS]."""
        half = (high - low) / 2
        return replace(self, before=(self.before - low) / half - 1, step=self.step / half)


def samples(found: Traces, runs: Runs) -> PulseSamples:
    """Return all pulses of traces."""
    device, place = np.nonzero(found.direction)
    sign = found.direction[device, place]
    before = found.conductance[device, place]
    step = sign * (found.conductance[device, place + 1] - before)
    follows = np.concatenate([[False], device[1:] == device[:-1]])
    return PulseSamples(device, sign, np.repeat(np.arange(len(runs.device)), runs.pulses), before, step, follows)


class Hats:
    """Hat functions on states between 0 and 1, constant beyond, and what samples have of them.

    Parameters
    ----------
    states : numpy.ndarray
        (K,), rising from 0 to 1.
    x : numpy.ndarray
        (samples,) states as read.
    span : numpy.ndarray
        (samples,) range of the device [weight].
    """

    def __init__(self, states: Array, x: Array, span: Array) -> None:
        self.states, self.span = states, span
        self.k = np.clip(np.searchsorted(states, x, side="right") - 1, 0, len(states) - 2)
        self.gap = np.diff(states)[self.k]
        raw = (x - states[self.k]) / self.gap
        self.t = np.clip(raw, 0, 1)
        self.slope = np.where(raw == self.t, 1 / (self.gap * span), 0.0)
        """Of the upper hat at the sample, by the weight; that of the lower is its negative."""

    def of(self, table: Array) -> tuple[Array, Array]:
        """Return F and dF/dw of a table at the samples."""
        low, high = table[self.k], table[self.k + 1]
        return low + self.t * (high - low), self.slope * (high - low)

    def sums(self, values: Array) -> Array:
        """Return sum phi_i values, (K,)."""
        many = len(self.states)
        return np.bincount(self.k, (1 - self.t) * values, many) + np.bincount(self.k + 1, self.t * values, many)

    def slopes(self, values: Array) -> Array:
        """Return sum phi_i' values, (K,)."""
        many = len(self.states)
        return np.bincount(self.k + 1, self.slope * values, many) - np.bincount(self.k, self.slope * values, many)

    def cell(self) -> Array:
        """Return the cell of every sample, (samples,); beyond the range the last one."""
        return np.minimum(((self.states[self.k] + self.t * self.gap) * CELLS).astype(int), CELLS - 1)

    def by_cell(self, low: Array, high: Array) -> Array:
        """Return sums by state and cell, (K, CELLS), of values (samples,) that the lower and the upper hat get."""
        many, cell = len(self.states), self.cell()
        found = np.bincount(self.k * CELLS + cell, low, many * CELLS)
        found += np.bincount((self.k + 1) * CELLS + cell, high, many * CELLS)
        return found.reshape(many, CELLS)

    def cells(self, values: Array) -> Array:
        """Return what cells have of sum phi_i values, (K, CELLS): 1 together, or 0 of a state without samples."""
        found = self.by_cell((1 - self.t) * values, self.t * values)
        return found / np.maximum(found.sum(axis=1, keepdims=True), 1e-300)

    def gram(self, values: Array, s2: float) -> Array:
        """Return sum values (phi_i phi_j - s2 phi_i' phi_j'), (K, K)."""
        many, t, bend = len(self.states), self.t, s2 * self.slope**2
        found = np.zeros((many, many))
        cross = np.bincount(self.k, values * (t * (1 - t) + bend), many)[:-1]
        found[range(many), range(many)] = np.bincount(self.k, values * ((1 - t) ** 2 - bend), many)
        found[range(many), range(many)] += np.bincount(self.k + 1, values * (t**2 - bend), many)
        found[range(many - 1), range(1, many)] = found[range(1, many), range(many - 1)] = cross
        return found

    def leverage(self, gain: Array) -> Array:
        """Return by how much a table that is fitted to the samples follows each of them, (samples,), below 1."""
        whole, t = np.linalg.pinv(self.gram(gain**2, 0.0), hermitian=True), self.t
        found = (1 - t) ** 2 * whole[self.k, self.k] + t**2 * whole[self.k + 1, self.k + 1]
        return np.clip(gain**2 * (found + 2 * t * (1 - t) * whole[self.k, self.k + 1]), 0.0, 0.5)

    def kinks(self, values: Array, s2: float) -> Array:
        """Return s2/2 sum values phi_i phi_j'', (K, K): at its states a table bends by all that it bends.

        The density of samples there is that of the hat over it.
        """
        many, gap = len(self.states), np.diff(self.states)
        found, width = np.zeros((many, many)), np.convolve(gap, [0.5, 0.5])
        weight = np.bincount(self.k, (1 - self.t) * values / self.span**2, many)
        weight += np.bincount(self.k + 1, self.t * values / self.span**2, many)
        for i in range(1, many - 1):
            bend = np.array([1 / gap[i - 1], -1 / gap[i - 1] - 1 / gap[i], 1 / gap[i]])
            found[i, i - 1 : i + 2] = s2 / 2 * weight[i] / width[i] * bend
        return found


def table(hats: Hats, chosen: PulseSamples, gain: Array, s2: float) -> Array:
    """Return the steps at the states, (K,), from samples of one direction; states without any take the nearest.

    A state counts as seen from five samples' worth of its hat on.
    """
    b = hats.sums(chosen.step) + s2 * hats.slopes(chosen.sign.astype(float))
    a, weight = hats.gram(gain, s2) - hats.kinks(gain, s2), hats.sums(np.ones(len(gain)))
    seen = weight >= min(5.0, weight.max() / 2)
    inner = np.ix_(seen, seen)
    found = np.linalg.lstsq(a[inner], b[seen], rcond=None)[0]
    return np.interp(hats.states, hats.states[seen], found)


def gains(hats: Hats, chosen: PulseSamples, steps: Array, s2: float, devices: int) -> Array:
    """Return what the steps of every device are to those of a table, (devices,); NaN of one without samples."""
    f, slope = hats.of(steps)
    top = np.bincount(chosen.device, f * chosen.step + s2 * chosen.sign * slope, devices)
    base = np.bincount(chosen.device, f * f - s2 * slope**2, devices)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(base > 0, top / base, np.nan)


def read_part(own: PulseSamples, hats: Hats) -> Array:
    """Return sum over readings of a a', a the sum of u phi over the pulse behind it less that over the one ahead."""
    many, n = len(hats.states), len(own.device)
    phi = np.zeros((n + 1, many))
    rows = np.arange(n)
    phi[rows, hats.k], phi[rows, hats.k + 1] = 1 - hats.t, hats.t
    phi *= np.concatenate([own.sign, [0]])[:, None]
    ahead = phi[:n]
    behind = np.where(own.follows[:, None], np.concatenate([np.zeros((1, many)), phi[: n - 1]]), 0.0)
    last = phi[:n][np.concatenate([~own.follows[1:], [True]])]
    before = behind - ahead
    found: Array = before.T @ before + last.T @ last
    return found
