"""The list of studies, docs/studies.toml: what each needs, reads and runs, and what its figures come from."""

from __future__ import annotations

import ast
import hashlib
import itertools
import re
import shlex
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
LIST = ROOT / "docs" / "studies.toml"
DATA = ("imdb", "snli", "vectors")
"""What the folder of data may hold: two folders of a data set's tables, and one with a file of word vectors."""
NEEDS = (*DATA, "gpu")
CODE = ("neuroep", "hw_models", "analysis", "examples/configs", "examples/chips")
SOURCES = (".py", ".toml", ".npz")
NAMED = re.compile(r"\{(\w+)\}")


class Study(NamedTuple):
    """Some commands, and the figures of a page that they give."""

    name: str
    page: str
    sections: tuple[str, ...]
    what: str
    minutes: float
    commands: tuple[str, ...]
    needs: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    hand: bool = False
    afresh: bool = False
    keeps: Mapping[str, str] = {}
    words: Mapping[str, str] = {}
    each: Mapping[str, tuple[object, ...]] = {}

    @property
    def lines(self) -> tuple[str, ...]:
        """All commands, of places alone ``{out}``, ``{data}`` and the names of data are left to fill in."""
        return tuple(line for command in self.commands for line in self._combined(self._spelled(command)))

    def _spelled(self, command: str) -> str:
        for name, text in self.words.items():
            command = command.replace(f"{{{name}}}", text)
        return command

    def _combined(self, command: str) -> Iterator[str]:
        names = [name for name in self.each if f"{{{name}}}" in command]
        for values in itertools.product(*(self.each[name] for name in names)):
            line = command
            for name, value in zip(names, values, strict=True):
                line = line.replace(f"{{{name}}}", str(value))
            yield line


class Other(NamedTuple):
    """A section with numbers that no study gives."""

    page: str
    section: str
    why: str


def load(path: Path = LIST) -> dict[str, Study]:
    """Return the studies by name, in the order of the list."""
    found = [Study(**_frozen(table)) for table in tomllib.loads(path.read_text(encoding="utf-8"))["study"]]
    return {study.name: study for study in found}


def others(path: Path = LIST) -> list[Other]:
    """Return the sections that the list says are of no study."""
    return [Other(**table) for table in tomllib.loads(path.read_text(encoding="utf-8"))["other"]]


def _frozen(table: Mapping[str, object]) -> dict[str, object]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in table.items()}


def words(line: str, places: Mapping[str, str]) -> list[str]:
    """Return the words of a command with the places filled in, whatever blanks these have."""
    return [NAMED.sub(lambda found: places.get(found[1], found[0]), word) for word in shlex.split(line)]


def scripts(study: Study) -> list[Path]:
    """Return the programs that a study runs, what they import from beside them, and tables of their name."""
    named = (shlex.split(line) for line in study.lines)
    waiting = [ROOT / line[1] for line in named if line[0] == "python"]
    found: list[Path] = []
    while waiting:
        path = waiting.pop()
        if path in found or not path.is_file():
            continue
        found.append(path)
        if path.suffix == ".py":
            waiting += [path.with_name(f"{name}.py") for name in _imported(path)] + [path.with_suffix(".toml")]
    return sorted(found)


def _imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def digest(files: Iterable[Path], beside: Path) -> str:
    """Return a digest of the names and the bytes of files."""
    found = hashlib.sha256()
    for path in sorted(files):
        content = path.read_bytes()
        found.update(f"{path.relative_to(beside).as_posix()} {len(content)}\n".encode() + content)
    return found.hexdigest()[:12]


@cache
def code() -> str:
    """Return a digest of the packages, configurations and chips as they stand."""
    files = (path for folder in CODE for path in (ROOT / folder).rglob("*") if path.suffix in SOURCES)
    return digest(files, ROOT)


@cache
def content(folder: Path) -> str:
    """Return a digest of what a folder, or a file, of data holds."""
    if folder.is_file():
        return digest([folder], folder.parent)
    return digest((path for path in folder.rglob("*") if path.is_file()), folder)


def origin(name: str, studies: Mapping[str, Study], places: Mapping[str, str]) -> dict[str, str]:
    """Return what a study's figures come from, each as a digest: its commands, the code, its data and inputs.

    Data that are not there have an empty one.
    """
    study = studies[name]
    own = [place for place in study.needs if place in DATA]
    inputs = [f"{other} {sorted(origin(other, studies, places).items())}" for other in study.after]
    found = {
        "commands": _short("\n".join(study.lines)),
        "code": _short(code() + digest(scripts(study), ROOT)),
        "data": _short(" ".join(content(Path(places[each])) for each in own)) if set(own) <= places.keys() else "",
    }
    return found | ({"inputs": _short("\n".join(inputs))} if inputs else {})


def _short(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def places(data: Path | None, out: Path) -> dict[str, str]:
    """Return where results go and where the data lie that are there; word vectors are the one file of their folder."""
    found = {"out": out.as_posix()}
    if data is not None:
        found["data"] = str(data.resolve())
        for name in DATA:
            folder = data.resolve() / name
            inside = sorted(folder.iterdir()) if folder.is_dir() else []
            if inside:
                found[name] = str(inside[0] if name == "vectors" else folder)
    return found
