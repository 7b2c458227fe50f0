"""What is said of a keyword that another engine has; tested by tests/neuroep/test_surface.py."""

NO_CHIP = dict.fromkeys(("chip", "chip_seed"), "a chip runs on engine 'local'")
"""On the engine without one."""
