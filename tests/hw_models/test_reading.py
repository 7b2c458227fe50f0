"""Small files that others wrote: what is wrong with them is one line, whatever it is."""

from __future__ import annotations

import os

import pytest

import hw_models
from hw_models import reading
from hw_models.errors import ChipError
from neuroep.errors import ConfigError
from neuroep.runs import config

FAULTS = {
    "digits": ("[training]\nepochs = " + "9" * 5000, "a number has too many digits"),
    "brackets": ("x = " + "[" * 5000, "nested too deeply"),
    "tables": ("[" + ".".join("a" * 200) + "]\nx = 1", "is nested too deeply"),
    "NUL": ('[data]\npath = "a\\u0000b"', "data.path = 'a\\\\x00b': holds a NUL character"),
    "large": ("[training]\nepochs = 99999999999999999999", "training.epochs = 9+: .* at most 64 bits"),
    "list": ("[network]\ndense = [3, 99999999999999999999]", "network.dense.1 = 9+: whole numbers"),
    "bytes": (b"\xff\xfe", "byte 0 is no UTF-8"),
    "no TOML": ("= 3", "not valid TOML"),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize(("read", "error"), [(config.load, ConfigError), (hw_models.load, ChipError)])
def test_a_damaged_file_is_one_line(tmp_path, fault, read, error):
    """Before, deep brackets were a RecursionError, long numbers and NUL characters ValueErrors."""
    content, message = FAULTS[fault]
    path = tmp_path / "page.toml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(error, match=message) as caught:
        read(path)
    assert "\n" not in str(caught.value) and str(path) in str(caught.value) and len(str(caught.value)) < 400


def test_the_mark_that_editors_of_windows_begin_a_file_with_is_nothing(tmp_path):
    """It was 'Invalid statement (at line 1, column 1)'."""
    path = tmp_path / "page.toml"
    path.write_bytes(b"\xef\xbb\xbf[adc]\r\nbits = 6\r\n")
    assert hw_models.load(path).adc.bits == 6


@pytest.mark.parametrize("name", ["loop.toml", "a\0b.toml", "x" * 300 + ".toml", "folder.toml", "none.toml"])
@pytest.mark.parametrize(("read", "error"), [(config.load, ConfigError), (hw_models.load, ChipError)])
def test_a_file_that_cannot_be_opened_is_one_line(tmp_path, name, read, error):
    """Before, a link to itself was a RuntimeError and a NUL character a ValueError."""
    if name == "loop.toml":
        (tmp_path / name).symlink_to(name)
    if name == "folder.toml":
        (tmp_path / name).mkdir()
    with pytest.raises(error, match="cannot read"):
        read(tmp_path / name)


@pytest.mark.parametrize("field", ["data.path", "data.vectors", "data.cache", "chip"])
@pytest.mark.parametrize("value", ["loop/x.txt", "~nobody_of_that_name/x.toml", "a\0/b.toml", "\udcff/x.toml"])
def test_paths_among_the_settings(tmp_path, monkeypatch, field, value):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "page.toml").write_text("[network]\ntokens = 3\n")
    overrides = ["--data.vectors", "some", f"--{field}", value, "--data.name", "imdb"]
    if value.startswith("loop") and field != "chip":
        assert config.load("page.toml", overrides).flat()[field] == str(tmp_path / value)
        return
    with pytest.raises(ConfigError) as caught:
        config.load("page.toml", overrides)
    assert str(caught.value).isprintable() and field in str(caught.value)


@pytest.mark.parametrize("text", ["[" * 5000, '{"a": ' * 5000, "9" * 5000, b"\xff", "", "nonsense"])
def test_json(text):
    with pytest.raises(ValueError):
        reading.parse_json(text)


@pytest.mark.parametrize("value", ["9" * 5000, "[" * 5000, "3\nx = 4", "2020-13-01", "{a=" * 3000])
def test_a_value_on_the_command_line_is_one_value(tmp_path, value):
    """Before, a second line of TOML was dropped without a word."""
    (tmp_path / "page.toml").touch()
    with pytest.raises(ConfigError, match=r"training\.epochs = .*: should be a whole number"):
        config.load(tmp_path / "page.toml", ["--epochs", value])


@pytest.mark.parametrize("overrides", [["--epochs"], ["--epochs", "3", "--beta"], "--epochs 3"])
def test_overrides_are_pairs(tmp_path, overrides):
    (tmp_path / "page.toml").touch()
    with pytest.raises(ConfigError, match="they are pairs"):
        config.load(tmp_path / "page.toml", overrides)


@pytest.mark.skipif(os.name == "nt", reason="devices of POSIX")
@pytest.mark.parametrize(("read", "error"), [(config.load, ConfigError), (hw_models.load, ChipError)])
def test_what_is_no_plain_file_is_not_read(tmp_path, read, error):
    """Before, /dev/zero was read until the memory was full, and a pipe waited for."""
    os.mkfifo(tmp_path / "pipe.toml")
    (tmp_path / "link.toml").symlink_to("/dev/zero")
    for path in ("/dev/zero", tmp_path / "pipe.toml", tmp_path / "link.toml"):
        with pytest.raises(error, match="it is a device or a pipe, no plain file") as caught:
            read(path)
        assert str(path) in str(caught.value)


@pytest.mark.parametrize(("read", "error"), [(config.load, ConfigError), (hw_models.load, ChipError)])
def test_a_file_beyond_all_measure_is_not_read(tmp_path, read, error):
    path = tmp_path / "large.toml"
    with path.open("wb") as file:
        file.truncate(2**40)
    with pytest.raises(error, match=f"more than {reading.MOST_BYTES} bytes"):
        read(path)


def test_line_ends_of_other_systems(tmp_path):
    path = tmp_path / "page.toml"
    path.write_bytes(b'name = "x"\r\n[adc]\r\nbits = 8\r\n')
    assert hw_models.load(path).adc.bits == 8
