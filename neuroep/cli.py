"""The command line: reads arguments, calls the library, prints. It holds no logic of its own.

Exit codes: 0 done; 2 an error the user can mend, a line on stderr for each fault, or a sweep of which every trial
failed; 130 interrupted; 141 what read the output has ended, as of a pipe into head, without a word. What is printed
holds no control characters, whatever names and labels hold.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from hw_models.reading import Entries
from neuroep import __version__
from neuroep.errors import ConfigError, NeuroepError, UserError, begun, nearest, of_commands, slips, unknown
from neuroep.runs import fit_arguments, folders, memory, streams
from neuroep.runs.streams import say

if TYPE_CHECKING:
    from analysis.sweep.results import Sweep

ABOUT = "Train and study classifiers with Hopfield attention that learn by Equilibrium Propagation (EP)."
GONE = 141
"""Exit code of a process that a closed pipe ends (128 + SIGPIPE)."""
SLIPS = 2
"""Of typing, up to which an option of another command may be meant."""
SETTERS = {"--vary", "--field", "--map"}
"""Options whose value has a name of its own."""
NUMBERS = {"int": "whole number", "float": "number"}
_NO_NUMBER = re.compile(r"argument (\S+): invalid (int|float) value: ['\"](.*)['\"]")
"""What argparse says of an option's value."""
_PERCENT = re.compile(r"\s*(\d+(?:\.\d*)?)\s*%\s*")
TRIALS = (
    "out", "mode", "seeds", "until", "max_seeds", "split", "samples", "workers", "cluster", "retry_failed", "overrides",
    "recipe",
)  # fmt: skip
"""Arguments of all that runs trials."""
RECIPE = "auto: choose the settings that the chip needs to learn, say why"
EXAMPLES = """\
examples:
  neuroep demo
  neuroep train examples/configs/reviews.toml --out runs/reviews --epochs 5 --engine reference
  neuroep evaluate runs/reviews --split test --json
  neuroep cost runs/reviews --chip hermes
  neuroep export runs/reviews --chip pcm --sample 3 --out net.cir
  neuroep sweep runs/reviews --chip pcm --vary chip.adc.bits=3:10 --seeds 3 --out runs/bits
  neuroep ablate runs/reviews --chip rram --out runs/ablated
  neuroep require runs/reviews --chip rram --field chip.adc.bits --target 0.9 --out runs/required
  neuroep report runs/bits
  neuroep fit pulses.csv drift.csv --out my_device.toml --picture my_device.png

Every setting of a configuration can be given as --section.name VALUE. Where its name is unique, --name VALUE is enough.
'neuroep train --help' lists all settings.
"""


