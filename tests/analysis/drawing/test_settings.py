"""How to do it again: a command that a shell reads back, settings as TOML, versions."""

from __future__ import annotations

import html
import re
import shlex
import tomllib
from pathlib import Path

from analysis.drawing import settings

from analysis import demo


def test_the_command_is_what_a_shell_reads(tmp_path: Path) -> None:
    words = ["neuroep", "train", settings.SAVED, "--out", settings.again(tmp_path / "my run")]
    text = settings.section(words, demo.settings(), {"python": "3.12"}, "a <note>")
    boxes = re.findall(r"<pre>\n(.*?)</pre>", text, re.S)
    command, table = (html.unescape(re.sub("<[^>]*>", "", box)) for box in boxes)
    assert shlex.split(command) == words and words[-1] == "my run-again"
    assert tomllib.loads(table) == demo.settings().to_dict()
    assert "Save the settings below" in text and "a &lt;note&gt;" in text and "3.12" in text


def test_what_is_not_known_is_left_out() -> None:
    text = settings.section([], None, None)
    assert "records no versions" in text and "<pre>" not in text
