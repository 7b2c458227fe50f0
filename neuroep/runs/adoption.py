"""Weights trained elsewhere as a run: `neuroep adopt weights.npz --config reviews.toml --out runs/mine`.

    found = neuroep.adopt("mine.npz", "examples/configs/reviews.toml", "runs/mine", names={"dense_1": "fc1"})

The configuration describes network and data, the file holds a tensor for each of the network's parameters. Whose is
whose is told by names, or found: first what ``names`` say, then tensors that have the very name of a parameter, then
those whose shape one parameter and one tensor that are left have alone. Nothing is left over on either side, else the
file is refused: tensors that are none of the network's are named by ``left_out``, and a bias that the file lacks is 0
by ``{"dense_1.bias": "zeros"}``. Weights are (out, in), as torch has them; ``"fc1.weight.T"`` is the transpose of
``fc1.weight``, as Keras and JAX have theirs.

Such a run is evaluated, deployed, swept and reported like a trained one, and others are trained ``--from`` it. It has
no record of training and is not resumed. ``environment.json`` says which file it is from and what its tensors became.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hw_models.keywords import checked
from hw_models.reading import Page
from hw_models.text import lined, shown
from neuroep.errors import ConfigError
from neuroep.runs import building, config as configuration, directory as runs, folders, weight_files
from neuroep.runs.arguments import check_overrides, check_path
from neuroep.runs.checkpoints import About, Checkpoint
from neuroep.runs.config import Config
from neuroep.runs.directory import Run
from neuroep.runs.tables import Tabular
from neuroep.runs.tensor_match import NOTHING, TensorMatch


@dataclass(frozen=True, repr=False)
class Adoption(Tabular):
    """A run that was made of weights from elsewhere."""

    run: Run
    file: Path
    names: Mapping[str, str]
    """Tensor of the file by parameter of the network."""
    by_shape: tuple[str, ...]
    """Parameters whose tensor was found by its shape alone."""
    left_out: tuple[str, ...]

    def as_dict(self) -> Page:
        """Return plain values."""
        names = {"names": dict(self.names), "by_shape": list(self.by_shape), "left_out": list(self.left_out)}
        return {"run": str(self.run.path), "file": str(self.file), **names}

    def table(self) -> list[Page]:
        """Return a row for each parameter: its tensor, and whether that was found by its shape."""
        rows = self.names.items()
        return [{"parameter": ours, "tensor": theirs, "by shape": ours in self.by_shape} for ours, theirs in rows]

    def caption(self) -> str:
        """Return run and file."""
        return self.as_text().splitlines()[0]

    def as_text(self) -> str:
        """Return a line for each parameter."""
        width = max(len(ours) for ours in self.names)
        lines = [f"{self.run.path}: weights of {self.file}"]
        for ours, theirs in self.names.items():
            lines.append(f"  {ours:<{width}} {theirs}" + (", by its shape" if ours in self.by_shape else ""))
        lines += [f"  left out: {', '.join(self.left_out)}"] if self.left_out else []
        return lined(lines)


@checked(ConfigError)
def adopt(
    file: str | Path,
    config: str | Path | Config,
    out: str | Path,
    *,
    names: Mapping[str, str] | None = None,
    left_out: Sequence[str] = (),
    overrides: Sequence[str] = (),
) -> Adoption:
    """Make a run directory of weights that were trained elsewhere.

    Parameters
    ----------
    file : str or Path
        ``.safetensors``, ``.npz``, or a torch state dict; nothing in it is executed.
    config : str, Path or Config
        What describes the network and the data.
    out : str or Path
        Run directory to make.
    names : mapping of str to str, optional
        Tensor by parameter, or by synapse for both of its weight and bias: ``NAME.weight`` and ``NAME.bias``.
    left_out : sequence of str
        Tensors that are none of the network's weights.
    overrides : sequence of str
        Settings that differ from the configuration's.

    Raises
    ------
    CheckpointError
        If the file cannot be read, a tensor is missing, is left over, has another shape, or is no finite weights.
    ConfigError, DataError
        If a name or a setting cannot be, or ``out`` is not empty.
    """
    check_path("file", file, "the weights")
    check_path("out", out, "the run directory to make")
    check_overrides(overrides)
    folders.check_free(out)
    given = _checked_names({} if names is None else names)
    settings = _configuration(config, overrides)
    held = weight_files.read(file)
    corpus = building.build_corpus(settings)
    network = building.build_network(settings, corpus.dim, corpus.sequences)
    building.check_classes(network, corpus)
    building.check_lengths(settings, corpus)
    match = TensorMatch(file, held, network)
    match.take(given, left_out)
    match.find()
    dtype = settings.engine.dtype
    parameters = {ours: match.parameter(ours, dtype) for ours in match.wanted}
    about = About(
        network=network.signature(),
        epoch=0,
        updates=0,
        seed=settings.training.seed,
        config=runs.config_hash(settings),
        vectors=corpus.kept(),
        classes=list(corpus.classes),
    )
    source = {"file": Path(file).name, "sha256": _digest(file), "names": match.names, "by_shape": match.by_shape}
    shapes = match.wanted
    page = runs.environment(
        {
            "adopted": {**source, "left_out": match.left_out},
            "corpus": {"name": corpus.name, "fingerprint": corpus.fingerprint},
            "network": {
                "signature": network.signature(),
                "parameters": sum(array.size for array in parameters.values()),
                "shapes": shapes,
            },
        }
    )
    run = runs.create(out, settings, page, Checkpoint(about, parameters))
    return Adoption(run, Path(file), match.names, tuple(match.by_shape), tuple(match.left_out))


def _configuration(config: str | Path | Config, overrides: Sequence[str]) -> Config:
    if isinstance(config, str | Path):
        return configuration.load(config, overrides)
    if not isinstance(config, Config):
        raise ConfigError(f"config is a {type(config).__name__}: give a configuration file or a Config")
    return configuration.changed(config, overrides) if overrides else config


def _checked_names(names: object) -> dict[str, str]:
    if not isinstance(names, Mapping) or not all(isinstance(word, str) for pair in names.items() for word in pair):
        raise ConfigError(f"names is {shown(names)}: give their names by ours, for example {{'dense_1': 'fc1'}}")
    return dict(names)


def pairs(words: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """Return what words THEIR=OURS of the command line say: tensor by parameter, and tensors that are left out.

    Raises
    ------
    ConfigError
        If one is no such word, or a name of ours comes twice.
    """
    names: dict[str, str] = {}
    left_out: list[str] = []
    for word in words:
        theirs, equals, ours = word.rpartition("=")
        if not (theirs and equals and ours):
            raise ConfigError(f"--map {shown(word)}: give THEIR=OURS, for example fc1.weight=dense_1.weight")
        if ours == NOTHING:
            left_out.append(theirs)
        elif ours in names:
            raise ConfigError(f"--map {shown(word)}: '{ours}' is '{names[ours]}' already")
        else:
            names[ours] = theirs
    return names, left_out


def _digest(file: str | Path) -> str:
    with open(file, "rb") as held:
        return hashlib.file_digest(held, "sha256").hexdigest()
