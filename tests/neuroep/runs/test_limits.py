"""What limits learning: said first, of chips with one fault each, with a cure that wins accuracy back."""

from __future__ import annotations

import json

import numpy as np
import pytest

from neuroep.gradients import contrast_error
from neuroep.runs import config, directory as runs, limits, training
from neuroep.runs.session import Session
from tests.conftest import ROOT

REVIEWS = ROOT / "examples" / "configs" / "reviews.toml"


HALF = ("--limit", "500")
"""As few reviews as show it."""


def trained(out, *overrides, epochs=2, seed=1, diagnose=True):
    """Train the reviews for a few epochs on a chip; return the last record."""
    given = ["--epochs", str(epochs), "--evaluate", "[]", "--seed", str(seed), *overrides]
    return training.train(config.load(REVIEWS, given), out, progress=False, diagnose=diagnose)


def test_the_known_case_is_said(tmp_path):
    """From scratch on rram most weights are at the range and converters at the stop: the range is said first.

    What is said next goes by how the processor rounds: on an AMD EPYC the stops, on an Intel Xeon the steps of the ADC.
    """
    record = trained(tmp_path / "run", "--chip", "rram", epochs=3)
    assert record["train"]["accuracy"] < 0.8
    first, second = limits.told(record)[:2]
    assert first.startswith("limits learning most: weights at the range (dense_2 ")
    assert "chip.crossbar.follow_weights false -> true: the range is that of the largest weight" in first
    assert record["limits"][0]["overrides"][2:] == ["--chip.calibration_every", "10"]
    known = {
        "then: readings beyond the ranges (dense_2 forward ADC ": (
            "chip.calibration_every unset -> 10: ranges are measured again while weights and states grow"
        ),
        "then: resolution of the ADC (chip.adc.bits; cosine of the contrast": "chip.adc.bits 8 -> 1",
    }
    assert any(second.startswith(begin) and advice in second for begin, advice in known.items())
    assert training.notes(record)[:2] == [first, second]
    arrays = record["arrays"]
    assert arrays["dense_2"]["weights_at_range"] > 0.4 and arrays["dense_2"]["adc_forward_at_stop"] > 0.2


FINE = ("--chip.crossbar.weight_headroom", "8")
HELD = ("--chip.readout.signal", "difference", "--chip.readout.hold_noise")
SICK = {
    "weights at the range": ("--chip.device.mismatch", "0.01"),
    "readings beyond the ranges": ("--chip.adc.bits", "12", "--chip.adc.margin", "0.5", *FINE),
    "resolution of the ADC": ("--chip.adc.bits", "6", "--chip.adc.margin", "8", *FINE),
    "resolution of the DAC": ("--chip.dac.bits", "4", *FINE),
    "read noise of the devices": ("--chip.device.read_noise", "0.05", *FINE),
    "resolution of the read-out": ("--chip.readout.bits", "8"),
    "noise of the holders": (*HELD, "1e-2"),
    "resolution of the states": ("--chip.neuron.state_bits", "4"),
    "noise of the neurons": ("--chip.neuron.state_noise", "0.02"),
    "resolution of the attention states": ("--chip.attention.state.bits", "7", "--chip.attention.state.margin", "32"),
    "outputs at a bound": ("--network.output_bias", "-0.5"),
}
"""By the limit that is to be named first: chips, else ideal, with one fault."""


@pytest.mark.parametrize("name", SICK)
def test_the_fault_of_a_sick_chip_is_named_first_and_following_the_advice_helps(tmp_path, name):
    """Two epochs each: the training loss, which measuring limits leaves alone, falls further with the cure named."""
    few = () if name == "readings beyond the ranges" else HALF
    record = trained(tmp_path / "sick", "--chip", "ideal", *SICK[name], *few)
    first = record["limits"][0]
    assert first["name"] == name and first["cost"] >= limits.SAID, limits.told(record)
    assert first["cure"] and first["overrides"]
    given = dict(zip(SICK[name][::2], SICK[name][1::2], strict=True))
    given |= dict(zip(first["overrides"][::2], first["overrides"][1::2], strict=True))
    flat = [word for pair in given.items() for word in pair]
    cured = trained(tmp_path / "cured", "--chip", "ideal", *flat, *few, diagnose=False)
    assert cured["train"]["loss"] < record["train"]["loss"]


