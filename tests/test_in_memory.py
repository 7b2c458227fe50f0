"""Rows of docs/in_memory.py: each is a run that can be, and they become a table."""

from __future__ import annotations

from pathlib import Path

import in_memory
import pytest
import trainings

from hw_models import presets
from neuroep.errors import DivergenceError
from neuroep.runs import config

CONFIG = Path(__file__).parents[1] / trainings.CONFIG


def test_every_row_is_a_run_of_its_own() -> None:
    rows = list(in_memory.rows())
    assert len(set(rows)) == len(rows)
    assert {row.preset for row in rows} == {"none", *in_memory.devices()}
    for row in rows:
        found = config.load(CONFIG, row.settings)
        if row.rule == in_memory.EXACT:
            assert found.chip is None
            continue
        assert found.chip is not None and found.chip.update.scheme == row.rule and found.chip.update.scaled
        assert (found.chip.device.cell.reference_spread == 0.4) == row.wrong
        assert (found.chip.device.cell.reference_rounds == 5) == (in_memory.kind(row) == "again")
        assert in_memory.kind(row) != "off" or row.preset in in_memory.LIMITED
    steps = [presets.load(name).device.pulse for name in in_memory.devices()]
    shares = [pulse.dw_min / (pulse.w_max - pulse.w_min) for pulse in steps]
    assert shares == sorted(shares) and len(shares) > 10


def test_words_name_rows() -> None:
    row = in_memory.Row("ecram", "agad", True)
    cases = [((), True), (("ecram", "pulsed", "agad"), True), (("right",), False), (("2", "ecram"), False)]
    for words, wanted in cases:
        assert in_memory.chosen(row, 1, words) == wanted
    again = row._replace(off=in_memory.CURED)
    assert in_memory.chosen(again, 1, ("again",)) and not in_memory.chosen(again, 1, ("wrong",))


def test_a_word_that_names_no_row_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"unknown word 'agadd'.*did you mean 'agad'"):
        in_memory.measure(tmp_path / "rows.jsonl", ("ecram", "agadd"))
    assert not list(tmp_path.iterdir())


def test_lines_become_a_table() -> None:
    """The best rule in bold; a seed that is missing, and one that diverged, are told."""
    lines = [{"preset": "none", "rule": "exact", "wrong": False, "seed": seed, "accuracy": 99.0} for seed in (0, 1, 2)]
    for rule, accuracies in (("agad", (90.0, 94.0, 95.0)), ("mixed_precision", (97.0, 99.0))):
        for seed, accuracy in enumerate(accuracies):
            own = {"pulses": {"weights": 10.0 * seed, "fast": 28_234.0}, "joules": 2e-6} if rule == "agad" else {}
            line = {"preset": "ecram", "rule": rule, "wrong": False, "seed": seed, "accuracy": accuracy}
            lines.append(line | own | ({"diverged": 3} if accuracy == 90.0 else {}))
    assert list(in_memory.table(lines, False))[2:] == [
        "| none | exact | 99.0 +- 0.0 |  |  |",
        "| ecram | mixed_precision | **98.0 +- 1.4 (of 2)** |  |  |",
        "| ecram | agad | 93.0 +- 2.6, 1 diverged | 10 weights, 28,200 fast | 2 uJ |",
    ]
    assert len(list(in_memory.table(lines, True))) == 3


def test_what_was_switched_off_becomes_a_table() -> None:
    line = {"preset": "reram_om", "rule": "mixed_precision", "wrong": False, "accuracy": 90.0}
    lines = [line | {"seed": 0}, line | {"seed": 1, "accuracy": 92.0}, line | {"seed": 0, "off": "faults"}]
    assert list(in_memory.limits(lines))[2:] == [
        "| nothing |  | 91.0 +- 1.4 (of 2) |",
        "| faults |  | 90.0 (of 1) |",
    ]


def test_a_training_that_diverges_is_told_as_it_was_before(tmp_path, monkeypatch) -> None:
    def train(source, run, **how):
        run.mkdir()
        trainings.add(run / "metrics.jsonl", {"epoch": 4, "value": 1})
        raise DivergenceError("attention", 2)

    monkeypatch.setattr("neuroep.train", train)
    found = trainings.trained(0, 6, (), lambda record, run: {"value": record["value"]})
    assert found == {"value": 1, "diverged": 5}
    monkeypatch.setattr("neuroep.train", lambda source, run, **how: train(source, run.parent / "other", **how))
    with pytest.raises(DivergenceError):
        trainings.trained(0, 6, (), lambda record, run: {})


def test_tables_are_put_between_their_marks(tmp_path) -> None:
    page = tmp_path / "page.md"
    page.write_text("a\n<!-- rows -->\nold\n<!-- end of rows -->\nb\n")
    trainings.put(page, "rows", ["| new |"])
    assert page.read_text() == "a\n<!-- rows -->\n\n| new |\n\n<!-- end of rows -->\nb\n"
