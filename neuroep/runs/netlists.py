"""A settled network on a chip as a SPICE netlist: `neuroep export RUN --chip X --sample N --out net.cir`.

    found = neuroep.export("runs/reviews", "net.cir", chip="rram", sample=3)
    found.reads["dense_1_f"].currents          # of every ammeter [A], as they are computed here

A sample settles in the free phase on the chip, at the age of its devices, as in an evaluation. Then every product that
its neurons read is a circuit at DC: the settled signals behind the DAC as voltage sources, the devices as they conduct
now, the segments of the lines, and an ammeter at 0 V on every line that is sensed. The crossbars of a network are
written once, as subcircuits, and each read is an instance: forward (``_f``), transposed (``_b``), and one for every
token that a projection reads (``_t0``, ...); of analog attention the crossbar of the sample's patterns, read with the
drive of every token (``_q0``, ...) and with its attention weights (``_p0``, ...). Dense neurons are nodes whose voltage
is their state, computed by SPICE from the currents. With ``loop`` they drive the lines themselves, so that SPICE finds
the settled state of the dense layers on its own.

Units: ohm, V, A; a line that the full scale of the DAC drives is at ``device.read_voltage``, 1 V where the chip names
none. Left out are the DAC's noise, the ADC (every current counts as it is), noise of reads, errors of what senses, the
digitiser of states, and the softmax: what attention layers show are sources.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hw_models.chip import Chip, pages
from hw_models.keywords import checked
from hw_models.netlist.reads import ReadCircuit
from hw_models.netlist.text import comment
from hw_models.reading import Page
from hw_models.text import lined
from hw_models.whole_files import check_plain, write_text
from neuroep import __version__
from neuroep.errors import ConfigError, DataError, given_as, reason
from neuroep.runs.arguments import check_kind, check_overrides, check_path, whole
from neuroep.runs.neuron_nodes import NeuronNodes
from neuroep.runs.overrides import dotted
from neuroep.runs.session import Session, Source
from neuroep.runs.settled_circuits import SettledCircuits
from neuroep.runs.tables import Tabular

KIND = "engine.kind"
OPTIONS = ".options reltol=1e-9 abstol=1e-16 vntol=1e-13 itl1=1000"
"""Tolerances of Newton's method, which acts where something is not linear."""


@dataclass(frozen=True, repr=False)
class Netlist(Tabular):
    """A netlist that was written, and what it should give."""

    out: Path
    chip: str
    split: str
    sample: int
    reads: Mapping[str, ReadCircuit]
    """By label."""
    neurons: Mapping[str, NeuronNodes]
    """By layer."""
    elements: int
    """Devices and segments, instances counted."""

    @property
    def currents(self) -> dict[str, float]:
        """Currents of all ammeters [A] as computed here, by their nodes."""
        return {node: value for read in self.reads.values() for node, value in read.currents.items()}

    @property
    def states(self) -> dict[str, float]:
        """Settled states of the dense neurons [V], by their nodes."""
        return {node: value for nodes in self.neurons.values() for node, value in nodes.expected().items()}

    def as_dict(self) -> Page:
        """Return plain values."""
        return {
            "out": str(self.out),
            "chip": self.chip,
            "split": self.split,
            "sample": self.sample,
            "elements": self.elements,
            "reads": list(self.reads),
            "currents": self.currents,
            "states": self.states,
        }

    def table(self) -> list[Page]:
        """Return a row for each ammeter: its read, its node, and what it should show [A]."""
        return [
            {"read": label, "node": node, "ampere": value}
            for label, read in self.reads.items()
            for node, value in read.currents.items()
        ]

    def units(self) -> dict[str, str]:
        """Return the unit of currents."""
        return {"ampere": "A"}

    def caption(self) -> str:
        """Return what was written."""
        return self.as_text()

    def as_text(self) -> str:
        """Return a few lines for reading."""
        number = f"{self.elements:,} devices and segments in {len(self.reads)} reads"
        measured = f"{len(self.currents)} ammeters, {len(self.states)} neurons"
        return lined([f"{self.out}: sample {self.sample} of {self.split} on {self.chip}", f"  {number}, {measured}"])


