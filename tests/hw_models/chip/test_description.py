"""A chip as data: what can be and what cannot, TOML in and out, what a repr shows."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, strategies as st
from pydantic import ValidationError

import hw_models
from hw_models import presets
from hw_models.chip import ADC, Chip, Converter, Device, Readout, files, pages
from hw_models.chip.description import PERFECT
from hw_models.chip.fields import said_of
from hw_models.errors import ChipError

IMPOSSIBLE = [
    ({"device": {"g_min": 30.0}}, ["device.g_min = 30.0", "below g_max = 25.0 uS"]),
    ({"device": {"g_min": 5.0, "g_max": 5.0}}, ["device.g_min = 5.0"]),
    ({"device": {"g_max": -1.0}}, ["device.g_max = -1.0", "greater than 0"]),
    ({"adc": {"bits": 0}}, ["adc.bits = 0", "greater than or equal to 1"]),
    ({"adc": {"bits": 1}}, ["adc.bits = 1", "needs 2 or more"]),
    ({"adc": {"bits": 8.5}}, ["adc.bits = 8.5"]),
    ({"crossbar": {"rows": 0}}, ["crossbar.rows = 0"]),
    ({"crossbar": {"columns": -3}}, ["crossbar.columns = -3"]),
    ({"adc": {"range": 0.0}}, ["adc.range = 0.0", "greater than 0"]),
    ({"dac": {"range": -1.0}}, ["dac.range = -1.0"]),
    ({"dac": {"range": float("nan")}}, ["dac.range"]),
    ({"crossbar": {"weight_headroom": 1e308}}, ["crossbar.weight_headroom", "less than or equal to 1e+07"]),
    ({"events": {"weight_headroom": 1e308}}, ["events.weight_headroom", "less than or equal to 1e+07"]),
    ({"device": {"resolution": 1e-7}}, ["device.resolution = 1e-07", "single precision", "use 0 for none"]),
    ({"device": {"levels": 100, "resolution": 1.0}}, ["device.levels = 100", "more than the range holds", "hold 26"]),
    ({"device": {"levels": 1}}, ["device.levels = 1"]),
    ({"device": {"resolution": 26.0}}, ["device.resolution = 26.0"]),
    ({"device": {"read_noise": -0.1}}, ["device.read_noise = -0.1", "greater than or equal to 0"]),
    ({"device": {"programming_noise": [-0.1]}}, ["device.programming_noise", "negative at g/g_max = 0.00"]),
    ({"device": {"programming_noise": [0.1, -0.2]}}, ["device.programming_noise", "negative at g/g_max = 1.00"]),
    ({"device": {"stuck_low": 0.6, "stuck_high": 0.6}}, ["device.stuck_high = 0.6"]),
    ({"device": {"drift_mean": [0.0, 0.1, 0.2, 0.1]}}, ["device.drift_mean", "low <= high"]),
    ({"device": {"drift_mean": [0.0, 0.1]}}, ["device.drift_mean"]),
    ({"device": {"pulse": {"dw_min": 3.0}}}, ["device.pulse.dw_min = 3.0"]),
    ({"device": {"pulse": {"w_min": 0.5}}}, ["device.pulse.w_min = 0.5"]),
    ({"device": {"pulse": {"response": "softbounds"}}}, ["device.pulse.response", "did you mean 'soft_bounds'"]),
    ({"device": {"pulse": {"response": "power", "gamma_up": -1.0}}}, ["device.pulse.gamma_up = -1.0"]),
    ({"crossbar": {"slices": 2}}, ["crossbar.slice_bits = None"]),
    ({"crossbar": {"slices": 8, "slice_bits": 8}}, ["crossbar.slices = 8", "23 bits"]),
    ({"crossbar": {"slices": 2, "slice_bits": 4}, "device": {"levels": 4}}, ["crossbar.slice_bits = 4", "has 4"]),
    ({"crossbar": {"slices": 2, "slice_bits": 2}, "update": {"scheme": "pulsed"}}, ["update.scheme = 'pulsed'"]),
    ({"neuron": {"time_constant": 0.5}}, ["neuron.time_constant = 0.5"]),
    ({"update": {"train_length": 64, "scheme": "pulsed"}}, ["update.train_length = 64"]),
    ({"neuron": {"time_constant": 1e7}}, ["neuron.time_constant = 10000000.0"]),
    ({"events": {"threshold": 1e30}, "substrate": "event_driven"}, ["events.threshold = 1e+30"]),
    ({"device": {"g_max": 1e39}}, ["device.g_max = 1e+39"]),
    ({"crossbar": {"weight_range": 1e-320}}, ["crossbar.weight_range"]),
    ({"device": {"pulse": {"dw_min": 1e-9}}}, ["device.pulse.dw_min = 1e-09"]),
    ({"calibration_samples": 0}, ["calibration_samples = 0"]),
    ({"substrate": "event_driven", "adc": {"bits": 8}}, ["adc", "event-driven array has none"]),
    ({"substrate": "event_driven", "timing": {"tau": 1e-7}}, ["timing.tau = 1e-07: it acts only on crossbars"]),
    ({"substrate": "event_driven", "update": {"scheme": "pulsed"}}, ["update.scheme = 'pulsed'"]),
    ({"substrate": "event_driven", "attention": {"kind": "analog"}}, ["attention.kind = 'analog'"]),
    ({"substrate": "neuron"}, ["substrate = 'neuron'"]),
    ({"events": {"weight_bits": 4}}, ["events", "event_driven"]),
]
IN_VAIN = [
    {"adc": {"bits": 8, "range": 1.0, "margin": 2.0}},
    {"adc": {"bits": 8, "range": 1.0, "sign": "auto"}},
    {"device": {"read_noise": 0.1, "read_time": 1.0}},
    {"device": {"drift_mean_above": [0.5, 0.1]}},
    {"attention": {"pattern_range": 2.0}},
    {"device": {"pulse": {"gamma_up": 0.1}}},
    {"device": {"pulse": {"a_up": 0.1}}},
    {"device": {"pulse": {"gamma_up_spread": 0.1}}},
    {"crossbar": {"weight_range": 1.0, "weight_headroom": 2.0}},
    {"crossbar": {"weight_range": 1.0, "weight_clip": 2.0}},
    {"update": {"trains": "stochastic"}},
    {"update": {"granule": 0.1}},
    {"update": {"scheme": "pulsed", "reprogram_every": 2}},
    {"readout": {"signal": "difference", "bits": 8, "range": 1.0}},
    {"adc": {"stochastic": True}},
    {"adc": {"range": 1.0, "stochastic": True}},
    {"dac": {"sign": "auto"}},
    {"attention": {"state": {"percentile": 99.0}}},
    {"attention": {"state": {"bits": 8, "sign": "auto"}}},
    {"readout": {"signal": "difference"}},
    {"readout": {"margin": 2.0}},
    {"device": {"pulse": {"noise": 0.3}}},
    {"device": {"pulse": {"w_max": 0.5}}},
    {"device": {"pulse": {"response": "linear"}}, "update": {"scheme": "pulsed"}},
    {"device": {"pulse": {"response": "exponential", "a_up": 0.1, "gamma_down": 1.0}}, "update": {"scheme": "pulsed"}},
    {"device": {"drift_mean": [0.0, 0.1, 0.1, 0.1]}},
    {"device": {"age": 3600.0}},
    {"device": {"drift_start": 1.0}},
    {"device": {"drift_compensation": True}},
    {"device": {"read_noise_law": "sqrt"}},
    {"device": {"g_min_spread": 0.1}},
    {"crossbar": {"exact_noise": True}},
    {"crossbar": {"slice_bits": 2}},
    {"wires": {"refresh_every": 3}},
    {"neuron": {"state_range": 2.0}},
    {"substrate": "event_driven", "update": {"reprogram_every": 2}},
]


@pytest.mark.parametrize(("values", "parts"), IMPOSSIBLE)
def test_what_cannot_be_is_one_line(values, parts):
    with pytest.raises(ChipError) as caught:
        Chip.parse(values)
    line = str(caught.value)
    assert "\n" not in line
    for part in parts:
        assert part in line


@pytest.mark.parametrize("values", IN_VAIN)
def test_a_field_that_could_not_act_is_refused(values):
    with pytest.raises(ChipError):
        Chip.parse(values)


@pytest.mark.parametrize("name", presets.names())
def test_presets_set_nothing_in_vain(name):
    assert presets.load(name).kept is None


TIMELESS = {"device": {"age": 0.0}, "timing": {"integration": 0.0, "digital": 0.0, "row": 0.0}}
"""The preset pcm without an age ahead and without a clock, so that no device is read later than it is written."""
SILENCING = [
    ("pcm", TIMELESS, {"device.drift_mean", "device.drift_spread", "device.drift_compensation"}),
    ("ecram", {"update": {"scheme": "digital"}}, {"device.pulse.response", "device.pulse.dw_min"}),
    ("hermes", {"device": {"read_noise": 0.0}}, {"device.read_noise_law", "device.read_noise_log"}),
    ("hermes", {"device": {"read_noise_law": "additive"}}, {"device.read_noise_log", "device.read_time"}),
    ("rram", {"dac": {"bits": None}}, {"dac.sign"}),
    ("isaac", {"crossbar": {"slices": 1}}, {"crossbar.slice_bits"}),
    ("pcm", {"substrate": "event_driven"}, {"adc.bits", "device.age", "crossbar.rows"}),
]


@pytest.mark.parametrize(("name", "table", "expected"), SILENCING)
def test_companions_of_what_is_switched_off_are_kept(name, table, expected):
    """They keep their values, are listed, survive a file, and act again where that is switched on again."""
    base = files.load(name).to_dict()
    chip = Chip.parse(files.laid_over(base, table))
    assert expected <= set(chip.kept or ())
    assert not set(chip.kept or ()) & chip.differences().keys()
    assert Chip.parse(tomllib.loads(chip.to_toml())) == chip
    again = {p: {f: base[p].get(f) for f in v} if isinstance(v, dict) else base[p] for p, v in table.items()}
    assert Chip.parse(files.laid_over(chip.to_dict(), again)) == files.load(name)


def test_what_a_layer_sets_in_vain_itself_is_refused():
    """Also where another layer keeps companions, and however many layers follow."""
    first = files.laid_over(files.load("pcm").to_dict(), {"device": {"age": 0.0}, "wires": {"refresh_every": 2}})
    with pytest.raises(ChipError, match=r"chip: wires.refresh_every = 2: it acts only with r_word or r_bit above 0"):
        Chip.parse(first)
    second = files.laid_over(first, {"adc": {"noise": 0.1}})
    with pytest.raises(ChipError, match="refresh_every"):
        Chip.parse(second)
    assert Chip.parse(files.laid_over(second, {"wires": {"r_bit": 1.0}})).wires.refresh_every == 2


def test_a_companion_that_is_given_again_is_given_in_vain():
    chip = files.laid_over(files.load("pcm").to_dict(), TIMELESS)
    with pytest.raises(ChipError, match="drift_compensation = True: it acts only with"):
        Chip.parse(files.laid_over(chip, {"device": {"drift_compensation": True}}))


def test_drift_needs_an_age_or_a_clock():
    """On a chip with a clock devices drift while they learn, whatever age is looked ahead to."""
    drift = {"drift_mean": [0.0, 0.05, 0.05, 0.05], "drift_start": 2.0, "drift_compensation": True}
    with pytest.raises(ChipError, match=r"drift_mean.*acts only with device.age above 0, or where time passes"):
        Chip.parse({"device": drift})
    for more in ({"device": drift | {"age": 1.0}}, {"device": drift, "timing": {"hold": 1e-3}}):
        assert Chip.parse(more).kept is None
    assert Chip.parse(files.laid_over(files.load("pcm").to_dict(), {"device": {"age": 0.0}})).kept is None


def test_a_page_says_what_is_kept():
    text = pages.page(Chip.parse(files.laid_over(files.load("pcm").to_dict(), TIMELESS)))
    assert "kept, without effect here: device.drift_compensation" in text
    assert "  device.drift_mean " not in text


@pytest.mark.parametrize("name", ["pcm", "hermes", "rram", "ecram", "isaac"])
@pytest.mark.parametrize("off", ["adc.bits", "dac.bits", "device.read_noise", "device.age", "readout.bits"])
def test_an_effect_of_a_preset_can_be_switched_off_alone(name, off):
    table, _, field = off.partition(".")
    value = None if field == "bits" else 0.0
    chip = Chip.parse(files.laid_over(files.load(name).to_dict(), {table: {field: value}}))
    assert getattr(getattr(chip, table), field) == value


@pytest.mark.parametrize(
    ("values", "near"),
    [
        ({"adc": {"bitz": 3}}, "did you mean 'adc.bits'"),
        ({"adcs": {"bits": 3}}, "did you mean 'adc'"),
        ({"device": {"puls": {}}}, "did you mean 'device.pulse'"),
        ({"device": {"pulse": {"dwmin": 0.1}}}, "did you mean 'device.pulse.dw_min'"),
    ],
)
def test_unknown_keys_are_refused_with_the_nearest_name(values, near):
    with pytest.raises(ChipError, match="unknown key") as caught:
        Chip.parse(values)
    assert near in str(caught.value)


def test_a_part_built_in_python_is_checked_too():
    with pytest.raises(ChipError, match=r"^Device: g_min = 30.0: it should be below g_max"):
        Device(g_min=30.0)


@pytest.mark.parametrize(
    ("make", "line"),
    [
        (lambda: Chip(adcc=Converter()), r"^Chip: unknown key 'adcc'.*did you mean 'adc'\?$"),
        (lambda: Chip(adc={"bitts": 8}), r"^Chip: unknown key 'adc.bitts' = 8: .*did you mean 'adc.bits'\?$"),
        (lambda: Chip(adc={"stochastic": True}), r"^Chip: adc.stochastic = True: it acts only with bits$"),
        (lambda: Readout(hold_gain=0.1), r"^Readout: hold_gain = 0.1: it acts only with"),
        (lambda: Converter(bits="8"), r"^Converter: bits = '8': should be a whole number$"),
        (lambda: hw_models.load(None), r"^chip is a NoneType: give the name of one"),
        (lambda: hw_models.load(3), r"^chip is a int: give the name of one"),
    ],
)
def test_a_fault_in_python_is_one_line_too(make, line):
    """Before, several lines of pydantic, or an error of Python's own."""
    with pytest.raises(ChipError, match=line) as caught:
        make()
    assert "\n" not in str(caught.value) and "pydantic" not in str(caught.value)

