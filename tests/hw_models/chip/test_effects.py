"""Effects of a chip: every field belongs to one or says why not, and each can be switched off without moving others."""

from __future__ import annotations

from collections import Counter
from itertools import combinations

import numpy as np
import pytest

import hw_models
from hw_models import presets
from hw_models.chip import Chip, effects
from hw_models.chip.effects import EFFECTS, NOT_EFFECTS
from hw_models.errors import ChipError
from tests.neuroep.engines.chip.conftest import nested

NAMES = [effect.name for effect in EFFECTS]


def test_every_field_is_of_one_effect_or_says_why_not():
    owners = Counter(name for effect in EFFECTS for name in effects.fields(effect))
    assert set(owners.values()) == {1}
    assert not owners.keys() & NOT_EFFECTS.keys()
    assert owners.keys() | NOT_EFFECTS.keys() == Chip.settings().keys()
    assert all(NOT_EFFECTS.values()) and len(set(NAMES)) == len(NAMES)


@pytest.mark.parametrize("effect", EFFECTS, ids=NAMES)
def test_off_values_are_those_of_the_ideal_chip(effect):
    """But of integers, which have none: there the finest stand."""
    ideal = dict(Chip.fields_of(Chip.ideal()))
    finest = {"events.state_bits": 16, "events.weight_bits": 8}
    for name, off in effect.off.items():
        assert off == finest.get(name, ideal[name])


def test_parts_come_ahead_of_what_they_are_within():
    for effect in EFFECTS:
        for outer in effects.around(effect):
            assert NAMES.index(effect.name) < NAMES.index(outer.name)


@pytest.mark.parametrize("name", presets.names())
def test_presets_without_each_effect_and_without_all(name):
    chip = presets.load(name)
    there = effects.present(chip)
    assert there
    for effect in there:
        left = [each.name for each in effects.present(effects.without(chip, [effect.name]))]
        inside = {each.name for each in EFFECTS if effect in effects.around(each)}
        assert effect.name not in left
        assert set(left) >= {each.name for each in there} - {effect.name} - inside
    assert effects.present(effects.without(chip)) == []


def test_what_an_effect_alone_needs_rests_and_comes_back():
    pcm = hw_models.load("pcm")
    quiet = effects.without(pcm, ["read noise"])
    assert quiet.device.read_noise == 0 and quiet.device.read_noise_law == "pcm"
    assert "device.read_noise_law" in quiet.kept
    assert effects.without(pcm, []) == pcm


@pytest.mark.parametrize(
    ("pulse", "factor"),
    [
        ({"response": "exponential", "a_up": 0.6, "a_down": 0.2, "gamma_up": 1.0}, 0.6),
        ({"response": "power", "gamma_up": 2.0, "gamma_down": 1.0}, (0.25 + 0.5) / 2),
        ({"response": "power", "gamma_up": 2.0, "gamma_down": 1.0, "w_max": 0.8, "w_min": -0.2}, (0.25 + 0.5) / 2),
        ({"response": "table", "table_up": [0.4, 0.8, 0.3], "table_down": [0.2, 0.6, 1.0]}, 0.7),
        ({"response": "soft_bounds"}, 1.0),
        ({"up_down": 0.3}, 1.0),
    ],
)
def test_steps_that_are_alike_are_as_large_as_they_were_in_the_middle(pulse, factor):
    """Else what asymmetry costs and what larger steps cost would be one number."""
    chip = Chip.parse({"update": {"scheme": "pulsed"}, "device": {"pulse": {"dw_min": 0.004, **pulse}}})
    alike = effects.without(chip, ["asymmetric steps"]).device.pulse
    assert (alike.response, alike.up_down) == ("constant", 0)
    assert alike.dw_min == pytest.approx(0.004 * factor, rel=1e-6)


def test_one_way_devices_keep_the_step_of_that_way():
    pulse = {"dw_min": 0.004, "response": "power", "gamma_up": 2.0, "w_min": 0.0}
    chip = Chip.parse({"update": {"scheme": "pulsed"}, "device": {"pulse": pulse, "cell": {"kind": "one_sided"}}})
    assert effects.without(chip, ["asymmetric steps"]).device.pulse.dw_min == pytest.approx(0.001, rel=1e-6)


REFRESHED = {"update": {"scheme": "mixed_precision"}, "device": {"pulse": {"dw_min": 0.01, "w_min": 0.0}}}
REFRESHED["device"]["cell"] = {"kind": "one_sided", "refresh_every": 5, "reset_noise": 0.02}