@checked(ConfigError)
def export(
    source: Source,
    out: str | Path,
    *,
    chip: Chip | str | Path | None = None,
    sample: int = 0,
    split: str = "test",
    overrides: Sequence[str] = (),
    arrays: Sequence[str] = (),
    tokens: int | None = None,
    loop: bool = False,
) -> Netlist:
    """Write the SPICE netlist of one sample, settled on a chip.

    Parameters
    ----------
    source : str, Path, Config or Run
        Run directory, or a configuration with its initial weights.
    out : str or Path
        File to write, old or new at every moment.
    chip : Chip, str or Path, optional
        Chip to run on; default that of the source.
    sample : int
        Number of the sample in its split, from 0.
    split : str
        Name of the split.
    overrides : sequence of str
        Settings to change.
    arrays : sequence of str
        Synapses whose arrays are written; default all.
    tokens : int, optional
        Tokens whose projections are written, the first ones; default all.
    loop : bool
        Let dense neurons drive the lines, without a DAC.

    Raises
    ------
    ConfigError
        If there is no chip, it has no crossbars, a synapse is not there, the netlist would be too large, or the file
        cannot be written.
    DataError
        If there is no such sample.
    ChipError
        If the chip's reads are no DC circuit.
    """
    check_path("out", out, "the netlist to write")
    check_kind("split", split, str, "the name of a split")
    check_overrides(overrides)
    sample = whole("sample", sample, 0)
    most = None if tokens is None else whole("tokens", tokens, 0)
    _check_place(Path(out))
    session = _opened(source, chip, overrides)
    held = len(session.corpus.split(split))
    if 0 < held <= sample:
        where = f"split '{split}' of data '{session.corpus.name}' has {held} samples, 0 to {held - 1}"
        raise DataError(f"sample is {sample}: {where}")
    with session.engine.aged(), session.engine.during("evaluate"):
        batch = session.batch(split, np.array([sample])).keyed("export", split, sample)
        clamped = session.engine.clamp(batch)
        settled = session.engine.settle(clamped, session.estimator.free)
        circuits = SettledCircuits(session, clamped, settled, arrays, most, loop)
        title = pages.label(session.config.chip) if session.config.chip is not None else ""
        found = Netlist(Path(out), title, split, sample, circuits.reads(), circuits.neurons(), circuits.elements)
        lines = [*_header(found, session, int(batch.labels[0]), loop), *circuits.statements(), *_ending(found, loop)]
    try:
        write_text(out, "\n".join(lines) + "\n")
    except OSError as error:
        raise ConfigError(f"cannot write '{out}': {reason(error)}") from None
    return found


def _check_place(out: Path) -> None:
    """Refuse, before anything is settled, a place where no file can be."""
    try:
        check_plain(out)
    except OSError as error:
        raise ConfigError(f"cannot write '{out}': {reason(error)}") from None
    if not out.parent.is_dir():
        raise ConfigError(f"cannot write '{out}': there is no directory '{out.parent}'")


def _opened(source: Source, chip: Chip | str | Path | None, overrides: Sequence[str]) -> Session:
    """Open a session on crossbars, on the local engine, whose draws are those of the other one."""
    given = zip(overrides[::2], overrides[1::2], strict=True)
    kinds = [value for option, value in given if option != "--chip" and dotted(option)[0] == KIND]
    if any(kind != "local" for kind in kinds):
        raise ConfigError(f"{KIND} is '{kinds[0]}': a netlist is made on the local engine, leave it out")
    session = Session.open(source, chip=chip, overrides=[*overrides, f"--{KIND}", "local"])
    found = session.config.chip
    if found is None:
        raise ConfigError(f"there is no chip to export: add {given_as('--chip NAME', 'chip=NAME')}")
    if found.substrate == "event_driven":
        raise ConfigError(f"chip '{found.name}' is event_driven: it holds integers, and no devices to be exported")
    return session


def _header(found: Netlist, session: Session, label: int, loop: bool) -> Iterator[str]:
    """Yield the title and what stands in the netlist."""
    chip, corpus = session.config.chip, session.corpus
    voltage = None if chip is None else chip.device.read_voltage
    yield comment(f"neuroep {__version__}: sample {found.sample} of {found.split}, settled on chip {found.chip}")
    yield comment(f"data {corpus.name}, class of the sample {corpus.classes[label]}")
    yield comment("units: ohm, V, A; 1 uS is 1e-6 A/V")
    full = f"{voltage!r} V, device.read_voltage" if voltage else "1 V, as the chip names no device.read_voltage"
    yield comment(f"a line driven by the full scale of its DAC (1 without one) is at {full}")
    yield comment("in: devices as they conduct now, line segments, signals of the free phase behind the DAC, bias;")
    yield comment("  ammeters at 0 V on sensed lines, behind them the current that neuroep computes;")
    yield comment("  dense neurons, 1 V for a state of 1, behind them the settled state")
    yield comment("out: noise, ADC, errors of what senses, digitiser of states, softmax; attention states are sources")
    if chip is not None and chip.wires.refresh_every > 1:
        kept = f"wires.refresh_every = {chip.wires.refresh_every}"
        yield comment(f"{kept}: currents are of the wires as they are, settled states of the attenuation solved last")
    if loop:
        yield comment("loop: dense neurons drive the lines, without a DAC; the operating point is their settled state")
    for name_of, read in found.reads.items():
        yield comment(f"read {name_of}: {read.circuit.crossbar.name}, {read.way}")


def _ending(found: Netlist, loop: bool) -> Iterable[str]:
    """Return where Newton's method starts, its tolerances, and the analysis."""
    starts = [f".nodeset V({node})={value!r}" for node, value in found.states.items()] if loop else []
    return [*starts, OPTIONS, ".op", ".end"]
