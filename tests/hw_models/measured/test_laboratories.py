"""Files as laboratories have them: analysers, locales, spreadsheets; each loads right, or one line says why not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from hw_models.errors import ChipError
from hw_models.measured.pulse_tables import read_curves
from hw_models.measured.retention_fit import fit_retention
from hw_models.measured.tables import MeasuredTable, kind_of, passed_over, read_table

DEVICES, PULSES = 3, 12
G = np.array(
    [[[4 + 0.3 * d + 0.7 * k for k in range(PULSES)], [12 + 0.3 * d - 0.7 * k for k in range(PULSES)]]
     for d in range(DEVICES)]
)  # fmt: skip
"""Conductances of devices, up and down [uS]."""
Row = tuple[int, int, int, float]


def rows() -> list[Row]:
    """Device, number of the pulse, direction and conductance."""
    return [(d, k, way, float(G[d, half, k])) for d in range(DEVICES) for half, way in enumerate((1, -1))
            for k in range(PULSES)]  # fmt: skip


def german(value: float, digits: int) -> str:
    """Return a number as Excel writes it there."""
    return f"{value:,.{digits}f}".translate(str.maketrans(",.", ".,"))


LOADS: dict[str, tuple[str, Callable[[int, Row], str]]] = {
    "Keithley 4200": (
        "dut\tTime\tPulseV\tReadV\tReadI", lambda n, r: f"{r[0]}\t{n}\t{1.5 * r[2]}\t0.1\t{r[3] * 1e-7:.6E}"
    ),
    "Keysight B1500": (
        "SetupTitle, Sweep\nDimension1, 5, 5\nDataName, device, Vg, Vd, Id",
        lambda n, r: f"DataValue, {r[0]}, {2.0 * r[2]}, 0.1, {r[3] * 1e-7:.6e}",
    ),
    "FeFET": ("dut,Vg (V),Vd (V),Id (nA)", lambda n, r: f"{r[0]},{2.0 * r[2]},0.1,{r[3] * 100:.4f}"),
    "ECRAM": ("device,time (s),gate current (nA),G (uS)", lambda n, r: f"{r[0]},{n},{10 * r[2]},{r[3]:.5f}"),
    "German Excel": ("dut;pulse;conductance [nS]", lambda n, r: f"{r[0]};{r[2]};{german(1e3 * r[3], 1)}"),
    "French Excel": (
        "dut;pulse;conductance [nS]",
        lambda n, r: f"{r[0]};{r[2]};{1e3 * r[3]:,.2f}".replace(",", "\u202f").replace(".", ","),
    ),
    "English Excel": ("dut,pulse,conductance [nS]", lambda n, r: f'{r[0]},{r[2]},"{1e3 * r[3]:,.1f}"'),
    "quoted decimal commas": ("dut,pulse,g [uS]", lambda n, r: f'"{r[0]}","{r[2]}","{r[3]:.4f}"'.replace(".", ",")),
    "pandas": (",device,pulse,conductance_uS", lambda n, r: f"{n},{r[0]},{r[2]},{r[3]:.5f}"),
    "pandas with floats": (
        "Unnamed: 0,device,pulse_number,polarity,G (S)",
        lambda n, r: f"{n},{r[0]}.0,{r[1]}.0,{r[2]}.0,{r[3] * 1e-6:.7e}",
    ),
    "words": ("device,pulse,G (microsiemens)", lambda n, r: f"{r[0]},{ {1: 'SET', -1: 'RESET'}[r[2]]},{r[3]:.5f}"),
    "an initial reading": ("device,pulse,G (uS)", lambda n, r: f"{r[0]},{'initial' if n == 0 else r[2]},{r[3]:.5f}"),
    "two rows of a header": (
        "DUT,Pulse,Current,Read voltage\n(-),(#),(\N{MICRO SIGN}A),(V)",
        lambda n, r: f"{r[0]},{r[2]},{r[3] * 0.2:.6f},0.2",
    ),
    "a place in an array": ("row,col,pulse,g [uS]", lambda n, r: f"{r[0] // 2},{r[0] % 2},{r[2]},{r[3]:.5f}"),
    "word and bit lines": ("WL,BL,pulse,g [uS]", lambda n, r: f"{r[0]},0,{r[2]},{r[3]:.5f}"),
    "id": ("id,pulse,g [uS]", lambda n, r: f"D{r[0]},{r[2]},{r[3]:.5f}"),
    "samples": ("Sample,pulse,g [uS]", lambda n, r: f"S{r[0]},{r[2]},{r[3]:.5f}"),
    "operations": (
        "DUT,Pulse#,Operation,Conductance [\N{MICRO SIGN}S]",
        lambda n, r: f"{r[0]},{r[1]},{ {1: 'Potentiation', -1: 'Depression'}[r[2]]},{r[3]:.5f}",
    ),
    "blanks": ("device  pulse   G_uS", lambda n, r: f"{r[0]}   {r[2]:2d}   {r[3]:.5f}"),
    "amperes without a unit": ("device,pulse,Vread,I", lambda n, r: f"{r[0]},{r[2]},0.1,{r[3] * 1e-7:.6e}"),
    "reads below zero": ("device,pulse,Vread (V),|I| (uA)", lambda n, r: f"{r[0]},{r[2]},-0.1,{r[3] * 0.1:.6f}"),
    "ISO 80000": ("device,pulse,G / nS", lambda n, r: f"{r[0]},{r[2]},{1e3 * r[3]:.3f}"),
    "a unit behind a comma": ('device,pulse,"Conductance, uS"', lambda n, r: f"{r[0]},{r[2]},{r[3]:.5f}"),
    "a counter with a point": ("device,pulse,direction,G (uS)", lambda n, r: f"{r[0]},{r[1]}.0,{r[2]},{r[3]:.5f}"),
    "a temperature": ("T (K),device,pulse,G (uS)", lambda n, r: f"300,{r[0]},{r[2]},{r[3]:.5f}"),
    "quanta": ("device,pulse,conductance [G0]", lambda n, r: f"{r[0]},{r[2]},{r[3] / 77.480917:.8f}"),
}  # fmt: skip


@pytest.mark.parametrize("encoding", ["utf-8", "cp1252"])
@pytest.mark.parametrize("lab", LOADS)
def test_pulses_of_a_laboratory(lab: str, encoding: str, tmp_path: Path) -> None:
    head, line = LOADS[lab]
    text = "\n".join([head, *(line(n, row) for n, row in enumerate(rows()))])
    if encoding != "utf-8" and "\u202f" in text:
        text = text.replace("\u202f", "\u00a0")
    path = tmp_path / "a.csv"
    path.write_text(text, encoding=encoding)
    table = read_table(path)
    assert kind_of(table) == "pulses"
    curves = read_curves(table)
    assert curves.conductance == pytest.approx(G.reshape(DEVICES, -1), rel=1e-4)
    assert np.sign(curves.pulses[:, 1:PULSES]).tolist() == [[1] * (PULSES - 1)] * DEVICES
    assert np.sign(curves.pulses[:, PULSES + 1 :]).tolist() == [[-1] * (PULSES - 1)] * DEVICES


def table(tmp_path: Path, *lines: str, name: str = "a.csv") -> MeasuredTable:
    """Return the table of a file of these lines."""
    path = tmp_path / name
    path.write_text("\n".join(lines), encoding="utf-8")
    return read_table(path)


@pytest.mark.parametrize(
    "head",
    ["n,LTP,LTD,LTP.1,LTD.1", "n,Cycle 1 LTP,Cycle 1 LTD,Cycle 2 LTP,Cycle 2 LTD", "n,LTP #1,LTD #1,LTP #2,LTD #2"],
)
def test_cycles_beside_each_other(head: str, tmp_path: Path) -> None:
    """Of pandas' second LTP, LTP.1, nothing was read."""
    lines = [",".join([str(k), *(f"{G[d, half, k]:.5f}" for d in (0, 1) for half in (0, 1))]) for k in range(PULSES)]
    curves = read_curves(table(tmp_path, head, *lines))
    assert curves.conductance[0] == pytest.approx(G[:2].ravel(), rel=1e-4)
    assert curves.cycle[0].tolist() == [0] * 2 * PULSES + [1] * 2 * PULSES
    head = "n,LTP dev1 (uS),LTD dev1 (uS),LTP dev2 (uS),LTD dev2 (uS)"
    assert read_curves(table(tmp_path, head, *lines)).conductance == pytest.approx(G[:2].reshape(2, -1), rel=1e-4)


