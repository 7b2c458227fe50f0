"""The list of studies: every figure has one, every command is one that its program takes; and how they are run."""

from __future__ import annotations

import argparse
import itertools
import json
import re
import runpy
import shlex
import sys
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

import pytest
import studies
import study_list
from study_list import ROOT, Study

from analysis.sweep import points
from hw_models.chip import files
from neuroep import cli
from neuroep.errors import NeuroepError
from neuroep.runs import config, overrides
from site_pages import made

STUDIES = study_list.load()
PAGES = {path.relative_to(ROOT / "docs").as_posix(): path for path in (ROOT / "docs").rglob("*.md")}
PLACES = {"out": "OUT", "data": "DATA", **{name: f"DATA/{name}" for name in study_list.DATA}}
VARYING = ("--vary", "--field")
COMMANDS = cli.build_parser()[1]


def has_figures(lines: list[str]) -> bool:
    """Tell whether a section has a picture, or a table of which most cells hold numbers."""
    rows = [line for line in lines if line.startswith("|") and not re.match(r"^\|[-| :]+\|$", line)][1:]
    cells = [cell.strip() for row in rows for cell in row.strip().strip("|").split("|")[1:]]
    filled = [cell for cell in cells if cell]
    numbers = [cell for cell in filled if re.search(r"\d", cell)]
    return len(numbers) > len(filled) / 2 or any(line.startswith("![") for line in lines)


def figures() -> set[tuple[str, str]]:
    """Return page and heading of every section with figures."""
    found: dict[tuple[str, str], list[str]] = {}
    for name, path in PAGES.items():
        if "generated" not in path.parts:
            for _, section, line in studies.sections(path):
                found.setdefault((name, section), []).append(line)
    return {place for place, lines in found.items() if has_figures(lines)}


def test_every_figure_has_a_study_or_a_reason() -> None:
    told = {(study.page, section) for study in STUDIES.values() for section in study.sections}
    excused = {(other.page, other.section) for other in study_list.others()}
    assert not told & excused
    assert figures() - told - excused == set()
    headings = {(name, section) for name, path in PAGES.items() for _, section, _ in studies.sections(path)}
    assert (told | excused) - headings == set()
    assert excused <= figures()


@pytest.mark.parametrize("name", STUDIES)
def test_a_study_says_what_it_needs_and_reads(name: str) -> None:
    study, before = STUDIES[name], list(STUDIES)[: list(STUDIES).index(name)]
    assert study.lines and study.minutes > 0 and study.sections and set(study.after) <= set(before)
    assert set(study.needs) <= set(study_list.NEEDS)
    text = "\n".join(study.lines)
    assert set(re.findall(r"\{out\}/(\w+)", text)) <= {name, *study.after}
    named = set(study_list.NAMED.findall(text))
    assert named <= PLACES.keys()
    inherited = {need for other in study.after for need in STUDIES[other].needs}
    assert named - {"out", "data"} <= set(study.needs) and inherited <= set(study.needs)
    chips = {chip for of in ("chip", "pulsed", "silent") for chip in study.each.get(of, ())}
    assert all(files.load(str(chip)) for chip in chips)
    assert all(f"{{{each}}}" in "\n".join(study.commands) for each in (*study.each, *study.words))
    assert all((ROOT / kept).is_file() for kept in study.keeps.values())


def few(values: tuple[object, ...]) -> tuple[object, ...]:
    """Return the first of several numbers, or the first and the last of several words."""
    return values[:1] if isinstance(values[0], int | float) else (values[0], values[-1])


@cache
def trained(line: str) -> tuple[str, list[str]]:
    """Return the configuration and the settings of the run that a command opens or makes."""
    argv = study_list.words(line, PLACES)[1:]
    arguments = cli._arguments(COMMANDS[argv[0]], argv[1:])
    source = getattr(arguments, "config", None) or getattr(arguments, "source", None) or arguments.directory
    if source.startswith("OUT/"):
        begun, settings = trained(MAKING[source])
        settings = overrides.split(settings, COMMANDS["train"].options)[1]
    else:
        begun, settings = source, []
    return begun, [*settings, *arguments.overrides]


FEWER = [study._replace(each={name: few(values) for name, values in study.each.items()}) for study in STUDIES.values()]
LINES = list(dict.fromkeys(line for study in FEWER for line in study.lines))
"""All commands, with one seed or two chips for several."""
TRAININGS = [line for line in LINES if line.startswith("neuroep train ")]
MAKING = {study_list.words(line, PLACES)[shlex.split(line).index("--out") + 1]: line for line in TRAININGS}
"""The command that makes each run."""


