"""The command line: what it prints, its exit codes, and one clear line for everything that cannot be."""

from __future__ import annotations

import json
import os
import stat
import sys
import types
from collections.abc import Callable

import numpy as np
import pytest

from neuroep import cli
from neuroep.runs import directory as runs

COMMANDS = ["train", "evaluate", "chips", "gradcheck", "compare", "export", "sweep", "report", "demo"]
COMMANDS += ["adopt", "import-published"]


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"]])
def test_help_shows_the_commands(neuroep, arguments):
    found = neuroep(*arguments)
    assert (found.code, found.err) == (0, "")
    for command in COMMANDS:
        assert command in found.out


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_has_help(neuroep, command):
    found = neuroep(command, "--help")
    assert found.code == 0
    assert ("--training.epochs" in found.out) == (command not in ("demo", "chips", "report"))


def test_a_chip_is_shown_with_fields_laid_over_it(neuroep, tmp_path):
    """Before, a file of which the command line makes a chip could not be looked at."""
    (tmp_path / "a.toml").write_text("[device.pulse]\ndw_min = 0.01\n[update]\nfill = 0.5\n")
    refused = neuroep("chips", tmp_path / "a.toml")
    assert refused.code == 2 and all("it acts only" in line for line in refused.err.splitlines())
    found = neuroep("chips", tmp_path / "a.toml", "--chip.update.scheme", "agad", "--chip.adc.bits=5")
    assert found.code == 0 and "update.scheme" in found.out and "adc.bits" in found.out
    toml = neuroep("chips", "pcm", "--toml", "--chip.adc.bits", "5")
    assert "bits = 5" in toml.out
    assert neuroep("chips", "pcm", "--chip.adc.bitz", "5").line.endswith("did you mean '--chip.adc.bits'?")
    assert "name the chip" in neuroep("chips", "--chip.adc.bits", "5").line
    assert "--fit," not in neuroep("chips", "pcm", "--fitt", "x").line


def test_a_chip_that_no_run_takes_is_refused_where_it_is_looked_at(neuroep, tiny, tmp_path):
    """Before, `neuroep chips` showed it, and the run that was opened on it said that it cannot be."""
    (tmp_path / "a.toml").write_text(
        '[timing]\npulse = 1e-6\n[cost]\ncomponents = ["rasch_2024_training"]\nwrite_voltage = 1.0\n'
    )
    (tmp_path / "b.toml").write_text('[cost]\ncomponents = ["shafiee_2016_adc", "murmann_2025_adc"]\n')
    for name, expected in (("a", "timing.pulse = 1e-06 s cannot act"), ("b", "both hold adc_energy")):
        shown = neuroep("chips", tmp_path / f"{name}.toml")
        opened = neuroep("train", tiny, "--chip", tmp_path / f"{name}.toml", "--out", tmp_path / "run")
        assert shown.code == opened.code == 2 and shown.out == ""
        assert expected in shown.line and opened.err.endswith(shown.err)


def test_version(neuroep):
    from neuroep import __version__

    assert neuroep("--version").out == f"neuroep {__version__}\n"


def test_help_imports_nothing_heavy(process):
    heavy = ("torch", "numba", "datasets", "gensim", "matplotlib", "pydantic", "numpy", "scipy", "tqdm")
    code = f"import sys; from neuroep import cli; cli.build_parser(); print([m for m in {heavy} if m in sys.modules])"
    out, err = process("-c", code).communicate(timeout=600)
    assert (out, err) == ("[]\n", "")


def test_the_package_is_the_command_and_its_help_is_instant(process):
    """Seconds of computing, which do not depend on what else the machine does."""
    code = "import resource, runpy, sys; sys.argv[1:] = ['--help']\n"
    code += "try: runpy.run_module('neuroep', run_name='__main__')\n"
    code += "finally: print(sum(resource.getrusage(resource.RUSAGE_SELF)[:2]), file=sys.stderr)"
    child = process("-c", code)
    out, err = child.communicate(timeout=100)
    assert child.returncode == 0
    assert out.startswith("usage: neuroep ") and "import-published" in out
    assert float(err) < 0.3