def test_the_ideal_chip_differs_in_nothing_and_is_frozen():
    chip = Chip.ideal()
    assert chip.is_ideal
    assert repr(chip) == str(chip) == "Chip('ideal')"
    assert not chip.redraws
    with pytest.raises(ValidationError):
        chip.name = "other"  # type: ignore[misc]


def test_repr_shows_what_differs():
    chip = Chip(name="mine", adc=ADC(bits=8), device=Device(read_noise=0.5), caveat="an example")
    assert repr(chip) == "Chip('mine', device.read_noise=0.5, adc.bits=8)"


@pytest.mark.parametrize(
    ("values", "redraws"),
    [
        ({"device": {"read_noise": 0.1}}, True),
        ({"adc": {"bits": 8, "stochastic": True}}, True),
        ({"dac": {"noise": 0.1}}, True),
        ({"neuron": {"state_noise": 0.1}}, True),
        ({"adc": {"bits": 8}, "device": {"programming_noise": [1.0], "mismatch": 0.1}}, False),
    ],
)
def test_a_chip_knows_whether_another_read_may_differ(values, redraws):
    assert Chip.parse(values).redraws is redraws


def test_every_field_says_what_it_means_and_those_that_act_say_when_and_in_what_unit():
    for name, field in Chip.settings().items():
        assert field.description, name
        if name not in PERFECT:
            assert {"unit", "when"} <= field.json_schema_extra.keys(), name


