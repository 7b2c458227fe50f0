"""A chip that settles in continuous time: the waveform of 16 x 16 devices and RC neurons, beside ngspice."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from hw_models import durations
from hw_models.arrays.crossbar import Crossbar
from hw_models.chip import Chip, Neuron
from neuroep.engines.chip.neurons import ChipNeurons
from neuroep.engines.numba.substrate import Setting
from neuroep.engines.schedule import Schedule
from neuroep.engines.workers import Workers
from neuroep.learning.optimisers import SGD
from neuroep.network import DenseLayer
from neuroep.network.potentials import HardSigmoid
from tests.naive import rc_network as naive

SIZE, SLOPE = 16, 0.5
TAUS = {"a": 1e-6, "b": 3e-6}
DT, SWEEPS = 0.02, 500
DRAW = np.random.default_rng(11)
WEIGHT = DRAW.uniform(-1, 1, (SIZE, SIZE)) * 0.9
WEIGHT[0, 0] = 1.0
BIAS = DRAW.uniform(-0.5, 1.5, (2, SIZE))
CHIP = Chip.model_validate({"device": {"g_min": 0.1, "g_max": 10.1}, "timing": {"tau": TAUS}})


def settling() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Settle from rest; return the times after every sweep [s], the states (sweeps + 1, 2, n), and (G+, G-) [uS]."""
    bar = Crossbar(CHIP, (SIZE, SIZE), dtype="float64")
    bar.program(WEIGHT)
    setting = Setting(SGD(), Workers(1), "float64", 0)
    cells = [ChipNeurons(DenseLayer(name, SIZE, HardSigmoid(SLOPE)), Neuron(), setting) for name in TAUS]
    whole = Schedule("synchronous", dt=DT)
    own = [whole.paced(durations.pace(CHIP.timing, name)) for name in TAUS]
    states = [np.zeros((1, SIZE)) for _ in TAUS]
    seen = [np.zeros((2, SIZE))]
    for _ in range(SWEEPS):
        drives = bar.transposed(states[1]) + BIAS[0], bar.forward(states[0]) + BIAS[1]
        for cell, drive, state, schedule in zip(cells, drives, states, own, strict=True):
            cell.respond(drive, None, state, None, 0.0, schedule)
        seen.append(np.concatenate(states))
    each = durations.sweep([tuple(TAUS)], {name: durations.step(CHIP.timing, name, DT) for name in TAUS})
    plus, minus = bar.conductances()
    return each * np.arange(SWEEPS + 1), np.stack(seen), np.stack([plus[0], minus[0]]).astype(np.float64)


def check(times: np.ndarray, states: np.ndarray, expected: np.ndarray) -> None:
    """Hold a waveform within 2 % of the full scale at every moment, and where it ends."""
    assert np.abs(states - expected).max() < 0.02
    assert np.abs(states[-1] - expected[-1]).max() < 0.002
    middle = np.abs(states[SWEEPS // 20] - states[-1]).max()
    assert middle > 0.1, "it is still on its way there"


def test_the_waveform_is_that_of_the_nodal_equations() -> None:
    times, states, g = settling()
    assert times[-1] == pytest.approx(SWEEPS * DT * 1e-6), "latency: sweeps x dt x the shortest time constant"
    check(times, states, naive.solve(g, BIAS, tuple(TAUS.values()), SLOPE, times))


@pytest.mark.skipif(shutil.which("ngspice") is None, reason="no ngspice here")
def test_the_waveform_is_that_of_ngspice(tmp_path: Path) -> None:
    times, states, g = settling()
    found = naive.spice("ngspice", tmp_path, g, BIAS, tuple(TAUS.values()), SLOPE, times)
    check(times, states, found[: len(times)])
