"""Corpora of numbers: standardised by training samples, with their place coded, and at home with given weights."""

from __future__ import annotations

import math

import numpy as np
import pytest

from neuroep import data
from neuroep.data.signals import positional_code
from neuroep.errors import DataError

DRAW = np.random.default_rng(5)
X = DRAW.normal([3.0, -200.0, 0.5], [2.0, 50.0, 0.0], (12, 9, 3))
LENGTHS = DRAW.integers(3, 10, 12)
LABELS = np.arange(12) % 2
TEST = X[:4] + 1, LABELS[:4], LENGTHS[:4]


def make(**settings):
    return data.from_arrays(X, LABELS, LENGTHS, test=TEST, **settings)


def whole(corpus, split="train"):
    batch = next(corpus.batches(split, 99))
    return batch.inputs["signal"], batch.labels


def test_numbers_are_less_their_training_mean_by_their_scale():
    points = np.concatenate([X[row, :n] for row, n in enumerate(LENGTHS)])
    mean, scale = points.mean(0), points.std(0)
    assert scale[2] < 1e-9  # a channel that never changes keeps its unit
    scale[2] = 1.0
    found, labels = whole(make())
    assert found.vectors.dtype == np.float32
    assert labels.tolist() == LABELS.tolist()
    for row, length in enumerate(LENGTHS):
        np.testing.assert_allclose(found.vectors[row, :length], (X[row, :length] - mean) / scale, atol=1e-5)
        assert not found.vectors[row, length:].any()
    held, _ = whole(make(), "test")
    np.testing.assert_allclose(held.vectors[0, 0], (X[0, 0] + 1 - mean) / scale, atol=1e-5)


def test_one_mean_and_scale_of_all_channels():
    points = np.concatenate([X[row, :n] for row, n in enumerate(LENGTHS)])
    found, _ = whole(make(standardise="whole"))
    np.testing.assert_allclose(found.vectors[0, 0], (X[0, 0] - points.mean()) / points.std(), atol=1e-5)
    found, _ = whole(make(standardise="off"))
    np.testing.assert_allclose(found.vectors[0, 0], X[0, 0], rtol=1e-6)


def test_the_scale_keeps_its_digits_beside_a_large_mean():
    x = np.random.default_rng(0).normal(1e6, 1e-2, (50, 20, 1))
    assert data.from_arrays(x, np.arange(50) % 2).statistics.scale[0] == pytest.approx(x.std(), rel=1e-6)


@pytest.mark.parametrize("how", ["channels", "whole"])
@pytest.mark.parametrize("value", [1e6 + 0.1, 0.1, -3.3e30, 1e-300, 0.0])
def test_what_never_changes_is_zero_whatever_it_is(value, how):
    """Before, rounding of a long sum was taken for a change, and the numbers became +-1."""
    corpus = data.from_arrays(np.full((2000, 100, 3), value), np.arange(2000) % 2, standardise=how)
    assert corpus.statistics.scale.tolist() == [1.0] * 3
    assert corpus.statistics.mean.tolist() == [value] * 3
    assert not whole(corpus)[0].vectors.any()


def test_rounding_of_a_constant_is_no_change():
    x = np.where(np.arange(400).reshape(20, 20, 1) % 3, 0.1 + 0.2, 0.3)
    assert data.from_arrays(x, np.arange(20) % 2).statistics.scale.tolist() == [1.0]


@pytest.mark.parametrize("how", ["channels", "whole"])
@pytest.mark.parametrize("unit", [2.0**100, 2.0**-40, 2.0**-120, 2.0**-900])
def test_units_do_not_matter(unit, how):
    """Before, channels of less than 1e-12 were taken for constant; float32 has no room for the last ones as such."""
    plain, small = (data.from_arrays(factor * X[..., :2], LABELS, standardise=how) for factor in (1.0, unit))
    np.testing.assert_array_equal(small.statistics.scale, unit * plain.statistics.scale)
    np.testing.assert_array_equal(whole(small)[0].vectors, whole(plain)[0].vectors)


def test_what_lies_beyond_the_end_is_not_looked_at():
    x = X.copy()
    for row, length in enumerate(LENGTHS):
        x[row, length:] = np.nan
    found = data.from_arrays(x, LABELS, LENGTHS, test=TEST)
    assert found.fingerprint == make().fingerprint
    np.testing.assert_array_equal(whole(found)[0].vectors, whole(make())[0].vectors)


