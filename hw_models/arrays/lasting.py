# Tested by tests/hw_models/arrays/test_slow_noise.py.
"""What a checkpoint keeps of time on a crossbar and of noise that lasts: in words what there is, and all numbers."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np

from hw_models.arrays.carried import Kept
from hw_models.clock import LASTING
from hw_models.errors import ChipError

if TYPE_CHECKING:
    from hw_models.arrays.stored import StoredWeights

ABOUT, VALUES = LASTING
"""Names: JSON in bytes, uint8; and float64 or float32 numbers one after the other, as bytes."""


def packed(stored: StoredWeights) -> dict[str, np.ndarray]:
    """Return what decides later noise and age of a crossbar; nothing where no time passes."""
    if not stored.time.passes:
        return {}
    about, arrays = stored.noise.state()
    tails = []
    for (way, number), kept in sorted(stored.carried.ended().items()):
        arrays += [kept.anchor, kept.norm, kept.link, kept.latent, kept.total, kept.moved]
        tails.append([way, number, list(kept.processes)])
    about |= {"carried": tails, "wrote_at": stored.wrote_at, "built": stored.built, "now": stored.devices.now}
    about["traps"], filled = stored.traps.state()
    about["devices"], tails_of_devices = stored.by_device.state()
    arrays += filled + tails_of_devices
    about["arrays"] = [[each.dtype.str, list(each.shape)] for each in arrays]
    values = b"".join(np.ascontiguousarray(each).tobytes() for each in arrays)
    words = json.dumps(about, sort_keys=True).encode()
    return {ABOUT: np.frombuffer(words, np.uint8).copy(), VALUES: np.frombuffer(values, np.uint8).copy()}


def load(stored: StoredWeights, state: Mapping[str, np.ndarray]) -> None:
    """Take over :func:`packed`; a state without it leaves the noise at its start.

    Raises
    ------
    ChipError
        If it is none.
    """
    if not stored.time.passes or not all(name in state for name in LASTING):
        return
    try:
        about = json.loads(np.asarray(state[ABOUT], np.uint8).tobytes())
        arrays = _arrays(np.asarray(state[VALUES], np.uint8).tobytes(), about["arrays"])
        stored.noise.load(about, arrays)
        before = {}
        for way, number, processes in about["carried"]:
            anchor, norm, link, latent, total, moved = (next(arrays) for _ in range(6))
            if moved.ndim == 1:  # of one time for all copies, as checkpoints had it
                moved = np.repeat(moved[:, None], len(norm), axis=1)
            before[way, int(number)] = Kept(anchor, norm, link, latent, total, moved, tuple(processes))
        stored.traps.load(about["traps"], arrays)
        stored.by_device.load(about["devices"], arrays)
        stored.carried.going, stored.carried.before = {}, before
        stored.wrote_at, stored.built = float(about["wrote_at"]), int(about["built"])
        stored.devices.now = float(about["now"])
    except (KeyError, TypeError, ValueError, StopIteration) as error:
        raise ChipError(f"{stored.name}: what is kept of its noise cannot be read: {error}") from None


def _arrays(values: bytes, about: list[tuple[str, list[int]]]) -> Iterator[np.ndarray]:
    at = 0
    for kind, shape in about:
        size = int(np.prod(shape)) * np.dtype(kind).itemsize
        yield np.frombuffer(values[at : at + size], np.dtype(kind)).reshape(shape).copy()
        at += size
