"""Line resistance of a tile as an effective conductance matrix: one solution per programming, then plain products.

Word line i (m of them, inputs) is driven at the left through one segment of r_word, bit line j (n, outputs) is held at
0 V at the bottom through one segment of r_bit; device g_ij joins them. Nodal equations of the inner nodes, with V_w at
the source's voltage left of column 0 and V_b = 0 below row m - 1:

    (V_w[i,j] - V_w[i,j-1])/r_w + (V_w[i,j] - V_w[i,j+1])/r_w + g_ij (V_w[i,j] - V_b[i,j]) = 0
    (V_b[i,j] - V_b[i-1,j])/r_b + (V_b[i,j] - V_b[i+1,j])/r_b - g_ij (V_w[i,j] - V_b[i,j]) = 0

The network is linear, so sensed currents are I = V @ G_eff with G_eff (m, n). It is a chain of columns. With T the
tridiagonal matrix of one bit line and G_j = diag(g[:, j]), column j alone is the admittance

    S_j = G_j - G_j (T + G_j)^-1 G_j        and its sensed current s_j . V_w[:, j],  s_j = G_j (T + G_j)^-1 e_last/r_b

and what lies right of the segments ahead of column j is the admittance Y_j, from the last column to the first

    Y_j = S_j + Y_(j+1) (1 + r_w Y_(j+1))^-1,     V_w[:, j] = M_j V_w[:, j-1],  M_j = (1 + r_w Y_j)^-1
    G_eff[:, j] = M_0 M_1 ... M_j s_j

All matrices are symmetric positive definite and M-matrices or their inverses; with 1 + r_w Y = L L', W = L^-1 Y the
recursion is Y - r_w W'W, which loses nothing where r_w Y is small; it is Y M, so that M is 1 less r_w times it, one
product with what lies behind, where no diagonal of r_w Y is beyond 1/2. S, s: :mod:`hw_models.kernels.bit_lines`.
Work: a Cholesky factor, a triangular solve and half of a symmetric product of m x m for every column, then n - j
right-hand sides, 7/3 n m^3 + n^2 m^2 floating-point operations (14 G at 256 x 256), in blocks of the smaller of m and
n: by reciprocity the transposed read (sources at the bottom of the bit lines, sensing at the left of the word lines)
sees G_eff transposed, so a tile with n < m is solved turned round. A resistance of 0 is exact: with one of them the
lines of the other kind are ladders, O(m n).

Units: conductances in S, resistances in ohm, voltages in V, currents in A (a chip's uS are converted by the caller).
Source: the network and its nodal equations, Joksas and Mehonic, SoftwareX 12, 100617, 2020; the elimination is block
LU of a block tridiagonal matrix, as in Golub and Van Loan, Matrix Computations, section 4.5.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.linalg import blas, cho_solve, lapack

from hw_models.errors import ChipError
from hw_models.kernels import bit_lines

LITTLE = 0.5
"""Largest diagonal of r_w Y up to which 1 - r_w Y M is M without cancelling: no diagonal of M is below 2/3."""


def effective(g: np.ndarray, r_word: float, r_bit: float) -> np.ndarray:
    """Return G_eff [S] of a tile, float64.

    Parameters
    ----------
    g : numpy.ndarray
        Conductances (word lines, bit lines) [S], 0 for an open device.
    r_word, r_bit : float
        One segment [ohm].

    Returns
    -------
    numpy.ndarray
        (word lines, bit lines): currents out of the bit lines are ``v @ G_eff``. Transposed it serves the other
        direction. An entry may exceed its device's conductance by what flows through neighbours; a column's sum
        never exceeds that of its devices.

    Raises
    ------
    ChipError
        Conductances that are negative, not finite or not a matrix; resistances that are negative or beyond solution.
    """
    g = _checked(g, r_word, r_bit)
    if not r_word and not r_bit:
        return g.copy()
    if not r_bit:
        return g * ladder(g, r_word)
    if not r_word or len(g) > g.shape[1]:
        return np.ascontiguousarray(effective(g[::-1, ::-1].T, r_bit, r_word).T[::-1, ::-1])
    result = np.empty(g.shape, order="F")
    for j, factor, sensed, ahead in _columns(g, r_word, r_bit):
        result[:, j] = sensed
        if ahead is None:
            result[:, j:] = cho_solve((factor, True), result[:, j:], overwrite_b=True, check_finite=False)
        else:
            blas.dgemm(-r_word, ahead.T, result[:, j:].copy("F"), beta=1.0, c=result[:, j:], overwrite_c=1)
    return np.ascontiguousarray(result)


def attenuation(g: np.ndarray, found: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Split G_eff into a share of every device and what flows beside it: found = share g + beside.

    For conductances that change a little before the network is solved again: ``share * g_new + beside``.

    Parameters
    ----------
    g, found : numpy.ndarray
        Conductances and their G_eff, in one unit.

    Returns
    -------
    share : numpy.ndarray
        In (0, 1]: found/g, at most 1; that of the whole column where a device is open.
    beside : numpy.ndarray
        Current through neighbours, not negative.
    """
    total = g.sum(axis=0)
    column = np.divide(found.sum(axis=0), total, out=np.ones_like(total), where=total > 0)
    share = np.minimum(np.divide(found, g, out=np.broadcast_to(column, g.shape).copy(), where=g > 0), 1)
    return share, found - share * g


