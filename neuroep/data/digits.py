"""The embedded digits: 1797 handwritten digits of 8 rows of 8 pixels, each row a token.

A copy of the test part of "Optical Recognition of Handwritten Digits" (E. Alpaydin, C. Kaynak, 1998; UCI Machine
Learning Repository, https://doi.org/10.24432/C50P49), licence CC BY 4.0, as scikit-learn's ``load_digits`` ships it,
BSD-3: whole numbers 0 to 16, pixels set in blocks of 4 x 4 of a bitmap of 32 x 32. ``digits.npz`` beside this module
holds them in that order. Here 449 of them, drawn once and for all, are the test split, and 1348 the training split.
"""

from __future__ import annotations

from pathlib import Path

from neuroep.data import array_files
from neuroep.data.arrays import corpus_of
from neuroep.data.selection import hold_out
from neuroep.data.signals import SignalCorpus

NAME = "digits"
SHARE = 0.25
"""Of the test split."""


def build() -> SignalCorpus:
    """Return the digits; a token is a row of pixels [0 to 16]."""
    return hold_out(corpus_of(NAME, {"train": array_files.read([Path(__file__).with_name("digits.npz")])}), SHARE)
