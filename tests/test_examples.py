"""Every numbered example runs, in its fast mode."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

FOLDER = Path(__file__).resolve().parents[1] / "examples"


def opened(name: str) -> ModuleType:
    """Import an example by its file."""
    spec = importlib.util.spec_from_file_location(f"example_{name}", FOLDER / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_train(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = opened("01_train").main(tmp_path / "run", fast=True)
    assert found.samples == 1000
    assert (tmp_path / "run" / "training.png").exists()
    assert "epoch  1" in capsys.readouterr().out


def test_gradient_check(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = opened("02_gradient_check").main(tmp_path, fast=True)
    assert set(found) == {"hard_sigmoid", "smooth_sigmoid"}
    assert (tmp_path / "smooth_sigmoid" / "gdu.png").exists()
    assert "relative error" in capsys.readouterr().out


def test_own_network(capsys: pytest.CaptureFixture[str]) -> None:
    found = opened("03_own_network").main(fast=True)
    assert found["local"] == pytest.approx(found["reference"], abs=0.01)
    assert "reference: test accuracy" in capsys.readouterr().out


def test_deploy_on_a_chip(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = opened("04_deploy_on_a_chip").main(tmp_path / "run", fast=True)
    assert list(found) == ["no chip", "joshi_2020_pcm", "legallo_2023_hermes", "wan_2022_reram", "mismatched"]
    assert "mismatched" in capsys.readouterr().out


def test_learn_on_a_chip(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = opened("05_learn_on_a_chip").main(tmp_path / "run", fast=True)
    assert list(found) == ["ideal", "deployed", "learned on the chip", "in memory, from scratch"]
    assert "pulses" in capsys.readouterr().out


def test_own_chip(capsys: pytest.CaptureFixture[str]) -> None:
    found = opened("06_own_chip").main(fast=True)
    assert all(0 < error < 1 for error in found.values())
    assert "below g_max" in capsys.readouterr().out


def test_sweep_precision(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = opened("07_sweep_precision").main(tmp_path, fast=True)
    assert [row["chip.adc.bits"] for row in found.rows] == [2, 8]
    assert (tmp_path / "bits.png").exists()
    assert "2 trials" in capsys.readouterr().out


def test_sweep_on_a_cluster(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("distributed")
    assert opened("08_sweep_on_a_cluster").main(tmp_path, fast=True)
    assert "the same bytes" in capsys.readouterr().out


def test_attention_maps(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = opened("09_attention_maps").main(tmp_path / "run", fast=True)
    assert list(found) == ["exact", "hermes", "2-bit exponential"]
    assert (tmp_path / "run" / "attention_exact.png").exists()
    assert "effective number of keys" in capsys.readouterr().out


def test_own_arrays(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = opened("10_own_arrays").main(tmp_path / "run", fast=True)
    assert list(found) == ["exact", "pcm"]
    assert "standardised by means" in capsys.readouterr().out


def test_each_example_is_tested_and_says_what_to_expect() -> None:
    names = sorted(path.stem for path in FOLDER.glob("[0-9][0-9]_*.py"))
    kinds = ["train", "gradient_check", "own_network", "deploy_on_a_chip", "learn_on_a_chip", "own_chip"]
    kinds += ["sweep_precision", "sweep_on_a_cluster", "attention_maps", "own_arrays", "measured_device"]
    assert [name.split("_", 1)[1] for name in names] == kinds
    for name in names:
        assert "What to expect" in (opened(name).__doc__ or "")


def test_measured_device(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = opened("11_measured_device").main(tmp_path / "run", fast=True)
    assert list(found) == ["agad", "mixed_precision"]
    assert (tmp_path / "run" / "my_device.toml").exists()
    assert (tmp_path / "run" / "my_device.png").exists()
    assert "Response 'soft_bounds'." in capsys.readouterr().out
