"""Pictures of attention: which words a word attends to in a sentence of a corpus, and how many at a time.

maps = analysis.run.attention.attend(engine, corpus, "test", sample=3, schedule=estimator.free)
plot_attention(maps[0].weights, maps[0].keys, queries=maps[0].queries)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from analysis.drawing import html, style
from analysis.drawing.panels import Panel, Picture

import numpy as np
from matplotlib.axes import Axes

from analysis.run.subject import Subject
from neuroep.data.corpus import Corpus
from neuroep.data.splits import Split
from neuroep.engines.engine import Engine
from neuroep.engines.settling import Schedule
from neuroep.errors import ConfigError

PADDING = "(padding)"
MOST_WORDS = 48
"""Most words drawn along an axis."""
LETTERS = 18
"""Most letters of a word that are drawn."""
WORD = 0.21
"""Room for a word [inch]."""
FIRST_WORDS, MOST_LAYERS = 25, 4
"""Words of a map along an axis on the page of a run, and most maps there."""


@dataclass(frozen=True)
class AttentionMap:
    """Attention weights of one layer in one sample."""

    layer: str
    weights: np.ndarray
    """(queries, keys), each row sums to 1; without a mask the last key stands for all padding."""
    queries: tuple[str, ...]
    """Words that ask."""
    keys: tuple[str, ...]
    """Words that are attended to."""
    effective: np.ndarray
    """(queries,) effective number of keys; padding counts place by place."""
    label: str
    """True class of the sample."""
    predicted: str
    split: str
    sample: int
    """Number of the sample in its split."""
    token: str = "word"
    """What queries and keys are called."""


def effective_keys(weights: np.ndarray) -> np.ndarray:
    """Return exp(entropy) of every row of attention weights (queries, keys): 1 for one key, n for n alike.

    Rows count as shares of their sum; a row of zeros attends to none, 0.
    """
    values = np.asarray(weights, dtype=float)
    total = values.sum(axis=-1, keepdims=True)
    shares = np.divide(values, total, out=np.zeros_like(values), where=total > 0)
    logs = np.log(np.where(shares > 0, shares, 1.0))
    return np.where(total[..., 0] > 0, np.exp(-(shares * logs).sum(axis=-1)), 0.0)


def attend(
    engine: Engine, corpus: Corpus, split: str = "test", sample: int = 0, schedule: Schedule | None = None
) -> list[AttentionMap]:
    """Settle one sample freely and return what each attention layer attends to.

    Parameters
    ----------
    engine : Engine
        Any, with the weights to be looked at.
    corpus : Corpus
        Of its words, or numbers.
    split : str
        Name of the split.
    sample : int
        Number of the sample in it.
    schedule : Schedule, optional
        Of the free phase, default that of :meth:`Engine.settle`.

    Raises
    ------
    ConfigError
        If there is no such sample, or one of its sequences holds no word.
    DataError
        If there is no such split.
    """
    chosen = corpus.split(split)
    if not 0 <= sample < len(chosen):
        raise ConfigError(f"sample is {sample}: split '{split}' has samples 0 to {len(chosen) - 1}")
    one = chosen.take(np.array([sample]))
    words = {name: corpus.names(one.tokens[name], 0) for name in corpus.sequences}
    empty = [name for name, found in words.items() if not found]
    if empty:
        raise ConfigError(f"sample {sample} of split '{split}' has no known {corpus.token} in '{empty[0]}'")
    batch = next(corpus.batches(one, 1))
    with engine.aside():  # looking lets no time pass
        clamped = engine.clamp(batch.keyed("attend", split, sample))
        settled = engine.settle(clamped, schedule)
    label = corpus.classes[int(one.labels[0])]
    predicted = corpus.classes[int(engine.outputs(settled)[0].argmax())]
    found = []
    for layer in engine.network.attention:
        queries, keys = words[layer.queries], words[layer.patterns]
        full = engine.attention_weights(clamped, settled.state, layer.name)[0][: len(queries)]
        weights, rest = full[:, : len(keys)], full[:, len(keys) :].sum(axis=1)
        if rest.any():
            weights, keys = np.column_stack([weights, rest]), (*keys, PADDING)
        effective = effective_keys(full)
        about = (label, predicted, split, sample, corpus.token)
        found.append(AttentionMap(layer.name, weights, queries, keys, effective, *about))
    return found


def plot_attention(
    weights: np.ndarray,
    words: Sequence[str],
    ax: Axes | None = None,
    *,
    queries: Sequence[str] | None = None,
    effective: np.ndarray | None = None,
    title: str = "attention",
    token: str = "word",
) -> Axes:
    """Draw attention weights, a row for each asking word, and at its end the effective number of keys.

    Parameters
    ----------
    weights : numpy.ndarray
        (queries, keys).
    words : sequence of str
        Keys.
    ax : Axes, optional
        Where, default a figure with room for the words.
    queries : sequence of str, optional
        Asking words, default the keys.
    effective : numpy.ndarray, optional
        (queries,) effective number of keys, default exp(entropy) of each row.
    title : str
        Line above.
    token : str
        What queries and keys are called.

    Raises
    ------
    ConfigError
        If the words are not as many as the weights, or there are none.
    """
    weights, asking = np.asarray(weights), words if queries is None else queries
    if not len(words) or not len(asking):
        raise ConfigError("words are empty: attention needs a query and a key")
    if weights.shape != (len(asking), len(words)):
        raise ConfigError(f"weights have shape {weights.shape}: there are {len(asking)} queries and {len(words)} keys")
    number = effective_keys(weights) if effective is None else np.asarray(effective)
    if number.shape != (len(asking),):
        raise ConfigError(f"effective has shape {number.shape}: there are {len(asking)} queries")
    rows, columns = min(len(asking), MOST_WORDS), min(len(words), MOST_WORDS)
    ax = style.axes(ax, max(5.0, 2.8 + WORD * columns), max(3.0, 1.6 + WORD * rows))
    shown = weights[:rows, :columns]
    drawn = ax.imshow(shown, cmap="Blues", vmin=0, vmax=max(float(shown.max(initial=0)), 1e-12), aspect="auto")
    size = style.TEXT - 2
    ax.set_xticks(
        range(columns),
        [style.plain(word, LETTERS) for word in words[:columns]],
        rotation=60,
        ha="right",
        rotation_mode="anchor",
    )
    ax.set_yticks(range(rows), [style.plain(word, LETTERS) for word in asking[:rows]])
    for row in range(rows):
        ax.text(columns - 0.3, row, f"{number[row]:.1f}", va="center", ha="left", fontsize=size, color=style.RUST)
    about = "effective keys\nexp(entropy)"
    ax.text(columns - 0.3, -0.7, about, va="bottom", ha="left", fontsize=size, color=style.RUST)
    bar = ax.figure.colorbar(drawn, ax=ax, pad=0.12)
    bar.set_label("attention weight [1]", fontsize=style.TEXT)
    bar.ax.tick_params(labelsize=style.TEXT - 1)
    left_out = [
        f"{n - m} more {what}"
        for n, m, what in ((len(asking), rows, "queries"), (len(words), columns, "keys"))
        if n > m
    ]
    style.dress(ax, x=f"key: {token} attended to", y=f"query: {token} that asks", title=", ".join([title, *left_out]))
    ax.tick_params(labelsize=size)
    ax.grid(False)
    return ax


def _first_sample(subject: Subject) -> list[AttentionMap]:
    """Return what the first sample with a word in every sequence attends to, on the engine of the run."""
    opened = subject.opened
    engine, corpus = opened.parts.engine, opened.parts.corpus
    sample = _with_words(corpus.split(opened.split))
    if sample is None or not engine.network.attention:
        return []
    return attend(engine, corpus, opened.split, sample, opened.parts.estimator.free)


def _with_words(split: Split) -> int | None:
    """Return the first sample with a word in every sequence."""
    filled = np.flatnonzero(np.all([ragged.lengths > 0 for ragged in split.tokens.values()], axis=0))
    return int(filled[0]) if filled.size else None


def _first_words(result: AttentionMap, ax: Axes | None) -> Axes:
    few = slice(FIRST_WORDS)
    return plot_attention(
        result.weights[few, few], result.keys[few], ax, queries=result.queries[few], effective=result.effective[few],
        title=result.layer, token=result.token,
    )  # fmt: skip


def _layer(result: AttentionMap) -> str:
    words = max(len(result.queries), len(result.keys))
    cut = f" The first {FIRST_WORDS} of {words} {result.token}s are drawn." if words > FIRST_WORDS else ""
    return f"Layer {result.layer}.{cut}"


def _about(results: Sequence[AttentionMap]) -> str:
    if not results:
        return ""
    one = results[0]
    about = (
        f"Sample {one.sample} of split '{one.split}' is '{one.label}', and is predicted as '{one.predicted}'. Each "
        f"row is a {one.token} that asks, and each column is one that it attends to. At the end of a row stands the "
        "effective number of keys, which is 1 if the row attends to a single one."
    )
    return html.paragraph(about, "note")


ATTENTION = Panel(
    "Behaviour",
    60,
    _first_sample,
    [Picture(_first_words, _layer, lambda result: f"attention weights of {result.layer}", None)],
    title="Attention in one sample",
    above=_about,
    most=MOST_LAYERS,
    opens=True,
)
