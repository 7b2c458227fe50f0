"""Run the studies of docs/studies.toml, and keep in docs/studies.json by what and when each was made.

    make studies DATA=folder                       # all of them; may be killed, and goes on
    make studies ONLY="imdb study" DATA=folder     # some, with the studies that they read
    make studies LIST=yes DATA=folder              # what would run, and how long each took

    python docs/studies.py [NAME ...] [--data FOLDER] [--out FOLDER] [--list] [--by-hand]

What a study makes lies in ``OUT/NAME``, the output of its commands in ``OUT/NAME/1.txt``, ``2.txt``, ... A study whose
commands, code, data and inputs are those of its last time is not run again, unless another one needs a folder that is
not there. A study that is changed begins anew; what it had goes to ``OUT/NAME.before``. ``--by-hand`` says of figures
that no run of this program gave when they last changed, as git knows it.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import re
import resource
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import study_list
from study_list import ROOT, Study

from hw_models.whole_files import write_text
from neuroep import __version__
from neuroep.errors import NeuroepError, nearest
from neuroep.runs import locks

LEDGER = ROOT / "docs" / "studies.json"
OUT = Path("runs/studies")
STATE = "state.json"
Entry = dict[str, Any]


def ledger() -> dict[str, Entry]:
    """Return what is known of each study's last time."""
    return json.loads(LEDGER.read_text(encoding="utf-8")) if LEDGER.exists() else {}


def note(name: str, entry: Mapping[str, Any]) -> None:
    """Keep what is known of a study."""
    write_text(LEDGER, json.dumps(ledger() | {name: dict(entry)}, indent=1, sort_keys=True) + "\n")


