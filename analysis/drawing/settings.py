"""How to do it again: the command, the settings as TOML, the versions."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from analysis.drawing import html, numbers

from hw_models.reading import Entries
from neuroep.runs.config import Config

SAVED = "settings.toml"
"""Name under which a reader saves the settings."""


def again(directory: Path) -> str:
    """Return where a directory is made again: a folder of its name beside it."""
    return f"{directory.resolve().name}-again"


def section(command: Sequence[str], config: Config | None, environment: Entries | None, *notes: str) -> str:
    """Return the section.

    Parameters
    ----------
    command : sequence of str
        Words of the command line.
    config : Config, optional
        Resolved settings, shown as TOML.
    environment : mapping, optional
        As :attr:`neuroep.runs.directory.Run.environment`.
    *notes : str
        Lines below the command.
    """
    line = " ".join(shlex.quote(str(word)) for word in command)
    above = f"Save the settings below as {SAVED}, then:" if SAVED in command else "The command:"
    shown = [html.paragraph(above), html.code(line)] if command else []
    shown += [html.paragraph(note, "note") for note in notes]
    if config is not None:
        shown.append(html.details(f"Settings, resolved ({SAVED})", html.code(config.to_toml())))
    return html.section("To reproduce it", *shown, versions(environment))


def versions(environment: Entries | None) -> str:
    """Return where and with what a run was made."""
    if environment is None:
        return html.paragraph("The directory records no versions.", "note")
    packages = environment.get("packages") or {}
    engine = environment.get("engine") or {}
    threads = engine.get("threads")
    rows = [
        ("neuroep", packages.get("neuroep", "")),
        ("Python", environment.get("python", "")),
        ("packages", ", ".join(f"{name} {found}" for name, found in packages.items() if name != "neuroep")),
        ("machine", f"{environment.get('platform', '')}, {environment.get('cpus', '?')} processors"),
        ("engine", ", ".join(f"{name} {numbers.value(found)}" for name, found in engine.items() if name != "threads")),
        ("threads", "" if threads is None else threads),
        ("started", environment.get("created", "")),
    ]
    return html.details("Versions and machine", html.pairs(rows))
