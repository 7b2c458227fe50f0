"""The gradient check as a whole: files, text, samples, and what it refuses."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from analysis.gradients import measure as gradcheck, page as gradient_page, pictures as gradients
from neuroep.errors import ConfigError
from neuroep.network import builders as networks
from neuroep.runs import config, directory as runs

FEW = {"samples": 2, "steps": 4, "betas": (1e-3, 1e-2, 0.1, 5.0)}
FILES = {"gdu.png", "gradient_error.png", "gradcheck.csv", "gradcheck.json"}
PARAMETERS = ("query.weight", "dense_1.weight", "dense_1.bias", "dense_2.weight", "dense_2.bias")


@pytest.fixture(scope="module")
def checked(tmp_path_factory: pytest.TempPathFactory, trained: Path) -> gradcheck.GradientCheck:
    """The tiny trained run, checked."""
    run = runs.load(trained)
    return gradcheck.run(run, tmp_path_factory.mktemp("check") / "deep" / "out", **FEW)


def test_files(checked: gradcheck.GradientCheck) -> None:
    assert {path.name for path in checked.out.iterdir()} == FILES
    assert [path.name for path in checked.out.parent.iterdir()] == ["out"]
    page = json.loads((checked.out / "gradcheck.json").read_text())
    assert page["about"]["samples"] == 2
    assert page["about"]["weights"].startswith("run '")
    assert [row["parameter"] for row in page["configured"]] == list(PARAMETERS)
    assert [curves["beta"] for curves in page["gdu"]] == [0.1, 1e-3]
    rows = list(csv.DictReader((checked.out / "gradcheck.csv").open()))
    assert len(rows) == len(PARAMETERS) * 3 * 3
    assert rows[0].keys() == {"parameter", "estimator", "beta", "cosine", "relative_error"}
    for picture in ("gdu.png", "gradient_error.png"):
        assert (checked.out / picture).read_bytes().startswith(b"\x89PNG")


def test_text_has_every_parameter(checked: gradcheck.GradientCheck) -> None:
    text = checked.as_text()
    for name in PARAMETERS:
        assert text.count(name) >= 4
    assert "outputs dead" in text and str(checked.out) in text
    assert "0.001     0.01      0.1" in text


@pytest.mark.usefixtures("unrendered")
def test_smooth_network_is_exact(tiny: Path, tmp_path: Path) -> None:
    smooth = ["--potential", "smooth_sigmoid", "--beta", "1e-3", "--dtype", "float64"]
    converged = ["--free_steps", "500", "--nudged_steps", "500", "--tolerance", "1e-14"]
    settings = config.load(tiny, [*smooth, *converged])
    found = gradcheck.run(settings, tmp_path / "out", **FEW)
    assert found.about["weights"] == "initial weights, seed 0"
    assert found.about["residual"] <= 1e-13
    for row in found.configured:
        assert row.error < 1e-5, row
        assert row.cosine == pytest.approx(1, abs=1e-9)
    assert len(found.gdu) == 1
    assert all(curve.total_error < 1e-5 for curve in found.gdu[0].curves.values())


@pytest.mark.usefixtures("unrendered")
def test_points_are_compared_with_fewer(tiny: Path, tmp_path: Path) -> None:
    """Six points: rows, slopes, picture and page of 2, 4 and 6, each falling with its own power of beta."""
    settings = config.load(tiny, ["--potential", "smooth_sigmoid", "--estimator.points", "6"])
    found = gradcheck.run(settings, tmp_path / "out", samples=2, steps=4, betas=(0.03, 0.1, 0.3, 1.0))
    names = ["centred", "positive", "negative", "4 points", "6 points"]
    assert list(dict.fromkeys(row.estimator for row in found.rows)) == names
    slopes = json.loads((found.out / "gradcheck.json").read_text())["slopes"]
    assert list(slopes) == names
    for name, power in {"centred": 2, "4 points": 4, "6 points": 6}.items():
        assert slopes[name]["query.weight"] == pytest.approx(power, rel=0.1)
    assert [curves.estimator for curves in found.gdu] == ["6 points", "centred"]
    text = found.as_text()
    assert "the gradient that training uses: 6 points, beta 0.1" in text and text.count("4 points") == len(PARAMETERS)
    page = gradient_page.gradcheck_page(found.out)
    assert "6 points" in page and "N for N points" in page
    axes = gradients.plot_gradient_error(found.rows)
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert {"4 points", "6 points", r"$\propto \beta^6$"} <= set(labels)


@pytest.mark.usefixtures("unrendered")
def test_many_points_are_compared_with_two_and_four_alone(tiny: Path, tmp_path: Path) -> None:
    settings = config.load(tiny, ["--potential", "smooth_sigmoid", "--estimator.points", "10"])
    found = gradcheck.run(settings, tmp_path / "out", samples=2, steps=4, betas=(0.1, 0.3))
    assert [formula.name for formula in found.formulas] == ["centred", "positive", "negative", "4 points", "10 points"]


@pytest.mark.usefixtures("unrendered")
def test_the_chip_is_named_where_it_acts(tiny: Path, tmp_path: Path) -> None:
    """Only the gradient that training uses is that of the chip; the rest is exact arithmetic with its weights."""
    found = gradcheck.run(config.load(tiny, ["--chip", "rram"]), tmp_path / "out", **FEW)
    told = [line for line in found.as_text().splitlines() if "on the chip wan_2022_reram" in line]
    assert len(told) == 1 and told[0].startswith("the gradient that training uses")
    assert found.as_text().count("(exact arithmetic)") == 2


def test_dead_outputs_are_told(tiny: Path, tmp_path: Path) -> None:
    found = gradcheck.run(config.load(tiny, ["--output_bias", "-5.0"]), tmp_path / "out", **FEW)
    assert found.about["dead_outputs"] == 1
    assert "no gradient at all in query.weight" in found.as_text()
    assert {path.name for path in found.out.iterdir()} == FILES


@pytest.mark.parametrize("name", ["samples", "steps"])
def test_counts_start_at_one(tiny: Path, tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match=f"{name} is 0: allowed are whole numbers from 1"):
        gradcheck.run(config.load(tiny), tmp_path / "out", **{**FEW, name: 0})
    assert not (tmp_path / "out").exists()


def test_full_directory_is_refused(tiny: Path, tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("mine")
    with pytest.raises(ConfigError, match="is not empty"):
        gradcheck.run(config.load(tiny), tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"kept", "tiny.toml"}


def test_failure_leaves_nothing(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(gradients, "error_sheet", fail)
    with pytest.raises(OSError, match="disk full"):
        gradcheck.run(config.load(tiny), tmp_path / "out", **FEW)
    assert [path.name for path in tmp_path.iterdir()] == ["tiny.toml"]


@pytest.mark.parametrize(
    ("network", "samples"),
    [
        (networks.sentiment(40, 32, (64, 2)), 8),
        (networks.inference(), 8),
        (networks.sentiment(), 1),
    ],
)
def test_large_networks_get_fewer_samples(network: networks.Network, samples: int) -> None:
    assert gradcheck.fitting(network, steps=30) == samples


def test_an_edited_digit_is_no_result(checked: gradcheck.GradientCheck, tmp_path: Path) -> None:
    """A report showed whatever number stood there."""
    text = (checked.out / "gradcheck.json").read_text()
    page = json.loads(text)
    page["configured"][0]["cosine"] = 0.123
    (tmp_path / "gradcheck.json").write_text(json.dumps(page))
    with pytest.raises(ConfigError, match=r"gradcheck\.json' is damaged: it was changed by hand"):
        gradient_page.load(tmp_path)
    del page["seal"]  # as version 0.1 wrote it
    (tmp_path / "gradcheck.json").write_text(json.dumps(page))
    assert gradient_page.load(tmp_path)["configured"][0]["cosine"] == 0.123
    (tmp_path / "gradcheck.json").write_text(text)
    assert gradient_page.load(tmp_path)["about"]["samples"] == 2
