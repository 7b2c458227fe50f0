"""Text from outside: harmless on a terminal, of bounded length, on one line."""

from __future__ import annotations

import pickle

import pytest

from hw_models.errors import ChipError, nearest, unknown
from hw_models.text import LONGEST, by_options, kept, lined, name_parts, one_line, plain, short, shown, unmarked
from neuroep.errors import ConfigError, DivergenceError


@pytest.mark.parametrize(
    ("text", "harmless"),
    [
        ("\x1b[2J\x1b]0;title\x07", "\\x1b[2J\\x1b]0;title\\x07"),
        ("a\x9b31m", "a\\x9b31m"),
        ("right\u202eto left", "right\\u202eto left"),
        ("byte \udcff", "byte \\udcff"),
        ("a\rb\x08c\x7f", "a\\rb\\x08c\\x7f"),
        ("Grüße, 日本\u3000語, \U0001f600", "Grüße, 日本\u3000語, \U0001f600"),
        ("a\nb\tc", "a\\nb\\tc"),
    ],
)
def test_control_characters_are_escaped(text, harmless):
    assert plain(text) == harmless
    harmless.encode("utf-8")


def test_line_ends_of_a_table_may_stay_but_not_those_of_a_name():
    assert plain("a\n\x1bb", keep="\n") == "a\n\\x1bb"
    assert lined(["head", "na\nme"]) == "head\nna\\nme"


def test_short_keeps_both_ends():
    assert short("a" * LONGEST) == "a" * LONGEST
    cut = short("start" + "x" * 500 + "end")
    assert len(cut) == LONGEST and cut.startswith("start") and cut.endswith("end")


class Odd:
    def __repr__(self):
        raise RecursionError


def test_any_value_is_shown():
    """Python refuses to write out a number of more than 4,300 digits."""
    assert shown(10**5000) == "a number of 5001 digits"
    assert shown(Odd()) == "a Odd"
    assert shown("a") == "'a'" and shown(1.5) == "1.5"
    assert len(shown(list(range(1000)))) == LONGEST


@pytest.mark.parametrize(
    "value",
    ["9" * 5000, "'" + "a b " * 2000 + "'", '"' + "it's " * 2000 + '"', "[1" + ", 1" * 3000 + "]", "{'a': 1" * 1000],
    ids=["number", "text", "text with apostrophes", "list", "table"],
)
def test_a_long_value_is_cut_wherever_the_line_was_written(value):
    """Before, the value was echoed at full length."""
    for error in (ConfigError, ChipError):
        line = str(error(f"batch = {value}: should be a whole number"))
        assert line.startswith("batch = ")
        assert len(line) < 1600
        if not value.startswith("{"):
            assert line.endswith(": should be a whole number") and len(line) < 150


def test_words_with_apostrophes_and_paths_stay():
    path = "/home/someone/" + "deep/" * 30 + "file.toml"
    line = f"the chip's file '{path}' and the run's '{path}': its engine's kind is 'local' " + "and more " * 20
    assert one_line(line) == line.strip()
    assert "..." in one_line(f"'/{'x' * 5000}'")


def test_an_error_is_one_line_without_control_characters():
    assert str(ConfigError("a\n  b\r\nc\x1b[0m")) == "a b c\\x1b[0m"
    assert str(ChipError(unknown("chip", "\x1b[31mpcn", ["pcm"]))).startswith("unknown chip '\\x1b[31mpcn'")


def test_names_that_are_no_text_have_a_nearest_one_too():
    assert nearest(10**5000, ["a"]) == ""
    assert "a number of 5001 digits" in unknown("order", 10**5000, ["a"])


def test_a_divergence_reaches_another_process_whole():
    error = DivergenceError("hidden_1", 7)
    error.args = (f"{error}; in epoch 3",)
    copy = pickle.loads(pickle.dumps(error))
    assert (copy.where, copy.step, str(copy)) == ("hidden_1", 7, str(error))


@pytest.mark.parametrize(
    ("docstring", "words"),
    [
        ("Kept, see :mod:`hw_models.chip.layers`.", "Kept."),
        ("A clock (:mod:`hw_models.chip.timing`), reads", "A clock, reads"),
        ("a trap; see :mod:`a.b`.", "a trap."),
        ("Pairs (``device.cell``)\n    of :class:`~a.B`.", "Pairs (device.cell) of a.B."),
        (None, ""),
    ],
)
def test_a_docstring_in_a_terminal_has_no_markup(docstring, words):
    assert unmarked(docstring) == words


def test_lines_may_end_behind_the_parts_of_long_names():
    assert name_parts("legallo_2023_hermes", 16) == ["legallo_", "2023_", "hermes"]
    parts = ["see examples/", "configs/", "reviews.", "toml, chip.adc.bits"]
    assert name_parts("see examples/configs/reviews.toml, chip.adc.bits") == parts
    for whole in ("dense_1 0.87", "legallo_2023_hermes", "2026-11-27T09:03:43+00:00", f"0.{30 * '1'}", ""):
        assert name_parts(whole) == [whole]


def test_options_are_told_from_what_stands_around_them():
    text = "neuroep train a-b.toml --data.path=X -k 1e-3 a--b"
    shown = by_options(text, str.upper)
    assert shown == f"NEUROEP TRAIN A-B.TOML {kept('--data.path')}=X {kept('-k')} 1E-3 A--B"
    assert by_options("x") == "x" and kept("y") == '<span class="keep">y</span>'
