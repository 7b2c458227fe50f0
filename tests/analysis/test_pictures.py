"""Every picture draws where it is told, has labels on its axes, and leaves matplotlib's global state alone."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

from analysis.drawing import panels, style
from analysis.drawing.panels import Measured, Panel, Picture

import numpy as np
import pytest
from matplotlib.axes import Axes

from analysis import ablate, comparison, pictures, require
from analysis.gradients import gdu
from analysis.gradients.gradient_error import Agreement
from analysis.gradients.pictures import error_sheet, gdu_sheet, plot_gdu, plot_gdu_error, plot_gradient_error
from analysis.run.epochs import plot_training
from analysis.run.measure import measure
from analysis.run.settling import Descent, follow, plot_convergence, plot_energy
from analysis.sweep import results as sweep_results
from analysis.sweep.panels import Targeted
from neuroep.engines.settling import Schedule
from neuroep.runs import config, directory as runs, training
from neuroep.runs.directory import Run
from tests import cases
from tests.conftest import TINY

ROOT = Path(__file__).resolve().parents[2]

PICTURES = ("gdu", "one_gdu", "gdu_error", "gradient_error", "energy", "convergence", "accuracy", "loss")


@pytest.fixture(scope="module")
def curves() -> gdu.GDU:
    net = cases.network("inference")
    engine, batch = cases.engine("cpu", net), cases.batch(net)
    estimator = cases.estimator("centred", 0.1, nudged=Schedule("synchronous", 6))
    return gdu.measure(engine, batch, estimator, cases.estimator().gradient(engine, batch))


@pytest.fixture(scope="module", params=["local", "cpu"])
def descent(request: pytest.FixtureRequest) -> Descent:
    net = cases.network("pooled_sentiment")
    engine = cases.engine(request.param, net)
    return follow(engine, cases.batch(net), Schedule(steps=6), Schedule(steps=5), 0.2)


def rows(names: tuple[str, ...] = ("a.weight", "b.weight")) -> list[Agreement]:
    powers = {"centred": 2, "positive": 1, "negative": 1}
    betas = (1e-3, 1e-2, 0.1, 1.0)
    return [Agreement(name, kind, b, 1.0, b**p) for name in names for kind, p in powers.items() for b in betas]


def metrics(shift: float = 0.0) -> list[dict[str, Any]]:
    found = {"loss": 0.2, "accuracy": 0.6 + shift}
    return [{"epoch": epoch, "train": found, "evaluate": {"test": found}} for epoch in (1, 2, 3)]


@pytest.fixture
def draw(curves: gdu.GDU, descent: Descent) -> dict[str, Callable[[Axes | None], Axes]]:
    runs = {"local": metrics(), "reference": metrics(0.1)}
    return {
        "gdu": lambda ax: plot_gdu(curves, ax),
        "one_gdu": lambda ax: plot_gdu(curves, ax, synapse="dense_1"),
        "gdu_error": lambda ax: plot_gdu_error([curves, curves], ax),
        "gradient_error": lambda ax: plot_gradient_error(rows(), ax),
        "energy": lambda ax: plot_energy(descent, ax),
        "convergence": lambda ax: plot_convergence(descent, ax),
        "accuracy": lambda ax: plot_training(runs, ax, level=("bag of words", 0.6)),
        "loss": lambda ax: plot_training(runs, ax, quantity="loss", train=False),
    }


@pytest.mark.parametrize("name", PICTURES)
def test_draws_where_it_is_told(draw: dict[str, Callable[[Axes | None], Axes]], name: str, tmp_path: Path) -> None:
    given = style.figure().add_subplot()
    assert draw[name](given) is given
    own = draw[name](None)
    assert own is not given
    for ax in (given, own):
        assert ax.get_xlabel() and ax.get_ylabel() and ax.get_title(loc="left")
        assert ax.lines and ax.get_legend() is not None
        style.save(ax.figure, tmp_path / "picture.png")
        assert (tmp_path / "picture.png").stat().st_size > 5000


ON_PAGES = [
    pytest.param(f"analysis.{question}", panel, picture, id=f"{question}-{panel.section}-{panel.title}-{number}")
    for question in ("run", "comparison", "sweep", "ablate", "require", "chips")
    for panel in panels.panels(f"analysis.{question}")
    for number, picture in enumerate(panel.pictures)
]
"""Every picture that a page shows, found where it is declared."""


@pytest.fixture(scope="module")
def pulsed(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run on a chip that learns by pulses on a fast array: every section of its page has something to show."""
    folder = tmp_path_factory.mktemp("pulsed")
    (folder / "tiny.toml").write_text(TINY)
    given = ["--chip", "reram", "--chip.device.endurance", "1e6", "--optimiser.kind", "sgd", "--training.epochs", "1"]
    given += ["--chip.update.scheme", "agad"]
    settings = config.load(folder / "tiny.toml", given)
    training.train(settings, folder / "run", progress=False)
    return runs.load(folder / "run")


