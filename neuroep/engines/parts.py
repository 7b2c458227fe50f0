# Tested by tests/neuroep/engines/test_parity.py.
"""What an engine is made of: arrays, neurons and attention units, and the substrate that makes them.

:class:`neuroep.engines.engine.Engine` is wired once over these protocols. Two sets of parts stand behind them: Numba's
(:mod:`neuroep.engines.numba.substrate`, and with a chip :mod:`neuroep.engines.chip.substrate`) write into the memory
they are given, torch's (:mod:`neuroep.engines.torch.substrate`) make new tensors, so that autograd can follow. A part
always *returns* its new value, wherever that lies, and the engine keeps what is returned.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, Self, TypeVar

import numpy as np

from hw_models.tally import Tally
from hw_models.wear import Wear
from neuroep.data.batch import WordRows
from neuroep.engines.rounding import Rounding
from neuroep.engines.schedule import Schedule
from neuroep.engines.state import State
from neuroep.learning.contrast import Contrast, Number, Signal
from neuroep.learning.optimisers import Optimiser
from neuroep.network import AttentionLayer, DenseLayer, Network

if TYPE_CHECKING:
    from neuroep.engines.clamped import Clamped
    from neuroep.engines.differences import DifferenceParts

Found = TypeVar("Found", bound="Replayable")
TALLY = "tally.counts"
"""Under what name parts keep their tally in a checkpoint; one from before there were tallies lacks it."""
Values = Any
"""numpy.ndarray or torch.Tensor: what one set of parts computes with."""
Held = Any
"""What an attention unit knows of a clamped batch, in a form of its own, with the ``logits`` of its drive."""
Memory = dict[str, Any]
"""What an array keeps of the course of one state: values with ``copy()``, and ``some(rows)`` where samples may leave.
Most arrays keep nothing."""
Signs = tuple[bool, bool]
"""Whether what the post and the pre side of a synapse show can never be negative."""
Reads = Sequence[tuple[str, str]]
"""Synapses whose products a layer reads in a step, each ``forward`` or ``transposed``."""
Make = Callable[["Clamped", State | None], Found]
"""Makes a phase of a batch, from a start."""
Rows = Callable[[float, float], Values]
"""Of two factors: ``f+ a+ + f- a-``, one row per token."""


class Replayable(Protocol):
    """A phase of a batch whose sweeps may be done elsewhere, and judged here; see :class:`Replayer`."""

    ended: bool

    @property
    def held(self) -> State:
        """What moves."""
        ...

    def rewind(self) -> None:
        """Forget what sweeps were looked at, ahead of the first look."""
        ...

    def advance(self, steps: int, held: State) -> tuple[int, Mapping[str, object]]:
        """Move a state on from so many sweeps to the next look; return the sweeps then, and what the last changed."""
        ...

    def judge(self, steps: int, changes: Mapping[str, object], held: State) -> None:
        """Take these sweeps as done, and end the phase where its schedule's rule says so."""
        ...

    def elsewhere(self, clamped: Clamped, start: State | None, held: State) -> Self:
        """Return the phase as that of a batch and start in other memory, with what it holds now."""
        ...


class Replayer(Protocol):
    """What replays phases that a substrate has recorded."""

    def run(
        self, engine: Any, what: Hashable, clamped: Clamped, start: State | None, make: Make[Found]
    ) -> Found | None:
        """Return the phase as it has ended; None where its sweeps are to be done one by one."""
        ...


@dataclass(frozen=True)
class View:
    """How one end of a synapse sees two phases."""

    layers: tuple[str, ...]
    """Whose states they are, side by side; none where they are clamped."""
    samples: int
    """Batch size."""
    numbers: tuple[Number, Number]
    """Of the plus and the minus phase since the free one."""
    held: dict[str, object]
    """What holds the states of these two phases, by layer: shared by all ends that see them."""
    tokens: object = None
    """The clamped sequence whose tokens the rows are; None where rows are samples."""
    zero: Signal | None = None
    """The same end in the free state, as both phases."""


class Move(NamedTuple):
    """Which rows of an array go where in another one."""

    rows: np.ndarray
    places: np.ndarray


