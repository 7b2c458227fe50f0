"""All kernels of the project: the same bits from an empty and from a full cache, in whatever order they are loaded.

A kernel that another kernel calls exists as machine code in its own file and in that of each caller, optimised once
more; see :mod:`hw_models.kernels.compiling`. Fast-math flags on it let the copies round differently.
"""

from __future__ import annotations

import json
import os
import pickle
import re
import subprocess
import sys
from pathlib import Path

import llvmlite.binding
import numba
import pytest

from hw_models.kernels import cache as kernel_cache
from tests import kernel_cases

pytestmark = pytest.mark.skipif(bool(numba.config.DISABLE_JIT), reason="about compiled kernels")
ROOT = Path(__file__).resolve().parents[1]
FLAGGED = re.compile(r"\b(reassoc|contract|arcp|afn|nsz|fast) (?!f?math)")
HARMLESS = "ol_raise_with_shape"
"""Of Numba: it writes numbers into the text of an error."""
HEADER = len(kernel_cache.FORMAT) + kernel_cache.DIGEST


def callees(kernel):
    """Names of all kernels that one reaches."""
    reached: dict = {}
    kernel_cache._reach(kernel.py_func, reached)
    return {f"{f.__module__}.{f.__qualname__}" for f in reached if f is not kernel.py_func}


@pytest.fixture(scope="module")
def kernels():
    return kernel_cases.kernels()


@pytest.fixture(scope="module")
def called(kernels):
    return set().union(*map(callees, kernels.values())) & set(kernels)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("kernels")


def keep(folder: Path, kernels: dict) -> None:
    """Put machine code that was made here where it is looked for otherwise: a new checkout compiles it once."""
    for source in {each.py_func.__code__.co_filename for each in kernels.values()}:
        made, wanted = (kernel_cache.folders(source, place)[0] for place in (str(folder), numba.config.CACHE_DIR))
        for path in made.glob("*.nbc"):
            if not (wanted / path.name).exists():
                kernel_cache._write(wanted, path.name, path.read_bytes())


def printed(running: subprocess.Popen[str], wait: float = 2.0) -> tuple[str, str] | None:
    """Return what a process printed, or None if it has not ended after so many seconds."""
    try:
        return running.communicate(timeout=wait)
    except subprocess.TimeoutExpired:
        return None


@pytest.fixture(scope="module")
def found(folder, kernels):
    """What three processes printed: with an empty cache, with a full one, and with a full one in reverse."""
    paths = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = {**os.environ, "PYTHONPATH": paths, "NUMBA_CACHE_DIR": str(folder)}
    runs = []
    for way in ("", "", "reverse"):
        command = [sys.executable, str(ROOT / "tests/kernel_cases.py"), *filter(None, [way])]
        pipe = subprocess.PIPE
        with subprocess.Popen(command, env=environment, stdout=pipe, stderr=pipe, text=True) as running:
            while (said := printed(running)) is None:
                if not runs:
                    keep(folder, kernels)  # others want it before all is compiled
        if not runs:
            keep(folder, kernels)
        assert (running.returncode, said[1]) == (0, "")
        runs.append(json.loads(said[0]))
    return runs


@pytest.mark.parametrize("other", [1, 2], ids=["full cache", "other order"])
def test_bits_do_not_depend_on_the_cache(found, other):
    """Before: 'exponential expected' and 'power expected' differed, 37 % of the weights of a pulsed chip by an ulp."""
    assert [name for name, bits in found[0]["bits"].items() if found[other]["bits"][name] != bits] == []


def test_every_kernel_ran(found, kernels, called):
    """A new kernel needs a case in tests/kernel_cases.py."""
    assert sorted(set(kernels) - called - set(found[1]["ran"])) == []


def test_kernels_that_kernels_call_are_strict(kernels, called):
    loose = [name for name in called if kernels[name].targetoptions.get("fastmath")]
    assert [name for name in loose if kernels[name].targetoptions.get("inline") != "always"] == []


def test_no_copy_of_a_callee_has_fast_math_flags(found, folder):
    """In the code itself: of all functions in a kernel's module, its own alone may be flagged.

    Functions of Numba, such as ``max`` of an array, take over the flags of the kernel that calls them first.
    """
    files = list(folder.rglob("*.nbc"))
    assert len(files) > 50
    flagged = set()
    for path in files:
        _, (library, description, *_) = pickle.loads(path.read_bytes()[HEADER:])
        module = llvmlite.binding.parse_bitcode(library[2][1])
        for function in module.functions:
            own = function.name in (description.mangled_name, description.llvm_cpython_wrapper_name)
            if not own and HARMLESS not in function.name and FLAGGED.search(str(function)):
                flagged.add(f"{path.name}: {function.name}")
    assert flagged == set()


def test_no_kernel_is_compiled_for_arrays_that_cannot_be_written(folder, found):
    """A view made by ``broadcast_to`` had every loop of every pulse response compiled a second time."""
    twice = set()
    for path in folder.rglob("*.nbc"):
        (types, *_), _ = pickle.loads(path.read_bytes()[HEADER:])
        if re.search("readonly|, True, aligned", str(types)):
            twice.add(path.name)
    assert twice == set()


def test_every_kernel_has_the_cache_that_tolerates_damage(kernels):
    assert [name for name, each in kernels.items() if not isinstance(each._cache, kernel_cache.KernelCache)] == []
