"""Configuration of a run: one TOML file, checked field by field, written back resolved.

    config = neuroep.config.load("examples/configs/reviews.toml", overrides=["--epochs", "3"])

Every section is frozen and knows its fields, their ranges and their meaning. What cannot be raises ``ConfigError`` with
one line: the file, the dotted field, the value, what is allowed, the nearest valid name.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from hw_models import faults, files
from hw_models.chip import Chip
from hw_models.errors import ChipError
from neuroep import potentials
from neuroep.errors import ConfigError
from neuroep.optimisers import LARGEST_RATE

PAPER_SIZES: Mapping[str, Mapping[str, Any]] = {
    "sentiment": {"tokens": 600, "dense": [1000, 40, 2]},
    "inference": {"tokens": 25, "dense": [400, 3], "inverse_temperature": 0.16},
}
SEQUENCES: Mapping[str, tuple[str, ...]] = {"sentiment": ("text",), "inference": ("premise", "hypothesis")}
GENERATED = ("reviews", "pairs")
CHIP = "chip"
VECTOR_FILES = (".kv", ".bin", ".gz", ".txt", ".vec")


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


Count = Annotated[int, Field(ge=1)]
Natural = Annotated[int, Field(ge=0)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Rate = Annotated[float, Field(ge=0, le=LARGEST_RATE, allow_inf_nan=False)]
Start = Annotated[float, Field(ge=-1e6, le=1e6, allow_inf_nan=False)]
NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Section(BaseModel):
    """A frozen table of settings that refuses unknown keys and silent conversions."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, use_attribute_docstrings=True)


class NetworkConfig(Section):
    """Layers and synapses; the length of a word vector comes from the data."""

    kind: Literal["sentiment", "inference"] = "sentiment"
    """One sequence and one attention layer, or premise and hypothesis and four."""
    tokens: Annotated[int | tuple[int, ...], BeforeValidator(_tokens)] = 600
    """Longest sequence [tokens]; for the inference network one number or [premise, hypothesis]."""
    dense: Annotated[tuple[Count, ...], Field(min_length=1, strict=False)] = (1000, 40, 2)
    """Sizes of the dense layers, the last one the number of classes."""
    readout: Literal["flat", "pooled"] = "flat"
    """What the dense stack sees of the attention: every position, or their sum over sqrt(n)."""
    inverse_temperature: Positive | None = None
    """kappa of the attention [1]; unset means 1/sqrt(dim) for sentiment and 0.16 for inference."""
    potential: Literal["hard_sigmoid", "smooth_sigmoid", "tanh", "linear"] = "hard_sigmoid"
    """Of every dense layer."""
    slope: Positive | None = None
    """Slope of the hard sigmoid; unset means 1/2, the paper's."""
    mask: bool = True
    """Keep padding out of the attention; off is the paper's way."""
    projection_bias: bool = False
    """Give the projections a bias."""
    output_bias: Start | None = None
    """Initial bias of the outputs; unset draws it as torch does, 1.0 starts a hard sigmoid in its linear range."""

    projection_identity: Start = 0.0
    """Multiple of the identity added to the initial projections; 1 starts attention at words like the asking one."""

    @property
    def lengths(self) -> tuple[int, ...]:
        """Longest sample of every sequence [tokens]."""
        count = len(SEQUENCES[self.kind])
        return self.tokens if isinstance(self.tokens, tuple) else (self.tokens,) * count

    @model_validator(mode="before")
    @classmethod
    def _paper_sizes(cls, values: Any) -> Any:
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
    """Where samples and word vectors come from; relative paths of a file count from that file's folder."""

    name: Literal["imdb", "snli", "reviews", "pairs", "table"] = "reviews"
    """Two sets by hub name or local copy, two generated ones, or a table of one's own."""
    path: str | None = None
    """Local file or folder; unset loads imdb and snli by hub name."""
    vectors: str | None = None
    """Word-vector file, or the name of a gensim download."""
    text: Annotated[tuple[str, ...], BeforeValidator(_columns)] | None = None
    """Text column, or the two of premise and hypothesis; unset means the set's own."""
    label: str | None = None
    """Label column; unset means 'label'."""
    validation: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of the training samples held out when the source has no validation split."""
    limit: Count | None = None
    """At most that many training samples."""
    cache: str | None = None
    """Folder for tokenised sets; unset means the user's cache."""
    order: Literal["shuffled", "length"] = "shuffled"
    """Training batches at random, or of samples of similar length."""

    @property
    def sequences(self) -> int:
        """Number of sequences of a sample."""
        return len(self.text) if self.text else 1 + (self.name in ("snli", "pairs"))

    @model_validator(mode="after")
    def _fits(self) -> DataConfig:
        given = [name for name in ("path", "vectors", "text", "label", "cache") if getattr(self, name) is not None]
        if self.name in GENERATED:
            if given:
                value = getattr(self, given[0])
                raise ValueError(f"{given[0]} = {value!r}: data '{self.name}' is generated and takes none")
            return self
        needed = {"path": "a file or folder", "text": "the name of a column, or of two"} if self.name == "table" else {}
        for name, what in {**needed, "vectors": "a word-vector file or the name of a gensim download"}.items():
            if name not in given:
                raise ValueError(f"{name} is not set: data '{self.name}' needs {what}")
        return self


