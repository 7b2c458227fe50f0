"""Runs every kernel of the project through the public functions that use it, and prints a digest of each case.

    python tests/kernel_cases.py [reverse]

Prints JSON: ``bits`` by case, and ``ran``, the kernels that were compiled or loaded. ``reverse`` runs the cases from
the last to the first, so that kernels are loaded in another order.
"""

from __future__ import annotations

import gc
import hashlib
import importlib
import json
import pkgutil
import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from unittest import mock

import numpy as np

import hw_models
import neuroep
from hw_models.arrays.crossbar import Crossbar
from hw_models.chip import Chip
from hw_models.kernels import bursts, pulses
from hw_models.laws.pulse_response import PULSE_RESPONSES
from neuroep import engines
from neuroep.data.batch import Batch, TokenVectors
from neuroep.engines.numba import (
    attention,
    attention_kernels,
    difference_kernels,
    folded_kernels,
    repeated_kernels,
    rounded_kernels,
)
from neuroep.engines.settling import Schedule
from neuroep.gradients.estimators import Estimator
from neuroep.learning.optimisers import SGD, Adam
from neuroep.network import builders as networks
from neuroep.network.potentials import named

DEVICES: dict[str, dict[str, Any]] = {
    "constant": {"dw_min": 0.002, "noise": 0.3, "up_down": 0.1},
    "linear": {"response": "linear", "dw_min": 0.002, "gamma_up": 0.3, "gamma_down": 0.7},
    "soft_bounds": {"response": "soft_bounds", "dw_min": 0.002, "noise": 0.3, "w_max_spread": 0.2},
    "exponential": {
        "response": "exponential", "dw_min": 0.002, "noise": 2.0, "gamma_up": 5.0, "gamma_down": 5.0, "a_up": -1.18,
        "a_down": -0.08, "slope": -0.5, "offset": -0.5, "w_max_spread": 0.2,
    },
    "power": {"response": "power", "dw_min": 0.002, "noise": 0.3, "gamma_up": 1.5, "gamma_down": 0.7},
    "table": {"response": "table", "dw_min": 0.002, "noise": 0.3, "table_up": [1.5, 0.5], "table_down": [0.5, 1.0]},
    "table noise": {
        "response": "table", "dw_min": 0.002, "noise": 0.3, "table_up": [1.5, 0.5], "table_down": [0.5, 1.0],
        "table_noise": [1.0, 2.0],
    },
    **{
        f"{name} wide": {"response": name, "dw_min": 0.002, "noise": 0.3, "noise_base": 0.2, "gamma_up": 1.5}
        for name in ("linear", "power")
    },
    "exponential wide": {
        "response": "exponential", "dw_min": 0.002, "noise": 0.3, "noise_state": 0.02, "a_up": 0.2, "gamma_up": 1.5,
    },
}  # fmt: skip
READ = {"bits": 7, "range": 2.0}
NOISE = {"read_noise": 0.3}


