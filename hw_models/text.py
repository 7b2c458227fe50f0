"""Text from outside as it is shown: harmless on a terminal, of bounded length, on one line.

Names, labels and values come from files that others wrote. A control character among them can clear a screen, rename
its window or hide what an error says, so none is ever printed: it is shown as Python escapes it, ``\\x1b``.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable

LONGEST = 80
"""Letters shown of a value."""
LONGEST_PATH = 255
"""Letters shown of what may be a path, whose end tells as much as its start."""
LONGEST_LINE = 1500
"""Letters of an error line: lists of what is allowed are long."""
LONGEST_WHOLE = 22
"""Letters of a name that a line of a narrow page has room for."""
_JOINERS = "\u200c\u200d"
_POINTER = re.compile(r" \(:mod:`[^`]*`\)|[;,] see :mod:`[^`]*`")
_MARKED = re.compile(r":\w+:`~?([^`]*)`|``([^`]*)``")
_WORD = re.compile(r"\S+")
_JOINT = re.compile(r"(?<=[_/=])(?=[^\W_])|(?<=[.,])(?=[^\W\d_])")
_OPTION = re.compile(r"(?<![\w-])(--?[a-zA-Z][\w.-]*)")
_BREAK = re.compile(r"\s*[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]\s*")
_VALUE = re.compile(
    r"""(?<![\w'])'(?:[^'\\]|\\.)*'     # a quoted text; the apostrophe of a word does not open one
    | (?<![\w"])"(?:[^"\\]|\\.)*"
    | \[[^\[\]]*\] | \{[^{}]*\}         # a list, a table
    | [^\s'"]+                          # a word
    """,
    re.VERBOSE,
)


def plain(text: object, keep: str = "") -> str:
    """Return text whose control characters are escaped, and half a surrogate pair (a byte that was no UTF-8) too.

    Parameters
    ----------
    text : object
        What is to be shown.
    keep : str
        Control characters that stay, for example the line ends of a table.
    """
    found = str(text)
    return found if found.isprintable() else "".join(c if c in keep else _escaped(c) for c in found)


def _escaped(letter: str) -> str:
    if letter.isprintable() or letter in _JOINERS or unicodedata.category(letter) == "Zs":
        return letter
    return letter.encode("unicode_escape").decode("ascii")


def lined(lines: Iterable[str]) -> str:
    """Return lines joined to a table; a line end within one of them, as part of a name, makes no line of its own."""
    return "\n".join(map(plain, lines))


def name_parts(text: str, longest: int = LONGEST_WHOLE) -> list[str]:
    """Return text cut where a line may end within a longer name: behind ``_``, ``/``, ``=``, and ``.`` or ``,``."""
    words = (word for word in _WORD.finditer(text) if len(word[0]) > longest)
    cuts = [word.start() + joint.start() for word in words for joint in _JOINT.finditer(word[0])]
    return [text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]


def by_options(text: str, other: Callable[[str], str] = str, option: Callable[[str], str] = str) -> str:
    """Return HTML of a text in which each option of a command stays on one line, :func:`kept`.

    Parameters
    ----------
    text : str
        What has such as ``--chip.adc.bits``.
    other, option : callable
        What HTML is made of the text between options, and of an option; by default text is HTML already.
    """
    parts = enumerate(_OPTION.split(text))
    return "".join(kept(option(part)) if number % 2 else other(part) for number, part in parts)


def kept(html: str) -> str:
    """Return HTML that stays on one line: pages give the class ``keep`` that look."""
    return f'<span class="keep">{html}</span>'


def unmarked(text: object) -> str:
    """Return a docstring as one line of plain words: no roles, no back-quotes, no pointer to a module."""
    line = _POINTER.sub("", " ".join(str(text or "").split()))
    return _MARKED.sub(lambda found: found[1] or found[2] or "", line)


def short(text: str, longest: int = LONGEST) -> str:
    """Return a text of at most that many letters, its middle left out."""
    if len(text) <= longest:
        return text
    return f"{text[: longest * 2 // 3]}...{text[-(longest - 3 - longest * 2 // 3) :]}"


def shown(value: object) -> str:
    """Return a value for an error line, as ``repr`` writes it but of bounded length."""
    try:
        return short(repr(value))
    except (ValueError, RecursionError):
        # Python refuses to write out numbers of more than 4,300 digits.
        bits = value.bit_length() if isinstance(value, int) else 0
        return f"a number of {int(bits * 0.30103) + 1} digits" if bits else f"a {type(value).__name__}"


def one_line(text: object) -> str:
    """Return an error's text as it may be printed: one line, no control characters, long values cut."""
    line = plain(_BREAK.sub(" ", str(text)).strip())
    if len(line) <= LONGEST:
        return line
    return short(_VALUE.sub(_cut, line), LONGEST_LINE)


def _cut(found: re.Match[str]) -> str:
    value = found[0]
    return short(value, LONGEST_PATH if "/" in value else LONGEST) if len(value) > LONGEST + 2 else value