class _GivenOnce(argparse.Action):
    """Stores a value; a second one is refused."""

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: object, option: str | None = None
    ) -> None:
        """Store the value, and note that it was given."""
        given: set[str] = namespace.__dict__.setdefault("given", set())
        if option is not None and self.dest in given:
            parser.error(f"option '{option}' is given twice: which value is meant?")
        given.add(self.dest)
        setattr(namespace, self.dest, values)


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line, and whose help can list the settings."""

    def __init__(self, prog: str, description: str, epilog: str | None = None, *, settings: bool = False) -> None:
        self.settings = settings
        self.options: dict[str, bool] = {}
        """Own options, and whether each takes a value."""
        self.fields = False
        """Whether fields of a chip can be given, and no other settings."""
        self.beside: dict[str, Parser] = {}
        """All commands, whose options may be meant."""
        raw = argparse.RawDescriptionHelpFormatter
        super().__init__(prog, None, description, epilog, formatter_class=raw, allow_abbrev=False)
        self.register("action", None, _GivenOnce)
        self.register("action", "store", _GivenOnce)

    def add_argument(self, *args: Any, **kwargs: Any) -> argparse.Action:
        """Add an argument and remember its options."""
        action = super().add_argument(*args, **kwargs)
        if action.help != argparse.SUPPRESS:  # of a former option only the refusal is left
            self.options |= dict.fromkeys(action.option_strings, action.nargs != 0)
        return action

    def error(self, message: str) -> NoReturn:
        """Raise the message as an error of the user's; an option that there is not, with the nearest that there is."""
        start, _, rest = message.partition("unrecognized arguments: ")
        if not start and rest.startswith("-"):
            given = rest.split(" ")[0].partition("=")[0]
            raise ConfigError(self._elsewhere(given) or unknown("option", given, sorted(self.options)))
        if not start and rest and (several := SETTERS & set(self.options)):
            last = rest.split(" ")[0]
            raise ConfigError(f"unknown argument '{last}': a name and its values are one, {min(several)} NAME={last}")
        if found := _NO_NUMBER.fullmatch(message):
            percent = _PERCENT.fullmatch(found[3]) if found[2] == "float" else None
            share = f"; {found[3]} is {float(percent[1]) / 100:.10g}" if percent else ""
            raise ConfigError(f"{found[1]} = '{found[3]}': should be a {NUMBERS[found[2]]}{share}")
        raise ConfigError(message)

    def _elsewhere(self, given: str) -> str:
        """Say of which other commands an option is that is near to none of this one; else nothing."""
        if begun(given, self.options):
            return ""
        far = min(slips(given, own) for own in self.options)
        others = {name: slips(given, name) for each in self.beside.values() for name in each.options}
        begins = begun(given, others)
        near = min(begins or others, key=others.__getitem__, default="")
        # One slip is likelier than the beginning of a longer word, two are not.
        if not near or (far <= 1 if begins else far <= SLIPS or others[near] > SLIPS):
            return ""
        whose = [f"neuroep {name}" for name, command in self.beside.items() if near in command.options]
        return f"unknown option '{given}': '{near}' is one of {', '.join(whose)}; {self.prog} has {self._allowed()}"

    def named_elsewhere(self, error: str, argv: Sequence[str]) -> str:
        """Say of which commands an option is that an error calls no setting, ``"; ..."``; empty if of none."""
        for name in (argument.partition("=")[0] for argument in argv):
            whose = [f"neuroep {other}" for other, command in self.beside.items() if name in command.options]
            if whose and error.startswith(f"unknown setting '{name}'"):
                return f"; '{name}' is an option of {', '.join(whose)}"
        return ""

    def _allowed(self) -> str:
        return ", ".join(sorted(name for name in self.options if name.startswith("--")))

    def format_help(self) -> str:
        """Return the help text, with the settings where the command takes any."""
        if self.settings:
            from neuroep.runs.config import listing

            self.epilog = f"settings of the configuration:\n{listing()}\n"
        return super().format_help()


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Parameters
    ----------
    argv : sequence of str, optional
        Arguments after the program's name; default those of the process.

    Returns
    -------
    int
        Exit code.
    """
    with streams.prepared(), of_commands():
        try:
            return _ended(list(sys.argv[1:] if argv is None else argv))
        except BrokenPipeError:
            return GONE  # whoever read it has seen enough
        except KeyboardInterrupt as error:
            return streams.fail(": ".join(["interrupted", *vars(error).get("__notes__", [])[-1:]]), code=130)


def _ended(argv: list[str]) -> int:
    """Run one command; return the exit code, its error printed."""
    try:
        _run(argv)
        streams.flush()
    except UserError as error:
        return streams.fail(*(f"error: {line}" for line in error.lines))
    except BrokenPipeError:
        raise
    except OSError as error:
        return streams.fail(f"error: {error.strerror or error}" + (f": '{error.filename}'" if error.filename else ""))
    except RecursionError:
        return streams.fail("error: something is nested too deeply: a table, a list or brackets in one of the files")
    except (MemoryError, RuntimeError) as error:
        if not _is_out_of_memory(error):
            raise
        reason = str(error).partition("\n")[0].partition(" GPU ")[0].rpartition("Allocator: ")[2].rstrip(".")
        shown = f"out of memory: {reason}" if reason else "out of memory"
        return streams.fail(f"error: {shown}; try smaller tokens, dense sizes or batch")
    return 0


def _is_out_of_memory(error: Exception) -> bool:
    """Tell NumPy's error, that of torch on a GPU, and that of torch on the CPU, without importing them."""
    named = isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"
    return named or "DefaultCPUAllocator: " in str(error)


