"""Which rows of large tables ``make test`` tries: some of them, always the same ones; ``make test-all`` tries all."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from typing import Protocol, TypeVar

EVERY = "NEUROEP_EVERY_PAIR"
"""Environment variable: ``make test-all`` sets it."""
CROSSED = (
    "hw_models/arrays/test_combinations_in_time.py::test_digits_of_a_code_share_the_noise_of_their_devices",
    "hw_models/arrays/test_expected.py::test_mean_shift_at_bounds",
    "hw_models/arrays/test_line_noise.py::test_noise_is_that_of_a_network_solved_for_every_draw",
    "hw_models/arrays/test_line_noise.py::test_without_wires_noise_is_that_of_every_device",
    "hw_models/arrays/test_noise_by_hand.py::test_digits_of_a_code_are_read_from_the_same_devices",
    "hw_models/arrays/test_order.py::test_steps_are_trains_but_for_the_order_of_their_pulses",
    "hw_models/arrays/test_read_noise_by_hand.py::test_outputs_of_a_tile_share_what_their_reference_lines_err_by",
    "hw_models/chip/test_effects.py::test_switching_an_effect_off_moves_no_draw_of_another",
    "neuroep/data/test_batch.py::TestClamping::test_padding_in_the_batch_does_not_matter",
    "neuroep/engines/chip/test_resumed_together.py::test_a_chip_goes_on_where_it_stood",
    "neuroep/engines/chip/test_resumed_together.py::test_threads_change_no_bit",
    "neuroep/engines/test_nudging.py::TestPath::test_is_that_of_states_sweep_by_sweep",
    "neuroep/engines/torch/test_replay.py::test_what_is_replayed_is_what_is_swept",
    "neuroep/gradients/test_estimators.py::TestGradient::test_bias_falls_with_the_number_of_points",
    "neuroep/gradients/test_estimators.py::TestGradient::test_centred_is_bptt_and_implicit_differentiation",
    "neuroep/gradients/test_estimators.py::TestGradient::test_is_that_of_the_loss_with_more_points",
    "neuroep/gradients/test_yardsticks.py::test_bptt_is_implicit_differentiation",
    "neuroep/runs/test_costs_by_hand.py::test_the_tally_takes_the_seconds_of_the_clock",
    "neuroep/runs/test_netlists.py::test_currents_node_voltages_and_neurons",
    "neuroep/runs/test_netlists.py::test_products_are_those_the_engine_reads",
    "neuroep/runs/test_netlists.py::test_neurons_that_drive_the_lines_settle",
)
"""Slow tables whose rows are combinations of the same few words."""


class Row(Protocol):
    """A row of a table of tests."""

    name: str
    nodeid: str


Each = TypeVar("Each", bound=Row)


def drawn(*names: str, of: int = 3) -> bool:
    """Tell whether a combination of many is tried: one in so many, or all of them.

    For tables whose rows overlap: a field of seventy chips is still tried on a dozen or more.
    """
    return bool(os.environ.get(EVERY)) or blake2b("/".join(names).encode()).digest()[0] % of == 0


def tables(items: Iterable[Each]) -> list[list[Each]]:
    """Return the rows of each of ``CROSSED``."""
    found: dict[str, list[Each]] = {place: [] for place in CROSSED}
    for item in items:
        place = item.nodeid.partition("[")[0].removeprefix("tests/")
        if place in found:
            found[place].append(item)
    return [*found.values()]


def few(rows: Sequence[Each]) -> list[Each]:
    """Return a third of the rows of a table, and those without which a word of the table would be in none."""
    kept = [row for row in rows if drawn(row.name)]
    seen = set[str]().union(*map(words, kept))
    for row in rows:
        if words(row) - seen:
            kept.append(row)
            seen |= words(row)
    return kept


def words(row: Row) -> set[str]:
    """Return what stands in the brackets behind a test's name."""
    return {*row.name.partition("[")[2].rstrip("]").split("-")}
