"""Traces from CSV and NPZ; what is wrong with a file is one line with its number."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hw_models import load
from hw_models.errors import ChipError
from hw_models.measured.files import chip_of, read_traces, save_fit, summary
from hw_models.measured.fit import ResponseFit, fit_response
from hw_models.measured.traces import traces
from tests.naive.traces import measure

WAY = ([1] * 15 + [-1] * 15) * 2


def table(header: str = "device,pulse,conductance", scale: float = 1.0) -> list[str]:
    """Return the lines of a file of one device."""
    lines, g = [header, f"a,0,{10 * scale!r}"], 10.0
    for sign in WAY:
        g += sign
        lines.append(f"a,{sign},{g * scale!r}")
    return lines


def written(tmp_path: Path, lines: list[str]) -> Path:
    path = tmp_path / "traces.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("header", "scale"), [("device,pulse,conductance", 1.0), ("Device, Pulse, Conductance [S]", 1e-6),
                          ("device,pulse,conductance [nS]", 1e3)],
)  # fmt: skip
def test_csv_in_its_unit(tmp_path: Path, header: str, scale: float) -> None:
    found = read_traces(written(tmp_path, table(header, scale)))
    assert found.names == ("a",)
    assert found.conductance[0] == pytest.approx(10 + np.concatenate([[0], np.cumsum(WAY)]))
    assert found.direction[0].tolist() == WAY


@pytest.mark.parametrize("name", ["conductance (uS)", "Conductance [\N{MICRO SIGN}S]", "conductance [\u03bcS]"])
def test_other_forms_of_a_unit(tmp_path: Path, name: str) -> None:
    assert read_traces(written(tmp_path, table(f"device,pulse,{name}"))).conductance[0, 0] == 10


@pytest.mark.parametrize("parted", [";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_columns_parted_as_spreadsheets_do(tmp_path: Path, parted: str, encoding: str) -> None:
    """With decimal commas, as they are written where commas part no columns."""
    path = tmp_path / "traces.csv"
    text = "\r\n".join(table("device,pulse,conductance [mS]", scale=1e-3)).replace(",", parted).replace(".", ",")
    path.write_bytes(text.encode(encoding))
    found = read_traces(path)
    assert found.conductance[0] == pytest.approx(10 + np.concatenate([[0], np.cumsum(WAY)]))


def test_devices_in_turn_words_and_other_columns(tmp_path: Path) -> None:
    lines = ["reading,device,note,pulse,conductance"]
    for number, row in enumerate(table()[1:]):
        _, sign, g = row.split(",")
        word = {"0": "", "1": "up", "-1": "Down"}[sign]
        lines += [f"{number},a,x,{word},{g}", "", f"{number},b,y,{sign},{float(g) + 1}"]
    found = read_traces(written(tmp_path, lines[:-20]))
    assert found.names == ("a", "b")
    assert found.conductance[1, :50] == pytest.approx(found.conductance[0, :50] + 1)
    assert found.direction[0, :50].tolist() == WAY[:50]


def replaced(number: int, row: str) -> list[str]:
    """Return the table with one line (from 1) changed."""
    lines = table()
    lines[number - 1] = row
    return lines


@pytest.mark.parametrize(
    ("lines", "line"),
    [
        (replaced(1, "device,pulse,conductanc"), "line 1: column 'conductance' is missing; .*mean 'conductanc'"),
        (replaced(1, "device,device,conductance"), "line 1: column 'device' is there 2 times"),
        (replaced(1, "device,pulse,conductance [kS]"), "line 1: unknown unit 'kS': allowed are uS, S, mS, nS"),
        (replaced(5, "a,1"), "line 5 has 2 columns, the header has 3"),
        (replaced(5, "a,2,13"), "line 5: pulse '2' of device 'a': allowed are 1 or up, -1 or down$"),
        (replaced(5, "a,0,13"), "line 5: pulse '0' of device 'a': allowed are 1 or up, -1 or down$"),
        (replaced(2, "a,x,13"), "line 2: pulse 'x' of device 'a': allowed are 1 or up, -1 or down, 0 for none"),
        (replaced(5, "a,1,nan"), "line 5: conductance 'nan': a finite number is needed"),
        (replaced(5, "a,1,1 3"), "line 5: conductance '1 3': a finite number is needed"),
        (replaced(5, "a,1,1_3"), "line 5: conductance '1_3': a finite number is needed"),
        (replaced(5, 'a,1,"13,0"'), "line 5: conductance '13,0': a finite number is needed"),
        (replaced(20, "a,1,9e5"), r"conductance of device 'a', reading 18: 900000, .* are 11 to 24: a glitch"),
        ([*table(), "b,0,10"], "line 63: device 'b' has one reading: two or more are needed"),
        (table()[:17], "direction holds 15 pulses up: at least 20 either way are needed"),
        (replaced(5, 'a,1,"13'), r"line \d+: unexpected end of data"),
        (table()[:1], "it holds no readings"),
        ([""], "line 1: column 'device' is missing"),
    ],
)
def test_what_is_wrong_is_one_line_with_its_number(tmp_path: Path, lines: list[str], line: str) -> None:
    path = written(tmp_path, lines)
    with pytest.raises(ChipError, match=rf"^traces '.*traces\.csv': {line}") as caught:
        read_traces(path)
    assert "\n" not in str(caught.value)


def test_readings_have_to_rise(tmp_path: Path) -> None:
    lines = [f"{row},{'reading' if number == 0 else number}" for number, row in enumerate(table())]
    assert read_traces(written(tmp_path, lines)).pulses == 60
    lines[8], lines[9] = lines[9], lines[8]
    with pytest.raises(ChipError, match="line 9: reading 9 of device 'a' follows 7: rows are missing, and every pulse"):
        read_traces(written(tmp_path, lines))
    with pytest.raises(ChipError, match="line 9: reading 7 of device 'a' follows 7: sort it"):
        read_traces(written(tmp_path, [*lines[:8], lines[7], *lines[8:]]))


def test_numbers_of_rows_of_devices_in_turn(tmp_path: Path) -> None:
    """Each row has its number, so those of a device rise by 2, and by 1 where the other has ended."""
    lines, number = ["row,device,pulse,conductance".replace("row", "reading")], 0
    for place, row in enumerate(table()[1:]):
        for name in "ab" if place < 50 else "a":
            lines.append(f"{number},{name}{row[1:]}")
            number += 1
    assert read_traces(written(tmp_path, lines)).lengths().tolist() == [61, 50]


def test_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(ChipError, match=r"traces 'x\.txt': a file named \.csv or \.npz is needed"):
        read_traces("x.txt")
    with pytest.raises(ChipError, match=r"cannot read traces '.*none\.csv': No such file"):
        read_traces(tmp_path / "none.csv")
    (tmp_path / "a.npz").write_bytes(b"no archive")
    with pytest.raises(ChipError, match="it is no NPZ of plain arrays"):
        read_traces(tmp_path / "a.npz")
    for text in (b"device,pulse,conductance\na,0,\xff\n", b"\xff\xfe\x00\xd8\x00", b"\x89PNG\r\n"):
        (tmp_path / "b.csv").write_bytes(text)
        with pytest.raises(ChipError, match=r"b\.csv': it is no UTF-8 text$"):
            read_traces(tmp_path / "b.csv")
    np.save(tmp_path / "c.npy", np.ones(3))
    (tmp_path / "c.npy").rename(tmp_path / "c.npz")
    with pytest.raises(ChipError, match=r"c\.npz': it is no NPZ of plain arrays: one array alone"):
        read_traces(tmp_path / "c.npz")


def test_npz(tmp_path: Path) -> None:
    g = 10 + np.concatenate([[0], np.cumsum(WAY)])
    np.savez(tmp_path / "a.npz", conductance=g * 1e-6, direction=WAY, unit="S")
    assert read_traces(tmp_path / "a.npz").conductance[0] == pytest.approx(g)
    np.savez(tmp_path / "b.npz", conductances=g, direction=WAY)
    with pytest.raises(ChipError, match=r"array 'conductance' is missing: .*did you mean 'conductances'"):
        read_traces(tmp_path / "b.npz")
    np.savez(tmp_path / "c.npz", conductance=np.array([{}], dtype=object), direction=WAY)
    with pytest.raises(ChipError, match="it is no NPZ of plain arrays"):
        read_traces(tmp_path / "c.npz")


@pytest.fixture(scope="module")
def fitted() -> ResponseFit:
    g, way = measure("soft_bounds", 3, devices=10, pulses=60, cycles=3, dw_min=0.08, noise=0.3, reading=0.2)
    return fit_response(g, way)


def test_a_chip_is_read_as_it_was_fitted(fitted: ResponseFit, tmp_path: Path) -> None:
    chip = save_fit(fitted, tmp_path / "mine.toml", "traces.csv")
    again = load(str(tmp_path / "mine.toml"))
    assert again == chip == chip_of(fitted, "mine", "traces.csv")
    assert again.device.pulse == fitted.pulse
    assert again.device.g_max == pytest.approx(fitted.g_max, rel=1e-4)
    assert again.update.scheme == "pulsed"
    text = (tmp_path / "mine.toml").read_text(encoding="utf-8")
    assert "# Response to pulses: 10 devices, 3600 pulses from traces.csv." in text
    assert "# dw_min" in text and " +- " in text


def test_names_of_devices_that_would_spoil_the_chip(tmp_path: Path) -> None:
    """A control character in a comment is no TOML."""
    g, way = measure("soft_bounds", 3, devices=10, pulses=60, cycles=3, dw_min=0.08, noise=0.3, reading=0.2)
    g[0] = 12 + 0.01 * np.random.default_rng(0).normal(size=g.shape[1])
    odd = traces(g, way, ("a\x1b[31m\n[device]\x0bb", *map(str, range(9))))
    save_fit(fit_response(odd), tmp_path / "odd.toml", "tra\x1bces.csv")
    assert load(str(tmp_path / "odd.toml")).device.pulse.corrupt == pytest.approx(0.1)
    text = (tmp_path / "odd.toml").read_text(encoding="utf-8")
    assert r"corrupt: a\x1b[31m\n[device]\x0bb." in text
    assert "\x1b" not in text


def test_a_chip_needs_its_ending_and_a_place(fitted: ResponseFit, tmp_path: Path) -> None:
    with pytest.raises(ChipError, match=r"chip '.*mine\.csv': a file named \.toml is needed"):
        save_fit(fitted, tmp_path / "mine.csv")
    with pytest.raises(ChipError, match="cannot write chip"):
        save_fit(fitted, tmp_path / "nowhere" / "mine.toml")


def test_the_summary_names_all(fitted: ResponseFit) -> None:
    text = summary(fitted)
    for name in ("dw_min", "up_down", "noise", "reading", "g_max", "soft_bounds", "constant"):
        assert f"\n{name} " in text
    rows = [line for line in text.splitlines() if line[:4].strip().replace(".", "").isdigit()]
    assert len(rows) == len(fitted.states)
