"""Lines of a netlist: names, numbers, comments, continuations."""

from __future__ import annotations

from hypothesis import given, strategies as st

from hw_models.netlist import text


def test_names_are_letters_digits_and_underscores():
    assert text.name("dense_1 Fast", "F") == "dense_1_fast_f"
    assert text.name("a.b/c", 3) == "a_b_c_3"


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_are_exact(value):
    assert float(text.number(value)) == value


def test_a_comment_is_one_line():
    """A name with a line end in it would be a statement of its own."""
    assert text.comment("chip a\n.include /etc/passwd") == "* chip a .include /etc/passwd"
    assert text.comment("") == "*"


@given(st.lists(st.text("abc", min_size=1, max_size=30), min_size=1, max_size=60))
def test_continued_lines_say_the_same(words):
    lines = list(text.wrapped(words))
    assert all(len(line) <= text.WIDTH for line in lines)
    assert all(line.startswith("+ ") for line in lines[1:])
    assert " ".join(line.removeprefix("+ ") for line in lines) == " ".join(words)
