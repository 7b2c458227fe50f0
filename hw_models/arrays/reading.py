# Tested by tests/hw_models/arrays/test_crossbar.py.
"""One product of a crossbar: blocks of samples and tiles, GEMM by GEMM, noise and conversion fused behind each.

Work of a tile of n outputs and d inputs for r samples: 2 r d n floating-point operations in the GEMM (twice that with
a variance of its own for every device) and r n draws and conversions of about 1.2 ns in one pass over the currents.
Blocks depend on shapes alone, so that the number of threads changes nothing.

Signals are NumPy arrays or tensors, and so is what comes of them (:mod:`hw_models.kernels.arithmetic`). Noise that is
not drawn at the outputs in one pass, of single devices, behind wires or thermal, and devices that bend behind wires are
computed with NumPy whatever the signals are (:attr:`ReadPlan.hosted`). Noise that is carried from read to read moves on
the host, and the currents that it is added to stay where they are; with digits, reference lines, or one variance of all
devices NumPy has the whole read.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np

from hw_models.arrays import bent_reading, device_reads, repeated_rows, serial, single_lines, variances
from hw_models.arrays.carried import Share, brought
from hw_models.arrays.converters import OPEN, Grid
from hw_models.arrays.draw_keys import Keys
from hw_models.arrays.line_heat import ReadHeat
from hw_models.arrays.planes import Plane
from hw_models.arrays.programming import Array
from hw_models.arrays.read_plan import ReadPlan
from hw_models.kernels.arithmetic import NUMPY, Draws, Lasting, Stops, Values, arithmetic
from hw_models.kernels.blocks import blocks
from hw_models.tally import Repeated


class Product:
    """A product of one direction.

    Parameters
    ----------
    plan : ReadPlan
        How it is read.
    draws : (Keys, int)
        Keys of this direction's draws, and the number of the read.
    signals : numpy.ndarray or torch.Tensor
        (rows, driven lines).
    supply : float or numpy.ndarray
        What all lines are driven with as a multiple of their codes, (rows, 1) where rows differ.
    span : float
        Seconds over which a read in continuous time averages, 0 elsewhere.

    Attributes
    ----------
    math : ArrayArithmetic
        What computes with such signals.
    codes, driven : numpy.ndarray or torch.Tensor
        (rows, driven lines) signals behind the DAC, and what devices pass of them.
    driven_at_stop, sensed_at_stop : int, or a number of the device
        DAC and ADC conversions so far whose value lay beyond the last level.
    effective : numpy.ndarray or None
        (rows,) sums of what devices passed, where that is not :attr:`driven`.
    rounds : bool
        Whether variances are products in bfloat16.
    undivided : Product or None
        That of all digits together, of a digit: noise that is carried is drawn for it.
    single : numpy.ndarray or None
        (rows,) the one line that each row drives, if that is known: then no product is needed. Forward alone.
    repeated : Repeated or None
        Which rows are the same, if that is known: one of each kind is multiplied. Forward alone.
    taken : numpy.ndarray or None
        (rows, tiles) what the reference lines of a transposed product are driven by together, with the sign of the sum.
    """

    def __init__(
        self, plan: ReadPlan, draws: tuple[Keys, int], signals: Values, supply: float | Array = 1.0, span: float = 0.0
    ) -> None:
        self.span = span
        self.plan, (self.keys, self.step), self.supply = plan, draws, supply
        self.math = math = arithmetic(signals)
        self.stored, self.planes, self.run = plan.stored, plan.planes_on(math), math.run(plan.run)
        self.ends, self.tiles, self.rows = plan.ends, plan.tiles, len(signals)
        self.samples = blocks(self.rows, plan.most)
        self.driven_at_stop: Stops = 0
        self.sensed_at_stop: Stops = 0
        self.signals = math.contiguous(signals, self.stored.dtype)
        self.codes = self._drive(self.signals)
        self.full = plan.full
        self.driven = self.curved(self.codes)
        self.subtracts = True
        self.rounds = plan.varied and math is NUMPY and plan.rounds(self.rows)
        if self.rounds:
            plan.round_variances()  # once, ahead of blocks in threads
        self.effective: Array | None = None
        self.carries = plan.lasts and self.stored.carried.carries(self.rows, self.stored.layout.hold_input)
        self.lasting: list[list[Share]] = []
        self.beside: list[list[Share]] = []
        self._brought: list[list[Lasting]] = []
        self.undivided: Product | None = None
        self.taken: Array | None = None
        self.single: Array | None = None
        self.repeated: Repeated | None = None
        self.heat: ReadHeat | None = None

    @property
    def device_key(self) -> Array:
        """Key of the noise of single devices."""
        return self.keys.device

    def _sums(self, signals: Values) -> Values:
        """Return the sums of the signals of every tile (rows, tiles)."""
        parts = [signals[:, i:j].sum(1) for i, j in zip(self.ends[:-1], self.ends[1:], strict=True)]
        return self.math.stack(parts, 1)

    def curved(self, codes: Values, lines: int | Array = 1) -> Values:
        """Return signals as devices pass them: by their curve, :mod:`hw_models.laws.current_voltage`, and the supply.

        Of a sum that so many lines share, what they pass together. Behind wires it is found with their voltages.
        """
        passed, math = codes, self.math
        if self.plan.curve is not None:
            passed = math.bring(self._bent(math.host(codes), lines))
        if not self.stored.shifts:
            return passed
        supply = math.bring(self.supply) if isinstance(self.supply, np.ndarray) else self.supply
        return math.cast(passed * supply, codes)

    def _bent(self, codes: Array, lines: int | Array) -> Array:
        """Return what devices pass of signals by their curve."""
        device, scale = self.stored.device, codes.dtype.type(self.full) * np.asarray(lines, dtype=codes.dtype)
        share = np.clip(codes / scale, -1, 1)
        return device.current_voltage.current(share, device) * scale

    def supply_of(self, first: int, last: int) -> float | Array:
        """Return the supply of some rows, (rows, 1) where they differ."""
        return self.supply[first:last] if isinstance(self.supply, np.ndarray) else self.supply

    def subtract(self, total: Values) -> None:
        """Subtract the middle digitally, as the codes of the DAC know it; unless lines are sensed the means lack it."""
        if not self.stored.devices.digital or not self.subtracts:
            return
        plan = self.plan
        if not (plan.raw or plan.noisy_codes or plan.curve is not None or self.stored.shifts):
            return
        codes = self._convert(self.signals, noiseless=True)[0] if plan.noisy_codes else self.codes
        effective = self.driven.sum(1) if self.effective is None else self.effective
        sums = codes.sum(1) if plan.raw else codes.sum(1) - effective
        middle = sum(factor * plane.zero for factor, plane in zip(plan.factors, self.planes, strict=True))
        total -= sums[:, None] * float(middle)

    def _drive(self, signals: Values) -> Values:
        """Return the signals behind the DAC."""
        if self.plan.observing and self.plan.dac.observing:
            self.plan.dac.sample(self.math.host(signals))
        if not self.plan.drives:
            return signals
        found, self.driven_at_stop = self._convert(signals)
        return found

    def _convert(self, signals: Values, noiseless: bool = False) -> tuple[Values, Stops]:
        """Return the signals behind the DAC, and how many of them were at its stop."""
        draws, dac = (self.keys.dac, self.step, 0), self.plan.dac
        if len(self.samples) <= 1:
            found, count = dac.converted(signals, *draws, 0, noiseless)
            return found, count
        out = self.math.empty(signals.shape, signals)
        parts = self.run(lambda a, b: dac.converted(signals[a:b], *draws, a, noiseless, out[a:b]), self.samples)
        return out, sum(count for _, count in parts)

    @property
    def scale(self) -> float:
        """Full scale of the DAC as a signal, 1 without one."""
        plan = self.plan
        if plan.digits > 1 or plan.curve is not None:
            return self.full
        return (plan.dac.range if plan.drives else None) or 1.0

    def pulses(self) -> Iterator[tuple[Array, Array]]:
        """Yield what lines are driven with, and what devices pass of it, digit by digit; behind wires without loss."""
        if self.plan.digits == 1:
            yield self._hosted(self.codes, self.driven)
            return
        for _, codes in serial.split(self.codes, self.full, self.stored.converters.dac, self.plan.dac.unsigned):
            yield self._hosted(codes, self.curved(codes))

    def _hosted(self, codes: Values, passed: Values) -> tuple[Array, Array]:
        """Return both as arrays of the host, one where they are one."""
        codes_there = self.math.host(codes)
        return codes_there, codes_there if passed is codes else self.math.host(passed)

    def _deviations(self, size: float, floor: float) -> Values:
        """Return sqrt(size sum x^2 + floor) of the signals of every tile (tiles, rows)."""
        return self.math.deviations(self.driven, self.plan.edges, size, floor)

    def _multiply(self, x: Values, matrix: Values, lines: Array | None, out: Values) -> None:
        """Write ``x @ matrix.T``; where it is known which one line each row drives, on the host, without a product."""
        if lines is None:
            self.math.product(x, matrix.T, out)
        else:
            single_lines.product(x, matrix, lines, out)

    def forward(self) -> Values:
        """Return the sum over row tiles, (rows, out)."""
        plan, own, outputs, groups = self.plan, self.stored.devices, self.stored.shape[0], self.plan.groups
        math = self.math
        totals = math.zeros((len(groups), self.rows, outputs), self.driven)
        self._let_time_pass("forward")
        sigma, noise = self._sigma(None), device_reads.draw(self, True, None) if plan.exact else None
        if own.references and plan.uniform:
            self.common = self._deviations(1.0, 0.0)
        sums = self._sums(self.driven) if plan.raw else None
        single = None if self.single is None else single_lines.alone(self.driven, self.single)
        same = repeated_rows.shared(self, self.repeated)
        tables = None if same is None else repeated_rows.tables(self, same)
        squares = self.driven * self.driven if plan.varied and not math.in_memory else None

        def block(index: int, _: int) -> Stops:
            stops: Stops = 0
            (a, b), (begin, end) = self.samples[index // len(groups)], groups[index % len(groups)]
            total, current = totals[index % len(groups), a:b], math.empty((b - a, outputs), totals)
            bent = bent_reading.BentBlock(self, a, b)
            for tile in range(begin, end):
                i, j = self.ends[tile], self.ends[tile + 1]
                x = self.driven[a:b, i:j]
                if squares is not None:
                    square = squares[a:b, i:j]
                else:
                    square = x * x if plan.varied and (tables is None or own.references) else x
                for k, plane in enumerate(self.planes):
                    if plane.bent:
                        bent.forward(current, (k, tile), x)
                    elif tables is not None and same is not None:
                        repeated_rows.spread(tables[k, tile][0], same.kind[a:b], current)
                    else:
                        self._multiply(x, plane.mean[:, i:j], None if single is None else single[a:b] - i, current)
                    if noise is not None:
                        current += noise[k, tile, a:b]
                    elif plan.lined:
                        device_reads.add_behind_wires(self, current, k, tile, x, a)
                    elif own.references and (plan.varied or plan.uniform):
                        current -= self._reference(plane, k, tile, (a, b), square)[:, own.tile_of]
                    if sums is not None:
                        current += sums[a:b, tile, None] * plane.zero
                    variance = None
                    if plane.variance is not None:
                        variance = math.empty(current.shape, current)
                        lines = None if single is None else single[a:b] - i
                        if tables is not None and same is not None:
                            repeated_rows.spread(tables[k, tile][1], same.kind[a:b], variance)
                        elif lines is None and self.rounds:
                            devices = plan.variances.short(plane.variance)[:, i:j].T
                            variances.product(self.driven[a:b], slice(i, j), devices, variance)
                        else:
                            self._multiply(square, plane.variance[:, i:j], lines, variance)
                    spread = sigma[tile, a:b] if len(sigma) else sigma
                    carried = self._lasting_of(k, tile, (a, b), None) if self.lasting else None
                    place, number = (k, tile, 0), k * self.tiles + tile
                    stops += self._sense(current, spread, variance, place, number, a, total, carried)
            return stops

        self.sensed_at_stop = sum(self.run(block, blocks(len(groups) * len(self.samples), 1)))
        for other in totals[1:]:
            totals[0] += other
        self.subtract(totals[0])
        return totals[0]

    def transposed(self) -> Values:
        """Return the sum over column tiles, (rows, in)."""
        plan, own, parts, math = self.plan, self.stored.devices, self.plan.parts, self.math
        total = math.zeros((self.rows, self.stored.shape[1]), self.driven)
        sums = self._sums(self.driven) if own.references or plan.raw else None
        taken = self.taken = self.driven_references(self.codes)
        self._let_time_pass("transposed")
        sigma, noise = self._sigma(taken), device_reads.draw(self, False, taken) if plan.exact else None
        short = sums - taken if sums is not None and taken is not None and (sums != taken).any() else None

        def block(index: int, _: int) -> Stops:
            stops: Stops = 0
            (a, b), (i, j) = self.samples[index // len(parts)], parts[index % len(parts)]
            current, bent = math.empty((b - a, j - i), total), bent_reading.BentBlock(self, a, b)
            for tile in range(self.tiles):
                first, last = self.ends[tile], self.ends[tile + 1]
                s = self.driven[a:b, first:last]
                for k, plane in enumerate(self.planes):
                    variance = None
                    if plane.bent:
                        drives = s if taken is None else self._with_references(s, taken[a:b, tile], tile)
                        bent.transposed(current, (k, tile, index % len(parts)), drives)
                    else:
                        math.product(s, plane.mean[first:last, i:j], current)
                    if noise is not None:
                        current += noise[k, tile, a:b, i:j]
                    elif plan.lined:
                        lines = s if taken is None else self._with_references(s, taken[a:b, tile], tile)
                        for side in range(own.sides):
                            noise_of = plane.noise["transposed", index % len(parts), tile, side]
                            number = ((k * own.sides + side) * self.tiles + tile) * len(parts) + index % len(parts)
                            current += noise_of.draw(lines, self.keys.device, self.step, number, a)
                    elif plane.variance is not None:
                        variance = math.empty(current.shape, current)
                        if self.rounds:
                            devices = plan.variances.short(plane.variance)[first:last, i:j]
                            variances.product(self.driven[a:b], slice(first, last), devices, variance)
                        else:
                            math.product(s * s, plane.variance[first:last, i:j], variance)
                        if plane.reference is not None and taken is not None:
                            square = taken[a:b, tile, None] * taken[a:b, tile, None]
                            variance += square * plane.reference[tile, i:j]
                    if plan.raw and sums is not None:
                        current += sums[a:b, tile, None] * plane.zero
                    if short is not None and plane.middle is not None and not plane.bent:
                        current += short[a:b, tile, None] * (plane.middle[tile, i:j] * float(own.unit))
                    number = (k * self.tiles + tile) * len(parts) + index % len(parts)
                    spread = sigma[tile, a:b] if len(sigma) else sigma
                    where, cut = (k, tile, i), None if len(parts) == 1 else slice(i, j)
                    carried = self._lasting_of(k, tile, (a, b), cut) if self.lasting else None
                    stops += self._sense(current, spread, variance, where, number, a, total[a:b], carried)
            return stops

        self.sensed_at_stop = sum(self.run(block, blocks(len(parts) * len(self.samples), 1)))
        self.subtract(total)
        return total

    def _let_time_pass(self, way: str) -> None:
        """Move noise that has a time on to this read, and find what is thermal."""
        if self.carries:
            self.carry(way)
        self.heat = self._heat(way) if self.plan.heats else None
        if self.plan.by_device:
            self.stored.by_device.move(self.rows, self.stored.layout.hold_input, (self.keys.carried, self.step))

    def carry(self, way: str) -> None:
        """Move the carried noise of all tiles on to this read."""
        self.lasting = self._carried(way)
        if way == "forward" and self.stored.devices.references:
            self.beside = self._carried("reference")
        self._brought = [] if self.math.in_memory else brought(self.lasting, self.rows, self.math)

    def _lasting_of(self, k: int, tile: int, rows: tuple[int, int], lines: slice | None) -> Lasting:
        """Return sums, cosines and shares of carried noise of some rows and sensed lines; None is all lines."""
        a, b = rows
        if not self._brought:
            return self.lasting[k][tile].of(a, b, lines)
        (sums, cosines, shares), cut = self._brought[k][tile], lines or slice(None)
        return sums[a:b, cut], cosines[:, a:b], shares[cut]

    def _heat(self, way: str) -> ReadHeat | None:
        """Return the thermal noise of this read, at the full scale of the DAC in use; None without."""
        found = self.stored.line_heat()
        if found is None:
            return None
        full, forward = serial.full_scale(self.plan.dac), way == "forward"
        full *= self.stored.devices.heat.louder(self.span)
        lines = found.forward if forward else found.transposed
        shared = found.references if forward else np.zeros((*lines.shape[:2], 0))
        return ReadHeat(lines * full, shared * full, self.stored.devices.tile_of, self.keys.thermal, self.step)

    def _carried(self, name: str) -> list[list[Share]]:
        """Return the carried noise by slice and tile, of the lines of a direction or of its reference lines."""
        stored, draws, found, undivided = self.stored, (self.keys.carried, self.step), [], self.undivided
        driven = self.math.host(self.driven)
        sensed = len(stored.devices.column_tiles) if name == "reference" else stored.shape[name != "forward"]
        for k, places in enumerate(self.plan.driven(name)):
            shares = []
            for tile, (place, metric) in enumerate(places):
                signals, traps = self._lines(name, tile, driven), None
                if undivided is not None:
                    whole = (undivided.beside if name == "reference" else undivided.lasting)[k][tile]
                    shares.append(whole.part(signals, undivided._lines(name, tile, undivided.driven), metric))
                    continue
                if stored.traps.acts:
                    traps = partial(stored.trapped, name, k, tuple(self.ends[tile : tile + 2]))
                shares.append(stored.carried.read(place, signals, metric, sensed, draws, traps))
            found.append(shares)
        return found

    def _lines(self, name: str, tile: int, signals: Array) -> Array:
        """Return what drives the lines of a tile; of transposed products its reference lines come last, as one."""
        if self.tiles > 1:
            signals = np.ascontiguousarray(signals[:, self.ends[tile] : self.ends[tile + 1]])
        if name != "transposed" or self.taken is None:
            return signals
        return np.hstack([signals, -self.taken[:, tile : tile + 1]])

    def _with_references(self, signals: Array, taken: Array, tile: int) -> Array:
        """Return the signals of a column tile's lines and of its reference lines, which share minus the sum."""
        first, last = self.stored.devices.reference_lines[tile]
        shared = np.repeat(-taken[:, None] / (last - first), last - first, axis=1)
        return np.hstack([signals, shared.astype(signals.dtype, copy=False)])

    def driven_references(self, codes: Values) -> Values | None:
        """Return how much of the tiles' sums of codes (rows, tiles) their reference lines are driven by together."""
        if not self.stored.devices.references:
            return None
        sums = self._sums(codes)
        counts = np.array([b - a for a, b in self.stored.devices.reference_lines], dtype=self.stored.dtype)
        full, math = self.plan.dac.range if self.plan.drives else None, self.math
        taken = sums if full is None else math.clip(sums, math.bring(-full * counts), math.bring(full * counts))
        return self.curved(taken, counts)

    def _sigma(self, taken: Values | None) -> Values:
        """Return the standard deviations that all outputs of a tile have in common (tiles, rows), or nothing."""
        plan, math = self.plan, self.math
        if plan.varied or not (plan.uniform or plan.floor):
            return math.empty((0,), self.driven)
        found = self._deviations(plan.uniform * self.stored.devices.sides, 0.0 if self.lasting else plan.floor)
        if taken is not None and plan.uniform:
            found = math.cast(math.hypot(found, taken.T * math.bring(self._reference_sigma())[:, None]), found)
        if self.lasting:
            self.whole, white = found, np.stack([share.white for share in self.lasting[0]])
            found = np.sqrt(found**2 * white + plan.floor).astype(found.dtype, copy=False)
        return found

    def _reference_sigma(self) -> Array:
        """Return the standard deviation of the mean read of the reference lines of every column tile."""
        counts = np.array([b - a for a, b in self.stored.devices.reference_lines])
        return np.asarray(np.sqrt(self.plan.uniform / counts))

    def _sense(
        self,
        current: Values,
        sigma: Values,
        variance: Values | None,
        place: tuple[int, int, int],
        number: int,
        first: int,
        total: Values,
        carried: Lasting | None = None,
    ) -> Stops:
        """Add the converted currents of one tile to the total and return how many were at the stop.

        ``place`` is slice, tile and first sensed line. The currents are left noisy.
        """
        plan, (k, tile, column) = self.plan, place
        if self.heat is not None:
            self.heat.add(current, place, number, first)
        if carried is not None and variance is None and plan.uniform:
            current += self.whole[tile, first : first + len(current), None] * (carried[1][0, :, None] * carried[0])
        noise, draws, scale = (sigma, variance, carried), (self.keys.read, self.step, number, first), plan.factors[k]
        if plan.plain:
            return self._add(current, noise, draws, plan.grid, scale, total, column)
        self._add(current, noise, draws, OPEN, scale, self.math.zeros(current.shape, current), 0)
        stops = self._convert_apart(current, (k * self.tiles + tile, column), (self.keys.adc, *draws[1:]))
        total[:, column : column + current.shape[1]] += current * float(scale)
        return stops

    def _add(
        self,
        current: Values,
        noise: tuple[Values, Values | None, Lasting | None],
        draws: Draws,
        grid: Grid,
        scale: float,
        total: Values,
        column: int,
    ) -> Stops:
        """Add noisy and converted currents to the total from a column on; ``noise`` is as of :meth:`_sense`."""
        sigma, variance, carried = noise
        behind, floor = (draws, grid, scale, total, column), self.plan.floor
        if variance is None:
            return self.math.sense(current, sigma, *behind)
        if carried is None:
            return self.math.sense_varied(current, variance, floor, *behind)
        return self.math.sense_carried(current, variance, carried, floor, *behind)

    def _convert_apart(self, current: Values, where: tuple[int, int], dither: Draws) -> Stops:
        """Convert noisy currents in place, or take them as samples; ``where`` is tile of all slices and first line."""
        plan, math = self.plan, self.math
        adc, sensing = plan.adc, plan.sensing
        if sensing is not None:
            math.apply(lambda there: sensing.reach(there, *where, self.full), current)
        if plan.behind:
            z = math.normals((self.keys.sensed, *dither[1:]), tuple(current.shape))
            current += math.cast(z * plan.behind, current)
        if adc.observing:
            adc.sample(math.host(current / float(self.full) if adc.relative else current))
            return 0
        if sensing is not None:
            return math.apply(lambda there: sensing.convert(there, *where, adc, dither), current)
        return math.convert_stochastic(current, current, plan.grid, dither)

    def _reference(self, plane: Plane, k: int, tile: int, rows: tuple[int, int], square: Values) -> Values:
        """Return the noise of the reference lines in one row tile (rows, column tiles)."""
        (a, b), math = rows, self.math
        if plane.reference is None:
            sigma = self.common[tile, a:b, None] * math.bring(self._reference_sigma())
        else:
            sigma = math.sqrt(square @ plane.reference[:, self.ends[tile] : self.ends[tile + 1]].T)
        z = math.normals((self.keys.reference, self.step, k * self.tiles + tile, a), tuple(sigma.shape))
        if self.beside:
            share = self.beside[k][tile]
            fresh = np.maximum(1 - share.lasting[a:b, None] * share.shares, 0)
            z = share.found[a:b] + np.sqrt(fresh) * z
        return math.cast(sigma * z, self.driven)
