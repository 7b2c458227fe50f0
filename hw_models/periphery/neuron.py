# Tested by tests/neuroep/engines/chip/test_neurons.py.
r"""Neuron circuits of a chip around exact neurons, which the caller has.

    u' = (1 + g_i) (W s_pre + W^T s_post + b) + o_i        g_i, o_i drawn once per neuron
    v <- v + dt (s(u') + sigma range z - v)                z per sample, neuron and step
    s' = Q(v)                                              Q the digitiser of what the synapses read
    beta' = (1 + nudge_mismatch sign(beta)) beta           the nudge that the outputs feel

with s(u') the exact response. The noise enters in front of the neuron's time constant and is filtered with the signal,
so v is an autoregressive process with coefficient 1 - dt: its standard deviation at rest is
:math:`\sigma\,\mathrm{range}\,\sqrt{dt / (2 - dt)}`, and the longer the time constant the smaller (the discrete form
of the Ornstein-Uhlenbeck process of an RC circuit, variance sigma^2/2 dt for small dt). The state v inside is
continuous; with dt = 1 it has no memory, and the nudge sees what is read. States of potentials that are never negative
are unsigned.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from hw_models.arrays.converters import Digitiser
from hw_models.chip import Converter, Neuron
from hw_models.kernels.arithmetic import ArrayArithmetic, Values, arithmetic
from hw_models.kernels.random import key, normals
from hw_models.tally import Tally

STATES = 1
"""Tile of the digitiser's draws, behind those of the noise."""


class NeuronCircuits:
    """The circuits of one layer of neurons: spread of gain and offset ahead of them, noise and digitiser behind.

    Parameters
    ----------
    circuit : Neuron
        What to build.
    size : int
        Number of neurons.
    seed : int
        Of all draws.
    name : str
        Of the layer: part of every key.
    nonnegative : bool
        Whether a state can never be negative; it is then digitised unsigned.
    dtype : str
        Of all signals.
    tally : Tally, optional
        Where to write conversions; default one of its own.

    Attributes
    ----------
    gain, offset : numpy.ndarray or None
        (size,) 1 + g and o; None without spread.
    digitiser : Digitiser
        Of the states that are read; its range is given.
    """

    def __init__(
        self,
        circuit: Neuron,
        size: int,
        seed: int,
        name: str,
        nonnegative: bool,
        dtype: str,
        tally: Tally | None = None,
    ) -> None:
        self.circuit, self.size, self.seed, self.name, self.dtype = circuit, size, seed, name, dtype
        self.gain = self._drawn("neuron gain", circuit.gain_spread, 1.0)
        self.offset = self._drawn("neuron offset", circuit.offset_spread, 0.0)
        sign: Literal["unsigned", "signed"] = "unsigned" if nonnegative else "signed"
        bits, full = circuit.state_bits, circuit.state_range
        states = Converter() if bits is None else Converter(bits=bits, range=full, sign=sign)
        self.digitiser = Digitiser(states, f"states of {name}", tally=tally)
        self.digitiser.stops = False  # a state at the end of its range is where it should be
        self.acts = circuit.state_noise > 0 or bits is not None
        self._brought: dict[ArrayArithmetic, tuple[Values | None, Values | None]] = {}
        self.begin()

    def _drawn(self, what: str, spread: float, mean: float) -> np.ndarray | None:
        """Return ``mean + spread z`` for every neuron, (size,), or None without spread."""
        if not spread:
            return None
        drawn = normals(key(self.seed, what, self.name), 0, 0, (1, self.size), dtype=self.dtype)[0]
        return (mean + spread * drawn).astype(self.dtype)

    def nudge(self, beta: float) -> float:
        """Return the nudge that the outputs feel where it should be ``beta``."""
        return beta + abs(beta) * self.circuit.nudge_mismatch

    def begin(self, *occasion: str | int) -> None:
        """Key the state noise by this occasion."""
        self._key, self._step = key(self.seed, "state noise", self.name, *occasion), 0

    def driven(self, product: Values, feedback: Values | None) -> tuple[Values, Values | None]:
        """Return the two parts of the drive, (batch, size) or None for no feedback, as the circuits take them."""
        if self.gain is None and self.offset is None:
            return product, feedback
        math = arithmetic(product)
        if math not in self._brought:
            spread = (None if each is None else math.bring(each) for each in (self.gain, self.offset))
            self._brought[math] = next(spread), next(spread)
        gain, offset = self._brought[math]
        if gain is not None:
            product = product * gain
            feedback = None if feedback is None else feedback * gain
        return product if offset is None else product + offset, feedback

    def inside(self, state: Values, dt: float, inner: dict[str, Values]) -> Values:
        """Return the state inside the neurons, which is what they show unless they integrate and are digitised.

        Where they do not show what is read, the state was set from outside and they start from it.

        Parameters
        ----------
        state : numpy.ndarray or torch.Tensor
            (batch, size) as it is read.
        dt : float
            Time step.
        inner : dict
            What is inside by layer; written.
        """
        if dt == 1 or self.circuit.state_bits is None:
            inner.pop(self.name, None)
            return state
        math = arithmetic(state)
        if self.name in inner:
            shown = math.empty(state.shape, state)
            self.digitiser.converted(inner[self.name], self._key, self._step, STATES, out=shown)
            if math.same(shown, state):
                return inner[self.name]
        inner[self.name] = math.copied(state)
        return inner[self.name]

    def show(self, level: Values, state: Values, dt: float) -> None:
        """Add the noise of one step to the state inside, in place, and write to ``state`` what is read of it."""
        if self.circuit.state_noise:
            noise = arithmetic(level).normals((self._key, self._step, 0, 0), tuple(state.shape), level)
            level += float(dt * self.circuit.state_noise * self.circuit.state_range) * noise
        self._step += 1
        if self.circuit.state_bits is not None:
            self.digitiser.digitise(level, self._key, self._step, STATES, out=state)
