"""Files appear whole or not at all, and no link that was planted is written through."""

from __future__ import annotations

import os
import stat

import numpy as np
import pytest

from hw_models import files, whole_files
from hw_models.chip import Chip
from hw_models.errors import ChipError


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
