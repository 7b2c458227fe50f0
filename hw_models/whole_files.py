"""Files that appear whole or not at all, and are written through no link that another user has planted.

    with replaced(path) as partial:          # a path in a folder that only this user can enter
        partial.write_bytes(data)            # moved over ``path`` at the end, flushed to the disk; or removed

A partial file lies beside its place, in ``.NAME.partial``, a folder of mode 0700 made anew each time: whoever else may
write to the surrounding folder can put nothing there, neither a link nor a file of his own. What a kill left there is
removed by the next one that writes the same name. A file that grows (a ledger, a lock) is opened by :func:`opened`.

Only a plain file is ever replaced: a device, a pipe or a socket of that name stays what it is (:func:`check_plain`).
"""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

_NO_LINK = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
"""A pipe that somebody put there must not hold an open up either."""


@contextmanager
def replaced(path: str | Path, *, shared: bool = False) -> Iterator[Path]:
    """Give the path of an empty file to be written; it takes the place of ``path`` at the end, or vanishes.

    Any writer will do, also one that takes only a name or renames by itself. At every moment ``path`` holds the old
    file or the new one. A link to a plain file, or to nothing, is replaced, not followed.

    Parameters
    ----------
    path : str or Path
        File to be replaced or made; its folder must be there.
    shared : bool
        Several processes may write it at the same time, as a cache's: each then has a folder of its own, which a kill
        leaves for good.

    Raises
    ------
    OSError
        If the disk refuses, the place holds anything but a plain file, in which case nothing is changed, or, unless
        shared, another process writes the same file meanwhile.
    """
    path = Path(path)
    check_plain(path)
    own = f".{os.getpid()}-{secrets.token_hex(4)}" if shared else ""
    folder = path.with_name(f".{path.name}{own}.partial")
    _remove(folder)
    folder.mkdir(mode=0o700)
    try:
        partial = folder / path.name
        handle = os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666)
        mode = stat.S_IMODE(os.fstat(handle).st_mode)
        os.close(handle)
        yield partial
        # Some writers put a file of their own there, readable by its owner alone.
        partial.chmod(mode)
        sync(partial)
        check_plain(path)
        os.replace(partial, path)
        sync(path.parent)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def write_text(path: str | Path, text: str) -> None:
    """Replace a text file as a whole, old or new at every moment."""
    with replaced(path) as partial:
        partial.write_text(text, encoding="utf-8")


def check_plain(path: str | Path) -> None:
    """Refuse a place that holds something a file must not take: to rename a file over a device destroys the device.

    A link counts as what it leads to, so that ``/dev/stdout`` stays as well; one that leads nowhere is free.

    Raises
    ------
    OSError
        If there is a folder, a device, a pipe, a socket, or a link to one of them or to an open file of a process.
    """
    link = os.path.islink(path)
    try:
        mode = os.stat(path).st_mode
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        if link and error.errno == errno.ELOOP:
            return
        raise
    what = kind(mode)
    if link and os.readlink(path).startswith("/proc/"):
        what = "an open file"
    if what != "a file":
        raise OSError(errno.EINVAL, f"it is {'a link to ' if link else ''}{what}, and only a plain file is replaced")


_KINDS = {
    stat.S_IFREG: "a file",
    stat.S_IFDIR: "a directory",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
}


def kind(mode: int) -> str:
    """Name what ``st_mode`` says a path is, with its article."""
    return _KINDS.get(stat.S_IFMT(mode), "no plain file")


def opened(path: str | Path, mode: str) -> IO[Any]:
    """Open a file that stays in place (modes ``a``, ``a+``, ``r+b``), as UTF-8 if it is text.

    Raises
    ------
    OSError
        If its name is a link, a folder or anything but a plain file; or as ``open``.
    """
    encoding = None if "b" in mode else "utf-8"
    return open(path, mode, encoding=encoding, opener=_plain)


def _plain(path: str, flags: int) -> int:
    """Open a plain file, follow no link, wait for no pipe."""
    try:
        handle = os.open(path, flags | _NO_LINK, 0o666)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.EMLINK) and os.path.islink(path):
            fault = f"'{os.path.basename(path)}' is a link, which is not followed: remove it"
            raise OSError(error.errno, fault, path) from None
        raise
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(errno.EINVAL, f"'{os.path.basename(path)}' is no plain file: remove it", path)
    os.set_blocking(handle, True)
    return handle


def sync(path: Path) -> None:
    """Flush a file or folder to the disk."""
    if path.is_dir() and os.name == "nt":
        return
    handle = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _remove(folder: Path) -> None:
    """Remove what a kill left, or what another put there; of a link the link alone."""
    if folder.is_dir() and not folder.is_symlink():
        shutil.rmtree(folder)
    else:
        folder.unlink(missing_ok=True)
