# Tested by tests/hw_models/test_presets.py.
"""NeuRRAM: 48 cores of 256 x 256 resistive memory cells in 130 nm, a day after programming.

Wan et al., "A compute-in-memory chip based on resistive random-access memory", Nature 608, 504, 2022.

The paper's: cells per core, g_max, pairs in neighbouring rows, so that a core holds 128 x 256 weights. Published fit
to the paper's figures (IBM Analog Hardware Acceleration Kit): spread of conductances by target, a second and a day
after programming, polynomials of fourth order (given there with the highest power first, here constant first). Choices
made here: growth with the logarithm of the time in between, g_min, bits and ranges of the converters, the age. Timing:
steps of integration and conversion and write-verify are the paper's (Wan 2022, as collected by CiMLoop), and so is how
many of them a product of signed 8-bit inputs takes, the constants of ``wan_2022_core``: 10.1 us.
"""

from __future__ import annotations

from hw_models.chip import ADC, DAC, Chip, Cost, Device, Layout, Timing

DAY = (0.701, 22.086, -50.773, 47.095, -16.458)
"""Standard deviation a day after programming [uS over g/g_max, constant first]."""
SECOND = (0.348, 16.030, -43.853, 45.393, -16.815)
"""The same a second after programming [uS over g/g_max, constant first]."""


def chip() -> Chip:
    """Return the chip."""
    return Chip(
        name="wan_2022_reram",
        citation="W. Wan et al., Nature 608, 504 (2022)",
        url="https://doi.org/10.1038/s41586-022-04992-8",
        caveat=(
            "Relaxation is a normal displacement of each device, drawn once per programming, which comes between a "
            "second and a day after it; no read noise (the fit's authors suggest about 1 %). Deployed or evaluated it "
            "is read 86400 s after its last write: set device.age for another time. 8-bit converters are a modelling "
            "choice: the chip's inputs are coarser and bit-serial, its outputs of variable precision. Leaves out "
            "voltage-mode sensing, normalisation by the conductance of a column, and line resistance. The chip has no "
            "training by pulses."
        ),
        crossbar=Layout(rows=128, columns=256),  # the paper's: two of the 256 rows per weight
        device=Device(
            g_min=0.0,  # uS, as in the fit
            g_max=40.0,  # uS, the paper's and the fit's
            programming_noise=DAY,
            programming_noise_fresh=SECOND,
            programming_noise_g_max=40.0,  # uS, the fit's
            age=86400.0,  # s, ours
        ),
        dac=DAC(bits=8, sign="auto", encoding="pulses"),  # pulses: the paper's, bits: ours
        adc=ADC(bits=8),  # ours
        timing=Timing(
            # An input of 8 bits is a sign and 7 bits of pulses, which the paper sends in two phases, here of 4 and 3
            # bits: 2^4 - 1 and 2^3 - 1 pulses, each integrated in a step of 0.27 us.
            integration=(15 + 7) * 0.27e-6,  # s, steps and phases: the paper's
            # The output is converted after each phase, by steps of 0.30 us: of 8 bits, then of the 4 that the first
            # phase has left open.
            adc=(8 + 4) * 0.3e-6,  # s, the steps are the paper's; that none stops early, as its charge is gone, is ours
            dac=2 * 0.3e-6,  # s, the paper's 0.30 us to begin each phase
            digital=20e-9,  # s, ours
            row=512 * 8.5e-6,  # s, write and verify of 8.5 us per cell, the paper's; two cells for each of 256 weights
        ),
        cost=Cost(components=("wan_2022_core", "wan_2022_write", "horowitz_2014_int8")),  # core and writes: the paper's
    )
