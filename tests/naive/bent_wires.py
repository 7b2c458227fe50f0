"""Slow twins of devices that are no resistors behind wires: one node after the other, and a deck for ngspice."""

from __future__ import annotations

import math
import re
import subprocess
from pathlib import Path

import numpy as np


def law(iv, parameter):
    """F and dF/dv of a share of the read voltage; sinh by read voltage over its own, cubic by its share."""
    if iv == "sinh":
        full = math.sinh(parameter)
        return (lambda v: math.sinh(parameter * v) / full), (lambda v: parameter * math.cosh(parameter * v) / full)
    if iv == "cubic":
        return (lambda v: (1 - parameter) * v + parameter * v**3), (lambda v: 1 - parameter + 3 * parameter * v * v)
    return (lambda v: v), (lambda v: 1.0)


def solve(g, r_word, r_bit, rows, columns, iv, parameter):
    """Currents out of the rows' left ends and of the columns' lower ends, by Newton on a dense system of all nodes.

    ``rows`` and ``columns`` are the voltages there. Both resistances are above 0.
    """
    m, n = g.shape
    current, slope = law(iv, parameter)
    v = np.zeros((2, m, n))
    for _ in range(100):
        rest, jacobian = np.zeros(2 * m * n), np.zeros((2 * m * n, 2 * m * n))

        def node(side, i, j):
            return (side * m + i) * n + j

        for i in range(m):
            for j in range(n):
                w, b = node(0, i, j), node(1, i, j)
                left = rows[i] if j == 0 else v[0, i, j - 1]
                down = columns[j] if i == m - 1 else v[1, i + 1, j]
                wires = [(w, None if j == 0 else node(0, i, j - 1), v[0, i, j] - left, 1 / r_word)]
                wires.append((b, None if i == m - 1 else node(1, i + 1, j), v[1, i, j] - down, 1 / r_bit))
                for a, other, drop, s in wires:
                    rest[a] += s * drop
                    jacobian[a, a] += s
                    if other is not None:
                        rest[other] -= s * drop
                        jacobian[other, other] += s
                        jacobian[a, other] -= s
                        jacobian[other, a] -= s
                across = v[0, i, j] - v[1, i, j]
                passed, steep = g[i, j] * current(across), g[i, j] * slope(across)
                rest[w] += passed
                rest[b] -= passed
                for a, other in ((w, b), (b, w)):
                    jacobian[a, a] += steep
                    jacobian[a, other] -= steep
        step = np.linalg.solve(jacobian, rest)
        v -= step.reshape(v.shape)
        if np.abs(step).max() < 1e-14:
            break
    out_rows = np.array([(v[0, i, 0] - rows[i]) / r_word for i in range(m)])
    return out_rows, np.array([(v[1, m - 1, j] - columns[j]) / r_bit for j in range(n)])


def deck(g, r_word, r_bit, rows, columns, iv, parameter):
    """The same network for ngspice; every end is a voltage source whose current is asked for."""
    m, n = g.shape
    formula = {
        "sinh": lambda v, s: f"{s!r}*sinh({parameter!r}*{v})/sinh({parameter!r})",
        "cubic": lambda v, s: f"{s!r}*((1-{parameter!r})*{v}+{parameter!r}*{v}*{v}*{v})",
        "linear": lambda v, s: f"{s!r}*{v}",
    }[iv]
    lines = ["an array", ".options reltol=1e-10 abstol=1e-16 vntol=1e-12 numdgt=15"]
    lines += [f"Vr{i} r{i} 0 DC {float(rows[i])!r}" for i in range(m)]
    lines += [f"Vc{j} c{j} 0 DC {float(columns[j])!r}" for j in range(n)]
    for i in range(m):
        for j in range(n):
            left = f"r{i}" if j == 0 else f"w{i}_{j - 1}"
            down = f"c{j}" if i == m - 1 else f"b{i + 1}_{j}"
            lines += [f"Rw{i}_{j} {left} w{i}_{j} {r_word!r}", f"Rb{i}_{j} b{i}_{j} {down} {r_bit!r}"]
            lines.append(f"Bd{i}_{j} w{i}_{j} b{i}_{j} I={formula(f'V(w{i}_{j},b{i}_{j})', float(g[i, j]))}")
    ends = [f"i(vr{i})" for i in range(m)] + [f"i(vc{j})" for j in range(n)]
    asked = [".control", "set numdgt=15", "op", *(f"print {end}" for end in ends), ".endc", ".end", ""]
    return "\n".join([*lines, *asked])


def spice(program, folder, *network):
    """What ngspice finds of :func:`deck`, as :func:`solve`."""
    path = Path(folder) / "array.cir"
    path.write_text(deck(*network), encoding="utf-8")
    done = subprocess.run([program, "-b", str(path)], capture_output=True, text=True, check=False)
    found = {name: float(value) for name, value in re.findall(r"^(i\(v[rc]\d+\)) = (\S+)", done.stdout, re.M)}
    m, n = network[0].shape
    return np.array([found[f"i(vr{i})"] for i in range(m)]), np.array([found[f"i(vc{j})"] for j in range(n)])