@given(bits=st.integers(2, 12), noise=st.floats(0, 1), levels=st.none() | st.integers(2, 64))
def test_toml_goes_out_and_in(bits, noise, levels):
    chip = Chip(name="x", adc=ADC(bits=bits), device=Device(read_noise=noise, levels=levels))
    assert Chip.parse(tomllib.loads(chip.to_toml())) == chip


def test_a_file_is_written_whole_and_read_back(tmp_path):
    chip = Chip(name="mine", readout=Readout(bits=10, signal="difference"))
    files.save(chip, tmp_path / "mine.toml")
    assert hw_models.load(tmp_path / "mine.toml") == chip
    assert [path.name for path in tmp_path.iterdir()] == ["mine.toml"]


def test_a_file_starts_from_a_preset_and_another_file(tmp_path):
    (tmp_path / "a.toml").write_text('preset = "ideal"\n[adc]\nbits = 6\n')
    (tmp_path / "b.toml").write_text('preset = "./a.toml"\n[adc]\nnoise = 0.1\n')
    chip = files.load(tmp_path / "b.toml")
    assert (chip.adc.bits, chip.adc.noise) == (6, 0.1)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("adc = 3", ["adc = 3: should be a table"]),
        ("[adc", ["not valid TOML"]),
        ('preset = "./bad.toml"', ["cannot start from itself"]),
        ('preset = "nonexistent"', ["unknown chip 'nonexistent'"]),
    ],
)
def test_a_bad_file_is_named(tmp_path, text, parts):
    path = tmp_path / "bad.toml"
    path.write_text(text)
    with pytest.raises(ChipError) as caught:
        files.load(path)
    for part in parts:
        assert part in str(caught.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ChipError, match="cannot read chip"):
        files.load(tmp_path / "none.toml")
    with pytest.raises(ChipError, match="cannot write chip"):
        files.save(Chip.ideal(), tmp_path / "no" / "chip.toml")


