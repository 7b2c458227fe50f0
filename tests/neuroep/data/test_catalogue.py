"""Data sets by name: which settings act on which, and what the embedded ones are without any."""

from __future__ import annotations

from dataclasses import fields

import pytest

from neuroep import data
from neuroep.data.catalogue import CATALOGUE, CHOICE, EMBEDDED, NUMBERS, OPTIONAL, Origin
from neuroep.errors import DataError

VALUES = {"path": "x", "vectors": "v", "text": "t", "label": "l", "cache": "c", "test": 0.5, "standardise": "whole",
          "window": 2, "stride": 1, "position": "added", "position_dim": 2}  # fmt: skip


def test_every_setting_is_one_of_an_origin():
    assert tuple(field.name for field in fields(Origin)) == OPTIONAL
    assert {name for entry in CATALOGUE.values() for name in entry.takes} == {*OPTIONAL, *CHOICE}
    assert all(set(entry.needs) <= set(entry.takes) for entry in CATALOGUE.values())


@pytest.mark.parametrize("name", CATALOGUE)
@pytest.mark.parametrize("setting", OPTIONAL)
def test_a_setting_that_does_not_act_is_refused(name, setting):
    line = CATALOGUE[name].faults(Origin(**{setting: VALUES[setting]}))
    if setting not in CATALOGUE[name].takes:
        assert f"{setting} = " in line
        assert f"data '{name}'" in line
        with pytest.raises(DataError, match=f"{setting} = .*data '{name}' .* takes none"):
            data.load(name, tokens=3, **{setting: VALUES[setting]})
    else:
        assert "takes none" not in line


def test_the_settings_of_numbers_act_beside_each_other():
    settings = {name: VALUES[name] for name in NUMBERS} | {"position": "appended"}
    assert CATALOGUE["digits"].faults(Origin(**settings)) == ""


def test_what_is_needed_is_named():
    assert CATALOGUE["arrays"].missing(Origin()) == "path is not set: data 'arrays' needs a folder or file of arrays"
    assert CATALOGUE["digits"].missing(Origin()) == ""


@pytest.mark.parametrize("name", EMBEDDED)
def test_embedded_sets_need_nothing(name):
    corpus = data.load(name, tokens=4, limit=10)
    assert (corpus.name, len(corpus.split("train"))) == (name, 10)
    batch = next(corpus.batches("train", 10))
    assert set(batch.inputs) == set(corpus.sequences) == set(CATALOGUE[name].sequences)
    assert all(item.vectors.shape[2] == corpus.dim for item in batch.inputs.values())
