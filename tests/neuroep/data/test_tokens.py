"""The tokeniser and the numbering of tokens."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given, strategies as st

from neuroep.data import Ragged, tokenise
from neuroep.data.tokens import compact, encode


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("It isn't BAD.", ["it", "isn't", "bad", "."]),
        ("one<br /><br />two", ["one", "two"]),
        ("one<BR />two", ["one", "two"]),
        ("the actors' 1990's (film)", ["the", "actors", "'", "1990's", "(", "film", ")"]),
        ("caf\u00e9 \u2013 10/10!!", ["caf", "\u00e9", "\u2013", "10", "/", "10", "!", "!"]),
        (" \t\n", []),
    ],
)
def test_tokens_of_a_text(text: str, expected: list[str]) -> None:
    """Words keep their contraction, marks stand alone, line-break marks and white space vanish."""
    assert tokenise(text) == expected


@given(st.text(max_size=80))
def test_tokens_hold_no_white_space_and_lose_nothing_else(text: str) -> None:
    """Joined tokens are the lower-case text without white space and line-break marks."""
    tokens = tokenise(text)
    assert all(token and not re.search(r"\s", token) for token in tokens)
    assert "".join(tokens) == re.sub(r"\s", "", text.lower().replace("<br />", " "))


@given(st.lists(st.sampled_from(["good", "bad", "film", "unheard"]), max_size=9))
def test_encoding_drops_unknown_words_only(words: list[str]) -> None:
    """Known words keep their order; unknown ones leave no trace."""
    rows = {"good": 7, "bad": 3, "film": 0}
    ragged = encode([" ".join(words), ""], rows)
    assert ragged[0].tolist() == [rows[word] for word in words if word in rows]
    assert ragged.lengths[1] == 0
    assert (ragged.ids.dtype, ragged.offsets.dtype) == (np.int32, np.int64)


def test_compact_keeps_the_words_which_occur() -> None:
    """Old ids are kept in ascending order; sequences point at them as before."""
    sequences = [Ragged.from_sequences([[7, 2], []]), Ragged.from_sequences([[9, 7]])]
    kept, renumbered = compact(sequences, 12)
    assert kept.tolist() == [2, 7, 9]
    for before, after in zip(sequences, renumbered, strict=True):
        assert kept[after.ids].tolist() == before.ids.tolist()
        assert after.ids.dtype == np.int32
        assert np.array_equal(before.offsets, after.offsets)
