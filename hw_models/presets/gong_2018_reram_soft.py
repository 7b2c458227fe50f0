# Tested by tests/hw_models/test_presets.py.
"""HfO2 resistive memory that learns by pulses, as soft bounds: a looser fit than ``gong_2018_reram``.

Gong et al., "Signal and noise extraction from analog memory elements for neuromorphic computing", Nature
Communications 9, 2102, 2018.

Published fit to the paper's device (IBM Analog Hardware Acceleration Kit, ReRamSB): all numbers of the pulse, the range
shifted so that the symmetry point is at weight 0. Choices made here: reading against a reference, exact periphery.
"""

from __future__ import annotations

from hw_models.chip import Chip, Cost, Device, Layout, Pulse, Timing, Update


def chip() -> Chip:
    """Return the chip."""
    return Chip(
        name="gong_2018_reram_soft",
        citation="N. Gong et al., Nature Communications 9, 2102 (2018)",
        url="https://doi.org/10.1038/s41467-018-04485-1",
        caveat=(
            "A loose fit of one device technology in an otherwise exact array, which assumes that a reference has "
            "been subtracted already: no converters, read noise, drift or line resistance; weights are shares of "
            "the range and conductances are nominal. Write noise is 56 steps, so trains of few pulses are "
            "played pulse by pulse."
        ),
        crossbar=Layout(mapping="offset"),  # ours
        device=Device(
            pulse=Pulse(
                response="soft_bounds",
                dw_min=0.002,
                dw_min_spread=0.3,
                noise_base=3.75,
                write_noise=56.0,
                up_down_spread=0.02,  # twice the fit's, which adds it to the step up and takes it off that down
                w_max=1.25,
                w_min=-0.75,
                w_max_spread=0.24,
                w_min_spread=0.4,
            )
        ),
        update=Update(scheme="pulsed"),
        timing=Timing(integration=40e-9, pulse=5e-9),  # s, estimates for such arrays: Rasch et al., 2024
        cost=Cost(components=("horowitz_2014_int8", "singh_2025_pulse")),  # pulse: of such devices in general
    )
