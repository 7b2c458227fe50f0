"""The age at which devices are read is told with every table of a sweep, and not where it is what varies."""

from __future__ import annotations

import neuroep
from analysis import report
from analysis.sweep import ages, results
from hw_models import presets

TOLD = "devices are read 86400 s (1 day) after their last write (chip.device.age): drift, 1/f noise"


def about(*fields, **entries):
    return {"fields": fields, **entries}


def test_a_chip_that_ages_is_told():
    chip = presets.load("pcm").to_dict()
    rows = [{"chip.adc.bits": bits} for bits in (3, 4)]
    assert ages.told(about("chip.adc.bits", chip=chip), rows) == [TOLD]
    assert ages.told(about("chip.device.age", chip=chip), [{"chip.device.age": 1.0}]) == []
    assert ages.told(about("training.seed"), [{"training.seed": 1}]) == []
    assert ages.told(about("chip.adc.bits", chip=presets.load("reram_sb").to_dict()), rows) == []


def test_each_chip_of_several_is_told_by_its_name():
    chips = {name: presets.load(name).to_dict() for name in ("pcm", "reram_sb")}
    assert ages.told(about("chip", chips=chips), [{"chip": "pcm"}]) == [f"chip = pcm: {TOLD}"]


def test_what_a_varied_field_makes_age_is_told():
    chip = presets.load("pcm")
    still = chip.model_copy(update={"device": chip.device.model_copy(update={"read_noise": 0.0})}).to_dict()
    rows = [{"chip.device.read_noise": size} for size in (0.0, 0.01)]
    assert ages.told(about("chip.device.read_noise", chip=still), rows[:1]) == [TOLD.removesuffix(", 1/f noise")]
    assert ages.told(about("chip.device.read_noise", chip=still), rows) == [TOLD]


def test_tables_pages_and_sessions_tell_it(trained, sweep):
    found = sweep(["chip.adc.bits=4,8"], overrides=["--chip", "pcm"], samples=20)
    assert TOLD in found.as_text().splitlines() and TOLD in found.caption().splitlines()
    assert TOLD in results.load(found.out).as_text()
    assert f"As this chip stands, in every evaluation {TOLD}." in report.write(found.out).read_text(encoding="utf-8")
    assert f"evaluated, {TOLD}" in neuroep.Session.open(trained, chip="pcm").caption().splitlines()
    assert f"  {TOLD}" in neuroep.evaluate(trained, chip="pcm").as_text().splitlines()
    several = neuroep.deploy(trained, chip="pcm", seeds=2)
    assert several.as_text().splitlines()[3] == several.caption().splitlines()[1] == TOLD
    assert TOLD not in neuroep.evaluate(trained).as_text()
    assert "evaluated" not in neuroep.Session.open(trained).caption()


def test_a_sweep_tells_units_and_what_a_point_takes(sweep):
    found = sweep(["chip.device.mismatch=0,0.1"], overrides=["--chip", "isaac"], samples=20)
    assert found.to_frame().attrs["units"] == {
        "chip.device.mismatch": "of g", "energy": "J", "latency": "s", "area": "m^2",
    }  # fmt: skip
    page = found._repr_html_()
    assert "chip.device.mismatch [of g]</th>" in page and "energy [J]</th>" in page
    assert [row["energy"] for row in found.summary()] == [row["energy"] for row in found.rows]
