"""Arrays whose products are in bfloat16: what they lose, threads, updates, and that differences keep the gradient."""

from __future__ import annotations

import copy
import pickle
import threading
from unittest import mock

import numpy as np
import pytest
import torch

from neuroep import engines
from neuroep.engines.numba import rounded as array_module
from neuroep.engines.numba.arrays import COLUMNS, ideal
from neuroep.engines.numba.rounded import rounded
from neuroep.engines.settling import Schedule
from neuroep.engines.torch import sums
from neuroep.engines.workers import Workers
from neuroep.errors import ConfigError
from neuroep.gradients import angles
from neuroep.gradients.estimators import Estimator
from neuroep.learning.contrast import Contrast, Moved
from neuroep.learning.optimisers import SGD, Adam
from tests import cases

FREE, NUDGED = Schedule(steps=60, tolerance=1e-3), Schedule(steps=60, tolerance=0.01, form="differences")


def made(net, threads=1, **settings):
    return engines.local(net, cases.parameters(net), threads=threads, **{"products": "bfloat16", **settings})


def arrays(shape, threads=1, optimiser=None):
    weight = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    rule = SGD() if optimiser is None else optimiser
    return [make(weight, None, rule, Workers(threads), "float32") for make in (ideal, rounded)]


def short(values):
    """Return numbers rounded to the nearest with 8 significant bits, ties to even, by their bits alone."""
    bits = np.ascontiguousarray(values, dtype=np.float32).view(np.uint32).astype(np.uint64)
    bits = (bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF0000
    return bits.astype(np.uint32).view(np.float32).astype(np.float64)


@pytest.mark.parametrize("inputs", [50, COLUMNS + 2])
def test_products_are_those_of_rounded_numbers(inputs):
    full, array = arrays((7, inputs))
    draw = np.random.default_rng(1)
    states, post = (draw.standard_normal(shape).astype(np.float32) for shape in ((4, inputs), (4, 7)))
    for found, exact, wanted in (
        (array.forward(states), full.forward(states), short(states) @ short(full.weight).T),
        (array.transposed(post), full.transposed(post), short(post) @ short(full.weight)),
    ):
        assert found.dtype == np.float32 and not np.allclose(found, exact, rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(found, wanted, rtol=2**-8, atol=2**-8 * np.abs(wanted).max())
    np.testing.assert_array_equal(array.expected(states), full.expected(states))


def test_bits_do_not_depend_on_threads():
    (_, one), (_, two) = arrays((5, 2 * COLUMNS + 1)), arrays((5, 2 * COLUMNS + 1), threads=3)
    draw = np.random.default_rng(2)
    states, post = (draw.standard_normal(shape).astype(np.float32) for shape in ((6, 2 * COLUMNS + 1), (6, 5)))
    before = torch.get_num_threads()
    np.testing.assert_array_equal(one.forward(states), two.forward(states))
    out = np.zeros_like(states)
    assert two.transposed(post, out) is out
    np.testing.assert_array_equal(one.transposed(post), out)
    assert torch.get_num_threads() == before


@pytest.mark.parametrize("rule", [SGD(momentum=0.5), Adam()])
def test_an_update_is_that_of_rounded_sides_and_is_read_at_once(rule):
    full, array = arrays((130, COLUMNS + 3), optimiser=rule)
    before = full.weight.copy()
    draw = np.random.default_rng(3)
    shapes = (4, 130), (4, COLUMNS + 3)
    post, pre = (Moved(*(draw.standard_normal(shape).astype(np.float32) for _ in range(2))) for shape in shapes)
    for each in (full, array):
        assert each.update(Contrast(post, pre, 0.2, 4), 0.1) == 0
    if isinstance(rule, SGD):
        step, wanted = array.weight - before, full.weight - before
        assert 0 < np.linalg.norm(step - wanted) < 2**-7 * np.linalg.norm(wanted)
    again = rounded(array.weight, None, rule, Workers(1), "float32")
    np.testing.assert_array_equal(array.forward(pre.plus), again.forward(pre.plus))


@pytest.mark.parametrize("show", [lambda a: a.weight, lambda a: a.live()["weight"], lambda a: a.weight[2:, 1:].T])
def test_what_was_shown_of_weights_stays_until_the_next_update(show):
    """Products turn them into another form in the memory that they lie in."""
    _, array = arrays((7, 50))
    shown, states = show(array), np.random.default_rng(1).standard_normal((4, 50)).astype(np.float32)
    kept = shown.copy()
    assert not shown.flags.writeable
    first = array.forward(states)
    np.testing.assert_array_equal(shown, kept)
    np.testing.assert_array_equal(show(array), kept)
    np.testing.assert_array_equal(array.forward(states), first)
    np.testing.assert_array_equal(shown, kept)
    for found in (array.conducting(), array.state()["weight"]):
        found[:] = 0  # its own
    np.testing.assert_array_equal(array.forward(states), first)


def test_weights_are_turned_where_they_lie():
    _, array = arrays((7, 50))
    before = array.weight.ctypes.data
    for _ in range(2):
        array.transposed(np.ones((2, 7), np.float32))
        assert array.weight.ctypes.data == before


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, lambda a: pickle.loads(pickle.dumps(a))])
def test_copies_have_weights_of_their_own(again):
    """Turning those of one leaves the other as it is."""
    _, array = arrays((7, 50))
    states = np.ones((2, 50), np.float32)
    first, wanted = array.forward(states), array.weight.copy()
    array.forward(states)
    other = again(array)
    for each in (array, other, array):
        np.testing.assert_array_equal(each.forward(states), first)
        np.testing.assert_array_equal(other.weight, wanted)
        np.testing.assert_array_equal(array.weight, wanted)
    assert not np.shares_memory(array.weight, other.weight)


