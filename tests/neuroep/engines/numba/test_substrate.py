"""The local engine: the same bits for any number of threads, memory that is shared only where it may be."""

from __future__ import annotations

import numpy as np
import pytest

from neuroep import engines
from neuroep.engines.numba import arrays
from neuroep.engines.numba.arrays import COLUMNS, ROWS
from neuroep.engines.schedule import Schedule
from neuroep.errors import ConfigError, DivergenceError
from neuroep.learning.optimisers import SGD, Adam
from tests import cases

LARGE = {
    "sentiment": {"tokens": 71, "dim": 59, "dense": (131, 2)},
    "pooled_sentiment": {"tokens": 71, "dim": 59, "dense": (131, 2)},
    "inference": {"tokens": (37, 23), "dim": 35, "dense": (131, 3)},
    "pooled_inference": {"tokens": (37, 23), "dim": 35, "dense": (131, 3)},
}
"""Large enough that every product, update and kernel is cut into several blocks (flat read-outs)."""


def record(net, batch, threads, optimiser):
    """Return everything a short training leaves behind."""
    engine = engines.local(net, threads=threads, optimiser=optimiser)
    schedule = Schedule(steps=3)
    estimator = cases.estimator(free=schedule, nudged=schedule)
    found = {f"state {k}": v for k, v in engine.states(engine.settle(batch, schedule)).items()}
    found |= {f"gradient {k}": v for k, v in estimator.gradient(engine, batch).items()}
    for step in range(2):
        rates = dict.fromkeys([synapse.name for synapse in net.synapses], 1e-3)
        engine.update(estimator.measure(engine, batch, step).contrasts, rates)
    found |= {f"weight {k}": v for k, v in engine.parameters().items()}
    return found | {f"kept {k}": v for k, v in engine.optimiser_state().items()}


@pytest.mark.parametrize("optimiser", [Adam(), SGD(momentum=0.5)], ids=["adam", "sgd"])
@pytest.mark.parametrize("name", cases.NETWORKS)
def test_results_do_not_depend_on_the_number_of_threads(name, optimiser, monkeypatch):
    monkeypatch.setattr(arrays, "WORK", 20_000)  # every product is cut, as those of larger networks are
    net = cases.network(name, **LARGE[name])
    batch = cases.batch(net, 67)
    if name == "sentiment":
        assert net.dense[0].shape[1] > COLUMNS and batch.inputs["text"].lengths.sum() > ROWS
    one = record(net, batch, 1, optimiser)
    for threads in (2, 3):
        cases.assert_same(record(net, batch, threads, optimiser), one)


def test_updates_from_many_threads_reach_every_weight():
    net = cases.network("sentiment", **LARGE["sentiment"])
    engine = engines.local(net, threads=2, optimiser=SGD())
    before = engine.parameters()
    estimator = cases.estimator(free=Schedule(steps=2), nudged=Schedule(steps=2))
    measured = estimator.measure(engine, cases.batch(net, 9))
    gradient = engine.gradient(measured.contrasts)
    engine.update(measured.contrasts, dict.fromkeys([synapse.name for synapse in net.synapses], 0.1))
    wanted = {name: value - np.float32(0.1) * gradient[name] for name, value in before.items()}
    cases.assert_close(engine.parameters(), wanted, 1e-6)


def test_read_outs_in_front_of_one_synapse_lie_side_by_side():
    net = cases.network("inference")
    engine = cases.engine("local", net)
    state = engine.settle(cases.batch(net), Schedule(steps=2)).state
    values = [state.values[name] for name in net.dense[0].pre]
    assert len({id(value.base) for value in values}) == 1
    np.testing.assert_array_equal(values[0].base, np.concatenate(values, axis=1))


def test_a_fork_shares_nothing():
    net = cases.network("inference")
    engine = cases.engine("local", net)
    state = engine.settle(cases.batch(net), Schedule(steps=2)).state
    other = engine.fork(state)
    for part in ("values", "weights"):
        for name, value in getattr(other, part).items():
            mine = getattr(state, part)[name]
            np.testing.assert_array_equal(value, mine)
            assert not np.shares_memory(value, mine)


def test_the_batch_and_the_weights_given_stay_untouched():
    net = cases.network("pooled_inference")
    values, batch = cases.parameters(net), cases.batch(net)
    copies = {name: value.copy() for name, value in values.items()}
    vectors = {name: item.vectors.copy() for name, item in batch.inputs.items()}
    engine = cases.engine("local", net, values)
    measured = cases.estimator(free=Schedule(steps=2), nudged=Schedule(steps=2)).measure(engine, batch)
    engine.update(measured.contrasts, dict.fromkeys([synapse.name for synapse in net.synapses], 0.1))
    cases.assert_same(values, copies)
    cases.assert_same({name: item.vectors for name, item in batch.inputs.items()}, vectors)


@pytest.mark.parametrize("part", ["weight", "bias"])
def test_parameters_that_become_infinite_are_named(part):
    net = cases.network("sentiment")
    engine = cases.engine("local", net)
    contrasts = cases.estimator().measure(engine, cases.batch(net)).contrasts
    rates = dict.fromkeys([synapse.name for synapse in net.synapses], 0.0)
    engine.update(contrasts, rates)
    getattr(engine.arrays["dense_2"], part).flat[0] = np.inf
    with pytest.raises(DivergenceError) as caught:
        engine.update(contrasts, rates)
    assert (caught.value.where, caught.value.step, caught.value.what) == ("dense_2", 2, "weight")


@pytest.mark.parametrize("device", ["cuda", "gpu"])
def test_the_local_engine_runs_on_the_cpu(device):
    with pytest.raises(ConfigError, match=f"^device is '{device}': the local engine runs on auto, cpu$"):
        engines.local(cases.network(), device=device)


def test_description():
    found = engines.local(cases.network(), threads=2).describe()
    assert found == {"engine": "local", "device": "cpu", "dtype": "float32", "threads": 2}


def test_products_of_the_clamped_input_are_read_once_per_batch():
    """Settling reads no projection array; only ``clamp`` does."""
    net = cases.network("inference")
    engine = cases.engine("local", net)
    reads = []
    for synapse in net.projections:
        array = engine.arrays[synapse.name]
        array.forward = lambda pre, inner=array.forward, name=synapse.name: reads.append(name) or inner(pre)
    clamped = engine.clamp(cases.batch(net))
    assert reads == [synapse.name for synapse in net.projections]
    engine.settle(clamped, Schedule(steps=5))
    assert len(reads) == len(net.projections)
