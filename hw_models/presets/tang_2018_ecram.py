# Tested by tests/hw_models/test_presets.py.
"""Lithium electrochemical memory that learns by pulses: a thousand states, linear steps of some asymmetry.

Tang et al., "ECRAM as scalable synaptic cell for high-speed, low-power neuromorphic computing", IEDM 2018.

Published fit to the paper's device (IBM Analog Hardware Acceleration Kit, its linear model, with the range moved so
that up and down steps are equal at weight 0): all numbers of the pulse. Choices made here: reading against a
reference, exact periphery.
"""

from __future__ import annotations

from hw_models.chip import Chip, Cost, Device, Layout, Pulse, Timing, Update


def chip() -> Chip:
    """Return the chip."""
    return Chip(
        name="tang_2018_ecram",
        citation="J. Tang et al., IEDM (2018)",
        url="https://doi.org/10.1109/IEDM.2018.8614551",
        caveat=(
            "One device technology in an otherwise exact array: no converters, read noise, retention loss or line "
            "resistance; weights are shares of the range and conductances are nominal. Supposes that every device's "
            "symmetry point has been moved to weight 0; the spread of that move is not represented."
        ),
        crossbar=Layout(mapping="offset"),  # ours
        device=Device(
            pulse=Pulse(
                response="linear",
                dw_min=0.002,
                dw_min_spread=0.1,
                noise=0.3,
                up_down=0.0,
                up_down_spread=0.02,  # twice the fit's, which adds it to the step up and takes it off that down
                w_max=1.1724,
                w_min=-0.8276,
                w_max_spread=0.05,
                w_min_spread=0.05,
                gamma_up=0.1153,
                gamma_down=0.5085,
                gamma_up_spread=0.05,
                gamma_down_spread=0.05,
            )
        ),
        update=Update(scheme="pulsed"),
        timing=Timing(integration=40e-9, pulse=5e-9),  # s, estimates for such arrays: Rasch et al., 2024
        cost=Cost(components=("horowitz_2014_int8", "tang_2018_pulse")),  # pulse: the paper's projection; digital: ours
    )
