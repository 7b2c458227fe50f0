"""What read noise with a time leaves between two phases, through a whole engine: a loop over samples and sweeps.

EP reads the difference of two phases. Without a nudge in either all of it is noise. The twin draws every relaxation
process of every device of a chip of its own for each sample, moves it from sweep to sweep, and settles with the
matrices that are there then.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import pytest

from hw_models.laws.spectrum import band
from neuroep.engines.schedule import Schedule
from neuroep.runs.session import Session
from tests.naive import network as naive
from tests.neuroep.engines.chip.conftest import assembled

READ = 250e-9
DAY = 86400.0
Q, EXPONENT, CAP = 0.0088, 0.65, 0.2
PCM = {
    "device.read_noise": Q,
    "device.read_noise_law": "pcm",
    "device.drift_start": DAY,
    "timing.integration": READ,
}
FREE, STILL = Schedule(steps=6, tolerance=0.0), Schedule(steps=8, tolerance=0.0)
TIMES = 15


def deviations(weight: np.ndarray) -> np.ndarray:
    """sigma = |w| Q sqrt(ln(tmax/tmin)) of devices whose range is the largest weight."""
    share = np.abs(weight) / np.abs(weight).max()
    size = np.minimum(Q / np.maximum(share, 1e-9) ** EXPONENT, CAP)
    return np.abs(weight) * size * math.sqrt(math.log((DAY + READ) / (2 * READ)))


@cache
def parts_of(exact: bool) -> Session:
    """Return a small run on a chip with the noise of phase-change memory a day old and nothing else."""
    return assembled(PCM | {"crossbar.exact_noise": exact}, {"engine.dtype": "float64"})


@cache
def by_hand() -> dict[str, float]:
    """Squared differences of two phases without a nudge, by layer, of chips that are new for each sample."""
    parts, rng = parts_of(False), np.random.default_rng(5)
    network, theta, batch = parts.network, parts.engine.parameters(), next(iter(parts.shuffled(0)))
    spectrum, found = band(2 * READ, DAY + READ), dict.fromkeys((layer.name for layer in network.layers), 0.0)
    names = [f"{synapse.name}.weight" for synapse in network.dense]
    kept = np.exp(-2 * READ / spectrum.taus)[:, None, None]
    for sample in TIMES * naive.samples(network, batch):
        noise = {name: rng.standard_normal((len(kept), *theta[name].shape)) for name in names}
        maths = naive.Mathematics(network, theta, sample, 0.0)

        def settled(state: dict, sweeps: int, noise=noise, maths=maths) -> dict:
            for _ in range(sweeps):
                for name, z in noise.items():
                    z *= kept
                    z += np.sqrt(1 - kept**2) * rng.standard_normal(z.shape)
                    read = np.tensordot(np.sqrt(spectrum.shares), z, 1)
                    maths.theta = maths.theta | {name: theta[name] + deviations(theta[name]) * read}
                state = maths.sweep(state, naive.Course("layerwise", 1))
            return state

        free = settled(maths.rest(), FREE.steps)
        one, other = settled(free, STILL.steps), settled(free, STILL.steps)
        for name in found:
            found[name] += float(np.sum((maths.read(one, name) - maths.read(other, name)) ** 2))
    return found


@pytest.mark.parametrize("exact", [False, True])
def test_noise_between_phases_is_that_of_every_device_by_itself(exact: bool) -> None:
    """Of 8 samples 15 times; variances within 4 sigma of those of 120 samples that have one or two degrees of freedom.

    Noise that is fresh in every read leaves more than twice as much, and noise that is frozen nothing.
    """
    parts = parts_of(exact)
    engine, batch = parts.engine, next(iter(parts.shuffled(0)))
    found = dict.fromkeys(by_hand(), 0.0)
    for number in range(TIMES):
        clamped = engine.clamp(batch.keyed("noise", number))
        free = engine.settle(clamped, FREE)
        one, other = (engine.states(engine.settle(clamped, STILL, 0.0, free, (), place)) for place in (1, 2))
        for name in found:
            found[name] += float(np.sum((one[name] - other[name]) ** 2))
    for name, wanted in by_hand().items():
        assert found[name] / wanted == pytest.approx(1, abs=4 * math.sqrt(2 * 2 / (TIMES * 8 * 2))), name
