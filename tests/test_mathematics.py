"""Mathematics of the site: words, functions, bars and relations as TeX sets them."""

from __future__ import annotations

import re

import pytest

pytest.importorskip("latex2mathml")

from site_pages import effects
from site_pages.mathematics import FUNCTIONS, beside, block, mathml

FORM = r'<mo [^>]*form="(\w+)"[^>]*>\|</mo>'
LN, SPACE = "<mi>ln</mi>", '<mspace width="0.167em" />'


def inner(latex: str) -> str:
    """Return what stands within the outermost row."""
    return re.sub(r"^<math[^>]*><mrow>|</mrow></math>$", "", mathml(latex))


@pytest.mark.parametrize(
    ("latex", "shown"),
    [
        (r"a \ln v", f"<mi>a</mi>{SPACE}{LN}{SPACE}<mi>v</mi>"),
        (r"\ln(v)", f'{LN}<mo stretchy="false">(</mo><mi>v</mi><mo stretchy="false">)</mo>'),
        (r"2\,\mathrm{rms} W", f"<mn>2</mn>{SPACE}<mi>rms</mi>{SPACE}<mi>W</mi>"),
        (r"\ln", LN),
        (r"x = \max_j y", f"<mi>x</mi><mo>=</mo><msub><mi>max</mi><mi>j</mi></msub>{SPACE}<mi>y</mi>"),
        (r"u \sim U", "<mi>u</mi><mo>\N{TILDE OPERATOR}</mo><mi>U</mi>"),
        (r"g_\mathrm{max}", "<msub><mi>g</mi><mi>max</mi></msub>"),
        (r"V_\mathrm{in}", "<msub><mi>V</mi><mi>in</mi></msub>"),
    ],
)
def test_functions_are_parted_from_letters_alone(latex: str, shown: str) -> None:
    assert inner(latex) == shown


def test_brackets_of_any_size_hold_an_argument() -> None:
    for latex in (r"\ln\left(\frac{a}{b}\right)", r"\mathrm{clip}[a]", r"\exp(a)"):
        assert SPACE not in inner(latex), latex


def test_bars_open_and_close_in_turns() -> None:
    forms = re.findall(FORM, inner(r"\frac{|a|}{2} + |b - |c||"))
    assert forms == ["prefix", "postfix"] * 3


def test_equations_of_effects_have_whole_words_and_pairs_of_bars() -> None:
    for name, said in effects.words().items():
        shown = block(said.equation.strip())
        assert 'display="block"' in shown and not re.search(r'(?:<mi mathvariant="normal">.</mi>){2}', shown), name
        forms = re.findall(FORM, shown)
        assert forms == ["prefix", "postfix"] * (len(forms) // 2), name


def test_functions_of_equations_are_known() -> None:
    """A word that is followed by its argument is parted from what stands ahead."""
    for name, said in effects.words().items():
        for word in re.findall(r"(?<![_^])\\mathrm\{(\w+)\}(?=\(|\\left)", said.equation):
            assert word in FUNCTIONS, (name, word)
        assert not re.search(r"(?:\\ln|\\mathrm\{rint\})\s*\\frac", said.equation), (name, "a fraction without ()")


def test_equations_side_by_side_are_parted_but_for_those_in_brackets() -> None:
    assert beside(r"a = b, \qquad c = \frac{d \qquad e}{f}") == ["a = b,", r"c = \frac{d \qquad e}{f}"]
    assert beside(r"\left(a \qquad b\right)") == [r"\left(a \qquad b\right)"] and beside(" x ") == ["x"]
    assert block(r"a \qquad b").count('display="block"') == 2