class Runner:
    """Decides which studies have to run, and runs them.

    Parameters
    ----------
    studies : mapping
        All of them by name.
    data : Path, optional
        Folder with the data sets.
    out : Path
        Folder for what they make.
    """

    def __init__(self, studies: Mapping[str, Study], data: Path | None, out: Path) -> None:
        self.studies, self.out = studies, out
        self.places = study_list.places(data, out)

    def folder(self, name: str) -> Path:
        """Return the folder of a study."""
        return ROOT / self.out / name

    def changed(self, name: str) -> list[str]:
        """Return what a study was never made by, or is no longer what it was made by."""
        then = ledger().get(name, {}).get("from")
        now = study_list.origin(name, self.studies, self.places)
        return ["by this command"] if then is None else [part for part in now if now[part] != then.get(part)]

    def lacks(self, study: Study) -> list[str]:
        """Return what of a study's needs is not there."""
        return [need for need in study.needs if need not in self.places and not (need == "gpu" and gpu())]

    def plan(self, names: Sequence[str]) -> list[Study]:
        """Return the studies to run in order: those named that have changed, and what these read and is not there."""
        wanted: set[str] = set()
        waiting = [(name, False) for name in names or self.studies]
        while waiting:
            name, read = waiting.pop()
            if name not in wanted and (self.changed(name) or (read and not self.whole(name))):
                wanted.add(name)
                waiting += [(other, True) for other in self.studies[name].after]
        return [study for name, study in self.studies.items() if name in wanted]

    def whole(self, name: str) -> bool:
        """Tell whether a study's folder is there and has all that its commands gave."""
        state = self.state(name)
        return len(state["ended"]) == len(self.studies[name].lines)

    def state(self, name: str) -> Entry:
        """Return which commands of a study have ended, none where it has to begin anew."""
        path, now = self.folder(name) / STATE, study_list.origin(name, self.studies, self.places)
        state: Entry = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        return state if state.get("from") == now else {"from": now, "ended": []}

    def run(self, names: Sequence[str]) -> int:
        """Run what has to run; return how many studies failed."""
        failed = 0
        missing: set[str] = set()
        for study in self.plan(names):
            lacking = self.lacks(study) + sorted(missing & set(study.after))
            if lacking:
                say(f"skipped: {study.name}: {', '.join(lacking)} not there")
                missing.add(study.name)
            elif not self.make(study):
                missing.add(study.name)
                failed += 1
        return failed

    def make(self, study: Study) -> bool:
        """Run a study's commands from where it stopped; tell whether all of them ended well."""
        folder, state = self.folder(study.name), self.state(study.name)
        if not state["ended"] and folder.exists() and (study.afresh or self._other(folder, state)):
            shutil.rmtree(before := folder.with_name(f"{study.name}.before"), ignore_errors=True)
            folder.rename(before)
        folder.mkdir(parents=True, exist_ok=True)
        with locks.held(folder, "study"):
            lines = study.lines
            write_text(folder / STATE, json.dumps(state))
            for number, line in enumerate(lines[len(state["ended"]) :], len(state["ended"]) + 1):
                say(f"{study.name} {number}/{len(lines)}: {line}")
                code, seconds = ran(study_list.words(line, self.places), folder / f"{number}.txt")
                if code:
                    say(f"failed: {study.name}: command {number} ended with {code}: {folder / f'{number}.txt'}")
                    failure = {"on": today(), "command": line, "exit": code}
                    note(study.name, ledger().get(study.name, {}) | {"failed": failure})
                    return False
                state["ended"].append(seconds)
                write_text(folder / STATE, json.dumps(state))
        for own, kept in study.keeps.items():
            shutil.copyfile(folder / own, ROOT / kept)
        seconds = round(sum(state["ended"]), 1)
        about = {"made": today(), "version": __version__, "commit": commit(), "machine": machine("gpu" in study.needs)}
        note(study.name, {**about, "seconds": seconds, "exit": 0, "from": state["from"]})
        then = "its figures go by hand into" if study.hand else "its figures are in"
        say(f"{study.name}: {seconds:.0f} s; {then} docs/{study.page}")
        return True

    @staticmethod
    def _other(folder: Path, state: Entry) -> bool:
        """Tell whether a folder is of other code, commands or data than the state that is to begin."""
        path = folder / STATE
        return path.exists() and json.loads(path.read_text(encoding="utf-8")).get("from") != state["from"]

    def listing(self, names: Sequence[str]) -> Iterator[str]:
        """Yield a line for each study: whether it would run and why, its last time, its page."""
        to_run = {study.name for study in self.plan(names)}
        for name, study in self.studies.items():
            entry = ledger().get(name, {})
            lacking = self.lacks(study)
            because = f"changed: {', '.join(self.changed(name))}" if "from" in entry else "not made by this command yet"
            state = f"skipped: {', '.join(lacking)} not there" if lacking else because if name in to_run else "as it is"
            took = f"{entry['seconds'] / 60:.1f} min" if "seconds" in entry else f"about {study.minutes:g} min"
            yield f"{name:24} {took:>14}  {when(entry):34} docs/{study.page:22} {state}"


def when(entry: Mapping[str, Any]) -> str:
    """Return when a study was made, and how."""
    if "made" not in entry:
        return "never"
    since = f"{entry['since']} to " if "since" in entry else ""
    return f"{since}{entry['made']}{', by hand' if entry.get('by') == 'hand' else ''}"


def ran(command: Sequence[str], output: Path) -> tuple[int, float]:
    """Run a command with its output into a file; return its exit code and the seconds of the processor.

    What a command has spent that was killed, and goes on, is not counted.
    """
    program = [sys.executable, "-m", "neuroep"] if command[0] == "neuroep" else [sys.executable]
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    environment = {**dict.fromkeys(names, "1"), **os.environ, "PYTHONPATH": str(ROOT)}
    before = spent()
    with output.open("a", encoding="utf-8") as file:
        file.write(f"$ {shlex.join(command)}\n")
        file.flush()
        how: Mapping[str, Any] = {"stdout": file, "stderr": subprocess.STDOUT, "stdin": subprocess.DEVNULL}
        done = subprocess.run([*program, *command[1:]], cwd=ROOT, env=environment, check=False, **how)
    return done.returncode, round(spent() - before, 1)


def spent() -> float:
    """Return the seconds of the processor of all commands that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def gpu() -> str:
    """Return the name of the GPU, nothing without one."""
    import torch

    return torch.cuda.get_device_name() if torch.cuda.is_available() else ""


def machine(on_gpu: bool) -> str:
    """Return processor and cores, and the GPU where one is used."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        text = ""
    named = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    processor = named[1] if named else platform.processor() or platform.machine()
    return f"{processor}, {os.cpu_count()} cores" + (f", {gpu()}" if on_gpu else "")


