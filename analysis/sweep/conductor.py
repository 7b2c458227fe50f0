# Tested by tests/analysis/sweep/test_runner.py
"""Hands the trials of a plan to an executor, writes what comes back, asks the stop rule for more.

A worker that is killed costs one more try of what it ran. A trial that fails is recorded and stops no other. A trial
whose workers keep ending is run alone the last time, so that the blame is its own, and is then recorded as failed.
"""

from __future__ import annotations

import logging
from collections import Counter, deque
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, wait
from dataclasses import dataclass, field

from analysis.sweep.executors import Pool, is_lost
from analysis.sweep.ledger import Ledger
from analysis.sweep.plans import PlannedPoint, SweepPlan
from analysis.sweep.records import place, settled
from analysis.sweep.stopping import Rule
from analysis.sweep.trials import Trial
from analysis.sweep.workers import NOTES, line, run_trial
from hw_models.reading import Entries, Page
from neuroep.errors import ConfigError
from neuroep.runs.progress import hidden

ATTEMPTS = 3
"""Workers that a trial may cost before it counts as failed."""
WAIT = 5.0
"""Between two looks at whether the executor is still there [s]."""

_log = logging.getLogger(__name__)

Report = Callable[[Entries], None]


@dataclass
class Standing:
    """How far a point is."""

    point: PlannedPoint
    found: dict[int, float | None] = field(default_factory=dict)
    """Accuracy by seed, None of one that failed."""
    open: set[int] = field(default_factory=set)
    """Seeds that run or wait."""


