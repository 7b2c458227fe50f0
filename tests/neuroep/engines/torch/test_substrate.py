"""The reference engine's closed forms against autograd of its energy, and its devices."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from neuroep import engines
from neuroep.engines.schedule import Schedule
from neuroep.engines.state import State
from neuroep.engines.torch import potentials as reference_potentials
from neuroep.engines.torch.arrays import holding, on_host, tensors_of
from neuroep.errors import ConfigError, DivergenceError
from neuroep.learning.contrast import Pair
from neuroep.network.builders import DenseLayer
from tests import cases

DEVICES = ("cpu", cases.ON_GPU)


def leaves(state):
    """Return a copy of a state whose values and weights autograd follows, each on its own."""
    values = {name: value.detach().clone().requires_grad_() for name, value in state.values.items()}
    weights = {name: value.detach().clone().requires_grad_() for name, value in state.weights.items()}
    return State(values, weights, state.stale, state.beta)


def slopes(engine, clamped, state):
    """Return dE/ds of every layer (read-outs of attention layers) and dE/dp, by autograd of the energy."""
    free = leaves(state)
    free.beta = state.beta
    total = engine.energy_values(clamped, free).sum()
    return torch.autograd.grad(total, free.values.values()), torch.autograd.grad(
        engine.energy_values(clamped, free).sum(), free.weights.values()
    )


@pytest.mark.parametrize("mask", [True, False], ids=["masked", "unmasked"])
@pytest.mark.parametrize("name", cases.NETWORKS)
@pytest.mark.parametrize("device", DEVICES)
def test_one_step_follows_autograd_of_phi(device, name, mask):
    """From any state: a dense layer goes to grad G*(dPhi/ds), an attention layer to softmax(kappa X dPhi/da)."""
    net = cases.network(name, potential="tanh", mask=mask, projection_bias=True)
    engine = cases.engine(device, net)
    clamped = engine.clamp(cases.batch(net))
    state = engine.settle(clamped, Schedule("synchronous", steps=2)).state
    energy_slopes, _ = slopes(engine, clamped, state)
    moved = engine.fork(state)
    engine.relax(clamped, moved, tuple(layer.name for layer in net.layers), Schedule("synchronous", steps=1))
    for layer, slope in zip(net.layers, energy_slopes, strict=True):
        value = state.values[layer.name]
        if isinstance(layer, DenseLayer):
            drive = torch.atanh(value) - slope
            torch.testing.assert_close(moved.values[layer.name], torch.tanh(drive), rtol=0, atol=1e-12)
            continue
        # The energy knows a read-out through the dense synapses alone; the projection is held in the logits.
        keys, count = clamped.tokens[layer.patterns].vectors, clamped.tokens[layer.queries].present.sum(1).clamp(min=1)
        back = -slope if layer.readout == "flat" else -slope / count.sqrt()[:, None]
        back = back.reshape(len(value), -1, layer_dim(net, layer))
        logits = clamped.held[layer.name].logits + layer.inverse_temperature * back @ keys.transpose(1, 2)
        asking, stored = clamped.tokens[layer.queries].present, clamped.tokens[layer.patterns].present
        taking = asking[:, :, None] * stored[:, None, :]
        powers = torch.exp(logits) * taking
        weights = powers / powers.sum(2, keepdim=True).clamp(min=1e-300)
        torch.testing.assert_close(moved.weights[layer.name], weights, rtol=0, atol=1e-12)
        rows = (weights @ keys).flatten(1)
        if layer.readout == "pooled":
            rows = (weights @ keys).sum(1) / count.sqrt()[:, None]
        torch.testing.assert_close(moved.values[layer.name], rows, rtol=0, atol=1e-12)


def layer_dim(net, layer):
    """Length of a word vector of the stored sequence."""
    return net.sequence(layer.patterns).dim


@pytest.mark.parametrize("potential", ["hard_sigmoid", "smooth_sigmoid", "tanh", "linear"])
@pytest.mark.parametrize("beta", [0.0, 0.4, -0.4])
@pytest.mark.parametrize("name", cases.NETWORKS)
def test_settled_states_are_stationary(name, beta, potential):
    """By autograd of the whole energy dF/ds vanishes inside the bounds of a neuron, dE/dp is flat on the simplex."""
    net = cases.network(name, potential=potential)
    engine = cases.engine("cpu", net, cases.parameters(net, scale=0.7))
    clamped = engine.clamp(cases.batch(net))
    settled = engine.settle(clamped, cases.TIGHT, beta=beta)
    assert settled.converged
    energy_slopes, weight_slopes = slopes(engine, clamped, settled.state)
    for layer, slope in zip(net.layers, energy_slopes, strict=True):
        if isinstance(layer, DenseLayer):
            value = settled.state.values[layer.name]
            slope = torch.where((value <= layer.potential.low) & (slope > 0), 0.0, slope)
            slope = torch.where((value >= layer.potential.high) & (slope < 0), 0.0, slope)
            assert slope.abs().max() < 1e-10
    states = dict(zip([layer.name for layer in net.layers], energy_slopes, strict=True))
    for layer, slope in zip(net.attention, weight_slopes, strict=True):
        keys, count = clamped.tokens[layer.patterns].vectors, clamped.tokens[layer.queries].present.sum(1)
        back = states[layer.name]
        if layer.readout == "pooled":
            back = (back / count.clamp(min=1).sqrt()[:, None])[:, None, :].expand(-1, slope.shape[1], -1)
        total = slope + back.reshape(len(keys), -1, keys.shape[2]) @ keys.transpose(1, 2)
        for b, (n, k) in enumerate(zip(count.int(), clamped.tokens[layer.patterns].present.sum(1).int(), strict=True)):
            if n and k:
                real = total[b, :n, :k]
                assert (real - real.mean(1, keepdim=True)).abs().max() < 1e-10


@pytest.mark.parametrize("mask", [True, False], ids=["masked", "unmasked"])
@pytest.mark.parametrize("name", cases.NETWORKS)
def test_contrasts_are_autograd_of_phi(name, mask):
    """The contrast of two states is the difference of -dE/dtheta at them, though no autograd made it."""
    net = cases.network(name, potential="smooth_sigmoid", mask=mask, projection_bias=True)
    engine = cases.engine("cpu", net)
    clamped = engine.clamp(cases.batch(net))
    plus, minus = (engine.settle(clamped, Schedule(steps=3), beta=beta).state for beta in (0.5, -0.5))
    found = engine.gradient(engine.contrasts(clamped, [Pair(plus, minus, 1.0)]))
    leaves = {name: tensor.clone().requires_grad_() for name, tensor in tensors_of(engine).items()}
    twin = holding(engine, leaves)
    held = twin.read_held(clamped)
    for state in (plus, minus):
        state.beta = 0.0
    phi = twin.energy_values(held, minus).mean() - twin.energy_values(held, plus).mean()
    wanted = torch.autograd.grad(-phi, list(leaves.values()))
    cases.assert_close(found, {key: g.numpy() for key, g in zip(leaves, wanted, strict=True)}, 1e-12)


def test_the_phases_use_no_autograd():
    net = cases.network("inference")
    engine = cases.engine("cpu", net)
    settled = engine.settle(cases.batch(net), Schedule(steps=2))
    tensors = [*settled.state.values.values(), *settled.state.weights.values(), *tensors_of(engine).values()]
    assert not any(tensor.requires_grad for tensor in tensors)


def test_a_fork_is_independent():
    net = cases.network("sentiment")
    engine = cases.engine("cpu", net)
    settled = engine.settle(cases.batch(net), Schedule(steps=2))
    before = {name: value.clone() for name, value in settled.state.values.items()}
    engine.settle(cases.batch(net), Schedule(steps=3), beta=0.5, start=settled)
    for name, value in before.items():
        torch.testing.assert_close(settled.state.values[name], value, rtol=0, atol=0)


@pytest.mark.parametrize("device", ["gpu", "cpux", "", "mps"])
def test_unknown_device(device):
    with pytest.raises(ConfigError, match=rf"^device is '{device}': allowed are auto, cpu, cuda$"):
        engines.reference(cases.network(), device=device)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_absent_gpu():
    with pytest.raises(ConfigError, match=r"^device is 'cuda': torch sees no GPU here; allowed are auto, cpu$"):
        engines.reference(cases.network(), device="cuda")


@pytest.mark.parametrize("threads", [0, -1, 5000, 100_000])
def test_threads_that_no_machine_has(threads):
    """Before: 100,000 ended the process by SIGSEGV, 5,000 stalled the machine."""
    with pytest.raises(ConfigError, match=rf"^threads is {threads}: allowed are whole numbers from 1 to \d+ on this"):
        engines.reference(cases.network(), threads=threads)


def test_description():
    found = engines.reference(cases.network(), device="cpu", dtype="float64").describe()
    assert found == {"engine": "reference", "device": "cpu", "dtype": "float64", "threads": torch.get_num_threads()}


def test_auto_is_a_device_that_is_there():
    found = engines.reference(cases.network()).substrate.device.type
    assert found == ("cuda" if torch.cuda.is_available() else "cpu")


@pytest.mark.parametrize("device", DEVICES)
def test_looks_at_the_tolerance_are_rare_on_a_gpu(device):
    """A look waits for the device: by default every fourth sweep there."""
    net = cases.network("sentiment")
    engine = cases.engine(device, net)
    seen = []
    scalars = engine.scalars
    engine.scalars = lambda values: seen.append(1) or scalars(values)
    engine.settle(cases.batch(net), Schedule(steps=8, tolerance=1e-30))
    assert len(seen) == (8 if device == "cpu" else 2)
    seen.clear()
    engine.settle(cases.batch(net), Schedule(steps=8))
    assert len(seen) == (8 if device == "cpu" else 1)


def test_potentials_the_engine_does_not_know():
    from neuroep.network.potentials import Potential

    for compute in (reference_potentials.respond, reference_potentials.energy):
        with pytest.raises(ConfigError, match=r"^potential 'Potential' is a Potential, which the reference engine"):
            compute(Potential(), torch.zeros(1, 2))


@pytest.mark.parametrize("part", ["weight", "bias"])
def test_parameters_that_become_infinite_are_named(part):
    """An update that leaves a weight or a bias not finite names the synapse and the update."""
    net = cases.network("sentiment")
    engine = cases.engine("cpu", net)
    contrasts = cases.estimator().measure(engine, cases.batch(net)).contrasts
    rates = dict.fromkeys([synapse.name for synapse in net.synapses], 0.0)
    engine.update(contrasts, rates)
    tensors_of(engine)[f"dense_2.{part}"].view(-1)[0] = np.inf
    with pytest.raises(DivergenceError) as caught:
        engine.update(contrasts, rates)
    assert (caught.value.where, caught.value.step, caught.value.what) == ("dense_2", 2, "weight")


def test_a_tensor_that_lies_elsewhere_is_shown_as_a_copy():
    """A GPU's: NumPy lets no one say again that an array of torch's may be written to, and a copy of it may be."""

    class Elsewhere:
        device = torch.device("cuda")

        def detach(self):
            return self

        def cpu(self):
            return torch.arange(3.0)

    copied, shown = on_host(Elsewhere()), on_host(torch.arange(3.0))
    assert copied.flags.writeable and not shown.flags.writeable
    np.testing.assert_array_equal(copied, shown)
