"""Text of the code as Markdown of the site: escaped, roles of docstrings as code, lists of definitions."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterable, Sequence

SPECIAL = re.compile(r"([\\*_<>\[\]$|{}#~^])")
"""Letters that Markdown takes for more than themselves."""
CODE = re.compile(r"(``[^`]+``|:\w+:`[^`]+`|`[^`]+`)")
LINKED = re.compile(r"docs/([\w\\]+)\.md")
HELD = re.compile(r"(?<=[\d%]) \+- (?=\d)|(?<=\d) (?:%|of|nm|[mu]m\^2|[munp]?[JWsVAS])(?![\w=])")
"""A deviation behind its number, a unit behind its own."""
SEEDS = re.compile(r"(?<=\d) / (?=\d)")
"""Between the numbers of two seeds."""
OPTION = re.compile(r"(?<![\w`-])--[a-z](?:[\w.-]*\w)?")
"""Of a command, as a help text names it."""
UNDERLINE = re.compile(r"^=+( +=+)+$")
INDENT = "    "


def text(words: str) -> str:
    """Return plain text of a docstring as Markdown: names in code, all else as it stands."""
    parts = CODE.split(" ".join(words.split()))
    return "".join(_code(part) if number % 2 else SPECIAL.sub(r"\\\1", part) for number, part in enumerate(parts))


def _code(part: str) -> str:
    inner = re.sub(r"^:\w+:", "", part).strip("`").lstrip("~")
    return f"`{inner}`"


def sentence(words: str) -> str:
    """Return a help text as a sentence, the pages that it names as links."""
    words = OPTION.sub(r"`\g<0>`", words)
    told = text(words[:1].upper() + words[1:] if words[:2].strip().isalpha() and words.split()[0].islower() else words)
    told = LINKED.sub(lambda found: f"[{found[0]}](../{_plain(found[1])}.md)", told)
    return told if told.endswith(".") else f"{told}."


def _plain(escaped: str) -> str:
    return escaped.replace("\\", "")


def slug(name: str) -> str:
    """Return a name as that of a file."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def definitions(entries: Iterable[tuple[str, Sequence[str]]]) -> str:
    """Return a list of terms, each with its paragraphs, all of them Markdown."""
    return "\n\n".join(f"{term}\n" + "\n\n".join(_told(part) for part in told) for term, told in entries)


def _told(paragraph: str) -> str:
    return ": " + paragraph.replace("\n", "\n  ")


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table of Markdown cells."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def whole(page: str) -> str:
    """Return a page in whose tables no line ends within a number with its deviation, unit or that of another seed."""
    return "\n".join(_whole(line) if line.startswith("|") else line for line in page.split("\n"))


def _whole(row: str) -> str:
    return "|".join("`".join(_unbroken(cell)) for cell in row.split("|"))


def _unbroken(cell: str) -> Iterable[str]:
    """Yield the parts of a cell between marks of code, text and code in turns; the numbers of the text are held."""
    for number, part in enumerate(cell.split("`")):
        held = part if number % 2 else HELD.sub(_stay, part)
        yield held if number % 2 or "+-" in cell else SEEDS.sub(_stay, held)


def _stay(found: re.Match[str]) -> str:
    """Return what was found on one line; after a hyphen a line may end even ahead of a space that does not break."""
    return found[0].replace("- ", "-\N{WORD JOINER} ").replace(" ", "\N{NO-BREAK SPACE}")


def fenced(code: str, language: str = "text") -> str:
    """Return code in a box."""
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall(r"`+", code)), default=0))
    return f"{fence}{language}\n{code.rstrip()}\n{fence}"


def docstring(words: str, within: bool = True) -> str:
    """Return a docstring as Markdown: paragraphs, indented blocks as code, tables and equations as they are drawn.

    That of a module is not within anything: lines that are all indented below its first are a block of code.
    """
    blocks = re.split(r"\n{2,}", inspect.cleandoc(words if within else f"\n{words}"))
    return "\n\n".join(_joined(blocks))


def _joined(blocks: Sequence[str]) -> Iterable[str]:
    """Yield Markdown of the blocks of a docstring, neighbouring blocks of code as one."""
    code: list[str] = []
    for block in [*blocks, ""]:
        if block.startswith(INDENT) or UNDERLINE.match(block.partition("\n")[0]):
            code.append(block)
            continue
        if code:
            yield _boxed("\n\n".join(code))
            code = []
        if block:
            yield _paragraph(block)


def _paragraph(block: str) -> str:
    """Return a paragraph; lines within it that are indented are code."""
    lines = block.split("\n")
    first = next((number for number, line in enumerate(lines) if line.startswith(INDENT)), len(lines))
    whole = [text(" ".join(lines[:first]))]
    if first < len(lines):
        whole.append(_boxed("\n".join(lines[first:])))
    return "\n\n".join(whole)


def _boxed(block: str) -> str:
    code = re.sub(r":\w+:`~?([^`]+)`|``([^`]+)``", r"\1\2", inspect.cleandoc("\n" + block))
    try:
        ast.parse(code)
    except SyntaxError:
        return fenced(code)
    return fenced(code, "python" if "(" in code or "import" in code else "text")


def literal(lines: Sequence[str]) -> list[str]:
    """Return the lines of a docstring in which blocks indented below a paragraph are marked as literal ones."""
    found: list[str] = []
    lines = [line if line.strip() else "" for line in lines]
    inside = numpydoc = False
    for number, line in enumerate(lines):
        follows = lines[number + 1] if number + 1 < len(lines) else ""
        numpydoc = numpydoc or (bool(line) and bool(re.fullmatch(r"-{3,}", follows.strip())) and not line[0].isspace())
        inside = inside and (not line or line.startswith(INDENT))
        if line.startswith(INDENT) and not inside and not numpydoc and (not found or not found[-1].startswith(INDENT)):
            found += ["", "::", ""]
            inside = True
        found.append(line)
        if inside and line and follows and not follows.startswith(INDENT):
            found.append("")
    return found