class Conductor:
    """Hands trials to an executor and keeps the books.

    Parameters
    ----------
    plan, rule, ledger, pool
        What to run, how many seeds, where to write, where to run.
    retry_failed : bool
        Take trials that failed before for not yet run.
    report : callable, optional
        Called with each record.
    told : set of str
        What trials had to say and was said already; more is added.
    """

    def __init__(
        self, plan: SweepPlan, rule: Rule, ledger: Ledger, pool: Pool, retry_failed: bool, report: Report | None,
        told: set[str],
    ) -> None:  # fmt: skip
        self.told = told
        self.task, self.rule, self.ledger, self.pool = plan.task, rule, ledger, pool
        self.retry_failed, self.report = retry_failed, report
        self.handed: dict[str, Standing] = {}
        """Point of each trial that runs or waits, by the trial's id."""
        self.pending: deque[Trial] = deque()
        self.suspects: deque[Trial] = deque()
        """Trials whose workers ended twice: they run alone, so that no other is blamed."""
        self.solo: Future[Page] | None = None
        """The suspect that runs."""
        self.running: dict[Future[Page], Trial] = {}
        self.attempts: Counter[str] = Counter()
        self.known = {place(record["values"], record["seed"]): name for name, record in ledger.records.items()}
        self.done = 0
        for point in plan.points:
            self._advance(Standing(point))

    @property
    def total(self) -> int:
        """Trials known so far: finished, running and waiting."""
        return self.done + len(self.handed)

    def conduct(self, executor: Executor, progress: bool) -> Executor:
        """Run all trials, and those that the stop rule adds; return the executor that is there at the end."""
        from tqdm import tqdm

        with tqdm(total=self.total, initial=self.done, desc="sweep", unit="trial", disable=hidden(progress)) as shown:
            while self.handed:
                broken = self._hand_out(executor)
                finished = wait(self.running, None if broken else WAIT, FIRST_COMPLETED).done
                if not finished:
                    self.pool.check()
                for future in finished:
                    broken |= self._take(future)
                if broken:
                    # A broken pool has ended all it was given.
                    for future in list(self.running):
                        self._take(future)
                    executor = self.pool.renew()
                shown.total = self.total
                shown.update(self.done - shown.n)
        return executor

    def _advance(self, at: Standing) -> None:
        """Take from the ledger what is due at a point; queue the rest."""
        while not at.open and (due := self.rule.due(at.found)):
            for seed in due:
                trial = at.point.trial(self.task, seed)
                record = self.ledger.records.get(trial.id)
                if self.known.setdefault(place(trial.values, seed), trial.id) != trial.id:
                    made = f"{at.point}, seed {seed} was run there with other data, weights or settings"
                    raise ConfigError(f"'{self.ledger.path}' holds another sweep: {made}; choose another directory")
                if record is not None and settled(record["values"], record["seed"]) != settled(trial.values, seed):
                    # The result would be counted at a point that is not its own.
                    made = f"trial {trial.id} is {at.point}, seed {seed}, and stands there at another point or seed"
                    raise ConfigError(f"'{self.ledger.path}' holds another sweep: {made}; choose another directory")
                again = self.retry_failed and trial.id not in self.ledger.written
                if record is None or ("error" in record and again):
                    self.handed[trial.id] = at
                    at.open.add(seed)
                    self.pending.append(trial)
                else:
                    at.found[seed] = _accuracy(record)
                    self.done += 1

    def _hand_out(self, executor: Executor) -> bool:
        """Submit what fits; return whether the executor turned out to be broken."""
        while self.pending or self.suspects:
            alone = bool(self.suspects)
            if self.solo in self.running or len(self.running) >= (1 if alone else self.pool.window):
                return False
            waiting = self.suspects if alone else self.pending
            try:
                future = executor.submit(run_trial, waiting[0].spec(self.pool.threads))
            except BrokenExecutor:
                return True
            self.running[future] = waiting.popleft()
            self.solo = future if alone else None
        return False

    def _take(self, future: Future[Page]) -> bool:
        """Write down what a trial gave, or give it another try; return whether the executor is broken."""
        trial = self.running.pop(future)
        self.attempts[trial.id] += 1
        try:
            page = future.result()
        except BrokenExecutor:
            self._again(trial, blamed=False)
            return True
        except ImportError as error:
            # Nothing of a trial was run, and nothing ever will be.
            raise ConfigError(f"a worker cannot import neuroep: {line(error)}") from None
        except Exception as error:  # what an executor raises of its own
            if not is_lost(error):
                self._write(trial, {"error": line(error)})
                return False
            self.pool.check()
            self._again(trial, blamed=True)
            return False
        self._tell(page.pop(NOTES, ()))
        self._write(trial, page)
        return False

    def _tell(self, notes: Iterable[str]) -> None:
        """Say what a trial had to say, unless another one had said it."""
        for note in notes:
            if note not in self.told:
                self.told.add(note)
                _log.warning("%s", note)

    def _again(self, trial: Trial, blamed: bool) -> None:
        """Queue a trial whose worker ended, or give it up; ``blamed`` if no other trial can have ended the worker."""
        count = self.attempts[trial.id]
        if count >= ATTEMPTS:
            self._write(trial, {"error": f"the worker that ran it ended {count} times; out of memory?"})
        elif count == ATTEMPTS - 1 and not blamed:
            self.suspects.append(trial)
        else:
            self.pending.appendleft(trial)

    def _write(self, trial: Trial, page: Entries) -> None:
        """Append to the ledger, report, and add the seeds that the stop rule asks for."""
        about = {"id": trial.id, "values": trial.values, "seed": trial.seed, "attempt": self.attempts[trial.id]}
        record = self.ledger.append({**about, **{name: value for name, value in page.items() if name != "id"}})
        at = self.handed.pop(trial.id)
        at.open.discard(trial.seed)
        at.found[trial.seed] = _accuracy(record)
        self.done += 1
        self._advance(at)
        if self.report is not None:
            self.report(record)


def is_complete(plan: SweepPlan, rule: Rule, ledger: Ledger) -> bool:
    """Tell whether the ledger holds all trials that a plan and its rule ask for, failed ones among them."""
    records = ledger.records
    for point in plan.points:
        found: dict[int, float | None] = {}
        while due := rule.due(found):
            for seed in due:
                record = records.get(point.trial(plan.task, seed).id)
                if record is None:
                    return False
                found[seed] = _accuracy(record)
    return True


def _accuracy(record: Entries) -> float | None:
    result = record.get("result")
    return None if result is None else result["accuracy"]
