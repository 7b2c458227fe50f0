"""Compiled kernels: the decorator that all of them use, and the same bits from a cold and a warm cache.

    @kernel
    def add(x, out): ...

is Numba's ``njit`` without the GIL and with the cache of :mod:`hw_models.kernels.cache`.

A function that another kernel calls exists as machine code more than once: in its own file of the cache, and, optimised
once more, in that of each caller. Which copy runs depends on what was loaded first. Both give the same bits only where
the optimiser may not change values. So a function that kernels call carries no ``fastmath``, or is
``inline="always"`` and takes the flags of its caller; one that only Python calls may carry :data:`VECTOR`. What the
flags were for can be had by name: :func:`fma` rounds a multiply-add once, and a sum over fixed lanes vectorises.
:func:`bit_count` is the processor's instruction where it has one, and :func:`wide` asks for whole vectors.

A callee without flags that a loop needs to vectorise is ``forceinline=True``: LLVM writes its code into the loop, once
its types are known. With ``inline="always"`` Numba does, call by call and before it looks for types: the same machine
code takes half as long again to compile.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from types import FunctionType
from typing import Any, cast

import numba
from llvmlite.ir import IRBuilder
from numba.core import types
from numba.core.base import BaseContext
from numba.extending import intrinsic

from hw_models.kernels.cache import KernelCache

_numba: Any = numba.config
__all__ = ["VECTOR", "bit_count", "bound", "fma", "kernel", "unbound", "wide", "written_out"]

VECTOR = frozenset({"contract", "reassoc", "nsz", "arcp", "afn"})
"""Fast-math flags under which checks for NaN survive; for kernels that no kernel calls."""


def kernel(function: Callable[..., Any] | None = None, **options: Any) -> Any:
    """Compile a function at its first call with each combination of types; it runs without the GIL.

    Parameters
    ----------
    function : callable
        Of a module, not nested in another function.
    **options
        Of ``numba.njit``: ``fastmath``, ``error_model``, ``inline``, ``forceinline``.
    """
    if function is None:
        return partial(kernel, **options)
    # Unset, both would be taken over from whichever caller is the first to have the function compiled.
    options = {"error_model": "python", **options, "fastmath": set(options.get("fastmath", ())) or False}
    # No one calls kernels through pointers of C: a wrapper for that takes an eighth of the time to compile.
    how: dict[str, Any] = {"nogil": True, "no_cfunc_wrapper": True}
    compiled: Any = numba.njit(**how, **options)(function)
    if not _numba.DISABLE_JIT:
        about = {**options, "fastmath": sorted(options["fastmath"] or ())}
        compiled._cache = KernelCache(function, repr(sorted(about.items())))
    return compiled


def unbound(*given: object) -> object:
    """Stand for a function that :func:`bound` fills in."""
    raise TypeError("this name of a kernel is filled in where it is compiled")


def bound(function: Callable[..., Any], kind: str, /, **names: Any) -> Callable[..., Any]:
    """Return a copy of a function in which some global names stand for something else.

    Parameters
    ----------
    function : callable
        Of a module, not compiled.
    kind : str
        What the copy is for: it becomes part of its name, as no two kernels in the cache may share one.
    **names
        Global names of the function, and what they stand for in the copy.
    """
    if not isinstance(function, FunctionType):
        raise TypeError(f"{function!r} is no plain function")
    made = FunctionType(function.__code__, {**function.__globals__, **names}, function.__name__)
    made.__module__, made.__doc__ = function.__module__, function.__doc__
    made.__qualname__ = f"{function.__qualname__}-{kind}" if kind else function.__qualname__
    return made


@cache
def written_out(function: Callable[..., Any], flagged: bool = False) -> Any:
    """Compile a plain function, and those of this project that it calls, to be written out wherever it is called.

    So laws of devices are written where no compiler is loaded.

    Parameters
    ----------
    function : callable
        Of a module, not compiled.
    flagged : bool
        Whether it takes the fast-math flags of its caller.
    """
    package, calls = function.__module__.partition(".")[0], {}
    for name in function.__code__.co_names:
        value = function.__globals__.get(name)
        if isinstance(value, FunctionType) and value.__module__.partition(".")[0] == package:
            calls[name] = written_out(value, flagged)
    how: dict[str, object] = {"inline": "always"} if flagged else {"forceinline": True}
    return kernel(bound(function, "", **calls), error_model="numpy", **how)


def _multiply_add(a: Any, b: Any, c: Any) -> Any:
    """Return ``a b + c`` of floating-point scalars of one type, rounded once; twice for double precision."""
    return type(a)(float(a) * float(b) + float(c))


@intrinsic
def _fused(context: Any, a: Any, b: Any, c: Any) -> Any:
    """Return ``a b + c`` of floating-point scalars of one type, rounded once."""
    if not (isinstance(a, types.Float) and a == b == c):
        return None
    return a(a, a, a), lambda context, builder, signature, values: builder.fma(*values)


fma: Any = _multiply_add if _numba.DISABLE_JIT else _fused


def _ones(bits: Any) -> Any:
    """Return how many bits of a whole number without sign are set, in its type."""
    return type(bits)(int(bits).bit_count())


@intrinsic
def _counted(context: Any, bits: Any) -> Any:
    """Return how many bits of a whole number without sign are set, in its type."""
    if not isinstance(bits, types.Integer) or bits in types.signed_domain:
        return None
    return bits(bits), lambda context, builder, signature, values: builder.ctpop(values[0])


bit_count: Any = _ones if _numba.DISABLE_JIT else _counted


def _nothing() -> None:
    """Do nothing."""


@intrinsic
def _whole_vectors(context: object) -> object:
    """Have the loops of the function that calls this use vectors of 512 bits, where the processor has them.

    For Intel's processors LLVM takes half of that, as the first ones with AVX-512 slowed down by it; a normal number
    takes a fifth longer so. Element by element the results are the same.
    """

    def written(context: BaseContext, builder: IRBuilder, signature: object, values: object) -> object:
        # llvmlite's own check knows attributes without a value alone.
        set.add(builder.function.attributes, '"prefer-vector-width"="512"')
        return context.get_dummy_value()

    return types.none(), written


wide = _nothing if _numba.DISABLE_JIT else cast(Callable[[], None], _whole_vectors)
