# Tested by tests/hw_models/test_presets.py.
"""A device as training would want it: constant steps, 1200 states, with the spreads that a network bears.

Gokmen and Vlasov, "Acceleration of deep neural network training with resistive cross-point devices: design
considerations", Frontiers in Neuroscience 10, 333, 2016.

Specification of the paper, in its form scaled to weights from -1 to 1 (IBM Analog Hardware Acceleration Kit,
GokmenVlasov): all numbers of the pulse. Choices made here: reading against a reference, exact periphery.
"""

from __future__ import annotations

from hw_models.chip import Chip, Cost, Device, Layout, Pulse, Timing, Update


def chip() -> Chip:
    """Return the chip."""
    return Chip(
        name="gokmen_2016_rpu",
        citation="T. Gokmen, Y. Vlasov, Frontiers in Neuroscience 10, 333 (2016)",
        url="https://doi.org/10.3389/fnins.2016.00333",
        caveat=(
            "A specification, not a device that was measured: what a network would tolerate, one property at a "
            "time, in an otherwise exact array without converters, read noise, drift or line resistance. Weights "
            "are shares of the range and conductances are nominal."
        ),
        crossbar=Layout(mapping="offset"),  # ours
        device=Device(
            pulse=Pulse(
                dw_min=0.0016,
                dw_min_spread=0.3,
                noise=0.3,
                up_down_spread=0.02,  # twice the kit's, which adds it to the step up and takes it off that down
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
