"""Tables: sorted, typed, the same bytes whatever the order of the records."""

from __future__ import annotations

import random

import pytest
from pyarrow import parquet

from analysis.sweep.ledger import Ledger
from analysis.sweep.results import RESULTS, TIMINGS, load, write
from neuroep.errors import ConfigError

FIELDS = ["chip.adc.bits", "chip"]


def record(bits, chip, seed, accuracy=0.5, **entries):
    result = {"accuracy": accuracy, "loss": 0.1, "samples": 20, "counters": {"adc": 10}}
    about = {"id": f"{bits}{chip}{seed}", "values": {"chip.adc.bits": bits, "chip": chip}, "seed": seed}
    return {**about, "result": result, "seconds": random.random(), "attempt": 1, "worker": "a:1", **entries}


RECORDS = [record(bits, chip, seed) for bits in (10, 3, None) for chip in ("rram", "pcm") for seed in (1, 0)]


def test_the_order_of_records_does_not_matter(tmp_path):
    write(tmp_path, RECORDS, FIELDS)
    first = (tmp_path / RESULTS).read_bytes()
    again = [{**found, "seconds": 3.0, "attempt": 2, "worker": "b:2"} for found in RECORDS]
    write(tmp_path, random.Random(0).sample(again, len(again)), FIELDS)
    assert (tmp_path / RESULTS).read_bytes() == first
    assert sorted(path.name for path in tmp_path.iterdir()) == [RESULTS, TIMINGS]


def test_rows_are_sorted_and_typed(tmp_path):
    failed = {**record(3, "pcm", 2), "error": "diverged"}
    del failed["result"]
    write(tmp_path, [*RECORDS, failed], FIELDS)
    table = parquet.read_table(tmp_path / RESULTS)
    assert table.column_names == [*FIELDS, "seed", "accuracy", "loss", "samples", "counters.adc", "error", "id"]
    assert [str(kind) for kind in table.schema.types[:5]] == ["int64", "string", "int64", "double", "double"]
    assert table["chip.adc.bits"].to_pylist() == [3] * 5 + [10] * 4 + [None] * 4
    assert table["seed"].to_pylist()[:5] == [0, 1, 2, 0, 1]
    row = table.to_pylist()[2]
    assert row["error"] == "diverged" and row["accuracy"] is None and row["counters.adc"] is None


def test_mixed_values_are_texts(tmp_path):
    write(tmp_path, [record(3, "a", 0), record(True, "a", 0), record("x", "a", 0)], FIELDS)
    assert parquet.read_table(tmp_path / RESULTS)["chip.adc.bits"].to_pylist() == ["3", "true", "x"]


def test_means_and_text(tmp_path):
    page = {"mode": "deploy", "split": "test", "samples": None, "checkpoint": "", "settings": {}, "fields": FIELDS}
    with Ledger(tmp_path / "out", page) as ledger:
        ledger.begin({})
        for seed, accuracy in enumerate((0.5, 0.7)):
            ledger.append(record(3, "pcm", seed, accuracy))
        for seed in range(5):
            ledger.append({"id": f"f{seed}", "values": {"chip.adc.bits": 4, "chip": "x"}, "seed": seed, "error": "no"})
    found = load(tmp_path / "out")
    mean, failed = found.means
    assert (mean.mean, mean.std, mean.error) == pytest.approx((0.6, 0.1414, 0.1), abs=1e-4)
    assert (len(mean.accuracies), mean.failed, failed.failed) == (2, 0, 5)
    page = found.as_dict()["means"][1]
    assert (page["accuracy"], page["seeds"], page["failed"]) == (None, 0, 5)
    text = found.as_text()
    assert "0.6000  0.1414" in text and "7 trials, 5 failed" in text and "and 2 more failed" in text
    assert "\nspread: standard deviation over the seeds\n" in text
    assert len(found.as_dict()["rows"]) == 7
    with pytest.raises(ConfigError, match="is no sweep"):
        load(tmp_path)