def test_the_code_is_that_of_vaswani():
    code = positional_code(7, 6)
    for place in range(7):
        for pair in range(3):
            angle = place / 10000 ** (2 * pair / 6)
            assert code[place, 2 * pair] == pytest.approx(math.sin(angle), abs=1e-6)
            assert code[place, 2 * pair + 1] == pytest.approx(math.cos(angle), abs=1e-6)
    assert positional_code(4, 3).shape == (4, 3)


def test_the_code_is_added_or_appended_to_tokens_alone():
    plain, added, appended = (whole(make(**how))[0].vectors for how in ({}, ADDED, APPENDED))
    for row, length in enumerate(LENGTHS):
        np.testing.assert_allclose((added - plain)[row, :length], positional_code(9, 3)[:length], atol=1e-5)
        np.testing.assert_array_equal(appended[row, :length, 3:], positional_code(9, 4)[:length])
        assert not added[row, length:].any()
        assert not appended[row, length:].any()
    np.testing.assert_array_equal(appended[..., :3], plain)
    assert make(**APPENDED).dim == 7


ADDED, APPENDED = {"position": "added"}, {"position": "appended", "position_dim": 4}


def test_windows_make_tokens():
    corpus = make(window=2, stride=1)
    assert corpus.dim == 6
    found, points = whole(corpus)[0], whole(make())[0]
    assert found.lengths.tolist() == (LENGTHS - 1).tolist()
    np.testing.assert_allclose(found.vectors[0, 0], points.vectors[0, :2].ravel(), atol=1e-6)
    assert corpus.names(corpus.split("train").tokens["signal"], 0)[:3] == ("0", "1", "2")


def test_a_window_must_be_filled():
    with pytest.raises(DataError, match=r"window = 4: sample \d+ of split 'train' has 3 points"):
        make(window=4)


def test_everything_that_makes_tokens_is_in_the_fingerprint():
    kinds = ({}, ADDED, APPENDED, {"standardise": "whole"}, {"window": 2}, {"window": 2, "stride": 1}, {"tokens": 2})
    kinds += ({"limit": 5}, {"validation": 0.25})
    assert len({make(**kind).fingerprint for kind in kinds}) == len(kinds)


def test_limited_samples_are_standardised_by_themselves():
    corpus = make(limit=5)
    chosen = corpus.split("train").tokens["signal"]
    points = np.concatenate(list(chosen.chunks()))
    np.testing.assert_allclose(corpus.statistics.mean, points.mean(0))


def test_weights_meet_what_they_were_trained_with():
    first = make()
    other = data.from_arrays(10 * X, LABELS, LENGTHS, test=TEST)
    home = other.at_home(first.kept(), "run")
    np.testing.assert_array_equal(home.statistics.mean, first.statistics.mean)
    np.testing.assert_array_equal(home.statistics.scale, first.statistics.scale)
    np.testing.assert_array_equal(whole(home, "test")[0].vectors, whole(first, "test")[0].vectors)
    assert other.at_home({}, "run") is other
    # A part of the samples that somebody chooses is read as the whole is.
    part = home.with_splits({"test": home.split("test").take(np.array([1]))})
    np.testing.assert_array_equal(part.statistics.mean, first.statistics.mean)


@pytest.mark.parametrize(
    ("kept", "line"),
    [
        ({"film": "abc"}, "'given' are numbers: 'run' was trained with words"),
        ({"mean": "[1"}, "'run' is damaged"),
        ({"mean": "[1.0]", "scale": "[0.0]", "shape": "{}"}, "'run' is damaged"),
        ({"mean": "[NaN]", "scale": "[1.0]", "shape": "{}"}, "'run' is damaged"),
        (make(window=2).kept(), "window = 1: 'run' was trained with 2"),
        (data.from_arrays(X[..., :2], LABELS).kept(), "has 3 channels, 'run' was trained with 2"),
    ],
)
def test_other_weights_are_refused(kept, line):
    with pytest.raises(DataError, match=line):
        make().at_home(kept, "run")


def test_words_refuse_weights_of_numbers():
    with pytest.raises(DataError, match="none of the words"):
        data.load("reviews", tokens=5).at_home(make().kept(), "run")


def test_a_linear_model_sees_all_numbers_side_by_side():
    corpus = make()
    features = corpus.features(corpus.split("test"), ("signal",))
    assert features.shape == (4, int(LENGTHS.max()) * 3)
    found, _ = whole(corpus, "test")
    np.testing.assert_allclose(features[0, : found.vectors.shape[1] * 3], found.vectors[0].ravel())


def test_facts_are_plain():
    import json

    facts = json.loads(json.dumps(make(window=2, stride=1).facts()))
    assert (facts["channels"], facts["window"], facts["longest"]["train"]) == (3, 2, int(LENGTHS.max()) - 1)