def test_logarithms_of_times(tmp_path: Path) -> None:
    for title, unit in (("log10(t/s)", 1.0), ("log10(time) (h)", 3600.0), ("log10 time", 1.0), ("lg(t)", 1.0)):
        found = table(tmp_path, f"device,{title},G (uS)", *(f"0,{n},{20 - n}" for n in range(6)))
        assert kind_of(found) == "retention"
        assert found.numbers("time") == pytest.approx(unit * 10.0 ** np.arange(6))
        assert passed_over(found, "retention") == (f"Times are ten to '{title}'.",)
    with pytest.raises(ChipError, match="are these logarithms to the base ten"):
        table(tmp_path, "log10(t),G (uS)", *(f"{100 * n},{20 - n}" for n in range(6)))


def test_samples_of_retention_are_devices(tmp_path: Path) -> None:
    """They were numbers of reads, and the file was one of read noise."""
    times = np.geomspace(1, 1e4, 12)
    rows_of = [f"S{d},{t:.6g},{g * (1 + t / 20) ** -0.05:.7g}" for d, g in enumerate((5, 9, 14)) for t in times]
    found = table(tmp_path, "Sample,Time (s),G (uS)", *rows_of)
    assert kind_of(found) == "retention" and found.groups("device")[1] == ("S0", "S1", "S2")
    assert fit_retention(found).estimates["drift_mean"].value == pytest.approx(0.05, rel=1e-3)
    assert kind_of(table(tmp_path, "Sample,G (uS)", *(f"{n},{5 + n}" for n in range(9)))) == "read_noise"


