"""Load a corpus by name: the public sets, a user's own tables or arrays, or the embedded corpora."""

from __future__ import annotations

from collections.abc import Sequence

from hw_models.keywords import checked
from neuroep.data.border import optional, share, whole_number
from neuroep.data.catalogue import CATALOGUE, NAMES, Origin
from neuroep.data.corpus import Corpus
from neuroep.data.places import StrPath
from neuroep.data.selection import check_selection, per_sequence, select
from neuroep.data.text_corpus import TextCorpus
from neuroep.errors import DataError, unknown


@checked(DataError)
def load(
    name: str,
    *,
    path: StrPath | None = None,
    vectors: StrPath | None = None,
    tokens: int | Sequence[int],
    text: str | Sequence[str] | None = None,
    label: str | None = None,
    validation: float = 0.0,
    limit: int | None = None,
    seed: int = 0,
    cache: StrPath | None = None,
    test: float | None = None,
    standardise: str | None = None,
    window: int | None = None,
    stride: int | None = None,
    position: str | None = None,
    position_dim: int | None = None,
) -> Corpus:
    """Load a corpus and the vectors of its tokens.

    Parameters
    ----------
    name : {"imdb", "snli", "reviews", "pairs", "table", "arrays", "digits"}
        ``imdb`` and ``snli`` are the Hugging Face sets stanfordnlp/imdb and stanfordnlp/snli; ``reviews`` and ``pairs``
        are small generated corpora which need no file (see :mod:`neuroep.data.generated`), ``digits`` are embedded
        numbers (:mod:`neuroep.data.digits`); ``table`` is a user's own text, ``arrays`` are a user's own numbers.
    path : str or path, optional
        Of text a folder with ``train``, ``test`` and perhaps ``validation`` tables (Parquet, CSV, TSV, JSON lines), a
        folder written by ``save_to_disk`` of ``datasets``, SNLI as its authors distribute it, or one table, which is
        then the training split. The hub is asked only for imdb and snli, and only without a path. Of ``arrays`` see
        :mod:`neuroep.data.array_files`.
    vectors : str or path, optional
        Word vectors: word2vec binary or text, GloVe text, gensim's ``.kv`` (nothing in its pickle is run), or a name
        of gensim's downloader. Required except for the generated corpora.
    tokens : int or sequence of int
        Longest sample kept, per sequence; unknown words are dropped first, then the end is cut off.
    text : str or sequence of str, optional
        Column of the text, or the two columns of premise and hypothesis. Required for ``table``.
    label : str, optional
        Column of the label, ``"label"`` by default: whole numbers from 0, or names. Names of ``table`` are sorted.
    validation : float
        Share of the training split held out where the source has no validation split, in [0, 1).
    limit : int, optional
        Keep at most that many training samples, drawn by ``seed``; smaller draws are part of larger ones.
    seed : int
        Key of the held-out and the limited samples. It does not affect the generated texts.
    cache : str or path, optional
        Folder of tokenised sets; ``$NEUROEP_CACHE`` or the user's cache folder by default.
    test : float, optional
        Share of the samples of ``arrays`` held out as test split where the files have none, the same for every seed.
    standardise : {"channels", "whole", "off"}, optional
        Of numbers: each channel by its own mean and scale over the training samples, as unset means but for digits; all
        by one of each, as unset means for digits; or not at all. See :mod:`neuroep.data.signals`.
    window, stride : int, optional
        Points of a token of numbers, 1 by default, and from one token to the next, a window by default; what does not
        fill a window at the end is left out. See :mod:`neuroep.data.series`.
    position : {"added", "appended"}, optional
        Tell tokens of numbers apart by their place: a sinusoidal code, added to their numbers or appended.
    position_dim : int, optional
        Numbers of an appended code, even, 8 by default.

    Returns
    -------
    Corpus
        Splits ``train`` and, as the source has them, ``validation`` and ``test``. What was taken of text, and which
        share of the tokens has a vector, is logged, as a warning where it is less than half.

    Raises
    ------
    DataError
        With one line naming the file, row or column, the value and what is allowed.
    """
    if name not in NAMES:
        raise DataError(unknown("data", name, NAMES))
    limit, seed = optional("limit", limit), whole_number("seed", seed, "")
    window, stride = optional("window", window), optional("stride", stride)
    position_dim, test = optional("position_dim", position_dim), None if test is None else share("test", test)
    check_selection(share("validation", validation), limit)
    entry = CATALOGUE[name]
    origin = Origin(path, vectors, text, label, cache, test, standardise, window, stride, position, position_dim)
    if fault := entry.faults(origin):
        raise DataError(fault)
    # What is wrong with tokens is said before anything is read.
    longest = per_sequence(entry.sequences_of(origin), tokens)
    found = select(entry.build(origin), longest, validation, limit, seed)
    return found.narrowed() if isinstance(found, TextCorpus) else found
