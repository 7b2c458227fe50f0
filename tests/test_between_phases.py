"""Rows of docs/between_phases.toml: each is a run that can be, and docs/between_phases.py writes them into a table."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from neuroep.runs import config

DOCS = Path(__file__).parents[1] / "docs"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    """Return the script."""
    spec = importlib.util.spec_from_file_location("between_phases", DOCS / "between_phases.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_row_is_a_run_of_its_own(script: ModuleType) -> None:
    rows = list(script.rows())
    assert len({row.settings for row in rows}) == len(rows) > 70
    for row in rows:
        found = config.load(DOCS.parent / script.CONFIG, script.pairs(row.settings))
        assert (found.chip is not None) == ("--chip." in row.settings), row
        assert 1 <= row.chips <= len(script.CHIPS) and (row.chips == 1 or found.chip), row


def test_rows_become_lines_of_a_table(script: ModuleType) -> None:
    """A row with twins and other chips, one of its cures, and one that was not measured."""
    rows = [row for row in script.rows() if row.fault == "kT/C noise 1e-3"][:3]
    found = [
        {"settings": rows[0].settings, "seed": seed, "chip": chip, "accuracy": value, "settle_steps": 30.2}
        for seed, chip, value in ((0, None, 80.0), (1, None, 100.0), (0, 2, 82.0), (1, 2, 90.0))
    ] + [{"settings": rows[2].settings, "seed": 0, "chip": None, "accuracy": 87.04}]
    assert list(script.lines(rows, found))[2:] == [
        "| kT/C noise 1e-3 | HELD `--chip.readout.hold_noise 1e-3` | 80.0 / 100 | 81.0 +- 1.4 / 95.0 +- 7.1 "
        "| 78.8 / 88.1 | 30 |",
        "|  | and `--estimator.order mirrored` | 87.0 |  | 76.1 / 95.4 |  |",
    ]


def test_the_picture_is_as_wide_as_a_page(script: ModuleType, tmp_path: Path) -> None:
    """Drawn 13 inches wide, its texts had 6 points on the site."""
    rows = tmp_path / "points.jsonl"
    for case in script.cases():
        script.add(rows, {"case": case, "cosine": 0.9, "accuracy": 0.8})
    script.draw(rows, tmp_path)
    png = (tmp_path / "between_phases.png").read_bytes()
    assert int.from_bytes(png[16:20], "big") / 150 <= 8.5