PULSED = (
    "--optimiser.kind", "sgd", "--rates.query", "20", "--rates.dense_1", "1", "--rates.dense_2", "0.2",
    "--chip.update.scheme", "pulsed", "--chip.update.signals", "contrast", "--chip.device.pulse.dw_min", "1e-3", *FINE,
)  # fmt: skip


def test_short_trains_are_named(tmp_path):
    record = trained(tmp_path / "sick", "--chip", "ideal", *PULSED, "--chip.update.train_length", "1", epochs=1)
    first = record["limits"][0]
    assert first["name"] == "pulse trains too short" and first["overrides"] == ["--chip.update.train_length", "8"]
    record = trained(tmp_path / "cured", "--chip", "ideal", *PULSED, epochs=1)
    assert record["limits"] == []


def test_short_trains_that_are_counted_have_a_cure_that_can_act():
    """Not the length of trains of pulses, which a chip that counts refuses."""
    counts = "--chip", "ideal", *PULSED, "--chip.update.signals", "net_counts", "--chip.update.counter.slots", "100"
    made = config.load(REVIEWS, list(counts))
    short, *_ = [each for each in limits._of_arrays(made, {"a": {"trains_too_short": 0.5}}) if each.cost]
    assert short.overrides == ("--chip.update.counter.slots", "800")


WORN = {
    "leak": (limits.LEAKED, (*PULSED, "--chip.device.leak", "0.05")),
    "retention": (
        limits.LEAKED, (*PULSED, "--chip.timing.integration", "1e-6", "--chip.device.retention", "0.02"),
    ),
    "disturb": (limits.DISTURBED, (*PULSED, "--chip.device.disturb", "0.2")),
}  # fmt: skip
"""By fault: the limit that is to be named first, and a chip, else ideal, whose devices lose what they learn."""


@pytest.mark.parametrize("fault", WORN)
def test_what_undoes_updates_is_named_first_and_training_heals_without_it(tmp_path, fault):
    """Three epochs, with the fault, without it, and with a tenth of it, as the cure says."""
    name, given = WORN[fault]
    given = (*HALF, *given)
    record = trained(tmp_path / "sick", "--chip", "ideal", *given, epochs=3)
    first = record["limits"][0]
    assert first["name"] == name and first["cost"] > 0.1 and first["where"], limits.told(record)
    assert first["overrides"][0] == given[-2]
    healed = trained(tmp_path / "healed", "--chip", "ideal", *given[:-2], epochs=3)
    assert name not in {limit["name"] for limit in healed["limits"]}
    cured = trained(tmp_path / "cured", "--chip", "ideal", *given[:-2], *first["overrides"], epochs=3)
    losses = [each["train"]["loss"] for each in (record, cured, healed)]
    assert losses[0] > 1.1 * losses[2] and losses[1] - losses[2] < 0.5 * (losses[0] - losses[2]), losses
    again = {limit["name"]: limit["cost"] for limit in cured["limits"]}
    assert again.get(name, 0) < first["cost"]


def test_a_resumed_run_says_the_same_of_leak(tmp_path):
    chip = ("--chip", "ideal", *PULSED, "--chip.device.leak", "0.05", "--limit", "200", "--nudged_steps", "6")
    trained(tmp_path / "whole", *chip, epochs=3)
    trained(tmp_path / "parted", *chip, epochs=1)
    given = ["--epochs", "3", "--evaluate", "[]", "--seed", "1", *chip]
    training.train(config.load(REVIEWS, given), tmp_path / "parted", resume=True, progress=False)
    whole, parted = (runs.load(tmp_path / name).metrics for name in ("whole", "parted"))
    assert [each["arrays"] for each in whole] == [each["arrays"] for each in parted]
    assert [each["limits"] for each in whole] == [each["limits"] for each in parted]
    assert all(each["arrays"]["query"]["updates_leaked"] > 0 for each in whole)


def test_a_chip_that_is_fine_says_nothing_and_without_a_chip_nothing_is_measured(tmp_path):
    record = trained(tmp_path / "fine", "--chip", "ideal", "--chip.device.mismatch", "0.05", *FINE, epochs=1)
    assert record["limits"] == [] and limits.told(record) == [] and record["contrasts"]["errors"]
    record = trained(tmp_path / "none", epochs=1)
    assert "limits" not in record and "contrasts" not in record and limits.told(record) == []


