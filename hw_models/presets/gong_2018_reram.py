# Tested by tests/hw_models/test_presets.py.
"""HfO2 resistive memory that learns by pulses: exponential steps, strong asymmetry, steps far below their noise.

Gong et al., "Signal and noise extraction from analog memory elements for neuromorphic computing", Nature
Communications 9, 2102, 2018.

Published fit to the paper's device (IBM Analog Hardware Acceleration Kit, its exponential model): all numbers of the
pulse. Choices made here: reading against a reference, exact periphery.
"""

from __future__ import annotations

from hw_models.chip import Chip, Cost, Device, Layout, Pulse, Timing, Update


def chip() -> Chip:
    """Return the chip."""
    return Chip(
        name="gong_2018_reram",
        citation="N. Gong et al., Nature Communications 9, 2102 (2018)",
        url="https://doi.org/10.1038/s41467-018-04485-1",
        caveat=(
            "One device technology in an otherwise exact array: no converters, read noise, drift or line resistance; "
            "weights are shares of the range and conductances are nominal. Leaves out the fit's write noise, a "
            "difference of 75 steps between the state and what is read of it."
        ),
        crossbar=Layout(mapping="offset"),  # ours
        device=Device(
            pulse=Pulse(
                response="exponential",
                dw_min=0.00135,
                dw_min_spread=0.2,
                noise=5.0,
                up_down=0.259359,
                up_down_spread=0.1,  # twice the fit's, which adds it to the step up and takes it off that down
                w_max=1.0,
                w_min=-1.0,
                w_max_spread=0.3,
                w_min_spread=0.3,
                gamma_up=5.0,
                gamma_down=5.0,
                a_up=-1.18445,
                a_down=-0.081404,
                slope=-0.5,
                offset=-0.5,
            )
        ),
        update=Update(scheme="pulsed"),
        timing=Timing(integration=40e-9, pulse=5e-9),  # s, estimates for such arrays: Rasch et al., 2024
        cost=Cost(components=("horowitz_2014_int8", "singh_2025_pulse")),  # pulse: of such devices in general
    )
