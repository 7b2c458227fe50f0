"""Health numbers of one measurement: what tells a network that learns from one that cannot.

With the hard sigmoid an output clipped at 0 has gradient exactly 0 and does not move under -beta; the share of such
dead outputs, and how far the outputs moved under either nudge, show it before the accuracy does.
"""

from __future__ import annotations

import numpy as np

from neuroep.network import DenseLayer


def output_health(layer: DenseLayer, outputs: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """Return loss, accuracy and the shares of dead and saturated outputs.

    Parameters
    ----------
    layer : DenseLayer
        The output layer.
    outputs : numpy.ndarray
        (batch, classes), free phase.
    labels : numpy.ndarray
        (batch,).
    """
    target = np.eye(layer.size)[labels]
    return {
        "loss": float(0.5 * ((outputs - target) ** 2).sum(1).mean()),
        "accuracy": float((outputs.argmax(1) == labels).mean()),
        "dead_outputs": float((outputs <= layer.potential.low).mean()),
        "saturated_outputs": float((outputs >= layer.potential.high).mean()),
    }


def stuck_error(layer: DenseLayer, outputs: np.ndarray, labels: np.ndarray) -> float:
    """Return the share of the outputs' error that passes no gradient on, ``sum |y - s| [stuck] / sum |y - s|``.

    Stuck is an output at the bound of its potential from which its target y would pull it away: the slope is 0 there.
    """
    target = np.eye(layer.size)[labels]
    miss = np.abs(target - outputs)
    low, high = layer.potential.low, layer.potential.high
    stuck = ((outputs <= low) & (target > low)) | ((outputs >= high) & (target < high))
    total = float(miss.sum())
    return float(miss[stuck].sum()) / total if total else 0.0


def displacements(free: np.ndarray, plus: np.ndarray, minus: np.ndarray) -> dict[str, float]:
    """Return mean|s+ - s0| and mean|s- - s0| of the outputs: alike when both nudges move them alike.

    Their ratio tells dead outputs, which -beta does not move; take it of means over many batches.
    """
    return {
        "displacement_plus": float(np.abs(plus - free).mean()),
        "displacement_minus": float(np.abs(minus - free).mean()),
    }