@pytest.mark.parametrize("chip", [*presets.names(), REFRESHED], ids=[*presets.names(), "refreshed"])
def test_what_shapes_an_effect_rests_without_it(chip):
    """But of what others share. Refreshes were said to rest, and went on."""
    shared = {"device.drift_start", "dac.digit_sign"}  # by read noise, by encoding serial
    chip = presets.load(chip) if isinstance(chip, str) else Chip.parse(chip)
    ideal = dict(Chip.fields_of(Chip.ideal()))
    for effect in effects.present(chip):
        left = effects.without(chip, [effect.name])
        values = dict(Chip.fields_of(left))
        acts = {name for name in effects.fields(effect) if values[name] != ideal[name]} - set(left.kept or ())
        assert acts - {*effect.off, *shared} == set()


def test_a_relaxed_error_stays_as_it_was_at_once():
    table = {"programming_noise": [0.5, 1.0], "programming_noise_fresh": [0.2, 0.3], "age": 1e4}
    device = effects.without(Chip.parse({"device": table}), ["relaxation"]).device
    assert device.programming_noise == (0.2, 0.3) and device.programming_noise_fresh == ()
    both = effects.without(Chip.parse({"device": table}), ["relaxation", "programming noise"]).device
    assert both.programming_noise == ()


def test_a_device_with_a_bent_current_keeps_the_finest_dac():
    bent = Chip.parse({"device": {"iv": "cubic"}, "dac": {"bits": 6}})
    assert effects.without(bent, ["DAC bits"]).dac.bits == effects.FINEST
    assert effects.without(bent, ["DAC bits", "bent currents"]).dac.bits is None
    assert effects.without(bent).is_ideal


BAR = {"mapping": "offset", "reference": "analog", "columns": 8, "reference_lines": 2}


@pytest.mark.parametrize("dac", [{"bits": 6}, {"range": 0.5}, {"bits": 6, "range": 0.5}])
def test_what_shared_reference_lines_cut_is_an_effect_of_its_own(dac):
    """They need a full scale: with DAC bits off the finest DAC keeps it. What they cut was said to be of DAC bits."""
    chip = Chip.parse({"crossbar": BAR, "dac": dac})
    assert effects.SHARED in [each.name for each in effects.present(chip)]
    own = effects.without(chip, [effects.SHARED])
    assert own.crossbar.reference_lines is None and own.dac == chip.dac
    fine = effects.without(chip, ["DAC bits"])
    assert fine.crossbar.reference_lines == 2 and fine.dac.range == chip.dac.range
    assert fine.dac.bits == (effects.FINEST if "bits" in dac else None)
    both = effects.without(chip, ["DAC bits", effects.SHARED])
    assert both.crossbar.reference_lines is None and (both.dac.bits, both.dac.range) == (None, None)


@pytest.mark.parametrize(("lines", "there"), [(None, False), (8, False), (9, False), (7, True)])
def test_reference_lines_for_every_output_are_no_effect(lines, there):
    chip = Chip.parse({"crossbar": BAR | {"reference_lines": lines}, "dac": {"range": 0.5}})
    assert (effects.SHARED in [each.name for each in effects.present(chip)]) == there


def test_what_shared_reference_lines_cut_is_seen_where_they_alone_are_switched_off():
    """A transposed read of eight signals of 1 by w = 0: two lines carry 1 of the sum of 8 each, six are left."""
    chip = Chip.parse({"crossbar": BAR | {"weight_range": 1.0}, "dac": {"range": 1.0}})
    found = []
    for off in ([], ["DAC bits"], [effects.SHARED]):
        bar = hw_models.Crossbar(effects.without(chip, off), (8, 3), seed=0, name="a", dtype="float64")
        bar.program(np.zeros((8, 3)))
        found.append(bar.transposed(np.ones((1, 8))))
    cut, fine, own = found
    np.testing.assert_allclose(own, 0, atol=1e-9)
    np.testing.assert_allclose(cut, cut[0, 0])
    assert abs(cut[0, 0]) > 5
    np.testing.assert_allclose(fine, cut, rtol=1e-5)


def test_an_effect_that_is_none():
    with pytest.raises(ChipError, match=r"^unknown effect 'read nose': .*; did you mean 'read noise'\?$"):
        effects.without(Chip.ideal(), ["read nose"])


def test_one_name_is_no_list_of_names_and_a_name_no_chip():
    """Letters were looked for: unknown effect 'd'."""
    with pytest.raises(ChipError, match=r"^effects are 'drift': give a list of names, \['drift'\]$"):
        effects.without(Chip.ideal(), "drift")
    with pytest.raises(ChipError, match=r"^chip is a str: give a Chip, as hw_models.load returns it$"):
        effects.without("pcm", ["drift"])


