"""Building blocks of a page: everything is escaped here, and nothing else makes tags.

A section is a function that returns HTML; :func:`document` puts them under one head with the style sheet.
"""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Sequence
from urllib.parse import urlsplit

from analysis.drawing import fitting, style

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hw_models.text import by_options, name_parts, plain

DPI = 140
"""Of pictures; a page shows an inch as 96 pixels, so they stay sharp when enlarged."""
WIDE = 600
"""Pixels of the page above which a picture scrolls on a narrow screen, where it would be too small to be read."""
LONG, TEXTS = 40, ' class="t"'
"""Letters of a cell from which its column holds texts, and the class of such a column."""
NARROW = "(max-width: 640px)"
"""Screens on which a picture has a version of its own."""
Rendered = tuple[bytes, tuple[int, int]]
"""A PNG and its size in pixels of the page."""
GENERATOR = '<meta name="generator" content="neuroep report">'
"""By which an earlier page is known."""
STYLE = """\
body { font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; color: #1b1f24;
  background: #fff; max-width: 1000px; margin: 2rem auto 4rem; padding: 0 1.2rem; }
h1 { font-size: 1.7rem; line-height: 1.25; margin: 0 0 .3rem; overflow-wrap: anywhere; }
h2 { font-size: 1.25rem; margin: 2.4rem 0 .6rem; padding-top: .8rem; border-top: 1px solid #d8dee4; }
h3 { font-size: 1.03rem; margin: 1.5rem 0 .4rem; overflow-wrap: anywhere; }
p { margin: .5rem 0; max-width: 46rem; overflow-wrap: anywhere; }
a { color: #0059a8; }
.lead { color: #454d56; margin-bottom: 1.2rem; }
.note { color: #454d56; font-size: .92rem; }
.warn { background: #fff6e0; border-left: 4px solid #e69f00; padding: .4rem .8rem; }
.box { overflow-x: auto; margin: .6rem 0; background:
  linear-gradient(90deg, #fff 40%, transparent) left / 3rem 100% no-repeat local,
  linear-gradient(270deg, #fff 40%, transparent) right / 3rem 100% no-repeat local,
  linear-gradient(90deg, #0003, transparent) left / .7rem 100% no-repeat scroll,
  linear-gradient(270deg, #0003, transparent) right / .7rem 100% no-repeat scroll; }
.box:focus-visible { outline: 2px solid #0059a8; }
table { border-collapse: collapse; font-size: .92rem; font-variant-numeric: tabular-nums; }
th, td { text-align: left; vertical-align: top; padding: .28rem .8rem .28rem 0; border-bottom: 1px solid #e6eaee; }
th { font-weight: 600; vertical-align: bottom; border-bottom: 2px solid #b9c2cb; }
tbody th { font-weight: 600; border-bottom: 1px solid #e6eaee; vertical-align: top; white-space: nowrap; }
td.n, th.n { text-align: right; white-space: nowrap; padding-left: .6rem; }
td.t { min-width: 15rem; }
tr.best td { background: #eaf4fb; }
.row { display: flex; flex-wrap: wrap; gap: .6rem 1.2rem; align-items: flex-start; }
figure { margin: .8rem 0; max-width: 100%; }
figure img { display: block; max-width: 100%; height: auto; }
figcaption { color: #454d56; font-size: .9rem; max-width: 46rem; width: 0; min-width: 100%; }
dl { color: #454d56; font-size: .92rem; margin: .6rem 0; max-width: 52rem; }
dl div { display: grid; grid-template-columns: minmax(6rem, 11rem) 1fr; gap: 0 1rem; padding: .12rem 0; }
dt { font-weight: 600; overflow-wrap: anywhere; }
dd { margin: 0; overflow-wrap: anywhere; }
ul { margin: .5rem 0; padding-left: 1.3rem; max-width: 46rem; }
ul.warn { padding-left: 2rem; }
li { overflow-wrap: anywhere; }
pre { background: #f5f7f9; border: 1px solid #e1e6ea; padding: .7rem .9rem; overflow-x: auto; font-size: .85rem;
  white-space: pre-wrap; overflow-wrap: anywhere;
  line-height: 1.4; font-family: ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; }
code { font-family: ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; font-size: .9em; }
.keep { white-space: nowrap; }
summary { cursor: pointer; font-weight: 600; margin: .5rem 0; }
@media NARROW {
  body { margin-top: 1rem; padding: 0 .8rem; }
  h1 { font-size: 1.4rem; }
  dl div { grid-template-columns: 1fr; padding-bottom: .4rem; }
  .pairs tr, .pairs th, .pairs td { display: block; }
  .pairs th, .pairs td { border: 0; padding: 0; }
  .pairs tr { border-bottom: 1px solid #e6eaee; padding: .28rem 0; }
  .wide { overflow-x: auto; }
  .wide img { max-width: 60rem; }
}
@media print { body { max-width: none; margin: 0; } details > * { display: block; } }
""".replace("NARROW", NARROW)