def test_what_has_been_learned_is_limited_by_nothing():
    entry = {"name": "x", "cost": 0.5, "where": "", "cure": "", "overrides": []}
    record = {"train": {"accuracy": 0.99}, "limits": [entry]}
    assert limits.told(record) == []
    record["train"]["accuracy"] = 0.9
    assert limits.told(record) == ["limits learning most: x cost 50% of the update"]


def test_a_record_of_an_older_version_has_no_limits():
    old = {"train": {"accuracy": 0.5}, "arrays": {"query": {"weights_at_range": 0.3}}}
    assert limits.told(old) == [] and training.notes(old) == ["query: 30% of weights at the range"]


def test_measuring_changes_no_bit_and_a_resumed_run_says_the_same(tmp_path):
    """Three epochs: causes are searched for in the first one, the others share out what it found."""
    chip = ("--chip", "pcm", "--limit", "200", "--nudged_steps", "6")
    trained(tmp_path / "whole", *chip, epochs=3)
    trained(tmp_path / "parted", *chip, epochs=2)
    given = ["--epochs", "3", "--evaluate", "[]", "--seed", "1", *chip]
    training.train(config.load(REVIEWS, given), tmp_path / "parted", resume=True, progress=False)
    whole, parted = (runs.load(tmp_path / name).metrics for name in ("whole", "parted"))
    for one, other in zip(whole, parted, strict=True):
        assert one["limits"] and one["limits"] == other["limits"] and one["contrasts"] == other["contrasts"]
    searched = [limit["name"] for limit in whole[1]["limits"]]
    assert {limit["name"] for limit in whole[2]["limits"]} <= {*searched, limits.RANGE, limits.OUTPUTS}
    record = training.train(config.load(REVIEWS, given), tmp_path / "silent", progress=False, diagnose=False)
    assert "limits" not in record
    files = [(tmp_path / name / "checkpoint.safetensors").read_bytes() for name in ("whole", "parted", "silent")]
    tensors = [bytes_[8 + int.from_bytes(bytes_[:8], "little") :] for bytes_ in files]
    assert tensors[0] == tensors[1] == tensors[2]


def test_an_epoch_that_is_not_probed_repeats_the_last_probe_and_says_so(tmp_path):
    """Four updates an epoch: the first four are probed, the others too small."""
    trained(tmp_path / "run", "--chip", "pcm", "--limit", "200", "--nudged_steps", "6", epochs=6)
    *probed, five, six = runs.load(tmp_path / "run").metrics
    for record in (five, six):
        four = probed[-1]
        assert record["contrasts"] == {**four["contrasts"], "epoch": 4} and "limits" not in record["seconds"]
        assert {limit["name"] for limit in four["limits"]} - {limits.RANGE} <= {x["name"] for x in record["limits"]}
        told = [limit["where"] for limit in record["limits"] if limit["name"] != limits.RANGE]
        assert told and all(where.endswith("; in epoch 4") and where.count("in epoch") == 1 for where in told)
    for record in probed:
        assert "epoch" not in record["contrasts"] and record["seconds"]["limits"] > 0
        assert not any("in epoch" in limit["where"] for limit in record["limits"])


def test_a_probe_is_affordable_where_it_is_2_percent_of_the_updates_since_the_last():
    """It takes as long as 8 updates, so 400 of them, but for the first epochs; records that repeat one are none."""
    probed = {"epoch": 1, "updates": 100, "limits": [], "contrasts": {}}
    repeats = {"epoch": 2, "updates": 450, "limits": [], "contrasts": {"epoch": 1}}
    for updates, wanted in ((499, False), (500, True)):
        assert limits.affordable({"epoch": 5, "updates": updates}, [probed, repeats]) is wanted
        assert limits.affordable({"epoch": 4, "updates": updates}, [probed, repeats])
    for before in ([], [{"epoch": 1, "updates": 1}]):
        assert limits.affordable({"epoch": 9, "updates": 1}, before)


def test_what_arrays_tell_is_of_the_epoch_itself_where_the_rest_is_repeated():
    names = (limits.RANGE, limits.WRITES)
    listed = [limits.Limit(name, 0.2, "query 40%").as_dict() for name in names]
    last = {"epoch": 3, "limits": listed, "contrasts": {"errors": {}}}
    arrays = {name: {"weights_at_range": 0.5} for name in ("a", "b")}
    found = limits.repeated(PLAIN, arrays, last)
    assert [(x["name"], x["cost"], x["where"]) for x in found["limits"]] == [
        (limits.RANGE, 0.5, "a 50%, b 50%"),
        (limits.WRITES, 0.2, "query 40%; in epoch 3"),
    ]
    assert found["contrasts"] == {"errors": {}, "epoch": 3}
    later = limits.repeated(PLAIN, {}, {"epoch": 4, **found})
    assert [x["where"] for x in later["limits"]] == ["query 40%; in epoch 3"]


