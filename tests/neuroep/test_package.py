"""What the documentation names is there, in a process that has imported nothing but the three packages."""

from __future__ import annotations

import ast
import importlib
import re
import tomllib
from pathlib import Path

import pytest

import neuroep

ROOT = Path(__file__).parents[2]
PACKAGES = ("neuroep", "analysis", "hw_models")
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/*.py")]
SOURCES = [path for package in PACKAGES for path in (ROOT / package).rglob("*.py")]
NAME = re.compile(r"(?<![\w./\"'-])(?:neuroep|analysis|hw_models)(?:\.[A-Za-z_]\w*)+(?![\w/-])")
OTHERS = {"neuroep.chips"}
"""Names of other things: the group of entry points."""
RESOLVE = """
import sys, types
missing = []
for name in page:
    thing = sys.modules[name.split(".")[0]]
    try:
        for part in name.split(".")[1:]:
            if hasattr(thing, "__path__") and isinstance(vars(thing).get(part), types.ModuleType):
                delattr(thing, part)
            thing = getattr(thing, part)
    except AttributeError as error:
        missing.append(f"{name}: {error}")
print(*missing, sep=chr(10))
"""
"""Tries names one after the other, and prints which are not there.

What an earlier name has imported helps no later one: a module that a package holds is taken out before it is asked for.
"""


def docstrings(path: Path) -> str:
    """Return all docstrings of a module, those of fields too."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    texts = (node.value.value for node in ast.walk(tree) if isinstance(node, ast.Expr) and _is_text(node.value))
    return "\n".join(texts)


def _is_text(value: ast.expr) -> bool:
    return isinstance(value, ast.Constant) and isinstance(value.value, str)


def named() -> list[str]:
    """Return every dotted name in the documentation."""
    texts = [path.read_text(encoding="utf-8") for path in PAGES] + [docstrings(path) for path in SOURCES]
    return sorted({found[0] for text in texts for found in NAME.finditer(text)} - OTHERS)


def test_every_documented_name_is_there_in_a_fresh_process(fresh):
    """Before, ``neuroep.evaluate`` and all of ``analysis`` were AttributeErrors there.

    No module is in a circle of imports (``tests/test_imports.py``), so in which order they come cannot matter. A name
    that is not found after others is tried in a process of its own: some packages import a module by themselves.
    """
    names = named()
    wanted = ("neuroep.evaluate", "analysis.gradients.run", "analysis.demo.run", "analysis.report.write")
    assert set(wanted) <= set(names) and len(names) > 60
    ended = fresh.run(RESOLVE, names)
    assert (ended.code, ended.err) == (0, "")
    again = [line.partition(":")[0] for line in ended.out.splitlines() if line]
    assert len(again) < 20
    assert [line for name in again for line in fresh.run(RESOLVE, [name]).out.splitlines() if line] == []


def test_a_name_that_only_others_have_imported_is_missed(fresh):
    """A package without ``__getattr__`` has a module only where someone has imported it."""
    code = "import sys, types\nbare = sys.modules['bare'] = types.ModuleType('bare')\nbare.__path__ = []\n"
    code += "bare.one = types.ModuleType('bare.one')\n"
    ended = fresh.run(code + RESOLVE, ["bare.one", "hw_models.text"])
    assert ended.out.splitlines() == ["bare.one: module 'bare' has no attribute 'one'"]


@pytest.mark.parametrize("package", PACKAGES)
def test_every_module_is_there_by_its_name(package):
    there = importlib.import_module(package)
    for path in (ROOT / package).glob("[a-z]*.py"):
        assert path.stem in dir(there)
    with pytest.raises(AttributeError, match=f"module '{package}' has no attribute 'nothing'"):
        _ = there.nothing


def test_a_misspelt_module_gets_the_nearest_name():
    with pytest.raises(AttributeError, match=r"no attribute 'gradient'; did you mean 'gradients'\?$"):
        _ = neuroep.gradient


def test_a_misspelt_name_gets_the_nearest_one():
    with pytest.raises(AttributeError, match=r"no attribute 'deplyo'; did you mean 'deploy'\?$"):
        _ = neuroep.deplyo


def test_what_is_offered_is_there_and_an_editor_sees_it():
    """``__all__``, ``__dir__``, the imports for type checkers and what is imported when asked for are one list."""
    tree = ast.parse((ROOT / "neuroep" / "__init__.py").read_text(encoding="utf-8"))
    typed = next(node for node in tree.body if isinstance(node, ast.If)).body
    imports = [node for node in typed if isinstance(node, ast.ImportFrom)]
    seen = {a.asname or a.name: (node.module, a.name) for node in imports for a in node.names}
    assert set(neuroep.__all__) == seen.keys() | {"__version__"} <= set(dir(neuroep))
    for name, (place, own) in seen.items():
        try:
            expected = getattr(importlib.import_module(place), own)
        except AttributeError:
            expected = importlib.import_module(f"{place}.{own}")
        assert getattr(neuroep, name) is expected


def test_the_version_is_said_once_and_the_changelog_begins_with_it() -> None:
    """It stands in ``neuroep/__init__.py``; pyproject.toml takes it from there."""
    page = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert page["project"]["dynamic"] == ["version"] and "version" not in page["project"]
    assert page["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "neuroep.__version__"}
    headings = re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert headings[0] == neuroep.__version__ and len(set(headings)) == len(headings)


def test_every_file_that_the_packages_hold_is_installed_with_them() -> None:
    """Setuptools takes modules by itself, anything else by the names that pyproject.toml gives."""
    page = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]["package-data"]
    taken = {path for name, each in page.items() for one in each for path in (ROOT / name.replace(".", "/")).glob(one)}
    made = {".py", ".pyc", ".nbi", ".nbc"}
    held = {path for top in PACKAGES for path in (ROOT / top).rglob("*") if path.is_file() and path.suffix not in made}
    assert {path for path in held if "__pycache__" not in path.parts} == taken
