"""Every block of code in the documentation runs as it stands, each in a fresh process and a folder with a small run."""

from __future__ import annotations

import ast
import builtins
import inspect
import re
import shutil
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from tests.conftest import TINY
from tests.test_imports import PACKAGES, ROOT, modules

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(ROOT.glob("docs/*.md")), *ROOT.glob("docs/guides/*.md")]
ELSEWHERE = {
    "docs/clusters.md": "needs a cluster: its calls are checked, and tests/analysis/sweep/test_dask.py runs such",
    "analysis.demo": "takes minutes: tests/analysis/test_demo.py runs it with a smaller configuration",
}
"""Blocks that are not run here, and why."""
SMALLER = {
    "=3:8": "=3,4", "seeds=5": "seeds=1", "seeds=3)": "seeds=1, workers=1)", "seeds=3": "seeds=1",
    "seeds=10": "seeds=2, workers=1", "target=0.9": "target=0.9, workers=1", "read_noise=0,0.01": "read_noise=0.01",
    '"pcm", "hermes"': '"pcm"',
}  # fmt: skip
"""What makes a block cheap without another call."""
GIVEN = {
    "config": "neuroep.load_config('examples/configs/reviews.toml')",
    "weight": "__import__('numpy').random.default_rng(0).normal(0, 0.1, (100, 300)).astype('float32')",
    "x": "__import__('numpy').random.default_rng(1).normal(0, 1, (20, 300)).astype('float32')",
    "path": "__import__('pathlib').Path('some.bin')",
    "data": "b'some bytes'",
    "session": "neuroep.Session.open('runs/reviews', overrides=['--chip', 'hermes'])",
    "chip": "hw_models.presets.load('hermes')",
    "conductance": "[[*range(10, 40), *range(40, 9, -1)]]",
    "direction": "[1] * 30 + [-1] * 30",
    "tally": "hw_models.tally.Tally()",
}
"""What the text around a block has introduced."""
RUN = """
import importlib
import neuroep, analysis, hw_models
space = {"neuroep": neuroep, "analysis": analysis, "hw_models": hw_models}
for name, text in page["given"].items():
    space[name] = eval(text, dict(space))
for name in page["own"]:
    space[name] = vars(importlib.import_module(page["module"]))[name]
exec(compile(page["block"], page["module"], "exec"), space)
"""


class Block(NamedTuple):
    """A piece of code in a docstring or on a page; those of one page are one."""

    place: str
    """Module, or path of the page."""
    text: str

    @property
    def free(self) -> list[str]:
        """Names that it uses and neither makes nor imports."""
        nodes = list(ast.walk(ast.parse(self.text)))
        used = [node for node in nodes if isinstance(node, ast.Name)]
        imports = [alias for node in nodes if isinstance(node, ast.Import | ast.ImportFrom) for alias in node.names]
        made = {node.id for node in used if isinstance(node.ctx, ast.Store)}
        made |= {(alias.asname or alias.name).split(".")[0] for alias in imports}
        known = made | set(PACKAGES) | set(dir(builtins))
        return sorted({node.id for node in used} - known)


def in_docstrings(module: str, path: Path) -> Iterator[Block]:
    """Yield the indented blocks that are code with a call in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        text = node.value.value if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) else None
        clean = inspect.cleandoc(text) if isinstance(text, str) else ""
        for found in re.findall(r"(?:^|\n\n)((?: {4}.*\n?|\n)+)", clean):
            block = textwrap.dedent(found).strip("\n")
            try:
                tree = ast.parse(block)
            except SyntaxError:
                continue
            if any(isinstance(part, ast.Call) for part in ast.walk(tree)):
                yield Block(module, block)


def blocks() -> list[Block]:
    """Return all blocks of code of the documentation."""
    found = [block for module, path in sorted(modules().items()) for block in in_docstrings(module, path)]
    for page in PAGES:
        pieces = re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
        if pieces:
            found.append(Block(page.relative_to(ROOT).as_posix(), "\n".join(pieces)))
    return found


BLOCKS = blocks()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, trained: Path) -> Path:
    """A folder with what the documentation names: a configuration, a run, and one that was trained on a chip."""
    from neuroep.runs import config, directory, training

    folder = tmp_path_factory.mktemp("documentation")
    (folder / "examples" / "configs").mkdir(parents=True)
    (folder / "examples" / "configs" / "reviews.toml").write_text(TINY)
    shutil.copytree(trained, folder / "runs" / "reviews")
    weights = directory.load(trained).checkpoint().parameters.items()
    np.savez(folder / "mine.npz", **{name.replace("dense_1", "fc1"): value for name, value in weights})
    settings = config.load(trained.parent / "tiny.toml", ["--chip", "pcm", "--epochs", "1"])
    training.train(settings, folder / "runs" / "pcm", progress=False)
    return folder


def within(block: Block, other: Block) -> bool:
    """Tell whether all lines of a block stand in a longer one, and mean the same there."""
    longer = f"\n{block.text}\n" in f"\n{other.text}\n" and block.text != other.text
    return longer and set(block.free) <= GIVEN.keys() & set(other.free)


RUNNING = list({block.text: block for block in BLOCKS if block.place not in ELSEWHERE}.values())
RUNNING = [block for block in RUNNING if not any(within(block, other) for other in RUNNING)]
"""What stands in two places runs once."""


@pytest.mark.parametrize("block", RUNNING, ids=[f"{number} {block.place}" for number, block in enumerate(RUNNING)])
def test_a_block_of_code_runs_as_it_stands(block: Block, place: Path, tmp_path: Path, fresh) -> None:
    here = tmp_path / "here"
    shutil.copytree(place, here)
    if "neuroep.train(" in block.text:
        shutil.rmtree(here / "runs" / "reviews")
    text = block.text
    for long, short in SMALLER.items():
        text = text.replace(long, short)
    own = [name for name in block.free if name not in GIVEN]
    page = {"module": block.place, "block": text, "own": own}
    page["given"] = {name: GIVEN[name] for name in block.free if name in GIVEN}
    ended = fresh.run(RUN, page, here)
    assert ended.code == 0, ended.err


@pytest.mark.parametrize("place", ELSEWHERE)
def test_calls_of_what_runs_elsewhere_fit_the_signatures(place: str) -> None:
    from analysis import demo
    from analysis.sweep import runner

    known = {"run": runner.run, "analysis.demo.run": demo.run, "runner.run": runner.run}
    text = next(block.text for block in BLOCKS if block.place == place)
    calls = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call)]
    fitting = [call for call in calls if ast.unparse(call.func) in known]
    assert fitting
    for call in fitting:
        named = {keyword.arg: None for keyword in call.keywords if keyword.arg is not None}
        inspect.signature(known[ast.unparse(call.func)]).bind(*call.args, **named)


def test_the_documentation_has_such_blocks() -> None:
    places = {"neuroep", "neuroep.runs.session", "README.md", "docs/start.md", "docs/guides/chip.md", *ELSEWHERE}
    assert places <= {block.place for block in BLOCKS}
    assert len(BLOCKS) > 15


@pytest.mark.parametrize("example", sorted(ROOT.glob("examples/[0-9]*.py")), ids=lambda path: path.stem)
def test_an_example_imports_what_is_there(example: Path, fresh) -> None:
    """Their calls are those of tests/test_examples.py."""
    lines = [ast.unparse(n) for n in ast.parse(example.read_text()).body if isinstance(n, ast.Import | ast.ImportFrom)]
    ended = fresh.run("\n".join(lines))
    assert ended.code == 0, ended.err
