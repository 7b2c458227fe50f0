"""Prices that leave out what others hold are named, and stand on no front."""

from __future__ import annotations

from itertools import permutations

from analysis.sweep import bills, execution, runner
from analysis.sweep.unpriced import lacking, note
from hw_models.reading import Page
from neuroep.runs import config
from tests.neuroep.engines.chip.conftest import BASE

CELLS, ADC, DAC = "area of cells", "ADC conversions", "DAC conversions of 8 bits"


def row(bits: int, *left: str, energy: float = 1e-9) -> Page:
    return {"chip.adc.bits": bits, "seed": 0, "accuracy": 0.5, "energy": energy, "leaves_out": "; ".join(left)}


def test_what_one_leaves_out_beyond_another_is_lacking() -> None:
    """By every order: a set that holds another one lacks the difference; sets of which none holds the other do not."""
    trials = [row(3, CELLS, DAC, f"{ADC} of 3 bits"), row(4, CELLS, DAC), row(6, DAC, CELLS)]
    for order in permutations(trials):
        found = dict(zip([one["chip.adc.bits"] for one in order], lacking(order, "energy"), strict=True))
        assert found == {3: (f"{ADC} of 3 bits",), 4: (), 6: ()}
    assert lacking([row(4, "DAC conversions of 4 bits"), row(8, "DAC conversions of 8 bits")], "energy") == [(), ()]
    assert lacking([row(4, "neurons"), row(5, "softmax")], "energy") == [(), ()]
    assert lacking([row(4, CELLS), row(5)], "energy") == [(), ()]
    assert lacking([row(4, CELLS), row(5)], "area") == [(CELLS,), ()]
    assert lacking([{"energy": 1.0}, row(4, DAC)], "energy") == [(), ()]
    updates = [{"update_leaves_out": "writes"}, {"update_leaves_out": ""}]
    assert lacking(updates, "update_energy") == [("writes",), ()]


def test_a_front_leaves_them_out_and_lines_say_where() -> None:
    trials = [row(3, f"{ADC} of 3 bits"), row(4, energy=3e-9), row(5, energy=4e-9)]
    found = bills.priced(trials, "energy")
    assert found.price == [3e-9, 4e-9]
    assert found.lacking == (f"{ADC} of 3 bits",)
    told = note(trials, ["energy", "latency"], lambda one: f"bits {one['chip.adc.bits']}")
    assert told == [f"not comparable: the bill leaves out {ADC} of 3 bits at bits 3"]


def test_a_sweep_to_bits_without_a_constant_says_so(tmp_path) -> None:  # type: ignore[no-untyped-def]
    """A 3-bit ADC that has no constant seemed to take a third of what one of 4 bits does."""
    (tmp_path / "small.toml").write_text(config.parse({**BASE, "chip": {
        "adc": {"bits": 4}, "cost": {"components": ["shafiee_2016_adc"]}}}).to_toml())
    place = {"vary": ["chip.adc.bits=3,4"], "mode": "learn", "samples": 16, "workers": 1, "out": tmp_path / "sweep"}
    found = runner.run(tmp_path / "small.toml", **place)
    assert "not comparable: the bill leaves out ADC conversions of 3 bits at chip.adc.bits = 3" in found.as_text()
    assert [len(one) > 0 for one in lacking(found.rows, "energy")] == [True, False]
    assert execution.LEFT_OUT in found.rows[0]
