"""When the figures of the documentation were made, by what, and when the tests were last changed that hold others."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Any

import studies
import study_list

from site_pages import markdown

TEST = re.compile(r"tests/[\w/]+(?:\.py)?")
DATE = re.compile(r"\d{4}-\d\d-\d\d")
"""Of one piece, so that no line ends in it."""
HEADS = ("study", "what it shows", "made", "by", "machine, CPU time")


def table(page: str | None = None) -> str:
    """Return a table of the studies, or of those of a page alone."""
    known = studies.ledger()
    chosen = [study for study in study_list.load().values() if page in (None, study.page)]
    heads = HEADS if page else (*HEADS[:2], "page", *HEADS[2:])
    rows = []
    for study in chosen:
        entry = known.get(study.name, {})
        place = [] if page else [f"[{study.page.removesuffix('.md')}](../{study.page})"]
        when = DATE.sub(r"[\g<0>]{.date}", studies.when(entry))
        rows.append([f"`{study.name}`", markdown.text(study.what), *place, when, _by(entry), _on(entry)])
    return markdown.table(heads, rows)


def _by(entry: Mapping[str, Any]) -> str:
    if "from" not in entry:
        return f"commit `{entry['commit']}`" if entry else "no row is there yet"
    return f"neuroep {entry['version']} (`{entry['commit']}`)"


def _on(entry: Mapping[str, Any]) -> str:
    return f"{markdown.text(entry['machine'])}; {entry['seconds'] / 60:.1f} min" if "machine" in entry else ""


def fragment() -> str:
    """Return what the page of studies includes: all of them."""
    return f"{table()}\n"


@cache
def dated() -> frozenset[str]:
    """Return the pages that have studies."""
    return frozenset(study.page for study in study_list.load().values()) - {"index.md"}


def footer(page: str) -> str:
    """Return what stands at the end of a page with figures: when they were made."""
    if page not in dated():
        return ""
    told = f"`make studies` makes them again, one by one with `ONLY=` ([all studies]({studies_of(page)}))."
    return f"\n\n---\n\n**When the figures of this page were made.** {told}\n\n{table(page)}\n"


def studies_of(page: str) -> str:
    """Return the way from a page to that of the studies."""
    return "../" * page.count("/") + "studies.md"


def tests() -> str:
    """Return when the tests that the page of validation names were last changed, as git knows it."""
    text = (study_list.ROOT / "docs" / "validation.md").read_text(encoding="utf-8")
    named = sorted({name for name in TEST.findall(text) if (study_list.ROOT / name).exists()})
    log = studies.git("log", "--format=%x00%cd", "--date=short-local", "--name-only", "--", *named)
    dates: dict[str, str] = {}
    for part in log.split("\0")[1:]:
        date, *files = part.split()
        for name in named:
            if any(file == name or file.startswith(f"{name}/") for file in files):
                dates.setdefault(name, date)
    if not dates:
        return "Made without the repository's history, so that no dates are known.\n"
    return markdown.table(("test", "last changed"), [[f"`{name}`", dates.get(name, "")] for name in named]) + "\n"
