"""What the trained network does with data: settling, saturation, attention, and where updates move the weights.

Generated corpora are opened from the checkpoint alone, others where they are small local files; nothing is downloaded.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from analysis import array_learning
from analysis.pictures import arrays, attention, settling, style
from analysis.report import numbers, page
from neuroep.data import generated
from neuroep.data.batch import Batch
from neuroep.data.corpus import Split
from neuroep.data.folders import local_files
from neuroep.engines.settling import Schedule
from neuroep.errors import UserError
from neuroep.runs.checkpoints import Checkpoint
from neuroep.runs.directory import Run
from neuroep.runs.session import Session

LARGEST = 2_000_000
"""Most parameters of a network that settles and learns for a page."""
LARGEST_DATA = 300_000_000
"""Most bytes of local tables and word vectors together."""
FOLLOWED = 8
"""Samples whose settling is followed."""
UPDATES = 6
"""Weight updates that are recorded."""
MOST_WORDS, MOST_LAYERS = 25, 4
"""Most words of an attention map along an axis, and most maps."""
SIZE = (4.95, 3.5)
"""Of a picture that has a neighbour [inch]."""
TITLE = "Behaviour"
ELSEWHERE = (
    "The pictures are drawn by follow, plot_energy and plot_convergence of analysis.pictures.settling; saturation, "
    "record, plot_saturation, plot_update_map and plot_conductance_trajectories of analysis.pictures.arrays; attend "
    "and plot_attention of analysis.pictures.attention."
)


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


def behaviour_section(run: Run, saved: Checkpoint) -> str:
    """Return the section; where data or network cannot be opened here, one line that says why."""
    try:
        why = closed(run, saved)
        if not why:
            opened = open_run(run, saved)
            shown = [*_settling(opened), *_attention(opened), *_learning(opened)]
            return page.section(TITLE, page.paragraph(_about(opened), "note"), *shown)
    except (UserError, OSError) as error:
        why = " ".join(str(error).split())
    return page.section(TITLE, page.paragraph(f"Left out: {why}. {ELSEWHERE}", "note"))


def closed(run: Run, saved: Checkpoint) -> str:
    """Return why network and data are not opened for the page; "" if they are."""
    size, settings = sum(array.size for array in saved.parameters.values()), run.config.data
    if size > LARGEST:
        return f"the network has {size:,d} parameters, over {LARGEST:,d}"
    if settings.name in generated.NAMES:
        return ""
    if settings.path is None or not Path(settings.path).is_dir():
        return f"data '{settings.name}' are in no local directory"
    if settings.vectors is None:
        return "no word vectors are named"
    if not Path(settings.vectors).is_file():
        return "the word vectors are in no local file"
    # The tables alone: a run that somebody else made could name the root of all files.
    files = [file for found in local_files(settings.path).values() for file in found]
    held = sum(file.stat().st_size for file in [*files, Path(settings.vectors)])
    return f"data and word vectors have {held / 1e6:,.0f} MB" if held > LARGEST_DATA else ""


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


def _about(opened: Opened) -> str:
    return (
        f"The network as the checkpoint holds it, with the first {numbers.plural(FOLLOWED, 'sample')} of split "
        f"'{opened.split}'."
    )


def _settling(opened: Opened) -> list[str]:
    exact, estimator = opened.again("float64").engine, opened.parts.estimator
    batch: Batch = next(opened.parts.batches(opened.split, FOLLOWED))
    found = settling.follow(exact, batch.keyed("report", "follow"), estimator.free, estimator.nudged, estimator.beta)
    energy = settling.plot_energy(found, style.axes(None, *SIZE))
    energy.set_title(rf"energy, $\beta = {found.beta:g}$", fontsize=style.TITLE, loc="left")
    style.legend(energy)
    change = settling.plot_convergence(found, style.axes(None, *SIZE))
    below = (
        "Mean energy above that of the state each phase comes to rest at, in float64. Exact layerwise settling lowers "
        "it in every sweep; a chip's noise and converters may not; points below it are left out."
    )
    beside = f"Largest change of a state by sweep. {_ends(estimator.free, estimator.nudged)}"
    shown = [page.subtitle("Settling, free and nudged")]
    shown.append(page.side_by_side(page.picture(energy, below), page.picture(change, beside)))
    return [*shown, *_saturation(opened, batch)]


def _ends(free: Schedule, nudged: Schedule) -> str:
    """Say when the phases of a run end."""
    first = f"The free phase ends below {free.tolerance:g}" if free.tolerance else "The free phase ends"
    then = f"when no displacement changes by more than {nudged.tolerance:.2g} of itself, " if nudged.tolerance else ""
    after = f" or after {free.steps} sweeps" if free.tolerance else f" after {free.steps} sweeps"
    last = f"{then}{'or ' if nudged.tolerance else ''}after {nudged.steps}"
    return f"{first}{after}; nudged ones {last}."


def _saturation(opened: Opened, batch: Batch) -> list[str]:
    engine = opened.parts.engine
    settled = engine.settle(batch.keyed("report", "saturation"), opened.parts.estimator.free)
    held = arrays.saturation(engine, settled)
    if not held:
        return [page.paragraph("No dense layer has a bounded potential: its states have no limits.", "note")]
    ax = arrays.plot_saturation(held, style.axes(None, 6.8, 1.4 + 0.45 * len(held)))
    caption = (
        "Free states within 1 % of a limit; at the limit of a hard sigmoid the slope is 0, and no gradient passes."
    )
    return [page.subtitle("States at their limits"), page.picture(ax, caption, "saturation by layer")]


def _attention(opened: Opened) -> list[str]:
    engine, corpus = opened.parts.engine, opened.parts.corpus
    sample = _with_words(corpus.split(opened.split))
    if sample is None or not engine.network.attention:
        return []
    found = attention.attend(engine, corpus, opened.split, sample, opened.parts.estimator.free)
    figures = []
    for one in found[:MOST_LAYERS]:
        weights = one.weights[:MOST_WORDS, :MOST_WORDS]
        ax = attention.plot_attention(
            weights, one.keys[:MOST_WORDS], queries=one.queries[:MOST_WORDS], effective=one.effective[:MOST_WORDS],
            title=one.layer,
        )  # fmt: skip
        words = max(len(one.queries), len(one.keys))
        cut = f" The first {MOST_WORDS} of {words} words are drawn." if words > MOST_WORDS else ""
        figures.append(page.picture(ax, f"Layer {one.layer}.{cut}", f"attention weights of {one.layer}"))
    seen = (
        f"Sample {sample} of split '{opened.split}': '{found[0].label}', predicted '{found[0].predicted}'. Each row is "
        "a word that asks, each column one it attends to; at the end the effective number of keys, 1 for a single one."
    )
    return [page.subtitle("Attention in one sample"), page.paragraph(seen, "note"), page.side_by_side(*figures)]


def _with_words(split: Split) -> int | None:
    """Return the first sample with a word in every sequence."""
    filled = np.flatnonzero(np.all([ragged.lengths > 0 for ragged in split.tokens.values()], axis=0))
    return int(filled[0]) if filled.size else None


def _learning(opened: Opened) -> list[str]:
    rates = opened.parts.rates(max(0, opened.epochs - 1))
    synapse = liveliest(opened, rates)
    parts = opened.again()
    batches = islice(opened.parts.batches("train"), UPDATES)
    found = array_learning.record(parts.engine, batches, parts.estimator, rates, synapse)
    where = _update_map(found)
    course = arrays.plot_conductance_trajectories(found, style.axes(None, *SIZE))
    half = numbers.share(arrays.concentration(found.moved))
    many = numbers.plural(found.updates, "update")
    seen = "Some synapses, from the one that moves most to the median."
    if found.conductances is not None:
        seen += " A device at a bound stays there, while what is learned may go on."
    moves = f"How far each weight that learning holds moves in {many}; half of it is in {half} of the synapses."
    figures = (
        page.picture(where, moves),
        page.picture(course, seen),
    )
    about = (
        f"{many[0].upper()}{many[1:]} more, with the rates of the last epoch, on a copy of the network: of synapse "
        f"'{synapse}', whose weights move most for their size."
    )
    return [page.subtitle("Where updates move the weights"), page.side_by_side(*figures), page.paragraph(about, "note")]


def _update_map(found: array_learning.Learning) -> Axes:
    """Draw where weights moved, small: few ticks, short labels."""
    ax = arrays.plot_update_map(found, style.axes(None, *SIZE))
    ax.set_title(found.synapse, fontsize=style.TITLE, loc="left")
    ax.xaxis.set_major_locator(MaxNLocator(5, integer=True, min_n_ticks=1))
    ax.figure.axes[1].set_ylabel("sum of |\u0394w| [weight]", fontsize=style.TEXT)
    return ax


def liveliest(opened: Opened, rates: dict[str, float]) -> str:
    """Return the synapse whose weights one update moves most, relative to their size."""
    parts = opened.again()
    engine, batch = parts.engine, next(parts.batches("train"))
    before = engine.parameters()
    engine.update(parts.estimator.measure(engine, batch.keyed("train", 0), 0).contrasts, rates)
    after = engine.parameters()
    names = [synapse.name for synapse in parts.network.synapses]
    return max(names, key=lambda name: _moved(before[f"{name}.weight"], after[f"{name}.weight"]))


def _moved(before: np.ndarray, after: np.ndarray) -> float:
    length = float(np.linalg.norm(before))
    return float(np.linalg.norm(after - before)) / length if length else 0.0
