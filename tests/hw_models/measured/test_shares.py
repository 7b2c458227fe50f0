"""Conductances that are shares, or have no unit: what 1 is is said, asked for, or told by the numbers with a note."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hw_models.errors import ChipError
from hw_models.measured.chip_files import fit_files
from hw_models.measured.pulse_tables import read_curves, read_npz
from hw_models.measured.shares import laid_out, named
from hw_models.measured.tables import MeasuredTable, kind_of, read_table

SHARE = [0.1, 0.3, 0.5, 0.7, 0.9, 0.7, 0.5, 0.3, 0.1]
WAYS = [0, 1, 1, 1, 1, -1, -1, -1, -1]


def table(tmp_path: Path, head: str, rows: list[str]) -> MeasuredTable:
    """Return the table of a file."""
    path = tmp_path / "a.csv"
    path.write_text("\n".join([head, *rows]), encoding="utf-8")
    return read_table(path)


def pulses(tmp_path: Path, title: str, factor: float = 1.0, sign: str = "") -> MeasuredTable:
    """Return a table of pulses whose conductances have that title."""
    rows = [f"{way},{factor * share:.6g}{sign}" for way, share in zip(WAYS, SHARE, strict=True)]
    return table(tmp_path, f"pulse,{title}", rows)


@pytest.mark.parametrize(
    ("title", "unit", "what"),
    [
        ("g/gmax", "", ("g", "G/Gmax")), ("g / g max", "", ("g", "G/Gmax")), ("g/gon", "", ("g", "G/Gmax")),
        ("conductance/gmax", "%", ("conductance", "G/Gmax [%]")), ("g/g0", "", ("g", "G/G0")),
        ("g/g 0", "", ("g", "G/G0")), ("g/ginit", "1", ("g", "G/G0")), ("r/r0", "", ("r", "G/G0")),
        ("i/i0", "", ("i", "G/G0")), ("normalized conductance", "", ("conductance", "1")),
        ("normalised g", "%", ("g", "%")), ("conductance norm", "", ("conductance", "1")), ("ltp", "a.u.", None),
        ("ltp normalized", "", ("ltp", "1")), ("norm. conductance", "", ("conductance", "1")),
        ("conductance", "", None), ("normalized conductance", "uS", None), ("g/t0", "", None), ("d g/g0", "", None),
    ],
)  # fmt: skip
def test_names(title: str, unit: str, what: tuple[str, str] | None) -> None:
    assert named(title, unit) == what


@pytest.mark.parametrize(
    ("title", "factor", "sign"),
    [("normalized conductance", 1, ""), ("G [1]", 1, ""), ("conductance (a.u.)", 1, ""), ("G (%)", 100, ""),
     ("G", 100, "%"), ("G/Gmax", 1, ""), ("G/G_max [%]", 100, ""), ("I/Imax", 1, ""), ("conductance (norm.)", 1, "")],
)  # fmt: skip
def test_shares_of_pulses_are_of_the_range_that_is_given(
    tmp_path: Path, title: str, factor: float, sign: str
) -> None:
    found = read_curves(pulses(tmp_path, title, factor, sign))
    assert found.conductance[0] == pytest.approx(25 * np.array(SHARE))
    assert found.notes[-1].endswith("; g_min= and g_max= say what they are.")
    found = read_curves(pulses(tmp_path, title, factor, sign), g_max=50.0)
    assert found.conductance[0] == pytest.approx(50 * np.array(SHARE))
    found = read_curves(pulses(tmp_path, title, factor, sign), g_min=10.0, g_max=50.0)
    low = 0.0 if "ax" in title else 10.0
    assert found.conductance[0] == pytest.approx(low + (50 - low) * np.array(SHARE))


def test_weights_reach_over_the_range(tmp_path: Path) -> None:
    """Two columns of -0.8 to 0.7 were written as 0 to 25 uS whatever --g-max said, and weights came out wrong."""
    found = table(tmp_path, "up_pulse,down_pulse", ["-0.8,0.7", "-0.1,0.1", "0.7,-0.8"])
    assert read_curves(found, g_max=50.0).conductance[0, [0, 2, 3, 5]] == pytest.approx([0, 50, 50, 0])
    assert read_curves(found).conductance[0, [0, 2, 3, 5]] == pytest.approx([0, 25, 25, 0])


def test_nothing_is_guessed_of_numbers_below_one(tmp_path: Path) -> None:
    """They were taken for uS without a word."""
    with pytest.raises(ChipError, match=r"column 'G' has no unit and lies within 0\.1 to 0\.9: name it") as raised:
        read_curves(pulses(tmp_path, "G"))
    told = "name it 'g [uS]' if it is in uS, '1' in place of 'uS' if it is a share; g_max=G says how many uS"
    assert told in str(raised.value)
    assert read_curves(pulses(tmp_path, "G [uS]")).conductance[0] == pytest.approx(SHARE)


def test_plain_numbers_are_told_by_a_note(tmp_path: Path) -> None:
    found = read_curves(pulses(tmp_path, "G", 20))
    assert found.conductance[0] == pytest.approx(20 * np.array(SHARE))
    assert found.notes == ("Conductances have no unit and count as uS.",)
    found = read_curves(pulses(tmp_path, "G", 2e-5))
    assert found.conductance[0] == pytest.approx(20 * np.array(SHARE))
    assert found.notes == ("Conductances have no unit and count as siemens: none is above 0.001.",)
    one = laid_out(table(tmp_path, "g,sigma", ["1e-5,1e-7", "2e-5,2e-7"]), "read_noise")[0]
    assert one.numbers("sigma") == pytest.approx([0.1, 0.2])
    assert laid_out(table(tmp_path, "voltage,current", ["1,2"]), "iv")[1] == ()


def test_what_is_in_uS_asks_for_g_max(tmp_path: Path) -> None:
    noise = table(tmp_path, "conductance [%],sigma [%]", [f"{10 * n},{0.2 * n}" for n in range(1, 9)])
    with pytest.raises(ChipError, match=r"are shares, 0\.1 to 0\.8: g_max=G says how many uS 1 is"):
        laid_out(noise, "read_noise")
    found = laid_out(noise, "read_noise", 10.0, 30.0)[0]
    assert found.numbers("conductance") == pytest.approx(10 + 2.0 * np.arange(1, 9))
    assert found.numbers("sigma") == pytest.approx(0.04 * np.arange(1, 9))
    with pytest.raises(ChipError, match="shares from g_min = 30 to g_max = 30 uS: g_min should be below"):
        laid_out(noise, "read_noise", 30.0, 30.0)
    with pytest.raises(ChipError, match="conductances are over a first one that nothing tells"):
        read_curves(pulses(tmp_path, "G/G0"))


@pytest.mark.parametrize("title", ["G/G0", "I/I0", "R/R0", "normalised conductance"])
def test_retention_goes_by_ratios(tmp_path: Path, title: str) -> None:
    times = np.geomspace(1, 1e5, 12)
    rows = []
    for device, nu in enumerate((0.04, 0.05, 0.06)):
        g = ((1 + times / 1) / 2) ** -nu
        g = 1 / g if title[0] == "R" else g
        rows += [f"{device},{t:.6g},{one:.8g}" for t, one in zip(times, g, strict=True)]
    found = table(tmp_path, f"device,time [s],{title}", rows)
    assert kind_of(found) == "retention"
    fit = fit_files([tmp_path / "a.csv"])
    assert fit.laws[0].estimates["drift_mean"].value == pytest.approx(0.05, rel=0.02)
    told = "of a device's first one, taken as 25 uS: retention goes by ratios"
    assert any(told in note for note in fit.laws[0].notes)


def test_the_range_of_shares_goes_into_the_fit(tmp_path: Path) -> None:
    """Steps of 0.2 of the range are 0.4 of the weights, whatever g_max is."""
    g, rows = 0.0, ["0,0"]
    for _ in range(6):
        for way in (1, 1, 1, 1, 1, -1, -1, -1, -1, -1):
            g = round(g + 0.2 * way, 6)
            rows.append(f"{way},{g}")
    table(tmp_path, "pulse,normalized conductance", rows)
    for g_max in (25.0, 60.0):
        found = fit_files([tmp_path / "a.csv"], response="constant", g_min=0.0, g_max=g_max)
        assert found.response is not None
        assert found.response.pulse.dw_min == pytest.approx(0.4, rel=0.01)
        assert found.chip.device.g_max == g_max
        assert "made up" not in str(found.chip.caveat)
    assert "how many uS they are is made up" in str(fit_files([tmp_path / "a.csv"], response="constant").chip.caveat)


def test_arrays_may_be_shares_too(tmp_path: Path) -> None:
    """Those of 0 to 1 counted as uS."""
    path, way = tmp_path / "a.npz", np.array(WAYS[1:])
    np.savez(path, conductance=np.array([SHARE]), direction=way)
    told = r"array 'conductance' has no unit and lies within .*: give the array 'unit' as 'uS' if"
    with pytest.raises(ChipError, match=told):
        read_npz(path)
    np.savez(path, conductance=100 * np.array([SHARE]), direction=way, unit="%")
    assert read_npz(path, g_max=50.0).conductance[0] == pytest.approx(50 * np.array(SHARE))
    assert read_npz(path).open_range and not read_npz(path, 0.0, 50.0).open_range
    np.savez(path, conductance=20 * np.array([SHARE]), direction=way)
    assert read_npz(path).notes == ("Conductances have no unit and count as uS.",)


def test_shares_beside_conductances_ask_for_g_max(tmp_path: Path) -> None:
    """Curves of 0 to 1 were joined as 0 to 25 uS to those of other devices, and g_max of reads was theirs."""
    pulses(tmp_path, "G [1]")
    (tmp_path / "b.csv").write_text((tmp_path / "a.csv").read_text().replace("G [1]", "G [uS]"))
    (tmp_path / "reads.csv").write_text("g [uS],sigma [uS]\n" + "\n".join(f"{g},{0.1 * g}" for g in range(1, 9)))
    for other, told in (("b.csv", "and other curves in uS"), ("reads.csv", "and reads.csv in uS")):
        with pytest.raises(ChipError, match=rf"\.csv: conductances are shares, {told}: g_max=G") as raised:
            fit_files([tmp_path / "a.csv", tmp_path / other])
        assert "\n" not in str(raised.value)
