"""The import graph: arrows go one way, from room to room, and no module is in a circle.

    analysis -> runs -> gradients -> engines -> {learning, network, data};   engines/chip -> hw_models
    presets -> chip -> laws -> kernels -> ground;   arrays -> {chip, laws, kernels};   periphery -> arrays

All imports count, those inside functions too; those for type checkers alone count as arrows, but close no circle. Only
the command line reaches up to analysis.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("hw_models", "neuroep", "analysis")
GROUND = {
    "hw_models.errors",
    "hw_models.kept_memory",
    "hw_models.keywords",
    "hw_models.lazy",
    "hw_models.reading",
    "hw_models.text",
    "hw_models.whole_files",
}
"""What needs nothing of the chips: every room may use it."""
ROOMS = {
    "hw_models.kernels": (),
    "hw_models.laws": ("hw_models.kernels",),
    "hw_models.components": (),
    "hw_models.chip": ("hw_models.laws", "hw_models.components"),
    "hw_models.presets": ("hw_models.chip",),
    "hw_models.clock": ("hw_models.tally",),
    "hw_models.durations": ("hw_models.chip", "hw_models.clock"),
    "hw_models.wear": (),
    "hw_models.arrays": ("hw_models.chip", "hw_models.tally", "hw_models.clock", "hw_models.wear"),
    "hw_models.periphery": ("hw_models.arrays",),
    "hw_models.tally": (),
    "hw_models.measured": ("hw_models.chip",),
    "hw_models.cost": ("hw_models.tally", "hw_models.chip", "hw_models.durations"),
    "hw_models.netlist": ("hw_models.arrays",),
    "neuroep.errors": (),
    "neuroep.randomness": ("hw_models.kernels",),
    "neuroep.network": ("neuroep.errors", "neuroep.randomness"),
    "neuroep.learning": ("neuroep.errors", "neuroep.randomness"),
    "neuroep.data": ("neuroep.errors", "neuroep.randomness"),
    "neuroep.engines": (
        "neuroep.learning", "neuroep.network", "neuroep.data", "hw_models.kernels", "hw_models.clock", "hw_models.wear",
    ),
    "neuroep.engines.chip": ("neuroep.engines", "hw_models.periphery", "hw_models.durations"),
    "neuroep.gradients": ("neuroep.engines",),
    "neuroep.runs": (
        "neuroep.gradients", "neuroep.engines.chip", "hw_models.presets", "hw_models.cost", "hw_models.netlist",
    ),
    "analysis": ("neuroep.runs", "hw_models.cost", "hw_models.measured"),
    "neuroep.cli": ("analysis",),
    "neuroep.__main__": ("neuroep.cli",),
    "neuroep": ("neuroep.runs",),
    "hw_models": ("hw_models.presets", "hw_models.periphery", "hw_models.cost", "hw_models.measured"),
}
"""Rooms by name, and the rooms they lean on; what these lean on is allowed too."""
EXCEPTIONS: Mapping[str, str] = {
    "hw_models.chip.files -> hw_models.presets": "a chip is asked for by the name of its preset: the reading of "
    "names belongs to the presets",
    "hw_models.chip.pages -> hw_models.presets": "the list of chips belongs to the presets, too",
    "neuroep.engines.engine -> neuroep.gradients.estimators": "calibration measures with an estimator, named for types",
    "neuroep.engines -> hw_models.chip": "signatures name the chip, for types",
    "neuroep.engines -> neuroep.engines.chip.substrate": "the one door at which a chip, or none, is asked for",
    "neuroep.engines -> neuroep.engines.chip.torch.substrate": "the same door, for tensors",
}
"""Arrows that the rooms do not allow, by what imports and what is imported, and why each is still there."""
CIRCLES: tuple[frozenset[str], ...] = ()
"""Circles that are still there."""


class Import(NamedTuple):
    """One import of a module of the three packages by another."""

    source: str
    target: str
    typing: bool
    """Whether it is for type checkers alone."""


@cache
def modules() -> dict[str, Path]:
    """Return the file of every module by its name."""
    found = {}
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            found[name.removesuffix(".__init__")] = path
    return found


def _nodes(node: ast.AST, typing: bool = False) -> Iterator[tuple[ast.AST, bool]]:
    """Yield all nodes below one, and whether they stand under ``if TYPE_CHECKING``."""
    for child in ast.iter_child_nodes(node):
        checks = isinstance(child, ast.If) and isinstance(child.test, ast.Name) and child.test.id == "TYPE_CHECKING"
        yield child, typing
        yield from _nodes(child, typing or checks)


def targets(node: ast.AST) -> Iterator[str]:
    """Yield the modules that a statement imports, as far as they are ours; the version of the package is no module."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names if alias.name in modules())
    elif isinstance(node, ast.ImportFrom) and node.module in modules():
        for alias in node.names:
            if alias.name == "__version__":
                continue
            inner = f"{node.module}.{alias.name}"
            yield inner if inner in modules() else str(node.module)


