"""What is recorded: small runs and studies, each a configuration, a chip and words of the command line."""

from __future__ import annotations

from typing import NamedTuple

REVIEWS = """\
[network]
tokens = 12
dense = [8, 2]
readout = "pooled"
output_bias = 1.0

[data]
limit = 90

[settling]
free_steps = 8
nudged_steps = 6

[estimator]
beta = 0.2

[optimiser]
projection_rate = 1e-2
dense_rate = 1e-2
decay_epochs = 10

[training]
epochs = 2
batch = 20
seed = 3
"""
"""90 generated reviews in batches of 20: the last batch is smaller."""

PAIRS = """\
[network]
kind = "inference"
tokens = [7, 5]
dense = [8, 3]
readout = "pooled"
output_bias = 1.0

[data]
name = "pairs"
limit = 60

[settling]
free_steps = 8
nudged_steps = 6

[estimator]
beta = 0.2

[optimiser]
projection_rate = 2e-2
dense_rate = 1e-2
decay_epochs = 10

[training]
epochs = 2
batch = 20
seed = 4
"""


class Case(NamedTuple):
    """A training run."""

    config: str
    """TOML text."""
    chip: str = ""
    """TOML text of a chip, or the name of a preset; empty is exact arithmetic."""
    arguments: str = ""
    """More of the command line."""


# Settings that both engines know, each beside the base; the reference engine runs all of them as well.
SETTINGS = {
    "reviews": Case(REVIEWS),
    "reviews_float64": Case(REVIEWS, arguments="--dtype float64"),
    "pairs": Case(PAIRS),
    "pairs_float64": Case(PAIRS, arguments="--dtype float64"),
    "positive": Case(REVIEWS, arguments="--estimator.kind positive"),
    "negative": Case(REVIEWS, arguments="--estimator.kind negative"),
    "random_sign": Case(REVIEWS, arguments="--estimator.kind random"),
    "synchronous": Case(REVIEWS, arguments="--settling.order synchronous --dt 0.6"),
    "pairs_synchronous": Case(PAIRS, arguments="--settling.order synchronous"),
    "tolerances": Case(
        REVIEWS, arguments="--free_steps 40 --nudged_steps 40 --tolerance 1e-2 --nudged_tolerance 0.02 --check_every 2"
    ),
    "flat": Case(REVIEWS, arguments="--readout flat"),
    "pairs_flat": Case(PAIRS, arguments="--readout flat --mask false"),
    "mask_off": Case(REVIEWS, arguments="--mask false"),
    "deep_tanh": Case(REVIEWS, arguments="--dense [8,6,2] --potential tanh"),
    "smooth_sigmoid": Case(REVIEWS, arguments="--potential smooth_sigmoid --estimator.kind positive"),
    "linear": Case(REVIEWS, arguments="--potential linear"),
    "projections": Case(
        REVIEWS, arguments="--projection_bias true --projection_identity 1.0 --inverse_temperature 0.4 --slope 0.7"
    ),
    "sgd": Case(REVIEWS, arguments="--optimiser.kind sgd --momentum 0.5 --weight_decay 0.1 --dense_rate 0.1"),
    "by_length": Case(
        REVIEWS, arguments="""--data.order length --validation 0.2 --evaluate '["test", "validation"]'"""
    ),
}

