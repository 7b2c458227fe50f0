# Tested by tests/hw_models/test_presets.py.
"""Resistive memory of conductive metal oxide on HfOx: 22 states by equal pulses, noise nearly as large as a step.

Falcone et al., "All-in-one analog AI hardware: on-chip training and inference with conductive-metal-oxide/HfOx ReRAM
devices", Advanced Functional Materials 2025, arXiv:2502.04524.

Averages over an array as the paper is quoted in secondary sources, not checked against its own text: 22 states in open
loop, a noise of 90 % of a step at the symmetry point, and a symmetry point 61 % of the range below the highest
conductance. From them as soft bounds, w* = (s+ - s-)/(s+ + s-) with
w* = 1 - 2 x 0.61 and a step s- (1 + w*) of 2/22 there: up_down and dw_min. Conductances: the published fit to the same
arrays (IBM Analog Hardware Acceleration Kit, ReRamCMO). Choices made here: soft bounds, a reference device programmed
to the symmetry point, exact periphery.
"""

from __future__ import annotations

from hw_models.chip import Chip, Cost, Device, Layout, Pulse, Timing, Update


def chip() -> Chip:
    """Return the chip."""
    return Chip(
        name="falcone_2025_reram_cmo",
        citation="D. F. Falcone et al., Advanced Functional Materials (2025), arXiv:2502.04524",
        url="https://doi.org/10.48550/arXiv.2502.04524",
        caveat=(
            "Averages of one array, from secondary sources, as soft bounds, not a fit to its traces: devices are "
            "alike, as spreads from device to device are left out, and references are exact. Otherwise exact: no "
            "converters, programming or read noise, relaxation or line resistance. About 22 states, so trains are "
            "played pulse by pulse."
        ),
        crossbar=Layout(mapping="offset", reference="device"),  # a reference device for every weight
        device=Device(
            g_min=9.0,  # uS
            g_max=88.2,  # uS
            pulse=Pulse(
                response="soft_bounds",
                dw_min=0.1166,  # (2/22)/(1 + w*)
                noise=0.9,
                up_down=-0.361,  # (1 + w*)/(1 - w*) - 1
                w_max=1.0,
                w_min=-1.0,
            ),
        ),
        update=Update(scheme="pulsed"),
        timing=Timing(integration=40e-9, pulse=5e-9),  # s, estimates for such arrays: Rasch et al., 2024
        cost=Cost(components=("horowitz_2014_int8", "singh_2025_pulse")),  # pulse: of such devices in general
    )
