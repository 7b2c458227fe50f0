"""One chip of several files: kinds, ranges, what is refused, and the TOML that is written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hw_models.chip.files import load
from hw_models.errors import ChipError
from hw_models.measured.chip_files import MeasuredChip, fit_files, save


def soft(path: Path, seed: int, devices: int = 3) -> Path:
    """Write curves of soft bounds from 5 to 25 uS."""
    draw = np.random.default_rng(seed).normal
    lines = ["device,pulse,conductance [uS]"]
    for d in range(devices):
        g = 5.0
        for sign in (0, *2 * ([1] * 60 + [-1] * 60)):
            step = 0.08 * (25 - g) if sign > 0 else 0.08 * (g - 5)
            g = min(max(g + sign * step * (1 + 0.3 * draw()), 5), 25)
            lines.append(f"{d},{sign},{g + 0.05 * draw():.4f}")
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def columns(path: Path, **values: np.ndarray) -> Path:
    """Write columns."""
    rows = zip(*values.values(), strict=True)
    path.write_text("\n".join([",".join(values), *(",".join(map(str, row)) for row in rows)]), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files of all kinds."""
    place, draw = tmp_path_factory.mktemp("measured"), np.random.default_rng(1)
    soft(place / "pulses.csv", 1)
    target = np.tile(np.linspace(5, 20, 10), 12)
    columns(place / "programming.csv", target=target, achieved=target + 0.4 * draw.normal(size=120))
    time, device = np.tile(np.geomspace(5, 1e5, 12), 4), np.repeat(np.arange(4), 12)
    g = 15 * (1 + time / 20) ** -0.05 * (1 + 0.002 * draw.normal(size=48))
    columns(place / "drift.csv", device=device, time=time, conductance=g)
    g = np.linspace(2, 20, 12)
    columns(place / "reads.csv", g=g, sigma=0.02 * g * np.exp(0.03 * draw.normal(size=12)))
    v = np.linspace(-0.4, 0.4, 17)
    columns(place / "iv.csv", voltage=v, current=10 * np.sinh(v / 0.2) + 0.01 * draw.normal(size=17))
    return place


@pytest.fixture(scope="module")
def whole(folder: Path) -> MeasuredChip:
    """The chip of all."""
    names = ("pulses.csv", "programming.csv", "drift.csv", "reads.csv", "iv.csv")
    return fit_files([folder / name for name in names], name="mine", response="soft_bounds", citation="A. Lab (2026)")


def test_files_of_different_kinds_make_one_chip(whole: MeasuredChip) -> None:
    device = whole.chip.device
    assert (whole.chip.name, whole.chip.citation) == ("mine", "A. Lab (2026)")
    assert (device.pulse.response, device.read_noise_law, device.iv) == ("soft_bounds", "proportional", "sinh")
    assert device.g_max == pytest.approx(25, abs=0.6)
    assert device.programming_noise_g_max == pytest.approx(device.g_max, rel=1e-3)
    assert device.drift_mean[1] == pytest.approx(0.05, rel=0.2)
    assert (device.age, device.read_voltage) == (1e5, 0.4)
    assert whole.chip.update.scheme == "pulsed"
    assert "Deployed it is read 100000 s after its last write" in whole.chip.caveat
    assert list(whole.sources) == ["pulses", "programming", "retention", "read_noise", "iv"]