@pytest.fixture(scope="module")
def results(
    pulsed: Run, trained: Path, sweep: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Sequence[Measured]]:
    """Measure what a page shows of a small run, comparison, sweep or chip, once each."""

    @cache
    def measured(package: str) -> Sequence[Measured]:
        if package == "analysis.run":
            return measure(pulsed, learn=True).panels
        if package == "analysis.comparison":
            found = comparison.run(trained, ["pcm"], tmp_path_factory.mktemp("compare") / "out")
            return panels.measured(package, found)
        if package == "analysis.ablate":
            given = ["--chip", "ideal", "--chip.device.mismatch", "0.3", "--chip.adc.bits", "4", "--chip.dac.bits", "3"]
            how = {"overrides": given, "samples": 20, "seeds": 2, "pairs": 2}
            with ThreadPoolExecutor(1) as executor:
                found = ablate.run(trained, out=tmp_path_factory.mktemp("ablate") / "out", executor=executor, **how)
            return panels.measured(package, found)
        if package == "analysis.require":
            out, how = tmp_path_factory.mktemp("require"), {"overrides": ["--chip", "rram"], "samples": 20, "seeds": 2}
            fields = ["chip.adc.bits=3,6", "chip.dac.bits=3,6"]
            with ThreadPoolExecutor(1) as executor:
                how["executor"] = executor
                border = require.run(trained, fields, out=out / "a", target=0.6, max_seeds=2, **how)
                front = require.run(trained, fields, out=out / "b", against="energy", **how)
            found = [panels.measured(package, each) for each in (border, front)]
            return [one if one.results else other for one, other in zip(*found, strict=True)]
        if package == "analysis.sweep":
            grid = sweep_results.load(sweep(["chip.adc.bits=3,6", "chip.dac.bits=4,8"], overrides=["--chip", "pcm"]))
            return panels.measured(package, Targeted(grid, None))
        return panels.measured(package, pulsed.config.chip)

    return measured


@pytest.mark.parametrize(("package", "panel", "picture"), ON_PAGES)
def test_every_picture_of_a_page_draws_where_it_is_told(
    results: Callable[[str], Sequence[Measured]], package: str, panel: Panel, picture: Picture, tmp_path: Path
) -> None:
    (result, *_) = next(one.results for one in results(package) if one.panel is panel)
    given = style.figure().add_subplot()
    assert picture.plot(result, given) is given
    own = picture.draw(result)
    assert own is not given
    for ax in (given, own):
        assert ax.get_title(loc="left")
        for axis in (ax.xaxis, ax.yaxis):
            assert axis.get_label_text() or any(tick.get_text() for tick in axis.get_ticklabels())
        assert ax.lines or ax.patches or ax.images or ax.collections or ax.texts
        style.save(ax, tmp_path / "picture.png")
        assert (tmp_path / "picture.png").stat().st_size > 5000


def test_every_picture_is_there_by_its_name() -> None:
    names = [name for name in dir(pictures) if name.startswith("plot_")]
    assert {"plot_energy", "plot_heat_map", "plot_counters", "plot_pulse_response", "plot_training"} <= set(names)
    for name in names:
        picture = getattr(pictures, name)
        assert picture.__name__ == name and picture.__doc__
    declared = [name for path in ROOT.glob("analysis/*/*.py") for name in pictures.PICTURE.findall(path.read_text())]
    assert sorted(names) == sorted(declared)
    with pytest.raises(AttributeError, match=r"no attribute 'plot_enrgy'; did you mean 'plot_energy'\?$"):
        _ = pictures.plot_enrgy


def test_who_draws_loads_matplotlib_as_the_package_does() -> None:
    """Else a backend that a process inherits and that is not installed would stop it (analysis.drawing.headless)."""
    for path in ROOT.glob("analysis/**/*.py"):
        lines = path.read_text(encoding="utf-8").splitlines()
        first = {
            package: next((n for n, line in enumerate(lines) if line.startswith(f"from {package}")), None)
            for package in ("matplotlib", "analysis.drawing")
        }
        if first["matplotlib"] is not None and path.parent.name != "drawing":
            assert first["analysis.drawing"] is not None and first["analysis.drawing"] < first["matplotlib"], path


def test_energy_falls_in_every_sweep(descent: Descent) -> None:
    assert set(descent.phases) == {0, 1, -1}
    for phase in descent.phases.values():
        assert np.all(np.diff(phase.energy) <= 1e-12)
        assert np.all(phase.energy >= phase.minimum - 1e-12)
    free, plus, minus = (descent.phases[sign] for sign in (0, 1, -1))
    assert len(free.energy) == len(free.change) == 6
    assert len(plus.energy) == len(plus.change) + 1 == 6
    assert plus.energy[0] > free.energy[-1] > minus.energy[0]
    assert plus.first == minus.first == 6


def test_descent_as_dict(descent: Descent) -> None:
    page = descent.as_dict()
    assert page["beta"] == 0.2
    assert page["phases"]["-1"].keys() == {"first", "energy", "minimum", "change"}


def test_training_lines_are_percentages() -> None:
    ax = plot_training({"local": metrics()}, train=False, level=("bag of words", 0.5))
    assert ax.lines[0].get_ydata() == pytest.approx([60, 60, 60])
    assert ax.lines[1].get_ydata()[0] == pytest.approx(50)


def test_sheets(curves: gdu.GDU) -> None:
    assert len(gdu_sheet([curves]).axes) == len(curves.curves) + 1
    assert len(error_sheet(rows()).axes) == 2
    assert len(error_sheet([]).axes) == 1


def test_colours_are_distinct() -> None:
    assert len(set(style.COLOURS)) == len(style.COLOURS) == len(set(style.MARKERS))


def test_pyplot_is_never_imported() -> None:
    code = "import sys, analysis.demo; sys.exit('matplotlib.pyplot' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
