"""Arrows go one way: hw_models <- neuroep <- analysis; only the command line reaches up, and lazily."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FORBIDDEN = {"hw_models": {"neuroep", "analysis"}, "neuroep": {"analysis"}}


def imported(path: Path) -> set[str]:
    """Return the top packages that a file imports anywhere."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.split(".")[0])
    return found


@pytest.mark.parametrize("package", FORBIDDEN)
def test_no_package_reaches_up(package: str) -> None:
    files = list((ROOT / package).rglob("*.py"))
    assert files
    reaching = [path.name for path in files if imported(path) & FORBIDDEN[package]]
    assert reaching == (["cli.py"] if package == "neuroep" else [])
