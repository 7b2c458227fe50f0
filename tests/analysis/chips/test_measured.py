"""Measured traces, their fit, and devices of the fit given the same pulses: the same mean, spread and noise."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from analysis.chips import measured
from hw_models import ChipError, load
from hw_models.measured.fit import ResponseFit, fit_response
from neuroep.cli import main
from tests.naive.traces import measure

DEVICES = 40


@pytest.fixture(scope="module")
def fitted() -> ResponseFit:
    given = {"dw_min": 0.06, "dw_min_spread": 0.15, "w_max_spread": 0.08, "noise": 0.4, "reading": 0.2, "up_down": 0.1}
    traces = measure("soft_bounds", 21, devices=DEVICES, pulses=70, cycles=3, **given)
    return fit_response(*traces, response="soft_bounds")


@pytest.fixture(scope="module")
def replay(fitted: ResponseFit) -> measured.Replay:
    return measured.replay(fitted, seed=1)


def test_the_mean_curve_is_the_measured_one(replay: measured.Replay) -> None:
    """Within four standard errors of two means of 40 devices, and 2 % of the range for the ends."""
    a, b = replay.measured, replay.replayed
    error = np.sqrt((a.var(axis=0) + b.var(axis=0)) / DEVICES)
    assert (np.abs(a.mean(axis=0) - b.mean(axis=0)) < 4 * error + 0.02 * 20).all()
    assert np.abs(a.mean(axis=0) - b.mean(axis=0)).mean() < 0.02 * 20


def test_devices_differ_as_measured_ones(replay: measured.Replay) -> None:
    """Spread of the mean of every device, and of what it reaches; 40 devices know a spread to 11 %."""
    for of in (lambda g: g.mean(axis=1), lambda g: g[:, [70, 210, 350]].mean(axis=1)):
        assert of(replay.replayed).std() == pytest.approx(of(replay.measured).std(), rel=0.5)


def test_noise_is_as_measured(replay: measured.Replay) -> None:
    """Cycle against cycle, and the lag-1 covariance of increments."""
    ratios = []
    for g in (replay.measured, replay.replayed):
        scatter = (g[:, 140:281] - g[:, 280:421]).std(axis=0).mean()
        d = np.diff(g, axis=1)
        d = d - d.mean(axis=0)
        ratios.append((scatter, d.std(), (d[:, 1:] * d[:, :-1]).mean()))
    (a, b), (c, d), (e, f) = zip(*ratios, strict=True)
    assert (b, d, f) == pytest.approx((a, c, e), rel=0.12)
    assert e < 0


def test_a_fit_of_the_replay_finds_the_same(fitted: ResponseFit, replay: measured.Replay) -> None:
    again = fit_response(replay.replayed, fitted.traces.direction)
    for name in ("dw_min", "noise", "reading", "g_max", "g_min"):
        one, other = fitted.estimates[name], again.estimates[name]
        assert abs(one.value - other.value) < 4 * np.hypot(one.error, other.error) + 0.02 * abs(one.value), name


def csv_of(fit: ResponseFit, path: Path) -> Path:
    """Write the traces of a fit."""
    lines = ["device,pulse,conductance"]
    for row, way in zip(fit.traces.conductance[:10], fit.traces.direction[:10], strict=True):
        name = len(lines)
        lines += [f"d{name},{sign},{g:.4f}" for sign, g in zip([0, *way], row, strict=True)]
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def test_from_a_file_to_a_chip_and_a_picture(
    fitted: ResponseFit, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    traces = csv_of(fitted, tmp_path / "traces.csv")
    chip, picture = tmp_path / "mine.toml", tmp_path / "mine.png"
    arguments = ["--out", str(chip), "--picture", str(picture), "--response", "soft_bounds", "--readings", "read"]
    assert main(["chips", "--fit", str(traces), *arguments]) == 0
    assert "Response to pulses: 10 devices, 4200 pulses from traces.csv." in capsys.readouterr().out
    assert picture.read_bytes().startswith(b"\x89PNG")
    found = load(str(chip)).device
    assert found.pulse.response == "soft_bounds"
    assert found.pulse.write_noise == 0
    assert found.read_noise == pytest.approx(0.2, rel=0.1)


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--fit", "none.csv"], "cannot read traces 'none.csv': No such file"),
        (["--fit", "none.csv", "--out", "a.csv"], "chip 'a.csv': a file named .toml is needed"),
        (["--fit", "none.csv", "--picture", "a.pdf"], "picture 'a.pdf': a file named .png is needed"),
        (["--fit", "none.csv", "--rules"], "option '--rules': it does not go with --fit"),
        (["pcm", "--fit", "none.csv"], "chip 'pcm': with --fit the chip comes from the traces"),
        (["--out", "a.toml"], "option '--out': it goes with --fit TRACES"),
        (["--g-min", "3"], "option '--g-min': it goes with --fit TRACES"),
    ],
)
def test_what_does_not_go_together(
    arguments: list[str], line: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["chips", *arguments]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"neuroep: error: {line}")
    assert error.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_fit_that_fails_writes_nothing(tmp_path: Path) -> None:
    traces = tmp_path / "traces.csv"
    traces.write_text("device,pulse,conductance\na,0,1\na,1,2\n", encoding="utf-8")
    with pytest.raises(ChipError, match="direction holds 1 pulses up"):
        measured.run(traces, tmp_path / "a.toml", tmp_path / "a.png")
    assert list(tmp_path.iterdir()) == [traces]


def test_pictures_draw_what_was_measured(fitted: ResponseFit, replay: measured.Replay) -> None:
    ax = measured.plot_replay(replay)
    assert [line.get_label() for line in ax.lines if not line.get_label().startswith("_")] == ["measured", "fit"]
    assert ax.get_ylabel() == "conductance [uS]"
    ax = measured.plot_fitted_steps(fitted)
    drawn = ax.containers[0].lines[0].get_ydata()
    assert drawn == pytest.approx(fitted.steps[0] * (fitted.g_max - fitted.g_min) / 2)
    ax = measured.plot_fitted_noise(fitted)
    assert ax.get_ylim()[0] == 0
    assert len(measured.sheet(fitted).axes) == 3
