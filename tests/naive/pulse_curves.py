"""Slow twins of measured devices: pulses one by one, and the likelihood of a curve as one normal vector.

``measure`` is the laboratory: devices of a preset, straight from the equations of its docstrings, in float64. It shares
no line with the arrays of pulsed devices, nor with what is fitted to curves.
"""

from __future__ import annotations

import math

import numpy as np

from hw_models import presets

ANEW = -1000000


def factors(pulse, w, high, low, gamma_up, gamma_down):
    """Factors of a step up and of one down."""
    if pulse.response == "constant":
        return 1.0, 1.0
    if pulse.response == "linear":
        return 1 - abs(gamma_up) * w / pulse.w_max, 1 - abs(gamma_down) * w / pulse.w_min
    if pulse.response == "soft_bounds":
        return 1 - w / high, 1 - w / low
    z = 2 * pulse.slope * w / (high - low) + pulse.offset
    up = max(1 - pulse.a_up * math.exp(pulse.gamma_up * z), 0.0)
    return up, max(1 - pulse.a_down * math.exp(-pulse.gamma_down * z), 0.0)


def measure(name, seed, *, devices=10, cycles=5, pulses=100, start="low", reading=0.0, own=None):
    """Measure devices of a preset: so many pulses up, then down, in each cycle; of one-sided pairs up, then a reset.

    Returns the chip, conductances (devices, readings) [uS], and pulses ahead of each reading. Devices start at their
    lower bound ("low") or at weight 0 ("middle"); ``reading`` is the noise of the instrument [uS]. A list ``own`` is
    given steps up and down and both bounds of every device [weight].
    """
    chip = presets.load(name)
    pulse, cell, draw = chip.device.pulse, chip.device.cell, np.random.default_rng(seed).normal
    alone = cell.kind != "one_sided"
    rows, ways = [], []
    for _ in range(devices):
        z = draw()
        spread = pulse.dw_min_spread * z
        size = pulse.dw_min * (math.exp(spread) if pulse.dw_min_law == "log_normal" else max(1 + spread, 0.0))
        tilt = min(max(pulse.up_down + pulse.up_down_spread * draw(), -1.0), 1.0)
        up, down = size * (1 + min(tilt, 0.0)), size * (1 - max(tilt, 0.0))
        high = pulse.w_max * max(1 + pulse.w_max_spread * draw(), 0.01)
        low = pulse.w_min * max(1 + pulse.w_min_spread * draw(), 0.01)
        gammas = pulse.gamma_up + pulse.gamma_up_spread * draw(), pulse.gamma_down + pulse.gamma_down_spread * draw()
        if own is not None:
            own.append((up, down, high, low))
        w = low if start == "low" else 0.0
        row, way = ([w + pulse.write_noise * pulse.dw_min * draw()], [ANEW]) if alone else ([], [])
        for _ in range(cycles):
            if not alone:
                w = max(cell.reset + cell.reset_spread * draw(), 0.0)
                row.append(w)
                way.append(ANEW)
            for sign in [1] * pulses + ([-1] * pulses if alone else []):
                factor = factors(pulse, w, high, low, *gammas)[0 if sign > 0 else 1]
                step = (up if sign > 0 else down) * factor
                stray = pulse.noise * abs(step) + pulse.noise_base * (up if sign > 0 else down)
                stray += pulse.noise_state * abs(w)
                w = min(max(w + sign * (step + stray * draw()), low), high)
                row.append(w + pulse.write_noise * pulse.dw_min * draw())
                way.append(sign)
        rows.append(row)
        ways.append(way)
    w = np.array(rows)
    span = chip.device.g_max - chip.device.g_min
    g = chip.device.g_min + span * ((w + 1) / 2 if alone else w)
    return chip, g + reading * np.random.default_rng(seed + 1).normal(size=g.shape), np.array(ways)


