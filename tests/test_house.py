"""What holds for all source files: one name for one thing, typed, wired in the open, tested in a place one finds."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest

from tests.test_imports import PACKAGES, ROOT, modules

ANY = 143
"""Most annotations that say Any."""
TWICE: Mapping[str, str] = {
    "Part": "of a chip's description, and of an engine",
}
"""Names that several classes have still."""
WIRED: Mapping[str, str] = {
    "hw_models/chip/fields.py: getattr kept": "a part of a chip that is built has no fields yet",
    "hw_models/kernels/cache.py: getattr _defn": "Numba's own classes, which differ by version",
    "hw_models/kernels/cache.py: getattr py_func": "Numba's own classes, which differ by version",
    "hw_models/whole_files.py: getattr O_NOFOLLOW": "not on every system",
    "hw_models/whole_files.py: getattr O_NONBLOCK": "not on every system",
    "neuroep/data/text_tables.py: getattr msg": "an error of JSON, or of a number that is too long",
    "neuroep/engines/workers.py: hasattr sched_getaffinity": "not on every system",
    "neuroep/network/potentials.py: getattr name": "of whatever was given for a potential, for the error line",
    "neuroep/runs/locks.py: getattr O_NOFOLLOW": "not on every system",
}
"""Attributes that are asked for by a constant name, by file and call, and why."""
TYPED: Mapping[str, str] = {
    "analysis/sweep/page.py": "a page that shows the command itself",
    "analysis/sweep/panels.py": "a page that shows the command itself",
    "neuroep/cli.py": "the command line",
    "neuroep/runs/adoption.py": "reads what stands behind --map",
    "neuroep/runs/fit_arguments.py": "the options of a command",
    "neuroep/runs/folders.py": "asked by the command line alone",
}
"""Files whose texts may name options of commands, and why; others ask :func:`hw_models.errors.given_as`."""
OPTION = re.compile(r"(^|[\s(])--[a-z][\w.-]* |(?<!neuroep )(?<!neuroep chips)(?<!neuroep train)\s--[a-z]")
"""An option beside a word; alone it is what an override begins with, and a whole command can be typed anywhere."""
ANYTHING: Mapping[str, str] = {
    "hw_models/chip/fields.py: __init__": "pydantic's own signature, which names of fields check",
    "hw_models/kernels/compiling.py: kernel": "Numba's own options",
    "hw_models/kernels/compiling.py: bound": "Numba's own options",
    "neuroep/cli.py: add_argument": "argparse's own signature",
}
"""Public functions that take just any keyword, and why."""


@cache
def tree(path: Path) -> ast.Module:
    """Return a file, parsed."""
    return ast.parse(path.read_text(encoding="utf-8"))


def name_of(path: Path) -> str:
    """Return a file's path below the repository."""
    return path.relative_to(ROOT).as_posix()


def twice(trees: Mapping[str, ast.Module]) -> dict[str, list[str]]:
    """Return the files of each name that several classes have."""
    found: dict[str, list[str]] = {}
    for file, module in trees.items():
        for node in ast.walk(module):
            if isinstance(node, ast.ClassDef):
                found.setdefault(node.name, []).append(file)
    return {name: sorted(files) for name, files in found.items() if len(files) > 1}


def anys(module: ast.Module) -> int:
    """Count the annotations that say Any, those of what a type's name stands for too."""
    count = 0
    for node in ast.walk(module):
        given: list[ast.expr | None] = []
        if isinstance(node, ast.FunctionDef):
            arguments = node.args
            every = (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg)
            given = [node.returns, *(one.annotation for one in every if one is not None)]
        elif isinstance(node, ast.AnnAssign):
            given = [node.annotation]
        elif isinstance(node, ast.Assign) and isinstance(node.value, ast.Subscript):
            given = [node.value]
        count += sum(one is not None and _says_any(one) for one in given)
    return count


def _says_any(annotation: ast.expr) -> bool:
    return any(isinstance(node, ast.Name) and node.id == "Any" for node in ast.walk(annotation))


def wired(module: ast.Module) -> Iterator[str]:
    """Yield the calls that ask for, or set, an attribute by a constant name."""
    for node in ast.walk(module):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and len(node.args) > 1:
            name = node.args[1]
            constant = isinstance(name, ast.Constant) and isinstance(name.value, str)
            if node.func.id in ("hasattr", "getattr", "setattr") and constant:
                yield f"{node.func.id} {name.value}"  # type: ignore[attr-defined]


def anything(module: ast.Module) -> Iterator[str]:
    """Yield the public functions and methods that take any keyword of type Any."""
    for node in ast.walk(module):
        if isinstance(node, ast.FunctionDef) and (not node.name.startswith("_") or node.name == "__init__"):
            rest = node.args.kwarg
            if rest is not None and rest.annotation is not None and _says_any(rest.annotation):
                yield node.name