def _cases() -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Yield name, chip and other settings of every case."""
    for name, pulse in DEVICES.items():
        for trains in ("expected", "stochastic"):
            yield f"{name} {trains}", {"device": {"pulse": pulse}, "update": {"scheme": "pulsed", "trains": trains}}, {}
    # Steps and noise so large that some devices may meet a bound.
    for name in ("power", "table", "table noise", "linear wide", "power wide", "exponential wide"):
        coarse = DEVICES[name] | {"dw_min": 0.02, "noise": 2.0}
        yield f"{name} coarse", {"device": {"pulse": coarse}, "update": {"scheme": "pulsed"}}, {}
    counts = {"scheme": "pulsed", "signals": "net_counts", "counter": {"slots": 100}}
    yield "net counts", {"device": {"pulse": DEVICES["soft_bounds"]}, "update": counts}, {}
    soft = {"response": "soft_bounds", "dw_min": 0.02, "w_min": 0.0, "noise": 0.5}
    for trains in ("expected", "stochastic"):
        device = {"pulse": soft, "cell": {"kind": "one_sided"}}
        yield f"one-sided pair {trains}", {"device": device, "update": {"scheme": "pulsed", "trains": trains}}, {}
    curved = ("exponential", "power", "table", "table noise", "power wide", "exponential wide")
    pairs = {name: DEVICES[name] for name in ("constant", *curved)}
    # So fine that no device plays its trains.
    pairs["exponential fine"] = {"response": "exponential", "dw_min": 0.002, "noise": 0.3, "a_up": 0.2, "gamma_up": 1.5}
    for name, pulse in (pairs | {"constant wide": DEVICES["constant"] | {"noise_base": 0.2}}).items():
        device = {"pulse": pulse | {"w_min": 0.0}, "cell": {"kind": "bidirectional"}}
        yield f"bidirectional pair {name}", {"device": device, "update": {"scheme": "pulsed"}}, {}
    mixed = {"device": {"pulse": DEVICES["exponential"]}, "update": {"scheme": "mixed_precision"}}
    yield "mixed precision", mixed, {}
    transferred = {"transfer": {"rate": 50.0}}
    for name, pulse in DEVICES.items():
        yield f"{name} transfer", {"device": {"pulse": pulse}, "update": {"scheme": "tiki_taka_v2"} | transferred}, {}
    for scheme in ("tiki_taka", "rider"):
        yield scheme, {"device": {"pulse": DEVICES["soft_bounds"]}, "update": {"scheme": scheme} | transferred}, {}
    yield "converters", {"dac": READ, "adc": READ | {"noise": 0.01}, "device": NOISE}, {"optimiser": SGD()}
    yield "stochastic converters", {"dac": READ | {"stochastic": True}, "adc": READ | {"stochastic": True}}, {}
    bent = {"gain_spread": 0.1, "offset_spread": 0.02, "inl": 0.03, "dnl": 0.3}
    yield "converters that err", {"dac": READ | {"digit_bits": 2}, "adc": READ | bent}, {}
    yield "calibrated", {"adc": {"bits": 7, "percentile": 99.0}}, {}
    yield "proportional", {"adc": READ, "device": NOISE | {"read_noise_law": "proportional"}}, {"dt": 0.5}
    yield "pcm", {"adc": READ, "device": {"read_noise": 0.0088, "read_noise_law": "pcm"}}, {}
    slow = NOISE | {"read_noise_law": "sqrt", "read_noise_band": [1e-7, 1.0], "rtn_share": 0.3}
    yield "noise in time", {"adc": READ, "device": slow, "timing": {"integration": 1e-6, "copies": 2}}, {}
    yield "programming", {"device": {"programming_noise": [0.3], "stuck_low": 0.1, "mismatch": 0.1}}, {}
    yield "events", {"substrate": "event_driven"}, {}
    yield "events in place", {"substrate": "event_driven", "events": {"in_place": True}}, {}
    yield "explicit attention", {"neuron": {"time_constant": 3.0}, "attention": {"exp_bits": 5}}, {}
    for potential in ("hard_sigmoid", "smooth_sigmoid", "tanh", "linear"):
        for readout in ("flat", "pooled"):
            yield f"{potential} {readout}", {}, {"potential": potential, "readout": readout}
    yield "momentum", {}, {"optimiser": SGD(0.9), "readout": "pooled", "dt": 0.5}
    yield "synchronous", {}, {"order": "synchronous", "dt": 0.6}
    for dtype in ("float32", "float64"):
        for readout in ("flat", "pooled"):
            for dt in (1.0, 0.5):
                given = {"form": "differences", "dtype": dtype, "readout": readout, "dt": dt, "potential": "tanh"}
                yield f"differences {dtype} {readout} {dt}", {}, given
        yield f"padding {dtype}", {}, {"dtype": dtype, "readout": "flat", "mask": False}
        yield f"repeated words {dtype}", {}, {"dtype": dtype, "repeats": "once"}
    large = {"readout": "flat", "mask": False, "form": "differences", "tolerance": 0.01}
    yield "rounded attention", {}, large | {"products": "bfloat16", "packed": True}
    ended = {"products": "bfloat16", "packed": True, "tolerance": 1e-5}
    yield "rounded attention, free phase ended in full", {}, large | ended
    yield "rounded heavy ball", {}, large | {"products": "bfloat16", "optimiser": SGD(momentum=0.9)}


def _reads() -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Yield name, chip and settings of products of one crossbar."""
    varied = {"read_noise": 0.1, "read_noise_law": "proportional"}
    tiles = {"rows": 64, "columns": 64}
    for dtype in ("float32", "float64"):
        for name, device in (("noise", NOISE), ("variances", varied)):
            one = {"shape": (130, 70), "rows": 1, "dtype": dtype}
            yield f"one sample {name} {dtype}", {"crossbar": tiles, "dac": READ, "adc": READ, "device": device}, one
        exact = {"crossbar": tiles | {"exact_noise": True}, "device": varied}
        yield f"device by device {dtype}", exact, {"shape": (20, 70), "rows": 3, "dtype": dtype}
    yield "wires", {"wires": {"r_word": 2.0, "r_bit": 1.0}}, {"shape": (40, 40), "rows": 3}
    yield "rounded variances", {"adc": READ, "device": varied}, {"shape": (300, 300), "rows": 200}


