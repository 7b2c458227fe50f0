"""The last touch to a page of the site: where lines may end, and what a reader needs who uses keys or does not see it.

Works on the HTML that Sphinx has written. Text is changed only by where its lines may end: the parts of a long name, an
option, a number and its per cent sign stay together.
"""

from __future__ import annotations

import re

from hw_models.text import by_options, kept, name_parts

TAG = re.compile(r"(<[^>]*>)")
AS_IT_IS = ("script", "style", "title", "math", "svg", "textarea")
"""Elements whose text is no running text."""
PICTURE = re.compile(r"<img\b[^>]*\bsrc=\"([^\"]*_images/[^\"]+)\"[^>]*>(?!</a>)")
CELL = re.compile(r"<td>(.*?)</td>", re.DOTALL)
FITS = 1100
"""Width of a picture of one plot, whose letters can be read on a narrow screen that it fits [pixel]."""
LONG, WHOLE = 7, 20
"""Words of a cell of a table that has room for some in a line, however narrow the screen, and letters of a name that
stays whole."""
NUMBER = re.compile(r"(?<!\w)\d[\d.]*e-\d+|\(-\w+")
"""One with a negative exponent, or a negative argument, whose line may not end behind its minus."""
KEPT = (
    (re.compile(r"(?<=\d) (?=%)"), "\u00a0"),
    (re.compile(r"(?<=\+-) (?=\d)"), "\u00a0"),
)
"""Places within figures where no line ends: 95.5 %, +- 1.0."""
REACHED = (
    ("<pre>", '<pre tabindex="0">'),
    ('<div class="table-wrapper', '<div tabindex="0" class="table-wrapper'),
    ('<div class="math">', '<div class="math" tabindex="0">'),
)
"""Boxes that may scroll, so that keys reach them."""
NAMED = (
    ('<p class="caption" role="heading">', '<p class="caption" role="heading" aria-level="2">'),
    ('<aside class="sidebar-drawer">', '<aside class="sidebar-drawer" aria-label="All pages">'),
    ('<div id="search-results">', '<h1>Search</h1>\n<div id="search-results">'),
    ('<aside class="toc-drawer">', '<aside class="toc-drawer" aria-label="This page">'),
)
"""Parts of the theme that lack what a screen reader says of them."""


def width(png: bytes) -> int:
    """Return the width of a PNG [pixel]."""
    return int.from_bytes(png[16:20], "big")


def page(html: str) -> str:
    """Return the HTML of a page as it is to be read; a picture leads to itself alone, where it can be enlarged."""
    return _scoped(_reached(_lines(html)))


def _lines(html: str) -> str:
    """Say where lines may end."""
    found, code, off = [], 0, 0
    for part in TAG.split(html):
        if part.startswith("<"):
            name = re.match(r"</?(\w+)", part)
            step = -1 if part.startswith("</") else 1
            code += step if name and name[1] == "pre" else 0
            off += step if name and name[1] in AS_IT_IS else 0
            found.append(part)
        else:
            found.append(part if off else by_options(part) if code else _names(part))
    return "".join(found)


def _names(text: str) -> str:
    for place, instead in KEPT:
        text = place.sub(instead, text)
    return NUMBER.sub(lambda number: kept(number[0]), "<wbr>".join(name_parts(text, WHOLE)))


def _reached(html: str) -> str:
    for plain, reached in (*REACHED, *NAMED):
        html = html.replace(plain, reached)
    return PICTURE.sub(r'<a class="enlarge" href="\1">\g<0></a>', html)


def _scoped(html: str) -> str:
    """Say which heads of a table are of columns, and which cells are long; a corner without a word is no head."""
    html = CELL.sub(_long, html)
    html = re.sub(r"<th class=\"head([^\"]*)\">", r'<th scope="col" class="head\1">', html)
    return re.sub(r"<th scope=\"col\"( class=\"[^\"]*\")>(\s*<p></p>\s*|\s*)</th>", r"<td\1></td>", html)


def _long(cell: re.Match[str]) -> str:
    return cell[0].replace("<td>", '<td class="long">', 1) if len(TAG.sub("", cell[1]).split()) >= LONG else cell[0]
