"""Presets: whole, cited, honest about what they leave out, true to their papers; aliases and registered chips."""

from __future__ import annotations

import importlib
import importlib.metadata
import pkgutil
import re
import tomllib

import numpy as np
import pytest

from hw_models import presets
from hw_models.arrays.population import Population
from hw_models.chip import Chip
from hw_models.errors import ChipError
from hw_models.laws.drift import DRIFT
from hw_models.laws.programming import WRITE
from hw_models.laws.read_noise import READ_NOISE

OWN = [module.name for module in pkgutil.iter_modules(presets.__path__)]
PULSED = [
    "gong_2018_reram", "kim_2019_ecram", "li_2018_capacitor", "tang_2018_ecram", "gong_2022_reram_om",
    "gong_2022_reram_hfo2", "gong_2018_reram_soft", "gokmen_2016_rpu", "rasch_2020_idealised", "nandakumar_2020_pcm",
    "falcone_2025_reram_cmo",
]  # fmt: skip
PAPERS = {
    "joshi_2020_pcm": {"device.g_max": 25.0, "device.read_noise_law": "pcm", "device.drift_start": 20.0},
    "legallo_2023_hermes": {"crossbar.rows": 256, "dac.bits": 8, "device.g_max": 20.7, "device.drift_start": 300.0},
    "wan_2022_reram": {"device.g_max": 40.0, "device.programming_noise": (0.701, 22.086, -50.773, 47.095, -16.458)},
    "isaac_2016": {"crossbar.rows": 128, "crossbar.slices": 4, "crossbar.slice_bits": 2, "adc.bits": 8},
    "orchard_2021_loihi2": {"substrate": "event_driven", "events.weight_bits": 8},
    "gong_2018_reram": {"device.pulse.dw_min": 0.00135, "device.pulse.noise": 5.0, "device.pulse.gamma_up": 5.0},
    "li_2018_capacitor": {"device.pulse.dw_min": 0.005, "device.pulse.gamma_up": 0.05},
    "tang_2018_ecram": {"device.pulse.dw_min": 0.002, "device.pulse.gamma_down": 0.5085},
    "kim_2019_ecram": {"device.pulse.dw_min": 2.8214e-4, "device.pulse.gamma_down": 0.7342},
    "gong_2022_reram_om": {
        "device.pulse.dw_min": 0.0949,
        "device.pulse.dw_min_spread": 0.7829,
        "device.pulse.noise_base": 0.4158,
        "device.pulse.write_noise": 1.4113,
        "device.pulse.corrupt": 0.1348,
        "device.cell.reference_spread": 0.05,
    },
    "gong_2022_reram_hfo2": {
        "device.pulse.dw_min": 0.4622,
        "device.pulse.dw_min_spread": 0.7125,
        "device.pulse.noise_base": 0.2174,
        "device.pulse.write_noise": 0.5841,
        "device.pulse.corrupt": 0.0977,
        "device.pulse.dw_min_law": "log_normal",
    },
    "gong_2018_reram_soft": {"device.pulse.dw_min": 0.002, "device.pulse.noise_base": 3.75, "device.pulse.w_max": 1.25},
    "gokmen_2016_rpu": {"device.pulse.dw_min": 0.0016, "device.pulse.noise": 0.3, "device.pulse.dw_min_spread": 0.3},
    "rasch_2020_idealised": {"device.pulse.dw_min": 0.0002, "device.pulse.up_down_spread": 0.0},
    "nandakumar_2020_pcm": {"device.pulse.a_up": -27.235, "device.cell.kind": "one_sided", "device.cell.reset": 0.01},
    "falcone_2025_reram_cmo": {"device.pulse.noise": 0.9, "device.g_max": 88.2, "crossbar.reference": "device"},
}
NOT_IDEAL_BY_DEFAULT = {"events.weight_bits"}


@pytest.fixture
def register(monkeypatch):
    """Register callables under names, as installed packages would."""

    def set_points(**values):
        points = [importlib.metadata.EntryPoint(name, value, presets.GROUP) for name, value in values.items()]
        monkeypatch.setattr(
            importlib.metadata, "entry_points", lambda *, group: points if group == presets.GROUP else []
        )

    return set_points