class Part(Protocol):
    """What any part is asked; a part inherits from here what it has no answer of its own to."""

    def begin(self, *occasion: str | int) -> None:
        """Key all draws by this occasion from now on."""
        return

    def read_at(self, seconds: float) -> None:
        """Read devices so long after their last write from now on."""
        return

    @property
    def age(self) -> float:
        """How long after their last write devices are read [s]."""
        return 0.0

    def aged(self) -> AbstractContextManager[None]:
        """Read devices inside as old as the chip says they are once deployed; nothing may be written there."""
        return nullcontext()

    @property
    def calibrates(self) -> bool:
        """Whether a range comes from samples."""
        return False

    def observe(self, on: bool = True) -> None:
        """Begin to collect samples for ranges and to pass signals unchanged, or stop."""
        return

    def freeze(self) -> None:
        """Fix the ranges on what was observed."""
        return

    def state(self) -> dict[str, np.ndarray]:
        """Return what has to be kept to go on after a resume, by short name."""
        return {}

    def live(self) -> dict[str, np.ndarray]:
        """Return what :meth:`state` does, large arrays read-only and not copied: they change with the next update."""
        return self.state()

    def load(self, state: Mapping[str, np.ndarray]) -> None:
        """Take over what :meth:`state` returned."""
        return

    def aside(self) -> AbstractContextManager[None]:
        """Let a chip's time and the noise that goes with it pass inside, and go on outside as if nothing had been."""
        return nullcontext()

    def during(self, phase: str) -> AbstractContextManager[None]:
        """Write down inside that what is done is of a phase, one of :data:`hw_models.tally.PHASES`.

        A part shares the phase of the substrate that it is from; one that was said further out stays.
        """
        return nullcontext()

    def metering(self, what: str = "square") -> AbstractContextManager[None]:
        """Sum up inside what reads of crossbars draw; a part shares that with the substrate that it is from."""
        return nullcontext()

    def mean_conductances(self) -> dict[str, float]:
        """Return the mean conductance of the devices of its crossbars [uS], by their names."""
        return {}

    def turn(self, number: Number, nudge: float) -> AbstractContextManager[None]:
        """Be inside in the phase of that number since the free one, (samples,) where they differ, and of that nudge."""
        return nullcontext()

    def updated(self) -> None:
        """Keep what was measured for the update that has been made."""
        return

    def performed(self) -> Tally:
        """Return all that was done, by phase; nothing where nothing is counted."""
        return Tally()

    def counters(self) -> dict[str, int]:
        """Return sums of :meth:`performed`, by name."""
        return {}

    def health(self) -> dict[str, float]:
        """Return shares that tell of limits reached since they were asked for last, by name."""
        return {}

    def wear(self) -> list[Wear]:
        """Return the pulses that every device of its arrays got; nothing where they are not counted."""
        return []

    def coherence(self) -> dict[str, dict[str, float]]:
        """Return, by array that pulses go to, what tells whether its devices can learn of them, since the last call."""
        return {}

    def streams(self, held: Held) -> bool:
        """Tell whether a unit with dt = 1 takes feedback that is computed in parts, see :meth:`deferred`."""
        return False

    def remember(self, held: Held, drive: Callable[[], Values]) -> None:
        """Be told how a unit gets the drive again that it holds, so that it need not keep what follows from it."""
        return

    def some_weights(self, weights: Values, rows: np.ndarray) -> Values:
        """Return an attention unit's weights of some samples, which have not left a batch yet."""
        message = "no sample leaves a batch of such a unit"
        raise NotImplementedError(message)

    def put_weights(self, whole: Values, some: Values, move: Move) -> Values:
        """Return weights with those of some samples put in their place."""
        message = "no sample leaves a batch of such a unit"
        raise NotImplementedError(message)

    def deferred(self, post: Values) -> Values:
        """Return an array's transposed product as what computes columns when they are asked for, where units stream."""
        message = "nothing streams from such an array"
        raise NotImplementedError(message)

    @property
    def resolution(self) -> float:
        """Step in which what it shows is digitised, as a signal; 0 where it is exact."""
        return 0.0

    def ranges(self) -> dict[str, float]:
        """Return full scales that were found, by the table of the chip and the place: ``"adc dense_1 forward"``."""
        return {}

    def check_learning(self) -> None:
        """Refuse what settles and cannot learn, ahead of the first update; raises a UserError."""
        return