def constant_steps(seed, cover, *, devices=10, cycles=5, pulses=100, spread=0.3, bounds=0.05, noise=0.3):
    """Measure devices of equal steps between hard bounds of -1 and 1 (10 and 30 uS), of which a run crosses a share.

    Steps, bounds and asymmetry (0.05) are normal over the devices. Returns conductances (devices, readings) [uS], the
    directions of the pulses, and the step of the mean device [uS].
    """
    draw = np.random.default_rng(seed).normal
    size = 2 * cover / pulses
    rows, ways = [], ([1] * pulses + [-1] * pulses) * cycles
    for _ in range(devices):
        own, tilt = size * max(1 + spread * draw(), 0.0), 0.05 * draw()
        up, down = own * (1 + min(tilt, 0.0)), own * (1 - max(tilt, 0.0))
        high, low = 1 + bounds * draw(), -1 + bounds * draw()
        w = max(-cover, low)
        row = [w]
        for sign in ways:
            step = up if sign > 0 else down
            w = min(max(w + sign * (step + noise * step * draw()), low), high)
            row.append(w)
        rows.append(row)
    return 20 + 10 * np.array(rows), ways, 10 * size


def truths(name):
    """What a fit should find of a preset, by name; in weights where the range is not the preset's own."""
    chip = presets.load(name)
    pulse = chip.device.pulse
    fields = ("dw_min", "up_down", "dw_min_spread", "up_down_spread", "noise", "noise_base", "noise_state")
    found = {field: getattr(pulse, field) for field in fields}
    found |= {field: getattr(pulse, field) for field in ("w_max", "w_min", "w_max_spread", "w_min_spread")}
    if pulse.response == "linear":
        # Slopes are by the bound: curves that do not come to it tell gamma/w_max, of a w_max that is taken as 1.
        found |= {f"gamma_up{end}": getattr(pulse, f"gamma_up{end}") / pulse.w_max for end in ("", "_spread")}
        found |= {f"gamma_down{end}": -getattr(pulse, f"gamma_down{end}") / pulse.w_min for end in ("", "_spread")}
    if pulse.response == "exponential":
        # z = 2 a w/(b+ - b-) + b, with a and b in A and gamma.
        found |= {"gamma_up": pulse.gamma_up * pulse.slope}
        found |= {"a_up": pulse.a_up * math.exp(pulse.gamma_up * pulse.offset)}
        found |= {"gamma_down": pulse.gamma_down * pulse.slope}
        found |= {"a_down": pulse.a_down * math.exp(-pulse.gamma_down * pulse.offset)}
    sides = 2 if chip.device.cell.kind != "one_sided" else 1
    found["reading"] = pulse.write_noise * pulse.dw_min * (chip.device.g_max - chip.device.g_min) / sides
    return found


def log_likelihood(readings, signs, up, down, slope_up, slope_down, sigma_up, sigma_down, read):
    """Log-likelihood of a curve of a device whose steps are affine and whose noise does not go with the step.

    w' = w + s (1 - c w) + sigma xi up, and w' = w - s (1 + c w) + sigma xi down, so that all readings are one normal
    vector given the first: each is an affine function of w_0 and of all xi before, and w_0 is r_0 less its noise.
    """
    many = len(signs)
    mean, to = np.zeros(many + 1), np.zeros((many + 1, many + 1))
    mean[0], to[0, 0] = readings[0], -np.sqrt(read)
    for k, sign in enumerate(signs):
        s, c, sigma = (up, slope_up, sigma_up) if sign > 0 else (down, slope_down, sigma_down)
        grow = 1 - s * c
        mean[k + 1] = grow * mean[k] + sign * s
        to[k + 1] = grow * to[k]
        to[k + 1, k + 1] += sigma
    covariance = to[1:] @ to[1:].T + read * np.eye(many)
    off = readings[1:] - mean[1:]
    _, logarithm = np.linalg.slogdet(covariance)
    return float(-(off @ np.linalg.solve(covariance, off) + logarithm) / 2)
