# Tested by tests/analysis/test_pages.py
"""A run as it is looked at: its files, and network and data as the checkpoint left them, where these can be opened.

Generated corpora are opened from the checkpoint alone, others where they are small local files; nothing is downloaded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from analysis.drawing import html, numbers
from analysis.drawing.panels import Panel

from hw_models.reading import Entries
from neuroep.data.catalogue import EMBEDDED
from neuroep.errors import ConfigError
from neuroep.runs.checkpoints import Checkpoint
from neuroep.runs.directory import Run
from neuroep.runs.session import Session

Metrics = Sequence[Entries]
"""Records of a run, one per epoch, as :attr:`neuroep.runs.directory.Run.metrics` returns them."""
LARGEST = 2_000_000
"""Most parameters of a network that settles and learns for a page."""
LARGEST_DATA = 300_000_000
"""Most bytes of local tables and word vectors together."""
FOLLOWED = 8
"""Samples whose settling is followed."""


@dataclass(frozen=True)
class Opened:
    """A run's parts with what was learned."""

    run: Run
    saved: Checkpoint
    parts: Session
    split: str
    """Name of the split that is looked at."""
    epochs: int

    def again(self, dtype: str = "") -> Session:
        """Return the same parts with an engine of their own, as the checkpoint left it, or of another precision."""
        config = self.parts.config
        engine = config.engine.model_copy(update={"dtype": dtype or config.engine.dtype})
        run = replace(self.run, config=config.model_copy(update={"engine": engine}))
        return Session.open(run, corpus=self.parts.corpus, weights=self.saved, moments=True)


@dataclass(frozen=True)
class Subject:
    """What the panels of a run's page are measured of."""

    run: Run
    saved: Checkpoint
    environment: Entries
    metrics: Metrics
    """Records of the epochs, nan where JSON has null."""

    @classmethod
    def of(cls, run: Run) -> Subject:
        """Read the files of a run.

        Raises
        ------
        CheckpointError
            If one is damaged.
        """
        environment, metrics = run.environment, numbers.without_gaps(run.metrics)
        return cls(run, run.checkpoint(), environment, metrics)

    @cached_property
    def opened(self) -> Opened:
        """Network, engine and data, opened once.

        Raises
        ------
        UserError
            If they are too large, not in local files, or do not fit the checkpoint.
        """
        why = closed(self.run, self.saved)
        if why:
            raise ConfigError(why)
        return open_run(self.run, self.saved)


def closed(run: Run, saved: Checkpoint) -> str:
    """Return why network and data are not opened for the page; "" if they are."""
    size, settings = sum(array.size for array in saved.parameters.values()), run.config.data
    if size > LARGEST:
        return f"the network has {size:,d} parameters, over {LARGEST:,d}"
    if settings.name in EMBEDDED:
        return ""
    words = "vectors" in settings.entry.needs
    if settings.entry.files is None or settings.path is None or (words and not Path(settings.path).is_dir()):
        return f"data '{settings.name}' are in no local directory"
    if words and settings.vectors is None:
        return "no word vectors are named"
    if settings.vectors is not None and not Path(settings.vectors).is_file():
        return "the word vectors are in no local file"
    # The tables alone: a run that somebody else made could name the root of all files.
    files = [*settings.entry.files(settings.path), *([Path(settings.vectors)] if settings.vectors else [])]
    held = sum(file.stat().st_size for file in files)
    return f"data{' and word vectors' * words} have {held / 1e6:,.0f} MB" if held > LARGEST_DATA else ""


def open_run(run: Run, saved: Checkpoint) -> Opened:
    """Open corpus, network and engine as the checkpoint left them.

    Raises
    ------
    UserError
        If a part cannot be opened or the checkpoint is of another network.
    """
    parts = Session.open(run, weights=saved, moments=True)
    split = next(name for name in ("test", "validation", "train") if name in parts.corpus.splits)
    return Opened(run, saved, parts, split, len(run.metrics))


def _samples(subject: Subject) -> list[Opened]:
    return [subject.opened]


def _about(results: Sequence[Opened]) -> str:
    samples, split = numbers.plural(FOLLOWED, "sample"), results[0].split
    about = f"The network as the checkpoint holds it, with the first {samples} of split '{split}'."
    return html.paragraph(about, "note")


ABOUT = Panel("Behaviour", 30, _samples, above=_about, opens=True)