class SettlingConfig(Section):
    """How the states settle in the free and in the nudged phases."""

    order: Literal["layerwise", "synchronous"] = "layerwise"
    """Even layers then odd layers, or all at once as in the paper."""
    free_steps: Count = 20
    """Most steps of the free phase (T)."""
    nudged_steps: Count = 20
    """Most steps of a nudged phase (K)."""
    tolerance: NonNegative = 0.0
    """Stop when no state moves by more; 0 runs all steps."""
    dt: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Relaxation of a step, s <- s + dt (grad G*(u) - s)."""
    check_every: Count | None = None
    """Steps between two looks at the tolerance; unset leaves it to the engine."""


class EstimatorConfig(Section):
    """Which phases estimate the gradient."""

    kind: Literal["centred", "positive", "negative", "random"] = "centred"
    """Contrast of +beta and -beta, of one of them and the free phase, or of a random sign."""
    beta: Positive = 0.1
    """Strength of the nudge."""


class OptimiserConfig(Section):
    """Weight updates; rates fall as a cosine of the epoch."""

    kind: Literal["adam", "sgd"] = "adam"
    """Update rule."""
    projection_rate: Rate = 1e-4
    """Initial rate of the projections; 0 freezes them."""
    dense_rate: Rate = 5e-5
    """Initial rate of the dense synapses; 0 freezes them."""
    rates: dict[str, Rate] = Field(default_factory=dict)
    """Initial rates of single synapses by name, before the two above."""
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Heavy-ball momentum of sgd."""
    weight_decay: NonNegative = 0.0
    """Decoupled decay."""
    decay_epochs: Natural = 100
    """Epochs until the final rate is reached (T_max); 0 keeps the rates constant."""
    final_rate: Rate = 1e-5
    """Rate at the end of the decay; smaller initial rates stay as they are."""

    @model_validator(mode="after")
    def _fits(self) -> OptimiserConfig:
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
    """Of initial weights, order of samples and random signs."""
    probe: Natural = 0
    """Samples of the EP-BPTT cosine measured after each epoch; 0 measures none."""
    evaluate: Annotated[tuple[str, ...], Field(strict=False)] = ("test",)
    """Splits evaluated after each epoch."""


class EngineConfig(Section):
    """What runs the network."""

    kind: Literal["local", "reference"] = "local"
    """Numba arrays, or PyTorch."""
    device: Annotated[str, AfterValidator(_device)] = "auto"
    """Of the reference engine: auto, cpu, cuda or cuda:N."""
    dtype: Literal["float32", "float64"] = "float32"
    """Precision of states and weights."""
    threads: Count | None = None
    """Threads of the engine; unset leaves it to the environment."""
    chip_seed: Natural | None = None
    """Of a chip's devices and noise; unset takes training.seed."""

    @model_validator(mode="after")
    def _fits(self) -> EngineConfig:
        if self.kind == "local" and self.device.startswith("cuda"):
            raise ValueError(f"device = '{self.device}': engine 'local' runs on the CPU; use kind = 'reference'")
        return self


class Config(Section):
    """Everything that defines a run."""

    network: NetworkConfig = Field(default_factory=lambda: NetworkConfig.model_validate({}))
    data: DataConfig = Field(default_factory=DataConfig)
    settling: SettlingConfig = Field(default_factory=SettlingConfig)
    estimator: EstimatorConfig = Field(default_factory=EstimatorConfig)
    optimiser: OptimiserConfig = Field(default_factory=OptimiserConfig)
    training: TrainingConfig = Field(default_factory=TrainingConfig)
    engine: EngineConfig = Field(default_factory=EngineConfig)
    chip: Chip | None = None
    """What the local engine runs on; unset is exact arithmetic."""

    @model_validator(mode="after")
    def _fits(self) -> Config:
        if self.chip is not None and self.engine.kind != "local":
            raise ValueError(f"engine.kind = '{self.engine.kind}': chip '{self.chip.name}' runs on engine 'local'")
        if self.chip is None and self.engine.chip_seed is not None:
            raise ValueError(f"engine.chip_seed = {self.engine.chip_seed}: it acts only with a chip")
        needed = len(SEQUENCES[self.network.kind])
        if self.data.sequences != needed:
            counts = f"reads {needed} sequence{'s' * (needed > 1)}, data '{self.data.name}' has {self.data.sequences}"
            raise ValueError(f"network.kind = '{self.network.kind}': {counts}")
        return self

    @model_validator(mode="after")
    def _keeps_the_energy_convex(self) -> Config:
        highest = potentials.named(self.network.potential, self.network.slope).curvature
        if self.estimator.kind != "positive" and self.estimator.beta >= highest:
            kinds = f"estimator '{self.estimator.kind}' with potential '{self.network.potential}'"
            raise ValueError(f"estimator.beta = {self.estimator.beta}: {kinds} needs less than {highest}")
        return self

    @property
    def evaluation_order(self) -> str | None:
        """Order in which evaluated samples are batched: as they come, or by length where training does so."""
        return self.data.order if self.data.order == "length" else None

    def to_dict(self) -> dict[str, dict[str, Any]]:
        """Return the settings as nested plain values, unset ones left out."""
        return self.model_dump(mode="json", exclude_none=True)

    def to_toml(self) -> str:
        """Return the resolved configuration as TOML."""
        import tomli_w

        return tomli_w.dumps(self.to_dict())

    def flat(self) -> dict[str, Any]:
        """Return the settings by dotted name, for example ``{"training.epochs": 3}``."""
        return dict(_leaves(self.to_dict()))


