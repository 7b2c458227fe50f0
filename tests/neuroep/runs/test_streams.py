"""Standard streams that are closed, full or narrow; warnings ahead of an error; escapes in names."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import warnings

import numpy as np
import pytest

from hw_models.chip import Chip
from hw_models.chip.files import save
from neuroep import __version__, cli
from neuroep.runs import deployment, directory as runs, streams
from neuroep.runs.deployment import Deployment
from neuroep.runs.evaluation import Evaluation
from tests.conftest import ROOT, TINY


def shell(line: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    """Run a line of the shell in which NEUROEP is the command."""
    command = f'"{sys.executable}" -m neuroep.cli'
    paths = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    settings = {**os.environ, "PYTHONPATH": paths, **environment}
    return subprocess.run(
        ["bash", "-c", line.replace("NEUROEP", command)], capture_output=True, env=settings, timeout=240, check=False
    )


@pytest.mark.parametrize(
    ("line", "code", "out"),
    [
        ("NEUROEP chips nothing 2>&-", 2, b""),
        ("NEUROEP chips nothing 2>&- >&-", 2, b""),
        ("NEUROEP chips nothing 2>&- >&- <&-", 2, b""),
        ("NEUROEP chips nothing 2>/dev/full", 2, b""),
        ("NEUROEP --version <&-", 0, f"neuroep {__version__}\n".encode()),
    ],
)
def test_closed_streams(line, code, out):
    """Before, the error line of a closed standard error was printed among the results."""
    found = shell(line)
    assert (found.returncode, found.stdout, found.stderr) == (code, out, b"")


@pytest.mark.parametrize("line", ["chips pcm", "evaluate RUN", "evaluate RUN --json"])
def test_a_result_that_would_be_lost_is_refused(trained, line):
    """Before, the command ended with 0 and its result was nowhere."""
    found = shell(f"NEUROEP {line.replace('RUN', str(trained))} >&-")
    said = b"neuroep: error: it is closed, and the result is printed there alone: 'standard output'\n"
    assert (found.returncode, found.stdout, found.stderr) == (2, b"", said)


def test_a_file_does_not_take_the_place_of_a_closed_stream(tmp_path):
    """Whatever writes to standard error would write into it."""
    (tmp_path / "tiny.toml").write_text(TINY)
    run = tmp_path / "run"
    found = shell(f"NEUROEP train {tmp_path}/tiny.toml --out {run} --epochs 1 2>&- >&- <&-")
    assert found.returncode == 0
    assert runs.load(run).checkpoint().about.epoch == 1 and len(runs.load(run).metrics) == 1


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("NEUROEP chips >/dev/full", b"neuroep: error: No space left on device: 'standard output'\n"),
        ("NEUROEP chips --fields >/dev/full", b"neuroep: error: No space left on device: 'standard output'\n"),
    ],
)
def test_output_that_cannot_be_written_is_one_line(line, message):
    """Before, Python complained in several lines and ended with code 120."""
    found = shell(line)
    assert found.returncode == 2
    assert found.stderr.endswith(message) and found.stderr.count(b"\n") == 1


def test_a_reader_that_has_seen_enough_is_no_error(tmp_path):
    """As of other programs, whose pipe is closed: no word, and the exit code of SIGPIPE."""
    found = shell(f"(sleep 1; NEUROEP chips --fields; echo $? >{tmp_path}/code) | true")
    assert int((tmp_path / "code").read_text()) == 141 and found.stderr == b""


def test_a_narrow_terminal_gets_escapes():
    found = shell("NEUROEP chips $'Gr\\xc3\\xbc\\xc3\\x9fe \\xff'", PYTHONIOENCODING="ascii", PYTHONUTF8="1")
    assert found.returncode == 2
    assert found.stderr.startswith(b"neuroep: error: unknown chip 'Gr\\xfc\\xdfe \\udcff': allowed are ")


WILD = """
import sys
import numpy as np
from neuroep import cli
from neuroep.runs import training
from neuroep.errors import DivergenceError
def train(*_, **__):
    np.full(3, 1e38, np.float32) * np.float32(1e38)
    raise DivergenceError("hidden_1", 3)
