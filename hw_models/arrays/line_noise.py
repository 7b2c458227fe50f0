"""Read noise of devices behind wires: what a fluctuation of one conductance does to all currents of its tile.

The network is linear, so a change dg of device (i, j) moves every sensed current k by, to first order in dg,

    dI_k = D_ij(x) dg_ij A_ij,k         D_ij(x) = V_w,ij - V_b,ij, the voltage across it with all lines driven by x
                                        A_ij,k  the same with output k alone driven by 1 V, signs turned: by
                                                reciprocity the share of a current between its two nodes that k senses

so that outputs of a tile share fluctuations. A voltage is linear in the drives, D_ij(x) = sum_p D_ij,p x_p. Driven the
other way round the two change places. With v_ij the variance of a read, the covariance of the currents is

    Sigma_kl = sum_ij v_ij D_ij(x)^2 A_ij,k A_ij,l                                                                 (1)

Exact draws take one normal for every device and sample and cost m n (m + n) multiplications. The fast form keeps of a
device in column j its transfer to its own output, tau_ij = A_ij,j, and what the driven line alone leaves at it, the
ladder alpha_ij with all sensed lines at 0 V. What the sensed lines' own voltages take from that is smooth along them:
of D_ij(x) = alpha_ij x_i - sum_p B_ij,p x_p the two lowest modes phi_r of a line grounded at one end are kept,

    S_j(x) = sum_i v tau^2 (alpha_ij x_i - sum_r phi_ir c_jr(x))^2,     c_jr = sum_ip phi_ir B_ij,p x_p
    dI_k = sum_j sqrt(S_j) z_j M_jk,     M_jk = sum_i v alpha^2 tau_ij A_ij,k / sum_i v alpha^2 tau_ij^2

a product with x^2, four with x and one among the outputs. M_jj = 1; M_jk, j != k, makes the covariance of the outputs
that of (1) to first order in what leaves the line, for a drive that is white. Against (1), arrays of 32 x 32 to 128 x
128 of half open devices whose wires take 13 to 17 % of the current: standard deviation within 0.4 % of every output
(the share of a lone drive was off by up to 24 %), variance of the sum of all outputs within 1 %. Small tiles are drawn
exactly, and so is every tile of which a few drives show the fast form to be off by more than 2 %. Drives of one or few
lines alone are not among these: small outputs, down to 2 % of the largest, are up to 12 % off there, the sum of squares
of all of them within 1 % and the sum of outputs within 4 % (40 x 32, 2 to 60 ohm beside 40 uS).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from hw_models.arrays import wires
from hw_models.kernels.random import normals
from hw_models.laws.read_noise import ReadNoise

Array = np.ndarray
MODES = 2
"""Modes of the voltage along a sensed line."""
SMALL = 2**15
"""m n (m + n) up to which a tile is drawn exactly: 24 x 24 and below."""
WORST = 0.02
"""Largest error of a standard deviation for which the fast form is taken."""
DRAWN = 2**22
"""Most draws of devices at a time."""


class Drive(NamedTuple):
    """A tile driven in one direction, for the fast form."""

    ladder: Array
    """(driven, sensed) alpha."""
    transfer: Array
    """(driven, sensed) tau."""
    modes: Array
    """(driven, r) phi, orthonormal."""
    rises: Array
    """(r, driven, sensed) of c = x @ rises."""
    mix: Array
    """(sensed, sensed) M."""

    def fast(self, variance: Array, outputs: Array | None) -> Fast:
        """Return the noise of devices of this variance (driven, sensed), its outputs combined by (sensed, out)."""
        own = variance * self.transfer**2
        once = own * self.ladder
        products = [*self.rises, *(once * mode[:, None] for mode in self.modes.T)]
        linear = np.hstack(products) if products else np.empty((len(own), 0))
        cross = np.einsum("ij,ir,is->rsj", own, self.modes, self.modes)
        mix = self.mix if outputs is None else self.mix @ outputs
        return Fast(*(np.ascontiguousarray(a, dtype=np.float32) for a in (once * self.ladder, linear, cross, mix)))


class Fast(NamedTuple):
    """Noise at the outputs of one tile and side."""

    square: Array
    """(driven, sensed), of x^2."""
    linear: Array
    """(driven, 2 r sensed), of x: the modes and what they meet."""
    cross: Array
    """(r, r, sensed)."""
    mix: Array
    """(sensed, out)."""

    def variance(self, x: Array) -> Array:
        """Return S (rows, sensed) of signals (rows, driven)."""
        total = (x * x) @ self.square
        r, n = len(self.cross), total.shape[1]
        if r:
            both = (x @ self.linear).reshape(len(x), 2, r, n)
            for a in range(r):
                total -= 2 * both[:, 0, a] * both[:, 1, a]
                for b in range(r):
                    total += self.cross[a, b] * both[:, 0, a] * both[:, 0, b]
        return np.maximum(total, 0)

    def draw(self, x: Array, key: Array, step: int, number: int, first_row: int) -> Array:
        """Return noise (rows, out) of signals (rows, driven); draws by key, step, number of the tile and row."""
        x = x.astype(np.float32, copy=False)
        z = normals(key, step, number, (len(x), self.square.shape[1]), first_row)
        z *= np.sqrt(self.variance(x))
        return z @ self.mix


class Exact(NamedTuple):
    """Noise of one tile and side drawn for every device."""

    across: Array
    """(devices, driven)."""
    transfer: Array
    """(devices, out)."""
    g: Array
    """(devices,) conductance, in the unit of the noise."""
    mean: Array
    """(devices,) mean of a read."""
    sigma: Array
    """(devices,) before clipping."""
    law: ReadNoise
    """What a read finds."""

    @property
    def large(self) -> bool:
        """Whether the tile is larger than those that are drawn exactly anyway."""
        lines = self.across.shape[1], self.transfer.shape[1]
        return len(self.g) * sum(lines) > SMALL

    def draw(self, x: Array, key: Array, step: int, number: int, first_row: int) -> Array:
        """Return noise (rows, out) as :meth:`Fast.draw`."""
        x = x.astype(np.float32, copy=False)
        found = np.empty((len(x), self.transfer.shape[1]), dtype=np.float32)
        most = max(1, DRAWN // max(len(self.g), 1))
        for a in range(0, len(x), most):
            part = x[a : a + most]
            off = normals(key, step, number, (len(part), len(self.g)), first_row + a)
            if self.law.gaussian:
                off *= self.sigma
            else:
                self.law.reads(off, self.g, self.sigma)
                off -= self.mean
            off *= part @ self.across.T
            found[a : a + most] = off @ self.transfer
        return found


class LineNetwork(NamedTuple):
    """A tile solved: (word lines, bit lines) in front."""

    effective: Array
    """G_eff [S]."""
    drives: tuple[Drive, Drive] | None
    """Forward and transposed; None without noise or where it is drawn exactly."""
    across: Array | None
    """(word, bit, word): D, kept for exact draws."""
    transfer: Array | None
    """(word, bit, bit): A."""

    def tensors(self) -> tuple[Array, Array]:
        """Return D (devices, word) and A (devices, bit) for exact draws, devices by word line, then bit line."""
        if self.across is None or self.transfer is None:
            raise ValueError("a network in its fast form keeps no tensors")
        return tuple(values.reshape(-1, values.shape[2]) for values in (self.across, self.transfer))  # type: ignore[return-value]


def solve(g: Array, r_word: float, r_bit: float, variance: Array | None, exact: bool) -> LineNetwork:
    """Solve a tile for its products and, with a variance, for its noise.

    Parameters
    ----------
    g : numpy.ndarray
        Mean conductances (word lines, bit lines) [S].
    r_word, r_bit : float
        One segment [ohm].
    variance : numpy.ndarray or None
        Of one read of each, in any unit; None without noise.
    exact : bool
        Whether every device is to be drawn.
    """
    if variance is None:
        return LineNetwork(wires.effective(g, r_word, r_bit), None, None, None)
    across, transfer = wires.sensitivities(g, r_word, r_bit)
    effective = np.einsum("ij,ijp->pj", g, across)
    m, n = g.shape
    drives = None
    if not exact and m * n * (m + n) > SMALL:
        turned = across.transpose(1, 0, 2), transfer.transpose(1, 0, 2)
        forward = _drive(across, transfer, variance, wires.ladder(g, r_word), np.arange(m))
        back = wires.ladder(g[::-1, ::-1].T, r_bit)[::-1, ::-1]
        transposed = _drive(turned[1], turned[0], variance.T, back, np.arange(n)[::-1])
        if forward is not None and transposed is not None:
            drives = forward, transposed
    if drives is not None:
        return LineNetwork(effective, drives, None, None)
    return LineNetwork(effective, None, across.astype(np.float32), transfer.astype(np.float32))


def _drive(across: Array, transfer: Array, variance: Array, ladder: Array, place: Array) -> Drive | None:
    """Return the fast form, lines driven first; None where it is off. ``place`` grows towards the sensed end."""
    size, sensed = ladder.shape
    own = np.ascontiguousarray(transfer[:, np.arange(sensed), np.arange(sensed)])
    waves = np.cos(np.pi * (np.arange(min(MODES, size)) + 0.5) * (place[:, None] + 0.5) / (size + 0.5))
    modes = np.linalg.qr(waves)[0]
    rises = -np.einsum("ir,ijp->rpj", modes, across)
    rises += (ladder[None] * modes.T[:, :, None])
    weight = variance * ladder**2 * own
    total = np.einsum("ij,ij->j", weight, own)
    mix = np.einsum("ij,ijk->jk", weight, transfer, optimize=True)
    mix = np.where(total[:, None] > 0, mix / np.where(total > 0, total, 1)[:, None], np.eye(sensed))
    found = Drive(ladder, own, modes, rises, mix)
    return found if _error(found, across, transfer, variance) <= WORST else None


def _error(drive: Drive, across: Array, transfer: Array, variance: Array) -> float:
    """Return the largest relative error of a standard deviation, of outputs and of their sum, for a few drives."""
    draw, size = np.random.default_rng(0), len(across)
    x = np.stack([np.ones(size), draw.random(size), draw.normal(size=size)])
    fast, worst = drive.fast(variance / variance.max(initial=1e-300), None), 0.0
    for row in x:
        exact = variance / variance.max(initial=1e-300) * (across @ row) ** 2
        every = np.einsum("ij,ijk->k", exact, np.square(transfer))
        found = fast.variance(row[None].astype(np.float32))[0]
        pairs = [(found @ np.square(fast.mix), every)]
        pairs.append((found @ np.square(fast.mix.sum(1)), np.sum(exact * np.square(transfer.sum(2)))))
        for one, other in pairs:
            ratio = np.sqrt(np.divide(one, other, out=np.ones_like(other), where=other > 1e-12 * every.max()))
            worst = max(worst, float(np.abs(ratio - 1).max()))
    return worst
