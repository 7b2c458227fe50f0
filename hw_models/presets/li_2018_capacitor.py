# Tested by tests/hw_models/test_presets.py.
"""Capacitor cells in 14 nm that learn by pulses: nearly linear and symmetric.

Li et al., "Capacitor-based cross-point array for analog neural network with record symmetry and linearity", Symposium
on VLSI Technology 2018, pages 25-26.

Published fit to the paper's cell (IBM Analog Hardware Acceleration Kit, its linear model): all numbers of the pulse.
Choices made here: reading against a reference, exact periphery.
"""

from __future__ import annotations

from hw_models.chip import Chip, Cost, Device, Layout, Pulse, Timing, Update


def chip() -> Chip:
    """Return the chip."""
    return Chip(
        name="li_2018_capacitor",
        citation="Y. Li et al., Symposium on VLSI Technology (2018), 25-26",
        url="https://doi.org/10.1109/VLSIT.2018.8510648",
        caveat=(
            "One cell technology in an otherwise exact array: no converters, read noise or line resistance; weights "
            "are shares of the range and conductances are nominal. Leakage of the charge is left out: weights keep "
            "their value between updates and after training. Noise goes with the step, which is within 5 % of the "
            "fit's, the same at every weight."
        ),
        crossbar=Layout(mapping="offset"),  # ours
        device=Device(
            pulse=Pulse(
                response="linear",
                dw_min=0.005,
                dw_min_spread=0.1,
                noise=0.3,
                up_down=0.0,
                up_down_spread=0.12,  # twice the fit's, which adds it to the step up and takes it off that down
                w_max=1.0,
                w_min=-1.0,
                w_max_spread=0.07,
                w_min_spread=0.07,
                gamma_up=0.05,
                gamma_down=0.05,
                gamma_up_spread=0.01,
                gamma_down_spread=0.01,
            )
        ),
        update=Update(scheme="pulsed"),
        timing=Timing(integration=40e-9, pulse=5e-9),  # s, estimates for such arrays: Rasch et al., 2024
        cost=Cost(components=("horowitz_2014_int8",)),  # digital: ours
    )