def test_train_and_evaluate_in_processes_of_their_own(tiny, tmp_path, process):
    out = tmp_path / "run"
    child = process("-m", "neuroep.cli", "train", tiny, "--out", out, "--epochs", "1")
    printed, errors = child.communicate(timeout=600)
    assert (child.returncode, errors) == (0, "")
    assert printed.startswith("epoch 1: train loss ")
    assert printed.endswith(f"{out}: 1 epochs done\n")
    child = process("-m", "neuroep", "evaluate", out, "--json")
    printed, errors = child.communicate(timeout=600)
    assert (child.returncode, errors) == (0, "")
    assert json.loads(printed)["samples"] == 1000


def test_an_error_in_a_process_is_one_line_and_code_2(tmp_path, process):
    child = process("-m", "neuroep.cli", "train", tmp_path / "none.toml", "--out", tmp_path / "run")
    printed, errors = child.communicate(timeout=600)
    assert (child.returncode, printed) == (2, "")
    assert errors.startswith("neuroep: error: cannot read configuration")
    assert errors.count("\n") == 1


def test_quiet_prints_nothing(neuroep, tiny, tmp_path):
    assert neuroep("train", tiny, "--out", tmp_path / "run", "--quiet") == (0, "", "")


def test_overrides_reach_the_run(neuroep, tiny, tmp_path):
    found = neuroep("train", "--epochs", "1", tiny, "--engine", "reference", "--beta=0.2", "--out", tmp_path / "run")
    assert found.code == 0
    config = runs.load(tmp_path / "run").config
    assert (config.training.epochs, config.engine.kind, config.estimator.beta) == (1, "reference", 0.2)


def test_resume(neuroep, tiny, tmp_path):
    out = tmp_path / "run"
    assert neuroep("train", tiny, "--out", out, "--epochs", "1").code == 0
    assert "is not empty" in neuroep("train", tiny, "--out", out).line
    found = neuroep("train", tiny, "--out", out, "--resume")
    assert found.out.startswith("epoch 2:")


