"""Slow twins of neurons that settle in continuous time: a circuit for ngspice, and its nodal equations, stiffly solved.

Two layers of n neurons, a and b, joined by an array of pairs of devices each way. Every neuron is an amplifier that
sees the currents of its lines at virtual ground, cut to [0, 1] V, behind a resistor on a capacitor:

    C dv_i/dt = (clip(k (R_f (I+_i - I-_i) + bias_i), 0, 1) - v_i)/R,     I_i = sum_j G_ij v_j
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
from scipy.integrate import solve_ivp

OHM = 1e5
"""R of every neuron."""
FEEDBACK = 1e5
"""R_f of the amplifiers."""
MICRO = 1e-6


def deck(g: np.ndarray, bias: np.ndarray, taus: tuple[float, float], slope: float, ends: np.ndarray, out: Path) -> str:
    """Return the circuit for ngspice.

    Parameters
    ----------
    g : numpy.ndarray
        (2, n, n) G+ and G- from a to b [uS]; read from b to a as they are transposed.
    bias : numpy.ndarray
        (2, n) of a and b [V].
    taus : tuple
        RC of a and b [s].
    slope : float
        k.
    ends : numpy.ndarray
        (times,) at which voltages are written, evenly spaced [s].
    out : Path
        File for them.
    """
    n = g.shape[1]
    lines = ["* two layers of RC neurons"]
    for layer, other, pair in ((1, 0, g), (0, 1, g.transpose(0, 2, 1))):
        for i in range(n):
            for sign in range(2):
                node = f"g{layer}_{i}_{sign}"
                lines += [
                    f"R{layer}_{i}_{j}_{sign} v{other}_{j} {node} {1 / (pair[sign, i, j] * MICRO):.9g}"
                    for j in range(n)
                ]
                lines.append(f"V{layer}_{i}_{sign} {node} 0 0")
            current = f"{FEEDBACK}*(i(V{layer}_{i}_0)-i(V{layer}_{i}_1))"
            drive = f"min(max({slope}*({current}+({bias[layer, i]:.9g})),0),1)"
            lines.append(f"B{layer}_{i} o{layer}_{i} 0 V={drive}")
            lines.append(f"R{layer}_{i} o{layer}_{i} m{layer}_{i} {OHM}")
            lines.append(f"C{layer}_{i} m{layer}_{i} 0 {taus[layer] / OHM:.9g} ic=0")
            lines.append(f"Ebuffer{layer}_{i} v{layer}_{i} 0 m{layer}_{i} 0 1")
    nodes = " ".join(f"v(v{layer}_{i})" for layer in range(2) for i in range(n))
    step = ends[1] - ends[0]
    lines += [
        ".control",
        "set wr_singlescale",
        f"tran {step:.9g} {ends[-1]:.9g} 0 {min(taus) / 50:.9g} uic",
        f"linearize {nodes}",
        f"wrdata {out} {nodes}",
        "quit",
        ".endc",
        ".end",
    ]
    return "\n".join(lines) + "\n"


def spice(program: str, folder: Path, *circuit: object) -> np.ndarray:
    """Return what ngspice finds of :func:`deck` without its file, (times, 2, n), from time 0 on."""
    source, out = folder / "neurons.cir", folder / "neurons.txt"
    source.write_text(deck(*circuit, out))  # type: ignore[arg-type]
    subprocess.run([program, "-b", str(source)], check=True, capture_output=True, timeout=300)
    table = np.loadtxt(out)
    n = circuit[0].shape[1]  # type: ignore[attr-defined]
    return table[:, 1:].reshape(len(table), 2, n)


def solve(
    g: np.ndarray, bias: np.ndarray, taus: tuple[float, float], slope: float, ends: np.ndarray
) -> np.ndarray:
    """Return the voltages (times, 2, n) by the equations above; parameters as of :func:`deck`."""
    n = g.shape[1]

    def rates(_: float, flat: np.ndarray) -> np.ndarray:
        volts, found = flat.reshape(2, n), np.empty((2, n))
        for layer, other, pair in ((1, 0, g), (0, 1, g.transpose(0, 2, 1))):
            for i in range(n):
                current = sum((pair[0, i, j] - pair[1, i, j]) * MICRO * volts[other, j] for j in range(n))
                drive = min(max(slope * (FEEDBACK * current + bias[layer, i]), 0.0), 1.0)
                found[layer, i] = (drive - volts[layer, i]) / taus[layer]
        return found.ravel()

    done = solve_ivp(rates, (0, ends[-1]), np.zeros(2 * n), "LSODA", ends, rtol=1e-7, atol=1e-9)
    return done.y.T.reshape(len(ends), 2, n)