training.train = train
sys.exit(cli.main())
"""


def test_no_warning_stands_ahead_of_an_error(tmp_path):
    """Before, NumPy's lines on overflow stood there, with the place in its own files."""
    (tmp_path / "tiny.toml").write_text(TINY)
    (tmp_path / "wild.py").write_text(WILD)
    line = f'"{sys.executable}" {tmp_path}/wild.py train {tmp_path}/tiny.toml --out {tmp_path}/run'
    found = shell(line)
    assert found.returncode == 2
    assert found.stderr.startswith(b"neuroep: error: diverged: ") and found.stderr.count(b"\n") == 1
    assert b"RuntimeWarning: overflow" in shell(line, PYTHONWARNINGS="default").stderr, "asked for"


def test_streams_are_as_they_were_afterwards(capsys):
    before = list(warnings.filters)
    cli.main(["chips", "nothing"])
    assert warnings.filters == before
    streams.say("a\x1bb\tc\n")
    assert capsys.readouterr().out == "a\\x1bb\tc\n\n"


EVIL = "\x1b[2Jred\x07\nforged line"
SHOWN = "\\x1b[2Jred\\x07\\nforged line"


def test_names_with_escapes_in_tables():
    """Before, they reached the terminal as they were."""
    found = Evaluation(EVIL, (EVIL, "b"), np.eye(2, dtype=int), 0.5, 0.0, 3.0, 0.0, 1.0)
    for text in (found.as_text(), Deployment(EVIL, (0,), (found,)).as_text()):
        assert "\x1b" not in text and "\x07" not in text and SHOWN in text
        assert not any(line.startswith("forged") for line in text.splitlines())
    assert json.loads(runs.as_json(found.as_dict()))["split"] == EVIL


def test_names_with_escapes_on_the_command_line(neuroep, tmp_path, trained):
    save(Chip(name=EVIL), tmp_path / "evil.toml")
    for arguments in (
        ("chips", tmp_path / "evil.toml"),
        ("chips", tmp_path / "evil.toml", "--toml"),
        ("evaluate", trained, "--chip", tmp_path / "evil.toml", "--seeds", "1", "--quiet"),
        ("compare", trained, "--chip", tmp_path / "evil.toml", "--out", tmp_path / "compared", "--quiet"),
        ("evaluate", trained, "--split", EVIL),
        ("train", trained / "config.toml", "--out", tmp_path / EVIL, "--epochs", "1"),
        (EVIL,),
        ("train", trained / "config.toml", "--out", tmp_path / "out", f"--{EVIL}", "3"),
    ):
        found = neuroep(*arguments)
        for text in (found.out, found.err):
            assert "\x1b" not in text and "\x07" not in text
        assert found.code in (0, 2) and (found.code == 0 or found.err.count("\n") == 1)
    assert "\x1b" not in (tmp_path / "compared" / "comparison.txt").read_text()


def test_classes_with_escapes(neuroep, tmp_path):
    (tmp_path / "data").mkdir()
    for name in ("train", "test"):
        (tmp_path / "data" / f"{name}.csv").write_text("text,label\ngood film,\x1b[31mgood\nbad film,bad\n")
    (tmp_path / "vectors.txt").write_text("3 2\ngood 1 0.5\nbad -1 0.5\nfilm 0 1\n")
    (tmp_path / "tiny.toml").write_text(TINY.replace("limit = 90", ""))
    named = ["--data.name", "table", "--path", tmp_path / "data", "--vectors", tmp_path / "vectors.txt"]
    settings = [*named, "--text", "text", "--out", tmp_path / "run"]
    assert neuroep("train", tmp_path / "tiny.toml", *settings, "--epochs", "1").code == 0
    out = neuroep("evaluate", tmp_path / "run").out
    assert "\\x1b[31mgood " in out and "\x1b" not in out
    assert "\x1b" in deployment.evaluate(tmp_path / "run").classes[0]


def test_lines_are_as_wide_as_the_terminal_and_whole_in_a_pipe(monkeypatch):
    monkeypatch.setenv("COLUMNS", "72")
    assert streams.width() is None
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    assert streams.width() == 72
