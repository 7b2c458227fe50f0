"""The cache of compiled kernels: damage, places that cannot be written, neighbours, changed sources."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numba
import pytest

from tests.fresh import Fresh

pytestmark = pytest.mark.skipif(bool(numba.config.DISABLE_JIT), reason="about compiled kernels")
ROOT = Path(__file__).resolve().parents[3]
KERNELS = """
from hw_models.kernels.compiling import kernel
from helper import times
from constants import FACTOR

@kernel
def twice(x):
    return times(x) + FACTOR
"""
HELPER = """
from hw_models.kernels.compiling import kernel

@kernel
def times(x):
    return 2 * x
"""
USE = """
import kernels
print(kernels.twice(4), kernels.twice(0.5), sum(kernels.twice.stats.cache_hits.values()))
"""


@pytest.fixture
def project(tmp_path):
    """A project of two folders with kernels and a constant."""
    home = tmp_path / "project"
    home.mkdir()
    (home / "kernels.py").write_text(KERNELS)
    (home / "below").mkdir()
    (home / "below/helper.py").write_text(HELPER)
    (home / "constants.py").write_text("FACTOR = 1\n")
    return home


def paths(home: Path) -> str:
    """Where Python finds the project and the package."""
    return os.pathsep.join([str(home), str(home / "below"), str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])


SETTLED = """
import os, sys
from numba.core import config
os.environ |= page["variables"]
config.reload_config()
sys.path[:0] = page["paths"].split(os.pathsep)
# Source files change within one second here: no byte code that goes by their times.
sys.dont_write_bytecode, sys.pycache_prefix = True, None
exec(page["code"])
"""


@pytest.fixture
def run(fresh: Fresh) -> Callable[..., tuple[str, str]]:
    """Run code in a process that compiled nothing, ``run(home, NUMBA_BOUNDSCHECK=1)``: its output, and what it said."""

    def ended(home: Path, code: str = USE, **variables: object) -> tuple[str, str]:
        given = {name: str(value) for name, value in variables.items()}
        done = fresh.run(SETTLED, {"paths": paths(home), "variables": given, "code": code})
        assert done.code == 0, done.err
        return done.out.strip(), done.err.strip()

    return ended


def files(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.nbc"))


def test_code_is_kept_and_found_again(run, project, tmp_path):
    assert run(project, NUMBA_CACHE_DIR=tmp_path / "cache") == ("9 2.0 0", "")
    assert run(project, NUMBA_CACHE_DIR=tmp_path / "cache") == ("9 2.0 2", "")
    assert len(files(tmp_path / "cache")) == 4


def test_without_a_wish_it_lies_beside_the_source(run, project):
    assert run(project, NUMBA_CACHE_DIR="") == ("9 2.0 0", "")
    assert len(files(project / "__pycache__")) == len(files(project / "below/__pycache__")) == 2
    assert run(project, NUMBA_CACHE_DIR="") == ("9 2.0 2", "")


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[:100],
        lambda data: b"",
        lambda data: data[:-1],
        lambda data: data[:5000] + bytes([data[5000] ^ 1]) + data[5001:],
        lambda data: b"\0" * len(data),
        lambda data: data + b"more",
    ],
    ids=["cut", "empty", "one byte short", "one bit", "zeros", "longer"],
)
def test_damaged_code_is_compiled_again_and_one_line_names_the_folder(run, project, tmp_path, damage):
    """Before: UnpicklingError at every start; a bit in the machine code ran as it was."""
    run(project, NUMBA_CACHE_DIR=tmp_path / "cache")
    for path in files(tmp_path / "cache"):
        path.write_bytes(damage(path.read_bytes()))
    out, said = run(project, NUMBA_CACHE_DIR=tmp_path / "cache")
    assert out == "9 2.0 0"
    assert said.count("\n") == 0 and str(tmp_path / "cache") in said and "compiled again" in said
    assert run(project, NUMBA_CACHE_DIR=tmp_path / "cache") == ("9 2.0 2", "")


@pytest.mark.parametrize("kind", ["a file", "a folder of it is a file", "no such device"])
def test_where_nothing_can_be_written_kernels_are_compiled_in_memory_and_it_is_said_once(run, project, tmp_path, kind):
    """Before: RuntimeError 'cannot cache function' while a module was imported."""
    (tmp_path / "file").write_text("")
    place = {"a file": tmp_path / "file", "a folder of it is a file": tmp_path / "file/below"}
    out, said = run(project, NUMBA_CACHE_DIR=place.get(kind, "/proc/no"))
    assert out == "9 2.0 0"
    assert said.count("\n") == 0 and "cannot be kept" in said and "set NUMBA_CACHE_DIR" in said


def unprivileged() -> list[str]:
    """A command without root's right to write everywhere; empty for others, who have none."""
    if os.getuid():
        return []
    rights = "-dac_override,-dac_read_search,-fowner"
    return ["setpriv", f"--bounding-set={rights}", f"--inh-caps={rights}"]


