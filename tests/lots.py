"""Which rows of large tables ``make test`` tries: some of them, always the same ones; ``make test-all`` tries all."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from typing import Protocol, TypeVar

EVERY = "NEUROEP_EVERY_PAIR"
"""Environment variable: ``make test-all`` sets it."""
CROSSED = (
    "analysis/sweep/test_idle.py::test_what_acts_in_calibration_alone_is_refused_where_nothing_is_calibrated",
    "hw_models/arrays/test_bursts.py::test_pulses_are_those_of_the_slow_twin",
    "hw_models/arrays/test_combinations.py::test_two_faults_are_what_a_loop_over_devices_and_readings_finds",
    "hw_models/arrays/test_combinations.py::test_variance_of_a_read_is_the_sum_over_devices_of_what_they_pass",
    "hw_models/arrays/test_combinations_in_time.py::test_digits_of_a_code_share_the_noise_of_their_devices",
    "hw_models/arrays/test_combinations_in_time.py::test_repeats_of_rows_that_are_no_samples_keep_what_lasts",
    "hw_models/arrays/test_crossbar.py::test_noise_at_the_outputs_has_the_moments_of_noise_device_by_device",
    "hw_models/arrays/test_expected.py::test_mean_shift_at_bounds",
    "hw_models/arrays/test_expected.py::test_mean_variance_and_correlation_away_from_bounds",
    "hw_models/arrays/test_line_noise.py::test_noise_is_that_of_a_network_solved_for_every_draw",
    "hw_models/arrays/test_line_noise.py::test_the_fast_form_has_the_covariance_of_the_network",
    "hw_models/arrays/test_line_noise.py::test_without_wires_noise_is_that_of_every_device",
    "hw_models/arrays/test_noise_by_hand.py::test_digits_of_a_code_are_read_from_the_same_devices",
    "hw_models/arrays/test_offset.py::test_reference_lines_share_the_current_and_the_noise",
    "hw_models/arrays/test_order.py::test_noise_of_certain_pulses",
    "hw_models/arrays/test_order.py::test_steps_are_trains_but_for_the_order_of_their_pulses",
    "hw_models/arrays/test_pulses.py::test_expected_step_and_trains_agree",
    "hw_models/arrays/test_read_noise_by_hand.py::test_a_product_is_the_sum_over_its_devices",
    "hw_models/arrays/test_read_noise_by_hand.py::test_outputs_of_a_tile_share_what_their_reference_lines_err_by",
    "hw_models/arrays/test_stepping.py::test_write_noise_of_steps_is_that_of_trains",
    "hw_models/arrays/test_time_by_hand.py::test_thermal_noise_has_no_memory_beside_noise_that_has",
    "hw_models/arrays/test_time_by_hand.py::test_thermal_noise_of_every_line_goes_by_the_full_scale",
    "hw_models/arrays/test_time_by_hand.py::test_traps_on_a_line_have_the_autocovariance_of_their_rates",
    "hw_models/chip/test_effects.py::test_switching_an_effect_off_moves_no_draw_of_another",
    "hw_models/laws/test_current_voltage.py::test_every_device_of_a_product_passes_its_curve",
    "hw_models/netlist/test_reads.py::test_currents_voltages_and_products",
    "naive/test_network.py::test_a_layer_moves_to_the_minimum_of_the_energy",
    "neuroep/data/test_batch.py::TestClamping::test_padding_in_the_batch_does_not_matter",
    "neuroep/engines/chip/test_droop_by_the_clock.py::test_states_droop_for_as_long_as_the_clock_says",
    "neuroep/engines/chip/test_ideal.py::test_an_effect_that_vanishes_leads_back_to_the_ideal_engine",
    "neuroep/engines/chip/test_phases_together.py::test_every_order_of_held_phases_is_what_capacitors_show",
    "neuroep/engines/chip/test_residual.py::test_noise_free_traces_are_those_of_the_equations",
    "neuroep/engines/chip/test_resumed_together.py::test_a_chip_goes_on_where_it_stood",
    "neuroep/engines/chip/test_resumed_together.py::test_threads_change_no_bit",
    "neuroep/engines/chip/test_updates.py::test_net_counts_change_the_weights_along_the_gradient_on_average",
    "neuroep/engines/numba/test_substrate.py::test_results_do_not_depend_on_the_number_of_threads",
    "neuroep/engines/test_acceleration.py::TestSettling::test_ends_at_the_same_fixed_point",
    "neuroep/engines/test_acceleration.py::TestSettling::test_takes_fewer_sweeps_where_there_are_many_and_never_many_more",
    "neuroep/engines/test_increments.py::test_states_are_those_of_the_loops",
    "neuroep/engines/test_leaving.py::test_every_sample_learns_as_by_itself",
    "neuroep/engines/test_leaving.py::test_every_sample_settles_as_by_itself",
    "neuroep/engines/test_leaving.py::test_padding_that_takes_part",
    "neuroep/engines/test_naive_parity.py::test_attention_so_sharp_that_exponentials_vanish",
    "neuroep/engines/test_naive_parity.py::test_empty_one_token_and_short_batches",
    "neuroep/engines/test_naive_parity.py::test_gradients_of_every_estimator",
    "neuroep/engines/test_naive_parity.py::test_states_and_energies_after_every_sweep",
    "neuroep/engines/test_naive_parity.py::test_weights_after_every_update",
    "neuroep/engines/test_nudged_stopping.py::TestRule::test_is_the_first_look_at_which_no_displacement_changes_by_more",
    "neuroep/engines/test_nudged_stopping.py::TestRule::test_the_nudge_reaches_the_attention_layer",
    "neuroep/engines/test_nudging.py::TestBounds::test_outputs_at_a_bound_move_as_far_as_states_do",
    "neuroep/engines/test_nudging.py::TestEstimator::test_of_every_kind_gives_the_gradient_of_states",
    "neuroep/engines/test_nudging.py::TestPath::test_is_that_of_states_sweep_by_sweep",
    "neuroep/engines/test_nudging.py::TestPath::test_layer_by_layer_ends_where_states_end",
    "neuroep/engines/test_nudging.py::TestPrecision::test_in_single_precision_beats_states_at_small_nudges",
    "neuroep/engines/test_nudging.py::TestRule::test_is_the_first_look_at_which_no_difference_changes_by_more",
    "neuroep/engines/test_parity.py::test_states",
    "neuroep/engines/test_settling.py::TestFixedPoint::test_does_not_depend_on_the_order",
    "neuroep/engines/test_settling.py::TestStaleLayers::test_skipping_them_changes_nothing",
    "neuroep/engines/test_workers.py::test_a_used_engine_can_be_copied",
    "neuroep/engines/torch/test_replay.py::test_what_is_replayed_is_what_is_swept",
    "neuroep/gradients/test_estimators.py::TestGradient::test_bias_falls_with_the_number_of_points",
    "neuroep/gradients/test_estimators.py::TestGradient::test_centred_is_bptt_and_implicit_differentiation",
    "neuroep/gradients/test_estimators.py::TestGradient::test_is_that_of_the_loss_with_more_points",
    "neuroep/gradients/test_estimators.py::TestTrajectory::test_follows_bptt_step_by_step",
    "neuroep/gradients/test_estimators.py::TestTrajectory::test_pieces_sum_to_the_gradient",
    "neuroep/gradients/test_trajectories.py::test_bptt_step_by_step_is_one_graph",
    "neuroep/gradients/test_trajectories.py::test_pieces_are_those_of_phases_that_were_recorded",
    "neuroep/gradients/test_yardsticks.py::test_bptt_is_implicit_differentiation",
    "neuroep/gradients/test_yardsticks.py::test_the_whole_graph_gives_what_step_after_step_gives",
    "neuroep/runs/test_compiling.py::test_a_warm_run_compiles_nothing_more",
    "neuroep/runs/test_costs_by_hand.py::test_the_tally_takes_the_seconds_of_the_clock",
    "neuroep/runs/test_netlists.py::test_currents_node_voltages_and_neurons",
    "neuroep/runs/test_netlists.py::test_neurons_that_drive_the_lines_settle",
    "neuroep/runs/test_netlists.py::test_products_are_those_the_engine_reads",
)
"""Slow tables whose rows are combinations of the same few words."""


LAST = (
    "analysis/test_pictures.py::test_every_picture_of_a_page_draws_where_it_is_told",
    "neuroep/engines/chip/test_idle_fields.py::test_a_field_acts_or_is_refused",
    "neuroep/runs/test_limits.py::test_the_fault_of_a_sick_chip_is_named_first_and_following_the_advice_helps",
    "neuroep/test_documentation.py::test_a_block_of_code_runs_as_it_stands",
    "test_benchmarks.py::test_runs",
    "test_examples.py::",
)
"""What takes long and others cover piece by piece: it comes last, and on a machine too slow not at all."""
UNTIL = "NEUROEP_UNTIL"
"""Environment variable: seconds since 1970 from which tests of ``LAST`` are left out, and said; unset, none is."""


class Row(Protocol):
    """A row of a table of tests."""

    name: str
    nodeid: str


Each = TypeVar("Each", bound=Row)


def last(item: Row) -> bool:
    """Tell whether a test belongs to ``LAST``."""
    return item.nodeid.removeprefix("tests/").startswith(LAST)


def too_late(item: Row) -> bool:
    """Tell whether a test is left out as the time is up."""
    until = os.environ.get(UNTIL)
    return bool(until) and last(item) and time.time() > float(until)


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
