# Tested by tests/hw_models/arrays/test_converters.py.
"""Digitisers of one part together, and the DAC and ADC of a crossbar; see :mod:`hw_models.arrays.converters`."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from hw_models.arrays.converters import Digitiser
from hw_models.chip import description as chip


class Digitisers:
    """A part with digitisers, calibrated and kept together; see :func:`hw_models.arrays.calibration.calibrating`."""

    @property
    def digitisers(self) -> Mapping[str, Digitiser]:
        """Those whose ranges are kept, by name."""
        return {}

    @property
    def calibrates(self) -> bool:
        """Whether a range comes from samples."""
        return any(digitiser.converter.calibrates for digitiser in self.digitisers.values())

    def observe(self, on: bool = True) -> None:
        """Begin to collect calibration samples, or stop; signals pass those that wait for a range meanwhile."""
        for digitiser in self.digitisers.values():
            digitiser.observe(on)

    def freeze(self) -> None:
        """Set the ranges from the samples; a digitiser that saw none keeps what it had."""
        for digitiser in self.digitisers.values():
            if digitiser.sampled:
                digitiser.freeze()
            digitiser.observe(False)

    def state(self) -> dict[str, np.ndarray]:
        """Return the ranges, by name."""
        return {name: digitiser.state() for name, digitiser in self.digitisers.items()}

    def load(self, state: Mapping[str, np.ndarray]) -> None:
        """Take over :meth:`state`."""
        for name, digitiser in self.digitisers.items():
            digitiser.load(state[name])


class Converters(Digitisers):
    """DAC and ADC of both directions of a crossbar; several crossbars may share them.

    Parameters
    ----------
    chip : chip.Chip
        Its ``dac`` and ``adc``.
    name : str
        For messages.
    changes_of : Converters, optional
        Those of the signals whose changes these convert (:mod:`hw_models.chip.nudged`): signed, with ranges of their
        own. A fixed range of an ADC goes on to be fully driven weights, as a share of this DAC's full scale.

    Attributes
    ----------
    dac, adc : DAC, ADC
        What they are.
    """

    def __init__(self, chip: chip.Chip, name: str = "crossbar", changes_of: Converters | None = None) -> None:
        self._digitisers: dict[str, Digitiser] = {}
        self.dac, self.adc = chip.dac, chip.adc
        self.whole = chip.crossbar.mapping == "offset" and chip.crossbar.reference == "digital"
        of, to, what = chip.dac, chip.adc, ""
        if changes_of is not None:
            of, to, what = of.of_increments, to.model_copy(update={"sign": "signed"}), " of increments"
        for way in ("forward", "transposed"):
            whole = (None, None) if changes_of is None else changes_of.of(way)
            dac = Digitiser(of, f"{name} {way} dac{what}", changes_of=whole[0])
            adc = Digitiser(to, f"{name} {way} adc{what}", dac, changes_of=whole[1])
            adc.relative = chip.dac.digit_bits is not None
            self._digitisers |= {f"{way}.dac": dac, f"{way}.adc": adc}

    @property
    def digitisers(self) -> dict[str, Digitiser]:
        """By direction and kind: ``"forward.dac"``, ``"forward.adc"``, ..."""
        return self._digitisers

    def of(self, way: str) -> tuple[Digitiser, Digitiser]:
        """Return DAC and ADC of ``"forward"`` or ``"transposed"``."""
        return self._digitisers[f"{way}.dac"], self._digitisers[f"{way}.adc"]

    def at_least(self, others: Converters) -> None:
        """Let calibrated ranges of ADCs reach as far as those of others."""
        for way in ("forward", "transposed"):
            self.of(way)[1].at_least(others.of(way)[1].range)

    def assume(self, forward: bool, transposed: bool) -> None:
        """Say of what each direction is driven with whether it can never be negative.

        Sensed currents can, but for whole currents of single devices, ahead of a digital reference.
        """
        for way, nonnegative in (("forward", forward), ("transposed", transposed)):
            dac, adc = self.of(way)
            dac.nonnegative, adc.nonnegative = nonnegative, nonnegative and self.whole
