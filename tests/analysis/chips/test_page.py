"""A chip on a page: where it comes from, what it differs in, and what its devices do."""

from __future__ import annotations

import html

from analysis.chips.page import chip_section, chips_section
from hw_models import load
from hw_models.chip import Chip


def test_a_chip_without_source_says_so() -> None:
    assert "names no source" in chip_section(Chip()) and "exact" in chip_section(None)


def test_every_field_that_differs_is_told_with_its_meaning() -> None:
    chip = load("gong_2018_reram")
    text = chip_section(chip)
    for name in chip.differences():
        assert f"<td>{name}</td>" in text
    assert html.escape(chip.citation) in text and "(potentiation)" in text
    assert "(potentiation)" not in chip_section(load("orchard_2021_loihi2"))


def test_chips_each_under_its_name() -> None:
    text = chips_section({"one": Chip(), "two": Chip(name="two")})
    assert text.count("<h3>") == 2 and text.count("<h2>") == 1
