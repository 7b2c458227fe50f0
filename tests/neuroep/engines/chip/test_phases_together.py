"""Orders of phases, phases without a nudge, chopping and the zero of holders at once; each alone: test_phases.py."""

from __future__ import annotations

from dataclasses import replace

import pytest

from neuroep.gradients import estimators
from tests.neuroep.engines.chip.test_phases import OFFSET, gradient, norm, opened

CURES = {"mirrored": {"order": "mirrored"}, "null": {"null": True}}


@pytest.mark.parametrize("cure", CURES)
@pytest.mark.parametrize("chopping", ["batch", "sample"])
def test_a_swap_of_the_holders_leaves_other_cures_theirs(chopping, cure):
    """Pairs that cancel meet the same holders: with a swap of their own, half of all batches keep the whole offset."""
    engine, estimator, batch = opened(OFFSET | {"readout.chopping": chopping})
    ideal, estimator = opened({})[0], replace(estimator, beta=0.2)
    for number in range(6):
        keyed = batch.keyed("train", number)
        exact = gradient(ideal, replace(estimator, **CURES[cure]), keyed)
        plain = norm(gradient(engine, estimator, keyed), exact)
        assert norm(gradient(engine, replace(estimator, **CURES[cure]), keyed), exact) < 0.05 * plain


def test_all_pairs_of_a_batch_are_swapped_alike_and_batches_apart():
    engine, estimator, batch = opened(OFFSET | {"readout.chopping": "batch"})
    mirrored, seen = replace(estimator, order="mirrored", null=True), []
    for number in range(10):
        phases = mirrored.settle(engine, batch.keyed("train", number), 0)
        pairs = estimators.pairs(mirrored.formula(0), mirrored.beta, phases)
        assert len(pairs) == 2
        holders = engine.substrate._holders["hidden_1"]
        signs = []
        for pair in (*pairs, *(pair.null for pair in pairs)):
            signs.append(holders.hold(batch.size, *pair.numbers).errors(holders.width).sign[0, 0])
        first, second, *nulls = signs
        assert second == -first and nulls == [first, second]
        seen.append(first)
    assert {1.0, -1.0} == set(seen)
