"""Slow twins of measurements that tell laws: device by device, reading by reading, from the equations of the laws.

Each takes a seed and returns columns as a file would have them, and what a fit should find. They share no line with
:mod:`hw_models.laws` nor with the fits.
"""

from __future__ import annotations

import math

import numpy as np


def drift(seed, devices, *, nu=0.05, spread=0.01, start=20.0, noise=0.002, first=5.0, last=1e5, times=18):
    """Conductances of devices that fall as g_0 (1 + t/t0)^-nu, nu = |mean + spread z|, read with a relative noise."""
    draw = np.random.default_rng(seed)
    columns = {"device": [], "time [s]": [], "g [uS]": []}
    for device in range(devices):
        written, exponent = draw.uniform(3, 25), abs(nu + spread * draw.normal())
        for time in np.geomspace(first, last, times):
            g = written * (1 + time / start) ** -exponent
            columns["device"].append(device)
            columns["time [s]"].append(time)
            columns["g [uS]"].append(g * (1 + noise * draw.normal()))
    return columns, {"drift_start": start, "drift_mean": nu, "drift_spread": spread}


def loss(seed, devices, *, tau=3e4, spread=0.3, noise=0.002, first=100.0, last=1e5, times=18):
    """Conductances of devices that fall as g_0 exp(-t/tau), tau log-normal, read with a relative noise."""
    draw = np.random.default_rng(seed)
    columns = {"device": [], "time [s]": [], "g [uS]": []}
    for device in range(devices):
        written, own = draw.uniform(3, 25), tau * math.exp(spread * draw.normal())
        for time in np.geomspace(first, last, times):
            columns["device"].append(device)
            columns["time [s]"].append(time)
            columns["g [uS]"].append(written * math.exp(-time / own) * (1 + noise * draw.normal()))
    return columns, {"retention": tau, "retention_spread": spread}


def currents(seed, devices, law, shape, *, spread=0.05, noise=0.003, additive=0.0, voltages=21, top=0.5):
    """Currents of devices between -top and top: G top F(v/top), G of 12 uS +- 20 %, each with a shape of its own.

    ``spread`` is the shape's, a share of it; ``noise`` a share of the current, ``additive`` of the largest.
    """
    draw = np.random.default_rng(seed)
    columns = {"device": [], "voltage [V]": [], "current [uA]": []}
    for device in range(devices):
        g, own = 12 * (1 + 0.2 * draw.normal()), shape * (1 + spread * draw.normal())
        for v in np.linspace(-1, 1, voltages):
            if law == "sinh":
                f = math.sinh(own * v) / math.sinh(own)
            elif law == "cubic":
                f = (1 - own) * v + own * v**3
            else:
                f = v
            i = g * top * (f * (1 + noise * draw.normal()) + additive * draw.normal())
            columns["device"].append(device)
            columns["voltage [V]"].append(v * top)
            columns["current [uA]"].append(i)
    name = {"sinh": "iv_voltage", "cubic": "iv_cubic"}.get(law)
    truth = {} if name is None else {name: top / shape if law == "sinh" else shape}
    return columns, {"conductance": 12.0, **truth}


def programming(seed, devices, *, terms=(0.26348, 1.9650, -1.1731), mismatch=0.0, writes=12, top=25.0):
    """What write and verify achieves: m target + s(target/g_max) z, m = 1 + mismatch z of each device."""
    draw = np.random.default_rng(seed)
    columns = {"device": [], "target [uS]": [], "achieved [uS]": []}
    for device in range(devices):
        gain = 1 + mismatch * draw.normal()
        for target in np.linspace(0.5, top, writes):
            sigma = sum(term * (target / top) ** k for k, term in enumerate(terms))
            columns["device"].append(device)
            columns["target [uS]"].append(target)
            columns["achieved [uS]"].append(gain * target + sigma * draw.normal())
    truth = {f"programming_noise[{k}]": term for k, term in enumerate(terms)}
    return columns, {**truth, "mismatch": mismatch}


def reads(seed, devices, law, *, count=100, size=0.02, exponent=0.65, spread=0.0, low=2.5, top=25.0):
    """Repeated reads g + sigma z of devices whose conductances are even in their logarithm up to ``top``.

    sigma = size times g_max, sqrt(g g_max), g, or Q of the 1/f law right after a read of 250 ns, t0 = 20 s; times
    exp(spread z) of each device.
    """
    draw = np.random.default_rng(seed)
    columns = {"device": [], "read": [], "g [uS]": []}
    for device in range(devices):
        g = math.exp(draw.uniform(math.log(low), math.log(top)))
        sigma = {
            "additive": size * top, "sqrt": size * math.sqrt(g * top), "proportional": size * g,
            "pcm": size * g * (g / top) ** -exponent * math.sqrt(math.log((20 + 250e-9) / (2 * 250e-9))),
        }[law] * math.exp(spread * draw.normal())  # fmt: skip
        for read in range(count):
            columns["device"].append(device)
            columns["read"].append(read)
            columns["g [uS]"].append(g + sigma * draw.normal())
    truth = {"read_noise": size * (top if law == "additive" else 1.0)}
    return columns, truth | ({"read_noise_exponent": exponent} if law == "pcm" else {})


def estimates(seed, devices, *, mean=1.0, spread=0.1, error=0.05, free=8):
    """A number of every device, estimated with an error whose variance is itself known from ``free`` readings' rest.

    Returns estimates and their estimated variances, (devices,) each.
    """
    draw = np.random.default_rng(seed)
    y, v = [], []
    for _ in range(devices):
        y.append(mean + spread * draw.normal() + error * draw.normal())
        v.append(error**2 * float((draw.normal(size=free) ** 2).mean()))
    return np.array(y), np.array(v)
