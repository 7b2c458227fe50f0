# Tested by tests/neuroep/engines/chip/test_transfer.py.
"""Tiki-Taka: a fast array gathers the gradient about its symmetry point and is read into the slow one by pulses.

    A <- A - s g                          trains of pulses
    every n_s updates  W_j <- W_j + dw_W round(rate a_j)    pulses, what is no whole one rounded at random
    weight             gamma A + W

Analog: A, W. Digital: nothing is kept; a column passes the periphery once. A forgets towards its symmetry point, which
is taken to be 0: a reference that is not there leaks into W for ever.

Source: Gokmen and Haensch, Front. Neurosci. 14:103, 2020; gamma 0 as TransferCompound of aihwkit.
"""

from neuroep.engines.chip.rules.transfer import TransferRule


class TikiTaka(TransferRule):
    """Version 1; see the module."""

    buffered = False


RULE = TikiTaka
