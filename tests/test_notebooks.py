"""Every notebook runs whole, in its fast mode, and shows what it says; its page holds all of its cells."""

from __future__ import annotations

import runpy
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from site_pages import notebooks

Names = Mapping[str, Any]
"""What the cells of a notebook leave behind."""


@pytest.fixture
def ran(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[[str], Names]:
    """Return a function that runs a notebook in a folder of its own."""
    monkeypatch.setenv("NEUROEP_FAST", "1")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.chdir(tmp_path)

    def run(name: str) -> Names:
        found = runpy.run_path(str(notebooks.FOLDER / f"{name}.py"))
        drawn = tmp_path / "runs" / "notebooks" / f"{name}.png"
        assert drawn.read_bytes().startswith(b"\x89PNG")
        assert found["FAST"]
        assert f"picture: runs/notebooks/{name}.png\n" in capsys.readouterr().out
        return found

    return run


def test_mismatch_takes_accuracy_and_none_takes_nothing(ran: Callable[[str], Names]) -> None:
    found = ran("first_chip")
    accuracy = {row["chip.device.mismatch"]: row["accuracy"] for row in found["sweep"].rows}
    assert found["exact"].accuracy > 0.8
    assert accuracy[0.0] > accuracy[0.5] + 0.1
    assert abs(accuracy[0.0] - found["exact"].accuracy) < 0.1, "200 samples of 1000"
    assert found["found"].accuracy < found["exact"].accuracy + 0.02


def test_the_fit_finds_the_truth(ran: Callable[[str], Names]) -> None:
    found = ran("measured_device")
    assert all(found["within"].values()) and len(found["within"]) == 4
    assert found["found"].chip.device.pulse.response == "soft_bounds"
    assert found["record"]["counters"]["pulses"] > 0


def test_what_differs_between_the_phases_hides_the_gradient(ran: Callable[[str], Names]) -> None:
    found = ran("between_phases")
    frozen, anew = found["courses"].values()
    assert min(frozen) > 0.99, "what is the same in both phases drops out"
    assert anew[0] > 0.9 and anew[-1] < frozen[-1] - 0.2
    assert found["sagging"] < 0.95 < 0.999 < found["mirrored"], "an order takes away what is linear in time"


def test_digital_memory_sends_the_fewest_pulses(ran: Callable[[str], Names]) -> None:
    found = ran("in_memory_rules")
    pulses = found["pulses"]
    assert tuple(pulses) == found["RULES"] and all(pulses.values())
    assert pulses["mixed_precision"] < 0.5 * pulses["pulsed"] < 0.5 * min(pulses["tiki_taka"], pulses["agad"])


def test_parts_add_up_and_bits_cost(ran: Callable[[str], Names]) -> None:
    found = ran("energy")
    bill, bills = found["bill"], found["bills"]
    assert sum(bill.by_part().values()) == pytest.approx(bill.energy)
    assert max(bill.by_part(), key=bill.by_part().get) == "ADC"
    few, many = bills["4 bits"], bills["8 bits"]
    assert few["by_part"]["ADC"] < many["by_part"]["ADC"] and few["energy"] < many["energy"]
    assert few["by_part"]["cells"] == pytest.approx(many["by_part"]["cells"], rel=0.1), "devices draw what they draw"


def test_every_script_is_a_page_with_all_of_its_cells() -> None:
    assert {path.stem for path in notebooks.FOLDER.glob("*.py")} == set(notebooks.NOTEBOOKS)
    for name in notebooks.NOTEBOOKS:
        first = next(notebooks.cells(notebooks.source(name)))[1]
        assert f"NEUROEP_FAST=1 python examples/notebooks/{name}.py" in first and f"runs/notebooks/{name}.png" in first
        kinds = [told for told, _ in notebooks.cells(notebooks.source(name))]
        page = notebooks.page(name)
        assert kinds[0] and kinds[-1] and page.count("```python\n") == kinds.count(False)
        assert page.count(f"{{figure}} ../pictures/{notebooks.PREFIX}{name}.png") == 1
        assert "## What to expect" in page and "## What to try next" in page


def test_cells_are_told_apart() -> None:
    script = '# %% [markdown]\n# # Head\n#\n# Text of `# %%`.\n\n# %%\nx = 1\n# a comment\n\n# %%\nprint("# %%")\n'
    expected = [(True, "# Head\n\nText of `# %%`."), (False, "x = 1\n# a comment"), (False, 'print("# %%")')]
    assert list(notebooks.cells(script)) == expected