def node_voltages(g: np.ndarray, r_word: float, r_bit: float, v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the voltages of all nodes of the word lines and of the bit lines [V].

    Keeps one m x m factor for every column: for looking at a tile, not for products.

    Parameters
    ----------
    g, r_word, r_bit
        As in :func:`effective`.
    v : numpy.ndarray
        Source voltages (word lines,) or (word lines, cases) [V].

    Returns
    -------
    numpy.ndarray, numpy.ndarray
        Each (word lines, bit lines) or (word lines, bit lines, cases); device currents are g times their difference.
    """
    g, v = _checked(g, r_word, r_bit), np.asarray(v, dtype=np.float64)
    if v.ndim not in (1, 2) or len(v) != len(g):
        raise ChipError(f"v: shape {v.shape}, it should be ({len(g)},) or ({len(g)}, cases) for {len(g)} word lines")
    word = np.empty((*g.shape, *v.shape[1:]))
    word[:] = v[:, None]
    bit = np.zeros_like(word)
    if r_word and not r_bit:
        word *= ladder(g, r_word).reshape(*g.shape, *(1,) * (v.ndim - 1))
    elif r_word:
        ahead = v
        for j, factor, *_ in reversed(list(_columns(g, r_word, r_bit))):
            word[:, j] = ahead = cho_solve((factor, True), ahead, check_finite=False)
    if r_bit:
        for j in range(g.shape[1]):
            bit[:, j] = _bit_line(g[:, j], r_bit, (g[:, j] * word[:, j].T).T)
    return word, bit


def sensitivities(g: np.ndarray, r_word: float, r_bit: float) -> tuple[np.ndarray, np.ndarray]:
    """Return what a change of each conductance does to the sensed currents, dI_k = sum_p x_p D_ij,p A_ij,k dg_ij.

    Parameters
    ----------
    g, r_word, r_bit
        As in :func:`effective`.

    Returns
    -------
    across : numpy.ndarray
        (word, bit, word), D_ij,p: voltage across device (i, j), word side less bit side, with 1 V at word line p.
    transfer : numpy.ndarray
        (word, bit, bit), A_ij,k: voltage across it, bit side less word side, with 1 V at the end of bit line k; by
        reciprocity the share of a current from its word node to its bit node that is sensed at k.
    """
    word, bit = node_voltages(g, r_word, r_bit, np.eye(len(g)))
    turned = np.ascontiguousarray(np.asarray(g)[::-1, ::-1].T)
    other, own = node_voltages(turned, r_bit, r_word, np.eye(len(turned)))
    return word - bit, np.ascontiguousarray((other - own)[::-1, ::-1, ::-1].transpose(1, 0, 2))


def _columns(
    g: np.ndarray, r_word: float, r_bit: float
) -> Iterator[tuple[int, np.ndarray, np.ndarray, np.ndarray | None]]:
    """Yield j, the Cholesky factor of 1 + r_w Y_j, Y_j M_j and s_j, from the last column to the first.

    Y_j M_j, what is seen ahead of the segments, is None in front of column 0 and where M_j should not be had from it;
    it is written to again.
    """
    m, n = g.shape
    admittance, part = np.zeros((m, m)), np.empty((m, m))
    for j in reversed(range(n)):
        inside, sensed = np.empty((m, m)), np.empty(m)
        bit_lines.add_line(np.ascontiguousarray(g[:, j]), r_word, r_bit, admittance, inside, sensed)
        largest = inside.diagonal().max() - 1
        factor, fault = lapack.dpotrf(inside.T, lower=1, overwrite_a=1, clean=0)
        if fault or not np.isfinite(largest):
            raise ChipError(f"r_word = {r_word!r}, r_bit = {r_bit!r}: too large beside the devices to be solved")
        if j:
            part[:] = admittance
            blas.dtrsm(r_word**0.5, factor, part.T, lower=1, overwrite_b=1)
            blas.dsyrk(-1.0, part.T, beta=1.0, c=admittance.T, trans=1, lower=1, overwrite_c=1)
            bit_lines.mirror(admittance)
        yield j, factor, sensed, admittance if j and largest <= LITTLE else None


def _bit_line(g: np.ndarray, r_bit: float, sides: np.ndarray) -> np.ndarray:
    """Return (T + diag g)^-1 sides of one bit line, grounded below its last node."""
    diagonal = g + 2 / r_bit
    diagonal[0] = g[0] + 1 / r_bit
    if len(g) == 1:
        return sides / diagonal[0]
    diagonal, below, _ = lapack.dpttrf(diagonal, np.full(len(g) - 1, -1 / r_bit))
    return lapack.dpttrs(diagonal, below, sides)[0].reshape(sides.shape)


def impedance(g: np.ndarray, r_word: float, r_bit: float) -> np.ndarray:
    """Return the impedance [ohm] that a small current of every device meets, its own conductance in parallel.

    Of each device's own word line and bit line, other lines at 0 V: Z = Z0/(1 + g Z0), Z0 the sum of both lines'. To
    second order in a fluctuation dg the device counts as dg - Z dg^2.

    Parameters
    ----------
    g, r_word, r_bit
        As in :func:`effective`.
    """
    g = _checked(g, r_word, r_bit)
    lines = _seen(g, r_word) + _seen(g[::-1, ::-1].T, r_bit)[::-1, ::-1].T
    return lines / (1 + g * lines)


def _seen(g: np.ndarray, r: float) -> np.ndarray:
    """Return the impedance of word lines held at their left, from each node, without the device there."""
    if not r:
        return np.zeros_like(g)
    left, right = np.full_like(g, 1 / r), np.zeros_like(g)
    for j in range(1, g.shape[1]):
        inside = g[:, j - 1] + left[:, j - 1]
        left[:, j] = inside / (1 + r * inside)
    for j in reversed(range(g.shape[1] - 1)):
        inside = g[:, j + 1] + right[:, j + 1]
        right[:, j] = inside / (1 + r * inside)
    return 1 / (left + right)


def ladder(g: np.ndarray, r_word: float) -> np.ndarray:
    """Return V_w over the source's voltage, (word lines, bit lines), where all bit lines are at 0 V."""
    admittance = np.empty_like(g)
    right = np.zeros(len(g))
    for j in reversed(range(g.shape[1])):
        admittance[:, j] = g[:, j] + right
        right = admittance[:, j] / (1 + r_word * admittance[:, j])
    return np.cumprod(1 / (1 + r_word * admittance), axis=1)


def _checked(g: np.ndarray, r_word: float, r_bit: float) -> np.ndarray:
    for name, value in (("r_word", r_word), ("r_bit", r_bit)):
        if not 0 <= value < np.inf:
            raise ChipError(f"{name} = {value!r}: it should be from 0, in ohm")
    g = np.asarray(g, dtype=np.float64)
    if g.ndim != 2 or not g.size:
        raise ChipError(f"conductances: shape {g.shape}, it should be (word lines, bit lines)")
    if not (np.isfinite(g) & (g >= 0)).all():
        raise ChipError("conductances: there are negative or non-finite ones")
    return g
