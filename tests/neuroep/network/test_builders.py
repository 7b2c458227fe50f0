"""Networks as data: sizes, order of layers, initial weights, faults."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from neuroep.errors import ConfigError
from neuroep.network import builders as networks, potentials
from neuroep.network.builders import AttentionLayer, DenseLayer, DenseSynapse, Network, Projection, Sequence
from tests import cases


def test_sentiment_has_the_paper_s_sizes():
    net = networks.sentiment()
    assert net.parameter_shapes() == {
        "query.weight": (300, 300),
        "dense_1.weight": (1000, 180000), "dense_1.bias": (1000,),
        "dense_2.weight": (40, 1000), "dense_2.bias": (40,),
        "dense_3.weight": (2, 40), "dense_3.bias": (2,),
    }  # fmt: skip
    assert net.attention[0].inverse_temperature == pytest.approx(1 / math.sqrt(300))
    assert net.output.potential == potentials.HardSigmoid(0.5)
    assert (net.classes, net.mask, net.padded) == (2, True, True)


def test_inference_has_the_paper_s_sizes():
    net = networks.inference()
    shapes = net.parameter_shapes()
    assert shapes["dense_1.weight"] == (400, 30000) and shapes["dense_2.weight"] == (3, 400)
    asked = [(layer.queries, layer.patterns, layer.inverse_temperature) for layer in net.attention]
    premise, hypothesis = "premise", "hypothesis"
    assert asked == [
        (premise, hypothesis, 0.16),
        (hypothesis, premise, 0.16),
        (premise, premise, 0.16),
        (hypothesis, hypothesis, 0.16),
    ]
    assert [shapes[f"{synapse.name}.weight"] for synapse in net.projections] == [(300, 300)] * 4
    assert [synapse.name for synapse in net.synapses][-2:] == ["dense_1", "dense_2"]
    assert [synapse.pre for synapse in net.projections] == [layer.queries for layer in net.attention]


def test_pooled_reads_one_vector():
    net = networks.pooled(dense=(64, 2))
    assert net.parameter_shapes()["dense_1.weight"] == (64, 300)
    assert not net.padded and replace(net, mask=False).padded
    assert networks.inference(7, readout="pooled").dense[0].shape == (400, 1200)
    assert net == networks.sentiment(dense=(64, 2), readout="pooled")


def test_premise_and_hypothesis_may_differ_in_length():
    net = networks.inference((5, 3), 4, (2,))
    assert [layer.size for layer in net.attention] == [20, 12, 20, 12]
    assert net.dense[0].shape == (2, 64)


@pytest.mark.parametrize("build", [networks.sentiment, networks.inference])
def test_default_inverse_temperature_without_the_paper_s(build):
    net = build(4, 16, (2,), inverse_temperature=None)
    assert all(layer.inverse_temperature == 0.25 for layer in net.attention)


def test_bias_of_the_projection_is_optional():
    shapes = cases.network("inference", projection_bias=True).parameter_shapes()
    assert sum(name.startswith("query") and name.endswith("bias") for name in shapes) == 4
    assert not any(name.startswith("query") and name.endswith("bias") for name in cases.network().parameter_shapes())


def test_even_and_odd_layers():
    assert cases.network("sentiment").parity == (("attention", "hidden_2"), ("hidden_1", "output"))
    even, odd = cases.network("inference").parity
    assert len(even) == 5 and even[-1] == "output" and odd == ("hidden_1",)
    neighbours = cases.network("sentiment").neighbours
    assert neighbours["hidden_1"] == {"attention", "hidden_2"} and neighbours["attention"] == {"hidden_1"}


@pytest.mark.parametrize("name", cases.NETWORKS)
def test_no_synapse_joins_two_layers_of_one_group(name):
    net = cases.network(name)
    sides = {layer: side for side, group in enumerate(net.parity) for layer in group}
    assert len(sides) == len(net.layers)
    assert all(sides[pre] != sides[synapse.post] for synapse in net.dense for pre in synapse.pre)


CHANGES = {
    "tokens": {"tokens": 6}, "dim": {"dim": 5}, "dense": {"dense": (7, 6, 2)}, "mask": {"mask": False},
    "readout": {"readout": "pooled"}, "kappa": {"inverse_temperature": 0.3}, "bias": {"projection_bias": True},
    "potential": {"potential": potentials.Tanh()}, "slope": {"potential": potentials.HardSigmoid(0.6)},
    "linear": {"potential": potentials.Linear()},
}  # fmt: skip


def test_the_signature_tells_networks_apart():
    def build(**changes):
        return networks.sentiment(**{"tokens": 5, "dim": 4, "dense": (7, 5, 2), **changes})

    found = {name: build(**change).signature() for name, change in CHANGES.items()}
    assert len({build().signature(), *found.values()}) == len(CHANGES) + 1
    assert build().signature() == build().signature()
    assert all(build(**change).signature() == found[name] for name, change in CHANGES.items())


def test_layers_and_sequences_by_name():
    net = cases.network("inference")
    assert net.layer("output") is net.output and net.sequence("premise").tokens == 5
    with pytest.raises(
        ConfigError, match=r"^unknown layer 'outputt': allowed are .*, output; did you mean 'output'\?$"
    ):
        net.layer("outputt")
    with pytest.raises(ConfigError, match=r"^unknown sequence 'premis': allowed are premise, hypothesis; did you mean"):
        net.sequence("premis")


class TestInitialParameters:
    def test_shapes_and_bounds_are_those_of_torch_s_linear(self):
        net = networks.sentiment(40, 30, (50, 2))
        values = networks.initial_parameters(net, 3)
        assert {name: value.shape for name, value in values.items()} == net.parameter_shapes()
        for name, fan_in in (("query", 30), ("dense_1", 1200), ("dense_2", 50)):
            weight = values[f"{name}.weight"]
            assert weight.dtype == np.float32
            assert np.abs(weight).max() <= 1 / math.sqrt(fan_in)
        big = values["dense_1.weight"].astype(float) * math.sqrt(1200)
        assert big.mean() == pytest.approx(0, abs=5 / math.sqrt(3 * big.size))
        assert big.var() == pytest.approx(1 / 3, rel=0.02)
        assert np.abs(values["dense_1.bias"]).max() <= 1 / math.sqrt(1200)

    def test_they_depend_on_the_seed_alone(self):
        net = cases.network()
        one = networks.initial_parameters(net, 1)
        cases.assert_same(networks.initial_parameters(net, 1), one)
        other = networks.initial_parameters(net, 2)
        assert all((other[name] != value).any() for name, value in one.items())

    def test_each_parameter_has_a_stream_of_its_own(self):
        """A deeper stack leaves the draws of the other synapses as they are."""
        short, long = (networks.initial_parameters(networks.sentiment(3, 4, (6, *rest, 2))) for rest in ((), (5,)))
        np.testing.assert_array_equal(short["query.weight"], long["query.weight"])
        np.testing.assert_array_equal(short["dense_1.weight"], long["dense_1.weight"])

    def test_no_two_parameters_share_draws(self):
        values = networks.initial_parameters(networks.inference(3, 4, (6, 6, 2)))
        first = [value.ravel()[:2] * math.sqrt(value.shape[-1]) for name, value in values.items() if "weight" in name]
        draws = np.concatenate([*first, values["dense_2.bias"][:2] * math.sqrt(6)])
        assert len(np.unique(draws.round(5))) == draws.size

    def test_output_bias(self):
        net = cases.network("inference")
        plain, raised = networks.initial_parameters(net), networks.initial_parameters(net, output_bias=1.0)
        assert (raised.pop("dense_2.bias") == 1).all()
        cases.assert_same(raised, {name: plain[name] for name in raised})


FROM_TO = r"allowed are numbers from 1e-06 to 1e\+06"


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({"tokens": 0}, r"tokens is \[0\]: allowed are whole numbers from 1"),
        ({"dim": 0}, r"dim is \[0\]: allowed are whole numbers from 1"),
        ({"dim": 2.5}, r"dim is \[2.5\]: allowed are whole numbers from 1"),
        ({"dense": ()}, r"dense is \[\]: allowed are whole numbers from 1"),
        ({"tokens": True}, r"tokens is \[True\]: allowed are whole numbers from 1"),
        ({"tokens": float("nan")}, r"tokens is \[nan\]: allowed are whole numbers from 1"),
        ({"tokens": "4"}, r"tokens is \['4'\]: allowed are whole numbers from 1"),
        ({"dense": 4}, r"dense is 4: give a size for each dense layer, for example \(64, 2\)"),
        ({"dense": "42"}, r"dense is '42': give a size for each dense layer, for example \(64, 2\)"),
        ({"dense": (4, 0)}, r"dense is \[4, 0\]: allowed are whole numbers from 1"),
        (
            {"readout": "poled"},
            r"layer 'attention': unknown readout 'poled': allowed are flat, pooled; did you mean 'pooled'\?",
        ),
        ({"inverse_temperature": 0.0}, "inverse_temperature of 'attention' is 0.0: " + FROM_TO),
        ({"inverse_temperature": math.inf}, "inverse_temperature of 'attention' is inf: " + FROM_TO),
        ({"inverse_temperature": 1e308}, r"inverse_temperature of 'attention' is 1e\+308: " + FROM_TO),
        ({"inverse_temperature": math.nan}, "inverse_temperature of 'attention' is nan: " + FROM_TO),
    ],
)
def test_settings_out_of_range(settings, line):
    with pytest.raises(ConfigError, match=f"^{line}$"):
        networks.sentiment(**{"tokens": 5, "dim": 4, "dense": (6, 2), **settings})


@pytest.mark.parametrize("tokens", [(5,), (5, 4, 3)])
def test_inference_has_two_sequences(tokens):
    with pytest.raises(
        ConfigError, match=r"^tokens is \[5.*\]: the inference network takes one number or \[premise, hyp"
    ):
        networks.inference(tokens)


TEXT = Sequence("text", 5, 4)
ATTENTION = AttentionLayer("attention", "text", "text", 0.5, "flat", 20)
OUTPUT = DenseLayer("output", 2, potentials.HardSigmoid())
QUERY = Projection("query", "text", "attention", (4, 4))
DENSE = DenseSynapse("dense", ("attention",), "output", (2, 20))
PARTS = {"sequences": (TEXT,), "layers": (ATTENTION, OUTPUT), "synapses": (QUERY, DENSE)}


def test_a_network_by_hand():
    assert Network(**PARTS).parity == (("attention",), ("output",))


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (
            {"synapses": (replace(QUERY, pre="txt"), DENSE)},
            r"synapse 'query': unknown source 'txt': .*; did you mean 'text'\?",
        ),
        (
            {"synapses": (replace(QUERY, post="atention"), DENSE)},
            r"synapse 'query': unknown layer 'atention': .* 'attention'\?",
        ),
        (
            {"synapses": (QUERY, replace(DENSE, pre=("text",)))},
            "synapse 'dense': unknown source 'text': allowed are attention",
        ),
        (
            {"synapses": (replace(QUERY, shape=(4, 5)), DENSE)},
            r"weight of 'query' has shape \(4, 5\): its layers need \(4, 4\)",
        ),
        (
            {"synapses": (QUERY, replace(DENSE, shape=(2, 4)))},
            r"weight of 'dense' has shape \(2, 4\): its layers need \(2, 20\)",
        ),
        (
            {"synapses": (replace(QUERY, post="output"), DENSE)},
            "projection 'query' must end in an attention layer, not 'output'",
        ),
        (
            {"synapses": (QUERY, replace(DENSE, post="attention"))},
            "dense synapse 'dense' must end in a dense layer, not",
        ),
        (
            {"layers": (replace(ATTENTION, queries="texts"), OUTPUT)},
            r"layer 'attention': unknown sequence 'texts'.*'text'\?",
        ),
        ({"layers": (OUTPUT, ATTENTION)}, "the last layer 'attention' is the output: it must be dense"),
    ],
)
def test_parts_that_do_not_fit(change, line):
    with pytest.raises(ConfigError, match=f"^{line}") as caught:
        Network(**{**PARTS, **change})
    assert "\n" not in str(caught.value)


def test_an_odd_loop_has_no_even_and_odd_layers():
    hidden = DenseLayer("hidden", 3, potentials.Tanh())
    up, over = (
        DenseSynapse("up", ("attention",), "hidden", (3, 20)),
        DenseSynapse("over", ("hidden",), "output", (2, 3)),
    )
    with pytest.raises(
        ConfigError, match=r"^layer '\w+' lies on an odd loop: layer-wise settling needs even and odd layers$"
    ):
        Network((TEXT,), (ATTENTION, hidden, OUTPUT), (QUERY, up, over, DENSE))


@pytest.mark.parametrize(
    "change",
    [
        {"layers": (ATTENTION, OUTPUT, OUTPUT)},
        {"sequences": (TEXT, TEXT)},
        {"synapses": (QUERY, replace(DENSE, name="query"))},
        {"layers": (replace(ATTENTION, size=12), OUTPUT), "synapses": (QUERY, replace(DENSE, shape=(2, 12)))},
        {"synapses": (DENSE,)},
        {
            "sequences": (TEXT, Sequence("other", 3, 4)),
            "synapses": (replace(QUERY, pre="other"), DENSE),
        },
    ],
    ids=[
        "two layers of one name",
        "two sequences of one name",
        "two synapses of one name",
        "size of the read-out",
        "no projection",
        "foreign queries",
    ],
)
def test_parts_that_no_engine_could_run(change):
    """Each is refused when the network is built, in one line, not by an engine later."""
    with pytest.raises(ConfigError) as caught:
        Network(**{**PARTS, **change})
    assert "\n" not in str(caught.value)


def test_a_layer_joined_to_itself_is_refused():
    net = networks.sentiment(3, 4, (4, 2))
    lateral = DenseSynapse("lateral", ("hidden_1",), "hidden_1", (4, 4))
    with pytest.raises(ConfigError, match="layer 'hidden_1' has a synapse to itself"):
        Network(net.sequences, net.layers, (*net.synapses, lateral))


def test_a_potential_by_name_is_refused():
    with pytest.raises(ConfigError, match="potential of 'output' is a str"):
        networks.sentiment(3, 4, (2,), potential="tanh")


def test_an_output_without_bias_cannot_be_given_one():
    net = networks.sentiment(3, 4, (2,))
    bare = replace(net, synapses=(*net.projections, replace(net.dense[0], bias=False)))
    with pytest.raises(ConfigError, match=r"output_bias is 1.0: no synapse to 'output' has a bias"):
        networks.initial_parameters(bare, output_bias=1.0)


def test_the_identity_is_added_to_projections():
    net = networks.inference(3, 4, (2,))
    plain, shifted = (networks.initial_parameters(net, projection_identity=c) for c in (0.0, 2.0))
    for name, value in shifted.items():
        extra = 2 * np.eye(4, dtype=np.float32) if name.startswith("query") else 0
        np.testing.assert_array_equal(value, plain[name] + extra)
