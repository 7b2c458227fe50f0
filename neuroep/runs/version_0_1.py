# Tested by tests/neuroep/runs/test_directory.py.
"""The settings of version 0.1 that a run keeps, whatever they are: the list is closed.

Any other setting came later, and counts in the hash of a run only where it differs from its default, so that the runs
of 0.1, which lack it, and those of any version before it was there keep theirs. Settings that were unset unless given
need no place here: they count where they are given.
"""

from __future__ import annotations

_NAMES = {
    "network": "kind tokens dense readout potential slope mask projection_bias projection_identity",
    "data": "name validation order",
    "settling": "order free_steps nudged_steps tolerance nudged_tolerance dt",
    "estimator": "kind beta",
    "optimiser": "kind projection_rate dense_rate rates momentum weight_decay decay_epochs final_rate",
    "training": "batch seed",
    "engine": "kind device dtype",
    "chip": "name substrate calibration_samples",
    "chip.crossbar": "mapping reference zero slices weight_headroom hold_input exact_noise",
    "chip.device": (
        "g_min g_max g_min_spread g_max_spread mismatch resolution programming_noise programming_noise_fresh "
        "relaxation_times read_noise read_noise_law read_noise_exponent read_noise_cap read_noise_log "
        "read_noise_above read_time drift_mean drift_spread drift_mean_above drift_spread_above drift_start age "
        "drift_compensation stuck_low stuck_high"
    ),
    "chip.device.pulse": (
        "response dw_min dw_min_spread noise up_down up_down_spread w_max w_min w_max_spread w_min_spread "
        "gamma_up gamma_down gamma_up_spread gamma_down_spread a_up a_down slope offset"
    ),
    "chip.wires": "r_word r_bit refresh_every",
    "chip.dac": "sign percentile margin stochastic noise",
    "chip.adc": "sign percentile margin stochastic noise",
    "chip.neuron": "gain_spread offset_spread state_noise state_range time_constant",
    "chip.attention": "kind",
    "chip.attention.state": "sign percentile margin stochastic noise",
    "chip.readout": "sign percentile margin stochastic noise signal hold_noise",
    "chip.update": "scheme reprogram_every trains signals train_length overlong management",
    "chip.events": "threshold state_bits weight_bits weight_headroom in_place",
}
SETTINGS = frozenset(f"{table}.{name}" for table, names in _NAMES.items() for name in names.split())
"""Their dotted names."""
