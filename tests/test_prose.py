"""Code within the sentences of the documentation names what there is: fields, options, commands, files, names.

Blocks of code are run by ``tests/neuroep/test_documentation.py``, links are followed by ``tests/test_site.py``.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from neuroep import cli
from neuroep.errors import ConfigError
from neuroep.runs.overrides import dotted
from neuroep.runs.sections import settings

ROOT = Path(__file__).parents[1]
PAGES = ["README.md", "CONTRIBUTING.md", *sorted(
    path.relative_to(ROOT).as_posix() for start in ("docs/*.md", "docs/guides/*.md") for path in ROOT.glob(start)
)]  # fmt: skip
OTHERS = {
    "neuroep.chips": "a group of entry points",
    "--host": "of dask scheduler",
    "--no-dashboard": "of dask scheduler",
    "--to": "of jupytext",
}
"""What prose names that is no field, option, file or name of ours, and what it is."""
FENCE = re.compile(r"^(`{3,})[^\n]*\n.*?^\1$", re.DOTALL | re.MULTILINE)
SPAN = re.compile(r"(?<!`)`([^`\n]+(?:\n[^`\n]+)?)`(?!`)")
OPTION = re.compile(r"(?<![\w-])--[a-zA-Z][\w-]*(?:\.\w+)*")
COMMAND = re.compile(r"(?<![\w/.'\"-])neuroep ([a-z]\w*)")
FILE = re.compile(r"(?<![\w./-])(?:docs|examples|tests|neuroep|hw_models|analysis)/[\w./*{},-]*[\w*}/]")
DOTTED = re.compile(r"(?<![\w./*{-])[A-Za-z_]\w*(?:\.\w+)+(?!\w*/)")
PROGRAM = re.compile(r"[\w./]+\.py\b")
KINDS = ("json", "jsonl", "md", "npy", "npz", "parquet", "png", "py", "safetensors", "toml")
"""Endings by which a dotted name is that of a file."""
BY_ENTRY = ("optimiser.rates", "timing.tau", "chip.timing.tau")
"""Tables whose entries have names of their own."""


@cache
def fields() -> frozenset[str]:
    """Return all fields of a run and of a chip, and their tables, by dotted name, those of a chip also without it."""
    names = [*settings(), *(name.removeprefix("chip.") for name in settings() if name.startswith("chip."))]
    return frozenset(".".join(name.split(".")[:n]) for name in names for n in range(1, name.count(".") + 2))


@cache
def commands() -> dict[str, cli.Parser]:
    return cli.build_parser()[1]


def is_field(name: str) -> bool:
    return name in fields() or name.rpartition(".")[0] in BY_ENTRY


def is_option(name: str, programs: tuple[Path, ...]) -> bool:
    """Tell an option of a command, a setting, or an option of a program that the page names."""
    if any(name in command.options for command in commands().values()) or name in ("--help", "--version"):
        return True
    try:
        dotted(name)
    except ConfigError:
        return any(f'"{name}"' in program.read_text(encoding="utf-8") for program in programs)
    return True


def is_name(name: str) -> bool:
    """Tell a module of ours, or what can be reached in one."""
    parts = name.split(".")
    for count in range(len(parts), 0, -1):
        try:
            found: object = importlib.import_module(".".join(parts[:count]))
        except ModuleNotFoundError:
            continue
        for part in parts[count:]:
            if not hasattr(found, part):
                return part in getattr(found, "model_fields", {})
            found = getattr(found, part)
        return True
    return False


def is_file(path: str) -> bool:
    """Tell a file of the tree, or a pattern of such; NAME and ``...`` stand for any."""
    if "NAME" in path or "..." in path:
        return True
    braces = re.search(r"\{([^}]*)\}", path)
    several = [path.replace(braces[0], each) for each in braces[1].split(",")] if braces else [path]
    return all(any(ROOT.glob(each.rstrip("/"))) for each in several)


def unknown(text: str) -> Iterator[tuple[int, str]]:
    """Yield line and text of what the code within the sentences of a page names and there is not."""
    prose = FENCE.sub(lambda block: "\n" * block[0].count("\n"), text)
    places = (ROOT, ROOT / "docs", ROOT / "tests/benchmarks")
    programs = tuple({at / name for name in PROGRAM.findall(text) for at in places if (at / name).is_file()})
    for span in SPAN.finditer(prose):
        line, code = prose.count("\n", 0, span.start()) + 1, span[1]
        bad = [name for name in OPTION.findall(code) if not is_option(name, programs)]
        bad += [f"neuroep {name}" for name in COMMAND.findall(code) if name not in commands()]
        bad += [path for path in FILE.findall(code) if not is_file(path)]
        for name in DOTTED.findall(FILE.sub(" ", OPTION.sub(" ", code))):
            start, ending = name.split(".")[0], name.rpartition(".")[2]
            if start in ("neuroep", "hw_models", "analysis"):
                bad += [] if is_name(name) else [name]
            elif start in fields() and ending not in KINDS:
                bad += [] if is_field(name) else [name]
        yield from ((line, name) for name in bad if name not in OTHERS)


@pytest.mark.parametrize("page", PAGES)
def test_code_within_sentences_names_what_there_is(page):
    found = list(unknown((ROOT / page).read_text(encoding="utf-8")))
    assert not found, "\n".join(f"{page}:{line}: `{name}`" for line, name in found)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("set `chip.adc.bits = 4`, `adc.bits`, `device.pulse`, `--adc.bits`", ["--adc.bits"]),
        ("`device.g_maxx` and `update.shceme`", ["device.g_maxx", "update.shceme"]),
        ("`--epochs 3`, `--chip.adc.bits=3:8`, `--optimiser.rates.dense_1 0.1`, `optimiser.rates.query`", []),
        ("`neuroep train`, `neuroep trian x --out y`, `python -m neuroep`, `neuroep --help`", ["neuroep trian"]),
        ("`docs/costs.md`, `docs/cost.md`, `examples/configs/{snli,imdb,x}_small.toml`, `tests/naive/`",
         ["docs/cost.md", "examples/configs/{snli,imdb,x}_small.toml"]),
        ("`neuroep.runs.session.Session.open`, `neuroep.run`, `hw_models.Chip.ideal()`, `hw_models.Chip.adc`",
         ["neuroep.run"]),
        ("`python tests/benchmarks/memory.py --fast`, `--fsat`, `settling.py`, `update.toml`", ["--fsat"]),
        ("```\nneuroep trian\n```\nin a block it is run; `jupytext --to x`; `neuroep/data/NAME.py`", []),
        ("a span of\nlines: `python docs/studies.py\n--by-hand x`", []),
    ],
)  # fmt: skip
def test_what_is_found(text, names):
    assert [name for _, name in unknown(text)] == names


def test_exceptions_are_needed():
    text = "\n".join((ROOT / page).read_text(encoding="utf-8") for page in PAGES)
    assert all(name in text for name in OTHERS)
