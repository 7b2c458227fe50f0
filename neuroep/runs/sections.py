# Tested by tests/neuroep/runs/test_every_setting.py.
"""Sections of a configuration: every setting with its range and meaning; see :mod:`neuroep.runs.config`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from hw_models.chip import Chip
from hw_models.reading import Entries
from neuroep.data.catalogue import CATALOGUE, NAMES, OPTIONAL, DataSource, Origin
from neuroep.engines.schedule import BY_SAMPLE, Schedule
from neuroep.errors import ConfigError
from neuroep.gradients.formulas import (
    LEAST_BETA,
    MOST,
    MOST_BETA,
    PERIODS,
    Kind,
    Order,
    check_order,
    check_points,
)
from neuroep.learning.optimisers import LARGEST_RATE
from neuroep.network.potentials import LARGEST

CHIP = "chip"
"""Name of the table that describes the chip."""

PAPER_SIZES: Mapping[str, Entries] = {
    "sentiment": {"tokens": 600, "dense": [1000, 40, 2]},
    "inference": {"tokens": 25, "dense": [400, 3], "inverse_temperature": 0.16},
}
SEQUENCES: Mapping[str, tuple[str, ...]] = {"sentiment": ("text",), "inference": ("premise", "hypothesis")}
if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

    DataName = str
else:
    DataName = Literal[NAMES]


def _tokens(value: object) -> object:
    """Accept a whole number, or one per sequence."""
    lengths = value if isinstance(value, list | tuple) else [value]
    if len(lengths) not in (1, 2) or any(type(n) is not int or n < 1 for n in lengths):
        raise ValueError("should be a whole number from 1, or [premise, hypothesis]")
    return tuple(lengths) if isinstance(value, list | tuple) else value


def _columns(value: object) -> object:
    """Accept a column name, or a list of one or two."""
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, list | tuple) or len(names) not in (1, 2) or not all(isinstance(n, str) for n in names):
        raise ValueError("should be the name of a column, or a list of one or two")
    return tuple(names)


def _device(value: str) -> str:
    if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", value):
        raise ValueError("should be auto, cpu, cuda or cuda:N")
    return value


Count = Annotated[int, Field(ge=1, le=1_000_000_000)]
Steps = Annotated[int, Field(ge=1, le=1_000_000)]
Natural = Annotated[int, Field(ge=0)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Held = Annotated[float, Field(ge=1 / LARGEST, le=LARGEST, allow_inf_nan=False)]
"""What states in single precision bear."""
Rate = Annotated[float, Field(ge=0, le=LARGEST_RATE, allow_inf_nan=False)]
Start = Annotated[float, Field(ge=-1e6, le=1e6, allow_inf_nan=False)]
NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Section(BaseModel):
    """A frozen table of settings that refuses unknown keys and silent conversions."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, use_attribute_docstrings=True)


class NetworkConfig(Section):
    """Layers and synapses; the length of a token's vector comes from the data."""

    kind: Literal["sentiment", "inference"] = "sentiment"
    """One sequence and one attention layer, or premise and hypothesis and four."""
    tokens: Annotated[int | tuple[int, ...], BeforeValidator(_tokens)] = 600
    """Length of the longest sequence [tokens]. The inference network takes one number or [premise, hypothesis]."""
    dense: Annotated[tuple[Count, ...], Field(min_length=1, strict=False)] = (1000, 40, 2)
    """Sizes of the dense layers. The last one is the number of classes."""
    readout: Literal["flat", "pooled"] = "flat"
    """What the dense stack reads of the attention: every position, or their sum over sqrt(n)."""
    inverse_temperature: Held | None = None
    """Inverse temperature kappa of the attention [1]; unset means 1/sqrt(dim) for sentiment and 0.16 for inference."""
    potential: Literal["hard_sigmoid", "smooth_sigmoid", "tanh", "linear"] = "hard_sigmoid"
    """Neuron of every dense layer."""
    slope: Held | None = None
    """Slope of the hard sigmoid; unset means 1/2, the paper's."""
    mask: bool = True
    """Keep padding out of the attention. The paper does not (off)."""
    projection_bias: bool = False
    """Give the projections a bias."""
    output_bias: Start | None = None
    """Initial bias of the outputs. Unset draws it as torch does. 1.0 starts a hard sigmoid in its linear range."""

    projection_identity: Start = 0.0
    """Multiple of the identity that is added to the initial projections. With 1, a word first attends to words like
    itself."""

    @property
    def lengths(self) -> tuple[int, ...]:
        """Longest sample of every sequence [tokens]."""
        count = len(SEQUENCES[self.kind])
        return self.tokens if isinstance(self.tokens, tuple) else (self.tokens,) * count

    @model_validator(mode="before")
    @classmethod
    def _paper_sizes(cls, values: object) -> object:
        if not isinstance(values, Mapping):
            return values
        kind = values.get("kind", "sentiment")
        filled = dict(PAPER_SIZES.get(kind, {}) if isinstance(kind, str) else {})
        if values.get("potential", "hard_sigmoid") == "hard_sigmoid":
            filled["slope"] = 0.5
        return {**filled, **{name: value for name, value in values.items() if value is not None}}

    @model_validator(mode="after")
    def _fits(self) -> NetworkConfig:
        if self.slope is not None and self.potential != "hard_sigmoid":
            raise ValueError(f"slope = {self.slope}: only potential 'hard_sigmoid' takes one, not '{self.potential}'")
        if isinstance(self.tokens, tuple) and len(self.tokens) != len(SEQUENCES[self.kind]):
            wanted = f"network '{self.kind}' takes one number for each of {', '.join(SEQUENCES[self.kind])}"
            raise ValueError(f"tokens = {list(self.tokens)}: {wanted}")
        return self