def test_what_is_saved_is_read_under_the_same_name(tmp_path, monkeypatch):
    """x.txt was written, and was then no chip."""
    monkeypatch.chdir(tmp_path)
    for name in ("x.txt", "pcm", ""):
        with pytest.raises(ChipError, match=r"^path is '.*': hw_models.load would take it for the name of a chip; "):
            files.save(Chip.ideal(), name)
    assert not [*tmp_path.iterdir()]
    for path in ("x.toml", "./x.txt", Path("y.txt")):
        files.save(Chip.ideal(), path)
        assert files.load(path) == Chip.ideal().model_copy(update={"name": files.load(path).name})


def test_pages_show_every_field_and_what_differs():
    text = pages.fields()
    assert "\\n" not in pages.page(hw_models.load("pcm")) and len(text.splitlines()) == len(Chip.settings())
    for name in Chip.settings():
        assert f"  {name} " in text
    page = pages.page(Chip(name="mine", citation="A paper", adc=ADC(bits=8)))
    assert "A paper" in page
    assert "adc.bits" in page
    assert "8 bit" in page
    assert "exact in every respect" in pages.page(Chip.ideal())


def test_fields_in_a_terminal_are_plain_text_of_its_width():
    """Before, lines had up to 462 letters, and roles of Sphinx in them."""
    text = pages.fields(80)
    assert max(map(len, text.splitlines())) <= 80
    assert "`" not in text + pages.fields()
    assert " ".join(text.split()) == " ".join(pages.fields().split())
    page = pages.page(hw_models.load("pcm"), 80)
    assert max(map(len, page.splitlines())) <= 80
    assert " ".join(page.split()) == " ".join(pages.page(hw_models.load("pcm")).split())