def _leaves(tables: Mapping[str, Any], start: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in tables.items():
        if isinstance(value, dict) and f"{start}{name}" != "optimiser.rates":
            yield from _leaves(value, f"{start}{name}.")
        else:
            yield f"{start}{name}", value


def settings(chip: bool = True) -> dict[str, Any]:
    """Return every field of the configuration by dotted name, as pydantic field information.

    Parameters
    ----------
    chip : bool
        With those of a chip, ``chip.adc.bits`` and so on.
    """
    sections: dict[str, Any] = {name: field.annotation for name, field in Config.model_fields.items() if name != CHIP}
    fields = {name: section.model_fields for name, section in sections.items()}
    found = {f"{name}.{leaf}": field for name, leaves in fields.items() for leaf, field in leaves.items()}
    return found | ({f"{CHIP}.{name}": field for name, field in Chip.settings().items()} if chip else {})


def parse(values: Mapping[str, Any], source: str = "configuration") -> Config:
    """Check nested plain values.

    Parameters
    ----------
    values : mapping
        Sections with their settings.
    source : str
        Where they come from, the start of an error line.

    Raises
    ------
    ConfigError
        With one line for the first fault: the field, the value, what is allowed.
    """
    try:
        return Config.model_validate(_with_chip(values))
    except ChipError as error:
        raise ConfigError(f"{source}: {error}") from None
    except ValidationError as error:
        raise ConfigError(f"{source}: {faults.line(error.errors()[0], settings())}") from None


def _with_chip(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values with a chip's name or file replaced by what it stands for, and its table laid over that."""
    chip = values.get(CHIP)
    table = {"preset": chip} if isinstance(chip, str) else chip
    if not isinstance(table, Mapping) or not isinstance(table.get("preset"), str):
        return dict(values)
    return {**values, CHIP: files.laid_over(files.load(table["preset"]).to_dict(), table)}


def load(path: str | Path, overrides: Sequence[str] = ()) -> Config:
    """Read a TOML file, apply command-line overrides, and check the result.

    Parameters
    ----------
    path : str or Path
        Configuration file. Relative paths inside count from its folder.
    overrides : sequence of str
        ``["--training.epochs", "3", "--beta", "0.2"]``; relative paths count from the working directory.

    Raises
    ------
    ConfigError
        If the file is missing or no TOML, or a setting cannot be.
    """
    from neuroep.overrides import merged

    path = Path(path)
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot read configuration '{path}': {error.strerror or error}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not valid TOML: {error}") from None
    return parse(merged(located(values, path.parent), overrides), str(path))


def located(values: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Return the values with the paths of section ``data`` and of a chip made absolute, counted from ``folder``."""
    values = {**values, CHIP: _located_chip(values[CHIP], folder)} if CHIP in values else values
    data = values.get("data")
    if not isinstance(data, Mapping):
        return dict(values)
    paths = {name: data[name] for name in ("path", "vectors", "cache") if isinstance(data.get(name), str)}
    if "vectors" in paths and not _is_file_name(paths["vectors"], folder):
        del paths["vectors"]
    placed = {name: str((folder / Path(value).expanduser()).resolve()) for name, value in paths.items()}
    return {**values, "data": {**data, **placed}}


def _located_chip(chip: Any, folder: Path) -> Any:
    """Make the path of a chip's file absolute; the name of a preset stays."""
    if isinstance(chip, Mapping) and isinstance(chip.get("preset"), str):
        return {**chip, "preset": _located_chip(chip["preset"], folder)}
    if isinstance(chip, str) and files.is_file_name(chip):
        return str((folder / Path(chip).expanduser()).resolve())
    return chip


def _is_file_name(vectors: str, folder: Path) -> bool:
    """Tell a word-vector file from the name of a gensim download."""
    return "/" in vectors or Path(vectors).suffix in VECTOR_FILES or (folder / vectors).exists()
