"""What happened on a chip: which part did which operation how often, on what shape, with how many bits, in which phase.

Counters are sums of a tally, and cost and latency are computed from one afterwards; nothing here weighs anything. Every
part has a tally of its own; those of one chip share a :class:`CurrentPhase`, so that it is said once.

============================  ======================================================================================
operation                     one is
============================  ======================================================================================
forward, transposed           a sample read through a crossbar; see :meth:`hw_models.arrays.crossbar.Crossbar.work`
activation W                  an array of one tile, side and slice read once for a sample
product W                     a sample read through a crossbar, all digits of its code; senders of an event-driven array
                              that look once which states have changed
square W, charge W, bits W    a pS of conductance through which x^2, the size of x in full-scale units, or the share of
                              ones among the bits of its code, was driven,
                              where currents are metered (:mod:`hw_models.arrays.loads`)
dac, adc, addition, read W    a conversion, a digital addition of tile sums, a device read; W the direction
write                         a device, or an integer weight, written
pulse                         a programming pulse of one device
slot                          a slot of the trains of an array, one behind the other
count, counting               a coincidence counted at a device, and a slot of the trains that are counted
firing                        a line that fires in one, where metered
half                          a device on such a line: a coincidence counts on both of its lines
conversion                    a state digitised
conversion_at_stop            such a state beyond the last level, as dac_at_stop and adc_W_at_stop of a crossbar
hold                          a state of one phase held, by a sample-and-hold of its neuron
event W, synaptic W           an event sent, and one synapse it reaches
multiply-add W                of digital arithmetic; W also update, logits, read-out
softmax                       an exponential, and its share of the normalisation: two for each logit
response                      a neuron moved by one step
picosecond                    time on the chip; see :mod:`hw_models.clock`
============================  ======================================================================================
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple, SupportsInt

import numpy as np

PHASES = ("", "free", "nudged", "update", "evaluate", "calibrate")
"""Of a run; "" where nobody said."""
OTHER_PATH = " transposed"
"""Behind the name of an array, that of the other path's own, which is read in its stead."""
METERS = ("", "square", "charge", "bits")
"""What can be summed up of reads: x^2 G, or the size of x times G, where the width of a pulse carries an input, or the
share of ones among its bits, where they are sent one behind the other."""


LATE = 4096
"""Most numbers that a tally waits for."""


class Work(NamedTuple):
    """One kind of thing that happened."""

    part: str
    """Name of the part, for example that of a crossbar."""
    operation: str
    """What it did; see the module."""
    shape: tuple[int, ...] = ()
    """Of what it was done on, for example (out, in) of a weight matrix."""
    bits: int | None = None
    """Of a conversion; None where there is none, or an exact one."""
    phase: str = ""
    """One of :data:`PHASES`."""
    sent: int | None = None
    """Of a read of a crossbar: bits of an input's code, or digit, that are sent; its sign is among them in two's
    complement alone. None where inputs are exact, and where nobody said."""
    span: float = 0.0
    """Of what is done while a chip settles in continuous time: seconds that this one stands for, a time step of the
    simulation; 0 where it is an operation of the chip's own."""


_Row = tuple[str, str, tuple[int, ...], int | None, str, int | None, float]
"""The fields of :class:`Work`: a plain tuple is made in a tenth of the time."""


class Repeated(NamedTuple):
    """Which rows of signals are the same."""

    first: np.ndarray
    """(kinds,) a row of each kind."""
    kind: np.ndarray
    """(rows,) the kind of each row."""


def repeated(kinds: np.ndarray) -> Repeated:
    """Return which rows are the same, of numbers (rows,) of which equal ones stand for equal rows."""
    _, first, kind = np.unique(kinds, return_index=True, return_inverse=True)
    return Repeated(first, kind)


