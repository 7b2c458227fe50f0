"""The sweep of 24 trials that is disturbed in many ways."""

from __future__ import annotations

from typing import Any

VARY = ["chip.adc.bits=3:6", "chip.device.read_noise=0,0.01,0.03"]
SETTINGS: dict[str, Any] = {"seeds": 2, "samples": 400}
