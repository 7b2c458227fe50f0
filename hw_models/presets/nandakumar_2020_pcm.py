# Tested by tests/hw_models/test_presets.py.
"""Phase-change memory that learns by pulses: one-sided pairs that are refreshed.

Nandakumar et al., "Mixed-precision deep learning based on computational memory", Frontiers in Neuroscience 14, 406,
2020.

Published fit to the paper's devices (IBM Analog Hardware Acceleration Kit, its exponential model with noise that grows
with the weight, and its pairs): all numbers of the pulse, of resets, and when pairs are refreshed. Devices reach twice
the weight range. Choices made here: g_max is half of a device's 25 uS for that; the rest of the periphery exact; the
difference is written in one round.
"""

from __future__ import annotations

from hw_models.chip import Cell, Chip, Cost, Device, Layout, Pulse, Timing, Update


def chip() -> Chip:
    """Return the chip."""
    return Chip(
        name="nandakumar_2020_pcm",
        citation="S. R. Nandakumar et al., Frontiers in Neuroscience 14, 406 (2020)",
        url="https://doi.org/10.3389/fnins.2020.00406",
        caveat=(
            "The training devices alone: no drift, read noise, converters or line resistance, and reads of a "
            "refresh are exact. Noise that does not go with the step is in units of each device's own step; in the "
            "fit it is the same for all. The first pulses from reset are 28 times dw_min, so an update is coarse "
            "there."
        ),
        crossbar=Layout(mapping="differential"),
        device=Device(
            g_max=12.5,  # uS
            pulse=Pulse(
                response="exponential",
                dw_min=0.01,
                dw_min_spread=0.206,  # 0.2 and the fit's 0.05 of up against down, as they take pulses up alone
                noise=0.6,
                noise_base=2.52,  # 0.6 x 0.042/dw_min
                noise_state=0.0648,  # 0.6 x 0.108
                w_max=2.0,
                w_min=0.0,
                w_max_spread=0.1,
                gamma_up=2.5,
                a_up=-27.235,
                slope=-1.0,
            ),
            cell=Cell(
                kind="one_sided",
                reset=0.01,
                reset_spread=0.02,
                reset_noise=0.01,
                refresh_every=1,
            ),
        ),
        update=Update(scheme="pulsed"),
        timing=Timing(integration=40e-9, pulse=5e-9),  # s, estimates for such arrays: Rasch et al., 2024
        cost=Cost(components=("horowitz_2014_int8",)),  # digital: ours
    )
