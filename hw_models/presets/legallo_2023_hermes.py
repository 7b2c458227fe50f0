"""IBM HERMES project chip: 64 cores of 256 x 256 unit cells of phase-change memory in 14 nm, a day after programming.

Le Gallo et al., "A 64-core mixed-signal in-memory compute chip based on phase-change memory for deep neural network
inference", Nature Electronics 6, 680, 2023.

The paper's: tiles, products with 8-bit inputs and outputs. Published fit to the chip's devices (IBM Analog Hardware
Acceleration Kit, one device per polarity): g_max, programming noise, t0, read time, drift and 1/f noise. Choices made
here: one device per polarity, ranges of the converters, the age, compensation of drift.
"""

from __future__ import annotations

from hw_models.chip import Chip, Converter, Crossbar, Device


def chip() -> Chip:
    """Return the chip."""
    return Chip(
        name="legallo_2023_hermes",
        citation="M. Le Gallo et al., Nature Electronics 6, 680 (2023)",
        url="https://doi.org/10.1038/s41928-023-01010-1",
        caveat=(
            "One device per polarity, where the chip has two. "
            "Leaves out the four-phase and one-phase reads, the converters' own non-linearity and noise, the local "
            "digital units and line resistance. The chip has no training: reprogramming at every update is a model. "
            "Every read is 86400 s after programming: set device.age for another time."
        ),
        crossbar=Crossbar(rows=256, columns=256),  # the paper's
        device=Device(
            g_min=0.0,  # uS, as in the fit
            g_max=10.35,  # uS, the fit for one device
            programming_noise=(0.15781817, 2.32443916, -2.16310839, 0.68841818),  # uS over g/g_max, the fit
            read_noise=1.0,  # the two below are Q itself
            read_noise_law="pcm",
            read_noise_log=(-0.0078, 0.0038, 0.0179, 0.04),  # the fit
            read_noise_above=(0.1591, 0.0088, 0.0768, -0.1352, 0.0664),  # the fit
            read_time=512e-9,  # s, the fit
            drift_mean=(-0.0387, -0.0182, 0.072, 0.13),  # the fit
            drift_mean_above=(0.0945, 0.0736, -0.0126, -0.0436),  # the fit
            drift_spread=(-0.0120, -0.0023, 0.0124, 0.04),  # the fit
            drift_spread_above=(0.3039, 0.0104, 0.0116, -0.0165),  # the fit
            drift_start=200.0,  # s, the fit for one device
            age=86400.0,  # s, ours
            drift_compensation=True,  # ours
        ),
        dac=Converter(bits=8, sign="auto"),  # bits: the paper's
        adc=Converter(bits=8),  # bits: the paper's
    )