def test_causes_that_hide_the_contrast_alone_share_what_is_lost():
    """Read noise and coarse converters, each of which is enough: neither gains much by itself, both are named."""
    fields = {"noise": ["--chip.device.read_noise", "0.01"], "steps": ["--chip.adc.bits", "5"]}
    found = {}
    for name, given in {**fields, "both": [*fields["noise"], *fields["steps"]]}.items():
        session = Session.open(REVIEWS, overrides=["--limit", "200", "--chip", "ideal", *FINE, *given], age=0.0)
        found[name] = limits.diagnose(session)
    costs = {limit.name: limit.cost for limit in found["both"].limits}
    total = found["both"].probed.lost
    assert set(costs) == {"read noise of the devices", "resolution of the ADC"}
    assert sum(costs.values()) == pytest.approx(total, abs=0.05) and min(costs.values()) > 0.1 * total
    assert found["both"].limits[0].overrides == ("--chip.nudged.drive", "increments")


def test_cures_change_nothing_but_what_may_be_changed():
    overrides = ["--limit", "200", "--chip", "ideal", "--chip.adc.bits", "5", *FINE]
    session = Session.open(REVIEWS, overrides=overrides, age=0.0)
    free = {
        ("--chip.adc.bits",): {"chip.adc.bits"},
        ("--chip.nudged.drive",): {"chip.nudged.drive", "estimator.beta"},
        (): {"estimator.beta"},
    }
    for wanted, changing in free.items():
        first = limits.diagnose(session, changing=changing).limits[0]
        assert first.name == "resolution of the ADC" and first.overrides[:1] == wanted
        assert bool(first.cure) is bool(first.overrides)


def test_a_session_is_diagnosed_and_left_as_it_is():
    overrides = ["--limit", "200", "--chip", "ideal", "--chip.adc.bits", "5", "--chip.dac.bits", "7", *FINE]
    session = Session.open(REVIEWS, overrides=overrides, age=0.0)
    before = session.engine.device_state()
    found = limits.diagnose(session)
    for name, value in session.engine.device_state().items():
        np.testing.assert_array_equal(value, before[name], err_msg=name)
    assert found.limits[0].name == "resolution of the ADC" and found.limits[0].overrides[0] == "--chip.adc.bits"
    assert list(found.limits) == sorted(found.limits, key=lambda limit: -limit.cost)
    assert json.loads(runs.as_json(found.as_dict()))["limits"][0]["name"] == "resolution of the ADC"
    again = limits.diagnose(session, before=found.as_dict(), search=False)
    assert [limit.name for limit in again.limits] == [limit.name for limit in found.limits]
    assert again.limits[0].cost == pytest.approx(found.limits[0].cost)
    page = found.as_dict()
    for error in page["contrasts"]["errors"].values():
        error["cosine"] = 1 - 2 * (1 - error["cosine"])  # twice as much was lost then
    halved = limits.diagnose(session, before=page, search=False)
    assert halved.limits[0].cost == pytest.approx(found.limits[0].cost / 2, rel=0.01)


def test_layers_that_died_point_to_what_killed_them(tmp_path):
    """Conductances that follow the nudge push all hidden neurons to a bound: the fault stays named behind it."""
    shifted = ("--chip.device.nudge_shift", "5e-4", *FINE)
    record = trained(tmp_path / "run", "--chip", "ideal", *shifted, epochs=3, seed=0)
    first = record["limits"][0]
    assert first["name"] == limits.LAYERS and first["where"].startswith("no gradient reaches query")
    assert first["overrides"] == ["--chip.nudged.drive", "increments"]


PLAIN = config.changed(config.Config(), ["--chip", "ideal", "--chip.device.mismatch", "0.01"])


def of_arrays(changes, **shares):
    """Return limits by name, of arrays with shares by name and synapse."""
    arrays = {name: {share: values[name] for share, values in shares.items()} for name in ("a", "b")}
    return {limit.name: limit for limit in limits._of_arrays(config.changed(PLAIN, changes), arrays)}


