"""Notebooks as pages: scripts in jupytext's percent format, whose cells begin with ``# %%``.

Cells of Markdown become text, cells of code a box; each ends in a picture that the script itself draws.
"""

from __future__ import annotations

import contextlib
import io
import re
import runpy
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from site_pages import markdown

FOLDER = Path(__file__).parents[2] / "examples" / "notebooks"
NOTEBOOKS: Mapping[str, str] = {
    "first_chip": "Accuracy against the mismatch of devices, a band of one standard deviation over chips",
    "measured_device": "Measured pulse curves and those of devices of the fit, mean steps and noise by state",
    "between_phases": "Cosine of a gradient with the ideal one by size of an error, frozen or drawn anew",
    "in_memory_rules": "Test accuracy by epoch of four rules that learn by pulses on the same devices",
    "energy": "Energy of a classification by bits of the ADC, its parts as shares of each bar",
}
"""Names of the scripts in the order in which they are read, and what the picture of each shows."""
CELL = re.compile(r"^# %%(?: \[(markdown)\])?[ \t]*\n", re.MULTILINE)
PREFIX = "notebook-"
"""Of the names of their pictures."""
INDEX = """# Notebooks

Each is one short script: cells of text, and cells of code that run from top to bottom. Data come with the toolkit, and
no network is needed.

```console
python examples/notebooks/first_chip.py                       # as a script: prints, and draws into runs/notebooks
NEUROEP_FAST=1 python examples/notebooks/first_chip.py        # a few seconds, with few samples
pip install jupytext notebook
jupytext --to ipynb examples/notebooks/*.py                   # as notebooks of Jupyter
```

With the extension of jupytext, Jupyter opens the scripts as they are: "Open With", "Notebook". VS Code, PyCharm and
Spyder know cells that begin with `# %%` by themselves. Pictures on these pages are drawn by the scripts when the site
is built. Numbers in the text are of one run each, with its seed and machine beside them.
"""


def pages() -> Iterator[tuple[str, str]]:
    """Yield path and text of the page of every notebook, and of their list."""
    tree = "\n".join(NOTEBOOKS)
    yield "notebooks/index.md", f"{INDEX}\n```{{toctree}}\n:maxdepth: 1\n\n{tree}\n```\n"
    for name in NOTEBOOKS:
        yield f"notebooks/{name}.md", page(name)


def source(name: str) -> str:
    """Return the script of a notebook."""
    return (FOLDER / f"{name}.py").read_text(encoding="utf-8")


def cells(script: str) -> Iterator[tuple[bool, str]]:
    """Yield the cells of a script: whether one is text, and what it holds."""
    _, *parts = CELL.split(script)
    for kind, body in zip(parts[::2], parts[1::2], strict=True):
        told = kind == "markdown"
        yield told, (re.sub(r"^# ?", "", body, flags=re.MULTILINE) if told else body).strip()


def page(name: str) -> str:
    """Return the page of a notebook: its cells, and its picture below the cell that saves it."""
    parts = []
    for words, body in cells(source(name)):
        parts.append(body.replace("(../../docs/", "(../../") if words else markdown.fenced(body, "python"))
        if not words and f'"{name}.png"' in body:
            told = NOTEBOOKS[name]
            parts.append(f"```{{figure}} ../pictures/{PREFIX}{name}.png\n:alt: {told}\n\n{told}.\n```")
    script = f"examples/notebooks/{name}.py"
    return "\n\n".join([*parts, f"*This page is the script `{script}`.*"]) + "\n"


def draw(name: str, path: Path) -> None:
    """Run a notebook whole in a folder of its own, and keep its picture."""
    with (
        tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder), contextlib.redirect_stdout(io.StringIO()),
    ):  # fmt: skip
        runpy.run_path(str(FOLDER / f"{name}.py"))
        shutil.copy(Path("runs") / "notebooks" / f"{name}.png", path)
