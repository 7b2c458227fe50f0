"""Worker processes: their threads, a killed worker, a killed sweep, orphans."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from analysis.sweep import runner
from analysis.sweep.executors import Local
from analysis.sweep.ledger import TRIALS
from analysis.sweep.results import RESULTS, load
from neuroep.engines.workers import processors
from tests.analysis.sweep.cases import SETTINGS, VARY

PATIENCE = 600
"""Longest wait for what takes a second or two on an idle machine [s]; a test that passes does not wait for it."""
ROOT = Path(__file__).resolve().parents[3]
SCRIPT = """\
import json, sys
from analysis.sweep import runner
if __name__ == "__main__":
    runner.run(sys.argv[1], json.loads(sys.argv[2]), out=sys.argv[3], workers=2, **json.loads(sys.argv[4]))
"""


def lines(out: Path) -> list[dict]:
    """Read the complete lines of a ledger that may be growing."""
    path = out / TRIALS
    return [json.loads(line) for line in path.read_text().split("\n")[:-1]] if path.exists() else []


@pytest.fixture
def started(trained, tmp_path):
    """Start the sweep of 24 trials in a process group of its own."""
    script = tmp_path / "sweep.py"
    script.write_text(SCRIPT)
    running = []

    def start(out: Path) -> subprocess.Popen[bytes]:
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        command = [sys.executable, str(script), str(trained), json.dumps(VARY), str(out), json.dumps(SETTINGS)]
        running.append(subprocess.Popen(command, env=environment, start_new_session=True))
        return running[-1]

    yield start
    for process in running:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def wait_for(out: Path, count: int, process: subprocess.Popen[bytes]) -> None:
    """Wait until so many trials are finished."""
    until = time.monotonic() + PATIENCE
    while len(lines(out)) < count and process.poll() is None:
        assert time.monotonic() < until, "the sweep does not go on"
        time.sleep(0.002)


def test_a_sweep_killed_three_times_gives_the_same_table(started, tmp_path, undisturbed):
    out = tmp_path / "out"
    seed = random.SystemRandom().randrange(10**6)
    draw = random.Random(seed)
    killed = 0
    for count in sorted(draw.sample(range(14), 3)):
        process = started(out)
        wait_for(out, count, process)
        time.sleep(draw.random() * 0.05)
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            killed += process.wait() == -signal.SIGKILL
    assert killed == 3, f"seed {seed}"
    assert started(out).wait(PATIENCE) == 0, f"seed {seed}"
    assert max(Counter(line["id"] for line in lines(out)).values()) == 1
    assert len(lines(out)) == 24
    assert (out / RESULTS).read_bytes() == undisturbed, f"seed {seed}"


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0]
    except OSError:
        return False
    return state not in "ZX"


def test_a_directory_is_readable_while_it_grows_and_workers_end_with_a_killed_parent(started, tmp_path):
    process = started(tmp_path / "out")
    wait_for(tmp_path / "out", 3, process)
    assert len(load(tmp_path / "out").rows) >= 3
    if not Path("/proc/self/stat").exists():
        pytest.skip("looks at /proc")
    process.kill()
    process.wait()
    pids = {int(line["worker"].rpartition(":")[2]) for line in lines(tmp_path / "out")}
    until = time.monotonic() + PATIENCE
    while any(is_alive(pid) for pid in pids):
        assert time.monotonic() < until, "workers outlive the sweep"
        time.sleep(0.02)


def test_a_killed_worker_costs_one_retry(trained, tmp_path, undisturbed):
    victims = []

    def kill(record):
        if not victims:
            victims.append(int(record["worker"].rpartition(":")[2]))
            os.kill(victims[0], signal.SIGKILL)

    found = runner.run(trained, VARY, out=tmp_path / "out", workers=2, report=kill, **SETTINGS)
    assert (tmp_path / "out" / RESULTS).read_bytes() == undisturbed
    assert len(lines(tmp_path / "out")) == len(found.rows) == 24
    attempts = Counter(line["attempt"] for line in lines(tmp_path / "out"))
    assert attempts.keys() <= {1, 2} and attempts[2] <= Local(2).window


@pytest.mark.parametrize("guarded", [True, False])
def test_python_from_standard_input_starts_a_sweep(trained, tmp_path, guarded):
    """As job scripts do. Before, workers looked for the file '<stdin>', and a line asked for the guard there was."""
    guard = 'if __name__ == "__main__":\n    ' if guarded else ""
    given = "['chip.adc.bits=4'], out=sys.argv[2], overrides=['--chip', 'rram'], samples=20, workers=1"
    text = f"import sys\nfrom analysis.sweep import runner\n{guard}runner.run(sys.argv[1], {given})\n"
    command = [sys.executable, "-", str(trained), str(tmp_path / "out")]
    how = {"env": {**os.environ, "PYTHONPATH": str(ROOT)}, "capture_output": True, "text": True, "timeout": 120}
    done = subprocess.run(command, input=text, check=False, **how)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(load(tmp_path / "out").rows) == 1


def test_threads_are_shared(monkeypatch):
    for name in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS"):
        monkeypatch.setenv(name, "7")
    assert Local().count == processors() and Local().threads == 1
    pool = Local(1)
    assert pool.threads == processors()
    executor = pool.open()
    try:
        assert executor.submit(os.getenv, "OMP_NUM_THREADS").result() == str(processors())
        assert executor.submit(os.getenv, "NUMBA_NUM_THREADS").result() == str(processors())
    finally:
        pool.close(now=True)


def test_ctrl_c_ends_the_sweep_and_its_workers(started, tmp_path):
    out = tmp_path / "out"
    process = started(out)
    wait_for(out, 3, process)
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(PATIENCE) != 0
    pids = {int(line["worker"].rpartition(":")[2]) for line in lines(out)}
    assert not any(is_alive(pid) for pid in pids)
    assert 3 <= len(load(out).rows) < 24
    assert (out / RESULTS).is_file()


def test_ctrl_c_of_the_command_is_one_line_and_the_same_command_goes_on(trained, tmp_path):
    """Before, Python warned of a leaked semaphore, the lock of a worker's progress bars."""
    out = tmp_path / "out"
    words = [word for vary in VARY for word in ("--vary", vary)]
    words += ["--samples", "400", "--seeds", "2", "--workers", "2", "--out", str(out)]
    command = [sys.executable, "-m", "neuroep.cli", "sweep", str(trained), *words]
    how = {"env": {**os.environ, "PYTHONPATH": str(ROOT)}, "text": True}
    process = subprocess.Popen(command, stderr=subprocess.PIPE, start_new_session=True, **how)
    wait_for(out, 3, process)
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=PATIENCE)
    count = len(lines(out))  # one more than it says where Ctrl-C came as its last line was written
    ends = [f"'{out}' holds {n} finished trials; the same command goes on" for n in (count - 1, count)]
    assert process.returncode == 130 and errors.splitlines()[-1].partition("interrupted: ")[2] in ends
    assert "resource_tracker" not in errors
    again = subprocess.run(command, capture_output=True, check=False, **how)
    assert again.returncode == 0 and f"neuroep: '{out}' holds {count} finished trials\n" in again.stderr


def test_a_worker_limits_its_threads_before_numpy_loads():
    code = "import sys, analysis.sweep.workers; sys.exit('numpy' in sys.modules)"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    assert subprocess.run([sys.executable, "-c", code], env=environment, check=False).returncode == 0
