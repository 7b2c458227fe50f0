# Tested by tests/neuroep/test_cli.py.
"""Memory of this process: how much is resident, and what becomes of memory that was freed."""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path

TRIM, MAP = -1, -3
"""Numbers of two settings of ``mallopt``, :manpage:`mallopt(3)`."""
KEPT, MAPPED = 1 << 29, 1 << 25
"""Bytes that may stay free, and from which an array gets pages of its own, the most that the library allows."""
CHOSEN = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "MALLOC_TOP_PAD_", "GLIBC_TUNABLES")
"""Variables by which a user decides that."""
_STATUS, _RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def keep_freed() -> None:
    """Have the C library keep up to half a gigabyte of freed memory, where it is glibc: for a process that is ours.

    Otherwise arrays of a batch are handed back after each, and cleared page by page for the next one, a tenth of the
    time of an evaluation. Arrays from 32 MiB on are handed back as ever. A user's own settings stay.
    """
    if any(name in os.environ for name in CHOSEN):
        return
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return
    mallopt(TRIM, KEPT)
    mallopt(MAP, MAPPED)


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
