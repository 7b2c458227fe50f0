"""Back-propagation through time and implicit differentiation: they agree, and leave the engine as it was."""

from __future__ import annotations

import numpy as np
import pytest

from hw_models.chip import Chip
from neuroep import engines
from neuroep.engines.settling import Schedule
from neuroep.engines.torch.arrays import tensors_of
from neuroep.errors import ConfigError, DivergenceError
from neuroep.gradients import angles, yardsticks
from tests import cases

YARDSTICKS = [
    yardsticks.BPTT(cases.TIGHT, 3),
    yardsticks.BPTT(cases.TIGHT, 3, kept=True),
    yardsticks.Implicit(cases.TIGHT),
]
every_network = pytest.mark.parametrize("name", cases.NETWORKS)


@pytest.mark.parametrize("order", ["synchronous", "layerwise"])
@pytest.mark.parametrize("potential", ["hard_sigmoid", "smooth_sigmoid", "tanh"])
@every_network
def test_bptt_is_implicit_differentiation(name, potential, order):
    """Through a long enough tail of steps; also where hard sigmoids are clipped."""
    net = cases.network(name, potential=potential, projection_bias=True)
    engine = cases.engine("cpu", net, cases.parameters(net, scale=0.8))
    batch = cases.batch(net)
    exact = yardsticks.Implicit(cases.TIGHT).gradient(engine, batch)
    found = yardsticks.BPTT(cases.TIGHT, 120, order).gradient(engine, batch)
    cases.assert_close(found, exact, 1e-11)
    for key, value in exact.items():
        assert value.shape == net.parameter_shapes()[key] and np.abs(value).max() > 1e-7
        assert angles.relative_error(found[key], value) < 1e-8


def test_pieces_sum_to_the_gradient():
    net = cases.network("inference", potential="tanh")
    engine, batch = cases.engine("cpu", net), cases.batch(net)
    bptt = yardsticks.BPTT(cases.TIGHT, 7)
    pieces = bptt.trajectory(engine, batch)
    assert len(pieces) == 7
    cases.assert_close(
        {key: sum(piece[key] for piece in pieces) for key in pieces[0]}, bptt.gradient(engine, batch), 1e-15
    )


@pytest.mark.parametrize("order", ["synchronous", "layerwise"])
@every_network
def test_the_whole_graph_gives_what_step_after_step_gives(name, order):
    net = cases.network(name, potential="tanh", projection_bias=True)
    engine, batch = cases.engine("cpu", net), cases.batch(net)
    found = yardsticks.BPTT(cases.TIGHT, 7, order, kept=True).gradient(engine, batch)
    cases.assert_close(found, yardsticks.BPTT(cases.TIGHT, 7, order).gradient(engine, batch), 1e-14)
    assert all(np.abs(value).max() > 1e-7 for value in found.values())


def test_a_piece_far_from_the_loss_arrives_late():
    """Credit travels one layer per step: the last step of the dynamics reaches the synapse at the output only."""
    net = cases.network("sentiment", potential="tanh")
    first, second, *_ = yardsticks.BPTT(cases.TIGHT, 5).trajectory(cases.engine("cpu", net), cases.batch(net))
    assert first["dense_3.weight"].any() and not first["dense_2.weight"].any() and not first["query.weight"].any()
    assert second["dense_2.weight"].any() and not second["dense_1.weight"].any()


@pytest.mark.parametrize("yardstick", YARDSTICKS)
def test_the_engine_is_left_as_it_was(yardstick):
    net = cases.network("inference")
    engine, batch = cases.engine("cpu", net), cases.batch(net)
    tensors, before = tensors_of(engine), engine.parameters()
    yardstick.gradient(engine, batch)
    assert all(tensors_of(engine)[name] is tensor for name, tensor in tensors.items())
    cases.assert_same(engine.parameters(), before)
    batch.inputs["premise"].vectors[0, 0, 0] = np.nan
    with pytest.raises(DivergenceError):
        yardstick.gradient(engine, batch)
    assert all(tensors_of(engine)[name] is tensor for name, tensor in tensors.items())
    assert not any(tensor.requires_grad for tensor in tensors_of(engine).values())


