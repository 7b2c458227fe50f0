"""The sweep of 24 trials that is disturbed in many ways, and sealed pages that are changed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from neuroep.runs import seals

VARY = ["chip.adc.bits=3:6", "chip.device.read_noise=0,0.01,0.03"]
SETTINGS: dict[str, Any] = {"seeds": 2, "samples": 400}


def resealed(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change the page of a sweep, or every line of its ledger, and seal what comes of it as a sweep would."""
    text = path.read_text()
    parts = text.splitlines() if path.suffix == ".jsonl" else [text]
    found = []
    for part in parts:
        page = json.loads(part)
        change(page)
        found.append(json.dumps(seals.sealed(seals.opened(page), page[seals.RUN])))
    path.write_text("".join(f"{part}\n" for part in found))
