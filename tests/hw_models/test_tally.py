"""The tally: what a crossbar did by direction, shape, bits and phase, counters as its sums, and what a state keeps."""

from __future__ import annotations

import numpy as np
import pytest

import hw_models
from hw_models.arrays.crossbar import Crossbar
from hw_models.chip import Chip
from hw_models.tally import Tally, Work

CHIP = {"crossbar": {"rows": 4, "columns": 3}, "dac": {"bits": 6, "range": 1.0}, "adc": {"bits": 5, "range": 0.5}}
SHAPE = (7, 10)


def driven() -> Crossbar:
    """A crossbar of 3 x 3 tiles, written once, read by 5 samples in one phase and by 2 and 4 in another."""
    bar = Crossbar(Chip.parse(CHIP), SHAPE, name="bar")
    draw = np.random.default_rng(0)
    bar.program(draw.normal(size=SHAPE))
    with bar.tally.during("free"):
        bar.forward(draw.normal(size=(5, 10)).astype(np.float32))
    with bar.tally.during("nudged"):
        bar.forward(draw.normal(size=(2, 10)).astype(np.float32))
        bar.transposed(draw.normal(size=(4, 7)).astype(np.float32))
    return bar


def test_numbers_add_up_by_what_they_are():
    tally = Tally()
    tally.add("a", "adc", 3, (2, 2), 8)
    with tally.during("free"):
        tally.add("a", "adc", 4, (2, 2), 8)
        tally.add("b", "adc", 5, (2, 2), 8, phase="update")
    tally.add("a", "adc", 1, (2, 2), 8)
    assert dict(tally.rows()) == {
        Work("a", "adc", (2, 2), 8, ""): 4,
        Work("a", "adc", (2, 2), 8, "free"): 4,
        Work("b", "adc", (2, 2), 8, "update"): 5,
    }
    assert (tally.number("adc"), tally.number("adc", "update"), tally.number("dac")) == (13, 5, 0)


def test_a_phase_ends_with_its_block():
    tally = Tally()
    with pytest.raises(KeyError), tally.during("free"):
        raise KeyError
    assert tally.phase == ""
    with pytest.raises(ValueError, match="phase = 'fre': allowed are '', 'free', 'nudged'"), tally.during("fre"):
        pass


def test_a_crossbar_says_what_it_did_in_each_phase():
    """Lines times the tiles that each drives or is sensed in, times samples."""
    found = driven().performed()
    assert {done.shape for done, _ in found.rows()} == {SHAPE}
    numbers = {(done.operation, done.bits, done.phase): number for done, number in found.rows() if number}
    numbers = {key: number for key, number in numbers.items() if not key[0].endswith("at_stop")}
    own = driven().devices.count
    assert numbers == {
        ("write", None, ""): own,
        ("dac forward", 6, "free"): 5 * 10 * 3,
        ("adc forward", 5, "free"): 5 * 7 * 3,
        ("addition forward", None, "free"): 5 * 7 * 2,
        ("read forward", None, "free"): 5 * own,
        ("dac forward", 6, "nudged"): 2 * 10 * 3,
        ("adc forward", 5, "nudged"): 2 * 7 * 3,
        ("addition forward", None, "nudged"): 2 * 7 * 2,
        ("read forward", None, "nudged"): 2 * own,
        ("dac transposed", 6, "nudged"): 4 * 7 * 3,
        ("adc transposed", 5, "nudged"): 4 * 10 * 3,
        ("addition transposed", None, "nudged"): 4 * 10 * 2,
        ("read transposed", None, "nudged"): 4 * own,
    }


def test_counters_are_sums_of_the_tally():
    bar = driven()
    made = bar.performed()
    for name, ways in (("dac", "dac"), ("adc", "adc"), ("additions", "addition"), ("reads", "read")):
        assert bar.counters[name] == sum(made.number(f"{ways} {way}") for way in ("forward", "transposed")) > 0
    assert bar.counters["adc_transposed"] == made.number("adc transposed")
    assert bar.counters["adc_forward_at_stop"] == made.number("adc_forward_at_stop") > 0


@pytest.mark.parametrize("phases", [True, False])
def test_a_tally_outlives_a_checkpoint(phases):
    """With its phases; a state from before there were any gives the same counters."""
    bar, other = driven(), hw_models.Crossbar(Chip.parse(CHIP), SHAPE, name="bar")
    state = {name: values for name, values in bar.state().items() if phases or name != "tally.counts"}
    other.load(state)
    assert other.counters == bar.counters
    same = {done: n for done, n in other.tally.rows() if n} == {done: n for done, n in bar.tally.rows() if n}
    assert same == phases
    assert ("tally.counts" in other.state()) == phases
