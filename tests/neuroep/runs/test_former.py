"""Configurations of run directories with names that settings had before."""

from __future__ import annotations

import tomllib

import pytest
import tomli_w

from hw_models import presets
from neuroep.runs import config, directory
from neuroep.runs.former import moved

OLD = {
    "joshi_2020_pcm": {"coding": "amplitude", "read_voltage": 0.2},
    "isaac_2016": {"coding": "serial"},
    "legallo_2023_hermes": {"coding": "amplitude"},
    "wan_2022_reram": {"coding": "amplitude"},  # the component said that they are pulses
}


@pytest.mark.parametrize("name", OLD)
def test_a_run_of_former_names_is_that_of_the_present_ones(name, tmp_path):
    """Read from its directory it prices as the preset does, and hashes as it did: both act on a bill alone."""
    made = config.parse({"chip": {"preset": name}})
    former = made.to_dict()
    encoding = former["chip"]["dac"].pop("encoding")
    former["chip"]["dac"].pop("digit_sign")
    former["chip"]["device"].pop("read_voltage", None)
    former["chip"]["cost"] |= OLD[name]
    (tmp_path / "config.toml").write_text(tomli_w.dumps(former))
    (tmp_path / "checkpoint.safetensors").touch()
    (tmp_path / "metrics.jsonl").touch()
    found = config.load(tmp_path / "config.toml")
    assert found.chip.device.read_voltage == presets.load(name).device.read_voltage
    assert found.chip.dac.encoding == ("amplitude" if "hermes" in name else encoding)
    assert found.chip.cost == made.chip.cost
    bare = {**former, "chip": {**former["chip"], "cost": made.to_dict()["chip"]["cost"]}}
    assert directory.config_hash(found) == directory.config_hash(config.parse(bare))


def test_what_has_no_former_names_stays():
    for values in ({}, {"chip": "pcm"}, {"chip": {"preset": "pcm", "cost": {"read_voltage": 0.1}}}):
        assert moved(values) == values
    assert tomllib.loads(tomli_w.dumps(moved({"chip": {"cost": {"coding": "width"}}}))) == {
        "chip": {"cost": {}, "dac": {"encoding": "pulse_width"}}
    }