def test_evaluate_prints_text_or_json(neuroep, trained):
    text = neuroep("evaluate", trained)
    assert text.out.startswith("test: accuracy ")
    assert "negative" in text.out
    found = json.loads(neuroep("evaluate", trained, "--json", "--split", "train").out)
    assert (found["split"], found["samples"]) == ("train", 90)


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["trian"], ["unknown command 'trian'", "did you mean 'train'?"]),
        (["train"], ["required", "--out"]),
        (["train", "TINY"], ["required", "--out"]),
        (["train", "TINY", "--out"], ["--out", "expected one argument"]),
        (["train", "TINY", "more", "--out", "RUN"], ["more"]),
        (["train", "TINY", "--out", "RUN", "--epochs"], ["'--epochs' needs a value"]),
        (["train", "TINY", "--out", "RUN", "--epoch", "3"], ["'--epoch'", "did you mean '--epochs'?"]),
        (["train", "TINY", "--out", "RUN", "--network.dence", "3"], ["did you mean '--network.dense'?"]),
        (["train", "TINY", "--out", "RUN", "--kind", "x"], ["not unique"]),
        (["evaluate", "RUN", "--seeds", "1,2"], ["--seeds = '1,2': should be a whole number"]),
        (["require", "RUN", "--target", "90%"], ["--target = '90%': should be a number; 90% is 0.9"]),
        (["fit", "a.csv", "--g-max", "25uS"], ["--g-max = '25uS': should be a number"]),
        (["sweep", "RUN", "--vary", "chip.adc.bits", "3:8", "--out", "RUN"], ["'3:8'", "are one, --vary NAME=3:8"]),
        (["require", "RUN", "--field", "a", "3:8", "--out", "RUN"], ["'3:8'", "are one, --field NAME=3:8"]),
        (["train", "TINY", "--out", "RUN", "--epochs", "0"], ["training.epochs = 0", "greater than or equal to 1"]),
        (["train", "TINY", "--out", "RUN", "--epochs", "three"], ["training.epochs = 'three'", "whole number"]),
        (["train", "TINY", "--out", "RUN", "--engine", "locl"], ["engine.kind = 'locl'", "did you mean 'local'?"]),
        (["train", "none.toml", "--out", "RUN"], ["none.toml"]),
        (["train", "TINY", "--out", "TINY"], ["is a file"]),
        (["train", "TINY", "--out", "."], ["out is '.': name a new directory"]),
        (["train", "TINY", "--out", ""], ["out is '.': name a new directory"]),
        (["gradcheck", "TINY", "--out", "."], ["out is '.': name a new directory"]),
        (["demo", "--out", ""], ["out is '.': name a new directory"]),
        (["import-published", "TINY", "--out", "."], ["out is '.': name a new directory"]),
        (["evaluate", "none"], ["'none' does not exist"]),
        (["evaluate", "."], ["no run directory"]),
        (["evaluate", "RUNNING", "--split", "tset"], ["did you mean 'test'?"]),
        (["evaluate", "RUNNING", "--tokens", "3"], ["belongs to another network", "; given are --tokens"]),
        (["gradcheck", "TINY", "--samples", "3", "--out", "RUN"], ["'--samples' is an option of neuroep cost, neu"]),
        (["chips", "--respons"], ["'--response' is one of neuroep fit; neuroep chips has --components"]),
        (["chips", "--resp"], ["'--response' is one of neuroep fit; neuroep chips has --components"]),
        (["chips", "pcm", "--rules"], ["chip 'pcm': --rules lists what all chips may have, leave the name out"]),
        (["chips", "--rule"], ["did you mean '--rules'?"]),
        (["demo", "--size", "3"], ["--size"]),
        (["import-published", "none.pt", "--out", "RUN"], ["'none.pt' do not exist"]),
    ],
)
def test_what_cannot_be_is_one_line(neuroep, tiny, trained, tmp_path, monkeypatch, arguments, parts):
    monkeypatch.chdir(tmp_path)
    names = {"TINY": tiny, "RUN": tmp_path / "run", "RUNNING": trained}
    line = neuroep(*(names.get(argument, argument) for argument in arguments)).line
    for part in parts:
        assert part in line
    assert [path.name for path in tmp_path.iterdir()] == ["tiny.toml"]


@pytest.mark.parametrize("what", ["a pipe", "a device", "a link to a pipe"])
@pytest.mark.parametrize(
    "arguments",
    [
        ["report", "RUNNING", "--out", "NODE"],
        ["train", "TINY", "--out", "NODE"],
        ["train", "TINY", "--out", "NODE", "--resume"],
        ["compare", "TINY", "--out", "NODE"],
        ["gradcheck", "TINY", "--out", "NODE"],
        ["sweep", "TINY", "--vary", "estimator.beta=0.1,0.2", "--out", "NODE"],
        ["import-published", "TINY", "--out", "NODE"],
        ["demo", "--out", "NODE"],
    ],
)
def test_no_output_takes_the_place_of_a_pipe_or_a_device(neuroep, tiny, trained, tmp_path, arguments, what):
    """Before, ``report --out`` put its page over the device, as root over ``/dev/null`` itself."""
    node = tmp_path / "node"
    if what == "a device":
        try:
            os.mknod(node, stat.S_IFCHR | 0o666, os.makedev(1, 3))
        except PermissionError:
            pytest.skip("only root makes devices")
    else:
        os.mkfifo(node)
    out = node if what != "a link to a pipe" else tmp_path / "link"
    if out is not node:
        out.symlink_to(node)
    before = sorted(tmp_path.iterdir()), os.lstat(node).st_mode
    names = {"TINY": tiny, "NODE": out, "RUNNING": trained}
    line = neuroep(*(names.get(argument, argument) for argument in arguments)).line
    assert f"'{out}'" in line and what.removeprefix("a link to ") in line
    assert before == (sorted(tmp_path.iterdir()), os.lstat(node).st_mode)


