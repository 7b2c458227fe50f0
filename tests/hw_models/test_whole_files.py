"""Files appear whole or not at all, and no link that was planted is written through."""

from __future__ import annotations

import os
import socket
import stat

import numpy as np
import pytest

from hw_models import whole_files
from hw_models.chip import Chip, files
from hw_models.errors import ChipError
from hw_models.kernels import cache as kernel_cache


@pytest.fixture
def victim(tmp_path):
    """Return a file that must keep its text."""
    path = tmp_path / "victim"
    path.write_text("mine")
    return path


def test_a_file_is_replaced_whole_with_the_mode_of_a_new_file(tmp_path):
    path = tmp_path / "page.txt"
    for text in ("old", "new"):
        whole_files.write_text(path, text)
        assert path.read_text() == text
    (tmp_path / "other").touch()
    assert path.stat().st_mode == (tmp_path / "other").stat().st_mode
    assert sorted(left.name for left in tmp_path.iterdir()) == ["other", "page.txt"]


def test_what_fails_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "page.txt"
    path.write_text("old")
    with pytest.raises(ZeroDivisionError), whole_files.replaced(path) as partial:
        partial.write_text("half")
        1 / 0  # noqa: B018
    assert path.read_text() == "old"
    assert [left.name for left in tmp_path.iterdir()] == ["page.txt"]


def test_a_writer_that_puts_its_own_file_there_is_fine(tmp_path):
    """As safetensors does: a private file renamed to the name it was given."""
    path = tmp_path / "tensors"
    with whole_files.replaced(path) as partial:
        own = partial.with_name("own")
        np.save(own.open("wb"), np.arange(3))
        own.chmod(0o600)
        os.replace(own, partial)
    assert np.load(path).tolist() == [0, 1, 2]
    (tmp_path / "other").touch()
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE((tmp_path / "other").stat().st_mode)


@pytest.mark.parametrize("planted", ["partial", "folder of a link", "name"])
def test_a_planted_link_is_not_written_through(tmp_path, victim, planted):
    """Before, ``.page.txt.partial`` was opened through the link, and the victim held the page."""
    path = tmp_path / "page.txt"
    if planted == "partial":
        (tmp_path / ".page.txt.partial").symlink_to(victim)
    elif planted == "name":
        path.symlink_to(victim)
    else:
        (tmp_path / ".page.txt.partial").mkdir()
        (tmp_path / ".page.txt.partial" / "page.txt").symlink_to(victim)
    whole_files.write_text(path, "page")
    assert victim.read_text() == "mine"
    assert path.read_text() == "page"
    assert not path.is_symlink()


def test_a_link_to_a_folder_is_removed_and_the_folder_is_not(tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    (other / "kept").write_text("mine")
    (tmp_path / ".page.txt.partial").symlink_to(other)
    whole_files.write_text(tmp_path / "page.txt", "page")
    assert (other / "kept").read_text() == "mine"


def test_nobody_else_can_enter_where_a_file_is_made(tmp_path):
    with whole_files.replaced(tmp_path / "page.txt") as partial:
        assert stat.S_IMODE(partial.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize("mode", ["a", "a+", "r+b"])
def test_a_file_that_stays_in_place_is_opened_through_no_link(tmp_path, victim, mode):
    path = tmp_path / "ledger"
    path.symlink_to(victim)
    with pytest.raises(OSError, match="is a link, which is not followed"):
        whole_files.opened(path, mode)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(OSError):
        whole_files.opened(path, mode)
    path.unlink()
    path.touch()
    with whole_files.opened(path, mode) as file:
        file.write(b"x" if "b" in mode else "x")
    assert path.read_text() == "x"
    assert victim.read_text() == "mine"


def planted(path, what):
    """Put something there that no file may take the place of; skip where this user may not."""
    if what.startswith("link to "):
        other = planted(path.with_name("node"), what.removeprefix("link to "))
        path.symlink_to(other)
    elif what == "pipe":
        os.mkfifo(path)
    elif what == "socket":
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(os.path.relpath(path))  # the name of a socket is at most 107 bytes
    elif what == "directory":
        path.mkdir()
    else:
        try:
            os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(1, 3))
        except PermissionError:
            pytest.skip("only root makes devices")
    return path


NODES = ["pipe", "socket", "device", "directory"]


@pytest.mark.parametrize("what", [*NODES, *(f"link to {what}" for what in NODES)])
def test_only_a_plain_file_is_replaced(tmp_path, monkeypatch, what):
    """Before, the page took the place of a pipe, a socket or a device, ``/dev/null`` among them."""
    monkeypatch.chdir(tmp_path)
    path = planted(tmp_path / "page", what)
    before = sorted(tmp_path.iterdir()), os.lstat(path).st_mode, os.stat(path).st_mode
    shown = f"it is a {what.replace('to ', 'to a ')}, and only a plain file is replaced"
    for shared in (False, True):
        with pytest.raises(OSError) as caught, whole_files.replaced(path, shared=shared):
            pytest.fail("nothing is to be written")
        assert caught.value.strerror == shown
    with pytest.raises(OSError):
        whole_files.write_text(path, "page")
    with pytest.raises(ChipError, match=f"cannot write chip '{path}': {shown}"):
        files.save(Chip(name="mine"), path)
    with pytest.raises(OSError):
        kernel_cache._write(tmp_path, "page", b"kernel")
    assert before == (sorted(tmp_path.iterdir()), os.lstat(path).st_mode, os.stat(path).st_mode)


def test_what_appears_while_it_is_written_stays(tmp_path):
    path = tmp_path / "page"
    with pytest.raises(OSError, match="only a plain file"), whole_files.replaced(path):
        os.mkfifo(path)
    assert stat.S_ISFIFO(path.stat().st_mode)
    assert sorted(left.name for left in tmp_path.iterdir()) == ["page"]


def test_a_link_to_an_open_file_stays(tmp_path):
    """As ``/dev/stdout`` is one where the output goes to a file."""
    if not os.path.isdir("/proc/self/fd"):
        pytest.skip("no /proc here")
    link = tmp_path / "stdout"
    with (tmp_path / "held").open("w") as file:
        link.symlink_to(f"/proc/self/fd/{file.fileno()}")
        with pytest.raises(OSError, match="it is a link to an open file"):
            whole_files.write_text(link, "page")
    assert link.is_symlink()


def test_links_that_lead_nowhere_are_replaced(tmp_path):
    for name, target in (("loop", "loop"), ("dangling", "nothing")):
        (tmp_path / name).symlink_to(target)
        whole_files.write_text(tmp_path / name, "page")
        assert (tmp_path / name).read_text() == "page"
        assert not (tmp_path / name).is_symlink()


def test_a_chip_is_saved_through_no_link(tmp_path, victim):
    (tmp_path / ".mine.toml.partial").symlink_to(victim)
    files.save(Chip(name="mine"), tmp_path / "mine.toml")
    assert victim.read_text() == "mine"
    with pytest.raises(ChipError, match="cannot write chip"):
        files.save(Chip(name="mine"), tmp_path / "none" / "mine.toml")


def test_text_is_replaced_as_a_whole(tmp_path, monkeypatch):
    path = tmp_path / "page.txt"
    whole_files.write_text(path, "old")

    def broken(*_: object) -> None:
        raise OSError("broken")

    monkeypatch.setattr(os, "replace", broken)
    with pytest.raises(OSError, match="broken"):
        whole_files.write_text(path, "new")
    assert path.read_text() == "old"