class CurrentPhase:
    """The phase that it is now, for all parts of a chip that share it.

    Attributes
    ----------
    name : str
        One of :data:`PHASES`.
    metered : str
        What crossbars sum up of what their reads draw, for the energy of the cells, one of :data:`METERS`; nothing but
        where it is asked for, as it takes time.
    number : int or numpy.ndarray
        Of the phases that a sample settles in, 0 for the free one and outside; (samples,) where they take turns of
        their own.
    nudge : float
        Its strength, 0 in the free phase.
    rows : numpy.ndarray or None
        (rows,) the sample of each row of signals where a row is not a sample.
    repeated : Repeated or None
        Which of these rows are the same, where that is known and may be made use of.
    span : float
        Seconds that what is done stands for, where a chip settles in continuous time; 0 elsewhere.
    """

    def __init__(self) -> None:
        self.name = self.metered = ""
        self.number: int | np.ndarray = 0
        self.nudge = self.span = 0.0
        self.rows: np.ndarray | None = None
        self.repeated: Repeated | None = None

    @contextmanager
    def metering(self, what: str = "square") -> Iterator[None]:
        """Sum up inside what reads of crossbars draw, and count firings of lines.

        Raises
        ------
        ValueError
            If it is none of :data:`METERS`.
        """
        if what not in METERS:
            raise ValueError(f"metered = {what!r}: allowed are {', '.join(map(repr, METERS))}")
        before, self.metered = self.metered, what
        try:
            yield
        finally:
            self.metered = before

    @contextmanager
    def turn(self, number: int | np.ndarray, nudge: float) -> Iterator[None]:
        """Be in the phase of that number and nudge inside."""
        before = self.number, self.nudge
        self.number, self.nudge = number, nudge
        try:
            yield
        finally:
            self.number, self.nudge = before

    @contextmanager
    def lasting(self, seconds: float) -> Iterator[None]:
        """Let what is done inside stand for so many seconds of continuous time."""
        before, self.span = self.span, seconds
        try:
            yield
        finally:
            self.span = before

    @contextmanager
    def rows_of(self, samples: np.ndarray, repeated: Repeated | None = None) -> Iterator[None]:
        """Have signals inside whose rows belong to these samples, and some of which may be the same."""
        before, self.rows, self.repeated = (self.rows, self.repeated), samples, repeated
        try:
            yield
        finally:
            self.rows, self.repeated = before

    def numbers(self, sample: int | None = None) -> int | np.ndarray:
        """Return the number of the phase: one, or for each row of signals (rows, 1); ``sample`` is that of all rows."""
        if not isinstance(self.number, np.ndarray):
            return self.number
        if sample is not None:
            return int(self.number[sample])
        return self.number[self.rows if self.rows is not None else slice(None)][:, None]

    @contextmanager
    def during(self, name: str) -> Iterator[None]:
        """Be in a phase inside; one that was said further out stays, as the free phase of an evaluation is of it.

        Raises
        ------
        ValueError
            If it is none of :data:`PHASES`.
        """
        if name not in PHASES:
            raise ValueError(f"phase = {name!r}: allowed are {', '.join(map(repr, PHASES))}")
        before, self.name = self.name, self.name or name
        try:
            yield
        finally:
            self.name = before


