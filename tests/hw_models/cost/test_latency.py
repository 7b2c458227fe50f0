"""Seconds and square metres by hand."""

from __future__ import annotations

from functools import partial

import pytest

from hw_models.chip import Chip
from hw_models.cost.area import area
from hw_models.cost.constants import Constants
from hw_models.cost.latency import Stages, Step, arrays, phases, product, timing, update
from hw_models.tally import Tally

near = partial(pytest.approx, rel=1e-6, abs=0)
"""Within a millionth: joules are below the absolute tolerance that pytest would allow beside it."""

TIMES = {"dac": 1e-9, "integration": 10e-9, "adc": 2e-9, "digital": 5e-9}
TILES = {"rows": 4, "columns": 3}


def constants(**tables: object) -> Constants:
    return Constants(Chip.parse({"cost": {"dac_energy": 1.0}, **tables}))


def test_a_product_is_dac_integration_conversions_in_turn_and_digital_step():
    made = constants(timing=TIMES, adc={"columns": 2}, crossbar=TILES)
    assert product(made, (6, 8), "forward") == near((1 + 10 + 2 * 2 + 5) * 1e-9)
    shared = constants(timing=TIMES, adc={"columns": 16}, crossbar=TILES)
    assert product(shared, (6, 8), "forward") == near((1 + 10 + 3 * 2 + 5) * 1e-9)
    assert product(shared, (6, 8), "transposed") == near((1 + 10 + 4 * 2 + 5) * 1e-9)


def test_durations_of_components_stand_in_where_the_chip_says_none():
    made = constants(cost={"product_time": 1e-7})
    assert product(made, (6, 8), "forward") == near(1e-7)
    assert timing(constants(cost={"product_time": 1e-7}, timing=TIMES)).integration == near(10e-9)
    pulses = {"integration_step": 1e-7, "adc_step": 2e-7, "phase_step": 3e-7}
    converters = {"dac": {"bits": 4, "range": 1.0, "encoding": "pulses"}, "adc": {"bits": 6, "range": 1.0}}
    assert product(constants(cost=pulses, **converters), (6, 8), "forward") == near((7 + 2 * 6 + 3) * 1e-7)


def counted(made: Constants, rows: dict[tuple[str, str], int], phase: str = "free") -> Tally:
    tally = Tally()
    for (part, way), reads in rows.items():
        tally.add(part, f"activation {way}", reads * arrays(made.chip, (6, 8)), (6, 8), phase=phase)
    return tally


def test_groups_follow_each_other_and_layers_of_a_group_run_side_by_side():
    """Input rows one by one; then the slower layer of the first group, and that of the second."""
    made = constants(timing={"integration": 1e-6}, crossbar=TILES)
    tally = counted(made, {("in", "forward"): 7, ("a", "forward"): 10, ("a", "transposed"): 4, ("b", "forward"): 6})
    tally.join(counted(made, {("a", "forward"): 3}, "nudged"))
    layerwise = Stages(
        (("in", "forward"),),
        ((Step("x", (("a", "forward"),)), Step("y", (("b", "forward"),))), (Step("z", (("a", "transposed"),)),)),
    )
    assert phases(tally, made, layerwise, ("free", "nudged", "update")) == {
        "free": near((7 + 10 + 4) * 1e-6), "nudged": near(3e-6),
    }  # fmt: skip
    together = Stages(layerwise.inputs, (tuple(step for group in layerwise.groups for step in group),))
    assert phases(tally, made, together, ("free",)) == {"free": near((7 + 10) * 1e-6)}


def test_in_continuous_time_moves_take_their_share_of_tau():
    made = constants(timing={"tau": {"x": 1e-6, "z": 4e-6}})
    tally = Tally()
    tally.add("neurons.x", "response", 5 * 20, (5,), phase="free")
    found = phases(tally, made, Stages((), ((Step("x", (), "neurons.x"),),), dt=0.5), ("free",))
    assert found == {"free": near(20 * 0.5 * 1e-6)}


def test_events_are_one_behind_the_other_and_wait_for_each_other_at_every_step():
    made = constants(substrate="event_driven", cost={"synapse_time": 1e-9, "barrier_time": 1e-7})
    tally = Tally()
    tally.add("a", "synaptic forward", 1000, (6, 8), phase="free")
    tally.add("neurons.x", "response", 5 * 3, (5,), phase="free")
    found = phases(tally, made, Stages((), ((Step("x", (("a", "forward"),), "neurons.x"),),)), ("free",))
    assert found == {"free": near(1000e-9 + 3 * 1e-7)}


def test_updates_take_the_slots_of_the_slowest_array_or_the_rows_of_a_tile():
    made = constants(update={"scheme": "pulsed"}, timing={"pulse": 5e-9}, crossbar=TILES)
    tally = Tally()
    tally.add("a", "slot", 100, (6, 8))
    tally.add("b", "slot", 300, (6, 8))
    assert update(tally, made) == near(300 * 5e-9)
    made = constants(timing={"row": 1e-5}, crossbar=TILES)
    tally = Tally()
    tally.add("a", "write", 2 * 6 * 8, (6, 8))  # both devices of all pairs, four rows in each tile
    assert update(tally, made) == near(4e-5)
    verified = constants(cost={"write_time": 1e-6, "write_iterations": 5.0}, crossbar=TILES)
    assert update(tally, verified) == near(4 * 5e-6)


def test_area_of_devices_converters_and_cores():
    sizes = {"node": 10.0, "cell_area": 4.0, "adc_area": 1000.0, "dac_area": 1.0, "adc_lines": 2}
    made = constants(cost=sizes, crossbar=TILES)
    found = area(made, [(6, 8)])
    assert found == {  # 2 x 2 tiles of 4 x 3 pairs, four lines each
        "cells": near(4 * 12 * 2 * 4 * (10e-9) ** 2), "ADC": near(8 * 1000e-12),
        "DAC": near(16 * 1e-12),
    }  # fmt: skip
    cores = constants(cost={"core_area": 0.5}, crossbar=TILES)
    assert area(cores, [(6, 8), (2, 3)]) == {"core": near(5 * 0.5e-6)}
    assert area(constants(), [(6, 8)]) == {}
