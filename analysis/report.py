"""One HTML page of a run, a comparison, a sweep or a question put to one, or a gradient check; it needs nothing else.

    path = analysis.report.write("runs/reviews")

No scripts, nothing from the network, pictures within the page, the same bytes for the same directory. What a directory
holds is found here; its page is ``page`` of the question that made it, ``analysis.sweep.page``. Pages are written whole
or not at all.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from analysis.drawing import html
from analysis.drawing.style import own_look

from analysis.ablate import results as ablate
from analysis.ablate.page import ablation_page
from analysis.comparison import results as comparison
from analysis.comparison.page import comparison_page
from analysis.gradients import measure as gradcheck
from analysis.gradients.page import gradcheck_page
from analysis.require import results as require
from analysis.require.page import requirement_page
from analysis.run.measure import measure
from analysis.run.page import run_page
from analysis.sweep import results as sweep
from analysis.sweep.ledger import SWEEP, read_page
from analysis.sweep.page import sweep_page
from hw_models.whole_files import check_plain, write_text
from neuroep.errors import ConfigError, NeuroepError
from neuroep.runs import directory as runs
from neuroep.runs.folders import absence

REPORT = "report.html"


def write(
    directory: str | Path, out: str | Path | None = None, *, target: float | None = None, progress: bool = False
) -> Path:
    """Write the page of a directory and return where it is.

    Parameters
    ----------
    directory : str or Path
        Of a run, a comparison, a sweep, an ablation, a requirement, or a gradient check.
    out : str or Path, optional
        File, default ``report.html`` in the directory. An earlier report is replaced.
    target, progress
        As for :func:`render`.

    Raises
    ------
    ConfigError
        If the directory is none of these, is damaged, or the file holds something else or cannot be written.
    CheckpointError
        If a run's files are damaged.
    """
    path = Path(directory) / REPORT if out is None else Path(out)
    _check_replaceable(path)
    if out is not None and not path.absolute().parent.is_dir():
        raise ConfigError(f"report '{path}' cannot be written: its folder is not there")
    text = render(directory, target=target, progress=progress)
    try:
        write_text(path, text)
    except OSError as error:
        raise ConfigError(f"report '{path}' cannot be written: {error.strerror or error}") from None
    return path


def render(directory: str | Path, *, target: float | None = None, progress: bool = False) -> str:
    """Return the page of a directory as HTML.

    Parameters
    ----------
    directory : str or Path
        Of a run, a comparison, a sweep, an ablation, a requirement, or a gradient check.
    target : float, optional
        Accuracy of the contour in a sweep's maps, a share; default a point below the best mean.
    progress : bool
        Show a bar on a terminal or in a notebook, while a run is measured.

    Raises
    ------
    ConfigError
        If the directory is none of these or is damaged, or there is no such target.
    CheckpointError
        If a run's files are damaged.
    """
    folder = Path(directory)
    if target is not None and not 0 < target < 1:
        raise ConfigError(f"target is {target}: allowed are shares between 0 and 1, for example 0.9")
    kind, build = _kind(folder)
    if target is not None and kind != "sweep":
        article = "an" if kind[0] in "aeiou" else "a"
        raise ConfigError(f"target = {target}: it acts only with a sweep, '{folder}' holds {article} {kind}")
    try:
        with own_look():
            return build(folder, target, progress)
    except NeuroepError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError, LookupError) as error:
        # What plain files hold is read where it is shown; a file that was cut or edited fails there.
        fault = f"no {error}" if isinstance(error, KeyError) else " ".join(str(error).split())
        raise ConfigError(f"'{folder}' holds a damaged {kind}: {fault}") from error


def _kind(folder: Path) -> tuple[str, Callable[[Path, float | None, bool], str]]:
    """Return the kind of a directory and what builds its page."""
    if not folder.is_dir():
        raise ConfigError(f"'{folder}' {absence(folder)}{': a directory is needed' if folder.exists() else ''}")
    asked = (read_page(folder) if (folder / SWEEP).is_file() else None) or {"designs": []}
    if ablate.is_ablation(asked):
        return "ablation", _ablation
    if require.is_requirement(asked):
        return "requirement", _requirement
    for name, kind, build in (
        (SWEEP, "sweep", _sweep),
        (comparison.RESULTS, "comparison", _comparison),
        (gradcheck.CURVES, "gradient check", _gradcheck),
        (runs.CONFIG, "run", _run),
    ):
        if (folder / name).is_file():
            return kind, build
    held = sorted(entry.name for entry in folder.iterdir())
    found = ", ".join(held[:6]) + (f" and {len(held) - 6} more" if len(held) > 6 else "") if held else "nothing"
    wanted = f"no {runs.CONFIG} of a run, {comparison.RESULTS} of a comparison, {gradcheck.CURVES} of a gradient check"
    wanted += f", or {SWEEP} of a sweep, an ablation or a requirement"
    raise ConfigError(f"'{folder}' cannot be reported: it has {wanted}, but {found}")


def _run(folder: Path, _: float | None, progress: bool) -> str:
    # A copy of the network learns on for a few updates: how an array learns is on the page, and can be seen so alone.
    return run_page(measure(runs.load(folder), learn=True, progress=progress))


def _comparison(folder: Path, _: float | None, progress: bool) -> str:
    return comparison_page(comparison.load(folder))


def _gradcheck(folder: Path, _: float | None, progress: bool) -> str:
    return gradcheck_page(folder)


def _sweep(folder: Path, target: float | None, progress: bool) -> str:
    return sweep_page(sweep.load(folder), target)


def _ablation(folder: Path, _: float | None, progress: bool) -> str:
    return ablation_page(ablate.load(folder))


def _requirement(folder: Path, _: float | None, progress: bool) -> str:
    return requirement_page(require.load(folder))


def _check_replaceable(path: Path) -> None:
    """Refuse to overwrite what is no report."""
    if path.is_dir():
        raise ConfigError(f"report '{path}' is a directory: name a file")
    try:
        check_plain(path)
    except OSError as error:
        raise ConfigError(f"report '{path}' cannot be written: {error.strerror or error}") from None
    if not path.is_file():
        return
    with path.open(encoding="utf-8", errors="replace") as file:
        if html.GENERATOR not in file.read(1000):
            raise ConfigError(f"report '{path}' holds something else: choose another file")
