# Tested by tests/hw_models/test_presets.py.
"""An idealised device: constant and, on average, symmetric steps, 10 000 states.

Rasch, Gokmen and Haensch, "Training large-scale artificial neural networks on simulated resistive crossbar arrays",
IEEE Design & Test 37 (2), 19-29, 2020.

Specification of the paper (IBM Analog Hardware Acceleration Kit, Idealized): all numbers of the pulse. Choices made
here: reading against a reference, exact periphery.
"""

from __future__ import annotations

from hw_models.chip import Chip, Cost, Device, Layout, Pulse, Timing, Update


def chip() -> Chip:
    """Return the chip."""
    return Chip(
        name="rasch_2020_idealised",
        citation="M. J. Rasch, T. Gokmen, W. Haensch, IEEE Design & Test 37 (2), 19-29 (2020)",
        url="https://doi.org/10.1109/MDAT.2019.2952341",
        caveat=(
            "A specification that no device meets: every device is symmetric, whatever its step and range, in an "
            "otherwise exact array without converters, read noise, drift or line resistance. Weights are shares of "
            "the range and conductances are nominal."
        ),
        crossbar=Layout(mapping="offset"),  # ours
        device=Device(
            pulse=Pulse(
                dw_min=0.0002,
                dw_min_spread=0.3,
                noise=0.3,
                w_max=1.0,
                w_min=-1.0,
                w_max_spread=0.3,
                w_min_spread=0.3,
            )
        ),
        update=Update(scheme="pulsed"),
        timing=Timing(integration=40e-9, pulse=5e-9),  # s, estimates for such arrays: Rasch et al., 2024
        cost=Cost(components=("horowitz_2014_int8",)),  # digital: ours
    )
