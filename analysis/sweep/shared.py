"""What all points of a question share: the settings given, and those that a recipe chose, laid under them.

    shared = of("examples/configs/reviews.toml", ["--chip", "pcm"], "auto", mode="learn", out="runs/bits")
    print(shared.words)

A recipe is followed once, on the chip and with the seeds that the configuration and the command line name, without
what is varied; what is given or varied it leaves alone. Its choices are settings of all points like any other: they are
part of each trial's identity, and a directory that goes on takes those that it holds.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from analysis.sweep.ledger import read_page
from analysis.sweep.trials import MODES
from hw_models.reading import Entries, Page
from neuroep.errors import ConfigError, given_as, setting, unknown
from neuroep.runs import config as configuration, directory as runs, recipes
from neuroep.runs.recipes import Choice

RECIPE = "recipe"


@dataclass(frozen=True)
class Shared:
    """Settings of all points."""

    given: tuple[str, ...] = ()
    """As the command line gives them, ``("--chip", "pcm")``."""
    recipe: str | None = None
    choices: tuple[Choice, ...] = ()
    """What the recipe chose beside them."""

    @property
    def words(self) -> list[str]:
        """All of them, as the command line would give them."""
        return [*recipes.overrides(self.choices), *self.given]

    def page(self) -> Page:
        """Return what a directory keeps of them."""
        chosen = {"name": self.recipe, "choices": [asdict(choice) for choice in self.choices]}
        return {"overrides": list(self.given), RECIPE: {} if self.recipe is None else chosen}


def mode_of(source: Path, mode: str | None) -> str:
    """Return the mode of trials: unset, a run is deployed, and a configuration learns.

    Raises
    ------
    ConfigError
        If there is no such mode.
    """
    mode = mode or ("deploy" if source.is_dir() else "learn")
    if mode not in MODES:
        raise ConfigError(unknown("mode", mode, MODES))
    return mode


def file_of(source: Path) -> Path:
    """Return the configuration of a run directory, or the configuration itself."""
    return source / runs.CONFIG if source.is_dir() else source


def of(
    source: str | Path,
    given: Sequence[str],
    recipe: str | None,
    *,
    mode: str | None,
    out: str | Path,
    varied: Iterable[str] = (),
) -> Shared:
    """Return what all points share; the recipe is followed, or what it chose is read from a directory that goes on.

    Parameters
    ----------
    source : str or Path
        Configuration file, or run directory.
    given : sequence of str
        Overrides of the command line.
    recipe : {None, "auto"}
        See :mod:`neuroep.runs.recipes`.
    mode : {None, "deploy", "learn"}
        As :func:`mode_of`.
    out : str or Path
        Directory of the question.
    varied : iterable of str
        Fields that points set, which the recipe leaves alone.

    Raises
    ------
    ConfigError
        If there is no such recipe, nothing learns, or there is not one chip to go by.
    """
    if recipe is None:
        return Shared(tuple(given))
    source, fields = Path(source), list(varied)
    if mode_of(source, mode) == "deploy":
        learning = given_as("--mode learn", "mode='learn'")
        cure = f"leave it out, or add {learning}"
        raise ConfigError(f"recipe = '{recipe}': it is for learning, and mode 'deploy' makes no updates; {cure}")
    if configuration.CHIP in fields:
        cure = f"name it with {setting('chip', 'NAME')}, and vary its fields"
        raise ConfigError(f"recipe = '{recipe}': it goes by one chip, and chip is varied; {cure}")
    taken = [*given, *(word for name in fields for word in (f"--{name}", ""))]
    config = configuration.load(file_of(source), given, forgiven={})
    chosen = recipes.follow(recipe, config, taken, kept=_kept(Path(out), recipe))
    return Shared(tuple(given), recipe, tuple(chosen))


def _kept(out: Path, recipe: str) -> list[Page] | None:
    """Return what the recipe of that name chose when a directory was begun; None where it holds none."""
    held = (read_page(out) or {}).get(RECIPE) or {}
    found: list[Page] = held.get("choices", [])
    return found if held.get("name") == recipe else None


def command_words(about: Entries) -> list[str]:
    """Return the settings as words of the command that gives them again; ``about`` is the page of a directory."""
    name = (about.get(RECIPE) or {}).get("name")
    return [*about["overrides"], *([] if name is None else ["--recipe", name])]


def rows(about: Entries) -> list[tuple[str, str]]:
    """Return the settings for a page: those given, and those that a recipe chose."""
    chosen = [Choice(**each) for each in (about.get(RECIPE) or {}).get("choices", [])]
    found = [("settings given", " ".join(map(str, command_words(about))))]
    if chosen:
        found.append(("by the recipe", "; ".join(f"{each.setting} = {each.value}" for each in chosen)))
    return found
