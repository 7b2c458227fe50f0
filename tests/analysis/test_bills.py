"""Pictures and columns of cost: bars by part, accuracy against price and its front, accuracy as a run settles."""

from __future__ import annotations

import itertools

from analysis.drawing.bills import plot_bills, sources, table

import numpy as np
import pytest

import analysis.comparison
from analysis.run import bills as of_runs
from analysis.sweep import bills as of_sweeps, runner
from neuroep.errors import ConfigError
from neuroep.runs import config
from neuroep.runs.session import Session
from tests.neuroep.engines.chip.conftest import BASE

BILL = {
    "per": "classification", "energy": 3e-9, "latency": 2e-6, "area": None, "by_part": {"ADC": 2e-9, "cells": 1e-9},
    "leaves_out": ["board"], "components": ["x: y (measured); z"],
}  # fmt: skip
OTHER = {**BILL, "energy": 3e-6, "latency": None, "area": 2e-6, "by_part": {"core": 3e-6}}


def test_bars_end_at_their_energy_and_parts_are_shares_of_their_length():
    ax = plot_bills({"a": BILL, "b": OTHER})
    bars = [bar for bar in ax.patches if bar.get_width() > 0]
    ends = [bar.get_x() + bar.get_width() for bar in bars]
    assert max(ends[:2]) == pytest.approx(3e-9) and ends[2] == pytest.approx(3e-6)
    low = bars[0].get_x()
    assert np.log(ends[0] / low) / np.log(3e-9 / low) == pytest.approx(1 / 3)  # cells, ahead of the ADC
    assert {text.get_text() for text in ax.texts} == {"3 nJ, 2 us", "3 uJ"}
    assert plot_bills({"a": {**BILL, "energy": 0.0, "by_part": {}}}).texts[0].get_text() == "nothing priced"


def test_tables_tell_what_is_known_and_what_is_left_out():
    text = table({"a": BILL, "b": OTHER})
    for word in ("3 nJ", "2 us", "2 mm^2", "cells", "1 nJ", "–", "a leaves out: board"):
        assert word in text
    assert "x: y (measured); z" in sources({"a": BILL}) and sources({"a": {**BILL, "components": []}}) == ""


def test_the_front_is_that_which_no_point_beats_in_both():
    price, accuracy = [3.0, 1.0, 2.0, 4.0, 2.0, 5.0], [0.8, 0.5, 0.7, 0.75, 0.6, 0.9]
    beaten = [
        any(p <= price[n] and a >= accuracy[n] and (p < price[n] or a > accuracy[n])
            for p, a in zip(price, accuracy, strict=True))
        for n in range(len(price))
    ]  # fmt: skip
    assert of_sweeps.front(price, accuracy) == [1, 2, 0, 5]
    assert sorted(of_sweeps.front(price, accuracy)) == [n for n, worse in enumerate(beaten) if not worse]


def rows() -> list[dict[str, object]]:
    return [
        {"chip.adc.bits": bits, "seed": seed, "accuracy": 0.1 * bits + 0.01 * seed, "energy": 1e-9 * bits}
        for bits in (4, 6, 8)
        for seed in (0, 1)
    ]


def test_accuracy_against_price_draws_means_and_the_front():
    found = of_sweeps.priced([*rows(), {**rows()[0], "accuracy": None}], "energy")
    assert found.price == pytest.approx([4e-9, 6e-9, 8e-9]) and found.accuracy == pytest.approx([0.405, 0.605, 0.805])
    assert found.front == [0, 1, 2] and found.name[0] == "bits 4"
    ax = of_sweeps.plot_price(found)
    np.testing.assert_allclose(ax.lines[1].get_xdata(), [4e-9, 6e-9, 8e-9])
    np.testing.assert_allclose(ax.lines[1].get_ydata(), [40.5, 60.5, 80.5])
    assert of_sweeps.priced([], "energy").price == []
    with pytest.raises(ConfigError, match="paid is 'money': allowed are energy"):
        of_sweeps.priced(rows(), "money")