class Timeless(Part):
    """What a substrate does about time where none passes."""

    def paces(self, layers: Sequence[str]) -> Mapping[str, float]:
        """Return the shares of the time step that layers take which are slower than others."""
        return {}

    def stepping(self, dt: float) -> AbstractContextManager[None]:
        """Let what is done inside be of one time step, as which a chip counts it that settles in continuous time."""
        return nullcontext()

    def opened(self, samples: int) -> None:
        """Begin a batch."""

    def entered(self, projections: Sequence[str], rows: float) -> None:
        """Read the clamped input."""

    def filled(self) -> None:
        """Write the patterns of the clamped input."""

    def swept(self, groups: tuple[tuple[str, ...], ...], reads: Mapping[str, Reads], dt: float) -> None:
        """Sweep."""

    def drove(self, groups: tuple[tuple[str, ...], ...], reads: Mapping[str, Reads], dt: float) -> None:
        """Read what drives the free state."""

    def held(self, phases: int, zeros: int) -> None:
        """Hold the states of phases, and of as many zeros."""

    def closed(self) -> None:
        """End the samples of a batch."""

    def wrote(self) -> None:
        """Update."""


class Array(Part, Protocol):
    """What holds the weights of one synapse, (out, in).

    :meth:`state` holds ``weight``, ``bias``, the number of ``updates`` and what the rule and the devices keep;
    :meth:`load` takes over all but weight and bias, which an array is made with.
    """

    @property
    def bias(self) -> Values | None:
        """(out,)."""
        ...

    @property
    def updates(self) -> int:
        """Number of updates made."""
        ...

    def forward(self, pre: Values, memory: Memory | None = None) -> Values:
        """Read ``pre @ W.T``, (rows, in) to (rows, out), without the bias; the result is the caller's to write to."""
        ...

    def transposed(self, post: Values, out: Values | None = None, memory: Memory | None = None) -> Values:
        """Read ``post @ W``, (rows, out) to (rows, in); ``out`` is memory that may be written to."""
        ...

    def expected(self, pre: Values) -> Values:
        """Return the mean of what :meth:`forward` reads before conversion; nothing is counted or drawn."""
        ...

    def update(self, contrast: Contrast, rate: float) -> Values:
        """Change the weights by what both ends saw; return 0-d, not 0 if one is no longer finite."""
        ...

    def conducting(self) -> np.ndarray:
        """Return the weights that products have as their mean, (out, in)."""
        ...

    def paths(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """Return mean weights of forward and transposed products, (out, in), where they are of arrays of their own."""
        ...


class Neurons(Part, Protocol):
    """The neurons of one dense layer."""

    def respond(
        self,
        product: Values,
        feedback: Values | None,
        state: Values,
        target: Values | None,
        beta: float,
        schedule: Schedule,
        inner: dict[str, Values] | None = None,
    ) -> tuple[Values, Values]:
        """Return the layer's next state, (batch, size), and max|delta s|, NaN if there is one.

        Of every sample in exact arithmetic, elsewhere it may be of all.

        Parameters
        ----------
        product : array
            (batch, size), W s_pre + b of the synapses in front; may be overwritten.
        feedback : array or None
            (batch, size), W^T s_post of those behind; may be overwritten.
        state : array
            (batch, size).
        target : array or None
            (batch, size) what the nudge pulls towards; None leaves the layer free.
        beta : float
            Strength of the nudge.
        schedule : Schedule
            Order and time step.
        inner : dict, optional
            States inside neurons that show a digitised one, by layer; read and written, and what moved is theirs.
        """
        ...

    def energy(self, state: Values) -> Values:
        """Return the sum of G(s) over the layer, (batch,)."""
        ...


class AttentionUnit(Part, Protocol):
    """What turns held logits and feedback into the state of one attention layer."""

    layer: AttentionLayer

    def hold(self, drive: Values, queries: Any, patterns: Any) -> Held:
        """Return what a clamped drive, (rows of tokens, dim), means to the layer; read once per batch."""
        ...

    def redrive(self, held: Held, drive: Values) -> Held:
        """Return what is held with another drive, where products of the clamped input are read at every step."""
        ...

    def rest(self, held: Held) -> Values:
        """Return weights of the all-zero state, (batch, queries, patterns)."""
        ...

    def relax(
        self,
        held: Held,
        feedback: Values | None,
        value: Values,
        weights: Values,
        dt: float,
        inner: dict[str, Values] | None = None,
    ) -> tuple[Values, Values, Values]:
        """Return the layer's next read-out, its next weights, and max|delta| of the read-out, NaN if there is one.

        Of every sample in exact arithmetic, elsewhere it may be of all.

        Parameters
        ----------
        held : object
            Of the batch.
        feedback : array or None
            (batch, size) of the synapses behind.
        value, weights : array
            Read-out (batch, size), and weights in the unit's own form.
        dt : float
            Time step.
        inner : dict, optional
            As of :meth:`Neurons.respond`.
        """
        ...

    def explicit(self, held: Held, weights: Values) -> Values:
        """Return p, (batch, queries, patterns), whatever form the weights have."""
        ...

    def rows(self, held: Held, plus: Values, minus: Values) -> Rows:
        """Return what combines the states of two phases' weights, a row for each token."""
        ...

    def energy(self, held: Held, weights: Values) -> Values:
        """Return 1/kappa sum p (ln p - M), M the held logits, (batch,)."""
        ...


class Increments(Protocol):
    """Products of what states have changed by, in nudged phases; rows and shapes as of :class:`Array`."""

    def forward(self, synapse: str, change: Values) -> Values:
        """Read ``change @ W.T`` of one synapse; the result is the caller's to write to."""
        ...

    def transposed(self, synapse: str, change: Values) -> Values:
        """Read ``change @ W``; the result is the caller's to write to."""
        ...


class Substrate(Part, Protocol):
    """What an engine runs on: it makes the parts and knows their memory.

    What belongs to no array, by name, is its :meth:`state`; what arrays, units and neurons do is not among what it
    :meth:`performed`, nor among its :meth:`counters`. It has the phase that all of them share, :meth:`during`.
    """

    in_place: bool
    """Whether parts write into what they are given; otherwise autograd can follow them."""
    optimiser: Optimiser
    """Rule of the arrays."""
    redraws: bool
    """Whether a product read again may differ, so that every layer reads at every step."""
    level: float
    """Coarsest step of what settles, as a share of its full scale; 0 without digitising."""
    replay: Replayer | None
    """What replays phases that were recorded; None where sweeps are done one by one."""
    looks_up: bool
    """Whether it takes sequences as rows of a table, and looks them up where it computes."""
    holds_input: bool
    """Whether products of the clamped input are read once per batch, or again at every step."""
    time_constant: float
    """Steps in which states relax, 1 for at once; the time step of a schedule is divided by it."""
    check_every: int
    """Default number of sweeps between looks at the tolerance."""
    averages: int
    """Sweeps at the end of a phase whose mean is its state."""
    increments: Increments | None
    """What nudged phases read where arrays are driven with changes of the free state; None drives with states."""
    rounding: Rounding
    """Whether products are rounded by more than a nudge moves, so that nudged phases need to be differences."""
    differences: DifferenceParts | None
    """What solves nudged phases for their differences to the free state; None where states are settled alone."""
    shifts: bool
    """Whether products of the same signals differ from phase to phase, so that no layer is at rest at a start."""

    # Time on a chip; it stands still elsewhere.

    def paces(self, layers: Sequence[str]) -> Mapping[str, float]:
        """Return the shares of the time step that layers take which are slower than others, by name."""
        ...

    def stepping(self, dt: float) -> AbstractContextManager[None]:
        """Let what is done inside be of one time step."""
        ...

    def opened(self, samples: int) -> None:
        """Begin a batch of so many samples."""
        ...

    def entered(self, projections: Sequence[str], rows: float) -> None:
        """Let the products of the clamped input pass, so many rows for each sample."""
        ...

    def filled(self) -> None:
        """Let the patterns of the clamped input be written, where a chip writes them to arrays."""
        ...

    def swept(self, groups: tuple[tuple[str, ...], ...], reads: Mapping[str, Reads], dt: float) -> None:
        """Let a sweep pass: groups of layers, the products that each layer reads, and the time step."""
        ...

    def drove(self, groups: tuple[tuple[str, ...], ...], reads: Mapping[str, Reads], dt: float) -> None:
        """Let a sweep pass that reads what drives the settled free state, ahead of nudged phases, and moves nothing."""
        ...

    def held(self, phases: int, zeros: int) -> None:
        """Let the states of so many phases be held or read for an update, and zeros where a read-out subtracts them."""
        ...

    def closed(self) -> None:
        """End the samples of a batch, before its update."""
        ...

    def wrote(self) -> None:
        """Let the update of all arrays pass, which learn side by side."""
        ...

    # Parts.

    def array(
        self, name: str, weight: np.ndarray, bias: np.ndarray | None, nonnegative: Signs, sends_back: bool = True
    ) -> Array:
        """Return the array of one synapse, (out, in), with these weights; to a clamped input nothing is sent back."""
        ...

    def attention(self, layer: AttentionLayer, patterns: int) -> AttentionUnit:
        """Return the unit of one attention layer, of samples of so many ``patterns`` at most."""
        ...

    def neurons(self, layer: DenseLayer) -> Neurons:
        """Return the neurons of one dense layer."""
        ...

    def read_out(self, synapse: str, end: str, signal: Signal, view: View) -> Signal:
        """Return what an update measures of one end of a synapse."""
        ...

    def read_out_resolution(self, synapse: str, end: str) -> float:
        """Return the step in which an update measures the change of one end of a synapse; 0 where it is exact."""
        ...

    def rows_of(self, tokens: object) -> AbstractContextManager[None]:
        """Have signals inside whose rows are the tokens of a clamped sequence."""
        ...

    # Memory.

    def tokens(self, vectors: np.ndarray, lengths: np.ndarray, kinds: np.ndarray | None = None) -> Any:
        """Return a padded sequence (batch, tokens, dim) for parts, with its rows ``packed`` for arrays.

        ``kinds`` (real tokens,) tells which of them are the same, where that may be made use of.
        """
        ...

    def looked_up(self, words: WordRows) -> object:
        """Return a padded sequence of words of a table, as :meth:`tokens` does of their vectors."""
        ...

    def values(self, array: np.ndarray) -> Values:
        """Bring an array of the host in."""
        ...

    def states(self, network: Network, samples: int) -> dict[str, Values]:
        """Return zeroed states of all layers, (batch, size) by name."""
        ...

    def fork(self, network: Network, state: State) -> State:
        """Return a state that can be moved without touching the given one."""
        ...

    def joined(self, parts: Sequence[Values]) -> Values:
        """Return states side by side, (batch, sum of sizes)."""
        ...

    def below(self, rows: Sequence[Values]) -> Values:
        """Return arrays of one width below each other, (sum of rows, size)."""
        ...

    def some(self, values: Values, rows: np.ndarray) -> Values:
        """Return some rows of values, a copy."""
        ...

    def put(self, whole: Values, some: Values, move: Move) -> Values:
        """Return values with some rows put in their place; written there by parts that work in place."""
        ...

    def largest(self, values: Values) -> Values:
        """Return the largest number of every row, (rows,), without its sign."""
        ...

    def scalars(self, values: Mapping[str, Values]) -> dict[str, float]:
        """Bring the largest number of each to the host at once, NaN if there is one."""
        ...

    def displacements(self, pairs: Mapping[str, tuple[Values, Values]]) -> dict[str, tuple[float, float]]:
        """Return max|s - s_origin| and max|s| of states and where they came from, on the host."""
        ...

    def to_numpy(self, array: Values) -> np.ndarray:
        """Bring one array to the host."""
        ...

    def computing(self) -> AbstractContextManager[None]:
        """Hold libraries to what the parts assume of them inside."""
        ...

    def observing(self) -> AbstractContextManager[None]:
        """Collect signals inside, pass them through converters that wait for a range, and fix the ranges at the end."""
        ...

    def describe(self) -> dict[str, Any]:
        """Return device, dtype, threads, and the chip's name where there is one."""
        ...


def summed(*counters: Mapping[str, int]) -> dict[str, int]:
    """Return counters added up by name."""
    total: dict[str, int] = {}
    for counted in counters:
        for name, number in counted.items():
            total[name] = total.get(name, 0) + number
    return total
