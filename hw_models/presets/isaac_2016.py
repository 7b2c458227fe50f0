# Tested by tests/hw_models/test_presets.py.
"""An 8-bit array like ISAAC's: 128 x 128 cells of 2 bits, 4 slices per weight, 8-bit converters.

Shafiee et al., "ISAAC: A convolutional neural network accelerator with in-situ analog arithmetic in crossbars", ISCA
2016, pages 14-26.

The paper's: array size, 2-bit cells, 8-bit ADC, weights stored with an offset of half their range that is subtracted
digitally, as many times as the sum of the inputs. Choices made here: 8-bit weights in 4 slices (the paper's are of 16
bits in 8 cells), 8-bit inputs at once (the paper's are 16 bits, one by one).
"""

from __future__ import annotations

from hw_models.chip import ADC, DAC, Chip, Cost, Device, Layout, Timing


def chip() -> Chip:
    """Return the chip."""
    return Chip(
        name="isaac_2016",
        citation="A. Shafiee et al., ISCA (2016), 14-26",
        url="https://doi.org/10.1109/ISCA.2016.12",
        caveat=(
            "An architecture study, not a measured chip: devices are noise-free, and conductances act only once a "
            "field of device is set. Inputs are converted whole: ISAAC applies them bit by bit, which with its data "
            "encoding makes an 8-bit ADC exact, so that this array is coarser. Weights have 8 bits in 4 cells, not "
            "16 in 8; the sum of the inputs is exact, not read from a unit column; pipeline and eDRAM are not "
            "modelled. Inference only: updates reprogram."
        ),
        crossbar=Layout(
            rows=128, columns=128, mapping="offset", reference="digital", zero="level", slices=4, slice_bits=2
        ),  # slices: ours
        device=Device(levels=4),  # 2-bit cells, the paper's
        # One input bit a cycle, in two's complement, is the paper's; 8 of them is ours.
        dac=DAC(bits=8, sign="auto", encoding="serial", digit_sign="twos_complement"),
        adc=ADC(bits=8, sign="auto"),  # bits: the paper's
        timing=Timing(
            integration=8 * 100e-9,  # s, the paper's cycle of 100 ns, one for each input bit, here 8
            digital=100e-9,  # s, ours: one cycle more; conversions run beside the next cycle, as the paper's do
        ),
        cost=Cost(
            components=(
                "shafiee_2016_adc", "shafiee_2016_dac", "shafiee_2016_array", "shafiee_2016_digital",  # the paper's
                "horowitz_2014_int8", "singh_2025_pulse",  # ours
            ),
        ),
    )