def table(folder, train: str, test: str = "text,label\ngood,1\nbad,0\n", vectors: str | None = None) -> list[str]:
    """Write a small table with word vectors; return the settings that name them."""
    folder.mkdir()
    (folder / "train.csv").write_text(f"text,label\n{train}")
    (folder / "test.csv").write_text(test)
    path = folder.parent / "vectors.txt"
    path.write_text(vectors or "3 2\ngood 1 0.5\nbad -1 0.5\nfilm 0 1\n")
    names = ["--data.name", "table", "--path", str(folder), "--vectors", str(path), "--text", "text"]
    return [*names, "--label", "label", "--limit", "none"]


GOOD = "good film,1\nbad film,0\n"


def test_a_table_of_ones_own(neuroep, tiny, tmp_path):
    settings = table(tmp_path / "data", GOOD)
    assert neuroep("train", tiny, "--out", tmp_path / "run", *settings).code == 0


@pytest.mark.parametrize(
    ("rows", "settings", "parts"),
    [
        (GOOD, {"vectors": "no vectors\nat all here\n"}, ["vectors"]),
        (GOOD, {"vectors": "3 2\ngood 1 0.5\nbad nan 0.5\nfilm 0 1\n"}, ["vectors.txt", "nan"]),
        (GOOD, {"test": "text,label\n"}, ["empty"]),
        ("good,1\nbad,-3\n", {}, ["-3"]),
        (GOOD, {"test": "text,label\ngood,7\n"}, ["7"]),
        (GOOD, {"test": "words,label\ngood,1\n"}, ["text"]),
    ],
)
def test_bad_data_is_one_line_and_leaves_no_run(neuroep, tiny, tmp_path, rows, settings, parts):
    names = table(tmp_path / "data", rows, **settings)
    line = neuroep("train", tiny, "--out", tmp_path / "run", *names).line
    for part in parts:
        assert part in line.lower()
    assert not list(tmp_path.glob("*run*")) + list(tmp_path.glob(".*"))


@pytest.mark.parametrize("missing", ["--path", "--vectors"])
def test_missing_data_is_one_line(neuroep, tiny, tmp_path, missing):
    names = table(tmp_path / "data", GOOD)
    names[names.index(missing) + 1] = str(tmp_path / "nothing.txt")
    line = neuroep("train", tiny, "--out", tmp_path / "run", *names).line
    assert "nothing.txt" in line
    assert not (tmp_path / "run").exists()


def test_damaged_checkpoint(neuroep, trained, tmp_path):
    import shutil

    copy = tmp_path / "run"
    shutil.copytree(trained, copy)
    path = copy / "checkpoint.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    assert "truncated or damaged" in neuroep("evaluate", copy).line


def test_divergence_is_one_line_with_layer_and_step(neuroep, tiny, tmp_path):
    wild = ["--potential", "linear", "--dense_rate", "1e6"]
    line = neuroep("train", tiny, "--out", tmp_path / "run", *wild, "--quiet").line
    assert line.startswith("diverged: ")
    assert "epoch 1" in line
    assert np.isfinite(runs.load(tmp_path / "run").checkpoint().parameters["dense_1.weight"]).all()


class OutOfMemoryError(RuntimeError):
    """Named as torch names the one of a GPU."""


def noted(error: BaseException, line: str) -> BaseException:
    """Return an error with a note."""
    error.add_note(line)
    return error


SMALLER = "try smaller tokens, dense sizes or batch"


