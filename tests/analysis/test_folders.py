"""Output folders appear complete or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from analysis import report
from analysis.folders import appearing, check_free, unused
from neuroep.errors import CheckpointError, ConfigError
from neuroep.runs import directory as runs
from neuroep.runs.folders import absence


def test_appears_at_the_end(tmp_path: Path) -> None:
    out = tmp_path / "a" / "b"
    with appearing(out) as folder:
        (folder / "file").write_text("x")
        assert not out.exists()
    assert [path.name for path in out.iterdir()] == ["file"]
    assert [path.name for path in out.parent.iterdir()] == ["b"]


def test_takes_an_empty_folder(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with appearing(tmp_path / "out") as folder:
        (folder / "file").touch()
    assert (tmp_path / "out" / "file").exists()


def test_vanishes_with_an_error(tmp_path: Path) -> None:
    with pytest.raises(KeyError), appearing(tmp_path / "out") as folder:
        (folder / "file").touch()
        raise KeyError
    assert not list(tmp_path.iterdir())


def test_refuses_files_and_full_folders(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="is not empty"):
        check_free(tmp_path)
    with pytest.raises(ConfigError, match="is a file"), appearing(tmp_path / "file"):
        pass


def test_refuses_a_link_to_an_empty_folder_before_the_work(tmp_path: Path) -> None:
    """Before, the folder vanished at the end, when it could not be renamed: all that was computed was lost."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    with pytest.raises(ConfigError, match=f"is a link: name the directory it leads to, '{tmp_path / 'real'}'"):
        check_free(tmp_path / "link")
    with pytest.raises(ConfigError, match="is a link"), appearing(tmp_path / "link"):
        pytest.fail("nothing is to be computed")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link", "real"]


def test_refuses_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=r"out is '\.': name a new directory"), appearing(Path("")):
        pass


def test_unwritable_place_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="cannot be written"), appearing(tmp_path / "file" / "out"):
        pass


def test_unused_counts_on(tmp_path: Path) -> None:
    out = tmp_path / "demo"
    assert unused(out) == out
    out.mkdir()
    (tmp_path / "demo-2").mkdir()
    assert unused(out) == tmp_path / "demo-3"


def test_a_missing_folder_names_the_nearest_one(tmp_path: Path) -> None:
    (tmp_path / "reviews").mkdir()
    told = f"does not exist; did you mean '{tmp_path}/reviews'?"
    assert absence(tmp_path / "review") == told and absence(tmp_path / "other") == "does not exist"
    with pytest.raises(CheckpointError, match="did you mean"):
        runs.load(tmp_path / "review")
    with pytest.raises(ConfigError, match="did you mean"):
        report.render(tmp_path / "review")
