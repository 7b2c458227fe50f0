"""The page of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from analysis.pictures import counters, style, training as pictures
from analysis.report import numbers, page
from analysis.report.behaviour_section import behaviour_section
from analysis.report.chip_section import chip_section
from analysis.report.settings_section import SAVED, settings_section
from analysis.report.weights_section import conductances_section, weights_section
from neuroep.runs import training
from neuroep.runs.directory import Run

MOST_EPOCHS = 120
"""Most lines of the table of epochs; of more some at equal distances."""
Metrics = Sequence[Mapping[str, Any]]


def run_page(run: Run) -> str:
    """Return the page of a run."""
    environment = run.environment
    metrics: Metrics = numbers.without_gaps(run.metrics)
    saved = run.checkpoint()
    sections = [
        summary(run, environment, metrics),
        epochs_section(metrics),
        counters_section(metrics),
        behaviour_section(run, saved),
        weights_section(run, environment, saved),
        conductances_section(run, environment, saved),
        chip_section(run.config.chip),
        settings_section(_command(run, environment), run.config, environment, *_notes(run, environment)),
    ]
    lead = f"A training run: {run.config.network.kind} network on '{run.config.data.name}', {_on(run)}."
    return page.document(f"Run {run.path.resolve().name}", lead, sections)


def _on(run: Run) -> str:
    engine = f"{run.config.engine.kind} engine"
    return f"{engine}, exact arithmetic" if run.config.chip is None else f"{engine} on chip {run.config.chip.name}"


def _command(run: Run, environment: Mapping[str, Any]) -> list[str]:
    if not run.metrics:
        return []
    start = environment.get("start")
    return [
        "neuroep",
        "train",
        SAVED,
        *(["--from", str(start)] if start else []),
        "--out",
        f"{run.path.resolve().name}-again",
    ]


def _notes(run: Run, environment: Mapping[str, Any]) -> list[str]:
    seed = f"Seed {run.config.training.seed}. The same settings give the same weights bit for bit on the same machine."
    start = environment.get("start")
    return [seed, *([f"It started from the weights of '{start}'."] if start else [])]


def summary(run: Run, environment: Mapping[str, Any], metrics: Metrics) -> str:
    """Return what was trained, and the accuracy it ended with."""
    return page.section("In short", _accuracies(metrics), _limits(metrics), _trained(run, environment, metrics))


def _accuracies(metrics: Metrics) -> str:
    if not metrics:
        return page.paragraph("No epoch is finished: the weights are the initial or imported ones.", "warn")
    last = metrics[-1]
    classes = list(dict.fromkeys(name for found in last["evaluate"].values() for name in found.get("per_class", {})))
    heads = ("split", "accuracy", "loss", "samples", *(f"of class {name}" for name in classes), "best epoch")
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
    rows.append(("train, while training", accuracy, loss, numbers.NONE, *blank, numbers.NONE))
    after = f"After epoch {last['epoch']}. Training samples are measured before the update that they make."
    return page.table(heads, rows) + "\n" + page.paragraph(after, "note")


def _best(metrics: Metrics, split: str) -> str:
    found = [
        (record["evaluate"][split]["accuracy"], -record["epoch"]) for record in metrics if split in record["evaluate"]
    ]
    accuracy, epoch = max(found)
    return f"{numbers.share(accuracy, 2)} at {-epoch}"


def _limits(metrics: Metrics) -> str:
    notes = training.notes(metrics[-1]) if metrics else []
    return page.paragraph(f"In the last epoch: {'; '.join(notes)}.", "warn") if notes else ""


def _trained(run: Run, environment: Mapping[str, Any], metrics: Metrics) -> str:
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
    rows = [
        ("network", f"{config.network.kind}, dense layers {dense}, read-out {config.network.readout}"),
        ("parameters", "" if parameters is None else f"{parameters:,d}"),
        ("corpus", f"{corpus.get('name', config.data.name)}" + (f": {samples} samples" if samples else "")),
        ("engine", f"{config.engine.kind}, {config.engine.dtype}; chip {chip}"),
        ("settling", f"{settling.order}, at most {settling.free_steps} free and {settling.nudged_steps} nudged steps"),
        ("estimator", f"{estimator.kind}{points}, beta {estimator.beta:g}"),
        (
            "optimiser",
            f"{optimiser.kind}, rates {optimiser.projection_rate:g} (projections), {optimiser.dense_rate:g} (dense)",
        ),
        (
            "epochs",
            f"{len(metrics)} of {config.training.epochs}, {metrics[-1]['updates']:,d} updates" if metrics else "0",
        ),
        ("time", numbers.seconds(spent) if metrics else ""),
        ("memory", f"{max(memory):,.0f} MiB at most" if memory else ""),
    ]
    return page.subtitle("What was trained") + "\n" + page.pairs(rows)


def epochs_section(metrics: Metrics) -> str:
    """Return accuracy and loss by epoch, as pictures and as a table."""
    if not metrics:
        return ""
    figures = []
    for quantity, seen in (("accuracy", "Percentage predicted right"), ("loss", "Squared error of the outputs")):
        ax = pictures.plot_training({"": metrics}, style.axes(None, 4.95, 3.5), quantity=quantity)
        figures.append(page.picture(ax, f"{seen}, by epoch; dashed while training.", f"{quantity} by epoch"))
    return page.section("Epoch by epoch", page.side_by_side(*figures), _epochs(metrics))


def _epochs(metrics: Metrics) -> str:
    splits = list(metrics[-1]["evaluate"])
    heads = ("epoch", "train loss", "train accuracy", *(f"{name} accuracy" for name in splits), "free steps",
             "nudged steps", "dead outputs", "time")  # fmt: skip
    chosen = numbers.thinned(metrics, MOST_EPOCHS)
    rows = [_epoch(record, splits) for record in chosen]
    best = max(range(len(rows)), key=lambda n: _accuracy(chosen[n], splits))
    shown = page.table(heads, rows, words=(), best=best)
    left_out = [] if len(chosen) == len(metrics) else [f"{len(chosen)} of {len(metrics)} epochs are listed. "]
    note = (
        f"{''.join(left_out)}Shaded: the best of these. Dead outputs are at their lowest state and pass no gradient on."
    )
    told = [f"epoch {record['epoch']}: {'; '.join(found)}" for record in chosen if (found := training.notes(record))]
    listed = "\n".join(page.paragraph(line, "note") for line in told)
    more = page.details(f"What to look at, in {numbers.plural(len(told), 'epoch')}", listed) if told else ""
    return "\n".join([shown, page.paragraph(note, "note"), more])


def _accuracy(record: Mapping[str, Any], splits: Sequence[str]) -> float:
    found = record["evaluate"].get(splits[0], {}) if splits else record["train"]
    value = found.get("accuracy")
    return float(value) if numbers.known(value) else -1.0


def _epoch(record: Mapping[str, Any], splits: Sequence[str]) -> tuple[str, ...]:
    health = record.get("health", {})
    return (
        str(record["epoch"]),
        numbers.number(record["train"]["loss"]),
        numbers.share(record["train"]["accuracy"]),
        *(numbers.share(record["evaluate"].get(name, {}).get("accuracy")) for name in splits),
        numbers.number(health.get("free_steps"), ".1f"),
        numbers.number(health.get("nudged_steps"), ".1f"),
        numbers.share(health.get("dead_outputs")),
        numbers.seconds(training.spent(record)),
    )


def counters_section(metrics: Metrics) -> str:
    """Return what an update and an inference of the last epoch took."""
    if not metrics:
        return ""
    figures, last = [], metrics[-1]
    updated = counters.per_update(metrics)
    if any(number > 0 for number in updated.values()):
        ax = counters.plot_counters({"run": updated}, style.axes(None, 4.95, 3.4), per="update")
        caption = "Counted per weight update over all its samples, free and nudged phases, in the last epoch."
        figures.append(page.picture(ax, caption, "counters per update"))
    for split, found in last["evaluate"].items():
        each = counters.per_inference(found)
        if any(number > 0 for number in each.values()) and len(figures) < 2:
            ax = counters.plot_counters({"run": each}, style.axes(None, 4.95, 3.4))
            figures.append(page.picture(ax, f"Counted per sample of split '{split}'.", "counters per inference"))
    return page.section("What it takes", page.side_by_side(*figures), _at_stop(last.get("counters", {})))


def _at_stop(counted: Mapping[str, float]) -> str:
    """Say which share of the conversions of the last epoch's updates lay beyond the last level."""
    found = {kind: share for kind, share in counters.at_stop(counted).items() if share > 0}
    if not found:
        return ""
    shares = ", ".join(f"{kind} {numbers.share(share, 2)}" for kind, share in found.items())
    return page.paragraph(f"Conversions at the stop, beyond the last level, in the last epoch's updates: {shares}.")