# Together: every update scheme, substrate, mapping, read-noise law, pulse response, and every part of a chip.
CHIPS = {
    "pair_additive": """\
crossbar = {rows = 12, columns = 5, weight_headroom = 1.5}
device = {read_noise = 0.2, mismatch = 0.05, levels = 33, programming_noise = [0.2, 0.5]}
dac = {bits = 7, sign = "auto", margin = 1.2}
adc = {bits = 8, percentile = 99.5, margin = 1.2}
update = {reprogram_every = 2}
""",
    "pair_exact_noise": """\
crossbar = {exact_noise = true, rows = 20}
device = {g_min = 1.0, g_min_spread = 0.1, g_max_spread = 0.1, read_noise = 0.05, read_noise_law = "proportional"}
adc = {bits = 8, stochastic = true}
""",
    "offset_digital_reference": """\
crossbar = {mapping = "offset", zero = "level", hold_input = false, rows = 16}
device = {levels = 33, read_noise = 0.03, read_noise_law = "proportional", stuck_low = 0.02, stuck_high = 0.02}
dac = {bits = 7, range = 1.5}
adc = {bits = 9}
""",
    "offset_analog_reference": """\
crossbar = {mapping = "offset", reference = "analog", reference_lines = 1, rows = 16, columns = 4}
device = {mismatch = 0.05, read_noise = 0.02, read_noise_law = "sqrt", resolution = 0.05}
dac = {bits = 8, sign = "auto", margin = 1.5}
adc = {bits = 8, margin = 1.5}
readout = {bits = 8, signal = "difference", percentile = 99.9, hold_noise = 1e-3}
""",
    "slices": """\
crossbar = {slices = 2, slice_bits = 3, rows = 16}
device = {read_noise = 0.02, read_noise_law = "sqrt"}
adc = {bits = 8, noise = 0.01}
""",
    "slices_offset_exact_noise": """\
crossbar = {slices = 3, slice_bits = 2, mapping = "offset", zero = "level", exact_noise = true}
device = {read_noise = 0.1}
dac = {bits = 6}
""",
    "pcm_log_aged": """\
crossbar = {exact_noise = true}
[device]
read_noise = 1.0
read_noise_law = "pcm"
read_noise_log = [-0.0117, -0.0069, 0.015, 0.04]
read_noise_above = [0.16, 0.0123, 0.0211, -0.028, 0.0069]
read_time = 1e-6
programming_noise = [0.3, 1.0]
programming_noise_fresh = [0.1, 0.3]
relaxation_times = [1.0, 1e5]
drift_mean = [-0.02, 0.02, 0.03, 0.1]
drift_spread = [-0.01, 0.0, 0.01, 0.04]
drift_mean_above = [0.5, 0.03]
age = 3600.0
drift_compensation = true
""",
    "mixed_precision": """\
[device]
read_noise = 0.1
pulse = {dw_min = 2e-3, noise = 0.3, response = "soft_bounds", up_down = 0.1, dw_min_spread = 0.2, w_max_spread = 0.1}
[update]
scheme = "mixed_precision"
granule = 4e-3
[adc]
bits = 8
[readout]
bits = 9
""",
    "mixed_precision_offset": """\
crossbar = {mapping = "offset", reference = "analog"}
device = {read_noise = 0.02, read_noise_law = "pcm", pulse = {dw_min = 1e-3, response = "linear", gamma_up = 0.3}}
update = {scheme = "mixed_precision"}
""",
    "pulsed_expected_phases": """\
[device.pulse]
dw_min = 5e-4
noise = 0.2
dw_min_spread = 0.3
up_down_spread = 0.05
[update]
scheme = "pulsed"
""",
    "pulsed_stochastic_phases": """\
crossbar = {mapping = "offset"}
[device.pulse]
dw_min = 1e-3
response = "soft_bounds"
noise = 0.3
up_down_spread = 0.05
w_max_spread = 0.2
w_min_spread = 0.2
[update]
scheme = "pulsed"
trains = "stochastic"
train_length = 11
overlong = "both"
""",
    "pulsed_expected_contrast": """\
[device.pulse]
dw_min = 5e-4
response = "linear"
gamma_up = 0.4
gamma_down = 0.5
gamma_up_spread = 0.1
gamma_down_spread = 0.1
noise = 0.2
[update]
scheme = "pulsed"
signals = "contrast"
[readout]
bits = 10
signal = "difference"
""",
    "pulsed_stochastic_contrast": """\
crossbar = {mapping = "offset", reference = "analog", rows = 16}
device = {read_noise = 0.05, mismatch = 0.02, pulse = {dw_min = 5e-4, response = "exponential", noise = 0.3, \
gamma_up = 2.0, gamma_down = 2.0, a_up = 0.5, a_down = 0.6, slope = 0.9, offset = 0.1}}
update = {scheme = "pulsed", trains = "stochastic", signals = "contrast"}
adc = {bits = 9}
""",
    "pulsed_power_unmanaged": """\
device = {pulse = {dw_min = 1e-3, response = "power", gamma_up = 1.5, gamma_down = 1.5, noise = 0.2}}
update = {scheme = "pulsed", trains = "stochastic", management = false, train_length = 31}
""",
    "pulsed_expected_exponential": """\
device = {pulse = {dw_min = 5e-4, response = "exponential", gamma_up = 2.0, gamma_down = 2.0, a_up = 0.5, a_down = 0.5}}
update = {scheme = "pulsed", management = false}
""",
    "event_driven": """\
substrate = "event_driven"
events = {threshold = 0.01, state_bits = 8, weight_bits = 6, weight_headroom = 1.5}
""",
    "event_driven_in_place": """\
substrate = "event_driven"
events = {threshold = 0.02, state_bits = 10, state_range = 2.0, weight_bits = 8, in_place = true}
neuron = {state_bits = 8}
readout = {bits = 8}
""",
    "wires": """\
crossbar = {rows = 12, columns = 6}
device = {programming_noise = [0.3], read_noise = 0.1}
wires = {r_word = 20.0, r_bit = 10.0, refresh_every = 2}
""",
    "wires_offset_exact_noise": """\
crossbar = {mapping = "offset", reference = "analog", rows = 12, columns = 6, exact_noise = true}
device = {read_noise = 0.03, read_noise_law = "proportional"}
wires = {r_word = 20.0, r_bit = 20.0}
adc = {bits = 9}
""",
    "wires_slices": """\
crossbar = {slices = 2, slice_bits = 3, rows = 16, columns = 8}
device = {read_noise = 0.1, read_noise_law = "sqrt"}
wires = {r_bit = 15.0}
""",
    "attention": """\
crossbar = {rows = 20}
device = {read_noise = 0.1, programming_noise = [0.2]}
attention = {kind = "analog", exp_bits = 8, state = {bits = 8, margin = 1.2}}
dac = {bits = 8}
adc = {bits = 9}
""",
    "attention_pulsed": """\
crossbar = {mapping = "offset"}
device = {read_noise = 0.05, read_noise_law = "sqrt", pulse = {dw_min = 1e-3, noise = 0.2}}
attention = {kind = "analog", pattern_range = 1.5}
update = {scheme = "pulsed", signals = "contrast"}
adc = {bits = 9}
""",
    "neurons": """\
neuron = {gain_spread = 0.05, offset_spread = 0.02, state_noise = 0.01, state_bits = 9, time_constant = 2.0}
readout = {bits = 9, noise = 0.001, range = 1.2}
""",
    "ideal": """\
name = "nothing"
""",
}
PRESETS = (
    "gong_2018_reram", "isaac_2016", "joshi_2020_pcm", "kim_2019_ecram", "legallo_2023_hermes", "li_2018_capacitor",
    "orchard_2021_loihi2", "tang_2018_ecram", "wan_2022_reram",
)  # fmt: skip
ON_PAIRS = (
    "pair_additive", "offset_analog_reference", "pulsed_stochastic_contrast", "pulsed_expected_phases",
    "event_driven",
)  # fmt: skip

