"""From files of measurements to a chip: each file fitted by its kind, one chip of all, as TOML with its estimates.

    found = fit_files(["pulses.csv", "drift.csv"])
    found.chip, found.response, found.laws
    save(found, "my_device.toml")
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from hw_models.chip import DAC, Cell, Chip, Device, Layout, Timing, Update
from hw_models.errors import ChipError, unknown
from hw_models.measured import read_voltages, summary
from hw_models.measured.current_fit import fit_currents
from hw_models.measured.curves import ANEW, Curves
from hw_models.measured.file_text import ENDINGS, text_of
from hw_models.measured.law_fits import LawFit
from hw_models.measured.programming_error import fit_programming
from hw_models.measured.pulse_tables import read_curves, read_npz
from hw_models.measured.read_noise_fit import fit_read_noise
from hw_models.measured.reading_noise import shared_out
from hw_models.measured.response import ResponseFit, fit_response
from hw_models.measured.retention_fit import fit_retention
from hw_models.measured.shares import asked, laid_out
from hw_models.measured.tables import MeasuredTable, kind_of, passed_over, read_table
from hw_models.measured.units import SHARES
from hw_models.reading import Page
from hw_models.text import lined
from hw_models.whole_files import write_text

INTEGRATION, PULSE = 40e-9, 5e-9
"""Seconds of a read and of a pulse, estimates for arrays that learn: Rasch et al., Nat. Commun. 15:7133, 2024."""
LAWFUL = ("programming", "read_noise", "retention", "iv")
"""Kinds of measurement whose law can be asked for by name; pulses have a response."""


@dataclass(frozen=True)
class MeasuredChip:
    """What files of measurements made."""

    chip: Chip
    sources: Mapping[str, tuple[str, ...]]
    """Names of the files by kind."""
    response: ResponseFit | None
    laws: tuple[LawFit, ...]

    def as_text(self) -> str:
        """Return what was found, in words."""
        parts = []
        for kind, names in self.sources.items():
            lines = summary.of_response(self.response) if kind == "pulses" and self.response else None
            lines = lines or summary.of_law(next(one for one in self.laws if one.kind == kind))
            parts.append(lined([f"From {', '.join(names)}.", *lines]))
        return "\n\n".join(parts)


def fit_files(
    paths: Sequence[str | Path],
    *,
    name: str = "measured",
    kind: str | None = None,
    response: str = "auto",
    readings: str = "write",
    g_min: float | None = None,
    g_max: float | None = None,
    citation: str = "",
    law: Mapping[str, str] | None = None,
) -> MeasuredChip:
    """Fit files of measurements and make a chip of what they say.

    Parameters
    ----------
    paths : sequence of str or Path
        CSV, or NPZ of pulses. Several files of pulses are devices of one group; of any other kind one is taken.
    name : str
        Of the chip.
    kind : str, optional
        Of all files, where their columns do not tell it.
    response, readings, g_min, g_max
        As of :func:`hw_models.measured.response.fit_response`; the range goes for all laws.
    citation : str
        Of the measurements.
    law : mapping of str to str, optional
        Laws to take, by kind of measurement, ``{"read_noise": "proportional"}``; the response to pulses has an argument
        of its own.

    Raises
    ------
    ChipError
        If a file cannot be read, or what it holds cannot be fitted; one line that names it.
    """
    if not paths:
        raise ChipError("no file of measurements is given")
    for end, size in (("g_min", g_min), ("g_max", g_max)):
        if size is not None and not (np.isfinite(size) and size >= 0):
            raise ChipError(f"{end} = {size!r}: a conductance from 0 is needed [uS]")
    curves, tables, sources, volts = _opened([Path(path) for path in paths], kind, (g_min, g_max))
    _check_laws(law or {}, sources)
    _check_scales(curves, tables, sources)
    for what, value, usual in (("response", response, "auto"), ("readings", readings, "write")):
        if not curves and value != usual:
            raise ChipError(f"option {what} = '{value}': it goes with pulse curves, and none of the files holds any")
    found: ResponseFit | None = None
    if curves:
        try:
            joined = _joined(curves)
            found = fit_response(joined, response=response, readings=readings, g_min=g_min, g_max=g_max)
        except ChipError as error:
            raise ChipError(f"{', '.join(sources['pulses'])}: {error}") from None
        g_min, g_max = found.g_min, found.g_max
    laws = _laws(tables, g_min, g_max, law or {}, volts)
    if found is not None:
        found = shared_out(found, next((law for law in laws if law.kind == "read_noise"), None))
    caveat = _caveat(sources, found)
    asked = [f"'{one.law}' for {one.kind}" for one in laws if one.asked]
    caveat += f" Laws that were asked for: {', '.join(asked)}." if asked else ""
    made = _chip(name, citation or _citation(sources), found, laws, (g_min, g_max), caveat)
    return MeasuredChip(made, sources, found, tuple(laws))


Opened = tuple[list[Curves], dict[str, MeasuredTable], dict[str, tuple[str, ...]], dict[str, frozenset[float]]]


def _opened(paths: list[Path], kind: str | None, ends: tuple[float | None, float | None] = (None, None)) -> Opened:
    curves: list[Curves] = []
    tables: dict[str, MeasuredTable] = {}
    sources: dict[str, tuple[str, ...]] = {}
    volts: dict[str, frozenset[float]] = {}
    for path in paths:
        if path.suffix.lower() not in ENDINGS and path.is_file():
            try:
                text_of(path)
            except (ChipError, OSError) as error:
                raise ChipError(f"'{path}': {error}") from None
        if path.suffix.lower() not in ENDINGS:
            raise ChipError(f"'{path}': a file named {', '.join(ENDINGS[:-1])} or {ENDINGS[-1]} is needed")
        if path.suffix.lower() == ".npz":
            if kind not in (None, "pulses"):
                raise ChipError(f"'{path}': an NPZ holds pulses, and kind '{kind}' is asked for")
            own = "pulses"
            curves.append(read_npz(path, *ends))
        else:
            table = read_table(path)
            own = kind_of(table, kind)
            volts |= {} if own == "iv" else {path.name: read_voltages.stated(table)}
            if own == "pulses":
                found = read_curves(table, *ends)
                curves.append(replace(found, notes=(*found.notes, *passed_over(table, own))))
            elif own in tables:
                raise ChipError(f"'{path}': it is {own} as '{tables[own].path}' is: join them, with a column device")
            else:
                tables[own] = table
        sources[own] = (*sources.get(own, ()), path.name)
    return curves, tables, sources, volts


def _check_scales(
    curves: list[Curves], tables: Mapping[str, MeasuredTable], sources: Mapping[str, tuple[str, ...]]
) -> None:
    """Refuse shares of a range that nobody gave beside conductances in uS."""
    if not any(one.open_range for one in curves):
        return
    others = [kind for kind, table in tables.items() if kind != "iv" and not set(table.unit.values()) & set(SHARES)]
    if others or not all(one.open_range for one in curves):
        beside = ", ".join(sources[others[0]]) if others else "other curves"
        shown = f"{', '.join(sources['pulses'])}: conductances are shares, and {beside} in uS"
        raise ChipError(f"{shown}: {asked()}")


def _check_laws(law: Mapping[str, str], sources: Mapping[str, tuple[str, ...]]) -> None:
    """Refuse laws of kinds that there are not, that have another option, or of which no file is given."""
    for kind in law:
        if kind == "pulses":
            raise ChipError("law of pulses: option response chooses it")
        if kind not in LAWFUL:
            raise ChipError(unknown("kind of law", kind, LAWFUL))
        if kind not in sources:
            raise ChipError(f"law of {kind}: the files hold {', '.join(sources)}")


def _joined(curves: list[Curves]) -> Curves:
    """Return curves of several files as one group of devices."""
    if len(curves) == 1:
        return curves[0]
    for n, one in enumerate(curves):
        if any(np.array_equal(one.conductance, other.conductance, equal_nan=True) for other in curves[:n]):
            raise ChipError("two of these files hold the same readings: a file counts once")
    alone = [next((way for way in (1, -1) if not one.count(-way)), 0) for one in curves]
    if {1, -1} <= set(alone):
        told = "both branches of a device belong into one file, 'pulse number', 'LTP [uS]', 'LTD [uS]'"
        raise ChipError(f"one file has pulses up alone, and another pulses down alone: {told}")
    most = max(one.conductance.shape[1] for one in curves)
    g, pulses, cycle, names = [], [], [], []
    for n, one in enumerate(curves, 1):
        pad = ((0, 0), (0, most - one.conductance.shape[1]))
        g.append(np.pad(one.conductance, pad, constant_values=np.nan))
        pulses.append(np.pad(one.pulses, pad, constant_values=ANEW))
        cycle.append(np.pad(one.cycle, pad))
        names += [f"{n}/{name}" for name in one.names]
    notes = tuple(dict.fromkeys(note for one in curves for note in one.notes))
    open_range = any(one.open_range for one in curves)
    return Curves(np.concatenate(g), np.concatenate(pulses), np.concatenate(cycle), tuple(names), notes, open_range)


def _laws(
    tables: dict[str, MeasuredTable],
    g_min: float | None,
    g_max: float | None,
    law: Mapping[str, str],
    volts: Mapping[str, frozenset[float]],
) -> list[LawFit]:
    """Return the fits of all other kinds, of one range; ``law`` has those that are asked for.

    ``volts`` are the read voltages that files of conductances state, by file.
    """
    laid = {kind: laid_out(table, kind, g_min, g_max) for kind, table in tables.items()}
    tables = {kind: table for kind, (table, _) in laid.items()}
    if g_max is None:
        tops = [float(table.numbers(column).max()) for table in tables.values()
                for column in ("target", "conductance") if table.has(column)]  # fmt: skip
        g_max = max(tops, default=None)
    found: list[LawFit] = []
    drift_start = 20.0
    if "retention" in tables:
        found.append(fit_retention(tables["retention"], g_min, g_max, law.get("retention")))
        drift_start = float(str(found[0].device.get("drift_start", drift_start)))
    if "programming" in tables:
        found.append(fit_programming(tables["programming"], g_max, law.get("programming")))
    if "read_noise" in tables:
        own = {"drift_start": drift_start, "asked": law.get("read_noise")}
        found.append(fit_read_noise(tables["read_noise"], g_max, **own))  # type: ignore[arg-type]
    if "iv" in tables:
        one = fit_currents(tables["iv"], law.get("iv"), read_voltages.agreed(volts))
        line = read_voltages.told(volts, float(np.abs(one.sketch.x).max())) if "iv" in one.device else ""
        found.append(replace(one, notes=(*one.notes, line)) if line else one)
    return [
        replace(
            one, notes=(*one.notes, *laid[one.kind][1], *passed_over(tables[one.kind], one.kind)), asked=one.kind in law
        )
        for one in found
    ]


def _citation(sources: Mapping[str, tuple[str, ...]]) -> str:
    return f"measured: {', '.join(name for names in sources.values() for name in names)}"


def _caveat(sources: Mapping[str, tuple[str, ...]], found: ResponseFit | None) -> str:
    what = {
        "pulses": "response to pulses", "programming": "error of programming", "read_noise": "read noise",
        "retention": "retention", "iv": "current by voltage",
    }  # fmt: skip
    there = ", ".join(what[kind] for kind in sources)
    notes = [note for note in (found.notes if found else ()) if "assumed" in note or "does not fit" in note]
    if found and found.curves.open_range:
        notes.append("Conductances were measured as shares: how many uS they are is made up.")
    return " ".join([f"Fitted to measurements of the {there}; all else is ideal.", *notes])


def _chip(
    name: str,
    citation: str,
    found: ResponseFit | None,
    laws: list[LawFit],
    g: tuple[float | None, float | None],
    caveat: str,
) -> Chip:
    fields: dict[str, object] = {}
    for law in laws:
        fields |= law.device
    if g[1] is None:
        tops = [float(str(law.device["programming_noise_g_max"])) for law in laws if law.kind == "programming"]
        tops += [float(law.sketch.x.max()) for law in laws if law.kind == "read_noise"]
        g = (g[0], max(tops, default=None))  # type: ignore[type-var]
    ends = zip(("g_min", "g_max"), g, strict=True)
    fields |= {end: float(f"{value:.5g}") for end, value in ends if value is not None}
    timing = Timing()
    if "retention" in fields:
        if found is not None:
            timing = Timing(integration=INTEGRATION, pulse=PULSE)
            caveat += f" A read of {INTEGRATION:g} s and a pulse of {PULSE:g} s are assumed, for the clock of the loss."
        else:
            del fields["retention"]
            fields.pop("retention_spread", None)
            caveat += " The loss acts on a chip that learns by pulses: it is left out, as no pulse curves were given."
    if "relaxation_times" in fields or "drift_mean" in fields:
        ages = [law.sketch.x.max() for law in laws if law.kind == "retention"]
        ages += [fields["relaxation_times"][1]] if "relaxation_times" in fields else []  # type: ignore[index]
        fields["age"] = float(f"{max(ages):.4g}")
        caveat += f" Deployed it is read {fields['age']:g} s after its last write, the last time that was measured."
    dac = DAC()
    if "iv" in fields:
        dac = DAC(bits=8)
        caveat += " A DAC of 8 bits is assumed, whose full scale is the read voltage."
        told = (note for law in laws for note in law.notes if law.kind == "iv" and note.startswith("Read voltage: "))
        caveat += "".join(f" {note}" for note in told)
    if found is None:
        device = Device(**fields)  # type: ignore[arg-type]
        return Chip(name=name, citation=citation, caveat=caveat, device=device, dac=dac)
    if found.read_noise and "read_noise" in fields:
        caveat += (
            f" Read noise is that of its own file: the {found.read_noise:.3g} uS by which readings behind pulses stray"
            " are not used."
        )
    if found.read_noise:
        fields.setdefault("read_noise", float(f"{found.read_noise:.4g}"))
    sided = found.one_sided
    cell = Cell(kind="one_sided") if sided else Cell()
    device = Device(pulse=found.pulse, cell=cell, **fields)  # type: ignore[arg-type]
    return Chip(
        name=name, citation=citation, caveat=caveat, device=device,
        crossbar=Layout(mapping="differential" if sided else "offset"), update=Update(scheme="pulsed"), timing=timing,
        dac=dac,
    )  # fmt: skip


def save(found: MeasuredChip, path: str | Path) -> None:
    """Write the chip as TOML, what was found as comments above.

    Raises
    ------
    ChipError
        If the disk refuses.
    """
    path = Path(path)
    if path.suffix.lower() != ".toml":
        raise ChipError(f"chip '{path}': a file named .toml is needed")
    head = "".join(f"# {line}".rstrip() + "\n" for line in found.as_text().splitlines())
    try:
        write_text(path, f"{head}\n{as_toml(found.chip)}")
    except OSError as error:
        raise ChipError(f"cannot write chip '{path}': {error.strerror or error}") from None


def as_toml(chip: Chip) -> str:
    """Return what differs from an ideal chip, as TOML."""
    import tomli_w

    found: Page = {"name": chip.name, "citation": chip.citation, "caveat": chip.caveat}
    for name, value in chip.differences().items():
        *path, leaf = name.split(".")
        place = found
        for table in path:
            place = place.setdefault(table, {})
        place[leaf] = list(value) if isinstance(value, tuple) else value
    return tomli_w.dumps(found)

