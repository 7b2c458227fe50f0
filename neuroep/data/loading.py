"""Load a corpus by name: the public sets, a user's own tables, or the generated corpora."""

from __future__ import annotations

from collections.abc import Sequence

from hw_models.keywords import checked
from neuroep.data import generated
from neuroep.data.corpus import Corpus
from neuroep.data.selection import check_selection, per_sequence, select
from neuroep.data.tokenised import PUBLIC, StrPath, plan, tokenised
from neuroep.errors import DataError, unknown

NAMES = (*PUBLIC, *generated.NAMES, "table")
"""Names of :func:`load`."""


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
) -> Corpus:
    """Load a corpus and the vectors of its words.

    Parameters
    ----------
    name : {"imdb", "snli", "reviews", "pairs", "table"}
        ``imdb`` and ``snli`` are the Hugging Face sets stanfordnlp/imdb and stanfordnlp/snli; ``reviews`` and ``pairs``
        are small generated corpora which need no file (see :mod:`neuroep.data.generated`); ``table`` is a user's own.
    path : str or path, optional
        A folder with ``train``, ``test`` and perhaps ``validation`` tables (Parquet, CSV, TSV, JSON lines), a folder
        written by ``save_to_disk`` of ``datasets``, SNLI as its authors distribute it, or one table, which is then the
        training split. The hub is asked only for imdb and snli, and only without a path.
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

    Returns
    -------
    Corpus
        Splits ``train`` and, as the source has them, ``validation`` and ``test``. What was taken, and which share of
        the tokens has a vector, is logged, as a warning where it is less than half.

    Raises
    ------
    DataError
        With one line naming the file, row or column, the value and what is allowed.
    """
    if name not in NAMES:
        raise DataError(unknown("data", name, NAMES))
    check_selection(validation, limit)
    if name in generated.NAMES:
        if path is not None or vectors is not None or text is not None or label is not None:
            raise DataError(f"data '{name}' is generated: path, vectors, text and label must not be set")
        whole = generated.build(name)
        longest = per_sequence(whole.sequences, tokens)
    else:
        made_from = plan(name, path, text, label)
        longest = per_sequence(made_from.sequences, tokens)
        whole = tokenised(made_from, vectors, cache)
    return select(whole, longest, validation, limit, seed)