def test_the_toml_is_the_chip_with_all_that_is_known(whole: MeasuredChip, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    save(whole, path)
    again = load(str(path))
    assert again.device == whole.chip.device
    assert again.dac == whole.chip.dac
    text = path.read_text(encoding="utf-8")
    comments = [line for line in text.splitlines() if line.startswith("#")]
    assert comments[0] == "# From pulses.csv."
    for part in ("95 % interval", "dw_min ", "uS, of v^0", "residual", "iv_voltage", "drift_start"):
        assert any(part in line for line in comments), part
    with pytest.raises(ChipError, match=r"a file named \.toml is needed"):
        save(whole, tmp_path / "mine.txt")
    with pytest.raises(ChipError, match="cannot write chip"):
        save(whole, tmp_path / "none" / "mine.toml")


def test_a_law_can_be_asked_for(folder: Path, tmp_path: Path) -> None:
    found = fit_files([folder / "reads.csv", folder / "iv.csv"], law={"read_noise": "sqrt"})
    assert found.chip.device.read_noise_law == "sqrt"
    assert found.chip.caveat.count(" Laws that were asked for: 'sqrt' for read_noise.") == 1
    save(found, tmp_path / "mine.toml")
    text = (tmp_path / "mine.toml").read_text(encoding="utf-8")
    assert "# Law 'sqrt', as asked for, residual" in text
    assert "# Law 'sinh', residual" in text


@pytest.mark.parametrize(
    ("law", "line"),
    [
        ({"read_nose": "sqrt"}, "unknown kind of law 'read_nose': allowed are .*; did you mean 'read_noise'"),
        ({"retention": "drift"}, "law of retention: the files hold read_noise"),
        ({"pulses": "linear"}, "law of pulses: option response chooses it"),
        ({"read_noise": "1/f"}, "unknown law '1/f': allowed are additive, sqrt, proportional, pcm"),
    ],
)
def test_laws_that_cannot_be_asked_for(folder: Path, law: dict[str, str], line: str) -> None:
    with pytest.raises(ChipError, match=line):
        fit_files([folder / "reads.csv"], law=law)


def test_files_of_pulses_are_devices_of_one_group(folder: Path, tmp_path: Path) -> None:
    second = soft(tmp_path / "more.csv", 2, devices=1)
    found = fit_files([folder / "pulses.csv", second], response="soft_bounds")
    assert found.response is not None
    assert found.response.curves.names == ("1/0", "1/1", "1/2", "2/0")
    assert found.sources == {"pulses": ("pulses.csv", "more.csv")}
    first, second, *_ = found.as_text().splitlines()
    assert first == "From pulses.csv, more.csv."
    assert second == "Response to pulses: 4 devices, 2 cycles, 480 pulses up and 480 down."


def test_without_pulses(folder: Path) -> None:
    found = fit_files([folder / "reads.csv", folder / "programming.csv"])
    assert found.response is None
    assert found.chip.device.g_max == 20
    assert found.chip.update.scheme == "digital"
    loss = 5.05 + 15 * np.exp(-np.geomspace(5, 1e5, 12) / 3e4)
    path = columns(folder / "loss.csv", time=np.geomspace(5, 1e5, 12), g=loss)
    assert "it is left out, as no pulse curves were given" in fit_files([path], g_min=5.05).chip.caveat
    kept = fit_files([path, folder / "pulses.csv"], response="soft_bounds", g_min=5.05).chip
    assert kept.device.retention == pytest.approx(3e4, rel=0.05)
    assert kept.timing.integration == 40e-9


@pytest.mark.parametrize(
    ("names", "settings", "line"),
    [
        ([], {}, "no file of measurements is given"),
        (["a.xlsx"], {}, "'a.xlsx': a file named .csv, .tsv, .txt, .dat or .npz is needed"),
        (["a.npz"], {"kind": "iv"}, "'a.npz': an NPZ holds pulses, and kind 'iv' is asked for"),
        (["none.csv"], {}, "cannot read 'none.csv'"),
        (["reads.csv", "reads.csv"], {}, "it is read_noise as .* is: join them, with a column device"),
        (["reads.csv"], {"response": "linear"}, "option response = 'linear': it goes with pulse curves"),
        (["reads.csv"], {"kind": "pulses"}, "column 'pulse' is missing: pulses needs pulse, conductance"),
        (["pulses.csv"], {"g_max": 1.0, "g_min": 2.0}, "pulses.csv: g_min = 2: it should be below g_max = 1"),
        (["programming.csv"], {"g_max": 10.0}, "they should be from 0 to g_max = 10 uS; g_max="),
    ],
)
def test_what_is_refused(folder: Path, names: list[str], settings: dict[str, object], line: str) -> None:
    paths = [folder / name if (folder / name).exists() else name for name in names]
    with pytest.raises(ChipError, match=line) as raised:
        fit_files(paths, **settings)  # type: ignore[arg-type]
    assert "\n" not in str(raised.value)