def test_weights_that_are_replaced_are_read_as_they_are():
    _, array = arrays((7, 50))
    states = np.ones((2, 50), np.float32)
    array.forward(states)
    array.weight = np.full((7, 50), 0.5, np.float32)
    np.testing.assert_array_equal(array.weight, 0.5)
    np.testing.assert_array_equal(array.forward(states), 25)


def test_threads_that_ask_at_once_see_whole_weights_and_products_of_them():
    """Some read products, others weights, while a product's block is under way."""
    _, array = arrays((7, 50))
    states, asked = np.ones((2, 50), np.float32), []
    first, wanted = array.forward(states), array.weight.copy()

    def ask(*sides, taken=sums.product):
        asked.append(array.weight)
        return taken(*sides)

    with mock.patch.object(array_module, "product", ask):
        np.testing.assert_array_equal(array.forward(states), first)
    np.testing.assert_array_equal(asked[0], wanted)
    np.testing.assert_array_equal(array.forward(states), first)
    np.testing.assert_array_equal(asked[0], wanted)


@pytest.mark.parametrize("rule", ["adam", "sgd"])
def test_a_thread_that_asks_while_a_tile_is_written_waits(rule):
    (_, array), (_, alone) = (arrays((7, 50), optimiser=Adam() if rule == "adam" else SGD()) for _ in range(2))
    draw, found = np.random.default_rng(3), []
    post, pre = (
        Moved(*(draw.standard_normal(shape).astype(np.float32) for _ in range(2))) for shape in ((4, 7), (4, 50))
    )
    other = threading.Thread(target=lambda: found.append(array.weight))
    kernel = getattr(array_module.HALVES, rule)

    def amid(values, *given):
        found.append(array.weight.copy())  # as a handler of a signal does
        other.start()
        other.join(0.05)
        return kernel(values, *given)

    before = array.weight.copy()
    with mock.patch.object(array_module, "HALVES", array_module.HALVES._replace(**{rule: amid})):
        array.update(Contrast(post, pre, 0.2, 4), 0.1)
    other.join()
    alone.update(Contrast(post, pre, 0.2, 4), 0.1)
    np.testing.assert_array_equal(found[0], before)
    np.testing.assert_array_equal(found[1], alone.weight)
    np.testing.assert_array_equal(array.weight, alone.weight)


