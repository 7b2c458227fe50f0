"""IBM HERMES project chip: 64 cores of 256 x 256 unit cells of phase-change memory in 14 nm, a day after programming.

Le Gallo et al., "A 64-core mixed-signal in-memory compute chip based on phase-change memory for deep neural network
inference", Nature Electronics 6, 680, 2023.

The paper's: tiles, products with 8-bit inputs and outputs. Published fit to the chip's devices (IBM Analog Hardware
Acceleration Kit, one device per polarity): g_max, programming noise, t0, read time, and drift and 1/f noise as
functions in branches, which are met here only nearly, by the forms of :class:`hw_models.chip.Device` (the largest
errors, from g/g_max = 0.005 to 1: mean of nu 0.012, its spread 0.003, Q 18 %). Choices made here: one device per
polarity, ranges of the converters, the age, compensation of drift.
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
            "One device per polarity, where the chip has two; drift and 1/f noise are near forms of the published fit. "
            "Leaves out the four-phase and one-phase reads, the converters' own non-linearity and noise, the local "
            "digital units and line resistance. The chip has no training: reprogramming at every update is a model. "
            "Every read is 86400 s after programming: set device.age for another time."
        ),
        crossbar=Crossbar(rows=256, columns=256),  # the paper's
        device=Device(
            g_min=0.0,  # uS, as in the fit
            g_max=10.35,  # uS, the fit for one device
            programming_noise=(0.15781817, 2.32443916, -2.16310839, 0.68841818),  # uS over g/g_max, the fit
            read_noise=0.0159,  # near the fit's branches
            read_noise_law="pcm",
            read_noise_exponent=0.154,  # near
            read_noise_cap=0.04,  # the fit
            read_time=512e-9,  # s, the fit
            drift_mean=(-0.0232, 0.0289, 0.0174, 0.13),  # near; the bounds are the fit's
            drift_spread=(-0.0093, 0.0041, 0.0055, 0.04),  # near; the bounds are the fit's
            drift_start=200.0,  # s, the fit for one device
            age=86400.0,  # s, ours
            drift_compensation=True,  # ours
        ),
        dac=Converter(bits=8, sign="auto"),  # bits: the paper's
        adc=Converter(bits=8),  # bits: the paper's
    )