@pytest.mark.parametrize("line", [line for line in LINES if line.startswith("neuroep ")])
def test_a_command_is_one_that_neuroep_takes(line: str) -> None:
    argv = study_list.words(line, PLACES)
    arguments = cli._arguments(COMMANDS[argv[1]], argv[2:])
    if argv[1] in ("demo", "report"):
        return
    if getattr(arguments, "start", None) is not None:
        assert arguments.start in MAKING
    source, settings = trained(line)
    assert config.load(ROOT / source, settings)
    for option, value in itertools.pairwise(argv):
        if option in VARYING:
            field, _, values = value.partition("=")
            first = re.split("[,:]", values)[0]
            assert field == "chip" or points.is_field(field) or field in config.listing()
            chip = [] if field == "chip" and "--chip" in settings else settings
            assert config.load(ROOT / source, [*chip, f"--{field}", first])


class Parsed(Exception):
    """What a program asked of its command line was there."""


def parsing(parse: Callable[..., object], words: list[str]) -> Callable[..., None]:
    """Return a parser's method that reads these words, and goes no further."""

    def parsed(parser: argparse.ArgumentParser, *_: object) -> None:
        parse(parser, words)
        raise Parsed

    return parsed


@pytest.mark.parametrize("line", [line for line in LINES if line.startswith("python ")])
def test_a_command_is_one_that_its_program_takes(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    program, *words = study_list.words(line, PLACES)[1:]
    for name in ("parse_args", "parse_intermixed_args"):
        monkeypatch.setattr(argparse.ArgumentParser, name, parsing(vars(argparse.ArgumentParser)[name], words))
    monkeypatch.setattr(sys, "argv", [program, *words])
    monkeypatch.syspath_prepend(str((ROOT / program).parent))
    with pytest.raises(Parsed):
        runpy.run_path(str(ROOT / program), run_name="__main__")


def test_chips_of_studies_are_those_of_their_pages() -> None:
    for page, name in (("clock.md", "clocked"), ("ablation.md", "tiles")):
        file = f"examples/chips/{name}.toml"
        block = re.search(rf"```toml\n# {file}\n(.*?)```", PAGES[page].read_text(encoding="utf-8"), re.DOTALL)
        assert block is not None and (ROOT / file).read_text(encoding="utf-8").endswith(f"\n{block[1]}")


def test_the_ledger_knows_every_study_and_no_other() -> None:
    known = studies.ledger()
    assert known.keys() == STUDIES.keys()
    for name, entry in known.items():
        assert re.fullmatch(r"\d{4}-\d\d-\d\d", entry["made"]), name
        assert entry.get("by") == "hand" or entry["from"].keys() >= {"code", "commands", "data"}


def test_pages_end_with_when_their_figures_were_made() -> None:
    assert "`study`" in made.footer("study.md") and "](studies.md)" in made.footer("study.md")
    assert made.footer("limits.md") == "" == made.footer("index.md")
    assert all(f"`{name}`" in made.fragment() for name in STUDIES)
    assert "tests/hw_models/arrays/test_wires.py" in made.tests() or "no dates" in made.tests()


# How they are run: two tiny studies, one of which reads the other.

PROGRAM = """
import sys
from pathlib import Path
out = Path(sys.argv[1])
out.mkdir(parents=True, exist_ok=True)
name = sys.argv[2]
if name in (out / "fails").read_text().split() if (out / "fails").exists() else ():
    raise SystemExit(3)
(out / name).write_text("".join(path.read_text() for path in map(Path, sys.argv[3:])) + name)
print("made", name)
"""


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a program, and a ledger of its own."""
    (tmp_path / "program.py").write_text(PROGRAM)
    (tmp_path / "docs").mkdir()
    (tmp_path / "page.md").write_text("# A\n")
    for module in (studies, study_list):
        monkeypatch.setattr(module, "ROOT", tmp_path)
    monkeypatch.setattr(studies, "LEDGER", tmp_path / "docs" / "studies.json")
    monkeypatch.setattr(studies, "commit", lambda: "abc")
    monkeypatch.setattr(study_list, "code", lambda: (tmp_path / "code").read_text())
    (tmp_path / "code").write_text("1")
    return tmp_path


def two(needs: tuple[str, ...] = ()) -> dict[str, Study]:
    """Return two studies: ``a`` makes two files, ``b`` reads one of them."""
    first = ("python program.py {out}/a one", "python program.py {out}/a {name}")
    a = Study("a", "page.md", ("A",), "", 1, first, each={"name": ("two", "three")}, needs=needs)
    b = Study("b", "page.md", ("A",), "", 1, ("python program.py {out}/b x {out}/a/one",), after=("a",))
    return {"a": a, "b": b._replace(keeps={"x": "docs/kept"})}


def run(world: Path, names: tuple[str, ...] = (), found: Mapping[str, Study] | None = None, **how: Path) -> list[str]:
    """Run, and return what was planned, and the number of failures."""
    runner = studies.Runner(two() if found is None else found, how.get("data"), Path("out"))
    planned = [study.name for study in runner.plan(names)]
    return [*planned, str(runner.run(names))]


def test_studies_run_once_and_again_where_something_changed(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(world) == ["a", "b", "0"]
    entry = studies.ledger()["a"]
    assert (world / "docs" / "kept").read_text() == "onex" and entry["exit"] == 0 and entry["seconds"] >= 0
    assert "made three" in (world / "out" / "a" / "3.txt").read_text()
    assert run(world) == ["0"] and run(world, ("b",)) == ["0"]
    (world / "code").write_text("2")
    assert run(world, ("a",)) == ["a", "0"]
    assert (world / "out" / "a.before" / "one").is_file()
    listed = list(studies.Runner(two(), None, Path("out")).listing(()))
    assert "as it is" in listed[0] and "changed: code, inputs" in listed[1]
    assert capsys.readouterr().out.count("python program.py {out}/a one") == 2


def test_what_is_read_and_not_there_is_made_again(world: Path) -> None:
    run(world)
    (world / "out" / "a" / "state.json").unlink()
    assert run(world, ("b",)) == ["0"]
    (world / "program.py").write_text(PROGRAM + "\n")
    assert run(world, ("b",)) == ["a", "b", "0"]


def test_a_study_goes_on_with_the_command_that_failed(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (world / "out" / "a").mkdir(parents=True)
    (world / "out" / "a" / "fails").write_text("two")
    assert run(world) == ["a", "b", "1"]
    said = capsys.readouterr().out
    assert "failed: a: command 2 ended with 3" in said and "skipped: b: a not there" in said
    assert studies.ledger()["a"]["failed"]["exit"] == 3 and studies.when(studies.ledger()["a"]) == "never"
    (world / "out" / "a" / "fails").unlink()
    (world / "out" / "a" / "one").write_text("kept")
    assert run(world) == ["a", "b", "0"]
    assert (world / "docs" / "kept").read_text() == "keptx" and "failed" not in studies.ledger()["a"]


def test_what_needs_data_is_skipped_without_them(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = two(("imdb",))
    assert run(world, found=found) == ["a", "b", "0"]
    assert capsys.readouterr().out.splitlines() == ["skipped: a: imdb not there", "skipped: b: a not there"]
    (world / "data" / "imdb").mkdir(parents=True)
    (world / "data" / "imdb" / "train").write_text("1")
    assert run(world, ("a",), found, data=world / "data") == ["a", "0"]
    study_list.content.cache_clear()
    (world / "data" / "imdb" / "train").write_text("2")
    assert run(world, ("a",), found, data=world / "data") == ["a", "0"]


def test_the_command_line_refuses_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert studies.main(["studi"]) == 2 == studies.main(["--data", "nowhere", "study"])
    assert capsys.readouterr().err.splitlines() == [
        "error: unknown study 'studi': see --list; did you mean 'study'?", "error: --data: no folder 'nowhere'"
    ]  # fmt: skip


def test_figures_made_by_hand_are_dated_by_the_last_change_of_their_rows(
    world: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (world / "docs" / "page.md").write_text("# A\n| a | b |\n|---|---|\n| x | 1 |\n\n## B\n| y | 2 |\n")
    told = [f"{'c' * 40} {n} {n} 1\ncommitter-time {stamp}\n\tline" for n, stamp in enumerate(
        (0, 86400, 86400, 172800, 0, 0, 864000), 1)]  # fmt: skip
    monkeypatch.setattr(studies, "git", lambda *words: "\n".join(told))
    assert studies.by_hand(two()["a"]) == {
        "by": "hand", "made": "1970-01-03", "since": "1970-01-02", "commit": "c" * 10
    }  # fmt: skip
    told = [line.replace("c" * 40, "0" * 40) for line in told]
    with pytest.raises(NeuroepError, match=r"study 'a': line 2 of docs/page.md is not committed yet"):
        studies.by_hand(two()["a"])
    assert studies.when({"by": "hand", "made": "2026-01-02"}) == "2026-01-02, by hand"
    assert json.loads(studies.LEDGER.read_text()) if studies.LEDGER.exists() else True


def test_every_entry_of_the_ledger_names_a_commit() -> None:
    commits = [entry["commit"] for entry in studies.ledger().values()]
    assert all(re.fullmatch("[0-9a-f]{10}", commit) and commit.strip("0") for commit in commits)
