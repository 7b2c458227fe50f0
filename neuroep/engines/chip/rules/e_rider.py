# Tested by tests/neuroep/engines/chip/test_transfer.py.
"""E-RIDER: RIDER with a chopper, by which the tracked point lies about the symmetry point, not where P has gone.

    W' = W + gamma c (P - Q)                   what products read
    P_j <- P_j - s c_j g_j                     trains of pulses, signs of the inputs times c
    every n_s updates  H_j <- H_j + rate c_j (p_j - Q_j), n = trunc(H_j), W_j <- W_j + n dw_W, H_j <- H_j - n
                       Q_j <- Q_j + eta (p_j - Q_j)
                       c_j <- -c_j with probability p behind the read

Analog: P (the array called fast), W. Digital: H, Q, c. Q is a mean over both signs, so what is wanted for long does not
move it, and it may be a long one, without the noise of single reads that the reference of AGAD has.

Source: Xiao et al., Dynamic symmetric point tracking, arXiv 2602.21321, 2026; H, eta and p are chosen here.
"""

from neuroep.engines.chip.rules.rider import Rider


class ERider(Rider):
    """A chopper; see the module."""

    chops = True


RULE = ERider
