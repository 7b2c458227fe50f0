"""What the command line writes to: streams that may be closed, full, or unable to show a letter.

A process may start without standard streams (``2>&-``): Python then has None for them, and the next file that is opened
takes their number, so that whatever writes to standard error writes into it. Here they are closed for good.
"""

from __future__ import annotations

import errno
import io
import logging
import os
import shutil
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from hw_models.text import lined, one_line, plain

OUTPUT = "standard output"
_gone: set[str] = set()
"""Standard streams without which the process was started."""


def say(text: object, end: str = "\n", flush: bool = False) -> None:
    """Print text without control characters but line ends and tabs.

    Raises
    ------
    OSError
        If it cannot be written, naming standard output; of a pipe that nobody reads ``BrokenPipeError``.
    """
    with _written():
        print(plain(text, keep="\n\t"), end=end, flush=flush)


def width() -> int | None:
    """Return how many letters a line of the terminal holds; None where output goes to a file or another program."""
    return shutil.get_terminal_size().columns if sys.stdout is not None and sys.stdout.isatty() else None


@contextmanager
def _written() -> Iterator[None]:
    """Let an error say that it is standard output which could not be written."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OSError(error.errno, error.strerror or str(error), OUTPUT) from None


def check_output() -> None:
    """Refuse to work for a result that nobody can see.

    Raises
    ------
    OSError
        If the process was started without a standard output.
    """
    if "stdout" in _gone:
        raise OSError(errno.EBADF, "it is closed, and the result is printed there alone", OUTPUT)


def fail(*lines: str, code: int = 2) -> int:
    """Print lines to standard error, as far as they can be, and return the exit code."""
    try:
        print(lined(one_line(f"neuroep: {line}") for line in lines), file=sys.stderr, flush=True)
    except OSError:
        _silence("stderr")
    return code


def flush() -> None:
    """Write out what is held back, so that a full disk or a closed pipe is seen before the process ends."""
    with _written():
        sys.stdout.flush()


@contextmanager
def prepared() -> Iterator[None]:
    """Make the standard streams usable while a command runs, and keep NumPy's warnings from its error line.

    A number that overflows is found by the command itself, which says where. Whoever sets warnings (``-W``,
    ``PYTHONWARNINGS``) sees what he asked for.
    """
    _gone.clear()
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            _closed(number, name)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    with warnings.catch_warnings():
        if not sys.warnoptions:
            warnings.simplefilter("ignore", RuntimeWarning)
        try:
            yield
        finally:
            for name in ("stdout", "stderr"):
                try:
                    getattr(sys, name).flush()
                except (OSError, ValueError):
                    _silence(name)


@contextmanager
def noted(*, quiet: bool) -> Iterator[None]:
    """Print what the libraries have to say while a command runs to standard error, each line once.

    Parameters
    ----------
    quiet : bool
        Print warnings only, not what data were loaded.
    """
    handler = _Notes()
    loggers = {logger: logger.level for logger in map(logging.getLogger, ("neuroep", "hw_models", "analysis"))}
    for logger in loggers:
        logger.addHandler(handler)
        logger.setLevel(logging.WARNING if quiet else logging.INFO)
    try:
        yield
    finally:
        for logger, level in loggers.items():
            logger.removeHandler(handler)
            logger.setLevel(level)


class _Notes(logging.Handler):
    """Prints a record as one harmless line."""

    def __init__(self) -> None:
        super().__init__()
        self.said: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        """Print a record to standard error, unless it was printed before."""
        line = one_line(record.getMessage())
        if line not in self.said:
            self.said.add(line)
            try:
                print(f"neuroep: {line}", file=sys.stderr, flush=True)
            except OSError:
                _silence("stderr")


def _closed(number: int, name: str) -> None:
    """Put the null device where a stream was closed, and keep its number from other files."""
    _gone.add(name)
    try:
        os.fstat(number)
    except OSError:
        null = os.open(os.devnull, os.O_RDWR)
        if null != number:
            os.dup2(null, number)
            os.close(null)
    setattr(sys, name, open(os.devnull, "r" if name == "stdin" else "w", encoding="utf-8"))  # noqa: SIM115 (for good)


def _silence(name: str) -> None:
    """Send a stream that cannot be written to the null device, else Python complains again when it ends."""
    try:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, getattr(sys, name).fileno())
        os.close(null)
    except (OSError, ValueError):
        setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115 (for good)