def _run(argv: list[str]) -> None:
    parser, commands = build_parser()
    for argument in argv:
        if "\0" in argument:
            raise ConfigError(f"argument '{argument}' holds a NUL character")
    name = argv[0] if argv else "--help"
    if name.startswith("-"):
        parser.parse_args([name])
    if name not in commands:
        raise ConfigError(f"unknown command '{name}': allowed are {', '.join(commands)}{nearest(name, commands)}")
    command = commands[name]
    arguments = _arguments(command, argv[1:])
    run: Callable[[argparse.Namespace], None] = arguments.run
    memory.keep_freed()
    with streams.noted(quiet=arguments.quiet or arguments.json):
        run(arguments)


def _arguments(command: Parser, argv: list[str]) -> argparse.Namespace:
    """Parse a command's own arguments, and gather what is left as overrides."""
    from neuroep.runs.overrides import check_once, split

    try:
        own, given = _parted(argv) if command.fields else ([], argv) if command.settings else (argv, [])
        more, overrides = split(given, command.options)
        own += more
    except ConfigError as error:
        raise ConfigError(f"{error}{command.named_elsewhere(str(error), argv)}") from None
    arguments = command.parse_args(own)
    if arguments.engine:
        check_once("--engine", overrides[::2], command.options)
        overrides += ["--engine.kind", arguments.engine]
    if arguments.chip is not None:
        overrides += ["--chip", arguments.chip]
    arguments.overrides = overrides
    return arguments


