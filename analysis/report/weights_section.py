"""Weights and, on a chip, conductances before and after learning, from the checkpoint alone: no data are needed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from analysis.pictures import devices, style
from analysis.report import page
from hw_models.arrays.crossbar import Crossbar
from neuroep.errors import NeuroepError
from neuroep.network import Network, builders as networks
from neuroep.runs import directory as runs
from neuroep.runs.building import build_engine, build_network
from neuroep.runs.checkpoints import Checkpoint
from neuroep.runs.directory import Run

MOST = 9
"""Most pictures of one section."""
LARGEST_DRAWN = 40_000_000
"""Most parameters whose initial values are drawn again."""
LARGEST_BUILT = 4_000_000
"""Most parameters that are put on a chip again."""
SIZE = (3.2, 2.7)
"""Of a histogram [inch]."""


def network_of(run: Run, saved: Checkpoint) -> Network | None:
    """Return the network of a checkpoint, the length of its word vectors read off the projections."""
    widths = [array.shape[1] for name, array in saved.parameters.items() if name.startswith("query")]
    widths = [width for width in widths if width]
    if not widths:
        return None
    network = build_network(run.config, widths[0])
    saved.check_network(network.signature())
    return network


def initial(run: Run, environment: Mapping[str, Any], saved: Checkpoint) -> tuple[Mapping[str, Any] | None, str]:
    """Return the weights that a run started from, if they can be known, and where they come from."""
    if not saved.about.data:
        return None, "The weights were imported: no initial ones are known."
    start = environment.get("start")
    if start:
        try:
            other = runs.load(Path(start)).checkpoint(optimiser=False)
            other.check_network(saved.about.network)
        except (NeuroepError, OSError):
            return (
                None,
                f"It started from the weights of '{start}', which is not there: only the weights after are shown.",
            )
        return other.parameters, f"Before: the weights of '{start}' as they are now."
    network = network_of(run, saved)
    if network is None or sum(array.size for array in saved.parameters.values()) > LARGEST_DRAWN:
        return None, "The network is too large to draw its initial weights again: only the weights after are shown."
    settings = run.config.network
    drawn = networks.initial_parameters(
        network, run.config.training.seed, settings.output_bias, settings.projection_identity
    )
    return drawn, f"Before: the initial weights, drawn again by seed {run.config.training.seed}."


def weights_section(run: Run, environment: Mapping[str, Any], saved: Checkpoint) -> str:
    """Return a histogram of each weight matrix before and after learning, and how far each moved."""
    before, note = initial(run, environment, saved)
    names = ordered(run, saved)
    figures: list[str] = []
    rows = []
    for name in names:
        after = saved.parameters[name]
        first = None if before is None else before[name]
        rows.append(_moved(name, first, after))
        if len(figures) < MOST:
            ax, title = style.axes(None, *SIZE), name.removesuffix(".weight")
            devices.plot_weight_histograms(
                after if first is None else first, None if first is None else after, ax, title=title
            )
            ax.set_title(title, fontsize=style.TEXT, loc="left")
            figures.append(page.picture(ax, "", f"histogram of {name}"))
    heads = ("weights", "shape", "std before", "std after", "largest after", "relative change")
    left_out = f" {len(names) - MOST} more matrices are in the table." if len(names) > MOST else ""
    about = f"Share of the weights by value: filled after, outlined before learning. {note}{left_out}"
    shown = [page.side_by_side(*figures), page.paragraph(about, "note"), page.table(heads, rows)]
    return page.section("Weights", *shown)


def ordered(run: Run, saved: Checkpoint) -> list[str]:
    """Return the names of the weight matrices from input to output, where the network is known."""
    names = [name for name in saved.parameters if name.endswith(".weight")]
    network = network_of(run, saved)
    known = [] if network is None else [f"{synapse.name}.weight" for synapse in network.synapses]
    return sorted(names, key=lambda name: known.index(name) if name in known else len(known))


def _moved(name: str, before: Any, after: np.ndarray) -> tuple[str, ...]:
    shape = " x ".join(map(str, after.shape))
    ends = (f"{after.std():#.3g}", f"{np.abs(after).max(initial=0):#.3g}")
    if before is None:
        return name, shape, "–", *ends, "–"
    length = float(np.linalg.norm(before))
    change = float(np.linalg.norm(after - before)) / length if length else math.nan
    return name, shape, f"{np.std(before):#.3g}", *ends, f"{change:.2f}"


def conductances_section(run: Run, environment: Mapping[str, Any], saved: Checkpoint) -> str:
    """Return histograms of the conductances of each crossbar; nothing without one."""
    chip = run.config.chip
    if chip is None or chip.substrate != "crossbar":
        return ""
    title = "Conductances"
    if sum(array.size for array in saved.parameters.values()) > LARGEST_BUILT:
        return page.section(title, page.paragraph("The network is too large to put it on the chip again here.", "note"))
    after = _crossbars(run, saved, saved.parameters, as_learned=True)
    start, _ = initial(run, environment, saved)
    before = {} if start is None else _crossbars(run, saved, start, as_learned=False)
    figures = []
    for name, crossbar in list(after.items())[:MOST]:
        ax = style.axes(None, *SIZE)
        now = [np.asarray(values) for values in crossbar.conductances()]
        paired = crossbar.devices.paired
        if name in before:
            then = [np.asarray(values) for values in before[name].conductances()]
            devices.plot_conductance_histograms(then, now, paired=paired, ax=ax)
        else:
            devices.plot_conductance_histograms(crossbar, ax=ax)
        ax.set_title(name, fontsize=style.TEXT, loc="left")
        figures.append(page.picture(ax, "", f"conductances of {name}"))
    about = (
        "Share of the devices by conductance, drift included, on a logarithmic scale: filled as the checkpoint left "
        "them, outlined as they were before learning. Devices at the ends of their range cannot go further."
    )
    return page.section(title, page.side_by_side(*figures), page.paragraph(about, "note"))


def _crossbars(
    run: Run, saved: Checkpoint, parameters: Mapping[str, Any], as_learned: bool
) -> dict[str, Crossbar]:
    """Return the crossbars of a run with these weights, programmed, or the devices as the checkpoint holds them."""
    network = network_of(run, saved)
    if network is None:
        return {}
    engine: Any = build_engine(run.config, network, parameters)
    if as_learned and saved.devices:
        engine.load_optimiser_state(saved.optimiser, saved.devices)
    arrays = {name: getattr(array, "crossbar", None) for name, array in engine.arrays.items()}
    return {name: crossbar for name, crossbar in arrays.items() if isinstance(crossbar, Crossbar)}