def today() -> str:
    """Return the date."""
    return datetime.datetime.now(datetime.UTC).date().isoformat()


def git(*words: str) -> str:
    """Return what git says, nothing where there is no repository."""
    try:
        return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return ""


def commit() -> str:
    """Return the commit, and whether sources differ from it."""
    differ = git("status", "--porcelain", "--", *study_list.CODE, "docs/*.py", "docs/*.toml", "tests/benchmarks")
    known = git("rev-parse", "--short=10", "HEAD").strip()
    return known + " and changes" * bool(differ.strip()) if known else "no repository"


def by_hand(study: Study) -> Entry:
    """Return since when, and until when, the tables and pictures of a study's sections were last changed."""
    page = ROOT / "docs" / study.page
    own = [(number, line) for number, section, line in sections(page) if section in study.sections]
    inside = {number for number, line in own if line.startswith(("|", "!"))}
    dates: list[tuple[str, str]] = []
    days: dict[str, str] = {}
    number, who = 0, ""
    for line in git("blame", "--line-porcelain", "--", str(page)).splitlines():
        if found := re.match(r"([0-9a-f]{40}) \d+ (\d+)", line):
            who, number = found[1], int(found[2])
        elif line.startswith("committer-time "):
            days[who] = datetime.datetime.fromtimestamp(int(line.split()[1]), datetime.UTC).date().isoformat()
        elif line.startswith("\t") and number in inside:
            if not who.strip("0"):
                raise NeuroepError(f"study '{study.name}': line {number} of docs/{study.page} is not committed yet")
            dates.append((days[who], who[:10]))
    for picture in re.findall(r"!\[[^\]]*\]\(([^)]+\.png)\)", "\n".join(line for _, line in own)):
        told = git("log", "-1", "--format=%cd %H", "--date=short-local", "--", str(page.parent / picture)).split()
        dates += [(told[0], told[1][:10])] if told else []
    if not dates:
        return {}
    (first, _), (last, who) = min(dates), max(dates)
    return {"by": "hand", "made": last, "commit": who} | ({"since": first} if first != last else {})


def sections(page: Path) -> Iterator[tuple[int, str, str]]:
    """Yield number, heading above and text of each line of a page that is not code."""
    heading, code = "", False
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        if line.startswith("```"):
            code = not code
        elif not code:
            if found := re.match(r"#{1,4} (.+)$", line):
                heading = found[1]
            yield number, heading, line


def say(line: str) -> None:
    """Print a line at once."""
    print(line, flush=True)


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    found = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    found.add_argument("names", nargs="*", metavar="NAME", help="studies to run, with those that they read; all")
    found.add_argument("--data", type=Path, metavar="FOLDER", help="with folders imdb, snli, and vectors with one file")
    found.add_argument("--out", type=Path, default=OUT, metavar="FOLDER", help=f"for what they make ({OUT})")
    found.add_argument("--list", action="store_true", help="say what would run, and how long each took")
    found.add_argument("--by-hand", action="store_true", help="note when figures changed that no run of this gave")
    return found


def main(argv: Sequence[str] | None = None) -> int:
    """Run, or list, studies; return the exit code."""
    given = parser().parse_args(argv)
    studies = study_list.load()
    for name in given.names:
        if name not in studies:
            print(f"error: unknown study '{name}': see --list{nearest(name, studies)}", file=sys.stderr)
            return 2
    if given.data is not None and not given.data.is_dir():
        print(f"error: --data: no folder '{given.data}'", file=sys.stderr)
        return 2
    runner = Runner(studies, given.data, given.out)
    if given.list:
        for line in runner.listing(given.names):
            say(line)
        return 0
    if given.by_hand:
        try:
            unmade = [name for name in given.names or studies if "from" not in ledger().get(name, {})]
            found = {name: by_hand(studies[name]) for name in unmade}
        except NeuroepError as error:
            print(f"error: {error}", file=sys.stderr)
            return 2
        for name, entry in found.items():
            if entry:
                note(name, entry)
        return 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        return 1 if runner.run(given.names) else 0
    except NeuroepError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
