# Tested by tests/neuroep/runs/test_damage.py.
"""Digests of what a run directory holds, so that damage and mixed-up files are seen before they give a number.

Each tensor of a checkpoint has a digest of its name, dtype, shape and bytes; its page, a line of metrics and the
environment have one of their own text. They tell damage and accident, not malice: whoever can write a run can seal it.
The hash is XXH3 with 128 bits, which runs at the speed of the memory: two equal digests of different data are one in
1e38, and the state of 180 million weights (2.2 GB) takes less than half a second.
"""

from __future__ import annotations

import json

import numpy as np
import xxhash

from hw_models.reading import Entries, Page

SEAL, RUN = "seal", "run"
"""Entries of a sealed page: its digest, and the run it belongs to."""


def of_array(name: str, array: np.ndarray) -> str:
    """Return the digest of a tensor with its name, dtype and shape."""
    digest = xxhash.xxh3_128(f"{name} {array.dtype.str} {array.shape}".encode())
    digest.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
    return digest.hexdigest()


def of_page(page: Entries) -> str:
    """Return the digest of plain values, their seal left out; the order of names does not count."""
    plain = {name: value for name, value in page.items() if name != SEAL}
    return xxhash.xxh3_128(json.dumps(plain, sort_keys=True).encode()).hexdigest()


def sealed(page: Entries, run: str) -> Page:
    """Return plain values with the run they belong to and their digest."""
    whole = {**page, RUN: run}
    return {**whole, SEAL: of_page(whole)}


def fault(page: Entries, run: str) -> str:
    """Return what is wrong with a sealed page of a run: nothing, damage, or that it is another run's."""
    if page.get(SEAL) != of_page(page):
        return "is damaged or was changed by hand"
    return "" if page.get(RUN) == run else "belongs to another run"


def closed(page: Entries) -> Page:
    """Return plain values of a page that belongs to no run with their digest."""
    return {**page, SEAL: of_page(page)}


def unclosed(page: object) -> Page:
    """Return the values of a page that may have a digest; versions before 0.2 wrote none.

    Raises
    ------
    ValueError
        If it is no table, or was changed.
    """
    if not isinstance(page, dict):
        raise ValueError("it holds no table")
    if SEAL in page and page[SEAL] != of_page(page):
        raise ValueError("it was changed by hand, or a part of it is lost")
    return {name: value for name, value in page.items() if name != SEAL}


def opened(page: Entries) -> Page:
    """Return the values without run and seal."""
    return {name: value for name, value in page.items() if name not in (RUN, SEAL)}