def escape(value: object) -> str:
    """Return text that is nothing but text within a tag or an attribute."""
    return html.escape(plain(value, keep="\n\t"), quote=True)


def told(value: object) -> str:
    """Return text for a tag, in which lines may end behind the parts of long names and nowhere else in them.

    Options of commands stay whole.
    """
    return by_options(str(value), lambda text: "<wbr>".join(map(escape, name_parts(text))), escape)


def document(title: str, lead: str, sections: Sequence[str]) -> str:
    """Return the whole page.

    Parameters
    ----------
    title, lead : str
        Heading and the line below it, plain text.
    sections : sequence of str
        HTML; empty ones are left out.
    """
    head = (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n{GENERATOR}\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>\n{STYLE}</style>\n</head>\n"
    )
    body = "\n".join(part for part in sections if part)
    heading = f'<h1>{told(title)}</h1>\n<p class="lead">{told(lead)}</p>'
    text = f"{head}<body>\n<main>\n{heading}\n{body}\n</main>\n</body>\n</html>\n"
    return text.encode("utf-8", "replace").decode("utf-8")


def section(title: str, *parts: str) -> str:
    """Return parts under a heading; nothing if there are none."""
    kept = [part for part in parts if part]
    return "\n".join([f"<section>\n<h2>{told(title)}</h2>", *kept, "</section>"]) if kept else ""


def subtitle(text: str) -> str:
    """Return a heading within a section."""
    return f"<h3>{told(text)}</h3>"


def paragraph(text: str, kind: str = "") -> str:
    """Return a paragraph; ``kind`` is "", "note" or "warn"."""
    named = f' class="{kind}"' if kind else ""
    return f"<p{named}>{told(text)}</p>"


def link(url: str) -> str:
    """Return a link to an address of the web or a DOI, anything else as text."""
    text = url.strip()
    target = f"https://doi.org/{text}" if text.startswith("10.") else text
    try:
        safe = urlsplit(target).scheme in ("http", "https")
    except ValueError:
        safe = False
    return f'<a href="{escape(target)}" rel="noreferrer">{told(text)}</a>' if safe else escape(text)


def pairs(rows: Sequence[tuple[str, object]]) -> str:
    """Return a table of names and values; values that are empty are left out."""
    lines = [
        f'<tr><th scope="row">{told(name)}</th><td>{told(value)}</td></tr>'
        for name, value in rows
        if value not in ("", None)
    ]
    return _table("", lines, ' class="pairs"') if lines else ""


def table(
    heads: Sequence[str], rows: Sequence[Sequence[object]], *, words: Sequence[int] = (0,), best: int = -1
) -> str:
    """Return a table that scrolls in its box.

    Parameters
    ----------
    heads : sequence of str
        Of the columns, with units.
    rows : sequence of sequence
        Cells as they are to be read.
    words : sequence of int
        Columns of words, to the left; numbers stand to the right.
    best : int
        Row that is marked, none below 0.
    """
    look = [_look([row[number] for row in rows], number in words) for number in range(len(heads))]
    top = "".join(f'<th scope="col"{kind}>{escape(head)}</th>' for kind, head in zip(look, heads, strict=True))
    lines = []
    for number, row in enumerate(rows):
        cells = "".join(f"<td{kind}>{_cell(cell, kind)}</td>" for kind, cell in zip(look, row, strict=True))
        lines.append(_row(cells, number == best))
    return _table(f"<thead><tr>{top}</tr></thead>\n", lines)


def _look(cells: Sequence[object], words: bool) -> str:
    """Return the class of a column: numbers, texts, which need room, or names, which stay whole."""
    if not words:
        return ' class="n"'
    return TEXTS if any(len(str(cell)) > LONG for cell in cells) else ""


