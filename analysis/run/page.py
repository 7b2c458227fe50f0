# Tested by tests/analysis/test_report.py
"""The page of a run. What it shows, each module of this folder declares: a :class:`~analysis.drawing.panels.Panel`."""

from __future__ import annotations

from analysis.drawing import html, numbers, panels, settings

from analysis.chips.page import chip_section
from analysis.run.measure import MeasuredRun
from analysis.run.subject import Metrics
from hw_models.reading import Entries
from neuroep.engines.schedule import CALIBRATED
from neuroep.runs import training
from neuroep.runs.directory import Run


def run_page(found: MeasuredRun) -> str:
    """Return the page of a run, drawn from what was measured of it."""
    run, environment, metrics = found.subject.run, found.subject.environment, found.subject.metrics
    sections = [
        summary(run, environment, metrics),
        *panels.sections(found.panels),
        chip_section(run.config.chip),
        settings.section(_command(run, environment), run.config, environment, *_notes(run, environment)),
    ]
    lead = f"A training run: {run.config.network.kind} network on '{run.config.data.name}', {_on(run)}."
    return html.document(f"Run {run.path.resolve().name}", lead, sections)


def _on(run: Run) -> str:
    engine = f"{run.config.engine.kind} engine"
    return f"{engine}, exact arithmetic" if run.config.chip is None else f"{engine} on chip {run.config.chip.name}"


def _command(run: Run, environment: Entries) -> list[str]:
    if not run.metrics:
        return []
    start = environment.get("start")
    origin = ["--from", str(start)] if start else []
    return ["neuroep", "train", settings.SAVED, *origin, "--out", settings.again(run.path)]


def _notes(run: Run, environment: Entries) -> list[str]:
    seed = f"The seed is {run.config.training.seed}. The same settings give the same bits on the same machine."
    start, adopted = environment.get("start"), environment.get("adopted")
    if adopted:
        return [f"Its weights were trained elsewhere: file '{adopted['file']}', SHA-256 {adopted['sha256']}."]
    return [seed, *([f"It started from the weights of '{start}'."] if start else [])]


def summary(run: Run, environment: Entries, metrics: Metrics) -> str:
    """Return what was trained, and the accuracy it ended with."""
    return html.section("In short", _accuracies(metrics), _limits(metrics), _trained(run, environment, metrics))


def _accuracies(metrics: Metrics) -> str:
    if not metrics:
        return html.paragraph("No epoch is finished. The weights are the initial or the imported ones.", "warn")
    last = metrics[-1]
    classes = list(dict.fromkeys(name for found in last["evaluate"].values() for name in found.get("per_class", {})))
    heads = ("split", "accuracy", "loss", "samples", *(f"class {name}" for name in classes), "best")
    rows = [
        (
            split,
            numbers.share(found["accuracy"], 2),
            numbers.number(found["loss"]),
            numbers.number(found["samples"]),
            *(numbers.share(found.get("per_class", {}).get(name)) for name in classes),
            _best(metrics, split),
        )
        for split, found in last["evaluate"].items()
    ]
    blank = [numbers.NONE] * len(classes)
    accuracy, loss = numbers.share(last["train"]["accuracy"], 2), numbers.number(last["train"]["loss"])
    rows.append(("train (during training)", accuracy, loss, numbers.NONE, *blank, numbers.NONE))
    after = f"The table shows epoch {last['epoch']}. Training samples are measured before the update that they make."
    return html.table(heads, rows) + "\n" + html.paragraph(after, "note")


def _best(metrics: Metrics, split: str) -> str:
    found = [
        (record["evaluate"][split]["accuracy"], -record["epoch"]) for record in metrics if split in record["evaluate"]
    ]
    accuracy, epoch = max(found)
    return f"{numbers.share(accuracy, 2)} in epoch {-epoch}"


def _limits(metrics: Metrics) -> str:
    notes = training.notes(metrics[-1]) if metrics else []
    return html.subtitle("Remarks on the last epoch") + "\n" + html.points(notes, "warn") if notes else ""


def _trained(run: Run, environment: Entries, metrics: Metrics) -> str:
    config, network = run.config, environment.get("network", {})
    corpus, settling = environment.get("corpus", {}), run.config.settling
    samples = ", ".join(f"{split} {count:,d}" for split, count in corpus.get("samples", {}).items())
    spent = sum(sum(record["seconds"].values()) for record in metrics)
    memory = [record["peak_memory_mib"] for record in metrics if numbers.known(record.get("peak_memory_mib"))]
    parameters = network.get("parameters")
    chip = "none" if config.chip is None else config.chip.name
    dense = ", ".join(map(str, config.network.dense))
    estimator, optimiser = config.estimator, config.optimiser
    points = f", {estimator.points} points" if estimator.points > 2 else ""
    update = None if config.chip is None else config.chip.update
    trains = update is not None and update.scaled and "signals" in update.facts.takes
    plain = ", carried out as plain SGD" if trains and optimiser.kind != "sgd" else ""
    found = "; sweeps as a calibration finds them" if settling.stop == CALIBRATED and update is not None else ""
    steps = f"{settling.free_steps} free and {settling.nudged_steps} nudged steps"
    rows = [
        ("network", f"{config.network.kind}, dense layers {dense}, read-out {config.network.readout}"),
        ("parameters", "" if parameters is None else f"{parameters:,d}"),
        ("corpus", f"{corpus.get('name', config.data.name)}" + (f": {samples} samples" if samples else "")),
        ("engine", f"{config.engine.kind}, {config.engine.dtype}; chip {chip}"),
        ("settling", f"{settling.order}, at most {steps}{found}"),
        ("estimator", f"{estimator.kind}{points}, beta {estimator.beta:g}"),
        (
            "optimiser",
            f"{optimiser.kind}{plain}, rates {optimiser.projection_rate:g} (projections), "
            f"{optimiser.dense_rate:g} (dense)",
        ),
        (
            "epochs",
            f"{len(metrics)} of {config.training.epochs}, with {metrics[-1]['updates']:,d} updates" if metrics else "0",
        ),
        ("time", numbers.seconds(spent) if metrics else ""),
        ("memory", f"{max(memory):,.0f} MiB at most" if memory else ""),
    ]
    return html.subtitle("What was trained") + "\n" + html.pairs(rows)
