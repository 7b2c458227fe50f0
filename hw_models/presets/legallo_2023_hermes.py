# Tested by tests/hw_models/test_presets.py.
"""IBM HERMES project chip: 64 cores of 256 x 256 unit cells of phase-change memory in 14 nm, a day after programming.

Le Gallo et al., "A 64-core mixed-signal in-memory compute chip based on phase-change memory for deep neural network
inference", Nature Electronics 6, 680, 2023.

The paper's: tiles, two devices per polarity, products with 8-bit inputs and outputs. Published fit to the chip's
devices (IBM Analog Hardware Acceleration Kit, two devices per polarity, programmed as in Vasilopoulos et al., IEEE
Transactions on Electron Devices, 2023): g_max of the two together, programming noise, t0, read time, drift and 1/f
noise. Choices made here: the two devices as one conductance, ranges of the converters, the age, compensation of drift.
Timing: about 130 ns for a product of 256 x 256 with 8 bits (Khaddam-Aljameh et al., IEEE J. Solid-State Circuits 57,
1027, 2022, the same core); digital step and row are ours.
"""

from __future__ import annotations

from hw_models.chip import ADC, DAC, Chip, Cost, Device, Layout, Timing


def chip() -> Chip:
    """Return the chip."""
    return Chip(
        name="legallo_2023_hermes",
        citation="M. Le Gallo et al., Nature Electronics 6, 680 (2023)",
        url="https://doi.org/10.1038/s41928-023-01010-1",
        caveat=(
            "The two devices of a polarity are one conductance here, as in the fit, which gives both the same state "
            "and so drifts more than the chip with its own mapping. Leaves out the four-phase and one-phase reads, "
            "the converters' own non-linearity and noise, the local digital units and line resistance. The chip has no "
            "training: reprogramming at every update is a model. "
            "Deployed or evaluated it is read 86400 s after its last write: set device.age for another time."
        ),
        crossbar=Layout(rows=256, columns=256),  # the paper's
        device=Device(
            g_min=0.0,  # uS, as in the fit
            g_max=20.7,  # uS, the fit for two devices
            programming_noise=(0.16603222, 4.71806468, -8.48101252, 4.68961419),  # uS over g/g_max, the fit
            programming_noise_g_max=20.7,  # uS, the fit's
            read_noise=1.0,  # the two below are Q itself
            read_noise_law="pcm",
            read_noise_log=(-0.0117, -0.0069, 0.015, 0.04),  # the fit
            read_noise_above=(0.16, 0.0123, 0.0211, -0.0280, 0.0069),  # the fit
            read_time=512e-9,  # s, the fit
            drift_mean=(-0.0387, -0.0182, 0.072, 0.13),  # the fit
            drift_mean_above=(0.0945, 0.0736, -0.0126, -0.0436),  # the fit
            drift_spread=(-0.0117, -0.0057, 0.0091, 0.04),  # the fit
            drift_spread_above=(0.3055, 0.0073, 0.0093, -0.0118),  # the fit
            drift_start=300.0,  # s, the fit for two devices
            age=86400.0,  # s, ours
            drift_compensation=True,  # ours
        ),
        dac=DAC(bits=8, sign="auto", encoding="pulse_width"),  # the paper's
        adc=ADC(bits=8),  # bits: the paper's
        timing=Timing(
            integration=130e-9,  # s, whole product with its converters, one for each column: Khaddam-Aljameh 2022
            digital=20e-9,  # s, ours
            row=15e-6,  # s, ours: 20 iterations of a pulse and a read
        ),
        cost=Cost(
            components=("legallo_2023_core", "horowitz_2014_int8", "singh_2025_pulse"),  # core: the paper's
            write_iterations=20.0,  # those of a row
        ),
    )