def trees(*packages: str) -> dict[str, ast.Module]:
    """Return the parsed files of some packages by their paths."""
    paths = [path for name, path in modules().items() if name.split(".")[0] in packages]
    return {name_of(path): tree(path) for path in sorted(paths)}


def covering(path: Path) -> list[Path]:
    """Return the tests of a source file: of its name in the mirrored folder, or that which its first line names."""
    place = path.relative_to(ROOT)
    named = [ROOT / "tests" / place.parent / f"test_{place.stem}.py", ROOT / "tests" / place.parent / place.stem]
    first = path.read_text(encoding="utf-8").partition("\n")[0]
    named += [ROOT / mention for mention in re.findall(r"^# Tested by (tests/[\w/]+\.py)", first)]
    return [found for found in named if found.exists()]


def sources() -> list[Path]:
    """Return the source files that hold more than a docstring and imports."""
    found = []
    for path in modules().values():
        body = tree(path).body
        if path.name != "__init__.py" or any(isinstance(n, ast.ClassDef) for n in body):
            found.append(path)
    return sorted(found)


def options_in(module: ast.Module) -> list[str]:
    """Return the texts in which an option of a command stands among words, unless Python is told something else."""
    docs = {id(node.value) for node in ast.walk(module) if isinstance(node, ast.Expr)}
    asks = [node for node in ast.walk(module) if isinstance(node, ast.Call) and _asks(node.func)]
    docs |= {id(inner) for call in asks for inner in ast.walk(call)}
    texts = [node for node in ast.walk(module) if isinstance(node, ast.Constant) and id(node) not in docs]
    return [text for text in (node.value for node in texts) if isinstance(text, str) and OPTION.search(text)]


def _asks(function: ast.expr) -> bool:
    return isinstance(function, ast.Name) and function.id in ("given_as", "setting")


def test_a_class_name_stands_for_one_class() -> None:
    """A line too many here is a name that is free again: take it out of ``TWICE``."""
    assert twice(trees(*PACKAGES)).keys() == set(TWICE)


def test_few_annotations_say_any() -> None:
    count = Counter({file: anys(module) for file, module in trees(*PACKAGES).items()})
    assert sum(count.values()) <= ANY, count.most_common(20)


def test_parts_are_not_wired_by_attribute_names() -> None:
    found = {f"{file}: {call}" for file, module in trees("neuroep", "hw_models").items() for call in wired(module)}
    assert found == set(WIRED)


def test_lines_speak_the_language_of_who_reads_them() -> None:
    """A notebook that trained twice was told to add ``--resume``."""
    found = {name_of(file): texts for file in modules().values() if (texts := options_in(tree(file)))}
    assert {file: texts for file, texts in found.items() if file not in TYPED} == {}
    assert set(TYPED) <= set(found), "files that need no exception any more"


def test_public_signatures_are_written_out() -> None:
    found = {f"{file}: {name}" for file, module in trees(*PACKAGES).items() for name in anything(module)}
    assert found == set(ANYTHING)


def test_each_source_file_has_a_test_that_one_finds() -> None:
    assert [name_of(path) for path in sources() if not covering(path)] == []


def test_there_are_enough_tests() -> None:
    """Lines of tests over lines of the three packages."""
    lines = {top: _lines(top) for top in (*PACKAGES, "tests")}
    assert lines["tests"] >= 0.8 * sum(lines[package] for package in PACKAGES), lines


def _lines(top: str) -> int:
    return sum(len(path.read_text(encoding="utf-8").splitlines()) for path in (ROOT / top).rglob("*.py"))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("def f(a: Any, *b: list[Any], c: dict[str, Any] = 3) -> Any: ...", 4),
        ("class A:\n    b: Any = 3\n    def c(self) -> int: ...\nRows = list[dict[str, Any]]", 2),
        ("def f(a: int) -> None:\n    b = cast(Any, a)", 0),
    ],
)
def test_anys_are_counted(text: str, found: int) -> None:
    assert anys(ast.parse(text)) == found


def test_what_is_looked_for_is_seen() -> None:
    module = ast.parse("hasattr(a, 'b')\ngetattr(a, name)\nsetattr(a, 'c', 1)\ngetattr(a, 'd', None)")
    assert list(wired(module)) == ["hasattr b", "setattr c", "getattr d"]
    module = ast.parse("def f(**a: Any): ...\ndef _g(**a: Any): ...\nclass A:\n    def __init__(self, **b: Any): ...")
    assert list(anything(module)) == ["f", "__init__"]
    one, other = ast.parse("class A: ..."), ast.parse("class A: ...\nclass B: ...")
    assert twice({"x.py": one, "y.py": other}) == {"A": ["x.py", "y.py"]}