@pytest.mark.usefixtures("unrendered")
def test_a_sweep_has_columns_of_cost_and_a_page_with_the_front(tmp_path):
    from analysis import report

    values = {**BASE, "training": {**BASE["training"], "evaluate": ["test"]}}
    how = {"vary": ["chip.adc.bits=4,8"], "samples": 16, "workers": 1}
    (tmp_path / "small.toml").write_text(config.parse(values).to_toml())
    place = {"mode": "learn", "overrides": ["--chip", "pcm"], "out": tmp_path / "sweep"}
    found = runner.run(tmp_path / "small.toml", **how, **place)
    for row in found.rows:
        assert row["energy"] > 0 and row["latency"] > 0 and row["update_energy"] > row["energy"]
    assert "update energy" in found.as_text() and " nJ" in found.as_text()
    page = report.write(tmp_path / "sweep").read_text(encoding="utf-8")
    assert "Pareto front" in page and "accuracy by energy" in page


@pytest.mark.usefixtures("unrendered")
def test_a_comparison_has_columns_and_bars_of_cost(tmp_path):
    from analysis import report

    found = analysis.comparison.run(config.parse(BASE), ["hermes"], tmp_path / "compare")
    one = found.contestants[-1]
    assert one.bills["classification"]["energy"] > 0 and one.bills["update"]["latency"] > 0
    assert "J a sample" in found.as_text() and "s an update" in found.as_text()
    assert analysis.comparison.load(tmp_path / "compare").contestants[-1].bills == one.bills
    page = report.write(tmp_path / "compare").read_text(encoding="utf-8")
    assert 'alt="bars of energy, by part of the chip"' in page and "leaves out" in page and "legallo_2023_core" in page


def test_accuracy_as_a_run_settles():
    """Latency grows by the same for every sweep, and the last point is that of the schedule's own sweeps."""
    session = Session.open(config.parse({**BASE, "chip": {"preset": "pcm"}}))
    found = of_runs.settle(session, "test", (1, 2, 4), 16)
    steps = np.diff(found.seconds) / np.diff(found.steps)
    assert steps == pytest.approx([steps[0]] * 2) and steps[0] > 0 and found.energy[2] > found.energy[0]
    chosen = session.draw("test", 16, "settle time")
    assert found.accuracy[-1] == session.evaluate("test", only=chosen).accuracy
    ax = of_runs.plot_settle_time(found)
    np.testing.assert_allclose(ax.lines[0].get_xdata(), np.multiply(found.seconds, 1e6))


def test_points_of_a_grid_are_named_by_their_values():
    grid = [
        {"chip.adc.bits": bits, "chip.crossbar.repeats": repeats, "seed": 0, "accuracy": 0.5, "energy": 1e-6 * repeats}
        for bits in (4, 6)
        for repeats in (1, 2)
    ]
    found = of_sweeps.priced(grid, "energy")
    assert set(found.name) == {f"bits {bits}, repeats {repeats}" for bits in (4, 6) for repeats in (1, 2)}
    ax = of_sweeps.plot_price(found)
    ax.figure.canvas.draw()
    assert ax.get_xlabel() == "energy of a classification"
    assert any(text.get_text().endswith("\N{MICRO SIGN}J") for text in ax.get_xticklabels())
    page = ax.figure.bbox
    for text in ax.texts:
        box = text.get_window_extent()
        assert page.x0 <= box.x0 and box.x1 <= page.x1 and ax.bbox.y0 < box.y0, text.get_text()


@pytest.mark.parametrize("last", [1.0, 2.0], ids=["below on the right", "above on the left"])
def test_names_of_near_points_stand_apart(last):
    """Of three points within 1.5 uJ and 0.6 %, the names lay over each other."""
    price, accuracy = [0.4e-6, last * 1e-6, last * 1.02e-6, last * 1.04e-6, 2.2e-6], [0.846, 0.9, 0.904, 0.906, 0.896]
    ax = of_sweeps.plot_price(of_sweeps.Priced("energy", [f"bits {n}, repeats 4" for n in range(5)], accuracy, price))
    ax.figure.canvas.draw()
    boxes = [text.get_window_extent() for text in ax.texts]
    assert len(boxes) == 4
    for first, second in itertools.combinations(boxes, 2):
        assert not (first.overlaps(second) and min(first.y1, second.y1) - max(first.y0, second.y0) > 2)
