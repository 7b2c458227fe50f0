# Tested by tests/neuroep/engines/chip/test_transfer.py.
"""Chopped Tiki-Taka, c-TTv2: the sign of the fast array's pulses and of what is read of it flips from time to time.

    A_j <- A_j - s c_j g_j                        trains of pulses, signs of the inputs times c
    every n_s updates  H_j <- H_j + rate c_j a_j, n = trunc(H_j), W_j <- W_j + n dw_W, H_j <- H_j - n
                       c_j <- -c_j with probability p behind the read

Analog: A, W. Digital: H, c. What the reference of A is wrong by enters H with either sign and averages out, and so does
what a device remembers of earlier signs.

Source: c-TTv2 of Rasch, Carta, Fagbohungbe and Gokmen, Nat. Commun. 15:7133, 2024; p = 0.1 as
ChoppedTransferCompound of aihwkit.
"""

from __future__ import annotations

from neuroep.engines.chip.rules.transfer import TransferRule


class Chopped(TransferRule):
    """A chopper; see the module."""

    chops = True


RULE = Chopped
