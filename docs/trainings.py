"""Rows of a study: trainings of one configuration, kept line by line, and put into a page between its marks."""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import neuroep
from neuroep.errors import DivergenceError
from neuroep.runs import overrides

CONFIG = "examples/configs/reviews.toml"
BEGIN, END = "<!-- {} -->", "<!-- end of {} -->"
"""Marks of a page, between which a table stands."""


def asked(about: str | None, **tasks: str) -> argparse.Namespace:
    """Return what a program of a study is asked: a task, its file of rows, and what else that task takes.

    ``tasks`` say of each whether it takes the "folder" of the page, further "words", or nothing more.
    """
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    kinds = parser.add_subparsers(dest="task", required=True)
    for name, more in tasks.items():
        task = kinds.add_parser(name)
        task.add_argument("file", type=Path, help="rows, one JSON object a line")
        if more == "folder":
            task.add_argument("folder", type=Path, help="of the page and its pictures")
        elif more == "words":
            task.add_argument("words", nargs="*", help="only rows named so")
    return parser.parse_args()


def brief(number: float) -> str:
    """Return a number of three digits without an exponent: 28,200, 0.771, 0.000521."""
    return f"{float(f'{number:.3g}'):,.0f}" if abs(number) >= 999.5 else f"{number:.3g}"


def entries(path: Path) -> list[dict[str, Any]]:
    """Return the lines that are there."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def add(path: Path, line: Mapping[str, Any]) -> None:
    """Write one more."""
    with path.open("a") as file:
        file.write(json.dumps(line) + "\n")


def pairs(settings: str) -> list[str]:
    """Return settings as ``neuroep train`` takes them."""
    return overrides.split(settings.split(), {})[1]


def trained(
    seed: int, epochs: int, settings: Sequence[str], look: Callable[[Mapping[str, Any], Path], dict[str, Any]]
) -> dict[str, Any]:
    """Return what ``look`` finds in the last record of a training, and in its run directory, which is then gone.

    One that diverges is told as it was an epoch before, which "diverged" names.
    """
    words = ["--training.epochs", str(epochs), "--training.seed", str(seed), *settings]
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        try:
            record = neuroep.train(CONFIG, run, overrides=words, progress=False, diagnose=False)
        except DivergenceError:
            if not (run / "metrics.jsonl").exists() or not (before := entries(run / "metrics.jsonl")):
                raise
            return look(before[-1], run) | {"diverged": before[-1]["epoch"] + 1}
        return look(record, run)


def put(page: Path, name: str, lines: Iterable[str]) -> None:
    """Put a table into a page between its marks."""
    begin, end = BEGIN.format(name), END.format(name)
    head, rest = page.read_text(encoding="utf-8").split(begin)
    table = "\n".join(lines)
    page.write_text(f"{head}{begin}\n\n{table}\n\n{end}{rest.split(end)[1]}", encoding="utf-8")
