"""Slow twins of the attention kernels: one token and one pattern at a time, float64, straight from the equations."""

from __future__ import annotations

import math

import numpy as np


def held_logits(drive, keys, kappa):
    """kappa D X^T of one sample, drive (n, d), keys (m, d)."""
    logits = np.zeros((len(drive), len(keys)))
    for t in range(len(drive)):
        for j in range(len(keys)):
            logits[t, j] = kappa * sum(float(drive[t, i]) * float(keys[j, i]) for i in range(keys.shape[1]))
    return logits


def softmax(row):
    """Softmax of one row."""
    values = [float(v) for v in row]
    top = max(values)
    powers = [math.exp(v - top) for v in values]
    return np.array([power / sum(powers) for power in powers])


def flat_weights(logits, feedback, keys, kappa):
    """p of one sample: softmax(M + kappa F X^T), feedback (n, d)."""
    shifted = logits.astype(np.float64) + held_logits(feedback, keys, kappa)
    return np.array([softmax(row) for row in shifted])


def pooled_weights(logits, feedback, keys, kappa):
    """p of one sample when all tokens get the same feedback v / sqrt(n), feedback v (d,)."""
    n = len(logits)
    return flat_weights(logits, np.array([feedback / math.sqrt(n)] * n), keys, kappa)


def states(weights, keys):
    """a_t = sum_j p_tj x_j."""
    rows = np.zeros((len(weights), keys.shape[1]))
    for t in range(len(weights)):
        for j in range(len(keys)):
            rows[t] += float(weights[t, j]) * keys[j].astype(np.float64)
    return rows


def pool(rows):
    """sum_t a_t / sqrt(n); zero for an empty sequence."""
    return rows.sum(0) / math.sqrt(len(rows)) if len(rows) else np.zeros(rows.shape[1])
