"""docs/reference_error.py: each training is a run that can be, alike but for rule, error and seed; its table.

And the order of the rules by what docs/reference_signal.py measures.
"""

from __future__ import annotations

import importlib.util
import itertools
from pathlib import Path
from types import ModuleType

import pytest

from neuroep.runs import config, overrides

DOCS = Path(__file__).parents[1] / "docs"


def loaded(name: str) -> ModuleType:
    """Return a script."""
    spec = importlib.util.spec_from_file_location(name, DOCS / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def script() -> ModuleType:
    """Return the script of the trainings."""
    return loaded("reference_error")


def test_every_training_is_a_run(script: ModuleType) -> None:
    cases = list(script.cases((*script.CEILINGS, *script.RULES)))
    assert len(set(cases)) == len(cases) == 5 * (6 * 5 + 2)
    for rule, mean, spread, seed in cases:
        if seed == 0:
            words = overrides.split(script.arguments(script.settings(rule, mean, spread)), {})[1]
            found = config.load(DOCS.parent / script.CONFIG, words)
            assert (found.chip is None) == (rule == "exact")
            if rule in script.RULES:
                own = found.chip.update.transfer
                assert (own.reference_mean, own.reference_spread) == (mean, spread)


def test_settings_are_the_same_for_all_rules_and_errors(script: ModuleType) -> None:
    """No rate is chosen for a point of the curve."""
    own = ("chip.update.scheme", "chip.update.transfer.reference_mean", "chip.update.transfer.reference_spread")
    chosen = set()
    for rule, error in itertools.product(script.RULES, script.ERRORS):
        shared = script.settings(rule, *error)
        assert all(shared.pop(name) is not None for name in own)
        chosen.add(tuple(shared.items()))
    assert len(chosen) == 1


def test_rows_become_a_table(script: ModuleType) -> None:
    found = [{"case": ["agad", *error, seed], "accuracy": 90.0 + seed} for error in script.ERRORS for seed in (0, 2)]
    found.append({"case": ["exact", *script.ERRORS[0], 0], "accuracy": 97.04})
    lines = list(script.table(found))
    assert lines[2].startswith("| AGAD | 91.0 +- 1.4 (n = 2) |") and lines[2].endswith("| 92.6 -> 90.4 |")
    assert lines[3] == "| exact | 97.0 (n = 1) | | | | | | |"
    assert {line.count("|") for line in lines} == {len(script.ERRORS) + 3}


def test_what_reaches_the_weights_is_clearest_as_published() -> None:
    """Noise of 4096 weights is known to 1/64, so 0.05 between two rules is 3 sigma."""
    signal = loaded("reference_signal")
    small, large = ({rule: signal.clarity(rule, *error, 0) for rule in signal.RULES} for error in signal.ERRORS)
    assert large["tiki_taka_v2"] < 0.1 < large["chopped"] < large["agad"] < large["e_rider"]
    assert large["e_rider"] > 0.9 * small["e_rider"] and large["agad"] > 0.9 * small["agad"]
    assert small["tiki_taka_v2"] < small["agad"] < small["e_rider"]
