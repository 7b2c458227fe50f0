"""From what was measured of devices to a chip: conductance traces, the fit of their response, files.

========  ===========================================================
traces    readings and pulses, checked
files     traces from CSV and NPZ; the chip of a fit as TOML
fit       ``fit_response``, the door; jackknife: its standard errors
estimate  one estimate of everything; ranges, moments, noise, spreads, shapes and formulas are its parts
========  ===========================================================
"""

from __future__ import annotations

from types import ModuleType

from hw_models import lazy


def __getattr__(name: str) -> ModuleType:
    """Import a module when it is asked for."""
    return lazy.submodule(__name__, __path__, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *lazy.modules(__path__)})