def _read(chip: dict[str, Any], given: dict[str, Any]) -> str:
    """Read one crossbar both ways; return the digest of the products."""
    shape, draw = given["shape"], np.random.default_rng(0)
    bar = Crossbar(Chip.model_validate(chip), shape, 3, "case", dtype=given.get("dtype", "float32"))
    bar.program(draw.normal(size=shape).astype(bar.dtype))
    x, s = (draw.normal(size=(given["rows"], n)).astype(bar.dtype) for n in shape[::-1])
    return hashlib.sha256(bar.forward(x).tobytes() + bar.transposed(s).tobytes()).hexdigest()


def _batch(network: networks.Network, words: int = 0) -> Batch:
    """Return a batch, of a vocabulary of so many words where any are given."""
    draw = np.random.default_rng(0)
    inputs, kinds = {}, {}
    for sequence in network.sequences:
        lengths = draw.integers(0, sequence.tokens + 1, 9)
        real = np.arange(sequence.tokens) < lengths[:, None]
        vectors = draw.normal(size=(9, sequence.tokens, sequence.dim)) * real[..., None]
        if words:
            ids = draw.integers(0, words, real.shape)
            vectors = draw.normal(size=(words, sequence.dim))[ids] * real[..., None]
            kinds[sequence.name] = ids[real]
        inputs[sequence.name] = TokenVectors(vectors, lengths)
    return Batch(inputs, draw.integers(0, network.classes, 9), kinds=kinds)


def _run(chip: dict[str, Any], given: dict[str, Any]) -> str:
    """Train two steps; return the digest of states, weights and energy."""
    settings = {"readout": given.get("readout", "pooled"), "potential": named(given.get("potential", "hard_sigmoid"))}
    settings["mask"] = given.get("mask", True)
    network = networks.sentiment(19, 37, (70, 2), **settings)
    # Mixed precision and pulses bring rules of their own.
    rule = {} if "update" in chip else {"optimiser": given.get("optimiser", Adam())}
    made = Chip.model_validate(chip) if chip else None
    how = {"dtype": given.get("dtype", "float32"), "repeats": given.get("repeats", "each")}
    how["products"] = given.get("products", "full")
    engine = engines.local(network, seed=3, threads=1, chip=made, **how, **rule)
    how_long = {"steps": 5, "dt": given.get("dt", 1.0), "tolerance": given.get("tolerance", 0.0)}
    phase = Schedule(given.get("order", "layerwise"), **how_long)
    nudged = replace(phase, form=given.get("form", "states"))
    batch = _batch(network, 7 if "repeats" in given else 0)
    estimator, found = Estimator("centred", 0.5, phase, nudged), hashlib.sha256()
    engine.calibrate([batch], estimator)
    with mock.patch.object(attention, "LOGITS", 1 if given.get("packed") else attention.LOGITS):
        _learn(engine, batch, estimator, found)
    for _, values in sorted(engine.parameters().items()):
        found.update(np.ascontiguousarray(values).tobytes())
    return found.hexdigest()


