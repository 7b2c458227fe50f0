# Tested by tests/hw_models/arrays/test_crossbar.py.
"""What all products of one direction of a crossbar have in common until its devices or its converters change.

Which noise there is, how lines are driven and how currents are converted is decided here once, so that a read only
computes: with few samples deciding takes longer than the product itself.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np

from hw_models.arrays import bent_reading, serial
from hw_models.arrays.converter_bank import Converters
from hw_models.arrays.direct import Direct
from hw_models.arrays.planes import Plane
from hw_models.arrays.sensing import Sensing
from hw_models.arrays.stored import StoredWeights
from hw_models.arrays.variances import Variances, rounds
from hw_models.kernels.arithmetic import NUMPY, ArrayArithmetic, Values
from hw_models.kernels.blocks import blocks, serial as one_by_one

Array = np.ndarray
SAMPLES = 512
"""Most samples of one block; its currents stay in the cache."""
COLUMNS = 4096
"""Most inputs of one block: of a sum in a forward product, of a result in a transposed one."""


class ReadPlan:
    """How one direction of a crossbar is read.

    Parameters
    ----------
    stored : StoredWeights
        Devices and matrices.
    way : str
        ``forward`` or ``transposed``.
    bank : Converters
        DAC and ADC of all directions.
    edges : numpy.ndarray
        Ends of the tiles whose currents are summed digitally (tiles + 1,).
    sensing : Sensing or None
        Errors of what senses the currents.
    variances : Variances
        Of single devices, as products take them.

    Attributes
    ----------
    grid, floor : Grid, float
        Levels of the ADC, and the variance of its noise as far as that is drawn with the noise of reads.
    behind : float
        Standard deviation of the noise of the ADC where lines are amplified ahead of it; ``floor`` is then 0.
    plain : bool
        Whether noise, conversion and sum of a tile are one pass over its currents.
    raw : bool
        Whether currents hold the middle of a digital reference until it is subtracted behind all of them.
    curve : Device or None
        Whose curve devices pass signals by, where it is not found together with the voltages behind wires.
    exact, lined, varied : bool
        Whether noise is drawn device by device, is that behind wires, or has a variance for every device.
    uniform : float
        Variance of a device's read where all have the same.
    lasts, heats : bool
        Whether noise at the outputs may last from read to read, and whether there is thermal noise.
    hosted : bool
        Whether it is computed with NumPy whatever the signals are.
    direct : Direct or None
        What reads arrays without more ado, of a plain chip.
    """

    def __init__(
        self,
        stored: StoredWeights,
        way: str,
        bank: Converters,
        edges: Array,
        sensing: Sensing | None,
        variances: Variances,
    ) -> None:
        self.stored, self.bank, self.sensing, self.variances = stored, bank, sensing, variances
        self.planes, self.edges, self.ends, self.tiles = stored.planes, edges, edges.tolist(), len(edges) - 1
        self.factors = [stored.factor(plane) for plane in stored.planes]
        self.dac, self.adc = bank.of(way)
        self._versions = self.dac.version, self.adc.version
        self._driven: dict[str, list[list[tuple[tuple[str, int], Array]]]] = {}
        self._plan_conversion()
        tiles, inputs = stored.tiles, stored.shape[1]
        self.exact, self.lined, self.by_device = tiles.exact, tiles.lined, tiles.by_device
        self.varied = self.planes[0].variance is not None
        self.uniform = 0.0 if self.exact else self.planes[0].uniform
        self.lasts = stored.noise.active and not (self.lined or self.by_device)
        self.heats = stored.devices.heat.noise > 0
        self.most = bent_reading.rows(stored, SAMPLES)
        self.groups = blocks(self.tiles, max(1, COLUMNS * self.tiles // max(inputs, 1)))
        self.parts = stored.devices.row_tiles if self.lined or tiles.bent else blocks(inputs, COLUMNS)
        apart = not self.varied or self.digits > 1 or stored.devices.references > 0
        drawn = self.exact or self.lined or self.by_device or (self.lasts and apart) or self.heats
        self.hosted = bool(drawn or tiles.bent)
        self._brought: dict[ArrayArithmetic, list[Plane]] = {}
        self.direct = Direct(self, way, stored.shape, stored.devices.sides, stored.dtype) if self._is_direct() else None

    def _is_direct(self) -> bool:
        """Tell whether a read is no more than conversions, products and noise in one pass over the currents."""
        stored, dac = self.stored, self.dac
        if self.hosted or self.lasts or self.raw or self.observing or self.curve is not None:
            return False
        if not self.plain or self.digits > 1:
            return False
        return not (stored.shifts or stored.devices.references or self.noisy_codes or dac.converter.stochastic)

    def rounds(self, rows: int) -> bool:
        """Tell whether products of so many samples round variances."""
        return rounds(rows, self.stored.shape, self.stored.dtype)

    def round_variances(self) -> list[Values]:
        """Return the variances of all slices in bfloat16, as tensors."""
        return [self.variances.short(plane.variance) for plane in self.planes if plane.variance is not None]

    def planes_on(self, math: ArrayArithmetic) -> list[Plane]:
        """Return the matrices as some arithmetic computes with them, brought there once."""
        if math is NUMPY:
            return self.planes
        if math not in self._brought:
            self._brought[math] = [plane.brought(math.bring) for plane in self.planes]
        return self._brought[math]

    def _plan_conversion(self) -> None:
        stored, dac, adc = self.stored, self.dac, self.adc
        settings, law = stored.converters.dac, stored.device.current_voltage
        self.observing = dac.observing or adc.observing
        self.drives, self.noisy_codes = dac.acts, dac.noise > 0
        amplified = self.sensing is not None and self.sensing.amplifies
        self.grid, self.floor = adc.grid, 0.0 if amplified else adc.noise**2
        self.behind = adc.noise if amplified else 0.0
        self.plain = not (self.sensing or adc.observing or (adc.acts and adc.converter.stochastic))
        self.raw = stored.devices.digital and (self.sensing is not None or adc.acts or adc.observing)
        self.run = one_by_one if adc.observing else stored.run
        self.digits = serial.digits(settings, dac.unsigned)
        amplitude = settings.encoding == "amplitude" and not stored.tiles.bent
        self.curve = stored.device if amplitude and not law.linear else None
        self._scaled = not law.linear or self.sensing is not None or self.digits > 1 or adc.relative

    @cached_property
    def full(self) -> float:
        """Full scale of the DAC, where anything asks for it; while that observes, of what it has seen by then."""
        return serial.full_scale(self.dac) if self._scaled else 1.0

    def driven(self, name: str) -> list[list[tuple[tuple[str, int], Array]]]:
        """Return by slice and tile where carried noise is kept, and its metric, :meth:`StoredWeights.metric`.

        ``name`` is the direction or ``reference``; of transposed products the reference lines come last, as one.
        """
        found = self._driven.get(name)
        if found is None:
            stored, first = self.stored, len(self.planes) * self.tiles if name == "reference" else 0
            found = []
            for k, plane in enumerate(self.planes):
                metric = stored.metric(name, k, plane)
                each = [metric[i:j] for i, j in zip(self.ends[:-1], self.ends[1:], strict=True)]
                if name == "transposed" and stored.devices.references:
                    taken = stored.metric("taken", k, plane)
                    each = [np.append(own, more) for own, more in zip(each, taken, strict=True)]
                found.append([((name, first + k * self.tiles + tile), own) for tile, own in enumerate(each)])
            self._driven[name] = found
        return found

    def holds(self, bank: Converters) -> bool:
        """Tell whether the next product with these converters is one of this plan."""
        same = self.planes is self.stored.planes and self.bank is bank and not self.observing
        return same and self._versions == (self.dac.version, self.adc.version)
