"""Reference of what runs: the commands with their options, the settings of a configuration, the formats of files."""

from __future__ import annotations

import argparse
import ast
import importlib
from collections.abc import Iterator
from pathlib import Path

from neuroep import cli
from neuroep.runs import sections
from site_pages import entries, markdown

FORMATS = {
    "Run directory": "neuroep.runs.directory",
    "Checkpoint": "neuroep.runs.checkpoints",
    "Seals": "neuroep.runs.seals",
    "Ledger of a sweep": "analysis.sweep.ledger",
    "Results of a sweep": "analysis.sweep.results",
    "Tables": "neuroep.runs.tables",
    "Arrays of your own data": "neuroep.data.array_files",
    "Texts of your own data": "neuroep.data.text_tables",
    "Word vectors": "neuroep.data.vectors",
    "Traces of measured devices": "hw_models.measured.tables",
    "Chip": "hw_models.chip.files",
    "Component": "hw_models.components",
    "Locks": "neuroep.runs.locks",
}
"""Headings of the page of formats, and the modules whose docstrings say what the files hold."""
UNSAID = ("-h", "--help")


def commands() -> str:
    """Return the page of the command line."""
    _, known = cli.build_parser()
    parts = ["# Commands", _COMMANDS]
    for name, parser in sorted(known.items()):
        parts += [f"## neuroep {name}", markdown.sentence(parser.description or "")]
        parts += [markdown.fenced(" ".join(_usage(parser)), "console")]
        ordered = sorted(_told(parser), key=lambda action: (bool(action.option_strings), not action.required))
        parts += [markdown.definitions(entries.option(action) for action in ordered)]
    return "\n\n".join(parts) + "\n"


_COMMANDS = """\
`neuroep --help` lists the commands, `neuroep COMMAND --help` the options of one. A command that opens a configuration
or a run takes any [setting](settings.md) as an option too: `--training.epochs 3`, or `--epochs 3` where the name is
unique. A value that cannot be is refused in one line, and the command ends with code 2."""


def _told(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    for action in parser._actions:
        if not set(action.option_strings) & set(UNSAID) and action.help != argparse.SUPPRESS:
            yield action


def _usage(parser: argparse.ArgumentParser) -> Iterator[str]:
    """Yield the words of a command with what it needs."""
    yield parser.prog
    for action in _told(parser):
        if not action.option_strings:
            yield f"[{action.metavar}]" if action.nargs == "?" else str(action.metavar)
        elif action.required:
            yield f"{action.option_strings[0]} {action.metavar}"
    yield "[options]"


def settings() -> str:
    """Return the page of all settings but those of a chip."""
    parts = ["# Settings", _SETTINGS]
    for name, part in sections.SECTIONS.items():
        found = (entries.setting(f"{name}.{leaf}", info) for leaf, info in part.model_fields.items())
        parts += [f"## {name}", markdown.docstring(part.__doc__ or ""), markdown.definitions(found)]
    return "\n\n".join(parts) + "\n"


_SETTINGS = """\
A configuration is a TOML file with these tables; `examples/configs` has ten to start from. A table `chip` describes the
[chip](fields.md); `chip = "pcm"` names a preset. Every setting has a default, and the run directory keeps all of them
resolved."""


def formats() -> str:
    """Return what the files hold that commands read and write, as the modules say that do so."""
    parts = ["# File formats", _FORMATS]
    for title, module in FORMATS.items():
        told = importlib.import_module(module).__doc__ or ""
        parts += [f"## {title}", markdown.docstring(told, within=False), f"From `{module}`."]
    return "\n\n".join(parts) + "\n"


_FORMATS = """\
All files are TOML, JSON, Parquet, CSV, NPZ or safetensors. None holds code, and nothing that is read is executed. What
is written and read again has a digest, so that a damaged or edited file is refused in one line."""


def twins(folder: Path) -> str:
    """Return a table of the slow twins in a folder, by their docstrings."""
    rows = []
    for path in sorted(folder.glob("[a-z]*.py")):
        told = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
        if told and not path.stem.startswith("test_"):
            rows.append([f"`tests/naive/{path.name}`", markdown.text(told.partition("\n\n")[0])])
    return markdown.table(["twin", "what it does"], rows) + "\n"