def test_deviations_that_are_shares_of_their_conductance(tmp_path: Path) -> None:
    for head in ("mean (uS),std (%)", "conductance (uS),relative std"):
        size = 2.0 if "%" in head else 0.02
        found = table(tmp_path, head, *(f"{g},{size}" for g in range(2, 12)))
        assert kind_of(found) == "read_noise"
        assert found.numbers("sigma") == pytest.approx(0.02 * found.numbers("conductance"))


def test_amperes_and_volts_without_a_unit(tmp_path: Path) -> None:
    """Currents in A counted as uA, and millivolts as volts."""
    volts = np.linspace(-0.5, 0.5, 11)
    found = table(tmp_path, "AnodeI,AnodeV,Time", *(f"{v * 1e-5:.4E},{v:.4E},{n}" for n, v in enumerate(volts)))
    assert kind_of(found) == "iv" and found.numbers("current") == pytest.approx(10 * volts, abs=1e-9)
    assert "Currents have no unit and count as amperes: none is above 0.001." in found.notes
    found = table(tmp_path, "V,I", *(f"{v},{10 * v}" for v in volts))
    assert found.notes == ("Currents have no unit and count as uA.",)
    with pytest.raises(ChipError, match=r"column 'V' has no unit and reaches 500: 'voltage \[mV\]' or 'voltage \[V\]'"):
        table(tmp_path, "V,I", *(f"{1e3 * v},{10 * v}" for v in volts))


def test_channels_of_an_analyser(tmp_path: Path) -> None:
    lines = [f"DataValue, {n / 10}, {n / 5}" for n in range(-5, 6)]
    found = table(tmp_path, "SetupTitle, x", "DataName, V1, I1", *lines)
    assert kind_of(found) == "iv"
    with pytest.raises(ChipError, match="line 4: another table begins, 'DataName': one table to a file is needed"):
        table(tmp_path, "DataName, V1, I1", *lines[:2], "DataName, V1, I1", *lines[2:])
    found = table(tmp_path, "V,I1 (uA),I2 (uA)", *(f"{n / 10},{n},{2 * n}" for n in range(-5, 6)))
    assert found.groups("device")[1] == ("I1", "I2")
    lines = [f"{n},0.1,{1e-6 * n:.3e},{2e-6 * n:.3e}" for n in range(1, 6)]
    found = table(tmp_path, "time (s),Vread (V),I1 (A),I2 (A)", *lines)
    assert found.numbers("conductance") == pytest.approx([*10.0 * np.arange(1, 6), *20.0 * np.arange(1, 6)])