class Tally:
    """Numbers of what happened.

    Parameters
    ----------
    phase : CurrentPhase, optional
        Of what is added without one; default one of its own.
    """

    def __init__(self, phase: CurrentPhase | None = None) -> None:
        self.now = phase or CurrentPhase()
        self._numbers: dict[_Row, int] = {}
        self._late: list[tuple[_Row, SupportsInt]] = []

    @property
    def phase(self) -> str:
        """The phase that it is now."""
        return self.now.name

    def add(
        self,
        part: str,
        operation: str,
        number: int,
        shape: tuple[int, ...] = (),
        bits: int | None = None,
        phase: str | None = None,
        sent: int | None = None,
        span: float | None = None,
    ) -> None:
        """Add that an operation happened so often; ``phase`` and ``span`` None take those that it is now."""
        name, seconds = self.now.name if phase is None else phase, self.now.span if span is None else span
        work = part, operation, shape, bits, name, sent, seconds
        self._numbers[work] = self._numbers.get(work, 0) + number

    def add_late(
        self,
        part: str,
        operation: str,
        number: SupportsInt,
        shape: tuple[int, ...] = (),
        bits: int | None = None,
    ) -> None:
        """As :meth:`add`, of a number that may be 0, and is asked for what it is when somebody looks: it may be on a
        device, whose work nobody wants to wait for."""
        if not isinstance(number, int):
            self._late.append(((part, operation, shape, bits, self.now.name, None, self.now.span), number))
            if len(self._late) >= LATE:
                self._settle()
        elif number:
            self.add(part, operation, number, shape, bits)

    def _settle(self) -> None:
        """Ask for all numbers that came late."""
        late, self._late = self._late, []
        for work, given in late:
            number = int(given)
            if number:
                self._numbers[work] = self._numbers.get(work, 0) + number

    def put(self, done: Work, number: int) -> None:
        """Add so many of what a row of a tally says."""
        work: _Row = done
        self._numbers[work] = self._numbers.get(work, 0) + number

    def join(self, other: Tally) -> None:
        """Add all that another one holds."""
        other._settle()
        for work, number in other._numbers.items():
            self._numbers[work] = self._numbers.get(work, 0) + number

    def rows(self) -> Iterator[tuple[Work, int]]:
        """Yield what happened, and how often, in the order in which it first did, or was known."""
        self._settle()
        for work, number in self._numbers.items():
            yield Work(*work), number

    def number(self, operation: str, phase: str | None = None, part: str | None = None) -> int:
        """Return how often an operation happened, in one phase or in all, on one part or on all."""
        self._settle()
        rows = self._numbers.items()
        return sum(
            number
            for (where, what, _, _, when, *_), number in rows
            if what == operation and phase in (None, when) and part in (None, where)
        )

    def total(self, kind: str, phase: str | None = None) -> int:
        """Return how often operations happened whose first word this is: ``"adc"`` in both directions."""
        self._settle()
        rows, start = self._numbers.items(), f"{kind} "
        return sum(n for (_, what, _, _, when, *_), n in rows if f"{what} ".startswith(start) and phase in (None, when))

    def clear(self) -> None:
        """Forget everything; the phase stays."""
        self._numbers.clear()
        self._late.clear()

    def packed(self) -> np.ndarray:
        """Return all rows as a checkpoint keeps them, whatever the order in which they came: JSON in bytes, uint8.

        A row is part, operation, shape, bits (-1 for none), phase and number, and behind these what was sent, if any,
        and the seconds that it stands for, if any (-1 then for what was not sent).
        """
        rows = []
        for done, number in self.rows():
            row = [*done[:3], -1 if done.bits is None else done.bits, done.phase, number]
            sent = [] if done.sent is None else [done.sent]
            rows.append([*row, *(sent or [-1]), done.span] if done.span else row + sent)
        rows.sort()
        return np.frombuffer(json.dumps(rows).encode(), dtype=np.uint8).copy()

    def load(self, packed: np.ndarray) -> None:
        """Take over :meth:`packed` in place of what is here.

        Raises
        ------
        ValueError
            If it is none; what was here stays then.
        """
        try:
            rows = json.loads(np.asarray(packed, dtype=np.uint8).tobytes())
            found = dict(_row(*row) for row in rows)
        except (TypeError, ValueError) as error:
            raise ValueError(f"these bytes are no tally: {error}") from None
        self._numbers, self._late = found, []


def _row(
    part: str, operation: str, shape: list[int], bits: int, phase: str, number: int, sent: int = -1, span: float = 0.0
) -> tuple[_Row, int]:
    """Return a row that a checkpoint keeps."""
    own = part, operation, tuple(map(int, shape)), None if bits < 0 else int(bits), phase
    return (*own, None if sent < 0 else int(sent), float(span)), int(number)
