"""Measure how clear what reaches W is, rule by rule, where the references of the fast array err.

    python docs/reference_signal.py docs        # into docs/reference_error.md; some seconds

No network: every update asks an array of 64 x 64 ``reram_hfo2`` devices for the same change, among random ones three
times as large. What a rule moves is added up over as many updates as a training of docs/reference_error.py has, and
compared with the change that was wanted: mean over standard deviation, over all weights.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np

import hw_models
from hw_models import durations
from neuroep.engines.chip import rules
from neuroep.engines.chip.rules.rule import Place
from neuroep.engines.chip.rules.transfer import TransferRule
from neuroep.engines.numba.substrate import Setting
from neuroep.engines.workers import Workers
from neuroep.learning.contrast import Contrast, Held, Moved
from neuroep.learning.optimisers import SGD

SIZE, UPDATES, SAMPLES, SHARE, RATE = 64, 420, 8, 0.3, 1e-3
"""Of the array; random changes of an update, and the wanted one as a share of them."""
ERRORS = ((0.05, 0.0), (1.0, 0.4))
RULES = {"tiki_taka_v2": "Tiki-Taka v2", "chopped": "c-TTv2", "agad": "AGAD", "e_rider": "E-RIDER"}
BEGIN, END = "<!-- signals -->", "<!-- end of signals -->"


def made(rule: str, mean: float, spread: float, seed: int) -> TransferRule:
    """Return a rule on an array of its own."""
    chip = hw_models.load("reram_hfo2")
    transfer = chip.update.transfer.model_copy(update={"reference_mean": mean, "reference_spread": spread})
    update = chip.update.model_copy(update={"scheme": rule, "fill": 1.0, "transfer": transfer})
    chip = chip.model_copy(update={"update": update})
    setting = Setting(SGD(), Workers(1), "float32", seed, clock=durations.clock(chip.timing))
    start = np.random.default_rng(seed).uniform(-0.1, 0.1, (SIZE, SIZE)).astype(np.float32)
    return rules.named(rule)(Place("a", chip, setting), start, np.zeros(SIZE, np.float32))


def clarity(rule: str, mean: float, spread: float, seed: int) -> float:
    """Return signal over noise of all that a rule moves."""
    own, draws = made(rule, mean, spread, seed), np.random.default_rng(seed)
    moved = np.zeros((SIZE, SIZE))

    def note(columns: np.ndarray, read: np.ndarray, rates: np.ndarray) -> int:
        moved[:, columns] += read * rates
        return 0

    own._move = note  # type: ignore[method-assign]  # W stays as it is: what reaches it is measured
    signs = [draws.choice([-1.0, 1.0], (1, SIZE)).astype(np.float32) for _ in range(2)]
    for _ in range(UPDATES):
        post, pre = (draws.choice([-1.0, 1.0], (SAMPLES, SIZE)).astype(np.float32) for _ in range(2))
        post = np.concatenate([np.float32(SHARE * SAMPLES**0.5) * signs[0], post])
        moves = Moved(post, np.zeros_like(post))
        own.update(Contrast(moves, Held(np.concatenate([signs[1], pre])), 1.0, SAMPLES + 1), RATE)
    along = moved * (signs[0].T @ signs[1])
    return float(along.mean() / along.std())


def table() -> Iterator[str]:
    """Yield the lines of the table."""
    yield f"| rule | {' | '.join(f'{mean:g} / {spread:g}' for mean, spread in ERRORS)} |"
    yield f"|---|{'---|' * len(ERRORS)}"
    for rule, name in RULES.items():
        yield f"| {name} | {' | '.join(f'{clarity(rule, *error, 0):.2f}' for error in ERRORS)} |"


def write(out: Path) -> None:
    """Put the table into the page, between its marks."""
    page = out / "reference_error.md"
    lines = "\n".join(table())
    head, rest = page.read_text(encoding="utf-8").split(BEGIN)
    page.write_text(f"{head}{BEGIN}\n\n{lines}\n\n{END}{rest.split(END)[1]}", encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="of the page")
    write(parser.parse_args().folder)
