# Tested by tests/hw_models/cost/test_formulas.py.
"""How an input of b bits reaches an array: how often lines are driven, how long currents flow, what is converted.

    amplitude, pulse_width   1 pass     1 integration                      a conversion of B bits in B steps
    serial                   b passes   b integrations                     b conversions of B steps
    pulses                   b passes   sum over phases of 2^p - 1 steps   sum over phases of max(B - bits before, 0)

b are the bits that are sent, as a tally says of every read: without a sign, unless it is a bit of a two's complement.
Digits of the description (``dac.digit_bits``) are counted as reads of their own, so that of those it is the bits of one
that are sent. ``pulses`` sends inputs of more than ``phase_bits`` bits in two phases of ceil(b/2) and floor(b/2): the
outputs of the second are shorter by what the first has decided.

Source: Wan et al., Nature 608, 504, 2022 (pulses, two phases); Shafiee et al., ISCA 2016 (serial).
"""

from __future__ import annotations

from typing import NamedTuple

from hw_models.cost.constants import Constants


class Sending(NamedTuple):
    """How one product runs."""

    passes: int
    """Bits that are driven one behind the other."""
    integrations: int
    """Integration steps."""
    conversions: int
    """Conversions of an output."""
    steps: int
    """Steps of them all together."""
    phases: int
    """Parts of an input that are converted apart."""


def sending(constants: Constants, inputs: int | None, outputs: int | None) -> Sending:
    """Return how a product runs in which so many bits of an input are sent and outputs have so many.

    None is of a converter that is exact.
    """
    coding, sent, steps = constants.coding, max(1, inputs or 1), outputs or 1
    if coding == "serial" and inputs is not None:
        return Sending(sent, sent, sent, sent * steps, 1)
    if coding == "pulses":
        most = constants.value("phase_bits")
        parts = [sent] if most is None or sent <= most else [-(-sent // 2), sent // 2]
        left = [max(steps - sum(parts[:n]), 0) for n in range(len(parts))]
        return Sending(sent, sum(2**part - 1 for part in parts), 1, sum(left), len(parts))
    return Sending(1, 1, 1, steps, 1)