def _cell(cell: object, look: str) -> str:
    return told(cell) if look == TEXTS else escape(cell)


def _row(cells: str, best: bool) -> str:
    return f'<tr class="best">{cells}</tr>' if best else f"<tr>{cells}</tr>"


def _table(head: str, lines: Sequence[str], kind: str = "") -> str:
    body = "\n".join(lines)
    return f'<div class="box" tabindex="0"><table{kind}>\n{head}<tbody>\n{body}\n</tbody></table></div>'


def terms(rows: Sequence[tuple[str, str]]) -> str:
    """Return what words of a table or a picture mean, each with a sentence."""
    lines = [f"<div><dt>{told(name)}</dt><dd>{told(meaning)}</dd></div>" for name, meaning in rows]
    return "\n".join(["<dl>", *lines, "</dl>"]) if lines else ""


def points(lines: Sequence[str], kind: str = "") -> str:
    """Return a list of sentences; ``kind`` as of :func:`paragraph`."""
    named = f' class="{kind}"' if kind else ""
    return "\n".join([f"<ul{named}>", *(f"<li>{told(line)}</li>" for line in lines), "</ul>"]) if lines else ""


def code(text: str) -> str:
    """Return text as it is, in a box; options of commands stay whole."""
    # A parser drops the first newline after <pre>.
    return f"<pre>\n{by_options(text, escape, escape)}</pre>"


def details(summary: str, *parts: str, opened: bool = False) -> str:
    """Return parts that a click shows."""
    return "\n".join([f"<details{' open' * opened}><summary>{told(summary)}</summary>", *parts, "</details>"])


def picture(drawn: Axes | Figure, caption: str, alt: str = "") -> str:
    """Return a picture within the page.

    Parameters
    ----------
    drawn : Axes or Figure
        What to show.
    caption : str
        What is to be seen.
    alt : str
        The same for those who do not see it, default the caption.
    """
    sheet = style.sheet_of(drawn)
    sheet.set_dpi(DPI)
    wide, small = _rendered(sheet), None
    if fitting.narrow(sheet):
        small = _rendered(sheet, drawn=True)
    return image(wide[0], caption, alt, wide[1], small)


def _rendered(sheet: Figure, drawn: bool = False) -> Rendered:
    """Return a figure as PNG, and its size in pixels of the page."""
    file = io.BytesIO()
    style.write_png(sheet, file, DPI, metadata={"Software": None}, optimize=True, drawn=drawn)
    width, height = sheet.get_size_inches()
    return file.getvalue(), (round(96 * width), round(96 * height))


def image(
    png: bytes, caption: str, alt: str = "", size: tuple[int, int] | None = None, narrow: Rendered | None = None
) -> str:
    """Return a PNG within the page.

    Parameters
    ----------
    png : bytes
        What to show.
    caption, alt : str
        As of :func:`picture`.
    size : (int, int), optional
        In pixels of the page, default as large as it was drawn.
    narrow : (bytes, (int, int)), optional
        PNG that narrow screens show, and its size; without it a wide picture scrolls there.
    """
    if size is None and png[12:16] == b"IHDR":
        drawn = (int.from_bytes(png[place : place + 4], "big") for place in (16, 20))
        width, height = (round(96 * pixels / style.DPI) for pixels in drawn)
        size = width, height
    shown = f'<img src="{_data(png)}" alt="{escape(alt or caption)}"{_shape(size)}>'
    if narrow is not None:
        source = f'<source media="{NARROW}" srcset="{_data(narrow[0])}"{_shape(narrow[1])}>'
        shown = f"<picture>{source}{shown}</picture>"
    wide = ' class="wide" tabindex="0"' if narrow is None and size is not None and size[0] > WIDE else ""
    return f"<figure{wide}>{shown}\n<figcaption>{told(caption)}</figcaption></figure>"


def _data(png: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(png).decode('ascii')}"


def _shape(size: tuple[int, int] | None) -> str:
    return "" if size is None else f' width="{size[0]}" height="{size[1]}"'


def side_by_side(*figures: str) -> str:
    """Return pictures beside each other where the page is wide enough."""
    kept = [figure for figure in figures if figure]
    return "\n".join(['<div class="row">', *kept, "</div>"]) if kept else ""
