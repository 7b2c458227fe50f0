"""A bag-of-words yardstick: logistic regression on word counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from neuroep.data.corpus import Corpus, Split
from neuroep.errors import DataError

if TYPE_CHECKING:
    from scipy.sparse import csr_array


def bag_of_words_accuracy(corpus: Corpus, *, sequences: tuple[str, ...] | None = None, penalty: float = 1.0) -> float:
    """Fit word counts on the training split and return the accuracy on the test split.

    Multinomial logistic regression with an L2 penalty, minimised by L-BFGS:

        min over W, b of   sum over samples -log softmax(W n + b)[label]  +  penalty/2 ||W||^2

    with n the counts of each word, of each sequence by itself.

    Parameters
    ----------
    corpus : Corpus
        Any corpus with ``train`` and ``test``.
    sequences : tuple of str, optional
        Sequences counted; ``("hypothesis",)`` gives the hypothesis-alone baseline. All by default.
    penalty : float
        Strength of the L2 penalty.

    Returns
    -------
    float
        Share of test samples classified correctly.

    Raises
    ------
    DataError
        If the corpus has no test split or no such sequence.
    """
    from scipy.optimize import minimize

    train, test = corpus.split("train"), corpus.split("test")
    names = corpus.sequences if sequences is None else sequences
    for name in names:
        if name not in corpus.sequences:
            raise DataError(f"data '{corpus.name}' has no sequence '{name}'")
    counts = _counts(train, names, len(corpus.words))
    targets = np.eye(len(corpus.classes))[train.labels]
    shape = (counts.shape[1] + 1, len(corpus.classes))

    def objective(flat: np.ndarray) -> tuple[float, np.ndarray]:
        weights, bias = np.split(flat.reshape(shape), [-1])
        logits = counts @ weights + bias
        logits -= logits.max(axis=1, keepdims=True)
        log_total = np.log(np.exp(logits).sum(axis=1, keepdims=True))
        error = np.exp(logits - log_total) - targets
        gradient = np.vstack([counts.T @ error + penalty * weights, error.sum(axis=0)])
        loss = -np.sum(targets * (logits - log_total)) + 0.5 * penalty * np.sum(weights**2)
        return float(loss), gradient.ravel()

    found = minimize(objective, np.zeros(shape[0] * shape[1]), jac=True, method="L-BFGS-B", options={"maxiter": 500})
    weights, bias = np.split(found.x.reshape(shape), [-1])
    chosen = np.argmax(_counts(test, names, len(corpus.words)) @ weights + bias, axis=1)
    return float(np.mean(chosen == test.labels))


def _counts(split: Split, sequences: tuple[str, ...], words: int) -> csr_array:
    """Return the sparse (samples, sequences * words) counts."""
    from scipy.sparse import csr_array, hstack

    blocks = []
    for name in sequences:
        ragged = split.tokens[name]
        block = csr_array((np.ones(len(ragged.ids)), ragged.ids, ragged.offsets), shape=(len(ragged), words), copy=True)
        block.sum_duplicates()
        blocks.append(block)
    return hstack(blocks, format="csr")