@pytest.mark.parametrize(
    ("law", "unit"),
    [("additive", "uS"), ("proportional", "of g"), ("sqrt", "of sqrt(g g_max)"), ("pcm", "relative (1/f")],
)
def test_read_noise_has_the_unit_of_its_law(law, unit):
    """Before, 3 % of a conductance read 0.03 uS."""
    page = pages.page(Chip.parse({"device": {"read_noise": 0.03, "read_noise_law": law}}))
    row = next(line for line in page.splitlines() if line.startswith("  device.read_noise "))
    assert f" 0.03 {unit}" in row
    assert "additive, else" not in page


def test_a_line_end_in_a_name_makes_no_line(tmp_path):
    """Before, a name with a line end could add a line to the page that no field is."""
    chip = Chip(name="mine\n  adc.bits  4", citation="a\nb")
    lines = pages.page(chip).split("\n")
    assert lines[:2] == ["mine\\n  adc.bits  4", "  citation: a\\nb"] and len(lines) == 4


@pytest.mark.parametrize(("field", "value", "told"), [
    ("cost.adc_energy", {"8": -1.6}, "cost.adc_energy.8 = -1.6: should be a number of pJ from 0"),
    ("cost.adc_energy", {"eight": 1.6}, "cost.adc_energy.eight = 1.6: should be by bits, whole numbers from 1 to 24"),
    ("cost.dac_energy", {"25": 1.6}, "cost.dac_energy.25 = 1.6: should be by bits"),
    ("cost.dac_energy", {}, "cost.dac_energy = {}: should be a number of pJ from 0, or such by bits"),
    ("cost.dac_energy", -1.0, "cost.dac_energy = -1.0: should be a number of pJ from 0, or such by bits"),
    ("timing.tau", {"x": -1.0}, "timing.tau.x = -1.0: should be seconds above 0"),
    ("timing.tau", {}, "timing.tau = {}: should be seconds above 0, or such by the names of layers"),
    ("timing.tau", "soon", "timing.tau = 'soon': should be seconds above 0"),
])  # fmt: skip
def test_a_number_or_a_table_of_numbers_is_refused_entry_by_entry(field, value, told):
    table, leaf = field.split(".")
    with pytest.raises(ChipError, match=re.escape(f"chip: {told}")):
        Chip.parse({table: {leaf: value}})