@pytest.mark.parametrize("halves", [False, True])
def test_an_interrupt_behind_a_kernel_leaves_weights_whole(halves):
    """It is raised where the kernel has ended and nothing else has yet been noted."""
    _, array = arrays((7, 50))
    states = np.ones((2, 50), np.float32)
    wanted, first = array.weight.copy(), array.forward(states)
    if halves:
        assert array.weight is not None
    name = "split_rows" if halves else "join_rows"
    kernel = getattr(array_module.array_kernels, name)

    def interrupted(*given):
        kernel(*given)
        raise KeyboardInterrupt

    with mock.patch.object(array_module.array_kernels, name, interrupted), pytest.raises(KeyboardInterrupt):
        _ = array.forward(states) if halves else array.weight
    np.testing.assert_array_equal(array.forward(states), first)
    np.testing.assert_array_equal(array.weight, wanted)


@pytest.mark.parametrize("decay", [0.0, 0.3])
def test_adam_is_that_of_double_precision_but_for_the_last_places(decay):
    """In several tiles; two steps, the gradient of which the first moment tells."""
    rule = Adam(weight_decay=decay)
    _, array = arrays((1100, 1300), optimiser=rule)
    draw, (beta1, beta2), rate = np.random.default_rng(3), rule.betas, 0.01
    moments = {"m": np.zeros(array.weight.shape), "v": np.zeros(array.weight.shape)}
    for step in (1, 2):
        shapes = (4, 1100), (4, 1300)
        post, pre = (Moved(*(draw.standard_normal(shape).astype(np.float32) for _ in range(2))) for shape in shapes)
        before = array.weight.astype(np.float64)
        assert array.update(Contrast(post, pre, 0.2, 4), rate) == 0
        kept = array.state()
        gradient = (kept["weight.first_moment"] - beta1 * moments["m"]) / (1 - beta1)
        second = beta2 * moments["v"] + (1 - beta2) * gradient**2
        moments = {"m": kept["weight.first_moment"].astype(np.float64), "v": second}
        np.testing.assert_allclose(kept["weight.second_moment"], moments["v"], rtol=2e-5, atol=1e-12)
        root = np.sqrt(moments["v"] / (1 - beta2**step)) + rule.eps
        wanted = (1 - rate * decay) * before - rate * moments["m"] / (1 - beta1**step) / root
        np.testing.assert_allclose(array.weight, wanted, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", cases.NETWORKS)
def test_differences_keep_the_gradient(name):
    """A few times 2^-8 of it in the worst layer, at a nudge that moves states by less than their rounding."""
    net = cases.network(name, potential="smooth_sigmoid")
    batch, beta = cases.batch(net, 16), 0.01
    exact = cases.estimator(beta=beta).gradient(cases.engine("cpu", net), batch)
    estimator = Estimator("centred", beta, FREE, NUDGED)
    found = estimator.gradient(made(net), batch)
    assert max(angles.relative_error(found[key], exact[key]) for key in exact) < 0.03
    cases.assert_same(found, estimator.gradient(made(net, threads=2), batch))


def test_a_state_goes_on_from_a_checkpoint():
    net = cases.network("pooled_sentiment")
    batch, engine = cases.batch(net, 8), made(net, optimiser=Adam())
    estimator, rates = Estimator("centred", 0.1, FREE, NUDGED), dict.fromkeys((s.name for s in net.synapses), 0.01)
    engine.update(estimator.measure(engine, batch).contrasts, rates)
    again = made(net, optimiser=Adam())
    again.load_parameters(engine.parameters())
    again.load_optimiser_state(engine.optimiser_state())
    for each in (engine, again):
        each.update(estimator.measure(each, batch).contrasts, rates)
    cases.assert_same(engine.parameters(), again.parameters())
    assert again.describe()["products"] == "bfloat16" and "products" not in made(net, products="full").describe()


def test_refused_where_states_would_be_spoilt():
    net = cases.network("pooled_sentiment")
    with pytest.raises(ConfigError, match="give a form of 'differences'"):
        Estimator("centred", 0.1, FREE, FREE).gradient(made(net), cases.batch(net))
    with pytest.raises(ConfigError, match="goes with dtype 'float32', not 'float64'"):
        made(net, dtype="float64")
    with pytest.raises(ConfigError, match="did you mean 'bfloat16'"):
        made(net, products="bfloat")
    with pytest.raises(ConfigError, match="a chip reads products of its own"):
        made(net, chip="pcm")