def our_chip():
    return Chip(name="ours", calibration_samples=8)


def broken_chip():
    raise RuntimeError("two\nlines")


def no_chip():
    return 3


@pytest.mark.parametrize("name", OWN)
def test_presets_are_cited_and_say_what_they_leave_out(name):
    chip = presets.load(name)
    assert chip.name == name
    assert re.search(r"20\d\d", name).group() in chip.citation
    assert chip.url.startswith("https://doi.org/10.")
    assert len(chip.caveat) > 80
    module = importlib.import_module(f"hw_models.presets.{name}")
    assert "Choices made here" in " ".join(module.__doc__.split())


@pytest.mark.parametrize("name", OWN)
def test_presets_survive_writing_and_reading(name):
    chip = presets.load(name)
    assert Chip.parse(tomllib.loads(chip.to_toml())) == chip


@pytest.mark.parametrize("name", OWN)
def test_presets_are_what_their_papers_say(name):
    chip, ideal = presets.load(name), dict(Chip.fields_of(Chip()))
    fields = dict(Chip.fields_of(chip))
    assert not chip.is_ideal
    for field, value in PAPERS[name].items():
        assert fields[field] == value
        assert field in NOT_IDEAL_BY_DEFAULT or value == ideal[field] or field in chip.differences()


@pytest.mark.parametrize("name", OWN)
def test_only_chips_with_data_on_pulses_learn_by_them(name):
    assert (presets.load(name).update.scheme == "pulsed") == (name in PULSED)


def test_cmo_devices_have_the_states_the_noise_and_the_symmetry_point_of_their_paper():
    """22 steps of the size at the symmetry point over the range; that point 61 % of it below the top."""
    chip = presets.load("reram_cmo")
    assert "secondary sources" in chip.caveat
    pulse = chip.device.pulse
    up, down = pulse.dw_min * (1 + pulse.up_down), pulse.dw_min
    point = (up - down) / (up + down)
    assert (1 - point) / 2 == pytest.approx(0.61, abs=1e-3)
    assert 2 / (down * (1 + point)) == pytest.approx(22, abs=0.05)
    assert up * (1 - point) == pytest.approx(down * (1 + point))


@pytest.mark.parametrize(
    ("name", "published"),
    [("gong_2018_reram", 0.05), ("gong_2018_reram_soft", 0.01), ("gong_2022_reram_om", 0.01), ("kim_2019_ecram", 0.01),
     ("gong_2022_reram_hfo2", 0.01), ("tang_2018_ecram", 0.01), ("li_2018_capacitor", 0.06), ("gokmen_2016_rpu", 0.01)],
)  # fmt: skip
def test_the_asymmetry_of_devices_spreads_as_in_the_published_fits(name, published):
    """There a device has the steps dw_min (gain + r) up and dw_min (gain - r) down, r of that standard deviation."""
    pulse = presets.load(name).device.pulse
    draw, up_down = np.random.default_rng(0).normal, pulse.up_down
    r = published * draw(size=100_000)
    up, down = 1 + min(up_down, 0) + r, 1 - max(up_down, 0) - r
    plain = pulse.model_copy(update={"dw_min_spread": 0.0, "corrupt": 0.0})
    ours = Population(plain, (300, 300), (0, "presets"), np.dtype(np.float32)).drawn()[0]
    difference = (ours.up - ours.down) / pulse.dw_min
    assert difference.std() == pytest.approx((up - down).std(), rel=0.02)
    assert difference.mean() == pytest.approx((up - down).mean(), abs=0.002)


@pytest.mark.parametrize("name", ["tang_2018_ecram", "kim_2019_ecram"])
def test_symmetry_point_of_electrochemical_memory_is_at_zero(name):
    pulse = presets.load(name).device.pulse
    assert pulse.w_max - pulse.w_min == pytest.approx(2.0)
    assert pulse.up_down == 0


