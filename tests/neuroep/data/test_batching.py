"""Batches: contents, padding, order, and that an order can be resumed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from hw_models.kept_memory import LEAST, KeptMemory
from neuroep.data import ORDERS, Ragged, Split, batch_count, batches, batching
from neuroep.errors import DataError

DIM = 3


def make(samples: int, *, longest: int = 9, names: tuple[str, ...] = ("text",), seed: int = 0) -> Split:
    """Return a split whose label is the number of the sample."""
    draw = np.random.default_rng(seed)
    lengths = draw.integers(0, longest + 1, (len(names), samples))
    tokens = {
        name: Ragged.from_sequences([draw.integers(0, 20, length).tolist() for length in lengths[place]])
        for place, name in enumerate(names)
    }
    return Split(tokens, np.arange(samples))


def table() -> np.ndarray:
    """Return (20, DIM) vectors, none of them zero."""
    return np.random.default_rng(1).uniform(1, 2, (20, DIM)).astype(np.float32)


def labels(split: Split, size: int, **options: object) -> list[list[int]]:
    """Return the sample numbers of each batch."""
    return [batch.labels.tolist() for batch in batches(split, table(), size, **options)]


@given(st.integers(1, 25), st.integers(1, 8), st.sampled_from([None, *ORDERS]), st.integers(0, 3))
@settings(deadline=None)
def test_each_sample_comes_once_as_it_is(samples: int, size: int, order: str | None, epoch: int) -> None:
    """Whatever the order, every sample's vectors are there, zeros beyond, and only the last batch is smaller."""
    split = make(samples, names=("premise", "hypothesis"))
    found = list(batches(split, table(), size, order=order, epoch=epoch))
    assert len(found) == batch_count(split, size)
    assert [batch.size for batch in found[:-1]] == [size] * (len(found) - 1)
    assert sorted(np.concatenate([batch.labels for batch in found])) == list(range(samples))
    for batch in found:
        for name, (vectors, lengths) in batch.inputs.items():
            assert vectors.dtype == np.float32
            assert vectors.shape == (batch.size, max(1, lengths.max()), DIM)
            for sample, row, length in zip(batch.labels, vectors, lengths, strict=True):
                np.testing.assert_array_equal(row[:length], table()[split.tokens[name][sample]])
                assert not row[length:].any()


def test_no_order_is_the_order_of_the_split() -> None:
    """Sample after sample."""
    assert labels(make(5), 2) == [[0, 1], [2, 3], [4]]


@pytest.mark.parametrize("order", ORDERS)
def test_order_depends_on_seed_and_epoch_alone(order: str) -> None:
    """The same key gives the same order, however often and after whatever; another key another one."""
    split = make(60)
    first = labels(split, 7, order=order, seed=3, epoch=5)
    labels(split, 7, order=order, seed=3, epoch=4)
    assert labels(split, 7, order=order, seed=3, epoch=5) == first
    assert labels(split, 7, order=order, seed=3, epoch=6) != first
    assert labels(split, 7, order=order, seed=4, epoch=5) != first


def padding(split: Split, order: str) -> float:
    """Return the share of zeros."""
    cells = tokens = 0
    for batch in batches(split, table(), 10, order=order):
        for vectors, lengths in batch.inputs.values():
            cells += vectors.shape[0] * vectors.shape[1]
            tokens += lengths.sum()
    return 1 - tokens / cells


@pytest.mark.parametrize(("names", "share"), [(("text",), 0.1), (("premise", "hypothesis"), 0.25)])
def test_length_order_lowers_padding(names: tuple[str, ...], share: float) -> None:
    """Samples of similar lengths share batches, pairs in both lengths."""
    split = make(1000, longest=60, names=names)
    assert padding(split, "shuffled") > 0.4
    assert padding(split, "length") < share


def test_length_order_still_mixes_samples() -> None:
    """Short batches do not come first, and a batch differs from epoch to epoch."""
    split = make(2000, longest=60)
    sizes = [batch.inputs["text"].vectors.shape[1] for batch in batches(split, table(), 10, order="length")]
    assert abs(np.corrcoef(sizes, np.arange(len(sizes)))[0, 1]) < 0.25
    first, second = (labels(split, 10, order="length", epoch=epoch) for epoch in (0, 1))
    assert not {tuple(sorted(batch)) for batch in first} & {tuple(sorted(batch)) for batch in second}


def test_sequences_can_be_chosen() -> None:
    """Only the wanted ones are embedded."""
    split = make(4, names=("premise", "hypothesis"))
    batch = next(iter(batches(split, table(), 4, sequences=("hypothesis",))))
    assert list(batch.inputs) == ["hypothesis"]


def test_batches_embed_lazily() -> None:
    """Nothing is looked up before the batch is asked for."""
    split = Split({"text": Ragged.from_sequences([[0], [99]])}, np.array([0, 1]))
    found = batches(split, table(), 1)
    assert next(found).size == 1
    with pytest.raises(IndexError):
        next(found)


def test_empty_split_has_no_batches() -> None:
    """An empty one is no error here."""
    split = make(0)
    assert batch_count(split, 3) == 0
    assert all(labels(split, 3, order=order) == [] for order in (None, *ORDERS))


@pytest.mark.parametrize(
    ("size", "options", "line"),
    [
        (0, {}, "batch size 0: allowed are 1 and more"),
        (True, {}, "batch size = True: should be a whole number from 1"),
        (1.5, {}, "batch size = 1.5: should be a whole number from 1"),
        (2, {"epoch": 1.5}, "epoch = 1.5: should be a whole number from 0"),
        (2, {"order": "lenght"}, "unknown order 'lenght': allowed are none, shuffled, length; did you mean 'length'?"),
        (2, {"sequences": ("txt",)}, "unknown sequence 'txt': allowed are text; did you mean 'text'?"),
    ],
)
def test_wrong_settings_fail_before_the_first_batch(size: int, options: dict, line: str) -> None:
    """The call itself is refused."""
    with pytest.raises(DataError) as caught:
        batches(make(4), table(), size, **options)
    assert str(caught.value) == line


def test_batch_count_refuses_size_zero() -> None:
    """As batches does."""
    with pytest.raises(DataError, match="batch size -1"):
        batch_count(make(4), -1)


def test_a_large_batch_with_much_padding_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """It lies in memory that its padding takes none of."""
    split, kept = make(60, longest=3000), KeptMemory()
    wanted = batching.embed(split.tokens["text"], table(), kept)
    kept.empty(wanted.vectors.shape, wanted.vectors.dtype)[:] = 1  # what lies there next is not zero
    monkeypatch.setattr(batching, "_LARGE", 1)
    found = batching.embed(split.tokens["text"], table(), kept)
    assert found.vectors.nbytes > LEAST
    np.testing.assert_array_equal(found.vectors, wanted.vectors)
    np.testing.assert_array_equal(found.lengths, wanted.lengths)
