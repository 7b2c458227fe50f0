# Tested by tests/hw_models/test_presets.py.
"""Metal-oxide electrochemical memory that learns by pulses: fine steps, twice as noisy as they are large.

Kim et al., "Metal-oxide based, CMOS-compatible ECRAM for deep learning accelerator", IEDM 2019.

Published fit to the paper's data (IBM Analog Hardware Acceleration Kit, its linear model, with the range moved so that
up and down steps are equal at weight 0): all numbers of the pulse. Choices made here: reading against a reference,
exact periphery.
"""

from __future__ import annotations

from hw_models.chip import Chip, Cost, Device, Layout, Pulse, Timing, Update


def chip() -> Chip:
    """Return the chip."""
    return Chip(
        name="kim_2019_ecram",
        citation="S. Kim et al., IEDM (2019)",
        url="https://doi.org/10.1109/IEDM19573.2019.8993463",
        caveat=(
            "One device technology in an otherwise exact array: no converters, read noise, retention loss or line "
            "resistance; weights are shares of the range and conductances are nominal. Supposes that every device's "
            "symmetry point has been moved to weight 0; the spread of that move is not represented."
        ),
        crossbar=Layout(mapping="offset"),  # ours
        device=Device(
            pulse=Pulse(
                response="linear",
                dw_min=2.8214e-4,
                dw_min_spread=0.1,
                noise=2.0,
                up_down=0.0,
                up_down_spread=0.02,  # twice the fit's, which adds it to the step up and takes it off that down
                w_max=1.1714,
                w_min=-0.8286,
                w_max_spread=0.05,
                w_min_spread=0.05,
                gamma_up=0.4152,
                gamma_down=0.7342,
                gamma_up_spread=0.05,
                gamma_down_spread=0.05,
            )
        ),
        update=Update(scheme="pulsed"),
        timing=Timing(integration=40e-9, pulse=5e-9),  # s, estimates for such arrays: Rasch et al., 2024
        cost=Cost(components=("horowitz_2014_int8", "tang_2018_pulse")),  # pulse: projected; digital: ours
    )
