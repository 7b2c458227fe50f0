"""A sweep over a field of a chip that could not act is refused; one that switches an effect off at a point is not."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.sweep import plans
from analysis.sweep.designs import axis, points
from analysis.sweep.trials import acts_on_updates_alone, is_calibrated
from hw_models.chip import Chip
from neuroep import data
from neuroep.errors import ConfigError
from neuroep.runs.config import settings
from tests.neuroep.engines.chip.conftest import assembled, nested
from tests.neuroep.engines.chip.test_idle_fields import VALUES

IDEAL = ["--chip", "ideal"]
ECRAM = ["--chip", "ecram"]


def made(source, vary: list[str], overrides: list[str], **how) -> plans.SweepPlan:
    return plans.make(source, points([axis(text) for text in vary], how.pop("design", "grid")), overrides, **how)


@pytest.mark.parametrize(
    ("vary", "overrides", "line"),
    [
        (["chip.adc.stochastic=false,true"], IDEAL, "chip.adc.stochastic = True: it acts only with bits"),
        (["chip.adc.stochastic=true"], IDEAL, "chip.adc.stochastic = True: it acts only with bits"),
        (["chip.adc.margin=1.5,2"], IDEAL, "chip.adc.margin = 1.5: it acts only with bits, a range or noise"),
        (["chip.device.drift_start=1,10"], IDEAL, "chip.device.drift_start = 1.0: it acts only with a drift"),
        (["chip.device.pulse.w_max=0.5,0.7"], IDEAL, "chip.device.pulse.w_max = 0.5: it acts only with an update.sch"),
        (["chip.crossbar.exact_noise=true,false"], [*IDEAL, "--chip.adc.bits", "8"], "device.read_noise or rtn_share"),
        (["chip.device.mismatch=0,0.1"], [*IDEAL, "--chip.adc.stochastic", "true"], "chip.adc.stochastic = True"),
        (["chip.adc.bits=4,6"], [*IDEAL, "--chip.adc.noise", "0.1", "--chip.dac.margin", "2"], "chip.dac.margin = 2.0"),
        (["chip.events.state_bits=4,6"], IDEAL, "it acts only with substrate = 'event_driven'"),
        (["chip.device.g_max=10,20"], IDEAL, "no result of these chips depends on it"),
        (["chip.device.g_max=10,20"], [*IDEAL, "--chip.device.mismatch", "0.1"], "no result of these chips depends"),
        (["chip.calibration_samples=4,8"], IDEAL, "no result of these chips depends on it"),
        (["chip.readout.bits=4,6"], IDEAL, "mode 'deploy' makes no updates"),
        (["chip.update.train_length=7,15"], ECRAM, "mode 'deploy' makes no updates"),
        (["chip.device.pulse.noise=0.1,0.5"], ECRAM, "mode 'deploy' makes no updates"),
    ],
)
def test_a_field_that_acts_at_no_point_is_refused(trained, vary, overrides, line):
    """Before, each was run, and gave the same result at every point."""
    with pytest.raises(ConfigError) as error:
        made(trained, vary, overrides)
    assert line in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("vary", "overrides", "count"),
    [
        (["chip.adc.bits=6,8,none"], [*IDEAL, "--chip.adc.stochastic", "true"], 3),
        (["chip.adc.bits=6,8,none"], ["--chip", "pcm"], 3),
        (["chip.adc.bits=6,none", "chip.adc.stochastic=false,true"], IDEAL, 4),
        (["chip.device.mismatch=0,0.1"], IDEAL, 2),
        (["chip.device.read_noise=0,0.01", "chip.device.read_noise_law=additive,proportional"], IDEAL, 4),
        (["chip.device.read_noise=0,0.01"], [*IDEAL, "--chip.crossbar.exact_noise", "true"], 2),
        (["chip.device.read_noise=0,0.01"], ["--chip", "hermes"], 2),
        (["chip.device.age=0,1e4"], ["--chip", "pcm", "--chip.device.read_noise", "0"], 2),
        (["chip.update.scheme=digital,pulsed,mixed_precision"], ECRAM, 3),
        (["chip.update.scheme=digital,pulsed"], [*ECRAM, "--chip.device.pulse.w_max", "0.4"], 2),
        (["chip.crossbar.slices=1,4"], ["--chip", "isaac"], 2),
        (["chip.device.g_max=10,20"], [*IDEAL, "--chip.device.read_noise", "0.1"], 2),
        (["chip=pcm,hermes,rram,isaac"], ["--chip.adc.stochastic", "true"], 4),
        (["chip=ideal,pcm"], ["--chip.device.drift_compensation", "false"], 2),
        (["chip=pcm,rram", "chip.adc.bits=6,none"], ["--chip.adc.margin", "2"], 4),
    ],
)
def test_what_switches_an_effect_off_may_be_varied(trained, vary, overrides, count):
    plan = made(trained, vary, overrides)
    assert len({point.trial(plan.task, 0).id for point in plan.points}) == count


PLAIN = ["--chip", "ideal", "--chip.device.mismatch", "0.1"]
READ_OUT = [*IDEAL, "--chip.readout.bits", "6"]
FIXED = [*IDEAL, "--chip.adc.bits", "6", "--chip.adc.range", "1", "--chip.adc.sign", "signed"]


@pytest.mark.parametrize("overrides", [IDEAL, PLAIN, READ_OUT, FIXED])
@pytest.mark.parametrize(
    "vary",
    [
        "estimator.beta=0.1,0.2",
        "beta=0.2",
        "estimator.kind=centred,positive",
        "settling.nudged_steps=5,50",
        "settling.nudged_tolerance=0,0.01",
        "chip.calibration_samples=4,8",
        "training.seed=0,1",
        "data.limit=60,80",
        "data.validation=0.1,0.2",
    ],
)
def test_what_acts_in_calibration_alone_is_refused_where_nothing_is_calibrated(trained, vary, overrides):
    """Before, each was run, and gave the same result at every point."""
    with pytest.raises(ConfigError, match=r"^vary \S+: (mode 'deploy' sees it only in ranges|no result of these)"):
        made(trained, [vary], overrides)
    assert len(made(trained, [vary], [*IDEAL, "--chip.adc.bits", "6"]).points) == vary.count(",") + 1


def test_what_acts_in_calibration_may_be_varied_beside_what_switches_that_on(trained):
    assert len(made(trained, ["chip.adc.bits=6,none", "estimator.beta=0.1,0.2"], IDEAL).points) == 4
    assert len(made(trained, ["chip=ideal,hermes", "settling.nudged_steps=5,20"], []).points) == 4


def test_a_seed_that_chooses_samples_may_be_varied(trained):
    for vary in ("training.seed=0,1", "data.validation=0.2,0.3"):
        given = [] if vary.startswith("data") else ["--data.validation", "0.2"]
        assert len(made(trained, [vary], [*IDEAL, *given], split="validation").points) == 2
    assert len(made(trained, ["data.limit=60,80"], IDEAL, split="train").points) == 2


def test_a_deployment_programs_once(trained):
    """Before, a sweep over how often wires are solved anew ran, with the same result at every point."""
    with pytest.raises(ConfigError, match=r"vary chip.wires.refresh_every: mode 'deploy' makes no updates"):
        made(trained, ["chip.wires.refresh_every=1,2"], ["--chip", "rram", "--chip.wires.r_word", "1"])


@pytest.mark.parametrize(
    ("vary", "overrides", "name"),
    [
        ("chip=pcm,hermes", ["--chip", "pcm"], "chip"),
        ("chip.adc.bits=4,6", [*IDEAL, "--chip.adc.bits", "8"], "chip.adc.bits"),
        ("chip.adc.bits=4,6", [*IDEAL, "chip.adc.bits", "8"], "chip.adc.bits"),
        ("estimator.beta=0.1,0.2", ["--chip", "pcm", "--beta", "0.3"], "estimator.beta"),
        ("settling.free_steps=5,6", [*IDEAL, "--free-steps", "9"], "settling.free_steps"),
    ],
)
def test_what_is_given_and_varied_is_refused(trained, vary, overrides, name):
    """Before, what was given was ignored without a word."""
    with pytest.raises(ConfigError, match=f"it acts at no point, as {name} is varied; leave one of them out") as error:
        made(trained, [vary], overrides)
    assert "\n" not in str(error.value)


def test_a_zip_may_hold_a_companion_that_rests_at_one_point(trained):
    vary = ["chip.adc.bits=6,none,8", "chip.adc.noise=0,0,0.1", "chip.adc.stochastic=true,true,false"]
    plan = made(trained, vary, IDEAL, design="zip")
    assert [point.config.chip.kept for point in plan.points] == [None, ("adc.stochastic",), None]


def test_a_sweep_that_learns_varies_what_acts_on_updates(tiny):
    overrides = [*IDEAL, "--chip.readout.signal", "difference"]
    assert len(made(tiny, ["chip.readout.bits=4,6,none"], overrides, mode="learn").points) == 3


def test_what_a_deployment_cannot_see_is_no_part_of_a_trial(trained):
    ids = set()
    for given in ([], ["--chip.readout.bits", "6"], ["--chip.update.reprogram_every", "3"]):
        plan = made(trained, ["chip.adc.bits=4"], [*IDEAL, *given])
        ids.add(plan.points[0].trial(plan.task, 0).id)
    assert len(ids) == 1


def test_every_field_that_acts_on_updates_is_known_to_do_so():
    """Those whose moment is an update, but for the ones that a deployment sees as well."""
    when = {f"chip.{name}": (field.json_schema_extra or {}).get("when") for name, field in Chip.settings().items()}
    pulse = {f"chip.device.pulse.{name}" for name in ("dw_min", "w_max", "w_min", "write_noise")}
    rule = {f"chip.update.{name}" for name in ("scheme", "fill", "scaling", "transfer.tiles")}
    seen = {*rule, "chip.device.cell.kind", *pulse}
    assert {n for n, moment in when.items() if moment == "update" and not acts_on_updates_alone(n, {})} == seen
    assert all(name in settings() for name in seen)


CHIPS = {
    "mixed precision": {"update.scheme": "mixed_precision", "device.pulse.dw_min": 0.01},
    "falling scales": {"update.scheme": "residual", "device.pulse.dw_min": 0.01, "device.pulse.write_noise": 1.0},
    "closed loop": {"update.scheme": "agad", "device.pulse.dw_min": 0.01, "update.verify.rounds": 3},
    "pulsed": {"update.scheme": "pulsed", "device.pulse.response": "linear", "device.pulse.gamma_up": 0.4},
    "read out": {"readout.bits": 6, "adc.bits": 6},
    "event driven": {"substrate": "event_driven"},
    "mismatch": {"device.mismatch": 0.1},
    "mismatch above g_min": {"device.mismatch": 0.1, "device.g_min": 3.0},
    "additive noise": {"device.read_noise": 0.1},
    "proportional noise": {"device.read_noise": 0.1, "device.read_noise_law": "proportional"},
    "drift": {"device.age": 1e5, "device.drift_mean": [-0.05, 0.02, 0.0, 0.3]},
    "levels": {"device.levels": 9, "device.stuck_high": 0.1},
    "wires": {"wires.r_bit": 50.0},
}


def deployed(chip: dict, settings: dict | None = None) -> np.ndarray:
    """Return the outputs of a network that is programmed, calibrated and settled, and never updated."""
    parts = assembled(chip, {"engine.dtype": "float64", **(settings or {})})
    batch = next(data.batches(parts.corpus.split("train"), parts.corpus.vectors, 8))
    return parts.engine.outputs(parts.engine.settle(batch.keyed("evaluate", 0), parts.estimator.free)).copy()


@pytest.mark.parametrize("name", CHIPS)
def test_what_acts_in_calibration_alone_changes_no_output_without_it(name):
    before, chip = deployed(CHIPS[name]), Chip.parse(nested(CHIPS[name]))
    for other in ({"estimator.beta": 0.35}, {"settling.nudged_steps": 3}, {"estimator.kind": "positive"}):
        assert np.array_equal(deployed(CHIPS[name], other), before) or is_calibrated(chip), other


@pytest.mark.parametrize(
    "vary",
    ["estimator.beta=0.05,0.45", "settling.nudged_steps=1,20", "estimator.kind=centred,positive", "training.seed=0,1",
     "data.limit=20,90"],
)  # fmt: skip
def test_what_acts_in_calibration_alone_acts_where_a_converter_is_calibrated(sweep, vary):
    """The same point twice where there is none, and two where there is one."""
    field = vary.partition("=")[0]
    rows = sweep(["chip.adc.bits=4,none", vary], overrides=[*IDEAL, "--chip.adc.percentile", "100"], samples=None).rows
    by_bits = {bits: {row["loss"] for row in rows if row["chip.adc.bits"] == bits} for bits in (4, None)}
    assert len({row[field] for row in rows}) == 2
    assert (len(by_bits[4]), len(by_bits[None])) == (2, 1)


@pytest.mark.parametrize(("field", "value"), [("update.fill", 0.9), ("update.scaling", "off")])
def test_a_deployment_sees_how_far_weights_fill_the_bounds_of_devices_that_stray(field, value):
    """Write noise is in steps of dw_min: the wider the range of weights, the larger beside them."""
    stray = {"update.scheme": "agad", "device.pulse.dw_min": 0.01, "device.pulse.write_noise": 1.0}
    before, after = deployed(stray), deployed({**stray, field: value})
    assert np.abs(after - before).max() > 1e-3 * np.abs(before).max()
    assert not acts_on_updates_alone(f"chip.{field}", {})


PULSE = {"device.pulse.dw_min": 0.02, "device.pulse.noise": 0.3, "device.pulse.write_noise": 1.0}
STRAY = PULSE | {"update.scheme": "agad"}
CLOSED = STRAY | {"update.verify.rounds": 4}


@pytest.mark.parametrize(
    ("chip", "field", "value"),
    [
        (STRAY, "update.verify.rounds", 4),
        (CLOSED, "update.verify.tolerance", 0.2),
        (CLOSED, "device.pulse.noise", 0.8),
        (CLOSED, "device.pulse.up_down", 0.3),
        (STRAY | {"update.scheme": "residual"}, "update.transfer.tiles", 3),
        (STRAY | {"update.scheme": "e_rider", "update.transfer.gamma": 0.5}, "update.transfer.gamma", 0.1),
        (STRAY | {"update.scheme": "e_rider", "update.transfer.gamma": 0.5}, "update.zero_shift", 20),
    ],
    ids=lambda each: each["update.scheme"] if isinstance(each, dict) else str(each),
)
def test_a_deployment_sees_what_programs_its_devices(chip, field, value):
    """Trials that differ by it are two: pulses that program devices are as noisy as those of updates."""
    before, after = deployed(chip), deployed({**chip, field: value})
    assert np.abs(after - before).max() > 1e-3 * np.abs(before).max()
    told = {f"chip.{name}": each for name, each in {**chip, field: value}.items()}
    assert not acts_on_updates_alone(f"chip.{field}", told)


@pytest.mark.parametrize("name", CHIPS)
def test_what_a_deployment_is_said_not_to_see_changes_no_output(name):
    """And of conductances: what is said to change outputs does, what is said not to does not."""
    before, chip = deployed(CHIPS[name]), Chip.parse(nested(CHIPS[name]))
    told = {f"chip.{field}": value for field, value in CHIPS[name].items()}
    for field, value in VALUES.items():
        full = f"chip.{field}"
        given = field in ("device.g_min", "device.g_max", "crossbar.weight_headroom", "calibration_samples")
        if not given and not acts_on_updates_alone(full, told):
            continue
        try:
            after = deployed({**CHIPS[name], field: value})
        except ConfigError:
            continue  # refused there
        same = np.abs(after - before).max() < 1e-5 * np.abs(before).max()
        if acts_on_updates_alone(full, told) or field in chip.unseen:
            assert same, field
        elif field in ("device.g_min", "device.g_max") and chip.update.scheme == "digital":
            assert not same, field
