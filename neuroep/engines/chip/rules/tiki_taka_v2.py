# Tested by tests/neuroep/engines/chip/test_transfer.py.
"""Tiki-Taka, version 2: what is read of the fast array passes a digital low-pass before it moves the slow one.

    A <- A - s g                              trains of pulses
    every n_s updates  H_j <- H_j + rate a_j, n = trunc(H_j), W_j <- W_j + n dw_W, H_j <- keep H_j where n is not 0

Analog: A, W. Digital: H, in pulses of W. Noise of A averages out in H until it is a whole pulse.

Source: Gokmen, Front. Artif. Intell. 4:699148, 2021; keep 0.1 as BufferedTransferCompound of aihwkit.
"""

from neuroep.engines.chip.rules.transfer import TransferRule


class TikiTakaV2(TransferRule):
    """Version 2; see the module."""


RULE = TikiTakaV2
