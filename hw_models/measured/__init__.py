"""From what was measured of devices to a chip: conductance traces, the fit of their response, files.

========  ===========================================================
traces    readings and pulses, checked
files     traces from CSV and NPZ; the chip of a fit as TOML
fit       ``fit_response``, the door
estimate  one estimate of everything; ranges, moments, noise, spreads, shapes and formulas are its parts
========  ===========================================================
"""