@pytest.mark.parametrize(
    ("raised", "code", "printed"),
    [
        (KeyboardInterrupt(), 130, "neuroep: interrupted\n"),
        (noted(KeyboardInterrupt(), "so it goes on"), 130, "neuroep: interrupted: so it goes on\n"),
        (PermissionError(13, "Permission denied", "/x"), 2, "neuroep: error: Permission denied: '/x'\n"),
        (OSError("odd\nlines"), 2, "neuroep: error: odd lines\n"),
        (MemoryError(), 2, f"neuroep: error: out of memory; {SMALLER}\n"),
        (
            MemoryError("Unable to allocate 8 GiB"),
            2,
            f"neuroep: error: out of memory: Unable to allocate 8 GiB; {SMALLER}\n",
        ),
        (
            OutOfMemoryError("CUDA out of memory. Tried to allocate 8 GiB. GPU 0 has 1 GiB.\nMore."),
            2,
            f"neuroep: error: out of memory: CUDA out of memory. Tried to allocate 8 GiB; {SMALLER}\n",
        ),
        (
            RuntimeError("[enforce fail] . DefaultCPUAllocator: can't allocate memory: you tried 8 bytes."),
            2,
            f"neuroep: error: out of memory: can't allocate memory: you tried 8 bytes; {SMALLER}\n",
        ),
    ],
)
def test_other_ends(neuroep, tiny, tmp_path, monkeypatch, raised, code, printed):
    from neuroep.runs import training

    def stop(*_: object, **__: object) -> None:
        raise raised

    monkeypatch.setattr(training, "train", stop)
    found = neuroep("train", tiny, "--out", tmp_path / "run")
    assert (found.code, found.err) == (code, printed)


def test_an_array_too_large_is_one_line(neuroep, tiny, tmp_path, monkeypatch):
    """Where the system does not say what memory there is, allocating fails in one line."""
    from neuroep.runs import memory

    monkeypatch.setattr(memory, "physical_memory", lambda: None)
    line = neuroep("train", tiny, "--out", tmp_path / "run", "--dense", "1000000000,1000000000,2").line
    assert line.startswith("out of memory: ") and line.endswith(SMALLER)


def test_other_faults_of_the_program_stay_tracebacks(tiny, tmp_path, monkeypatch):
    from neuroep.runs import training

    def stop(*_: object, **__: object) -> None:
        raise RuntimeError("a fault")

    monkeypatch.setattr(training, "train", stop)
    with pytest.raises(RuntimeError, match="a fault"):
        cli.main(["train", str(tiny), "--out", str(tmp_path / "run")])


def test_a_finished_run_without_its_metrics_is_one_line(neuroep, trained, tmp_path):
    import shutil

    shutil.copytree(trained, tmp_path / "run")
    (tmp_path / "run" / "metrics.jsonl").write_text("")
    line = neuroep("train", trained.parent / "tiny.toml", "--out", tmp_path / "run", "--resume").line
    assert "metrics.jsonl ends before the checkpoint" in line


RECORD = {
    "epoch": 3,
    "train": {"loss": 0.5, "accuracy": 0.75},
    "evaluate": {"test": {"accuracy": 0.625}},
    "seconds": {"train": 1.0, "evaluate": 0.25},
}


def fake(monkeypatch, name: str, seen: list, result: str) -> None:
    """Put a module in place of one of analysis."""
    module = types.ModuleType(f"analysis.{name}")

    def run(*arguments: object, progress: bool = False, report: Callable | None = None) -> object:
        seen.append(arguments)
        if report is not None:
            report("local", RECORD)
        return types.SimpleNamespace(as_text=lambda: result)

    module.run = run  # type: ignore[attr-defined]
    package = types.ModuleType("analysis")
    setattr(package, name, module)
    monkeypatch.setitem(sys.modules, "analysis", package)
    monkeypatch.setitem(sys.modules, f"analysis.{name}", module)


def test_gradcheck_opens_a_configuration_or_a_run(neuroep, tiny, trained, tmp_path, monkeypatch):
    seen: list = []
    fake(monkeypatch, "gradients", seen, "a table")
    assert neuroep("gradcheck", tiny, "--out", tmp_path, "--beta", "0.3").out == "a table\n"
    assert neuroep("gradcheck", trained, "--out", tmp_path).code == 0
    (config, out), (run, _) = seen
    assert config.estimator.beta == 0.3
    assert (out, run.path) == (str(tmp_path), trained)


