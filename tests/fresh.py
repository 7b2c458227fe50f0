"""Processes in which nothing of this project but its three bare packages is imported.

They are forks of one that has loaded what the packages import of others: that is the same to all of them, and takes
most of the seconds that a process takes to start.
"""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("neuroep", "analysis", "hw_models")
PATIENCE = 500
"""Longest life of a process [s]."""
PARENT = """
import importlib, json, os, signal, sys, traceback
import neuroep, analysis, hw_models

def ours():
    return [name for name in sys.modules if name.partition(".")[0] in ("neuroep", "analysis", "hw_models")]

assert not {"torch", "numba", "numpy", "pydantic"} & set(sys.modules)
loaded = ours()
libraries, bytecode = json.loads(sys.stdin.readline())
for name in libraries:
    importlib.import_module(name)
assert ours() == loaded
sys.pycache_prefix, sys.dont_write_bytecode = bytecode, False
for line in sys.stdin:
    asked = json.loads(line)
    child = os.fork()
    if not child:
        signal.alarm(asked["patience"])
        os.chdir(asked["folder"])
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        for stream in (1, 2):
            os.dup2(os.open(asked["written"] + str(stream), os.O_WRONLY | os.O_CREAT | os.O_TRUNC), stream)
        code = 1
        try:
            exec(compile(asked["code"], "<fresh>", "exec"), {"__name__": "__main__", "page": asked["page"]})
            code = 0
        except BaseException:
            traceback.print_exc()
        sys.stdout.flush(), sys.stderr.flush(), os._exit(code)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""
"""Code of a request runs in a child; the parent tells its exit code. To take libraries down takes seconds."""


def libraries() -> list[str]:
    """Return every module of others that the packages import as they are imported themselves, where it is there."""
    found = set()
    for path in (path for package in PACKAGES for path in (ROOT / package).rglob("*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            names = [each.name for each in node.names] if isinstance(node, ast.Import) else []
            found |= {*names, node.module} if isinstance(node, ast.ImportFrom) else {*names}
    others = {name.partition(".")[0] for name in found} - {*PACKAGES, "__future__"}
    there = {name for name in others if find_spec(name) is not None}  # Triton comes with PyTorch for CUDA alone
    return sorted(name for name in found if name.partition(".")[0] in there)


class Ended(NamedTuple):
    """What a process left."""

    code: int
    out: str
    err: str


class Fresh:
    """Runs code in fresh processes, one after the other.

    Parameters
    ----------
    folder : Path
        For byte code, so that a source is parsed once, and for what is written.
    """

    def __init__(self, folder: Path) -> None:
        paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
        environment, pipe = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}, subprocess.PIPE
        command = [sys.executable, "-c", PARENT]
        self._parent = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=environment)
        self._written = str(folder / "written")
        self._say([libraries(), str(folder / "bytecode")])

    def run(self, code: str, page: Any = None, folder: Path = ROOT) -> Ended:
        """Run code that finds ``page`` under this name, in a folder."""
        asked = {"code": code, "page": page, "folder": str(folder), "written": self._written}
        self._say(asked | {"patience": PATIENCE})
        assert self._parent.stdout is not None
        code = int(self._parent.stdout.readline())
        return Ended(code, *(Path(self._written + stream).read_text() for stream in "12"))

    def close(self) -> None:
        """End the parent."""
        self._parent.kill()
        self._parent.communicate()

    def _say(self, value: Any) -> None:
        assert self._parent.stdin is not None
        self._parent.stdin.write(json.dumps(value) + "\n")
        self._parent.stdin.flush()
