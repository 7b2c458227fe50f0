"""``neuroep fit``: from files to a chip and a picture; devices of the fit do what the measured ones did."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from analysis.chips import measured
from hw_models.chip.files import load
from hw_models.errors import ChipError
from hw_models.measured.law_fits import LawFit, Sketch
from hw_models.measured.response import ResponseFit, fit_response
from neuroep.cli import main
from neuroep.runs import fit_arguments
from tests.naive.pulse_curves import measure


@pytest.fixture(scope="module")
def fitted() -> ResponseFit:
    """Ten devices of soft bounds, alike."""
    _, g, pulses = measure("reram_cmo", 3, cycles=2, pulses=60, reading=0.5)
    return fit_response(g, pulses[:, 1:], response="soft_bounds")


@pytest.fixture(scope="module")
def replay(fitted: ResponseFit) -> measured.Replay:
    """Devices of the fit, given the same pulses."""
    return measured.replay(fitted, seed=1)


def test_the_mean_curve_is_the_measured_one(replay: measured.Replay) -> None:
    a, b = replay.measured.mean(axis=0), replay.replayed.mean(axis=0)
    assert np.abs(a - b).max() < 0.12 * np.ptp(a)
    assert ((a - b) ** 2).mean() < 0.003 * np.ptp(a) ** 2


def test_the_fit_of_the_same_devices_lies_on_their_curves() -> None:
    """R2 is of these; four other devices of the chip may lie elsewhere, by the spreads from device to device."""
    _, g, pulses = measure("ecram", 5, devices=4, cycles=2, pulses=80, reading=0.1)
    fit = fit_response(g, pulses[:, 1:], response="linear")
    found = measured.replay(fit, seed=1)
    seen, said = found.measured.mean(axis=0), found.said.mean(axis=0)
    assert 1 - ((seen - said) ** 2).sum() / ((seen - seen.mean()) ** 2).sum() > 0.99
    own = np.abs(found.measured - found.said).mean()
    others = np.abs(found.measured - measured.replay(fit, seed=1, many=4).replayed).mean()
    assert own < 0.5 * others and found.replayed.shape == (measured.MANY, g.shape[1])


def test_noise_is_as_measured(replay: measured.Replay) -> None:
    stray = [np.diff(rows, axis=1) - np.diff(rows.mean(axis=0)) for rows in (replay.measured, replay.replayed)]
    assert stray[0].std() == pytest.approx(stray[1].std(), rel=0.1)


def csv_of(fit: ResponseFit, path: Path) -> Path:
    """Write the curves of a fit."""
    lines = ["device,pulse,conductance [mS]"]
    for name, row, pulses in zip(fit.curves.names, fit.curves.conductance, fit.curves.pulses, strict=True):
        signs = [count if abs(count) == 1 else 0 for count in pulses]
        lines += [f"{name},{sign},{g / 1e3:.8f}" for sign, g in zip(signs, row, strict=True)]
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def test_from_a_file_to_a_chip_and_a_picture(
    fitted: ResponseFit, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    curves = csv_of(fitted, tmp_path / "curves.csv")
    chip, picture = tmp_path / "mine.toml", tmp_path / "mine.png"
    arguments = ["--response", "soft_bounds", "--readings", "read", "--citation", "A. Lab"]
    assert main(["fit", str(curves), "--out", str(chip), "--picture", str(picture), *arguments]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("From curves.csv.\nResponse to pulses: 10 devices, 2 cycles, 1200 pulses up and 1200 down.")
    assert shown.endswith(f"\n\nchip: {chip}\npicture: {picture}\n")
    assert picture.read_bytes().startswith(b"\x89PNG")
    found = load(str(chip))
    assert (found.name, found.citation, found.device.pulse.response) == ("mine", "A. Lab", "soft_bounds")
    assert found.device.pulse.write_noise == 0
    assert found.device.read_noise == pytest.approx(0.5, rel=0.1)


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["fit", "none.csv"], "cannot read 'none.csv': No such file"),
        (["fit", "none.csv", "--out", "a.csv"], "chip 'a.csv': a file named .toml is needed"),
        (["fit", "none.csv", "--picture", "a.pdf"], "picture 'a.pdf': a file named .png is needed"),
        (["fit", "a.csv", "--kind", "drift"], "unknown kind 'drift': allowed are iv, programming, read_noise, pulses"),
        (["fit", "a.csv", "--law", "drift"], "--law 'drift': KIND=NAME is needed, as read_noise=proportional"),
        (["fit", "a.csv", "--law", "iv=sinh", "--law", "iv=linear"], "--law 'iv=linear': iv is 'sinh' already"),
        (["fit", "a.csv", "--lw", "iv=sinh"], "unknown option '--lw': allowed are"),
        (["fit", "a.csv", "--out", "held.toml"], "file 'held.toml' is there: name another one, or write over it with"),
        (["fit", "a.csv", "--out", "none/b.toml"], "cannot write 'none/b.toml': its folder is not there"),
        (["fit", "a.csv", "--picture", "none/b.png"], "cannot write 'none/b.png': its folder is not there"),
        (["fit", "a.csv", "--g-max", "-3"], "g_max = -3.0: a conductance from 0 is needed [uS]"),
        (["fit"], "the following arguments are required: FILE"),
        (["chips", "--fit", "a.csv"], "option '--fit': it is a command now, neuroep fit a.csv --out chip.toml"),
    ],
)
def test_what_is_refused(
    arguments: list[str], line: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.csv").write_text("time,g\n1,2\n", encoding="utf-8")
    (tmp_path / "held.toml").write_text("mine", encoding="utf-8")
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"neuroep: error: {line}")
    assert error.count("\n") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.csv", "held.toml"]
    assert (tmp_path / "held.toml").read_text(encoding="utf-8") == "mine"


def test_a_chip_is_written_over_where_that_is_meant(tmp_path: Path) -> None:
    (tmp_path / "iv.csv").write_text(
        "voltage,current\n" + "\n".join(f"{v / 10},{v}" for v in range(-5, 6)), encoding="utf-8"
    )
    (tmp_path / "held.toml").write_text("mine", encoding="utf-8")
    asked = ["--law", "iv=cubic", "--picture", str(tmp_path / "a.png"), "--force"]
    assert main(["fit", str(tmp_path / "iv.csv"), "--out", str(tmp_path / "held.toml"), *asked]) == 0
    assert "Law 'cubic', as asked for" in (tmp_path / "held.toml").read_text(encoding="utf-8")


def test_a_fit_that_fails_writes_nothing(tmp_path: Path) -> None:
    curves = tmp_path / "curves.csv"
    curves.write_text("device,pulse,conductance\na,0,1\na,1,2\n", encoding="utf-8")
    with pytest.raises(ChipError, match=r"curves\.csv: there are 1 pulses up and 0 down"):
        measured.run([curves], tmp_path / "a.toml", tmp_path / "a.png")
    assert list(tmp_path.iterdir()) == [curves]


def test_help_tells_of_it(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["fit", "--help"])
    shown = capsys.readouterr().out
    assert "--kind NAME" in shown
    assert fit_arguments.EXAMPLES.splitlines()[1] in shown


def test_pictures_draw_what_was_measured(fitted: ResponseFit, replay: measured.Replay) -> None:
    ax = measured.plot_replay(replay)
    named = [line.get_label() for line in ax.lines if not line.get_label().startswith("_")]
    assert named == ["measured", "fit of the same devices"]
    assert [band.get_label() for band in ax.collections] == ["90 % of them", "90 % of 200 devices that the chip draws"]
    assert ax.get_ylabel() == "conductance [uS]"
    found = measured.steps(fitted)
    assert np.abs((found.mean - found.said) / found.error).mean() < 2
    assert found.noise == pytest.approx(found.said_noise, rel=0.25)
    ax = measured.plot_fitted_steps(found, fitted.response)
    assert ax.containers[0].lines[0].get_ydata() == pytest.approx(found.mean[0])
    for way in (0, 1):
        assert np.interp(found.state[way], *found.line[:2, way]) == pytest.approx(found.said[way], rel=0.1, abs=0.02)
        assert np.interp(found.state[way], *found.line[::2, way]) == pytest.approx(found.said_noise[way], rel=0.05)
    colours = {str(line.get_color()) for line in ax.lines}
    assert colours <= {measured.style.BLUE, measured.style.VERMILION}
    assert measured.plot_fitted_noise(found, 0.5).get_ylim()[0] == 0
    x = np.array([1.0, 10.0])
    sketch = Sketch(x, x, x, x, ("time [s]", "g"), (True, False))
    ax = measured.plot_law(LawFit("retention", "drift", 2, {}, {}, (), 0.0, "of g", sketch))
    assert (ax.get_xscale(), ax.get_title("left") or ax.get_title()) == ("log", "retention")