class DataConfig(Section):
    """Where samples come from, and what tokens are; relative paths of a file count from that file's folder."""

    name: DataName = "reviews"
    """Text: two sets by hub name or local copy, two generated ones, a table of one's own; numbers: arrays of one's own,
    embedded digits, arrays given from Python."""
    path: str | None = None
    """Local file or folder; for arrays also the beginning of file names. Unset loads imdb and snli by their hub
    names."""
    vectors: str | None = None
    """Word-vector file, or the name of a gensim download. A .kv file that only the configuration of a run names must be
    named again."""
    text: Annotated[tuple[str, ...], BeforeValidator(_columns)] | None = None
    """Text column, or the two columns of premise and hypothesis. A table needs it. Unset takes those of the data
    set."""
    label: str | None = None
    """Label column; unset means 'label'."""
    test: Annotated[float, Field(gt=0, lt=1)] | None = None
    """Share of the samples of arrays that is held out as test split, the same for every seed. Unset takes the split of
    the files. Texts take no share: their test split is a table of its own, test.csv beside train.csv."""
    standardise: Literal["channels", "whole", "off"] | None = None
    """Standardise numbers by the mean and the scale of the training samples: per channel (channels), over all numbers
    (whole), or not at all (off). Unset means channels, and whole for digits."""
    window: Count | None = None
    """Points that form a token of numbers; unset means 1."""
    stride: Count | None = None
    """Points from one window to the next, at most the length of a window. Unset means the length of a window."""
    position: Literal["added", "appended"] | None = None
    """Sinusoidal code of a token's position, added to its numbers or appended to them; unset means none."""
    position_dim: Count | None = None
    """Length of an appended code, an even number; unset means 8."""
    validation: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of the training samples held out when the source has no validation split."""
    limit: Count | None = None
    """Largest number of training samples."""
    cache: str | None = None
    """Folder for tokenised data sets. Unset means the user's cache, and so does a folder that only the configuration of
    a run names."""
    order: Literal["shuffled", "length"] = "shuffled"
    """Training batches at random, or of samples of similar length."""

    @property
    def origin(self) -> Origin:
        """Where samples come from, before anything is cut or chosen."""
        return Origin(**{name: getattr(self, name) for name in OPTIONAL})

    @property
    def entry(self) -> DataSource:
        """The data set of that name."""
        return CATALOGUE[self.name]

    @property
    def sequences(self) -> tuple[str, ...]:
        """Names of the sequences of a sample."""
        return self.entry.sequences_of(self.origin)

    @model_validator(mode="after")
    def _fits(self) -> DataConfig:
        fault = self.entry.faults(self.origin) or self.entry.missing(self.origin)
        chosen = {"validation": self.validation, "limit": self.limit}
        for name, value in chosen.items():
            if value and name not in self.entry.takes:
                fault = f"{name} = {value}: data '{self.name}' {self.entry.about} and takes none"
        if fault:
            raise ValueError(fault)
        return self


class SettlingConfig(Section):
    """How the states settle in the free and in the nudged phases."""

    order: Literal["layerwise", "synchronous"] = "layerwise"
    """Even layers then odd layers, or all at once as in the paper."""
    free_steps: Steps = 20
    """Most steps of the free phase (T)."""
    nudged_steps: Steps = 20
    """Most steps of a nudged phase (K)."""
    tolerance: NonNegative = 0.0
    """Stop the free phase when no state moves by more than this; 0 runs all steps."""
    nudged_tolerance: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Stop a nudged phase when no layer's displacement from the free state changes by more than this share of it,
    0.01 to 0.1 is sensible; 0 runs all steps."""
    nudged_form: Literal["states", "differences"] = "states"
    """What a nudged phase is solved for: its states or, in exact arithmetic, their differences from the free state.
    Differences keep their precision at any beta and need fewer products, but the free state stays as settled as it
    is."""
    acceleration: Literal["none", "anderson"] = "none"
    """Anderson acceleration of the dense layers next to attention, in exact arithmetic, layer-wise and with dt = 1."""
    dt: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Relaxation of a step, s <- s + dt (grad G*(u) - s)."""
    check_every: Count | None = None
    """Steps between two checks of the tolerance; unset leaves this to the engine."""
    stop: Literal["tolerance", "by_sample", "calibrated"] = "tolerance"
    """What ends a phase before its most steps. Tolerance: its tolerance. By sample: that tolerance for each sample by
    itself, which then leaves the batch, in exact arithmetic, with dt = 1 and nudged_form differences. Calibrated: on a
    chip, whose noise and levels may never meet a tolerance, the number of sweeps that calibration samples needed. It is
    found ahead and is the same for all samples. The tolerance is then what states may miss beside their noise (root
    mean square), and nudged_tolerance the share of a layer's displacement that may be missing. Without a chip,
    calibrated phases end by their tolerance."""
    calibrate_every: Count = 100
    """Training with stop calibrated: updates after which the numbers of sweeps are found anew, since weights change."""

    @model_validator(mode="after")
    def _fits(self) -> SettlingConfig:
        try:
            Schedule(self.order, dt=self.dt, acceleration=self.acceleration, stop=self.stop)
        except ConfigError as error:
            raise ValueError(str(error)) from None
        if self.stop == BY_SAMPLE:
            if self.tolerance == 0 == self.nudged_tolerance:
                told = "nothing ends a phase; set tolerance or nudged_tolerance"
                raise ValueError(f"stop = '{BY_SAMPLE}': {told}")
            if self.nudged_form != "differences":
                told = "both ends of a contrast take the same sweeps"
                instead = "set nudged_form = 'differences' or stop = 'tolerance'"
                raise ValueError(f"stop = '{BY_SAMPLE}': {told}; {instead}")
        usual = type(self).model_fields["calibrate_every"].default
        if self.stop != "calibrated" and self.calibrate_every != usual:
            raise ValueError(f"calibrate_every = {self.calibrate_every}: it acts only with stop = 'calibrated'")
        return self


class EstimatorConfig(Section):
    """Which phases estimate the gradient."""

    kind: Kind = "centred"
    """Contrast of +beta and -beta, of one of them and the free phase, or of a random sign."""
    beta: Annotated[float, Field(ge=LEAST_BETA, le=MOST_BETA, allow_inf_nan=False)] = 0.1
    """Strength of the nudge; the largest one where there are several."""
    points: Annotated[int, Field(ge=2, le=MOST)] = 2
    """Centred: number of states that are contrasted, an even number of nudges within +-beta. The bias falls with this
    power of beta."""
    order: Order = "fixed"
    """Order of the nudged phases. Fixed: plus, minus. Batch, sample: plus, minus or minus, plus, at random for each
    batch or each sample of it (centred alone). Mirrored: plus, minus, minus, plus, each settled twice, and the
    contrasts averaged; with one nudge the free phase takes its turns too: free, plus, plus, free."""
    periods: Annotated[int, Field(ge=1, le=PERIODS)] = 1
    """How often the nudge goes through its phases. The contrasts are averaged (a lock-in with a square wave)."""
    null: bool = False
    """Settle two phases without a nudge behind each pair, and subtract their change: an auto-zero of the whole chip."""

    @model_validator(mode="after")
    def _fits(self) -> EstimatorConfig:
        try:
            check_points(self.kind, self.points)
            check_order(self.kind, self.order)
        except ConfigError as error:
            raise ValueError(str(error)) from None
        return self


class OptimiserConfig(Section):
    """Weight updates; rates fall as a cosine of the epoch."""

    kind: Literal["adam", "sgd"] = "adam"
    """Update rule."""
    projection_rate: Rate = 1e-4
    """Initial rate of the projections; 0 freezes them."""
    dense_rate: Rate = 5e-5
    """Initial rate of the dense synapses; 0 freezes them."""
    rates: dict[str, Rate] = Field(default_factory=dict)
    """Initial rates of single synapses by name. They replace the two above."""
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Heavy-ball momentum of sgd."""
    weight_decay: NonNegative = 0.0
    """Decoupled weight decay."""
    decay_epochs: Natural = 100
    """Epochs until the final rate is reached (T_max); 0 keeps the rates constant."""
    decay_every: Literal["epoch", "update"] = "epoch"
    """When rates fall: at the start of each epoch, or with every update. With few epochs and epoch-wise decay, the last
    epoch still has rates far above the final one, so the final weights are a snapshot of weights that still move."""
    final_rate: Rate = 1e-5
    """Rate at the end of the decay. Smaller initial rates stay as they are."""

    @model_validator(mode="after")
    def _fits(self) -> OptimiserConfig:
        if self.decay_every != "epoch" and not self.decay_epochs:
            raise ValueError(f"decay_every = '{self.decay_every}': with decay_epochs = 0 rates do not fall")
        if self.momentum and self.kind != "sgd":
            raise ValueError(f"momentum = {self.momentum}: only optimiser 'sgd' has one")
        highest = max(self.projection_rate, self.dense_rate, *self.rates.values())
        if highest * self.weight_decay >= 1:
            bound = f"times the highest rate {highest} it should be less than 1: an update takes that share of a weight"
            raise ValueError(f"weight_decay = {self.weight_decay}: {bound}")
        return self


