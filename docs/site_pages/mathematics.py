# Tested by tests/test_mathematics.py.
"""Mathematics of the site as MathML: that of latex2mathml, with the spaces of TeX.

What it gives lacks some of what a reader of TeX expects, and a screen reader too:

    words        a word in ``\\mathrm`` is one identifier, not one for each of its letters
    functions    a thin space parts ln, max or clip from a letter or a fraction beside it, none from an argument in ()
    bars         of |x| the first opens and the second closes, so that no space lies between bar and x
    \\sim         is a relation, with spaces on both sides

Equations beside each other, parted by ``\\qquad``, are each one of its own, so that a narrow screen shows them below
each other.
"""

from __future__ import annotations

import re
from itertools import cycle
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from latex2mathml.converter import convert

NAMESPACE = "http://www.w3.org/1998/Math/MathML"
FUNCTIONS = ("ln", "log", "exp", "sinh", "max", "min", "clip", "rint", "rms", "std", "sign", "softmax", "mean", "round")
ROWS = ("math", "mrow", "msqrt", "mtd")
"""Elements whose children stand one behind the other."""
OPENING = "([{|"
TOKEN = re.compile(r"\\[a-zA-Z]+|\\.|[{}]")


def mathml(latex: str, display: str = "inline") -> str:
    """Return LaTeX as MathML."""
    ElementTree.register_namespace("", NAMESPACE)
    found = ElementTree.fromstring(convert(latex, display=display))
    _joined(found)
    _barred(found)
    _parted(found)
    return ElementTree.tostring(found, encoding="unicode")


def block(latex: str) -> str:
    """Return LaTeX that stands by itself as MathML, its equations side by side."""
    return "".join(mathml(part, "block") for part in beside(latex))


def beside(latex: str) -> list[str]:
    """Return the equations that LaTeX has side by side, those within braces or brackets of any size in one."""
    depth, parts, last = 0, [], 0
    for token in TOKEN.finditer(latex):
        depth += {"{": 1, "}": -1, r"\left": 1, r"\right": -1, r"\begin": 1, r"\end": -1}.get(token[0], 0)
        if token[0] == r"\qquad" and depth == 0:
            parts.append(latex[last : token.start()])
            last = token.end()
    return [part.strip() for part in (*parts, latex[last:]) if part.strip()]


def _kind(element: Element) -> str:
    return element.tag.rpartition("}")[2]


def _joined(element: Element) -> None:
    """Make the letters of a word one identifier, names of functions identifiers, and of a tilde a relation."""
    for child in element:
        _joined(child)
        if _kind(child) == "mrow" and len(child) > 1 and all(each.get("mathvariant") == "normal" for each in child):
            word = "".join(each.text or "" for each in child)
            child[:], child.tag, child.text = [], f"{{{NAMESPACE}}}mi", word
        elif child.text in FUNCTIONS:
            child.tag = f"{{{NAMESPACE}}}mi"
        elif child.text == "~":
            child.tag, child.text = f"{{{NAMESPACE}}}mo", "\N{TILDE OPERATOR}"


def _barred(element: Element) -> None:
    """Let bars open and close in turns."""
    forms = cycle(("prefix", "postfix"))
    for each in element.iter():
        if _kind(each) == "mo" and each.text == "|" and not each.get("form"):
            each.set("form", next(forms))
            each.set("fence", "true")


def _parted(element: Element) -> None:
    """Put spaces beside functions."""
    for child in element:
        _parted(child)
    if _kind(element) not in ROWS:
        return
    found: list[Element] = []
    for number, child in enumerate(element):
        behind = element[number - 1] if number else None
        if behind is not None and _touches(behind, child):
            found.append(Element(f"{{{NAMESPACE}}}mspace", {"width": "0.167em"}))
        found.append(child)
    element[:] = found


def _touches(left: Element, right: Element) -> bool:
    """Tell whether a thin space belongs between two neighbours."""
    if _function(left):
        return not (_operator(right) or _bracketed(right))
    return _function(right) and (not _operator(left) or left.text in (")", "]", "}"))


def _function(element: Element) -> bool:
    """Tell whether an element is the name of a function, with or without a subscript."""
    return (element[0] if _kind(element) == "msub" else element).text in FUNCTIONS


def _operator(element: Element) -> bool:
    return _kind(element) in ("mo", "mspace")


def _bracketed(element: Element) -> bool:
    """Tell whether a row begins with a bracket."""
    first = element[0] if _kind(element) == "mrow" and len(element) else element
    return _kind(first) == "mo" and (first.text or "x") in OPENING
