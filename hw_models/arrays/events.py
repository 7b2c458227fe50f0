"""Event-driven digital arrays: sigma-delta neurons, integer synapses.

A sender holds a state x as an integer of its own step, with b state bits over [-range, range]:

    q = clip(rint(x / step), -L, L),    L = 2^(b-1) - 1,    step = range / L

and sends the change q - sent, then sent = q, when |q - sent| step > threshold range. A receiver adds W (q - sent) to
its accumulator A, W an integer of ``weight_bits``, symmetric about 0, so that at any time

    A = W sent,    output = (weight step) (state step) A,    |x - sent step| <= threshold range + step / 2

for a state within the range. With threshold 0 the output is the product of the rounded state, whatever happened before.
The work is the number of events times the fan-out; a settled network sends none. What an update sees of a sender is the
integer q that it holds, never the state behind it. Sigma-delta neurons: Yoon, IEEE Trans.
Neural Netw. Learn. Syst. 28, 1192, 2017; O'Connor and Welling, "Sigma Delta Quantized Networks", ICLR 2017.

What was sent and what was received belongs to one settling of one batch, so it is kept by the caller as a
:class:`Memory` per direction, and copied where a settling forks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from hw_models.chip import Events
from hw_models.chip.fields import LARGEST, SMALLEST
from hw_models.errors import ChipError
from hw_models.kernels import events as event_kernels, noise as noise_kernels, random as randomness
from hw_models.kernels.blocks import Run, blocks, serial
from hw_models.tally import Tally

SAMPLES = 16
"""Most samples of one block."""
ENTRIES = 1 << 20
"""Most weights rounded at a time."""
FORWARD, TRANSPOSED = "forward", "transposed"


@dataclass
class Memory:
    """What one direction of an array has sent and received since it was at rest."""

    sent: np.ndarray
    """int32 (batch, senders), steps of the state."""
    accumulator: np.ndarray
    """int32 or int64 (batch, receivers)."""
    version: int
    """Of the weights that the accumulator belongs to."""

    def copy(self) -> Memory:
        """Return a memory of its own with the same content."""
        return Memory(self.sent.copy(), self.accumulator.copy(), self.version)


class EventArray:
    """One weight matrix as integers, with sigma-delta senders on either side.

    Parameters
    ----------
    events : Events
        Resolution, ranges, threshold.
    shape : tuple of int
        (out, in).
    seed : int
        Seed of the run; keys the rounding of :meth:`step`.
    name : str
        Of the array.
    run : callable, optional
        ``run(task, parts)`` calls ``task(first, last)`` for every part and returns the results in order.
    dtype : str
        Of inputs and outputs.
    tally : Tally, optional
        Where to write what it does, alone: events sent ``"event forward"`` and ``"event transposed"``, the times that
        its senders look at their states, ``"product forward"`` and back, integers at each ``"write"``; default one of
        its own.

    Attributes
    ----------
    integers, mirrored : numpy.ndarray
        The weights, int8 (out, in), and their transpose in memory of its own.
    version : int
        Changes with the weights. A memory of another version gets its accumulator rebuilt from what was sent, exactly;
        a chip would send it again, which is not counted.
    """

    def __init__(
        self,
        events: Events,
        shape: tuple[int, int],
        seed: int,
        name: str,
        run: Run = serial,
        dtype: str = "float32",
        tally: Tally | None = None,
    ) -> None:
        self.events, self.shape, self.name, self.run = events, shape, name, run
        self.dtype = np.dtype(dtype)
        self.integers, self.mirrored = np.zeros(shape, dtype=np.int8), np.zeros(shape[::-1], dtype=np.int8)
        self.weight_range = events.weight_range
        self.ranges = {FORWARD: events.state_range, TRANSPOSED: events.state_range}
        self.version, self.finite, self.observing = 0, True, False
        self.tally = Tally() if tally is None else tally
        self._key = randomness.key(seed, "event", name, "rounding")
        self._largest: dict[str, float] = {}

    @property
    def counters(self) -> dict[str, int]:
        """``events`` sent and synaptic ``operations``, events times fan-out."""
        made = self.performed()
        return {"events": made.total("event"), "operations": made.total("synaptic")}

    def performed(self) -> Tally:
        """Return all it did: beside its tally the synapses that events reached, ``"synaptic forward"`` and back."""
        found = Tally()
        found.join(self.tally)
        for way, receivers in zip((FORWARD, TRANSPOSED), self.shape, strict=True):
            for done, number in self.tally.rows():
                if done.operation == f"event {way}":
                    found.add(self.name, f"synaptic {way}", number * receivers, done.shape, done.bits, *done[4:])
        return found

    @property
    def weight_limit(self) -> int:
        """Largest integer weight."""
        return 2 ** (self.events.weight_bits - 1) - 1

    @property
    def state_limit(self) -> int:
        """Largest integer state."""
        return 2 ** (self.events.state_bits - 1) - 1

    @property
    def weight_step(self) -> float:
        """Weight of the integer 1; unknown before the first programming."""
        if self.weight_range is None:
            raise ChipError(f"array '{self.name}' was never programmed: its weight range comes from the first weights")
        return self.weight_range / self.weight_limit

    def program(self, weight: np.ndarray) -> None:
        """Round a weight matrix (out, in) to integers; the first one decides the range where none is given.

        Raises
        ------
        ChipError
            If the shape is another one, or a weight is not finite or beyond the dtype; nothing has changed then.
        """
        most = float(np.finfo(self.dtype).max)
        if weight.shape != self.shape:
            raise ChipError(f"array '{self.name}': weights of shape {weight.shape}, the array holds {self.shape}")
        full = self.events.weight_headroom * float(np.abs(weight).max(initial=0.0))
        if not full <= most:
            bad = weight.size - np.count_nonzero(np.abs(weight) <= most)
            what = f"{bad} of {weight.size} weights are not finite, or beyond {self.dtype}"
            raise ChipError(f"array '{self.name}': {what}")
        self.finite = True
        self.version += 1
        if self.weight_range is None:
            self.weight_range = full or 1.0
        step, limit = self.weight_step, self.weight_limit
        for first, last in blocks(self.shape[0], max(1, ENTRIES // self.shape[1])):
            rounded = np.rint(weight[first:last] / step)
            self.integers[first:last] = np.clip(rounded, -limit, limit)
            self.mirrored[:, first:last] = self.integers[first:last].T
        self.tally.add(self.name, "write", self.integers.size, self.shape, self.events.weight_bits)

    def step(self, change: np.ndarray, number: int, first_row: int = 0, first_column: int = 0) -> int:
        """Change the integers themselves by a float change, rounded up or down at random with the exact mean.

        Parameters
        ----------
        change : numpy.ndarray
            (rows, columns) of the tile that begins at the two indices, in units of the weight. Integers saturate.
        number : int
            Number of the update: it keys the draws together with the tile's first column and every row.

        Returns
        -------
        int
            How many entries are not finite; from then on all outputs are NaN, until weights are programmed.
        """
        rows, columns = change.shape
        draws = np.empty((rows, 2 * columns), dtype=np.float32)
        noise_kernels.fill_uniforms(self._key, number, first_column, first_row, draws)
        where = (first_row, first_row + rows, first_column, first_column + columns)
        if first_row < 0 or first_column < 0 or where[1] > self.shape[0] or where[3] > self.shape[1]:
            raise ValueError(f"rows {where[:2]} and columns {where[2:]} are not all in an array of {self.shape}")
        tail = (self.weight_step, self.weight_limit, draws, self.integers, self.mirrored)
        bad = event_kernels.nudge(*where, np.ascontiguousarray(change), *tail)
        self.version += 1
        self.finite = self.finite and bad == 0
        self.tally.add(self.name, "write", change.size, self.shape, self.events.weight_bits)
        return int(bad)

    def weights(self) -> np.ndarray:
        """Return the weights that the integers stand for, (out, in)."""
        return self.integers * self.dtype.type(self.weight_step)

    def memory(self, samples: int, transposed: bool = False) -> Memory:
        """Return the memory of a direction at rest: nothing sent, nothing received."""
        senders, receivers = self.shape if transposed else self.shape[::-1]
        wide = senders * self.weight_limit * self.state_limit >= 2**31
        accumulator = np.zeros((samples, receivers), dtype=np.int64 if wide else np.int32)
        return Memory(np.zeros((samples, senders), dtype=np.int32), accumulator, self.version)

    def forward(self, x: np.ndarray, memory: Memory | None = None) -> np.ndarray:
        """Return ``x @ W.T``, (rows, in) to (rows, out), by the events since ``memory``, which is moved in place.

        Without a memory the senders start from rest. A row that is not finite gives NaN and sends nothing for the
        entries at fault.
        """
        return self._exchange(FORWARD, x, self.mirrored, memory)

    def transposed(self, s: np.ndarray, memory: Memory | None = None) -> np.ndarray:
        """Return ``s @ W``, (rows, out) to (rows, in), alike."""
        return self._exchange(TRANSPOSED, s, self.integers, memory)

    def expected(self, x: np.ndarray) -> np.ndarray:
        """Return ``x @ W.T`` of the rounded weights and the exact state; sends nothing."""
        return x @ self.weights().T

    def expected_transposed(self, s: np.ndarray) -> np.ndarray:
        """Return ``s @ W`` alike."""
        return s @ self.weights()

    def _exchange(self, way: str, values: np.ndarray, weights: np.ndarray, memory: Memory | None) -> np.ndarray:
        try:
            return self._sent(way, values, weights, memory)
        except BaseException:
            self.observe(False)  # a calibration that breaks off leaves no sender observing
            raise

    def _sent(self, way: str, values: np.ndarray, weights: np.ndarray, memory: Memory | None) -> np.ndarray:
        values = np.ascontiguousarray(values, dtype=self.dtype)
        if values.ndim != 2 or values.shape[1] != len(weights):
            raise ValueError(f"values are {values.shape}: (rows, {len(weights)}) is allowed")
        memory = self.memory(len(values), way == TRANSPOSED) if memory is None else memory
        if memory.sent.shape != values.shape or memory.accumulator.shape != (len(values), weights.shape[1]):
            raise ValueError(f"the memory is of {memory.sent.shape}, the values are {values.shape}")
        if self.passing:
            self.note(way, values)
            return self.expected(values) if way == FORWARD else self.expected_transposed(values)
        reach = self._reach(way)
        real, limit = self.dtype.type, self.state_limit
        out = np.empty(memory.accumulator.shape, dtype=self.dtype)
        stale, memory.version = memory.version != self.version, self.version
        how = (real(reach / limit), limit, int(np.floor(self.events.threshold * limit)))
        tail = (weights, memory.sent, memory.accumulator, stale, real(self.weight_step * reach / limit), out)
        found = self.run(lambda a, b: event_kernels.exchange(a, b, values, *how, *tail), blocks(len(values), SAMPLES))
        self.tally.add(self.name, f"event {way}", int(sum(found)), self.shape, self.events.state_bits)
        self.tally.add(self.name, f"product {way}", len(values), self.shape)
        if not self.finite:
            out.fill(np.nan)
        return out

    def _reach(self, way: str) -> float:
        """Return the full scale of the states sent in a direction, which must be known by now."""
        reach = self.ranges[way]
        if reach is None:
            raise ChipError(f"array '{self.name}': its {way} states have no range; set it or calibrate")
        return reach

    @property
    def passing(self) -> bool:
        """Whether states pass through exactly, to be noted for a range."""
        return self.observing and self.events.state_range is None

    def note(self, way: str, values: np.ndarray) -> None:
        """Take states as samples for the range of a direction; does nothing where none is collected."""
        if self.passing:
            self._largest[way] = float(np.maximum(self._largest.get(way, 0.0), np.abs(values).max(initial=0.0)))

    def whole(self, way: str, values: np.ndarray) -> np.ndarray:
        """Return the integers, as floats, that the senders of a direction hold for states (rows, senders).

        What is not finite stays so.
        """
        real, limit = self.dtype.type, self.dtype.type(self.state_limit)
        return np.clip(np.rint(values.astype(self.dtype, copy=False) / real(self.state_step(way))), -limit, limit)

    def state_step(self, way: str) -> float:
        """Return the state of the integer 1 in a direction."""
        return self._reach(way) / self.state_limit

    def observe(self, on: bool = True) -> None:
        """Begin to pass states through exactly and to note their range anew, or stop.

        A fixed range needs none and goes on sending. An exchange that fails ends it;
        :func:`hw_models.arrays.calibration.calibrating` ends it whatever fails.
        """
        self.observing, self._largest = on, {}

    def freeze(self) -> None:
        """Take the largest |state| seen as the range of each direction and stop observing.

        If all were zero the range stays what it was, 1 if there was none.

        Raises
        ------
        ChipError
            If a state was not finite, or none was seen in either direction; the ranges stay what they were.
        """
        largest = self._largest
        self.observe(False)
        if self.events.state_range is not None:
            return
        if not largest:
            raise ChipError(f"array '{self.name}': no states to calibrate its range on")
        for way, found in largest.items():
            if not found <= LARGEST:
                raise ChipError(f"array '{self.name}': {way} states are not finite, its range cannot be calibrated")
        for way, found in largest.items():
            self.ranges[way] = found if found >= SMALLEST else self.ranges[way] or 1.0

    def state(self) -> dict[str, np.ndarray]:
        """Return weights, ranges (NaN where unset), counters and tally, copied."""
        ranges = [self.weight_range, *self.ranges.values()]
        return {
            "integers": self.integers.copy(),
            "ranges": np.array([np.nan if value is None else value for value in ranges], dtype=np.float64),
            "counters": np.array(list(self.counters.values()), dtype=np.int64),
            "tally.counts": self.tally.packed(),
        }

    def load(self, state: Mapping[str, np.ndarray]) -> None:
        """Take over :meth:`state`; ranges that are not positive and finite are refused."""
        for full in state["ranges"]:
            if not np.isnan(full) and not 0 < full <= LARGEST:
                raise ChipError(f"array '{self.name}': a range is {full:g}: allowed are positive numbers")
        self.integers[:] = state["integers"]
        self.mirrored[:] = self.integers.T
        known = [None if np.isnan(value) else float(value) for value in state["ranges"]]
        self.weight_range, self.ranges = known[0], dict(zip(self.ranges, known[1:], strict=True))
        if "tally.counts" in state:
            self.tally.load(state["tally.counts"])
        else:
            self._take_totals(*map(int, state["counters"]))
        self.version, self.finite = self.version + 1, True

    def _take_totals(self, events: int, operations: int) -> None:
        """Take over counters of a state that has no tally, in no phase; by the fan-outs, events of either direction."""
        forward, transposed = self.shape
        sent = events if forward == transposed else (operations - events * transposed) // (forward - transposed)
        self.tally.clear()
        for way, number in ((FORWARD, sent), (TRANSPOSED, events - sent)):
            if number:
                self.tally.add(self.name, f"event {way}", number, self.shape, self.events.state_bits, "")
