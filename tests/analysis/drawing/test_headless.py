"""Pictures of a folder need no display, no backend, and nothing of a user's settings of matplotlib."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
CODE = """\
import sys
from pathlib import Path
from analysis.drawing import style
with style.own_look():
    ax = style.axes(None)
    ax.plot([1, 2, 3], label="a")
    style.save(style.dress(ax, x="x", y="accuracy [%]"), Path(sys.argv[1]))
"""
PLAIN = {name: value for name, value in os.environ.items() if name not in ("MPLBACKEND", "MATPLOTLIBRC", "DISPLAY")}


def drawn(folder: Path, rc: bytes = b"", **environment: str) -> tuple[bytes, str]:
    """Return the picture that a process draws, and what it says."""
    (folder / "matplotlibrc").write_bytes(rc)
    given = {**PLAIN, "PYTHONPATH": str(ROOT), **environment}
    command = [sys.executable, "-c", CODE, "a.png"]
    found = subprocess.run(command, cwd=folder, env=given, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr
    return (folder / "a.png").read_bytes(), found.stderr


@pytest.fixture(scope="module")
def plain(tmp_path_factory) -> bytes:
    return drawn(tmp_path_factory.mktemp("plain"))[0]


@pytest.mark.parametrize("backend", ["TkAgg", "nonsense", "module://matplotlib_inline.backend_inline", "module://no.such"])
def test_an_inherited_backend_is_not_needed(tmp_path, plain, backend):
    """Before, one that is not there ended in a traceback as matplotlib was imported."""
    assert drawn(tmp_path, MPLBACKEND=backend)[0] == plain


@pytest.mark.parametrize(
    "rc", [b"backend: TkAgg", b"text.usetex: True", b"figure.facecolor: black\nlines.linewidth: 9"]
)
def test_settings_of_a_user_change_no_picture(tmp_path, plain, rc):
    """Before, TeX was asked for and not found, and lines were as thick as the user's."""
    assert drawn(tmp_path, rc)[0] == plain


def test_settings_that_cannot_be_read(tmp_path, plain):
    (tmp_path / "broken").write_bytes(b"\xff\xfe")
    assert drawn(tmp_path, b"lines.linewidth: 9", MPLBACKEND="nonsense")[0] == plain
    (tmp_path / "matplotlibrc").unlink()
    given = {**PLAIN, "PYTHONPATH": str(ROOT), "MATPLOTLIBRC": str(tmp_path / "broken")}
    subprocess.run([sys.executable, "-c", CODE, "a.png"], cwd=tmp_path, env=given, capture_output=True, check=True)
    assert (tmp_path / "a.png").read_bytes() == plain


def test_a_backend_that_is_known_stays_the_users(tmp_path):
    code = "import analysis.pictures, os, matplotlib as m; print(m.rcParams._get('backend'), os.environ['MPLBACKEND'])"
    environment = {**PLAIN, "PYTHONPATH": str(ROOT), "MPLBACKEND": "svg"}
    found = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["svg", "svg"]
