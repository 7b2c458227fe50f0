# Tested by tests/neuroep/test_cli.py.
"""Resident memory of this process."""

from __future__ import annotations

import os
import sys
from pathlib import Path

_STATUS, _RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def peak_memory() -> float | None:
    """Return the largest resident memory of this process so far [MiB]; None where the system does not tell."""
    if _STATUS.exists():
        lines = _STATUS.read_text().splitlines()
        found = next((line.split()[1] for line in lines if line.startswith("VmHWM")), None)
        if found is not None:
            return round(int(found) / 2**10, 1)
    try:
        import resource
    except ImportError:
        return None
    unit = 1 if sys.platform == "darwin" else 1024
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20, 1)


def restart_peak_memory() -> None:
    """Let the peak begin anew at what is resident now, where the system can; elsewhere it goes on."""
    try:
        _RESET.write_text("5")
    except OSError:
        return


def physical_memory() -> int | None:
    """Return the memory of this machine [bytes]; None where the system does not tell."""
    try:
        pages, size = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return None
    return pages * size if pages > 0 and size > 0 else None