PULSED = ("gong_2018_reram", "kim_2019_ecram", "li_2018_capacitor", "tang_2018_ecram")
"""Presets that learn by pulses."""
SGD = "--optimiser.kind sgd --dense_rate 0.2 --projection_rate 0.2"
FEW = """--validation 0.2 --evaluate '["validation"]'"""
"""On the chips described here few samples are evaluated, not 1000; on presets all are."""


def on_chip(config: str, chip: str) -> Case:
    """Return a run on a chip: by sgd where it learns by pulses."""
    words = [SGD] if chip in PULSED or '"pulsed"' in chip else []
    return Case(config, chip, " ".join([*words, *([FEW] if "\n" in chip else [])]))


SINGLE = ("reviews", "pairs", "sgd")
"""Settings that the reference engine runs in single precision too: rounding shows little of a fault there."""


def on_torch(name: str, case: Case) -> Case:
    """Return a run on the reference engine, in double precision where nothing else is said."""
    double = "" if name in SINGLE or "float64" in case.arguments else "--dtype float64"
    return case._replace(arguments=f"--engine reference {double} {case.arguments}")


RUNS: dict[str, Case] = {
    **{f"local_{name}": case for name, case in SETTINGS.items()},
    **{f"reference_{name}": on_torch(name, case) for name, case in SETTINGS.items()},
    "local_probe": Case(REVIEWS, arguments="--probe 8"),
    **{f"chip_{name}": on_chip(REVIEWS, chip) for name, chip in CHIPS.items()},
    "chip_wires_float64": Case(REVIEWS, CHIPS["wires"], f"--dtype float64 --chip_seed 7 {FEW}"),
    "chip_mixed_precision_tolerances": Case(
        REVIEWS,
        CHIPS["mixed_precision"],
        f"{FEW} --free_steps 30 --nudged_steps 30 --tolerance 2e-2 --nudged_tolerance 0.05 --estimator.kind random",
    ),
    "chip_pulsed_flat_synchronous": Case(
        REVIEWS,
        CHIPS["pulsed_expected_phases"],
        f"{SGD} {FEW} --readout flat --settling.order synchronous --mask false",
    ),
    **{f"preset_{name}": on_chip(REVIEWS, name) for name in PRESETS},
    **{f"pairs_chip_{name}": on_chip(PAIRS, CHIPS[name]) for name in ON_PAIRS},
    "pairs_chip_attention": Case(PAIRS, CHIPS["attention"], f"{FEW} --data.limit 20 --free_steps 5 --nudged_steps 4"),
    "pairs_preset_joshi_2020_pcm": Case(PAIRS, "joshi_2020_pcm"),
}
"""Name: a run of two epochs. Names begin with what runs: local, reference; chip, preset and pairs are on chips."""

