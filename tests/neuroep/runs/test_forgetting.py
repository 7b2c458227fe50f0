"""Arrays that cannot learn are named, with the reason and what would help; others are not."""

from __future__ import annotations

import html

import numpy as np
import pytest

from analysis.run import limits as page
from hw_models.arrays.pulses import PulsedDevices
from hw_models.chip import Pulse
from neuroep.engines.chip.rules import scaling
from neuroep.runs import config, forgetting, limits, training
from tests.conftest import ROOT

REVIEWS = ROOT / "examples" / "configs" / "reviews.toml"
PULSED = ("--chip", "ecram_mo", "--chip.update.scheme", "pulsed", "--chip.update.scaling", "auto")
FINE = {"kappa": 3.0, "pulses": 20.0, "forgets": 300.0, "needs": 45.0}
SICK = {"kappa": 90.0, "pulses": 6900.0, "forgets": 0.83, "needs": 40_500.0}


def trained(out, *overrides, epochs=1):
    given = ["--epochs", str(epochs), "--evaluate", "[]", "--seed", "1", *PULSED, *overrides]
    return training.train(config.load(REVIEWS, given), out, progress=False)


def test_trains_of_whole_phases_are_said_not_to_learn_and_those_of_the_contrast_are_not(tmp_path):
    """The line and the page name array, reason and cure; with the cure, and with net counts, nothing is said."""
    record = trained(tmp_path / "sick", "--chip.update.signals", "phases")
    found = [limit for limit in record["limits"] if limit["name"] == forgetting.NAME]
    assert len(found) == 1 and found[0]["where"].startswith("query gets ")
    line = next(line for line in training.notes(record) if forgetting.NAME in line)
    assert "forgets in " in line and "update.signals phases -> contrast" in line
    assert line in html.unescape(page._table([[record]]))
    assert found[0]["overrides"] == ["--chip.update.signals", "contrast"]
    for signals in ("contrast", "net_counts"):
        slots = () if signals == "contrast" else ("--chip.update.counter.slots", "63")
        fine = trained(tmp_path / signals, "--chip.update.signals", signals, *slots)
        assert forgetting.NAME not in str(fine["limits"]) and fine["coherence"]["query"]["kappa"] > 0


NOT_SAID = (
    {},
    {"a": FINE},
    {"a": SICK | {"forgets": None}},
    {"a": SICK | {"passes_on": 1.0}},
    {"a": {"kappa": 0.0, "pulses": 0.0, "forgets": None, "needs": 0.0}},
    {"a": SICK | {"needs": 11_400.0}},
)


@pytest.mark.parametrize("coherence", NOT_SAID)
def test_an_array_that_can_is_not_named(coherence):
    assert list(forgetting.of(coherence)) == []
    assert list(limits._of_pulses(config.parse({"chip": "ecram_mo"}), coherence)) == []


def test_the_cost_is_that_of_all_arrays_and_the_worst_is_first():
    chip = config.parse({"chip": "ecram_mo"})
    (limit,) = limits._of_pulses(chip, {"a": FINE, "b": SICK | {"needs": 14_000.0}, "c": SICK})
    held = 2 * 6900 * 0.83
    assert limit.cost == pytest.approx((2 - held / 14_000 - held / 40_500) / 3)
    names = [part.split()[0] for part in limit.where.split("; ")]
    assert names == ["c", "b"] and "pulses for a net change of 77 and forgets in 0.83 updates" in limit.where
    assert limit.told().count("%") == 1


def test_what_helps_goes_by_the_signals():
    given = config.load(REVIEWS, [*PULSED, "--chip.update.signals", "contrast"])
    (cure,) = forgetting.wanted(given)
    assert cure.overrides(given) == ("--chip.update.scheme", "agad")
    assert forgetting.wanted(config.load(REVIEWS)) == ()


def test_an_epoch_that_is_not_probed_says_it_of_its_own_pulses():
    last = {"epoch": 4, "limits": [limits.Limit(forgetting.NAME, 0.9, "b").as_dict()], "contrasts": {"errors": {}}}
    chip = config.parse({"chip": "ecram_mo"})
    assert limits.repeated(chip, {}, last, {"a": FINE})["limits"] == []
    (found,) = limits.repeated(chip, {}, last, {"a": SICK})["limits"]
    assert found["where"].startswith("a gets ")


def test_a_device_holds_the_noise_that_is_said():
    """Pulses up and down by turns at random, 2000 devices for many times as long as they remember: the spread of their
    weights, about the change that one in kappa pulses makes, is that of the bound."""
    pulse, kappa = Pulse(response="soft_bounds", dw_min=0.02, noise=0.5), 10.0
    devices, weights = PulsedDevices(pulse, (40, 50), 0, "a", dtype="float64"), np.zeros((40, 50))
    rng = np.random.default_rng(0)
    for step in range(400):
        up = rng.random((40, 50)) < 0.5 + 0.5 / kappa
        devices.apply(weights, up.astype(int), (~up).astype(int), step)
    own = scaling.symmetry(pulse)
    held = 2 / (own.leak * own.step)
    needs = kappa**2 * (1 + own.noise**2)
    assert (weights.mean() / weights.std()) ** 2 == pytest.approx(held / needs, rel=0.15)
