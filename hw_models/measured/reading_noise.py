"""Whose the noise of readings behind pulses is, once a law of read noise was fitted to reads of their own.

A reading behind a pulse strays from the state that pulses move by what the write left and by what the read adds. Both
are independent, so that their variances add:

    reading^2 = write_noise^2 + mean of sigma(g)^2 over all readings       [uS^2]

sigma(g) is the law of read noise, which the chip draws anew at every read. ``pulse.write_noise`` is what is left. With
all of ``reading`` as write noise, the chip would have the noise of reads twice.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from hw_models.chip import Device
from hw_models.errors import given_as
from hw_models.laws.read_noise import READ_NOISE
from hw_models.measured.law_fits import LawFit
from hw_models.measured.population import Estimate
from hw_models.measured.pulse_fields import short
from hw_models.measured.response import ResponseFit


def shared_out(found: ResponseFit, reads: LawFit | None = None) -> ResponseFit:
    """Return a response whose write noise is what the law of read noise leaves of the noise of readings.

    Parameters
    ----------
    found : ResponseFit
        What was found in pulse curves. Unless its ``readings`` are ``"write"`` it is returned as it is.
    reads : LawFit, optional
        Law of read noise, fitted to reads of their own; without one all noise of readings is the write's.
    """
    reading, written = found.estimates["reading"], found.pulse.write_noise
    if found.readings != "write" or not written:
        return found
    seen = f"Readings behind pulses stray by {reading.value:.4g} uS"
    unit = written / reading.value
    if reads is None:
        choice = given_as("--readings read or instrument", "readings='read' or 'instrument'")
        told = f"{seen}: that is written as pulse.write_noise = {written:g} dw_min"
        write, said = reading, f"{told}. {choice} says that it is not the write's."
        return _with(found, write.times(unit), written, said)
    variance, error = _variance(found, reads)
    write, read = left_of(reading, variance, error), math.sqrt(variance)
    told = f"{seen}, of which reads by their own law are {read:.4g} uS"
    if write.high == 0:
        told = f"{seen}, reads by their own law by {read:.4g} uS, which is more. The files contradict each other"
    if write.low > 0:
        value = short(write.value * unit)
        said = f"{told}. What is left, {write.value:.4g} uS, is written as pulse.write_noise = {value:g} dw_min."
        return _with(found, write.times(unit), value, said)
    said = f"{told}. Nothing clear is left, and no pulse.write_noise is written: 0 [0, 0] means that."
    return _with(found, replace(write, value=0.0).times(unit), 0.0, said)


def left_of(reading: Estimate, read: float, error: float) -> Estimate:
    """Return the standard deviation that is left of readings without reads, with its interval [uS].

    Parameters
    ----------
    reading : Estimate
        Standard deviation of readings [uS].
    read, error : float
        Variance of reads, and half of its 95 % interval [uS^2].
    """
    square = reading.value**2
    left = square - read
    low = left - math.hypot(square - reading.low**2, error)
    high = left + math.hypot(reading.high**2 - square, error)
    value, low, high = (math.sqrt(max(one, 0.0)) for one in (left, low, high))
    return Estimate(value, low, high)


def _variance(found: ResponseFit, reads: LawFit) -> tuple[float, float]:
    """Return the mean variance of reads at the conductances of all readings, and half of its 95 % interval [uS^2].

    Reads follow pulses at once: the 1/f law counts no time since the write.
    """
    g = found.curves.conductance[found.moving]
    device = Device(g_max=found.g_max, **reads.device)  # type: ignore[arg-type]
    sigma = READ_NOISE[device.read_noise_law].sigma(*2 * (g[np.isfinite(g)].astype(np.float32),), device, 0.0)
    square = float((sigma.astype(np.float64) ** 2).mean())
    size = reads.estimates["read_noise"]
    return square, square * (size.high**2 - size.low**2) / (2 * size.value**2)


def _with(found: ResponseFit, estimate: Estimate, write_noise: float, note: str) -> ResponseFit:
    """Return a fit with another write noise, and what should be known of it."""
    named = estimate.named("dw_min", "state that is read about the state that pulses move, anew with every write")
    pulse = found.pulse.model_copy(update={"write_noise": write_noise})
    estimates = {**found.estimates, "write_noise": named}
    return replace(found, pulse=pulse, estimates=estimates, notes=(*found.notes, note))