LEAVES: dict[str, tuple[list[str], str]] = {
    "a transfer curve": (
        ["Vg (V),Id (A),Vd (V)", *(f"{v / 10},{1e-6 * v},0.1" for v in range(21))],
        "column 'Vg (V)' sweeps, 0.1 to 2 in 20 steps: a transfer curve is no series of pulses",
    ),
    "reads behind each pulse": (
        ["device,pulse,read,G (uS)", *(f"0,{n % 2},{q},{5 + n}" for n in range(9) for q in range(5))],
        "repeated reads stand beside pulses in column 'pulse': keep one reading behind each pulse",
    ),
    "a retention without a header": (
        [f"{t:.3f},{20 * t**-0.05:.5f}" for t in np.geomspace(1, 1e4, 20)],
        "two columns without names are curves of pulses up and down, which reach over one range; these over 1 to 1e+04",
    ),
    "a series with directions": (
        ["time,write,polarity,G (uS)", *(f"{n},1,{'+-'[n % 2]},{5 + n % 2}" for n in range(9))],
        "column 'polarity' has pulses up and down: pulses need a column 'pulse' or 'number', or give kind='retention'",
    ),
    "currents of a channel": (
        ["time,channel (nA),G (uS)", *(f"{n},{(-1) ** n},{5 + n % 2}" for n in range(9))],
        "column 'channel (nA)' holds currents of both signs",
    ),
    "changes": (["pulse,dG (uS)", *(f"{1 - n % 2},{n}" for n in range(9))], "not known: 'dG (uS)'"),
    "means and deviations": (["time (s),G_mean (uS),G_std (uS)", *(f"{n},9,1" for n in range(9))], "'G_mean (uS)'"),
    "before and after": (["pulse,G_before (uS),G_after (uS)", *(f"1,{n},{n + 1}" for n in range(9))], "'G_after (uS)'"),
    "logarithms": (["time (s),log R (Ohm)", *(f"{n},5" for n in range(9))], "not known: 'log R (Ohm)'"),
    "a voltage of pulses": (
        ["device,pulse,voltage,current", *(f"0,{w},{1.2 * w},{5 + n}" for n, w in enumerate((1, 1, -1, -1)))],
        "line 4: the current has not the sign of 'voltage', so that no conductance follows",
    ),
    "absolute currents of no name": (
        ["V,I (A)", *(f"{n / 10},{abs(n) * 1e-6}" for n in range(-5, 6))],
        "'I (A)' is never below 0 though 'V' is: are these absolute values? Name it '|I| [A]'",
    ),
    "shares of pulses": (
        ["Normalized pulse number,LTP,LTD", *(f"{n / 8},{5 + n},{13 - n}" for n in range(9))],
        "column 'Normalized pulse number': the number of pulses itself is needed, not its share",
    ),
    "thousands or decimals": (
        ["device;pulse;conductance [nS]", *(f"0;1;{n}.{n}26" for n in range(2, 9))],
        "line 2: '2.226' of column 'conductance [nS]': nothing tells whether its '.' parts thousands or decimals",
    ),
    "an overflow": (
        ["time (s),G (S)", *(f"{n},{'9.91E37' if n == 5 else 1e-5}" for n in range(9))],
        "line 7: conductance '9.91E37' is what instruments write beyond their range: leave that row out",
    ),
    "blanks in names": (
        ["pulse   conductance (uS)", *(f"{n % 2}   {n}" for n in range(9))],
        "line 1: the rows have 2 columns apart by blanks, the header 3 words: part columns by commas",
    ),
}


@pytest.mark.parametrize("what", LEAVES)
def test_what_would_come_out_wrong_is_refused(what: str, tmp_path: Path) -> None:
    """Most of these were fitted as another kind, or off by a factor."""
    lines, told = LEAVES[what]
    with pytest.raises(ChipError) as raised:
        found = table(tmp_path, *lines)
        if kind_of(found) == "pulses":
            read_curves(found)
        else:
            found.numbers("conductance")
    assert told in str(raised.value) and "\n" not in str(raised.value)
