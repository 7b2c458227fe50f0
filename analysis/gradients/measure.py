"""Gradient check: EP against back-propagation through time and the exact gradient, on a user's network.

    found = analysis.gradients.run("examples/configs/reviews.toml", "runs/check")
    found.as_text()

Three questions, on a few training samples in float64 on the reference engine: does EP follow BPTT step by step
(``gdu.png``)? how does the error fall with the nudge (``gradient_error.png``)? and how far from exact is the gradient
that training with these very settings uses, on its engine, schedule, beta and precision?
"""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from analysis.drawing import style

from analysis.folders import appearing, check_free
from analysis.gradients import gdu, gradient_error, pictures
from analysis.gradients.gdu import GDU
from analysis.gradients.gradient_error import BETAS, CONVERGED, Agreement
from hw_models.keywords import checked
from hw_models.reading import Page
from hw_models.text import lined
from neuroep.data.batch import Batch
from neuroep.engines.schedule import Schedule
from neuroep.errors import ConfigError
from neuroep.gradients.formulas import Formula, central
from neuroep.gradients.health import output_health
from neuroep.gradients.yardsticks import Implicit, as_reference
from neuroep.network import AttentionLayer, Network
from neuroep.network.potentials import HardSigmoid
from neuroep.runs import advice, seals
from neuroep.runs.config import Config
from neuroep.runs.directory import Run, as_json, environment, plain
from neuroep.runs.progress import bar
from neuroep.runs.session import Session
from neuroep.runs.tables import Tabular

SAMPLES = 8
STEPS = 30
SMALL = 1e-3
"""Nudge with which EP's steps should be those of BPTT."""
KINKS = "the hard sigmoid has kinks: errors jump where a nudge pushes a neuron over one; smooth_sigmoid has none"
CLIPPED = "outputs clipped to a bound pass none on"
MEMORY = 2**28
"""States of one check that may be kept [byte]; larger networks get fewer samples."""
TAKEN = ("free_steps", "nudged_steps", "residual", "nudged_residual")
TABLE, CURVES = "gradcheck.csv", "gradcheck.json"