class TrainingConfig(Section):
    """Length and bookkeeping of a run."""

    epochs: Count = 10
    """Passes over the training samples."""
    batch: Count = 100
    """Samples of a minibatch."""
    seed: Natural = 0
    """Seed of the initial weights, the order of samples and random signs."""
    probe: Natural = 0
    """Samples on which the cosine of EP with BPTT is measured after each epoch; 0 measures none."""
    evaluate: Annotated[tuple[str, ...], Field(strict=False)] = ("test",)
    """Splits evaluated after each epoch."""


class EngineConfig(Section):
    """What runs the network."""

    kind: Literal["local", "reference"] = "local"
    """Numba arrays, or PyTorch."""
    device: Annotated[str, AfterValidator(_device)] = "auto"
    """Device of the reference engine: auto, cpu, cuda or cuda:N."""
    dtype: Literal["float32", "float64"] = "float32"
    """Precision of states and weights."""
    products: Literal["full", "bfloat16"] = "full"
    """Precision of the products of states in dense synapses: that of dtype (full) or, with nudged phases in
    differences, bfloat16. This is several times as fast on a processor with instructions for it."""
    repeats: Literal["each", "once"] = "each"
    """Words that occur more than once in a batch: multiply each with the weights and the queries (each), or one for all
    (once). On long texts once takes half the time. Sums are then rounded differently, by some 1e-7. Local engine."""
    threads: Count | None = None
    """Threads of the engine; unset leaves it to the environment."""
    chip_seed: Natural | None = None
    """Seed of a chip's devices and noise; unset takes training.seed."""

    @model_validator(mode="after")
    def _fits(self) -> EngineConfig:
        if self.kind == "local" and self.device.startswith("cuda"):
            raise ValueError(f"device = '{self.device}': engine 'local' runs on the CPU; use kind = 'reference'")
        if self.products != "full" and self.dtype != "float32":
            raise ValueError(f"products = '{self.products}': goes with dtype 'float32', not '{self.dtype}'; use 'full'")
        if self.repeats != "each" and self.kind != "local":
            raise ValueError(f"repeats = '{self.repeats}': goes with kind 'local', not '{self.kind}'; use 'each'")
        return self


SECTIONS: Mapping[str, type[Section]] = {
    "network": NetworkConfig,
    "data": DataConfig,
    "settling": SettlingConfig,
    "estimator": EstimatorConfig,
    "optimiser": OptimiserConfig,
    "training": TrainingConfig,
    "engine": EngineConfig,
}
"""By name of the table; beside them stands the chip's."""


def settings(chip: bool = True) -> dict[str, FieldInfo]:
    """Return every field of the configuration by dotted name, as pydantic field information.

    Parameters
    ----------
    chip : bool
        With those of a chip, ``chip.adc.bits`` and so on.
    """
    found: dict[str, FieldInfo] = {}
    for name, part in SECTIONS.items():
        found |= {f"{name}.{leaf}": field for leaf, field in part.model_fields.items()}
    return found | ({f"{CHIP}.{name}": field for name, field in Chip.settings().items()} if chip else {})
