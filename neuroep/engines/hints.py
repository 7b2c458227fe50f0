# Tested by tests/neuroep/test_surface.py.
"""What is said of a keyword that another engine has."""

NO_CHIP = dict.fromkeys(("chip", "chip_seed"), "a chip runs on engine 'local'")
"""On the engine without one."""