@pytest.mark.parametrize("full", [False, True], ids=["empty", "full"])
def test_neither_source_nor_home_can_be_written(run, project, tmp_path, full):
    """A full cache is read all the same."""
    command = unprivileged()
    if command and subprocess.run([*command, "true"], capture_output=True).returncode:
        pytest.skip("no setpriv here")
    home = tmp_path / "home"
    home.mkdir()
    if full:
        run(project, NUMBA_CACHE_DIR="")
    for path in [project, *project.rglob("*"), home]:
        path.chmod(path.stat().st_mode & ~0o222)
    kept = {"PATH": os.environ["PATH"], "PYTHONPATH": paths(project), "HOME": str(home), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run([*command, sys.executable, "-c", USE], env=kept, capture_output=True, text=True)
    for path in [project, *project.rglob("*"), home]:
        path.chmod(0o755)
    assert done.stdout.strip() == ("9 2.0 2" if full else "9 2.0 0"), done.stderr
    assert ("set NUMBA_CACHE_DIR" in done.stderr) == (not full)


@pytest.mark.parametrize(
    ("file", "text", "wanted"),
    [
        ("below/helper.py", HELPER.replace("2 *", "3 *"), "13 2.5 0"),
        ("constants.py", "FACTOR = 10\n", "18 11.0 0"),
        ("kernels.py", KERNELS.replace("+ FACTOR", "- FACTOR"), "7 0.0 0"),
    ],
    ids=["a callee in another file", "a constant in another file", "the kernel"],
)
def test_changed_sources_are_seen(run, project, tmp_path, file, text, wanted):
    """Before: a callee or a constant in another file kept its old value."""
    run(project, NUMBA_CACHE_DIR=tmp_path / "cache")
    (project / file).write_text(text)
    assert run(project, NUMBA_CACHE_DIR=tmp_path / "cache")[0] == wanted


def test_code_with_and_without_checks_of_bounds_is_not_mixed_up(run, project, tmp_path):
    """Before: with NUMBA_BOUNDSCHECK=1 unchecked code came from the cache."""
    run(project, NUMBA_CACHE_DIR=tmp_path / "cache")
    assert run(project, NUMBA_CACHE_DIR=tmp_path / "cache", NUMBA_BOUNDSCHECK=1)[0] == "9 2.0 0"
    assert run(project, NUMBA_CACHE_DIR=tmp_path / "cache")[0] == "9 2.0 2"


def test_code_for_another_processor_is_not_used_and_stays(run, project, tmp_path):
    run(project, NUMBA_CACHE_DIR=tmp_path / "cache")
    other = {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": ""}
    assert run(project, NUMBA_CACHE_DIR=tmp_path / "cache", **other)[0] == "9 2.0 0"
    assert run(project, NUMBA_CACHE_DIR=tmp_path / "cache", **other)[0] == "9 2.0 2"
    assert run(project, NUMBA_CACHE_DIR=tmp_path / "cache")[0] == "9 2.0 2"


def test_two_processes_that_compile_other_types_at_once_keep_both(run, project, tmp_path):
    """Numba's index of numbered files: both write number 1, and the index names one of them."""
    code = "import kernels, sys, time; time.sleep(max(0, {0} - time.time())); print(kernels.twice({1}))"
    environment = {**os.environ, "PYTHONPATH": paths(project), "NUMBA_CACHE_DIR": str(tmp_path / "cache")}
    begin = time.time() + 2
    started = [
        subprocess.Popen([sys.executable, "-c", code.format(begin, value)], env=environment, stdout=subprocess.PIPE)
        for value in ("4", "0.5")
    ]
    assert [each.communicate()[0] for each in started] == [b"9\n", b"2.0\n"]
    assert run(project, NUMBA_CACHE_DIR=tmp_path / "cache") == ("9 2.0 2", "")
