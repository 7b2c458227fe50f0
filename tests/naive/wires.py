"""Slow twin of the wire solver: one conductance between two nodes after another, nodes without resistance are one."""

from __future__ import annotations

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.linalg import splu


def segments(g, r_word, r_bit):
    """Yield (node, node, ohm): nodes ("w", i, j) and ("b", i, j), ends ("row", i) and ("column", j)."""
    m, n = g.shape
    for i in range(m):
        for j in range(n):
            yield ("w", i, j), (("w", i, j - 1) if j else ("row", i)), r_word
            yield ("b", i, j), (("b", i + 1, j) if i + 1 < m else ("column", j)), r_bit


def solve(g, r_word, r_bit, rows, columns):
    """Return (V_w, V_b, current out of each row's end, out of each column's end) for voltages at all ends."""
    m, n = g.shape
    name = {}

    def root(node):
        while node in name:
            node = name[node]
        return node

    links = []
    for a, b, ohm in segments(g, r_word, r_bit):
        if ohm == 0:
            name[a] = b
        else:
            links.append((a, b, 1 / ohm))
    links += [(("w", i, j), ("b", i, j), g[i, j]) for i in range(m) for j in range(n) if g[i, j]]
    links = [(root(a), root(b), s) for a, b, s in links]
    known = {("row", i): rows[i] for i in range(m)} | {("column", j): columns[j] for j in range(n)}
    inner = sorted({x for a, b, _ in links for x in (a, b)} - set(known))
    index = {node: k for k, node in enumerate(inner)}
    entries, right = [], np.zeros(len(inner))
    for a, b, s in links:
        for x, y in ((a, b), (b, a)):
            if x in index:
                entries.append((index[x], index[x], s))
                if y in index:
                    entries.append((index[x], index[y], -s))
                else:
                    right[index[x]] += s * known[y]
    voltage = dict(known)
    if inner:
        i, j, s = zip(*entries, strict=True)
        matrix = coo_matrix((s, (i, j)), shape=(len(inner), len(inner))).tocsc()
        voltage |= dict(zip(inner, splu(matrix).solve(right), strict=True))
    out = dict.fromkeys(known, 0.0)
    for a, b, s in links:
        for x, y in ((a, b), (b, a)):
            if x in out:
                out[x] += s * (voltage[y] - voltage[x])
    word = np.array([[voltage[root(("w", i, j))] for j in range(n)] for i in range(m)])
    bit = np.array([[voltage[root(("b", i, j))] for j in range(n)] for i in range(m)])
    return word, bit, np.array([out["row", i] for i in range(m)]), np.array([out["column", j] for j in range(n)])


def effective(g, r_word, r_bit):
    """Drive one word line after the other, sense all bit lines."""
    m, n = g.shape
    return np.array([solve(g, r_word, r_bit, row, np.zeros(n))[3] for row in np.eye(m)])


def transposed(g, r_word, r_bit):
    """Drive one bit line after the other at its lower end, sense all word lines at their left, (bit, word)."""
    m, n = g.shape
    return np.array([solve(g, r_word, r_bit, np.zeros(m), column)[2] for column in np.eye(n)])
