"""Every benchmark that needs no data runs, with its smallest settings; what they measure is looked at by hand."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fresh import Fresh

FOLDER = Path(__file__).parent / "benchmarks"
SMALLEST = {
    "ablation_errors": ["--repeats", "2", "--samples", "50"],
    "agreement": ["--help"],
    "chips": ["--ways", "none,pcm:settling.stop=calibrated", "--repeats", "1", "--samples", "8"],
    "contrast": ["--help"],
    "deployment": ["--ways", "none,pcm:engine.repeats=once", "--repeats", "1", "--samples", "8"],
    "fits": ["--help"],
    "gpu": ["--help"],
    "gpu_reads": ["--device", "cpu", "--draws", "300", "--shapes", "2x9", "--repeats", "1"],
    "law_coverage": ["--help"],
    "memory": ["--help"],
    "phase_lengths": ["--draws", "2", "--samples", "4", "--steps", "5", "--cosines", "1"],
    "products": ["--quick", "--repeats", "1"],
    "pulses": ["--size", "32", "--batch", "4", "--repeats", "1"],
    "settling": ["--samples", "4", "--warm", "0", "--repeats", "1", "--ways", "differences 0.03, 0.1, by sample"],
    "slow_noise": ["--steps", "1", "--batch", "8"],
    "speed": ["--help"],
    "stopping": ["--help"],
    "sweep": ["--trials", "4", "--repeats", "1"],
    "torch_chip": ["--samples", "2", "--repeats", "1", "--chips", "rram"],
    "verdicts": ["--help"],
    "wires": ["--largest", "32", "--repeats", "1"],
}
"""By script; those that take minutes or data at their smallest say what they are."""


def test_every_script_is_named() -> None:
    assert {path.stem for path in FOLDER.glob("*.py")} - {"plain", "__init__"} == set(SMALLEST)


RUN = """
import runpy, sys
sys.argv, sys.path[:0] = page, [page[0].rpartition("/")[0]]
try:
    runpy.run_path(page[0], run_name="__main__")
except SystemExit as end:
    if end.code:
        raise
"""
"""As ``python FILE`` does."""
OWN = ("sweep", "gpu_reads")
"""Scripts that are called by themselves: the workers of the one import what was called, and the other asks Triton for
its interpreter, which it takes only where nothing has imported it before."""


@pytest.mark.parametrize("name", SMALLEST)
def test_runs(name: str, tmp_path: Path, fresh: Fresh) -> None:
    out = [] if SMALLEST[name] == ["--help"] else ["--out", str(tmp_path / "page.json")]
    words = [str(FOLDER / f"{name}.py"), *SMALLEST[name], *out]
    if name in OWN:
        environment = os.environ | {"OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}
        how = {"capture_output": True, "text": True, "cwd": tmp_path, "env": environment, "check": False}
        done = subprocess.run([sys.executable, *words], **how)
        code, errors = done.returncode, done.stderr
    else:
        code, _, errors = fresh.run(RUN, words, tmp_path)
    assert code == 0, errors[-2000:]
    if out:
        assert json.loads((tmp_path / "page.json").read_text())