@pytest.mark.parametrize("yardstick", YARDSTICKS)
def test_only_the_reference_engine_can_be_differentiated(yardstick):
    net = cases.network()
    with pytest.raises(ConfigError, match=r"^yardsticks differentiate the reference engine, not 'local'$"):
        yardstick.gradient(cases.engine("local", net), cases.batch(net))
    chip = Chip.model_validate({"name": "spread", "device": {"mismatch": 0.1}})
    on_chip = engines.reference(net, chip=chip, device="cpu", dtype="float64")
    with pytest.raises(ConfigError, match=r"not 'reference on chip spread'$"):
        yardstick.gradient(on_chip, cases.batch(net))


def test_an_adjoint_that_does_not_converge():
    net = cases.network(potential="tanh")
    said = (
        r"^implicit differentiation has not converged after 2 iterations: the adjoint still changes by \d\.\de-\d\d"
        r" of its largest entry, allowed are 1e-12; raise steps, or let the free phase settle$"
    )
    with pytest.raises(ConfigError, match=said):
        yardsticks.Implicit(cases.TIGHT, steps=2).gradient(cases.engine("cpu", net), cases.batch(net))


@pytest.mark.parametrize("name", ["sentiment", "inference"])
def test_an_adjoint_is_found_where_sweeps_settle_slowly(name):
    """Weights under which the free phase takes a hundred sweeps: as many unrolled steps as iterations are far off."""
    net = cases.network(name, potential="tanh", projection_bias=True)
    engine, batch = cases.engine("cpu", net, cases.parameters(net, scale=2.5)), cases.batch(net)
    free = Schedule(steps=400, tolerance=1e-13, check_every=1)
    exact = yardsticks.BPTT(free, 400, "layerwise").gradient(engine, batch)
    unrolled = yardsticks.BPTT(free, 12, "layerwise").gradient(engine, batch)
    found = yardsticks.Implicit(free, steps=12, tolerance=1e-6).gradient(engine, batch)
    assert max(angles.relative_error(unrolled[key], value) for key, value in exact.items()) > 0.01
    for key, value in exact.items():
        assert angles.relative_error(found[key], value) < 1e-5, key


@pytest.mark.parametrize("where", cases.ENGINES)
@every_network
def test_cosine_to_bptt(where, name):
    net = cases.network(name, potential="smooth_sigmoid")
    engine, batch = cases.engine(where, net, dtype="float32"), cases.batch(net)
    schedule = Schedule(steps=200, tolerance=1e-7, check_every=1)
    found = yardsticks.cosine_to_bptt(engine, batch, cases.estimator(beta=0.1, free=schedule, nudged=schedule))
    assert found.keys() == net.parameter_shapes().keys()
    assert all(0.999 < value <= 1 + 1e-12 for value in found.values())


def test_cosine_to_bptt_sees_a_bad_gradient():
    """One nudged sweep does not reach the projection: its cosine is visibly below one, that of the output is not."""
    net = cases.network("sentiment", potential="smooth_sigmoid")
    engine, batch = cases.engine("local", net, cases.parameters(net, scale=6.0)), cases.batch(net)
    found = yardsticks.cosine_to_bptt(engine, batch, cases.estimator(beta=0.5, nudged=Schedule(steps=1)))
    assert found["query.weight"] < 0.5 < 0.9 < found["dense_3.weight"]


def test_as_reference_has_the_weights_of_any_engine():
    net = cases.network("inference")
    local = cases.engine("local", net, dtype="float32")
    found = yardsticks.as_reference(local)
    assert found.describe()["dtype"] == "float64" and found.substrate.device.type == "cpu" and found.network is net
    cases.assert_close(found.parameters(), local.parameters(), 0)
    other = cases.parameters(net, seed=9)
    cases.assert_same(yardsticks.as_reference(local, other).parameters(), other)


def test_cosine():
    a = np.array([[1.0, 2.0], [0.0, -2.0]])
    assert angles.cosine(a, 3 * a) == pytest.approx(1) and angles.cosine(a, -a) == pytest.approx(-1)
    assert angles.cosine(a, np.array([[2.0, -1.0], [5.0, 0.0]])) == 0
    assert np.isnan(angles.cosine(a, 0 * a)) and angles.cosine(0 * a, a) == 0


def test_relative_error():
    a = np.array([3.0, 4.0])
    assert angles.relative_error(np.array([3.0, 5.0]), a) == pytest.approx(0.2)
    assert angles.relative_error(a, 0 * a) == np.inf and angles.relative_error(0 * a, 0 * a) == 0
