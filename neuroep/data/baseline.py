"""A linear yardstick: logistic regression on word counts, or on a signal's numbers side by side."""

from __future__ import annotations

import numpy as np

from neuroep.data.corpus import Corpus
from neuroep.errors import DataError


def linear_accuracy(corpus: Corpus, *, sequences: tuple[str, ...] | None = None, penalty: float = 1.0) -> float:
    """Fit a linear model on the training split and return its accuracy on the test split.

    Multinomial logistic regression with an L2 penalty, minimised by L-BFGS:

        min over W, b of   sum over samples -log softmax(W n + b)[label]  +  penalty/2 ||W||^2

    with n the features of :meth:`neuroep.data.Corpus.features`: of words the counts of each, of each sequence by
    itself; of numbers all of them, as the network gets them, side by side.

    Parameters
    ----------
    corpus : Corpus
        Any corpus with ``train`` and ``test``.
    sequences : tuple of str, optional
        Sequences looked at; ``("hypothesis",)`` gives the hypothesis-alone baseline. All by default.
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
    counts = corpus.features(train, names)
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
    chosen = np.argmax(corpus.features(test, names) @ weights + bias, axis=1)
    return float(np.mean(chosen == test.labels))
