# Tested by tests/hw_models/test_presets.py.
"""Phase-change memory, one differential pair per weight, a day after programming.

Joshi et al., "Accurate deep neural network inference using computational phase-change memory", Nature Communications
11, 2473, 2020; statistics of more than 10,000 devices in 90 nm, as fitted by Nandakumar et al., "Phase-change memory
models for deep learning training and inference", ICECS 2019.

Published fit: g_max, programming noise, drift, read noise. The paper's method: a pair per weight, and outputs scaled
against the common part of drift. Choices made here: tiles, bits and ranges of the converters, the age, and all
durations but the read, which is the fit's.
"""

from __future__ import annotations

from hw_models.chip import ADC, DAC, Chip, Cost, Device, Layout, Timing


def chip() -> Chip:
    """Return the chip."""
    return Chip(
        name="joshi_2020_pcm",
        citation="V. Joshi et al., Nature Communications 11, 2473 (2020); S. R. Nandakumar et al., ICECS (2019)",
        url="https://doi.org/10.1038/s41467-020-16108-9",
        caveat=(
            "Fit to programmed and verified devices: says nothing of training by pulses. Tiles of 256 x 256 and 8-bit "
            "converters are modelling choices; no line resistance, temperature, stuck devices or neuron mismatch. "
            "Deployed or evaluated it is read 86400 s after its last write: set device.age for another time. The paper "
            "has no training on the chip: reprogramming at every update is a model, and the duration of a row is ours."
        ),
        crossbar=Layout(rows=256, columns=256),  # ours; a pair per weight: the paper's
        device=Device(
            g_min=0.0,  # uS, as in the fit, where an unset device has noise but no mean conductance
            g_max=25.0,  # uS, the fit's and the paper's
            programming_noise=(0.26348, 1.9650, -1.1731),  # uS over g/g_max, the fit
            programming_noise_g_max=25.0,  # uS, the fit's
            read_noise=0.0088,  # Q at g_max of the 1/f law, the fit
            read_noise_law="pcm",
            read_noise_exponent=0.65,  # the fit
            read_noise_cap=0.2,  # the fit
            read_time=250e-9,  # s, the fit
            read_voltage=0.2,  # V, ours: nothing was found that says it of these devices
            drift_mean=(-0.0155, 0.0244, 0.049, 0.1),  # the fit
            drift_spread=(-0.0125, -0.0059, 0.008, 0.045),  # the fit
            drift_start=20.0,  # s, first read of the fit
            age=86400.0,  # s, ours
            drift_compensation=True,  # the paper's global scaling of the outputs
        ),
        dac=DAC(bits=8, sign="auto"),  # ours
        adc=ADC(bits=8),  # ours
        timing=Timing(
            integration=250e-9,  # s, the read of the fit
            digital=20e-9,  # s, ours
            row=15e-6,  # s, ours: 20 iterations of a pulse and a read
        ),
        cost=Cost(
            components=("shafiee_2016_adc", "horowitz_2014_int8", "singh_2025_pulse"),  # ours
            write_iterations=20.0,  # those of a row
        ),
    )
