"""Pulse curves from the forms of tables in which they are found."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hw_models.errors import ChipError
from hw_models.measured.curves import ANEW, Curves
from hw_models.measured.pulse_tables import read_curves, read_npz
from hw_models.measured.tables import read_table

UP, DOWN = [2.0, 4.0, 5.5, 6.5], [6.5, 5.0, 3.5, 2.5]


def read(folder: Path, *lines: str) -> Curves:
    """Write a table and read its curves."""
    path = folder / "a.csv"
    path.write_text("\n".join(lines), encoding="utf-8")
    return read_curves(read_table(path))


def test_a_row_for_each_pulse(tmp_path: Path) -> None:
    rows = ["a,0,2", "b,,1", "a,1,4", "b,up,1.5", "a,-1,3.5", "b,DOWN,1.2", "a,0,3.6"]
    found = read(tmp_path, "device,pulse,conductance [nS]", *rows)
    assert found.names == ("a", "b")
    assert found.pulses.tolist() == [[ANEW, 1, -1, 0], [ANEW, 1, -1, ANEW]]
    assert found.conductance[0] == pytest.approx([0.002, 0.004, 0.0035, 0.0036])
    assert np.isnan(found.conductance[1, 3])


def test_numbers_of_pulses_and_a_direction(tmp_path: Path) -> None:
    rows = [f"{c},{k},{word},{g}" for c in (1, 2) for word, gs in (("P", UP), ("D", DOWN)) for k, g in enumerate(gs)]
    found = read(tmp_path, "cycle,Pulse_Number,type,g [uS]", *rows)
    assert found.pulses[0].tolist() == 2 * [ANEW, 1, 1, 1, ANEW, -1, -1, -1]
    assert found.cycle[0].tolist() == [0] * 8 + [1] * 8
    # A branch that begins with pulse 1 goes on from the reading before.
    rows = [f"{k},{word},{g}" for word, gs in (("set", UP), ("reset", DOWN)) for k, g in enumerate(gs, 1)]
    assert read(tmp_path, "n,direction,g", *rows).pulses[0].tolist() == [ANEW, 1, 1, 1, -1, -1, -1, -1]
    rows = ["0,up,2", "2.1,up,4", "4.8,up,6"]
    assert read(tmp_path, "n,direction,g", *rows).pulses[0].tolist() == [ANEW, 2, 3]


def test_both_curves_beside_each_other_as_neurosim_has_them(tmp_path: Path) -> None:
    rows = [f"{k},{a}e-9,{b}e-9" for k, a, b in zip((0, 1, 3, 4), UP, DOWN, strict=True)]
    found = read(tmp_path, "pulse number,LTP,LTD", *rows)
    assert found.pulses[0].tolist() == [ANEW, 1, 2, 1, ANEW, -1, -2, -1]
    assert found.conductance[0, :4] == pytest.approx(np.array(UP) * 1e-3)
    assert "count as siemens" in found.notes[0]
    turned = read(tmp_path, "pulse number,LTP [S],LTD [S]", *(
        f"{k},{a}e-9,{b}e-9" for k, a, b in zip((0, 1, 3, 4), UP, DOWN[::-1], strict=True)
    ))  # fmt: skip
    assert turned.conductance[0, 4:] == pytest.approx(np.array(DOWN) * 1e-3)
    assert turned.pulses[0].tolist() == [ANEW, 1, 2, 1, ANEW, -1, -2, -1]
    assert "read from its end, as NeuroSim counts LTD" in turned.notes[0]


def test_two_columns_as_aihwkit_has_them(tmp_path: Path) -> None:
    found = read(tmp_path, "-0.8,0.7", "-0.1,0.1", "0.4,-0.3", "0.7,-0.8")
    assert found.pulses[0].tolist() == [ANEW, 1, 1, 1, ANEW, -1, -1, -1]
    assert found.conductance[0, [0, 3, 4, 7]] == pytest.approx([0, 25, 25, 0])
    assert "count as shares of the range, -0.8 to 0.7" in found.notes[0]
    found = read(tmp_path, "up_pulse,down_pulse", "2,6", "4,5", "5,")
    assert found.conductance[0] == pytest.approx([2, 4, 5, 6, 5])
    assert found.notes == ("Conductances have no unit and count as uS.",)


@pytest.mark.parametrize(
    ("lines", "line"),
    [
        (["device,pulse,g", "a,0,2", "a,3,4"], "line 3: pulse '3' of device 'a': allowed are 1 or up, -1 or down"),
        (["device,pulse,g", "a,0,2"], "device 'a' has 1 reading: two or more"),
        (["device,pulse,g,reading", "a,0,2,0", "a,1,3,2"], "line 3: reading 2 of device 'a' follows 0"),
        (["device,pulse,g,reading", "a,0,2,1", "a,1,3,0"], "line 3: reading 0 of device 'a' follows 1: sort it"),
        (["n,direction,g", "0,up,2", "1,across,3"], "line 3: direction 'across': allowed are up or down, LTP or LTD"),
        (["n,direction,g", "0,up,2", "1,up,3", "1,up,4"], "line 4: pulse number 1 of device '0' is there twice"),
        (["n,up,down", "0,2,6", "2,4,5", "1,6,4"], "line 4: pulse numbers fall: sort the rows"),
        (["n,up,down", "0,6,2", "1,5,4", "2,4,5"], "column up falls on the whole: are the columns swapped"),
        (["up,down", "2,2", "4,4", "5,5"], "column down rises on the whole: are the columns swapped"),
        (["n,up,down", "0,6,nan", "1,5,4", "2,4,5"], "line 2: down 'nan': a finite number is needed"),
    ],
)
def test_rows_that_cannot_be(tmp_path: Path, lines: list[str], line: str) -> None:
    with pytest.raises(ChipError, match=line) as raised:
        read(tmp_path, *lines)
    assert "\n" not in str(raised.value)


def test_arrays(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, conductance=np.array([[1.0, 2.0, 1.5]]), direction=np.array([1, -1]), unit="mS")
    found = read_npz(path)
    assert found.conductance.tolist() == [[1000.0, 2000.0, 1500.0]]
    assert found.pulses.tolist() == [[ANEW, 1, -1]]
    np.savez(path, conductance=np.ones(3), directions=np.ones(2))
    with pytest.raises(ChipError, match="array 'direction' is missing: there are conductance, directions"):
        read_npz(path)
    np.savez(path, conductance=np.ones(3), direction=np.ones(2), unit="pS")
    with pytest.raises(ChipError, match="unknown unit 'pS'"):
        read_npz(path)
    path.write_bytes(b"no archive")
    with pytest.raises(ChipError, match="it is no NPZ of plain arrays"):
        read_npz(path)
    with pytest.raises(ChipError, match="cannot read"):
        read_npz(tmp_path / "none.npz")


@pytest.mark.parametrize(
    ("header", "rows", "line"),
    [
        ("number,direction,g", ["1,up,5", "3,up,7", "2,up,6", "4,up,8"], "line 4: pulse number 2 .* follows 3: sort"),
        ("cycle,number,direction,g", ["0,1,up,5", "1,1,up,5", "0,1,down,7"], "line 4: cycle '0' .* behind cycle '1'"),
        ("number,LTP,LTD", ["1,5,9", "1,6,8", "2,7,7"], "line 3: pulse number 1 of device '0' is there twice"),
        ("number,direction,g", ["0,down,5", "2e6,down,6"], "2000000 pulses lie between two readings, fewer"),
    ],
)
def test_rows_out_of_order_begin_no_curve_of_their_own(
    tmp_path: Path, header: str, rows: list[str], line: str
) -> None:
    """They were taken as readings that start anew, and what pulses did before them was left out without a word."""
    with pytest.raises(ChipError, match=line):
        read(tmp_path, header, *rows)


def test_cycles_of_devices_may_have_numbers_in_any_order(tmp_path: Path) -> None:
    rows = [f"{d},{c},{k},up,{5 + k}" for d, own in (("a", (2, 3)), ("b", (1, 2))) for c in own for k in (0, 1)]
    assert read(tmp_path, "device,cycle,number,direction,g", *rows).pulses.tolist() == 2 * [[ANEW, 1, ANEW, 1]]


@pytest.mark.parametrize("header", ["device,cycle,number,direction,g", "device,cycle,reading,pulse,g"])
def test_a_cycle_behind_one_that_was_not_recorded_begins_anew(tmp_path: Path, header: str) -> None:
    """Pulses between cycles 1 and 10 were none: steps came out 10 % too large where devices had moved between them."""
    rows = [f"a,{c},{n},{'up' if n < 3 else 'down'},{5 + 3 * c + n}" for c in (1, 2, 10) for n in (1, 2, 3, 4)]
    rows = rows if "number" in header else [f"a,{c},{4 * k + n},{way},{5 + n}" for k, c in enumerate((1, 2, 10))
                                            for n, way in enumerate((1, 1, -1, -1))]  # fmt: skip
    starts = [k for k, count in enumerate(read(tmp_path, header, *rows).pulses[0]) if count == ANEW]
    assert {0, 8} <= set(starts) and 4 not in starts


@pytest.mark.parametrize(
    ("titles", "names"),
    [
        ("D1 up (nS),D1 down (nS),D2 up (nS),D2 down (nS)", ("d1", "d2")),
        ("LTP R1C2 (nS),LTD R1C2 (nS),LTP R2C2 (nS),LTD R2C2 (nS)", ("r1c2", "r2c2")),
        ("cell 1 LTP (nS),cell 1 LTD (nS),cell 2 LTP (nS),cell 2 LTD (nS)", ("1", "2")),
    ],
)
def test_both_branches_of_devices_beside_each_other(tmp_path: Path, titles: str, names: tuple[str, ...]) -> None:
    """Each branch was a device, and its counter of pulses was refused as a pulse of 2."""
    rows = [f"{k},{u},{v},{u + 1},{v + 1}" for k, (u, v) in enumerate(zip(UP, DOWN, strict=True), 1)]
    found = read(tmp_path, f"pulse,{titles}", *rows)
    assert found.names == names and found.count(1) == found.count(-1) == 6


@pytest.mark.parametrize("titles", ["Pulse #,Conductance LTP (S),Conductance LTD (S)", "n,Gup (S),Gdown (S)",
                                    "Number of pulses,G_pot (S),G_dep (S)"])  # fmt: skip
def test_names_of_branches(tmp_path: Path, titles: str) -> None:
    rows = [f"{k},{u}e-6,{v}e-6" for k, (u, v) in enumerate(zip(UP, DOWN, strict=True), 1)]
    assert read(tmp_path, titles, *rows).conductance[0].tolist() == pytest.approx([*UP, *DOWN])