@cache
def imports() -> frozenset[Import]:
    """Return all imports of modules of ours."""
    found = set()
    for name, path in modules().items():
        for node, typing in _nodes(ast.parse(path.read_text(encoding="utf-8"))):
            assert not (isinstance(node, ast.ImportFrom) and node.level), f"{path}: a relative import is not seen here"
            found |= {Import(name, target, typing) for target in targets(node) if target != name}
    return frozenset(found)


def room(module: str) -> str:
    """Return the room of a module: the longest name that it begins with."""
    if module in GROUND:
        return "ground"
    return max((name for name in ROOMS if f"{module}.".startswith(f"{name}.")), key=len)


@cache
def reach(name: str) -> frozenset[str]:
    """Return the rooms that one may use."""
    return frozenset({"ground", name}).union(*(reach(below) for below in ROOMS[name]))


def violations(found: Iterable[Import]) -> set[str]:
    """Return imports that the rooms do not allow."""
    wrong = set()
    for source, target, typing in found:
        allowed = frozenset({"ground"}) if room(source) == "ground" else reach(room(source))
        names_for_an_editor = typing and source in PACKAGES
        if room(target) not in allowed and not names_for_an_editor:
            wrong.add(f"{source} -> {target}")
    return wrong


def circles(found: Iterable[Import]) -> set[frozenset[str]]:
    """Return the sets of modules that reach each other by imports at run time."""
    below: dict[str, set[str]] = {}
    for source, target, typing in found:
        if not typing:
            below.setdefault(source, set()).add(target)
    reached = {name: _reached(name, below) for name in below}
    groups = {frozenset({a} | {b for b in reached[a] if a in reached.get(b, ())}) for a in below if a in reached[a]}
    return groups


def _reached(name: str, below: Mapping[str, set[str]]) -> set[str]:
    """Return all modules that one imports, directly or not."""
    seen: set[str] = set()
    left = [name]
    while left:
        for target in below.get(left.pop(), ()):
            if target not in seen:
                seen.add(target)
                left.append(target)
    return seen


def test_every_module_has_a_room() -> None:
    assert len(modules()) > 150
    assert all(room(name) for name in modules())


def test_arrows_go_one_way() -> None:
    """A line too many here is an arrow that is gone: take it out of ``EXCEPTIONS``."""
    assert violations(imports()) == set(EXCEPTIONS)


def test_no_module_is_in_a_circle() -> None:
    assert circles(imports()) == set(CIRCLES)


def test_only_the_command_line_reaches_up_to_analysis() -> None:
    reaching = {i.source for i in imports() if room(i.target) == "analysis" and room(i.source) != "analysis"}
    assert reaching == {"neuroep.cli"}


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("hw_models.text", "hw_models.kernels.noise"),
        ("hw_models.kernels.noise", "hw_models.arrays.crossbar"),
        ("hw_models.arrays.crossbar", "neuroep.errors"),
        ("neuroep.network.builders", "neuroep.engines"),
        ("neuroep.data.loading", "neuroep.network"),
        ("neuroep.engines.numba.arrays", "hw_models.arrays.crossbar"),
        ("neuroep.engines.chip.arrays", "neuroep.gradients"),
        ("neuroep.gradients.estimators", "neuroep.runs.config"),
        ("neuroep.runs.training", "analysis.gradients"),
    ],
)
def test_an_arrow_that_goes_up_is_seen(source: str, target: str) -> None:
    for typing in (False, True):
        assert violations([Import(source, target, typing)]) == {f"{source} -> {target}"}


def test_a_circle_is_seen() -> None:
    ring = [Import("a", "b", False), Import("b", "c", False), Import("c", "a", False), Import("c", "d", False)]
    assert circles(ring) == {frozenset("abc")}
    assert circles([*ring[:2], Import("c", "a", True)]) == set()
