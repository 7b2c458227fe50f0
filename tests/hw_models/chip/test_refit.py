"""Another g_max on a chip that exists: its programming polynomial stays a fit in shares of g_max, by whatever path."""

from __future__ import annotations

import tomllib

import numpy as np
import pytest

from hw_models import presets
from hw_models.arrays.crossbar import Crossbar
from hw_models.chip import Chip, Device, files
from hw_models.errors import ChipError
from hw_models.laws.programming import WRITE

FITTED = {"pcm": 25.0, "hermes": 20.7, "rram": 40.0}
OURS = 'name = "ours"\n[device]\ng_max = 10.0\nprogramming_noise = [0.5, 1.0]\n'
SHARES = np.linspace(0, 1, 11)


def relative(device):
    """Return sigma over g_max at ten shares of g_max."""
    return WRITE.sigma(SHARES * device.g_max, device) / device.g_max


def by_copy(chip, g_max, folder):
    return chip.device.model_copy(update={"g_max": g_max})


def by_values(chip, g_max, folder):
    values = chip.to_dict()
    values["device"]["g_max"] = g_max
    return Chip.parse(values).device


def by_construction(chip, g_max, folder):
    return Device(**{**dict(chip.device), "g_max": g_max})


def by_toml(chip, g_max, folder):
    (folder / "other.toml").write_text(f'preset = "{chip.name}"\n[device]\ng_max = {g_max}\n')
    return files.load(folder / "other.toml").device


def by_its_own_file(chip, g_max, folder):
    values = tomllib.loads(chip.to_toml())
    files.save(Chip.parse(files.laid_over(values, {"device": {"g_max": g_max}})), folder / "own.toml")
    return files.load(folder / "own.toml").device


PATHS = [by_copy, by_values, by_construction, by_toml, by_its_own_file]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("name", FITTED)
def test_a_preset_is_rescaled(name, path, tmp_path):
    """As PCMLikeNoiseModel does it: sigma = polynomial(g/g_max) g_max/25 for a fit at 25 uS."""
    chip = presets.load(name)
    for factor in (0.5, 2.0):
        device = path(chip, factor * FITTED[name], tmp_path)
        assert device.g_max == factor * FITTED[name]
        np.testing.assert_allclose(relative(device), relative(chip.device), rtol=1e-6)
        expected = factor * np.polynomial.polynomial.polyval(SHARES, chip.device.programming_noise)
        np.testing.assert_allclose(WRITE.sigma(SHARES * device.g_max, device), expected, rtol=1e-5)


def test_the_error_of_a_weight_does_not_hang_on_g_max():
    """All laws of phase-change memory go by g/g_max: the very same weights, a day later."""
    weight = np.random.default_rng(0).uniform(-1, 1, (20, 30)).astype(np.float32)
    found = []
    for g_max in (25.0, 50.0):
        device = presets.load("pcm").device.model_copy(update={"g_max": g_max, "read_voltage": None})
        bar = Crossbar(Chip(device=device), weight.shape, 0, "a")
        bar.program(weight)
        found.append(bar.weights())
    np.testing.assert_allclose(found[1], found[0], atol=2e-6)


def test_a_file_that_starts_from_a_laboratorys_chip_is_rescaled_too(tmp_path):
    (tmp_path / "ours.toml").write_text(OURS)
    (tmp_path / "larger.toml").write_text('preset = "ours.toml"\n[device]\ng_max = 30.0\n')
    (tmp_path / "largest.toml").write_text('preset = "larger.toml"\n[device]\ng_max = 60.0\n')
    ours = files.load(tmp_path / "ours.toml").device
    np.testing.assert_allclose(WRITE.sigma(SHARES * 10, ours), 0.5 + SHARES)
    for name in ("larger", "largest"):
        device = files.load(tmp_path / f"{name}.toml").device
        assert device.programming_noise_g_max == 10
        np.testing.assert_allclose(relative(device), relative(ours), rtol=1e-6)


def test_a_polynomial_given_beside_is_in_microsiemens_as_it_stands(tmp_path):
    (tmp_path / "both.toml").write_text('preset = "pcm"\n[device]\ng_max = 50.0\nprogramming_noise = [1.0]\n')
    both = files.load(tmp_path / "both.toml").device
    copied = presets.load("pcm").device.model_copy(update={"g_max": 50.0, "programming_noise": (1.0,)})
    for device in (both, copied):
        np.testing.assert_allclose(WRITE.sigma(SHARES * 50, device), 1.0)
    known = presets.load("pcm").device.model_copy(update={"programming_noise": (1.0,), "programming_noise_g_max": 5.0})
    np.testing.assert_allclose(WRITE.sigma(SHARES * 25, known), 5.0)


def test_the_fresh_polynomial_goes_with_the_whole_one(tmp_path):
    (tmp_path / "larger.toml").write_text('preset = "rram"\n[device]\ng_max = 80.0\n')
    (tmp_path / "flat.toml").write_text('preset = "rram"\n[device]\nprogramming_noise = [1.0]\n')
    z = np.ones(11)
    names = "rram", tmp_path / "larger.toml", tmp_path / "flat.toml"
    known, larger, flat = (files.load(name).device for name in names)
    np.testing.assert_allclose(
        WRITE.programmed(SHARES * 80, z, larger), 2 * WRITE.programmed(SHARES * 40, z, known), rtol=1e-6
    )
    assert flat.programming_noise_fresh == ()
    np.testing.assert_allclose(WRITE.programmed(SHARES * 40, z, flat), SHARES * 40 + 1)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"programming_noise_fresh": [0.1]}, "programming_noise_fresh = .*only with programming_noise"),
        ({"relaxation_times": [1.0, 5.0]}, "relaxation_times = .*only with programming_noise_fresh"),
        ({"programming_noise": [0.1], "programming_noise_fresh": [0.2]}, "from 0 to programming_noise at every g/g_"),
        (
            {"programming_noise": [0.2], "programming_noise_fresh": [0.1], "relaxation_times": [5.0, 5.0]},
            "the second should be the later one",
        ),
    ],
)
def test_what_cannot_relax_is_refused(fields, words):
    with pytest.raises(ChipError, match=words):
        Chip.parse({"device": fields})


def test_what_is_no_polynomial_keeps_its_unit():
    """g_min, resolution and additive read noise are in uS of the circuit, and stay."""
    device = Device(g_min=1.0, g_max=10.0, resolution=0.5, read_noise=0.2, programming_noise=(0.1,))
    other = device.model_copy(update={"g_max": 20.0})
    assert (other.g_min, other.resolution, other.read_noise) == (1.0, 0.5, 0.2)
    np.testing.assert_allclose(WRITE.sigma(SHARES, other), 0.2)
    assert Device(g_max=10.0).model_copy(update={"g_max": 20.0}) == Device(g_max=20.0)


def test_a_fit_of_nothing_is_refused():
    with pytest.raises(ChipError, match=r"programming_noise_g_max = 25.0: it acts only with programming_noise"):
        Chip.parse({"device": {"programming_noise_g_max": 25.0}})
    assert Chip.parse(files.laid_over(presets.load("pcm").to_dict(), {"device": {"programming_noise": []}}))