def _parted(argv: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return a command's own arguments, and the fields of a chip among them with their values."""
    own: list[str] = []
    given: list[str] = []
    rest = list(argv)
    while rest:
        token = rest.pop(0)
        of_chip = token.startswith("--chip.")
        (given if of_chip else own).append(token)
        if of_chip and "=" not in token and rest:
            given.append(rest.pop(0))
    return own, given


def build_parser() -> tuple[Parser, dict[str, Parser]]:
    """Return the parser and those of the commands by name; nothing heavy is imported."""
    parser = Parser("neuroep", description=ABOUT, epilog=EXAMPLES)
    parser.add_argument("--version", action="version", version=f"neuroep {__version__}")
    adder = parser.add_subparsers(title="commands", metavar="COMMAND", parser_class=Parser)
    commands: dict[str, Parser] = {}

    def add(name: str, run: Callable[[argparse.Namespace], None], about: str, settings: bool = True) -> Parser:
        command = adder.add_parser(name, help=about, description=f"{about[0].upper()}{about[1:]}.", settings=settings)
        command.set_defaults(run=run, engine=None, chip=None, quiet=False, json=False)
        if settings:
            about = "engine: local or reference (short for --engine.kind)"
            command.add_argument("--engine", metavar="NAME", help=about)
            several = {"action": "append", "dest": "chips"} if name == "compare" else {}
            about = "chip that the engine simulates: a preset or a TOML file" + ("; may be repeated" if several else "")
            command.add_argument("--chip", metavar="NAME", help=about, **several)
        commands[name] = command
        return command

    _add_runs(add)
    _add_analyses(add)
    _add_sweeps(add)
    for command in commands.values():
        command.beside = commands
    return parser, commands


def _add_runs(add: Callable[..., Parser]) -> None:
    """Add what makes runs, and what shows chips."""
    command = add("train", _train, "train the network that a TOML file describes")
    command.add_argument("config", metavar="CONFIG.toml", help="configuration; examples/configs has examples")
    command.add_argument("--out", required=True, metavar="DIR", help="run directory to write")
    command.add_argument("--resume", action="store_true", help="continue the run in DIR; start it if there is none")
    command.add_argument("--from", dest="start", metavar="RUN", help="start from the weights of another run")
    command.add_argument("--recipe", metavar="NAME", help=f"{RECIPE}, and write them into the run")
    command.add_argument("--quiet", action="store_true", help="print nothing but errors")

    command = add("evaluate", _evaluate, "evaluate the last checkpoint of a run")
    command.add_argument("directory", metavar="DIR", help="run directory")
    command.add_argument("--split", default="test", metavar="NAME", help="split to evaluate (default: test)")
    command.add_argument("--seeds", type=int, metavar="N", help="program N chips, and print mean and spread")
    command.add_argument("--json", action="store_true", help="print one line of JSON")
    command.add_argument("--quiet", action="store_true", help="show no progress bar")

    about = "estimate the energy, latency and area of a run on a chip, and name what the estimate leaves out"
    command = add("cost", _cost, about)
    about = "run directory, or configuration (with its initial weights)"
    command.add_argument("source", metavar="CONFIG_OR_DIR", help=about)
    command.add_argument("--split", default="test", metavar="NAME", help="split to classify (default: test)")
    command.add_argument("--samples", type=int, default=64, metavar="N", help="samples to classify (default: 64)")
    command.add_argument("--no-update", action="store_true", help="leave out the cost of an update")
    command.add_argument("--json", action="store_true", help="print one line of JSON, in SI units")
    command.add_argument("--quiet", action="store_true", help="show no progress bar")

    command = add("chips", _chips, "list the chips, or show one chip with its sources", settings=False)
    about = "chip to show: a preset, a registered chip or a TOML file; --chip.TABLE.FIELD VALUE sets a field of it"
    command.add_argument("name", nargs="?", metavar="NAME", help=about)
    command.fields = True
    about = "print the chip as TOML, as a start for a chip of your own"
    command.add_argument("--toml", action="store_true", help=about)
    about = "list all fields of a chip with their units and defaults"
    command.add_argument("--fields", action="store_true", help=about)
    about = "list the components from which the cost of a chip is computed"
    command.add_argument("--components", action="store_true", help=about)
    about = "list the learning rules with their equations and sources"
    command.add_argument("--rules", action="store_true", help=about)
    command.add_argument("--effects", action="store_true", help="list the effects that 'neuroep ablate' switches off")
    command.add_argument("--fit", metavar="FILE", help=argparse.SUPPRESS)

    command = add("fit", _fit, "fit a chip to measurements of devices; see docs/measured_device.md", settings=False)
    fit_arguments.add(command)

    command = add("adopt", _adopt, "make a run from weights that were trained elsewhere; see docs/own_weights.md")
    command.add_argument("file", metavar="FILE", help="weights: a .safetensors or .npz file, or a torch state dict")
    about = "configuration of the network and its data"
    command.add_argument("--config", required=True, metavar="CONFIG.toml", help=about)
    command.add_argument("--out", required=True, metavar="DIR", help="run directory to write")
    about = "tensor of the file = parameter or synapse of the network; THEIR=none leaves it out; may be repeated"
    command.add_argument("--map", action="append", default=[], dest="names", metavar="THEIR=OURS", help=about)
    command.add_argument("--json", action="store_true", help="print one line of JSON")

    command = add("import-published", _import_published, "make a run from a published torch state dict")
    command.add_argument("file", metavar="FILE", help="state dict with synapses.N.weight and synapses.N.bias")
    command.add_argument("--out", required=True, metavar="DIR", help="run directory to write")


def _add_analyses(add: Callable[..., Parser]) -> None:
    """Add what checks and compares."""
    command = add("gradcheck", _gradcheck, "compare the gradient of EP with that of backpropagation through time")
    about = "run directory, or configuration (with its initial weights)"
    command.add_argument("source", metavar="CONFIG_OR_DIR", help=about)
    command.add_argument("--out", required=True, metavar="DIR", help="directory for the picture and the table")
    command.add_argument("--quiet", action="store_true", help="show no progress bar")

    command = add("compare", _compare, "compare the reference engine, exact local arithmetic and chips")
    command.add_argument("source", metavar="CONFIG_OR_DIR", help="run directory, or configuration to train")
    about = "directory for the table, the results and the pictures"
    command.add_argument("--out", required=True, metavar="DIR", help=about)
    about = "deploy: program the same weights on each chip (default); learn: train on each chip"
    command.add_argument("--mode", default="deploy", metavar="NAME", help=about)
    command.add_argument("--quiet", action="store_true", help="print nothing but the table")

    about = "write the SPICE netlist of a sample that has settled on a chip; see docs/netlist.md"
    command = add("export", _export, about)
    about = "run directory, or configuration (with its initial weights)"
    command.add_argument("source", metavar="CONFIG_OR_DIR", help=about)
    command.add_argument("--out", required=True, metavar="FILE", help="netlist to write")
    command.add_argument("--force", action="store_true", help="overwrite a file that is there")
    about = "number of the sample, counted from 0 (default: 0)"
    command.add_argument("--sample", type=int, default=0, metavar="N", help=about)
    command.add_argument("--split", default="test", metavar="NAME", help="split of the sample (default: test)")
    about = "array to write, by the name of its synapse; may be repeated (default: all)"
    command.add_argument("--array", action="append", default=[], dest="arrays", metavar="NAME", help=about)
    about = "number of tokens whose products are written (default: all)"
    command.add_argument("--tokens", type=int, metavar="N", help=about)
    about = "let dense neurons drive the lines, so that SPICE settles the network"
    command.add_argument("--loop", action="store_true", help=about)
    about = "print one line of JSON with the current that every ammeter should show"
    command.add_argument("--json", action="store_true", help=about)

    about = "train a network on the embedded reviews with both engines, and deploy it on chips"
    command = add("demo", _demo, about, settings=False)
    command.add_argument("--out", metavar="DIR", help="directory for the runs and the picture")


def _add_sweeps(add: Callable[..., Parser]) -> None:
    """Add the sweep and the page."""
    about = "vary settings of a configuration or fields of a chip; a stopped sweep goes on when it is run again"
    command = add("sweep", _sweep, about)
    command.add_argument("source", metavar="CONFIG_OR_DIR", help="run directory to deploy, or configuration to train")
    vary = "name and values, such as chip.adc.bits=3:10, chip.device.read_noise=0,0.01 or estimator.beta=log:0.05..0.5"
    vary += "; may be repeated"
    command.add_argument("--vary", action="append", required=True, metavar="NAME=VALUES", help=vary)
    command.add_argument("--csv", metavar="FILE", help="also write all trials to a CSV file")
    about = "how points are chosen: grid (default), zip, sobol or lhs"
    command.add_argument("--design", default="grid", metavar="NAME", help=about)
    command.add_argument("--points", type=int, metavar="N", help="number of points of sobol and lhs")
    about = "seed with which sobol and lhs draw points (default: 0)"
    command.add_argument("--design-seed", type=int, default=0, metavar="N", help=about)
    about = "number of seeds of each point (default: 1; with --until: 6)"
    command.add_argument("--seeds", type=int, metavar="N", help=about)
    _add_trials(command, "add seeds to a point until the standard error of its mean accuracy is at most SE")

    about = "switch off the effects of a chip one at a time, and measure the accuracy that each costs"
    command = add("ablate", _ablate, about)
    command.add_argument("source", metavar="CONFIG_OR_DIR", help="run directory to deploy, or configuration to train")
    about = "effect to switch off; may be repeated (default: all that the chip has)"
    command.add_argument("--effect", action="append", dest="effects", metavar="NAME", help=about)
    about = "also switch off all pairs among the N effects whose removal changes the accuracy most (default: 4; 0: no"
    about += " pairs)"
    command.add_argument("--pairs", type=int, metavar="N", help=about)
    about = "number of chips for each condition (default: 10; with --until: 6)"
    command.add_argument("--seeds", type=int, metavar="N", help=about)
    _add_trials(command, "add chips until the standard error of every difference is at most SE")

    about = "find the values of fields that meet a target accuracy, or the front of accuracy against a price"
    command = add("require", _require, about)
    command.add_argument("source", metavar="CONFIG_OR_DIR", help="run directory to deploy, or configuration to train")
    about = "field to search and its range, such as chip.device.mismatch=0..0.5 or chip.adc.bits=2:8. A field of bits"
    about += " needs no range (then 2 to 12). May be repeated: two fields give the border"
    command.add_argument("--field", action="append", required=True, dest="fields", metavar="NAME[=VALUES]", help=about)
    command.add_argument("--target", type=float, metavar="SHARE", help="target accuracy, for example 0.87")
    about = "search the front of accuracy against energy, latency or area"
    command.add_argument("--against", metavar="PRICE", help=about)
    about = "probability that a verdict is right (default: 0.95)"
    command.add_argument("--confidence", type=float, metavar="SHARE", help=about)
    about = "smallest difference that counts on a front (default: 0.01)"
    command.add_argument("--resolution", type=float, metavar="SHARE", help=about)
    command.add_argument("--steps", type=int, metavar="N", help="number of values of a range (default: 17)")
    about = "number of chips with which a point is first measured (default: 3)"
    command.add_argument("--seeds", type=int, metavar="N", help=about)
    _add_trials(command, "")

    about = "write one HTML page of a run, a comparison, a sweep, an ablation, a requirement or a gradient check"
    command = add("report", _report, about, settings=False)
    command.add_argument("directory", metavar="DIR", help="directory of any of these")
    command.add_argument("--out", metavar="FILE", help="page to write (default: DIR/report.html)")
    about = "accuracy at which the maps of a sweep draw a contour"
    command.add_argument("--target", type=float, metavar="SHARE", help=about)
    command.add_argument("--quiet", action="store_true", help="show no progress bar")


def _add_trials(command: Parser, until: str) -> None:
    """Add how trials are run; ``until`` says what more seeds are added for, where a bound does that."""
    about = "new directory, or the directory of the same question, to go on"
    command.add_argument("--out", required=True, metavar="DIR", help=about)
    about = "deploy (default for a run) or learn (default for a configuration)"
    command.add_argument("--mode", metavar="NAME", help=about)
    about = f"with mode learn, {RECIPE}; all trials share them"
    command.add_argument("--recipe", metavar="NAME", help=about)
    if until:
        command.add_argument("--until", type=float, metavar="SE", help=until)
    most = "with --until: largest number of seeds of a point (default: 20)"
    most = most if until else "largest number of chips on which a point is measured (default: 12)"
    command.add_argument("--max-seeds", type=int, metavar="N", help=most)
    command.add_argument("--split", default="test", metavar="NAME", help="split to evaluate (default: test)")
    command.add_argument("--samples", type=int, metavar="N", help="evaluate at most N samples, which the seed draws")
    about = "number of local processes (default: one per processor)"
    command.add_argument("--workers", type=int, metavar="N", help=about)
    command.add_argument("--cluster", metavar="ADDRESS", help="Dask scheduler to run on; see docs/clusters.md")
    command.add_argument("--retry-failed", action="store_true", help="run failed trials again")
    command.add_argument("--quiet", action="store_true", help="print nothing but the table")


def _train(arguments: argparse.Namespace) -> None:
    from neuroep.runs import layout, training

    given = {name: getattr(arguments, name) for name in ("overrides", "resume", "start", "recipe")}
    report = None if arguments.quiet else _print_epoch
    try:
        record = training.train(
            arguments.config, arguments.out, **given, progress=not arguments.quiet, report=report
        )
    except KeyboardInterrupt as error:
        if layout.is_run(Path(arguments.out)):
            again = "the same command" + " with --resume" * (not arguments.resume)
            error.add_note(f"'{arguments.out}' holds the last finished epoch; {again} goes on")
        raise
    if not arguments.quiet:
        say(f"{arguments.out}: {record['epoch']} epochs done")


def _print_epoch(record: Entries) -> None:
    from hw_models.text import lined
    from neuroep.runs import training

    parts = [f"train loss {record['train']['loss']:.4f} accuracy {record['train']['accuracy']:.4f}"]
    parts += [f"{name} accuracy {found['accuracy']:.4f}" for name, found in record["evaluate"].items()]
    compiled = record["seconds"].get("compile", 0.0)
    parts += [f"{training.spent(record):.1f} s" + (f" after {compiled:.1f} s of compiling" if compiled >= 0.05 else "")]
    lines = [f"epoch {record['epoch']}: {', '.join(parts)}", *(f"    {note}" for note in training.notes(record))]
    say(lined(lines), flush=True)


def _evaluate(arguments: argparse.Namespace) -> None:
    from neuroep.runs import deployment, directory as runs

    streams.check_output()
    progress = not (arguments.quiet or arguments.json)
    run, split, overrides = arguments.directory, arguments.split, arguments.overrides
    found: deployment.Deployment | deployment.Evaluation
    if arguments.seeds is None:
        found = deployment.evaluate(run, split, overrides, progress=progress)
    else:
        found = deployment.deploy(run, split, overrides, seeds=arguments.seeds, progress=progress)
    say(runs.as_json(found.as_dict()) if arguments.json else found.as_text())


def _cost(arguments: argparse.Namespace) -> None:
    from neuroep.runs import costs, directory as runs

    streams.check_output()
    how = {"overrides": arguments.overrides, "split": arguments.split, "samples": arguments.samples}
    progress = not (arguments.quiet or arguments.json)
    found = costs.cost(arguments.source, **how, update=not arguments.no_update, progress=progress)
    say(runs.as_json(found.as_dict()) if arguments.json else found.as_text())


def _chips(arguments: argparse.Namespace) -> None:
    from hw_models import components
    from hw_models.chip import effects, files, pages, rules
    from hw_models.cost.constants import Constants
    from neuroep.runs import config as configuration

    streams.check_output()
    if arguments.fit is not None:
        raise ConfigError(f"option '--fit': it is a command now, neuroep fit {arguments.fit} --out chip.toml")
    if arguments.overrides and arguments.name is None:
        raise ConfigError(f"{arguments.overrides[0]}: name the chip that it is a field of, neuroep chips NAME")
    lists = [name for name in ("components", "rules", "effects", "fields") if getattr(arguments, name)]
    if lists and arguments.name is not None:
        raise ConfigError(f"chip '{arguments.name}': --{lists[0]} lists what all chips may have, leave the name out")
    if arguments.components:
        say(components.listing())
    elif arguments.rules:
        say(rules.listing())
    elif arguments.effects:
        say(effects.listing())
    elif arguments.fields:
        say(pages.fields(streams.width()))
    elif arguments.name is None:
        say(pages.listing())
    else:
        given = ["--chip", arguments.name, *arguments.overrides]
        chip = configuration.chip_of(given) if arguments.overrides else files.load(arguments.name)
        Constants(chip).check()
        say(chip.to_toml() if arguments.toml else pages.page(chip, streams.width()))


def _fit(arguments: argparse.Namespace) -> None:
    from analysis.chips import measured

    streams.check_output()
    named = {name: vars(arguments)[name] for name in fit_arguments.NAMES}
    given = {name: value for name, value in named.items() if value is not None}
    if laws := fit_arguments.laws_of(arguments.laws):
        given["law"] = laws
    if arguments.out is not None and arguments.out.lower().endswith(".toml") and not arguments.force:
        folders.check_absent(arguments.out)
    say(measured.run(arguments.files, arguments.out, arguments.picture, **given))


def _export(arguments: argparse.Namespace) -> None:
    from neuroep.runs import directory as runs, netlists

    streams.check_output()
    if not arguments.force:
        folders.check_absent(arguments.out)
    given = {name: vars(arguments)[name] for name in ("sample", "split", "overrides", "arrays", "tokens", "loop")}
    found = netlists.export(arguments.source, arguments.out, **given)
    say(runs.as_json(found.as_dict()) if arguments.json else found.as_text())


def _gradcheck(arguments: argparse.Namespace) -> None:
    from analysis import gradients
    from neuroep.runs import config, directory as runs

    source = Path(arguments.source)
    opened = (runs.load if source.is_dir() else config.load)(source, arguments.overrides)
    say(gradients.run(opened, arguments.out, progress=not arguments.quiet).as_text())


def _compare(arguments: argparse.Namespace) -> None:
    from analysis import comparison

    settings = {"overrides": arguments.overrides, "mode": arguments.mode, "progress": not arguments.quiet}
    report = None if arguments.quiet else _print_named
    chips, out = arguments.chips or [], arguments.out
    say(comparison.run(arguments.source, chips, out, **settings, report=report).as_text())


def _print_named(name: str, record: Entries) -> None:
    say(f"{name:<10}", end=" ")
    _print_epoch(record)


def _sweep(arguments: argparse.Namespace) -> None:
    from analysis.sweep import runner
    from neuroep.runs import tables

    own = ("vary", "design", "points", "design_seed", *TRIALS)
    given = {name: getattr(arguments, name) for name in own}
    if arguments.csv is not None:
        tables.check_place(arguments.csv)
    found = runner.run(arguments.source, **given, progress=not arguments.quiet)
    say(found.as_text())
    if arguments.csv is not None:
        say(f"all trials: {found.to_csv(arguments.csv)}")
    _check_any(found)


def _ablate(arguments: argparse.Namespace) -> None:
    from analysis import ablate

    given = {name: getattr(arguments, name) for name in (*TRIALS, "effects", "pairs")}
    given = {name: value for name, value in given.items() if value is not None}
    found = ablate.run(arguments.source, **given, progress=not arguments.quiet)
    say(found.as_text())
    _check_any(found.sweep)


def _require(arguments: argparse.Namespace) -> None:
    from analysis import require

    own = ("fields", "target", "against", "confidence", "resolution", "steps", *(n for n in TRIALS if n != "until"))
    given = {name: getattr(arguments, name) for name in own}
    given = {name: value for name, value in given.items() if value is not None}
    found = require.run(arguments.source, **given, progress=not arguments.quiet)
    say(found.as_text())
    _check_any(found.sweep)


def _check_any(found: Sweep) -> None:
    """Refuse a sweep of which nothing came."""
    if found.rows and len(found.failed) == len(found.rows):
        cure = "mend it, then run them again with --retry-failed"
        raise NeuroepError(f"all {len(found.rows)} trials failed, the first by: {found.failed[0]['error']}; {cure}")


def _report(arguments: argparse.Namespace) -> None:
    from analysis import report

    how = {"target": arguments.target, "progress": not arguments.quiet}
    say(report.write(arguments.directory, arguments.out, **how))


def _demo(arguments: argparse.Namespace) -> None:
    from analysis import demo

    say(demo.run(arguments.out, progress=True, report=_print_named).as_text())


def _adopt(arguments: argparse.Namespace) -> None:
    from neuroep.runs import adoption, directory as runs

    streams.check_output()
    names, left_out = adoption.pairs(arguments.names)
    given = (arguments.file, arguments.config, arguments.out)
    found = adoption.adopt(*given, names=names, left_out=left_out, overrides=arguments.overrides)
    say(runs.as_json(found.as_dict()) if arguments.json else found.as_text())


def _import_published(arguments: argparse.Namespace) -> None:
    from neuroep.runs import published

    run = published.convert(arguments.file, arguments.out, arguments.overrides)
    sizes = f"{run.config.network.kind}, tokens {run.config.network.tokens}, dense {list(run.config.network.dense)}"
    say(f"{run.path}: {sizes}")


if __name__ == "__main__":
    sys.exit(main())