RESUMED = (
    "local_reviews", "reference_reviews", "local_sgd", "chip_pair_additive", "chip_mixed_precision",
    "chip_pulsed_stochastic_phases", "chip_pulsed_expected_contrast", "chip_event_driven", "chip_wires",
    "preset_joshi_2020_pcm", "preset_kim_2019_ecram",
)  # fmt: skip
"""Runs that are also made in two parts."""


class Study(NamedTuple):
    """A command on a run or a configuration."""

    source: str
    """Name of a run of :data:`RUNS`."""
    arguments: str
    """The command line: RUN and CONFIG are the source's directory and configuration, CHIP is the file of ``chip``,
    OUT is a new directory."""
    chip: str = ""
    """TOML text of the chip."""
    exact: bool = True
    """The same bits on the same machine; otherwise parts of it are the reference engine's."""


STUDIES: dict[str, Study] = {
    "evaluate_train": Study("local_reviews", "evaluate RUN --split train --json"),
    "evaluate_reference_run": Study("reference_reviews", "evaluate RUN --json", exact=False),
    "evaluate_on_its_devices": Study("chip_pulsed_stochastic_phases", "evaluate RUN --json"),
    "deploy_pair": Study("local_reviews", "evaluate RUN --chip CHIP --seeds 2 --json", CHIPS["pair_additive"]),
    "deploy_aged": Study(
        "local_reviews", "evaluate RUN --chip CHIP --seeds 2 --split train --json", CHIPS["pcm_log_aged"]
    ),
    "deploy_attention": Study(
        "local_reviews", "evaluate RUN --chip CHIP --seeds 2 --split train --json", CHIPS["attention"]
    ),
    "deploy_events": Study("local_reviews", "evaluate RUN --chip CHIP --seeds 1 --json", CHIPS["event_driven"]),
    "deploy_pairs": Study(
        "local_pairs", "evaluate RUN --chip CHIP --seeds 2 --json", CHIPS["offset_analog_reference"]
    ),
    "deploy_preset": Study("local_reviews", "evaluate RUN --chip joshi_2020_pcm --seeds 2 --json"),
    "sweep_deployed": Study(
        "local_reviews",
        "sweep RUN --chip CHIP --vary chip.adc.bits=4,8 --vary chip.device.read_noise=0.05,0.4 --seeds 2 "
        "--samples 100 --workers 1 --out OUT --quiet",
        CHIPS["pair_additive"],
    ),
    "sweep_learned": Study(
        "local_reviews",
        f"sweep CONFIG --chip CHIP --vary chip.device.pulse.dw_min=5e-4,5e-3 {SGD} --samples 100 --workers 1 "
        "--out OUT --quiet",
        CHIPS["pulsed_expected_phases"],
    ),
    "sweep_sampled": Study(
        "local_reviews",
        "sweep CONFIG --vary estimator.beta=log:0.05..0.5 --design sobol --points 2 --samples 100 --workers 1 "
        "--out OUT --quiet",
    ),
    "compare_deployed": Study(
        "local_reviews", "compare RUN --chip CHIP --out OUT --quiet", CHIPS["pair_additive"], exact=False
    ),
    "compare_learned": Study(
        "local_reviews", "compare CONFIG --chip CHIP --mode learn --out OUT --quiet",
        CHIPS["offset_analog_reference"], exact=False,
    ),
    "gradcheck": Study("local_reviews", "gradcheck RUN --out OUT", exact=False),
    "gradcheck_chip": Study("local_reviews", "gradcheck CONFIG --chip CHIP --out OUT", CHIPS["neurons"], exact=False),
}  # fmt: skip
