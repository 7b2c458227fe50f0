"""Units and read voltages that stand elsewhere than behind a name; each is read, or asked for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hw_models.errors import ChipError
from hw_models.measured import units
from hw_models.measured.programming_error import fit_programming
from hw_models.measured.pulse_tables import read_curves
from hw_models.measured.tables import MeasuredTable, kind_of, read_table

G = np.concatenate([np.linspace(5, 20, 16), np.linspace(19, 5, 15)])
WAYS = [0] + [1] * 15 + [-1] * 15
"""Conductances of one device [uS], and the pulses ahead of them."""


def table(path: Path, *lines: str) -> MeasuredTable:
    """Write a file and read it."""
    (path / "a.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return read_table(path / "a.csv")


def refusal(path: Path, *lines: str) -> str:
    """Return what is said of a file of these lines."""
    with pytest.raises(ChipError) as raised:
        found = table(path, *lines)
        read_curves(found) if kind_of(found) == "pulses" else found.numbers("conductance")
    assert "\n" not in str(raised.value)
    return str(raised.value)


def rows(*columns: object, text: str = ",") -> list[str]:
    """Return rows of the pulses and other columns, a number or a text for all rows or one of each."""
    several = [np.broadcast_to(np.array(one, dtype=object), len(G)) for one in columns]
    return [text.join(map(str, row)) for row in zip(WAYS, *several, strict=True)]


@pytest.mark.parametrize(
    ("title", "factor"),
    [
        ("I_read (nA) @0.1V", 100), ("I_read@0.1V (uA)", 0.1), ("Current at 200 mV [uA]", 0.2), ("G (uS) @ 0.1 V", 1),
        ("I (A) @ Vread = 0,5 V", 0.5e-6), ("G (1e-9 S)", 1e3), ("G [10^-6 S]", 1), ("G (10\u207b\u2076 S)", 1),
        ("G (uA/V)", 1), ("G (mho)", 1e-6),
    ],
)  # fmt: skip
def test_titles_with_a_read_voltage_or_a_power_of_ten(title: str, factor: float, tmp_path: Path) -> None:
    found = table(tmp_path, f'pulse,"{title}"', *rows(factor * G))
    assert kind_of(found) == "pulses"
    assert read_curves(found).conductance[0] == pytest.approx(G)


def test_units_in_powers_and_words() -> None:
    told = {"1e-9 A": "nA", "10^3 Ohm": "kOhm", "x10-6 S": "uS", "1e-4 S": "1e-4 S", "sec.": "s", "A/V": "S"}
    assert {text: units.plain(text) for text in told} == told


def test_a_column_of_units(tmp_path: Path) -> None:
    """Nanosiemens counted as microsiemens, and of two units the second as the first."""
    found = table(tmp_path, "pulse,conductance,unit", *rows(1e3 * G, "nS"))
    assert read_curves(found).conductance[0] == pytest.approx(G)
    assert found.notes[-1] == "Column 'unit' has the unit of conductance: nS."
    mixed = rows([1e3 * g if n % 2 else g for n, g in enumerate(G)], ["nS" if n % 2 else "uS" for n in range(len(G))])
    assert "line 3: 'nS' of column 'unit' follows 'uS': units are mixed" in refusal(
        tmp_path, "pulse,conductance,unit", *mixed
    )
    said = refusal(tmp_path, "pulse,conductance [uS],unit", *rows(G, "nS"))
    assert "units are mixed: column 'conductance [uS]' beside 'nS' in column 'unit'" in said
    lines = [f"{n + 1},h,{g}" for n, g in enumerate(G)]
    assert table(tmp_path, "time,time unit,G (uS)", *lines).numbers("time")[1] == 7200


@pytest.mark.parametrize("line", ["# conductance in nS", "Units: nS", "# G [nS], W3", "% unit of G: nS"])
def test_a_unit_ahead_of_the_header_is_asked_for(line: str, tmp_path: Path) -> None:
    """It was passed over, and every number of the chip was wrong by a thousand."""
    said = refusal(tmp_path, line, "pulse,conductance", *rows(10 * G))
    assert "line 1 names 'nS', and column 'conductance' has no unit: write it into the header" in said
    assert read_curves(table(tmp_path, line, "pulse,G (nS)", *rows(1e3 * G))).conductance[0] == pytest.approx(G)


def test_words_ahead_that_are_no_unit_are_none(tmp_path: Path) -> None:
    for line in ("# measured in May at 25 C", "# sample S, run A (h2)", "# pulses of 100 ns (1.2 V)"):
        assert read_curves(table(tmp_path, line, "pulse,conductance", *rows(G))).conductance[0] == pytest.approx(G)


@pytest.mark.parametrize(
    ("head", "factor", "line"),
    [
        ("pulse,R", 0, "column 'R' has no unit and begins at 50: 'resistance [kOhm]' or 'resistance [Ohm]'?"),
        ("pulse,G", 1e3, "column 'G' has no unit and reaches 2e+04: name it 'g [nS]' or 'g [uS]'?"),
        ("pulse,G (S)", 1, "column 'G (S)' is 12 S in the middle: is the unit right?"),
        ("pulse,I,Vread (V)", 100, "column 'I' has no unit, and as uA makes 2e+04 uS: 'current [nA]' or"),
        ("pulse,I (uA),Vread", 0.01, "column 'Vread' has no unit and reaches 10: 'read voltage [mV]' or"),
    ],
)
def test_sizes_that_no_device_has_ask_for_a_unit(head: str, factor: float, line: str, tmp_path: Path) -> None:
    """Each was off by a factor of a thousand or more, most of them without a word."""
    columns = [factor * G if factor else 1e3 / G]
    if "Vread" in head:
        columns.append(np.full(len(G), 0.1 if "(V)" in head else 10))
    assert line in refusal(tmp_path, head, *rows(*columns))


def test_resistances_without_a_unit_say_so(tmp_path: Path) -> None:
    found = table(tmp_path, "pulse,R", *rows(1e6 / G))
    assert read_curves(found).conductance[0] == pytest.approx(G)
    assert "Resistances have no unit and count as Ohm." in found.notes


def test_headers_in_comments(tmp_path: Path) -> None:
    """As numpy.savetxt writes them; targets and what was achieved were curves of pulses up and down."""
    lines = [f"{way:.6e} {g:.6e}" for way, g in zip(WAYS, G, strict=True)]
    found = table(tmp_path, "# made by savetxt", "# pulse G_uS", *lines)
    assert read_curves(found).conductance[0] == pytest.approx(G)
    assert np.sign(read_curves(found).pulses[0, 1:]).tolist() == WAYS[1:]
    draw = np.random.default_rng(0).normal
    pairs = [f"{g:.4f},{g + 0.3 * draw():.4f}" for g in np.random.default_rng(1).permutation(G)]
    assert kind_of(table(tmp_path, "# target [uS],achieved [uS]", *pairs)) == "programming"
    lines = [f"{d},{way},{g + d}" for d in (0, 1) for way, g in zip(WAYS, G, strict=True)]
    assert read_curves(table(tmp_path, "% device,pulse,G (uS)", *lines)).devices == 2


def test_targets_and_what_was_achieved_in_other_units(tmp_path: Path) -> None:
    draw, target = np.random.default_rng(0).normal(0, 0.2, 40), np.repeat(np.linspace(1, 10, 10), 4)
    for other in (100 * target, target / 2.5):
        lines = [f"{a:.4f},{b:.4f}" for a, b in zip(target, other + draw, strict=True)]
        with pytest.raises(ChipError, match="are both in one unit, and are targets no numbers of levels"):
            fit_programming(table(tmp_path, "target,achieved", *lines))
    lines = [f"{t},{k},{t + 3 - k + z:.4f}" for t in np.linspace(2, 20, 20) for k, z in enumerate(draw[:4])]
    with pytest.raises(ChipError, match="column 'iteration' counts the tries of a write: keep its last row alone"):
        fit_programming(table(tmp_path, "target (uS),iteration,achieved (uS)", *lines))


def test_currents_at_one_voltage_are_conductances(tmp_path: Path) -> None:
    """A series of a B1500 at a constant voltage was a sweep of one voltage."""
    lines = [f"{n + 1},0.1,{g * 1e-7:.6e}" for n, g in enumerate(G)]
    found = table(tmp_path, "Time,V,I (A)", *lines)
    assert kind_of(found) == "retention" and found.numbers("conductance") == pytest.approx(G)


def test_swept_currents_are_asked_after(tmp_path: Path) -> None:
    volts = np.linspace(-1, 1, 21)
    lines = [f"{v:.4f},{9 * v + v**3:.6f}" for v in volts]
    assert kind_of(table(tmp_path, "V (V),I (uA)", *lines)) == "iv"
    with pytest.raises(ChipError, match=r"are the columns swapped\? Sweeps of currents take kind='iv'"):
        kind_of(table(tmp_path, "I (uA),V (V)", *lines))
    assert kind_of(table(tmp_path, "I (uA),V (V)", *lines), "iv") == "iv"