def test_demo_prints_epochs_and_what_it_finds(neuroep, tmp_path, monkeypatch):
    seen: list = []
    fake(monkeypatch, "demo", seen, "a table")
    epoch = "local      epoch 3: train loss 0.5000 accuracy 0.7500, test accuracy 0.6250, 1.2 s\n"
    assert neuroep("demo").out == epoch + "a table\n"
    neuroep("demo", "--out", tmp_path)
    assert seen == [(None,), (str(tmp_path),)]


def test_import_published(neuroep, tmp_path):
    torch = pytest.importorskip("torch")
    held = {
        "synapses.0.weight": torch.zeros(32, 32),
        "synapses.1.weight": torch.ones(2, 96),
        "synapses.1.bias": torch.ones(2),
    }
    torch.save(held, tmp_path / "w.pt")
    found = neuroep("import-published", tmp_path / "w.pt", "--out", tmp_path / "run")
    assert found.out == f"{tmp_path / 'run'}: sentiment, tokens 3, dense [2]\n"


def test_the_parser_is_the_only_door(neuroep):
    assert cli.main(["--version-x"]) == 2


def test_a_network_beyond_the_memory_is_refused(neuroep, tiny, tmp_path, monkeypatch):
    """Before, the process was killed as it drew the weights."""
    line = neuroep("train", tiny, "--out", tmp_path / "run", "--dense", "[1000000000,2]").line
    assert line.startswith("network.dense = [1000000000, 2]: ") and "this machine has " in line
    assert "GiB with the optimiser's moments" in line and not (tmp_path / "run").exists()
    from neuroep.runs import memory

    monkeypatch.setattr(memory, "physical_memory", lambda: 1000)
    assert neuroep("train", tiny, "--out", tmp_path / "run").line.startswith("network.dense = [8, 2]: ")
    monkeypatch.setattr(memory, "physical_memory", lambda: None)
    assert neuroep("train", tiny, "--out", tmp_path / "run", "--epochs", "1", "--quiet").code == 0


@pytest.mark.parametrize(
    ("given", "line"),
    [
        (["--seed", "1", "--seed", "2"], "setting '--seed' is given twice"),
        (["--engine", "local", "--engine=reference"], "option '--engine' is given twice"),
        (["--engine", "local", "--engine.kind", "reference"], "setting '--engine', before as '--engine.kind',"),
        (["--chip", "pcm", "--chip", "rram"], "option '--chip' is given twice"),
        (["--out", "other"], "option '--out' is given twice"),
    ],
)
def test_what_is_given_twice_is_refused(neuroep, tiny, tmp_path, given, line):
    """Before, the last one counted without a word."""
    found = neuroep("train", tiny, "--out", tmp_path / "run", *given).line
    assert found.startswith(line) and found.endswith("twice: which value is meant?")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("arguments", "near"),
    [
        (["fit", "a.csv", "--respons", "linear"], "--response"), (["fit", "a.csv", "--respons=linear"], "--response"),
        (["fit", "a.csv", "--resp", "linear"], "--response"), (["fit", "a.csv", "--cit", "x"], "--citation"),
        (["train", "a.toml", "--res"], "--resume"),
        (["train", "a.toml", "--chip.device.read_n", "1"], "--chip.device.read_noise"),
        (["chips", "--field"], "--fields"), (["--versoin"], "--version"), (["sweep", "a", "--sedes", "3"], "--seeds"),
    ],
)  # fmt: skip
def test_an_unknown_option_names_the_nearest(neuroep, arguments, near):
    """Before, argparse said "unrecognized arguments" and named none."""
    given = next(argument for argument in arguments if argument.startswith("--")).partition("=")[0]
    line = neuroep(*arguments).line
    assert f"'{given}'" in line and f"did you mean '{near}'" in line


def test_help_tells_both_forms_of_a_field(capsys):
    from neuroep.cli import main

    with pytest.raises(SystemExit):
        main(["require", "--help"])
    shown = " ".join(capsys.readouterr().out.split())
    assert "--field NAME[=VALUES]" in shown and "A field of bits needs no range (then 2 to 12)" in shown