def test_spread_of_relaxed_resistive_memory_is_never_negative_and_grows_within_a_day():
    from hw_models.presets import wan_2022_reram as paper

    grid = np.linspace(0, 40, 401)
    day = WRITE.sigma(grid, paper.chip().device)
    assert day.min() > 0.5
    assert day[200] == pytest.approx(np.polyval(paper.DAY[::-1], 0.5), rel=1e-6)
    assert (day > np.polyval(paper.SECOND[::-1], grid / 40)).all()


def test_hermes_has_two_devices_per_polarity():
    """The published fit for two devices [uS]: more than one device's 10.35, and less error of a weight."""
    device = presets.load("hermes").device
    v = np.linspace(0, 1, 101)
    sigma = WRITE.sigma(v * 20.7, device)
    np.testing.assert_allclose(sigma, 0.16603 + 4.71806 * v - 8.48101 * v**2 + 4.68961 * v**3, atol=2e-5)
    one = 0.15781817 + 2.32443916 * v - 2.16310839 * v**2 + 0.68841818 * v**3
    assert sigma.min() > 0 and (sigma / 20.7 < one / 10.35)[v > 0.01].all()
    z = np.zeros(1)
    assert DRIFT.exponent(np.array([20.7 * 0.9]), z, device) == pytest.approx(0.0736 - 0.01134 - 0.035316)
    assert READ_NOISE["pcm"].share(np.array([20.7]), device) == pytest.approx(0.0123, rel=1e-3)


def test_graded_events_are_those_of_the_second_loihi():
    """Sigma-delta neurons with events that carry a number: the first Loihi sends spikes."""
    chip = presets.load("loihi2")
    assert chip == presets.load("loihi") and chip.name == "orchard_2021_loihi2"
    assert "Loihi 2" in chip.caveat and "2018" not in chip.citation


def test_phase_change_memory_was_fitted_to_more_than_ten_thousand_devices():
    from hw_models.presets import joshi_2020_pcm as paper

    assert "more than 10,000 devices" in " ".join(paper.__doc__.split())


@pytest.mark.parametrize("name", OWN)
def test_polynomials_in_microsiemens_know_the_g_max_of_their_fit(name):
    device = presets.load(name).device
    assert (device.programming_noise_g_max == device.g_max) is bool(device.programming_noise)


def test_age_of_a_deployed_preset_can_be_set():
    chip = presets.load("pcm")
    values = chip.to_dict()
    values["device"]["age"] = 3600.0
    assert Chip.parse(values).device.age == 3600
    assert chip.device.drifts


def test_aliases_name_presets():
    assert set(presets.ALIASES.values()) <= set(OWN)
    assert not set(presets.ALIASES) & set(OWN)
    for alias, name in presets.ALIASES.items():
        assert presets.load(alias) == presets.load(name)
    assert presets.load("ideal").is_ideal


def test_unknown_names_are_answered_with_the_nearest(register):
    register()
    assert presets.names() == sorted(OWN)
    with pytest.raises(ChipError, match=r"unknown chip 'josh_2020_pcm': .*did you mean 'joshi_2020_pcm'") as failure:
        presets.load("josh_2020_pcm")
    assert "\n" not in str(failure.value)


def test_registered_chips_are_found(register):
    register(ours=f"{__name__}:our_chip", joshi_2020_pcm=f"{__name__}:our_chip")
    assert presets.names() == [*sorted(OWN), "ours"]
    assert presets.load("ours").calibration_samples == 8
    assert presets.load("joshi_2020_pcm").device.g_max == 25


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("{here}:broken_chip", "RuntimeError: two lines"),
        ("{here}:no_chip", "made a int, not a Chip"),
        ("{here}:missing", "AttributeError"),
        ("no_such_module_at_all:chip", "ModuleNotFoundError: No module named 'no_such_module_at_all'"),
    ],
)
def test_broken_registered_chips_are_named_in_one_line(register, value, words):
    register(ours=value.format(here=__name__))
    assert "ours" in presets.names()
    with pytest.raises(ChipError, match=r"registered chip 'ours' \(.*") as failure:
        presets.load("ours")
    assert words in str(failure.value)
    assert "\n" not in str(failure.value)
