# Tested by tests/hw_models/test_presets.py.
"""Arrays of plain HfO2 resistive memory in 14 nm: four to five states, log-normal steps, corrupt devices.

Gong, Rasch et al., "Deep learning acceleration in 14nm CMOS compatible ReRAM array: device, material and algorithm co-
optimization", International Electron Devices Meeting 2022.

Baseline HfO2. Published fit to the paper's arrays (IBM Analog Hardware Acceleration Kit 1.2, its soft bounds with a
reference): all numbers of the pulse, the range as adjusted by compliance, the share of corrupt devices as measured,
and the reference, programmed to the symmetry point within 5 % of the range. Choices made here: exact periphery,
nominal conductances; a device's bounds are cut at 1 % of their mean where the fit folds them to their sign.
"""

from __future__ import annotations

from hw_models.chip import Cell, Chip, Cost, Device, Layout, Pulse, Timing, Update


def chip() -> Chip:
    """Return the chip."""
    return Chip(
        name="gong_2022_reram_hfo2",
        citation="N. Gong, M. J. Rasch et al., International Electron Devices Meeting (2022)",
        url="https://doi.org/10.1109/IEDM45625.2022.10019569",
        caveat=(
            "One array in an otherwise exact chip: no converters, read noise, drift or line resistance; weights are "
            "shares of the range and conductances are nominal. About 4 to 5 states, so trains are played pulse by "
            "pulse. The fit's spread of the asymmetry adds to the step of a device; here it is a share of it."
        ),
        crossbar=Layout(mapping="offset", reference="device"),  # a reference device for every weight
        device=Device(
            pulse=Pulse(
                response="soft_bounds",
                dw_min=0.4622,
                dw_min_spread=0.7125,
                dw_min_law="log_normal",
                noise_base=0.2174,
                write_noise=0.5841,
                up_down_spread=0.02,  # twice the fit's, which adds it to the step up and takes it off that down
                w_max=1.0,
                w_min=-1.0,
                w_max_spread=0.4295,
                w_min_spread=0.599,
                corrupt=0.0977,
                corrupt_range=0.01,
            ),
            cell=Cell(reference_spread=0.05),
        ),
        update=Update(scheme="pulsed"),
        timing=Timing(integration=40e-9, pulse=5e-9),  # s, estimates for such arrays: Rasch et al., 2024
        cost=Cost(components=("horowitz_2014_int8", "singh_2025_pulse")),  # pulse: of such devices in general
    )