@dataclass(frozen=True, repr=False)
class GradientCheck(Tabular):
    """What :func:`run` found."""

    out: Path
    about: Page
    """Where the weights come from, samples, steps, residual, health of the outputs."""
    rows: list[Agreement]
    """Converged EP against the exact gradient, by parameter, estimator and beta."""
    configured: list[Agreement]
    """The gradient that training uses against the exact one, by parameter."""
    gdu: tuple[GDU, ...]
    """EP beside BPTT by step, with the nudge of training and with a small one."""
    formulas: tuple[Formula, ...] = gradient_error.PLAIN
    """What ``rows`` compare: formulas of two states, and of 4 and of the configured number where that is more."""

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names of the parameters compared."""
        return tuple(row.parameter for row in self.configured)

    def as_dict(self) -> Page:
        """Return plain values."""
        return {
            "about": self.about,
            "rows": [asdict(row) for row in self.rows],
            "configured": [asdict(row) for row in self.configured],
            "slopes": {
                formula.name: {name: gradient_error.fall(self.rows, name, formula) for name in self.parameters}
                for formula in self.formulas
            },
            "gdu": [curves.as_dict() for curves in self.gdu],
        }

    def table(self) -> list[Page]:
        """Return a row for each parameter, estimator and beta of converged EP against the exact gradient."""
        return [asdict(row) for row in self.rows]

    def caption(self) -> str:
        """Return what was checked."""
        return lined(self._head())

    def as_text(self) -> str:
        """Return a short table for reading."""
        return lined([*self._head(), "", *self._errors(), "", *self._trained(), "", *self._steps()])

    @property
    def _width(self) -> int:
        return 2 + max(len(name) for name in self.parameters)

    def _head(self) -> list[str]:
        about = self.about
        lines = [
            f"gradient check of {about['weights']}: {about['samples']} training samples, float64, reference engine",
            f"free phase: {about['free_steps']} sweeps, residual {about['residual']:.1e}; outputs dead "
            f"{about['dead_outputs']:.1%}, saturated {about['saturated_outputs']:.1%}",
        ]
        silent = [row.parameter for row in self.configured if math.isnan(row.error)]
        if silent:
            lines.append(f"no gradient at all in {', '.join(silent)}: {CLIPPED}")
        return lines

    def _errors(self) -> list[str]:
        betas = gradient_error.decades(row.beta for row in self.rows)
        found = {(row.parameter, row.estimator, row.beta): row.error for row in self.rows}
        lines = ["relative error of converged EP by beta, and the exponent of its fall (exact arithmetic)"]
        columns = "".join(f"{beta:>9g}" for beta in betas)
        lines.append(f"  {'parameter':<{self._width}}{'estimator':<10}{columns}   slope")
        for name in self.parameters:
            for formula in self.formulas:
                errors = "".join(f"{_number(found[name, formula.name, beta]):>9}" for beta in betas)
                slope = gradient_error.fall(self.rows, name, formula)
                lines.append(f"  {name:<{self._width}}{formula.name:<10}{errors}{_number(slope, '.2f'):>8}")
        if self.about["potential"] == HardSigmoid.name:
            lines.append(f"  {KINKS}")
        return lines

    def _trained(self) -> list[str]:
        about = self.about["configured"]
        most = f"at most {about['free_steps']} free and {about['nudged_steps']} nudged steps"
        if "taken" in about:
            most += f" (taken: {about['taken']['free_steps']:.0f} and {about['taken']['nudged_steps']:.0f})"
        lines = [
            f"the gradient that training uses: {about['estimator']}, beta {about['beta']:g}, {about['order']}, {most}, "
            f"{about['engine']} {about['dtype']}" + (f", on the chip {about['chip']}" if about.get("chip") else ""),
            *(f"  {remark}" for remark in about.get("remarks", ())),
            f"  {'parameter':<{self._width}}{'cosine':>10}{'error':>10}",
        ]
        for row in self.configured:
            lines.append(f"  {row.parameter:<{self._width}}{_number(row.cosine, '.5f'):>10}{_number(row.error):>10}")
        return lines

    def _steps(self) -> list[str]:
        steps = f"EP against BPTT, step by step over {self.about['steps']} synchronous steps (exact arithmetic)"
        lines = [steps, f"  {'parameter':<{self._width}}{'estimator':<10}{'beta':>6}{'cosine':>10}{'error':>10}"]
        for curves in self.gdu:
            for name, curve in curves.curves.items():
                nudge = f"{curves.estimator:<10}{curves.beta:>6g}"
                total = f"{_number(curve.total_cosine, '.5f'):>10}{_number(curve.total_error):>10}"
                lines.append(f"  {name + '.weight':<{self._width}}{nudge}{total}")
        files = [*(sheet.file for sheet in pictures.sheets()), TABLE, CURVES]
        return [*lines, "", f"written to {self.out}: {', '.join(files)}"]


@checked(ConfigError)
def run(
    source: str | Path | Config | Run,
    out: str | Path,
    *,
    samples: int | None = None,
    betas: Sequence[float] = BETAS,
    steps: int = STEPS,
    progress: bool = False,
) -> GradientCheck:
    """Check the gradients of a network and write tables and pictures.

    Parameters
    ----------
    source : str, Path, Config or Run
        A configuration or its file, whose initial weights are checked, or a run or its directory, whose trained ones
        are; the weights of a run are programmed on its chip anew.
    out : str or Path
        New or empty directory.
    samples : int, optional
        Training samples, default 8 and fewer where the states of a large network would fill the memory.
    betas : sequence of float
        Nudges of the table; those the output's potential does not allow are left out.
    steps : int
        Steps followed by EP and BPTT.
    progress : bool
        Show a bar on a terminal or in a notebook.

    Returns
    -------
    GradientCheck

    Raises
    ------
    ConfigError
        If the directory is not empty, a setting cannot be, or the exact gradient cannot be found.
    DataError, CheckpointError
        If data or checkpoint cannot be used.
    """
    out = Path(out)
    check_free(out)
    for name, value in (("samples", samples), ("steps", steps)):
        if value is not None and value < 1:
            raise ConfigError(f"{name} is {value}: allowed are whole numbers from 1")
    parts = Session.open(source, devices="program")
    count = fitting(parts.network, steps) if samples is None else samples
    weights = f"initial weights, seed {parts.engine.seed}"
    if parts.checkpoint is not None:
        weights = f"run '{Path(parts.checkpoint.source).parent}'"
    with appearing(out) as folder:
        found = check(parts, parts.batch("train", parts.draw("train", count, "gradient check")), betas, steps, progress)
        origin = {"settings": parts.config.to_dict(), "environment": environment()}
        result = replace(found, out=out, about={"weights": weights, **found.about, **origin})
        _write(result, folder)
    return result


def check(
    parts: Session, batch: Batch, betas: Sequence[float] = BETAS, steps: int = STEPS, progress: bool = False
) -> GradientCheck:
    """Check the gradients on one batch; nothing is written."""
    engine = as_reference(parts.engine)
    clamped = engine.clamp(batch)
    free = engine.settle(clamped, CONVERGED)
    exact = Implicit(CONVERGED, steps=5000, tolerance=1e-11).gradient(engine, clamped)
    estimator = parts.estimator
    more = sorted({4, estimator.points}) if estimator.points > 2 else ()
    formulas = gradient_error.PLAIN + tuple(map(central, more))
    if estimator.points > 2 and tuple(betas) == BETAS:
        betas = sorted((*BETAS, *gradient_error.BETWEEN))
    shown = bar(betas, len(betas), "gradient check", progress, "nudge")
    rows = gradient_error.against_beta(engine, clamped, free, exact, shown, formulas=formulas)
    measured = estimator.measure(parts.engine, batch, step=0)
    found = parts.engine.gradient(measured.contrasts)
    trained = gradient_error.agreements(found, exact, estimator.name, estimator.beta)
    synchronous = Schedule("synchronous", steps, dt=estimator.free.dt)
    nudges = (estimator, replace(estimator, kind="centred", points=2, beta=min(SMALL, estimator.beta)))
    curves = tuple(
        gdu.measure(engine, clamped, replace(nudge, free=CONVERGED, nudged=synchronous), exact)
        for nudge in dict.fromkeys(nudges)
    )
    about = {
        "network": parts.network.signature(),
        "potential": engine.network.output.potential.name,
        "samples": batch.size,
        "steps": steps,
        "free_steps": free.steps,
        "residual": free.residual,
        **output_health(engine.network.output, engine.outputs(free), batch.labels),
        "configured": _configured(parts, measured.health),
    }
    return GradientCheck(Path(), about, rows, trained, curves, formulas)


def _configured(parts: Session, health: Mapping[str, float]) -> Page:
    """Return what training's gradient is measured with, the steps it took, and what these say."""
    config, estimator = parts.config, parts.estimator
    taken = {name: health[name] for name in TAKEN}
    return {
        "estimator": estimator.name,
        "beta": estimator.beta,
        "order": estimator.free.order,
        "free_steps": estimator.free.steps,
        "nudged_steps": estimator.nudged.steps,
        "tolerance": estimator.free.tolerance,
        "nudged_tolerance": estimator.nudged.tolerance,
        "engine": config.engine.kind,
        "dtype": config.engine.dtype,
        "chip": "" if config.chip is None else config.chip.name,
        "taken": taken,
        "remarks": advice.settling(health, estimator.free, estimator.nudged, parts.engine.redraws),
    }


def fitting(network: Network, steps: int, most: int = SAMPLES) -> int:
    """Return how many samples' states of all steps and both nudges fit in ``MEMORY``, from 1 to ``most``."""
    lengths = {sequence.name: sequence.tokens for sequence in network.sequences}
    numbers = sum(layer.size for layer in network.layers)
    for layer in network.layers:
        if isinstance(layer, AttentionLayer):
            numbers += lengths[layer.queries] * lengths[layer.patterns]
    return max(1, min(most, MEMORY // (8 * 2 * steps * numbers)))


def _write(result: GradientCheck, folder: Path) -> None:
    page = seals.closed(plain(result.as_dict()))
    (folder / CURVES).write_text(as_json(page, indent=1) + "\n", encoding="utf-8")
    with (folder / TABLE).open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["parameter", "estimator", "beta", "cosine", "relative_error"])
        writer.writerows([row.parameter, row.estimator, row.beta, row.cosine, row.error] for row in result.rows)
    with style.own_look():
        for sheet in pictures.sheets():
            style.save(sheet.draw(result.rows, result.gdu), folder / sheet.file)


def _number(value: float, form: str = ".1e") -> str:
    return "-" if math.isnan(value) else format(value, form)