def test_the_listing_names_all():
    lines = effects.listing().splitlines()
    assert len(lines) == len(EFFECTS) and lines[0].startswith("relaxation: ")


SMALL = {
    "programming noise": {"device.programming_noise": [0.01]},
    "spread of conductance ranges": {"device.g_max_spread": 0.3},
    "mismatch": {"device.mismatch": 0.002},
    "stuck devices": {"device.stuck_low": 0.002, "device.stuck_high": 0.002},
    "drift": {"device.drift_mean": [0.0, 0.0, 0.0, 1.0], "device.drift_spread": [0.0, 5e-4, 0.0, 1.0],
              "device.age": 1e4},
    "read noise": {"device.read_noise": 0.002},
    "telegraph noise": {"device.rtn_share": 0.2, "device.rtn_amplitude": 0.01},
    "DAC noise": {"dac.noise": 0.002, "dac.range": 4.0},
    "ADC noise": {"adc.noise": 2e-4, "adc.range": 8.0},
    "ADC errors": {"adc.gain_spread": 0.002, "adc.offset_spread": 2e-4, "adc.range": 8.0},
    "temperature": {"temperature": 300.0, "device.read_voltage": 0.2, "timing.integration": 1e-8},
    "wires": {"wires.r_word": 2.0, "wires.r_bit": 2.0},
    "transposed lines": {"transposed.gain_spread": 0.002, "transposed.offset_spread": 2e-4},
}  # fmt: skip
"""Effects of a crossbar, each so small that all add up."""


@pytest.fixture(scope="module")
def read():
    """Return a product, forward and transposed, of a crossbar with some of the small effects."""
    rng = np.random.default_rng(0)
    weight, x = rng.normal(size=(24, 40)) * 0.1, rng.uniform(-1, 1, size=(16, 40))
    s = rng.uniform(-1, 1, size=(16, 24))
    fixed = {"crossbar.weight_range": 0.3, "dac.range": 4.0, "adc.range": 8.0, "crossbar.rows": 20}
    whole = dict(fixed)
    for table in SMALL.values():
        whole |= table
    chip = Chip.parse(nested(whole))
    kept: dict[frozenset[str], np.ndarray] = {}

    def outputs(there: frozenset[str]) -> np.ndarray:
        if there not in kept:
            off = [name for name in SMALL if name not in there]
            bar = hw_models.Crossbar(effects.without(chip, off), weight.shape, seed=3, name="a", dtype="float64")
            bar.program(weight)
            found = [bar.forward(x), bar.forward(x), bar.transposed(s)]
            kept[there] = np.concatenate([part.ravel() for part in found])
        return kept[there]

    return outputs


SHARED = {"read noise", "telegraph noise", "ADC noise"}
"""At an output these are one normal, times the root of their summed variances."""
PAIRS = [
    pair for pair in combinations(SMALL, 2)
    if not set(pair) <= SHARED and set(pair) not in ({"read noise", "wires"}, {"telegraph noise", "wires"})
]  # fmt: skip
"""But those and read noise behind wires, which is drawn in another form, line by line."""


@pytest.mark.parametrize("pair", PAIRS, ids="-".join)
def test_switching_an_effect_off_moves_no_draw_of_another(read, pair):
    """Small effects add up: (both) - (one) - (other) + (none) is of second order, unless draws were others.

    A stuck device shows nothing of other effects: outputs without one are compared.
    """
    one, other = pair
    none = read(frozenset())
    first, second = read(frozenset({one})) - none, read(frozenset({other})) - none
    beyond = read(frozenset(pair)) - none - first - second
    stuck = read(frozenset({"stuck devices"})) - none
    seen = np.abs(stuck) < 1e-6 if "stuck devices" in pair else np.full(none.shape, True)
    assert seen.mean() > 0.3
    least = min(rms(each[seen]) for name, each in zip(pair, (first, second), strict=True) if name != "stuck devices")
    assert least > 1e-6
    assert rms(beyond[seen]) < 0.2 * least


@pytest.mark.parametrize("pair", list(combinations(sorted(SHARED), 2)), ids="-".join)
def test_noise_at_an_output_is_one_draw(read, pair):
    none = read(frozenset())
    first, second = (read(frozenset({name})) - none for name in pair)
    both = read(frozenset(pair)) - none
    assert np.corrcoef(first, second)[0, 1] > 0.8
    assert np.corrcoef(both**2, first**2 + second**2)[0, 1] > 0.99


def rms(values):
    return np.sqrt(np.mean(values**2))
