"""Resident memory of this process."""

from __future__ import annotations

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