def _learn(engine: engines.engine.Engine, batch: Batch, estimator: Estimator, found: Any) -> None:
    """Train two steps, and add states, attention and energies to a digest."""
    phase, network = estimator.free, engine.network
    for step in range(2):
        clamped = engine.clamp(batch.keyed("train", step))
        settled = engine.settle(clamped, phase)
        measured = estimator.measure(engine, batch, step)
        engine.update(measured.contrasts, dict.fromkeys([each.name for each in network.synapses], 0.05))
        for values in (engine.energy(clamped, settled.state), *settled.state.values.values()):
            found.update(np.ascontiguousarray(values).tobytes())
        for name in engine.units:
            found.update(np.ascontiguousarray(engine.attention_weights(clamped, settled.state, name)).tobytes())


def _fit(chip: dict[str, Any], given: dict[str, Any]) -> str:
    """Return a digest of the estimates of a fit to curves of two devices."""
    del chip
    g = np.array([[5.0, *(np.cumsum(np.r_[np.full(15, 0.3), np.full(15, -0.28)]) + 5)]] * 2)
    g += np.cos(3.0 * np.arange(g.size)).reshape(g.shape) * 0.05
    found = hw_models.fit_response(g, [1] * 15 + [-1] * 15, g_min=0.0, g_max=20.0, **given)
    return hashlib.sha256(repr([one.value for one in found.estimates.values()]).encode()).hexdigest()


def kernels() -> dict[str, Any]:
    """Return all kernels of the packages by name."""
    found = {}
    for package in (hw_models, neuroep):
        for info in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if info.name == "hw_models.kernels.fused":
                continue  # Triton's
            module = importlib.import_module(info.name)
            for name, value in vars(module).items():
                if hasattr(value, "py_func") and value.py_func.__module__ == info.name:
                    found[f"{info.name}.{name}"] = value
    for law in PULSE_RESPONSES.values():
        forms = (law.factors, None), (law.factors, law.multiple)
        for each in (*(each for form in forms for each in pulses.of(*form)), *(bursts.of(*form) for form in forms)):
            found[f"{each.py_func.__module__}.{each.py_func.__qualname__}"] = each
    for dtype in ("float32", "float64"):
        rows = attention_kernels.exponentiate(dtype), repeated_kernels.hold(dtype)
        for each in (*difference_kernels.of(dtype), *folded_kernels.of(dtype), *rows):
            found[f"{each.py_func.__module__}.{each.py_func.__qualname__}"] = each
    for each in (rounded_kernels.share(), rounded_kernels.tilted(False), rounded_kernels.tilted(True)):
        found[f"{each.py_func.__module__}.{each.py_func.__qualname__}"] = each
    return found


def main() -> None:
    """Run all cases and print."""
    gc.set_threshold(100_000, 20, 20)  # to look through what compilers keep takes a tenth of the time
    cases = [(_run, *case) for case in _cases()] + [(_read, *case) for case in _reads()]
    # What most tests need comes first: in a new checkout they find it while pulses, which few need, are compiled.
    cases.sort(key=lambda case: "update" in case[2])
    cases += [(_fit, f"fit {name}", {}, {"response": name}) for name in ("linear", "soft_bounds", "table")]
    bits = {name: run(chip, given) for run, name, chip, given in (cases[::-1] if "reverse" in sys.argv else cases)}
    print(json.dumps({"bits": bits, "ran": [name for name, each in kernels().items() if each.overloads]}))


if __name__ == "__main__":
    main()
