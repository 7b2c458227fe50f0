"""From what was measured of devices to a chip: files, the fit of every law, one chip of all.

==========  ===============================================================================================
tables      CSV with units, and which kind of measurement it holds; columns, units; file_text, numerals: what files hold
shares      conductances that are normalised, or without a unit; states, beside: columns beside each other
curves      readings behind pulses, checked; arrays, pulse_tables: from arrays and from files
response    ``fit_response``: the response to pulses, chosen by cycles left out (held_out)
likelihood  where the likelihood of curves is largest; laws: responses as its problems; fields: what they say
own_profiles, censored: what curves leave open of a device's steps and bounds
device_lines, device_shapes: lines and curves through the readings of many devices; habits: of files
population  means and spreads of few devices, with intervals
law_fits    how other laws are fitted: programming_error, read_noise_fit, retention_fit, current_fit
chip_files  ``fit_files``, the door of ``neuroep fit``: one chip of all files, as TOML; summary: in words
==========  ===============================================================================================
"""

from __future__ import annotations

from types import ModuleType

from hw_models import lazy


def __getattr__(name: str) -> ModuleType:
    """Import a module when it is asked for."""
    return lazy.submodule(__name__, __path__, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *lazy.modules(__path__)})
