"""Sweeps, comparisons and gradient checks as tables, and the CSV of a sweep."""

from __future__ import annotations

import csv

import pytest
from pyarrow import parquet

from analysis import comparison, gradients
from analysis.sweep import results as sweeps
from neuroep.runs import directory as runs
from tests.neuroep.runs.test_tables import check


def test_a_sweep_has_the_rows_of_its_parquet(sweep, tmp_path):
    out = sweep(["chip.adc.bits=4,8"])
    found = sweeps.load(out)
    check(found, tmp_path)
    table = parquet.read_table(out / sweeps.RESULTS)
    assert list(found.to_frame().columns) == table.column_names
    assert found.to_frame()["accuracy"].tolist() == table["accuracy"].to_pylist()
    points = found.summary()
    assert [row["chip.adc.bits"] for row in points] == [4, 8] and all(row["seeds"] == 1 for row in points)


def test_command(neuroep, trained, tmp_path):
    given = ["sweep", trained, "--chip", "pcm", "--vary", "chip.adc.bits=4,8", "--samples", "20", "--workers", "1",
             "--out", tmp_path / "sweep", "--quiet"]  # fmt: skip
    assert "its folder is not there" in neuroep(*given, "--csv", tmp_path / "none" / "x.csv").line
    assert not (tmp_path / "sweep").exists()
    found = neuroep(*given, "--csv", tmp_path / "x.csv")
    assert found.code == 0 and found.out.endswith(f"all trials: {tmp_path / 'x.csv'}\n")
    with (tmp_path / "x.csv").open(newline="") as file:
        held = list(csv.DictReader(file))
    wanted = sweeps.load(tmp_path / "sweep").rows
    assert [(int(row["chip.adc.bits"]), float(row["accuracy"])) for row in held] == [
        (row["chip.adc.bits"], row["accuracy"]) for row in wanted
    ]


@pytest.mark.usefixtures("unrendered")
@pytest.mark.parametrize("chips", [["hermes"]])
def test_a_comparison_has_a_row_for_each(trained, tmp_path, chips):
    found = comparison.run(trained, chips, tmp_path / "out", progress=False)
    check(found, tmp_path)
    assert [row["name"] for row in found.table()] == [one.name for one in found.contestants]


@pytest.mark.usefixtures("unrendered")
def test_a_gradient_check_has_a_row_for_each_beta(trained, tmp_path):
    found = gradients.run(runs.load(trained), tmp_path / "out", samples=2, betas=(0.1, 0.05), steps=2)
    check(found, tmp_path)
    assert {row["beta"] for row in found.table()} == {0.1, 0.05}
