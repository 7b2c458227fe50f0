# Tested by tests/neuroep/engines/test_parity.py and tests/neuroep/engines/test_naive_parity.py
"""The engine: it clamps a batch, moves layers, measures contrasts and updates weights, over parts of any set.

Networks know no backend and the loops of settling, estimating and training know no arithmetic: what is wired to what
says :mod:`neuroep.engines.wiring`, what computes :mod:`neuroep.engines.parts`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from hw_models.tally import Tally
from hw_models.text import shown
from hw_models.wear import Wear
from neuroep.data.batch import Batch, TokenVectors, WordRows
from neuroep.engines import checks, kept, nudging, phase_lengths, settling
from neuroep.engines.clamped import Clamped
from neuroep.engines.nudging import Nudging
from neuroep.engines.parting import Parting
from neuroep.engines.parts import Part, Replayer, Substrate, View, summed
from neuroep.engines.phase_lengths import PhaseLengths
from neuroep.engines.schedule import CALIBRATED, Schedule
from neuroep.engines.settling import Settled, Settling
from neuroep.engines.state import State
from neuroep.errors import ConfigError, DataError, DivergenceError, unknown
from neuroep.learning.contrast import (
    Contrast,
    Held,
    Moved,
    Nulled,
    Number,
    Pair,
    Signal,
    Stacked,
    Summed,
    TokenRows,
)
from neuroep.learning.optimisers import Optimiser
from neuroep.network import DenseSynapse, Network, Synapse
from neuroep.network.builders import initial_parameters

if TYPE_CHECKING:
    from neuroep.gradients.estimators import Estimator

DTYPES = ("float32", "float64")
ONCE = "once"
REPEATS = ("each", ONCE)
"""What may be done with tokens that occur more than once in a batch."""
CHIP = "chip"
"""Name in a checkpoint of what belongs to the substrate as a whole."""
LENGTHS = "phase_lengths"
"""Name there of the sweeps that phases take, once they have been found."""


class EngineState(NamedTuple):
    """What an engine holds, by name; see :meth:`Engine.live`."""

    parameters: dict[str, np.ndarray]
    optimiser: dict[str, np.ndarray]
    devices: dict[str, np.ndarray]


class Engine(Parting):
    """A network on a substrate.

    Parameters
    ----------
    name : str
        Of the set of parts, for messages and records.
    network : Network
        What to run.
    parameters : mapping, optional
        Weights and biases by name; default ``initial_parameters(network, seed)``.
    make : callable
        ``make(optimiser)`` returns a fresh substrate whose arrays learn by that rule, or by one of its own for None.
    optimiser : Adam or SGD, optional
        Rule with which :meth:`update` applies gradients.
    seed : int
        Seed of every draw the engine makes.
    dtype : str
        ``float32`` or ``float64``.
    repeats : str
        What is done with tokens that occur more than once in a batch, where that is known (:attr:`Batch.kinds`):
        ``each`` multiplies every one with the weights, ``once`` one of them, and one of a sample with its queries.

    Raises
    ------
    ConfigError
        For an unknown dtype, or a layer, potential, synapse or optimiser whose arithmetic no engine holds.
    CheckpointError
        If the parameters do not fit the network.
    """

    def __init__(
        self,
        name: str,
        network: Network,
        parameters: Mapping[str, np.ndarray] | None,
        make: Callable[[Optimiser | None], Substrate],
        *,
        optimiser: Optimiser | None = None,
        seed: int = 0,
        dtype: str = "float32",
        repeats: str = "each",
    ) -> None:
        for what, given, known in (("dtype", dtype, DTYPES), ("repeats", repeats, REPEATS)):
            if given not in known:
                raise ConfigError(unknown(what, given, known))
        checks.check_seed("seed", seed)
        checks.check_kinds(network, optimiser, name)
        self.name, self.seed, self.dtype, self.repeats = name, seed, dtype, repeats
        values = initial_parameters(network, seed) if parameters is None else parameters
        checks.check_parameters(network, values)
        self.version = 0
        self.settle_steps = 0
        self._clamps = 0
        self.make = make
        super().__init__(network, values, make(optimiser))

    def _place(self, parameters: Mapping[str, np.ndarray], substrate: Substrate) -> None:
        """Take over parameters and forget the optimiser's state."""
        super()._place(parameters, substrate)
        self.lengths: PhaseLengths | None = None
        self.optimiser = substrate.optimiser
        self.redraws, self.level = substrate.redraws, substrate.level
        self.time_constant, self.check_every = substrate.time_constant, substrate.check_every
        self.shifts, self.averages = substrate.shifts, substrate.averages

    # Devices and draws of a chip; exact arithmetic has none.

    def read_at(self, seconds: float) -> None:
        """Read a chip's devices so long after their last write from now on: 0 while they learn.

        An engine begins at the chip's ``device.age``, as it is deployed; without a chip nothing ages.
        """
        self.substrate.read_at(seconds)

    @property
    def age(self) -> float:
        """How long after their last write a chip's devices are read [s], as :meth:`read_at` said last."""
        return self.substrate.age

    def aged(self) -> AbstractContextManager[None]:
        """Read a chip's devices inside at its ``device.age``, whatever :meth:`read_at` says; write nothing there."""
        return self.substrate.aged()

    def aside(self) -> AbstractContextManager[None]:
        """Let a chip's time pass inside, its noise with it, and go on outside as if nothing had been: for a look."""
        return self.substrate.aside()

    def swept(self, groups: tuple[tuple[str, ...], ...], dt: float) -> None:
        """Let the time of one sweep pass on a chip."""
        self.substrate.swept(groups, self.reads, dt)

    @property
    def calibrates(self) -> bool:
        """Whether ranges of a chip's converters are to be calibrated before the engine can be used."""
        return self.substrate.calibrates

    def calibrate(
        self, batches: Iterable[Batch], estimator: Estimator, occasion: tuple[str | int, ...] | None = None
    ) -> None:
        """Fix the ranges of a chip's converters on what they see of these batches in all phases.

        Nothing is done where none waits for one and no ``occasion``, which keys the draws, asks for all of them anew: a
        second call with other batches changes nothing, and ``occasion=("anew",)`` takes their ranges. A range that is
        there stays what it was where it sees no sample but 0.

        Raises
        ------
        ConfigError
            If what is given are no batches, or no estimator.
        DataError
            If no batch has a token of a sequence that the network reads: the ranges stay what they were.
        """
        checks.check_samples(batches, estimator)
        if not self.calibrates and occasion is None:
            return
        with self.during("calibrate"):
            self._calibrate(batches, estimator, occasion or ())

    def _calibrate(
        self, batches: Iterable[Batch], estimator: Estimator, occasion: tuple[str | int, ...]
    ) -> None:
        samples, tokens = 0, dict.fromkeys((sequence.name for sequence in self.network.sequences), 0)
        with self.substrate.observing():
            for number, batch in enumerate(batches):
                checks.check_batch(number, batch)
                measured = estimator.measure(self, batch.keyed("calibration", *occasion, number), number)
                for contrast in measured.contrasts.values():
                    contrast.terms()
                samples += batch.size
                for name in tokens:
                    tokens[name] += int(batch.inputs[name].lengths.sum())
            for name, count in tokens.items():
                if not count:
                    held = f"the {samples} calibration samples hold no known word of '{name}'"
                    raise DataError(f"{held}: raise chip.calibration_samples, or draw others")

    def find_lengths(
        self, batches: Iterable[Batch], estimator: Estimator, occasion: tuple[str | int, ...] = ()
    ) -> PhaseLengths:
        """Find how many sweeps phases take whose schedules stop ``calibrated``, and take so many from now on.

        See :mod:`neuroep.engines.phase_lengths`; ``occasion`` keys the draws.
        """
        checks.check_samples(batches, estimator)
        with self.during("calibrate"):
            self.lengths = phase_lengths.found(self, batches, estimator, occasion)
        return self.lengths

    def counters(self) -> dict[str, int]:
        """Return what engine and parts have counted since they were made; settle steps are summed over samples."""
        return summed({"settle_steps": self.settle_steps}, *(part.counters() for part in self._parts()))

    def performed(self) -> dict[str, Tally]:
        """Return what all parts did since they were made, by the name of the part; :meth:`counters` are sums of it."""
        found: dict[str, Tally] = {}
        for part in self._parts():
            for work, number in part.performed().rows():
                found.setdefault(work.part, Tally()).put(work, number)
        return found

    def metering(self, what: str = "square") -> AbstractContextManager[None]:
        """Sum up inside what reads of a chip's crossbars draw, one of :data:`hw_models.tally.METERS`.

        For a bill; nothing else changes.
        """
        return self.substrate.metering(what)

    def mean_conductances(self) -> dict[str, float]:
        """Return the mean conductance of the devices of a chip's crossbars [uS], by the name of the crossbar."""
        return {name: value for part in self._parts() for name, value in part.mean_conductances().items()}

    def _parts(self) -> list[Part]:
        differences = *self.difference_units.values(), *self.difference_cells.values()
        return [*self.arrays.values(), *self.units.values(), *self.cells.values(), *differences, self.substrate]

    def during(self, phase: str) -> AbstractContextManager[None]:
        """Write down inside that what all parts do is of a phase, one of :data:`hw_models.tally.PHASES`.

        Clamping and settling, updates and calibration say theirs themselves; one that was said further out stays.
        """
        return self.substrate.during(phase)

    def turn(self, number: Number, nudge: float) -> AbstractContextManager[None]:
        """Be inside in the phase of that number since the free one and of that nudge, as all parts see it."""
        return self.substrate.turn(number, nudge)

    def conducting(self) -> dict[str, np.ndarray]:
        """Return weights and biases by name, the weights as products have them on average, faults and all."""
        return self.parameters() | {f"{name}.weight": array.conducting() for name, array in self.arrays.items()}

    def array_health(self) -> dict[str, dict[str, float]]:
        """Return by synapse what tells of limits of a chip's arrays; empty without any."""
        return {name: found for name, array in self.arrays.items() if (found := array.health())}

    # Phases and updates.

    def wear(self) -> list[Wear]:
        """Return the pulses that every device of a chip's arrays got, where they are counted, ``device.endurance``."""
        return [wear for array in self.arrays.values() for wear in array.wear()]

    def coherence(self) -> dict[str, dict[str, float]]:
        """Return what arrays that learn by pulses tell of them since the last call, by crossbar; see ``rules``."""
        return {name: found for array in self.arrays.values() for name, found in array.coherence().items()}

    def clamp(self, batch: Batch | Clamped) -> Clamped:
        """Clamp a batch: check it against the network, pad it, read the clamped products once.

        The products are those of the present weights: clamp again after an update.

        Raises
        ------
        DataError
            If a sequence is missing, has another dimension, is too long, or a label is out of range.
        """
        if isinstance(batch, Clamped):
            return batch
        if not isinstance(batch, Batch):
            raise DataError(f"a {type(batch).__name__} is no batch: give a Batch, or what clamp made of one")
        labels = np.asarray(batch.labels)
        checks.check_labels(self.network, labels)
        padded = {s.name: checks.padded(self.network, batch, s, self.looks_up) for s in self.network.sequences}
        self.substrate.begin(*(batch.key or ("clamp", self._clamps)))
        self._clamps += 1
        kinds = {s.name: checks.kinds(self.network, batch, s) for s in self.network.sequences if self.repeats == ONCE}
        tokens = {name: self._tokens(item, kinds.get(name)) for name, item in padded.items()}
        target = self.substrate.values(np.eye(self.network.classes, dtype=self.dtype)[labels])
        with self.during("free"):
            return self.read_held(Clamped(tokens, {}, target))

    def _tokens(self, given: TokenVectors | WordRows, kinds: np.ndarray | None) -> object:
        """Bring one padded sequence to where parts compute."""
        return self.substrate.looked_up(given) if isinstance(given, WordRows) else self.substrate.tokens(*given, kinds)

    @property
    def replay(self) -> Replayer | None:
        """What replays phases that were recorded, on a GPU."""
        return self.substrate.replay

    @property
    def looks_up(self) -> bool:
        """Whether batches may hold words as rows of a table, see :class:`neuroep.data.batch.WordRows`."""
        return self.substrate.looks_up

    @property
    def epsilon(self) -> float:
        """Unit in the last place of 1 in the engine's precision."""
        return float(np.finfo(self.dtype).eps)

    def computing(self) -> AbstractContextManager[None]:
        """Return what an engine holds while it computes: the number of threads of its products."""
        return self.substrate.computing()

    def sweeps(
        self,
        batch: Any,
        schedule: Schedule | None = None,
        beta: float = 0.0,
        start: Settled | State | None = None,
        number: Number | None = None,
    ) -> Settling | Nudging:
        """Return one phase of a batch as an iterator of states.

        See :class:`neuroep.engines.settling.Settling`, and for a schedule of form ``differences``
        :class:`neuroep.engines.nudging.Nudging`.
        """
        state, schedule = start.state if isinstance(start, Settled) else start, self._schedule(schedule, beta, number)
        if schedule.form == "differences":
            settling.check_nudged(beta, number)
            return Nudging(self, self.clamp(batch), schedule, [beta], state)
        return Settling(self, self.clamp(batch), schedule, beta, state, number)

    def settle(
        self,
        batch: Any,
        schedule: Schedule | None = None,
        beta: float = 0.0,
        start: Settled | State | None = None,
        record: tuple[str, ...] = (),
        number: Number | None = None,
    ) -> Settled:
        """Settle a batch, or what :meth:`clamp` made of one; see :func:`neuroep.engines.settling.settle`.

        From the end of a nudged phase of the same nudge it goes on, the mean over its last sweeps too.
        """
        state = start.state if isinstance(start, Settled) else start
        recent: tuple[State, ...] = ()
        if isinstance(start, Settled) and start.state.origin is not None and start.state.beta == beta:
            recent = start.recent
        with self.computing(), self.during(settling.phase_name(beta, number)):
            clamped, schedule = self.clamp(batch), self._schedule(schedule, beta, number)
            if schedule.form == "differences":
                settling.check_nudged(beta, number)
                return nudging.nudge(self, clamped, schedule, [beta], state, record)[0]
            return settling.settle(self, clamped, schedule, beta, state, record, number, recent)

    def nudge(
        self, clamped: Clamped, schedule: Schedule, betas: Sequence[float], free: Settled, record: tuple[str, ...] = ()
    ) -> list[Settled]:
        """Solve nudged phases of a batch in differences, several nudges at once; see :mod:`neuroep.engines.nudging`."""
        with self.computing(), self.during("nudged"):
            return nudging.nudge(self, clamped, schedule, betas, free.state, record)

    def _schedule(self, schedule: Schedule | None, beta: float, number: Number | None) -> Schedule:
        """Return the schedule in the time of the engine, which a chip's time constant stretches.

        A number of sweeps that a calibration decides is put in, where one has.
        """
        if schedule is not None and not isinstance(schedule, Schedule):
            raise ConfigError(f"schedule is {shown(schedule)}: give a Schedule")
        schedule = schedule or Schedule(tolerance=0.01 if beta else 1e-5)
        if schedule.stop == CALIBRATED and self.lengths is not None:
            schedule = self.lengths.resolved(schedule, settling.phase_name(beta, number))
        if self.time_constant != 1:
            schedule = replace(schedule, dt=schedule.dt / self.time_constant)
        return schedule

    def outputs(self, settled: Settled) -> np.ndarray:
        """Return the states of the output layer, (batch, classes)."""
        return self.to_numpy(settled.state.values[self.network.output.name])

    def states(self, settled: Settled) -> dict[str, np.ndarray]:
        """Return what each layer shows the next synapse, (batch, layer size)."""
        return {name: self.to_numpy(value) for name, value in settled.state.values.items()}

    def contrasts(self, clamped: Any, pairs: Sequence[Pair]) -> dict[str, Contrast]:
        """Return what every synapse saw in one pair of phases or several, by synapse name.

        Of several pairs that of the largest share over span comes first; see :mod:`neuroep.learning.contrast`.
        """
        found, below = {}, self.substrate.below
        first = pairs[0]
        nulls, zeros = (sum(pair.null is not None for pair in pairs), sum(pair.free is not None for pair in pairs))
        self.substrate.held(2 * (len(pairs) + nulls), 2 * zeros)
        span = first.span / first.share
        factors = [1.0, *(pair.share / pair.span * span for pair in pairs[1:])]
        held: dict[int, dict[str, object]] = {}
        for synapse in self.network.synapses:
            posts = [self._measured(clamped, synapse, "post", pair, held) for pair in pairs]
            if isinstance(synapse, DenseSynapse):
                pres = [self._measured(clamped, synapse, "pre", pair, held) for pair in pairs]
            else:
                pres = [self._measured(clamped, synapse, "pre", first, held)]
            post, pre = posts[0], pres[0]
            if len(pairs) > 1:
                post = Stacked(posts, factors, below) if len(pres) > 1 else Summed(posts, factors)
                pre = Stacked(pres, [1.0] * len(pres), below) if len(pres) > 1 else pre
            found[synapse.name] = Contrast(post, pre, span, clamped.samples)
        return found

    def _measured(
        self, clamped: Clamped, synapse: Synapse, end: str, pair: Pair, held: dict[int, dict[str, object]]
    ) -> Signal:
        """Return what is measured of one end of a synapse in two phases; ``held`` by pair is shared by all ends."""
        signal, tokens = self._signal(clamped, synapse, end, pair), None
        layers: tuple[str, ...] = ()
        if end == "post":
            layers = (synapse.post,)
            tokens = None if isinstance(synapse, DenseSynapse) else clamped.tokens[synapse.pre]
        elif isinstance(synapse, DenseSynapse):
            layers = synapse.pre
        zero = None
        if pair.free is not None and layers:
            zero = self._signal(clamped, synapse, end, Pair(pair.free, pair.free, pair.span))
        where = held.setdefault(id(pair), {})
        view = View(layers, clamped.samples, pair.numbers, where, tokens, zero)
        seen = self.substrate.read_out(synapse.name, end, signal, view)
        if pair.null is None or not layers:
            return seen
        return Nulled(seen, self._measured(clamped, synapse, end, pair.null, held))

    def _signal(self, clamped: Clamped, synapse: Synapse, end: str, pair: Pair) -> Signal:
        """Return one end of a synapse in two phases."""
        displaced = self.displaced_signal(clamped, synapse, end, pair)
        if displaced is not None:
            return displaced
        if end == "post":
            return self._post(clamped, synapse, pair)
        if isinstance(synapse, DenseSynapse):
            return Moved(self._pre(pair.plus, synapse), self._pre(pair.minus, synapse))
        return Held(clamped.tokens[synapse.pre].packed)

    def _post(self, clamped: Clamped, synapse: Synapse, pair: Pair) -> Signal:
        """Return the post side of a synapse in two phases."""
        if isinstance(synapse, DenseSynapse):
            return Moved(pair.plus.values[synapse.post], pair.minus.values[synapse.post])
        weights = pair.plus.weights[synapse.post], pair.minus.weights[synapse.post]
        return TokenRows(self.units[synapse.post].rows(clamped.held[synapse.post], *weights))

    def gradient(self, contrasts: Mapping[str, Contrast]) -> dict[str, np.ndarray]:
        """Return dL/dtheta by parameter name."""
        gradient = {}
        with self.computing(), self.during("update"):
            for synapse in self.network.synapses:
                contrast = contrasts[synapse.name]
                gradient[f"{synapse.name}.weight"] = self.to_numpy(contrast.weight_gradient())
                if synapse.bias:
                    gradient[f"{synapse.name}.bias"] = self.to_numpy(contrast.bias_gradient())
        return gradient

    def update(self, contrasts: Mapping[str, Contrast], rates: Mapping[str, float]) -> None:
        """Let every array change itself by what its two ends saw.

        Parameters
        ----------
        contrasts : mapping of str to Contrast
            By synapse name.
        rates : mapping of str to float
            Learning rate by synapse name.

        Raises
        ------
        DivergenceError
            If a weight is no longer finite; the synapse and the update number are named.
        """
        checks.check_rates(self.network, self.optimiser, rates)
        checks.check_contrasts(self.network, contrasts)
        self.version += 1
        with self.computing(), self.during("update"):
            self.substrate.closed()
            bad = {name: array.update(contrasts[name], rates[name]) for name, array in self.arrays.items()}
            self.substrate.wrote()
        for name, number in self.scalars(bad).items():
            if number:
                raise DivergenceError(name, self.arrays[name].updates, "weight")
        self.substrate.updated()

    def parameters(self) -> dict[str, np.ndarray]:
        """Return copies of weights and biases by name."""
        return _own(self.live().parameters)

    def optimiser_state(self) -> dict[str, np.ndarray]:
        """Return ``<parameter>.<moment>`` and ``<synapse>.updates``."""
        return _own(self.live().optimiser)

    def device_state(self) -> dict[str, np.ndarray]:
        """Return what a chip keeps by name: conductances, draws of its devices, counts, ranges; empty without one."""
        return _own(self.live().devices)

    def live(self) -> EngineState:
        """Return :meth:`parameters`, :meth:`optimiser_state` and :meth:`device_state`, what is large not copied.

        To be written to a file, or copied, before the next update.
        """
        whole = {
            f"{synapse}.{name}": values
            for synapse, array in self.arrays.items()
            for name, values in array.live().items()
        }
        rule, shapes = self._kept_by_the_rule(), self.network.parameter_shapes()
        lengths = {} if self.lengths is None else {f"{CHIP}.{LENGTHS}": self.lengths.packed()}
        devices = {name: values for name, values in whole.items() if name not in rule and name not in shapes}
        devices |= {f"{CHIP}.{name}": values for name, values in self.substrate.state().items()} | lengths
        kept_by_rule = {name: values for name, values in whole.items() if name in rule}
        return EngineState({name: whole[name] for name in shapes}, kept_by_rule, devices)

    def load_parameters(self, parameters: Mapping[str, np.ndarray]) -> None:
        """Replace all weights and biases.

        Raises
        ------
        CheckpointError
            If a name or a shape does not fit the network.
        """
        checks.check_parameters(self.network, parameters)
        self.version += 1
        self._place(parameters, self.make(self.optimiser))

    def load_optimiser_state(
        self, state: Mapping[str, np.ndarray], devices: Mapping[str, np.ndarray] | None = None
    ) -> None:
        """Take over what :meth:`optimiser_state` and, on a chip, :meth:`device_state` of such an engine returned.

        Raises
        ------
        CheckpointError
            If an array is missing, unknown, of another shape or kind of numbers, or a moment is not finite.
        """
        whole = {**state, **(devices or {})}
        kept.check(whole, self._kept())
        found = whole.get(f"{CHIP}.{LENGTHS}")
        self.lengths = None if found is None else PhaseLengths.unpacked(found)
        self.substrate.load(_under(CHIP, whole))  # its clock first, by which devices age
        for synapse, array in self.arrays.items():
            array.load(_under(synapse, whole))

    def _kept(self) -> dict[str, kept.Entry]:
        """Return what is kept beside the parameters: by the rule, by the arrays of a chip, by the chip as a whole."""
        found, shapes = self._kept_by_the_rule(), self.network.parameter_shapes()
        for synapse, array in self.arrays.items():
            own = {f"{synapse}.{name}": kept.Entry.like(name, values) for name, values in array.live().items()}
            found |= {name: entry for name, entry in own.items() if name not in found and name not in shapes}
        whole = self.substrate.state().items()
        found |= {f"{CHIP}.{name}": kept.Entry.like(name, values) for name, values in whole}
        return found | {f"{CHIP}.{LENGTHS}": kept.Entry(PhaseLengths.SHAPE, "i", absent=True)}

    def _kept_by_the_rule(self) -> dict[str, kept.Entry]:
        """Return what the rule keeps: update counts first, moments from the first update on."""
        found = {f"{synapse.name}.{kept.UPDATES}": kept.Entry((), "i") for synapse in self.network.synapses}
        for name, shape in self.network.parameter_shapes().items():
            updates = f"{name.rpartition('.')[0]}.{kept.UPDATES}"
            found |= {f"{name}.{moment}": kept.Entry(shape, "f", updates) for moment in self.optimiser.moments}
        return found

    def describe(self) -> dict[str, Any]:
        """Return engine, device, dtype, threads, and the chip's name where there is one, for the record of a run."""
        return {"engine": self.name, **self.substrate.describe()}


def _own(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return arrays that nobody else changes: those that are read-only views are copied."""
    return {name: values if values.flags.writeable else values.copy() for name, values in arrays.items()}


def _under(name: str, state: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the entries whose names begin with ``name.``, without it."""
    start = f"{name}."
    return {key[len(start) :]: values for key, values in state.items() if key.startswith(start)}
