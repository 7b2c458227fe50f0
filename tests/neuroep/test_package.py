"""What the documentation names exists."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

import neuroep

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *ROOT.glob("neuroep/**/*.py"), *ROOT.glob("analysis/*.py"), *ROOT.glob("examples/*.py")]
NAME = re.compile(r"(?<![\w.])neuroep((?:\.[A-Za-z_]\w*)+)\(")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_calls_in_the_documentation_resolve(page):
    for found in NAME.finditer(page.read_text(encoding="utf-8")):
        thing = neuroep
        for part in found[1].split(".")[1:]:
            thing = getattr(thing, part)
        assert callable(thing), found[0]


def test_every_listed_module_is_there():
    for name in neuroep.__all__[1:]:
        assert getattr(neuroep, name) is importlib.import_module(f"neuroep.{name}")
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = neuroep.nothing
