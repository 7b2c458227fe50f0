"""Runs give what was recorded: bit for bit on the machine it was recorded on, to rounding elsewhere.

What is compared, where the fingerprint of the machine (:mod:`tests.recorded.machine`) is the recorded one:

- the local engine, exact and on chips: weights, moments, devices, losses, accuracies and counters bit for bit;
- the reference engine, and what is measured against it: to rounding. The order of sums in torch is not ours.

Elsewhere a multiply-add may round once or twice and BLAS adds in another order. What that does was measured by giving
this machine the BLAS and torch kernels of an old processor (OPENBLAS_CORETYPE=Nehalem ATEN_CPU_CAPABILITY=default);
distance of weights as a share of their norm, and relative error of losses:

    double precision            3e-12   5e-15
    single, sgd                 2e-7    7e-9
    single, Adam                8e-3    2e-5      a gradient that is rounding alone still moves its weight by a rate
    chips                       2e-1    1e-3      one bit tips a quantiser, a pulse or a draw: from there another run

So weights and losses are held to some ten times that (chips: losses alone). Residuals of settled states, which are
rounding themselves, digests, counters of chips, and studies are compared on the recorded machine alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests import lots
from tests.recorded import house, machine, make
from tests.recorded.cases import RESUMED, RUNS, STUDIES

DOUBLE, SGD, ADAM, CHIP = (1e-10, 1e-10), (2e-6, 1e-6), (5e-2, 2e-4), (math.inf, 0.05)
"""Distance of weights over their norm, and relative error of losses, by rounding."""
TO_TORCH = 1e-4
"""Of numbers that hold the reference engine's, relative, beside a tenth of it absolute."""


@cache
def same_machine() -> bool:
    """Tell whether bits can be expected to be the recorded ones."""
    return machine.fingerprint() == make.read("machine")


@cache
def recorded(section: str) -> dict[str, Any]:
    """Return what is recorded, by case."""
    return make.read(section)


@cache
def weights() -> dict[str, np.ndarray]:
    """Return the recorded weights by ``RUN/PARAMETER``."""
    from safetensors.numpy import load_file

    return load_file(make.HERE / "weights.safetensors")


def differences(expected: Any, found: Any, relative: float = 0.0, place: str = "") -> list[str]:
    """Return where results are not the recorded ones; what is new beside them is none of it."""
    if isinstance(expected, Mapping) and isinstance(found, Mapping):
        missing = [f"{place}.{name}: missing" for name in expected if name not in found]
        pairs = [(f"{place}.{name}", value, found[name]) for name, value in expected.items() if name in found]
    elif isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        missing, pairs = [], [(f"{place}[{i}]", *pair) for i, pair in enumerate(zip(expected, found, strict=True))]
    else:
        return [] if _equal(expected, found, relative) else [f"{place}: {expected!r} was recorded, now {found!r}"]
    return missing + [line for name, *pair in pairs for line in differences(*pair, relative, name)]


def _equal(expected: Any, found: Any, relative: float) -> bool:
    numbers = all(isinstance(value, int | float) for value in (expected, found))
    if numbers and (relative or math.isnan(expected)):
        both = math.isnan(expected) and math.isnan(found)
        return both or math.isclose(expected, found, rel_tol=relative, abs_tol=relative / 10)
    return type(expected) is type(found) and expected == found


def on_chip(name: str) -> bool:
    """Tell whether a run is on a chip."""
    return bool(RUNS[name].chip)


def rounding(name: str) -> tuple[float, float]:
    """Return what rounding may do to weights and losses of a run."""
    words = RUNS[name].arguments
    return CHIP if on_chip(name) else DOUBLE if "float64" in words else SGD if "sgd" in words else ADAM


def losses(epochs: list[Any]) -> list[Any]:
    """Return the losses of each epoch, of training and of every split evaluated."""
    splits = [{"train": epoch["train"], **epoch["evaluate"]} for epoch in epochs]
    return [{split: found["loss"] for split, found in epoch.items()} for epoch in splits]