@pytest.mark.parametrize("name", [name for name, field in Chip.settings().items() if "int" in str(field.annotation)])
def test_no_count_is_without_a_limit(name):
    """A loop of 1e12 reads is a program that hangs."""
    *tables, leaf = name.split(".")
    value: object = 10**12
    for each in reversed([*tables, leaf]):
        value = {each: value}
    with pytest.raises(ChipError, match=rf"{name} = 1000000000000: (should be less than or equal to \d+|more than)"):
        Chip.parse(value)


def test_durations_and_temperatures_have_an_end():
    for tables, told in (
        ({"timing": {"row": 1e30}}, "timing.row = 1e+30: should be less than or equal to 1000000"),
        ({"temperature": 1e6}, "temperature = 1000000.0: should be less than or equal to 2000"),
        ({"crossbar": {"repeats": 5000}, "device": {"read_noise": 0.1}}, "crossbar.repeats = 5000: should be less"),
    ):
        with pytest.raises(ChipError, match=re.escape(told)):
            Chip.parse(tables)


def test_every_field_says_its_unit_set_or_not():
    lines = dict(zip(Chip.settings(), pages.fields().split("\n"), strict=True))
    for name, value in Chip.fields_of(Chip()):
        unit, told = said_of(Chip.settings()[name]).get("unit", "1"), list(value) if isinstance(value, tuple) else value
        said = lines[name].strip().removeprefix(name).strip()
        assert unit == "1" or said.startswith(f"unset [{unit}]" if value is None else f"{told} {unit}"), name
    assert "unset [pJ]" in lines["cost.adc_energy"] and "unset [s]" in lines["timing.tau"]


def test_a_folder_is_no_chip(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("w", "pcm"):
        (tmp_path / name).mkdir()
    with pytest.raises(ChipError, match=r"^chip 'w' is a folder: give the name of a chip"):
        files.load("w")
    assert files.load("pcm").name == "joshi_2020_pcm", "a name stands before a folder"


@pytest.mark.parametrize(("update", "idle", "acts"), [("digital", "pulse", "row"), ("pulsed", "row", "pulse")])
def test_a_file_may_state_durations_of_the_other_scheme(tmp_path, update, idle, acts):
    """They are facts of a chip: kept, and there again with the scheme that they belong to."""
    path = tmp_path / "lab.toml"
    path.write_text(f'update.scheme = "{update}"\ntiming = {{ pulse = 1e-7, row = 1e-5 }}\n')
    chip = files.load(path)
    assert chip.kept == (f"timing.{idle}",) and getattr(chip.timing, acts) > 0
    path.write_text(path.read_text() + "events = { threshold = 0.1 }\n")
    with pytest.raises(ChipError, match=r"events.threshold = 0.1: it acts only"):
        files.load(path)
    with pytest.raises(ChipError, match=rf"timing.{idle} = 1e-05: it acts only"):
        Chip.parse({"update": {"scheme": update}, "timing": {idle: 1e-5}})


def test_numbers_of_numpy_are_numbers():
    """np.int64(6) was refused: should be a whole number."""
    tables = {"adc": {"bits": np.int64(6)}, "device": {"mismatch": np.float32(0.5), "levels": np.uint8(30)}}
    chip = Chip.parse(tables)
    assert (chip.adc.bits, chip.device.mismatch, chip.device.levels) == (6, 0.5, 30)
    assert [type(one) for one in (chip.adc.bits, chip.device.mismatch)] == [int, float]
    assert ADC(bits=np.int64(6)) == ADC(bits=6)
    for wrong in (np.float64(6.5), np.bool_(True), np.str_("6")):
        with pytest.raises(ChipError, match=rf"adc.bits = {wrong.item()!r}: should be a whole number"):
            Chip.parse({"adc": {"bits": wrong}})


def test_endings_of_files_may_be_in_capitals(tmp_path, monkeypatch):
    """``MINE.TOML`` was taken for the name of a preset."""
    monkeypatch.chdir(tmp_path)
    files.save(Chip.parse({"name": "mine", "adc": {"bits": 6}}), "MINE.TOML")
    assert files.load("MINE.TOML").adc.bits == 6
    with pytest.raises(ChipError, match=r"did you mean 'MINE\.TOML'\?$"):
        files.load("./MIME.toml")