def test_the_cost_of_weights_at_the_range_is_the_mean_of_the_synapses():
    found = of_arrays([], weights_at_range={"a": 0.1, "b": 0.5})[limits.RANGE]
    assert found.cost == pytest.approx(0.3) and found.where == "b 50%, a 10%"
    assert found.overrides == ("--chip.crossbar.follow_weights", "true")


@pytest.mark.parametrize(
    ("changes", "overrides"),
    [
        (["--chip.crossbar.weight_range", "0.5"], ("--chip.crossbar.weight_range", "2.0")),
        (["--chip.crossbar.follow_weights", "true"], ("--chip.crossbar.weight_headroom", "4.0")),
        (["--chip.update.scheme", "mixed_precision"], ("--chip.crossbar.weight_headroom", "4.0")),
        (["--chip", "loihi2"], ("--chip.events.weight_headroom", "4.0")),
        (
            ["--chip.adc.bits", "8"],
            ("--chip.crossbar.follow_weights", "true", "--chip.calibration_every", "10"),
        ),
    ],
)
def test_the_cure_of_a_range_is_one_that_can_act(changes, overrides):
    """A range that is given grows, one that is found follows, with its converters where these are calibrated."""
    assert of_arrays(changes, weights_at_range={"a": 0.5, "b": 0.5})[limits.RANGE].overrides == overrides


def test_a_limit_is_told_in_one_line():
    limit = limits.Limit("x", 0.256, "a 3", "adc.bits 5 -> 7: finer", ("--chip.adc.bits", "7"))
    assert limit.told() == "x (a 3) cost 26% of the update: adc.bits 5 -> 7: finer"
    assert limits.Limit("x", 0.256, "").told() == "x cost 26% of the update"
    page = json.loads(json.dumps(limit.as_dict()))
    assert limits.lines([page, page]) == [f"limits learning most: {limit.told()}", f"then: {limit.told()}"]


def test_what_the_probe_saw_is_said_once():
    """All causes of one contrast have its cosines in common; what each one is stays."""
    same = {"x": "adc.bits; cosine a 0.5", "y": "device.mismatch; cosine a 0.5"}
    places = {**same, "z": "dac.bits; below a 3%", "w": "a 9%"}
    told = limits.lines([limits.Limit(name, 0.3, where).as_dict() for name, where in places.items()])
    assert [line.partition("(")[2].partition(")")[0] for line in told] == [
        "adc.bits; cosine a 0.5", "device.mismatch", "dac.bits; below a 3%", "a 9%",
    ]  # fmt: skip



def test_outputs_that_are_stuck_are_a_limit_from_half_of_their_error_on():
    def found(stuck):
        return next(limits._of_outputs(PLAIN, contrast_error.Probed({}, stuck, {})))

    assert found(0.4).cost == 0 and found(0.7).cost == 0.7
    assert found(0.7).overrides == ("--network.output_bias", "1.0")


def test_what_an_earlier_record_lost_is_read_with_nulls():
    errors = {"a": {"cosine": 0.5}, "b": {"cosine": None}, "c": {"cosine": 0.9}}
    assert limits._lost_in({"contrasts": {"errors": errors}}) == pytest.approx(0.3)


def test_weights_are_cut_at_their_ranges_before_programming_noise_is_judged():
    overrides = ["--limit", "100", "--chip", "ideal", "--chip.crossbar.weight_range", "0.05"]
    engine = Session.open(REVIEWS, overrides=overrides, age=0.0).engine
    cut = limits._within(engine)
    for name, value in engine.parameters().items():
        wanted = np.clip(value, -0.05, 0.05) if name.endswith("weight") else value
        np.testing.assert_allclose(cut[name], wanted, rtol=1e-6)
    assert np.abs(engine.parameters()["query.weight"]).max() > 0.05


def test_programming_noise_is_named_and_mismatch_is_not():
    """Noise of every write of 10 % of the range, or devices that differ by as much and stay as they are."""
    base = ["--limit", "200", "--chip", "ideal", "--chip.device.g_max", "25.0"]
    costs = {}
    fields = {"noise": ["--chip.device.programming_noise", "[2.5]"], "mismatch": ["--chip.device.mismatch", "0.3"]}
    for name, field in fields.items():
        session = Session.open(REVIEWS, overrides=[*base, *field], age=0.0)
        costs[name] = [limit.cost for limit in limits._of_writes(session, limits._probe(session, 0))]
    assert costs["mismatch"] == [] and costs["noise"][0] > limits.SAID