Made = Callable[[str], tuple[Path, house.Outcome]]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Return what makes a run once for all tests of it, its folder and what it left.

    What limits learning on a chip, the longest part of so small a run, is measured in those that are resumed alone.
    """

    @cache
    def make(name: str) -> tuple[Path, house.Outcome]:
        folder = tmp_path_factory.mktemp("recorded")
        return folder, house.train(RUNS[name], folder, diagnose=name in RESUMED)

    return make


MADE = [name for name in RUNS if same_machine() or name in RESUMED or not on_chip(name) or lots.drawn(name)]
"""Elsewhere chips are other runs, of which the losses alone are compared: a third of them, and those made in parts."""


@pytest.fixture(scope="module", params=MADE)
def case(request: pytest.FixtureRequest, made: Made) -> tuple[str, house.Outcome]:
    """A run and what it left."""
    name: str = request.param
    return name, made(name)[1]


def is_exact(name: str) -> bool:
    """Tell whether a run has to give the recorded bits."""
    return same_machine() and not name.startswith("reference")


def test_weights(case):
    name, found = case
    expected = {key.partition("/")[2]: array for key, array in weights().items() if key.startswith(f"{name}/")}
    parameters = found.checkpoint.parameters
    assert parameters.keys() == expected.keys()
    for key, array in expected.items():
        assert (parameters[key].dtype, parameters[key].shape) == (array.dtype, array.shape)
        if is_exact(name):
            assert np.array_equal(parameters[key], array), key
        else:
            assert np.linalg.norm(parameters[key] - array) <= rounding(name)[0] * np.linalg.norm(array), key


def test_moments_and_devices(case):
    name, found = case
    digests = sorted(map(house.digest, found.checkpoint.state.values()))
    names, before = list(found.checkpoint.state), recorded("names")[name]
    assert len(digests) == len(before), f"tensors are {names}, and were {before}"
    if is_exact(name):
        assert digests == recorded("state")[name], f"tensors are {names}, and were {before}"


def test_losses_and_accuracies(case):
    name, found = case
    expected = recorded("results")[name]
    if is_exact(name):
        relative = TO_TORCH if "--probe" in RUNS[name].arguments else 0.0
        assert differences(expected, found.epochs, relative) == []
    elif rounding(name) == DOUBLE:
        assert differences(expected, found.epochs, DOUBLE[1]) == []
    else:
        assert differences(losses(expected), losses(found.epochs), rounding(name)[1]) == []


def test_counters(case):
    name, found = case
    if not same_machine() and (on_chip(name) or "--tolerance" in RUNS[name].arguments):
        pytest.skip("what a chip counts, and steps up to a tolerance, follow signals bit by bit")
    counts = {key: array.tolist() for key, array in found.checkpoint.counts.items()}
    assert differences(recorded("counters")[name], {"epochs": found.counters, "checkpoint": counts}) == []


@pytest.mark.parametrize("name", STUDIES)
def test_study(name, tmp_path, made):
    if not same_machine():
        pytest.skip("studies rest on runs in single precision, which are not the recorded ones on another machine")
    results, counters = house.study(name, tmp_path, made(STUDIES[name].source)[0])
    assert differences(recorded("results")[name], results, 0.0 if STUDIES[name].exact else TO_TORCH) == []
    assert differences(recorded("counters")[name], counters) == []


@pytest.mark.parametrize("name", RESUMED)
def test_a_resumed_run_leaves_the_same_bytes(name, tmp_path, made):
    """Nor does it matter that what limits learning was measured in the whole run, and not in its parts."""
    folder, whole = made(name)
    house.train(RUNS[name], tmp_path, "--epochs", "1", diagnose=False)
    parts = house.train(RUNS[name], tmp_path, "--resume", diagnose=False)
    assert parts.epochs == whole.epochs
    assert parts.counters == whole.counters
    for resumed, uninterrupted in zip(parts.checkpoint, whole.checkpoint, strict=True):
        assert {key: house.digest(array) for key, array in resumed.items()} == {
            key: house.digest(array) for key, array in uninterrupted.items()
        }
    files = [(place / "run" / "checkpoint.safetensors").read_bytes() for place in (tmp_path, folder)]
    assert files[0] == files[1]


def test_every_case_is_recorded():
    for section in ("results", "counters"):
        assert list(recorded(section)) == [*RUNS, *STUDIES]
    assert {key.partition("/")[0] for key in weights()} == RUNS.keys() == recorded("state").keys()
    assert all(Path(make.HERE / f"{section}.json").is_file() for section in (*make.SECTIONS, "machine"))


def test_a_difference_is_found():
    """The comparison can fail: one bit of one number, a missing one, another kind."""
    table = {"a": [1.0, {"b": 2}]}
    assert differences(table, {"a": [1.0, {"b": 2, "new": 3}]}) == []
    assert differences(table, {"a": [np.nextafter(1.0, 2.0).item(), {"b": 2}]}) != []
    assert differences(table, {"a": [1.0, {}]}) == [".a[1].b: missing"]
    assert differences(table, {"a": [1.0, {"b": 2.0}]}) != []
    assert differences(table, {"a": [1.001, {"b": 2}]}, 1e-4) != []
    assert house.digest(np.zeros(2, np.float32)) != house.digest(np.array([0.0, -0.0], np.float32))
