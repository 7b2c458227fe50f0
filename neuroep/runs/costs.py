"""What a run costs on a chip: joules, seconds and square millimetres of a classification and of an update.

    found = neuroep.cost("runs/reviews", chip="pcm")
    found.classification.energy, found.update.latency, found.as_text()

Measured, not estimated: so many samples are classified, and one batch is learned, while the chip counts and sums up
what its reads draw. Nothing is written, and an engine that is given is as it was afterwards. Beside it stands the same
network on a digital chip, by EP and by backpropagation (:mod:`hw_models.cost.digital`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from hw_models.chip import Chip, pages
from hw_models.cost import digital
from hw_models.cost.bill import Bill, check
from hw_models.cost.constants import Constants
from hw_models.keywords import checked
from hw_models.reading import Page
from hw_models.tally import Tally
from hw_models.text import lined
from neuroep.data.batch import Batch
from neuroep.engines.engine import Engine
from neuroep.engines.schedule import Schedule
from neuroep.errors import ConfigError, UserError, given_as
from neuroep.runs import bills, building, config as configuration
from neuroep.runs.arguments import check_kind, whole
from neuroep.runs.bills import quantity, told
from neuroep.runs.session import Session, Source
from neuroep.runs.tables import Tabular

PLAIN = ("--chip", "none", "--engine.chip_seed", "none")
SAMPLES = 64
"""Samples that are classified, where nothing is said."""


@dataclass(frozen=True, repr=False)
class Costs(Tabular):
    """What a network takes on a chip, and on a digital one."""

    chip: str
    samples: int
    """Classified."""
    batch: int
    """Samples of an update."""
    accuracy: float
    """Of those classified."""
    classification: Bill
    update: Bill | None
    """None where it was not asked for, or the chip cannot learn with these settings."""
    refused: str
    """Why there is no update, empty where there is one or none was asked for."""
    initial: bool
    """Whether these were initial weights, of a configuration, which have learned nothing."""
    baseline: Mapping[str, Mapping[str, float]]
    """Joules on a digital chip, by numbers and way, as ``"int8, EP"``, then by what for."""
    aged: str = ""
    """At what age the devices were read, as an evaluation says it."""

    def as_dict(self) -> Page:
        """Return plain values in SI units."""
        return {
            "chip": self.chip,
            "samples": self.samples,
            "batch": self.batch,
            "accuracy": self.accuracy,
            "initial_weights": self.initial,
            "classification": self.classification.as_dict(),
            "update": None if self.update is None else self.update.as_dict(),
            "refused": self.refused,
            "digital": {name: dict(each) for name, each in self.baseline.items()},
            "digital_leaves_out": list(digital.LEAVES_OUT),
        }

    def table(self) -> list[Page]:
        """Return a row for what each formula makes of each array in each phase, energies in J."""
        priced = [self.classification] if self.update is None else [self.classification, self.update]
        return [{"per": bill.per, **asdict(item)} for bill in priced for item in bill.items]

    def units(self) -> dict[str, str]:
        """Return the unit of energies."""
        return {"energy": "J"}

    def caption(self) -> str:
        """Return chip, accuracy, and the sums of both bills."""
        lines = self._head()
        for bill in [self.classification] if self.update is None else [self.classification, self.update]:
            sums = (bill.energy, "J"), (bill.seconds, "s"), (bill.square_metres, "m^2")
            known = [quantity(value, unit) for value, unit in sums if value is not None]
            lines.append(f"{bill.per}: {', '.join(known)}")
        return lined([*lines, f"leaves out: {', '.join(self.classification.leaves_out)}"])

    def _head(self) -> list[str]:
        weights = ", with initial weights" if self.initial else ""
        head = f"{self.chip}: accuracy {self.accuracy:.4f} on {self.samples} samples{weights}"
        return [head, self.aged] if self.aged else [head]

    def as_text(self) -> str:
        """Return tables for reading: by part and phase, the digital baseline, what is left out, and sources."""
        lines = self._head()
        lines += told(self.classification)
        if self.update is not None:
            lines += told(self.update, f" of {self.batch} samples")
        elif self.refused:
            lines.append(f"update: none: {self.refused}")
        lines.append("the same network on a digital chip, 45 nm, arithmetic and weights from SRAM")
        for name, each in self.baseline.items():
            lines.append(f"  {name:<24}" + ", ".join(f"{per} {quantity(joule, 'J')}" for per, joule in each.items()))
        lines.append(f"  leaves out: {', '.join(digital.LEAVES_OUT)}")
        return lined([*lines, "constants", *(f"  {line}" for line in self.classification.components)])


@checked(ConfigError)
def cost(
    source: Source | Session,
    *,
    chip: Chip | str | Path | None = None,
    overrides: Sequence[str] = (),
    split: str = "test",
    samples: int = SAMPLES,
    update: bool = True,
    progress: bool = False,
) -> Costs:
    """Return what a classification and an update take.

    Parameters
    ----------
    source : str, Path, Config, Run or Session
        Run directory or configuration, opened on its chip or another one; or what is open already.
    chip : Chip, str or Path, optional
        Chip to run on; default that of the source.
    overrides : sequence of str
        Settings to change; fields of the chip's ``cost`` are constants.
    split : str
        Whose samples are classified.
    samples : int
        How many, the first in an order drawn by the seed.
    update : bool
        Whether to learn one batch, too.
    progress : bool
        Show bars on a terminal or in a notebook.

    Raises
    ------
    ConfigError
        If there is no chip, or a setting cannot be.
    ChipError
        If nothing is known of the chip's cost, or two of its components hold the same constant.
    """
    check_kind("split", split, str, "the name of a split")
    samples = whole("samples", samples)
    if isinstance(source, Session):
        if chip is not None or overrides:
            raise ConfigError("chip or overrides are given with a session: open it with them")
        session = source
    else:
        session = Session.open(source, chip=chip, overrides=overrides)
    found = session.config.chip
    if found is None:
        raise ConfigError(f"there is no chip to be priced: add {given_as('--chip NAME', 'chip=NAME')}")
    constants = Constants(found)
    check(constants)
    chosen = np.sort(session.draw(split, samples, "cost"))
    judged = session.evaluate(split, only=chosen, progress=progress)
    if judged.cost is None:
        raise ConfigError(f"chip '{found.name}': nothing was priced")
    made, why = None, ""
    if update:
        try:
            made = learned(session)
        except UserError as error:
            why = str(error)
    size = min(session.config.training.batch, len(session.corpus.split("train")))
    baseline, initial = _digital(session, split, chosen, update, progress), session.checkpoint is None
    told = judged.accuracy, judged.cost, made, why, initial, baseline, judged.aged
    return Costs(pages.label(found), len(chosen), size, *told)


def _batch(session: Session) -> Batch:
    return next(session.shuffled(session.epoch)).keyed("cost", 0)


def learned(session: Session) -> Bill:
    """Return the bill of one update on the session's chip, after which all is as it was.

    Raises
    ------
    ConfigError
        If there is no chip, or it cannot learn with these settings.
    """
    chip, engine = session.config.chip, session.engine
    if chip is None:
        raise ConfigError(f"there is no chip to be priced: add {given_as('--chip NAME', 'chip=NAME')}")
    building.check_update(session.config)
    batch = _batch(session)
    kept, age = (engine.parameters(), engine.optimiser_state(), engine.device_state()), engine.age
    engine.read_at(0.0)
    try:
        with engine.metering(bills.meter(chip) or "square"):  # lines that fire are counted by either
            before = engine.performed()
            measured = session.estimator.measure(engine, batch, 0)
            engine.update(measured.contrasts, session.rates(session.epoch))
            counted = bills.between(engine.performed(), before)
        conductance = engine.mean_conductances()
    finally:
        engine.load_parameters(kept[0])
        engine.load_optimiser_state(*kept[1:])
        engine.read_at(age)
    holds = len(session.estimator.formula(0).nudges)
    schedule = session.estimator.free
    return bills.update(chip, session.network, schedule, counted, batch.size, holds, conductance)


def _digital(
    session: Session, split: str, chosen: np.ndarray, update: bool, progress: bool
) -> dict[str, dict[str, float]]:
    """Return what the same takes on digital chips, counted by exact arithmetic."""
    config = configuration.changed(session.config, PLAIN)
    engine = building.build_engine(config, session.network, session.engine.parameters())
    exact = replace(session, config=config, engine=engine)
    counted = _counted(engine, lambda: exact.evaluate(split, only=chosen, progress=progress))
    classified = digital.equilibrium(counted, len(chosen))
    once = Schedule(order=session.estimator.free.order, steps=1)

    def single(samples: Batch) -> float:
        return digital.forward(_counted(engine, lambda: engine.settle(samples, once)), samples.size)

    ways = {"EP": {bills.CLASSIFICATION: classified}}
    ways["backpropagation"] = {bills.CLASSIFICATION: digital.Effort(single(exact.batch(split, chosen)))}
    if update:
        batch = _batch(exact)
        weights = sum(int(np.prod(shape)) for shape in session.network.parameter_shapes().values())
        ways["backpropagation"][bills.UPDATE] = digital.backpropagation(single(batch), batch.size, weights)
        ways["EP"][bills.UPDATE] = digital.equilibrium(_counted(engine, lambda: _learn(exact, batch)), 1)
    return {
        f"{numbers.name}, {way}": {per: work.energy(numbers) for per, work in works.items()}
        for numbers in digital.ARITHMETICS.values()
        for way, works in ways.items()
    }


def _learn(session: Session, batch: Batch) -> None:
    measured = session.estimator.measure(session.engine, batch, 0)
    session.engine.update(measured.contrasts, session.rates(session.epoch))


def _counted(engine: Engine, work: Callable[[], object]) -> Tally:
    before = engine.performed()
    work()
    return bills.between(engine.performed(), before)
