# Tested by tests/neuroep/engines/chip/test_updates.py.
"""What a learning rule is: it makes the crossbars that hold the weights of a synapse, reads them, and changes them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import ClassVar

import numpy as np

from hw_models.arrays.crossbar import Crossbar
from hw_models.chip import Chip, Update
from hw_models.tally import Tally
from hw_models.wear import Wear
from neuroep.engines.numba.arrays import IdealArray, ideal
from neuroep.engines.numba.substrate import Setting
from neuroep.engines.parts import TALLY, Values
from neuroep.errors import ConfigError
from neuroep.learning.contrast import Contrast
from neuroep.learning.optimisers import Adam, Optimiser

EDGE = 0.999
"""Share of a bound from which a weight counts as being there."""
CROSSBAR = "crossbar"
"""Label of a rule's first crossbar."""
KEPT = "rule."
"""Begin of the names under which a checkpoint has what a rule keeps."""


@dataclass(frozen=True)
class Place:
    """Where a rule learns: one synapse of a chip."""

    name: str
    """Of the synapse; keys the draws of its devices."""
    chip: Chip
    setting: Setting


class LearningRule(ABC):
    """The weights of one synapse, on as many crossbars as the rule needs.

    What is read is their sum, W = sum_k share_k W_k, added digitally behind the converters:

        forward W x = sum_k share_k (W_k x),     transposed W^T s = sum_k share_k (W_k^T s)

    A rule with two arrays makes two, says their shares and moves both; nothing else knows how many there are.

    Parameters
    ----------
    place : Place
        The synapse.
    weight : numpy.ndarray
        (out, in) to begin with, owned.
    bias : numpy.ndarray or None
        (out,), of the digital periphery, which follows the optimiser exactly.

    Attributes
    ----------
    crossbars : dict of str to Crossbar
        By label, which names them in checkpoints.
    shares : dict of str to float
        Of every crossbar that products read.
    seconds : float
        What the last update took on the chip [s]; see :mod:`hw_models.durations`.
    prepared : float
        What pulses and reads took before the first update, which has them in its time [s].
    tally : Tally
        What the rule does beside its crossbars: pulses, and digital multiply-adds.
    digital : IdealArray
        What the rule keeps in digital form: bias, moments, and a matrix of its own where it has one.
    kept : dict of str to numpy.ndarray
        What else it keeps in digital form, by name: written in place, part of checkpoints.
    """

    usual: ClassVar[Optimiser] = Adam()
    """What the optimiser is where nothing is said."""
    decays: ClassVar[bool] = True
    """Whether weight decay is possible, which needs the weights in digital form."""
    digital: IdealArray

    @abstractmethod
    def __init__(self, place: Place, weight: np.ndarray, bias: np.ndarray | None) -> None:
        self.place, self.tally = place, place.setting.tally()
        self.crossbars: dict[str, Crossbar] = {}
        self.kept: dict[str, np.ndarray] = {}
        self.seconds = self.prepared = 0.0
        self.shares = {CROSSBAR: 1.0}

    def _crossbar(
        self, shape: tuple[int, int], label: str = CROSSBAR, full: float | None = None, chip: Chip | None = None
    ) -> Crossbar:
        """Make a crossbar; its draws are keyed by the synapse, those of further ones by their label too.

        Parameters
        ----------
        shape : tuple of int
            (out, in).
        label : str
            Of the crossbar.
        full : float, optional
            Its weight range, of an array that begins at 0; default what programming finds.
        chip : Chip, optional
            Of whose parts it is made; default the chip.
        """
        name = self.place.name if label == CROSSBAR else f"{self.place.name} {label}"
        setting = self.place.setting
        how = (setting.seed, name, setting.workers.run, setting.dtype, setting.tally(), setting.clock)
        made = Crossbar(chip or self.place.chip, shape, *how)
        if full is not None:
            for each in (made, made.other):
                if each is not None:
                    each.weight_range = full
        self.crossbars[label] = made
        return made

    def _ideal(self, weight: np.ndarray, bias: np.ndarray | None) -> IdealArray:
        """Return the optimiser on a digital matrix and the bias."""
        setting = self.place.setting
        own = (self.place.name, self.tally)
        return ideal(weight, bias, setting.optimiser, setting.workers, setting.dtype, *own)

    @property
    def crossbar(self) -> Crossbar:
        """The first crossbar."""
        return self.crossbars[CROSSBAR]

    @property
    def bias(self) -> np.ndarray | None:
        """(out,)."""
        return self.digital.bias

    @property
    def signed(self) -> frozenset[str]:
        """Labels of crossbars that products drive with either sign, even where no input is negative."""
        return frozenset()

    @property
    def summed(self) -> bool:
        """Whether what is read is the sum of the crossbars alone, without a digital part."""
        return True

    @property
    def updates(self) -> int:
        """Number of updates made."""
        return self.digital.updates

    def _sum(self, read: Callable[[Crossbar], Values]) -> Values:
        """Return sum_k share_k of what is read of every crossbar; of one alone, what was read."""
        return reduce(add, (_scaled(read(self.crossbars[label]), share) for label, share in self.shares.items()))

    def forward(self, pre: Values, increments: bool = False, path: str = "own") -> Values:
        """Read ``pre @ W.T``, of states or of what they changed by, from the array of a path."""
        return self._sum(lambda crossbar: crossbar.forward(pre, path, increments))

    def transposed(
        self, post: Values, out: Values | None = None, increments: bool = False, path: str = "own"
    ) -> Values:
        """Read ``post @ W``, likewise; ``out`` is written to where there is one crossbar."""
        place = out if len(self.shares) == 1 else None
        return self._sum(lambda crossbar: crossbar.transposed(post, place, path, increments))

    def expected(self, pre: Values) -> Values:
        """Return the product with the mean effective weights."""
        return self._sum(lambda crossbar: crossbar.expected(pre))

    def weights(self) -> np.ndarray:
        """Return the mean effective weights, (out, in)."""
        return np.asarray(self._sum(lambda crossbar: crossbar.weights()))

    @classmethod
    def follows(cls, optimiser: Optimiser, update: Update) -> Optimiser:
        """Return the optimiser that biases, and what the rule keeps in digital form, follow on a chip."""
        return optimiser

    @classmethod
    def refuse(cls, optimiser: Optimiser, scheme: str) -> None:
        """Refuse an optimiser that the rule, which chips call ``scheme``, cannot follow.

        Asked before a run begins and at every update.

        Raises
        ------
        ConfigError
            Naming the field of the optimiser.
        """
        if not cls.decays:
            refuse_decay(optimiser, scheme)

    @property
    def _rows(self) -> int:
        """Rows of the largest tile, which are written or pulsed in turn."""
        return max((b - a for a, b in self.crossbar.devices.row_tiles), default=0)

    def calibrated(self) -> None:
        """Note that the ranges of all converters were calibrated."""
        return

    @abstractmethod
    def update(self, contrast: Contrast, rate: float) -> int:
        """Change the weights by what both ends saw; return how many are not finite."""

    def state(self) -> dict[str, np.ndarray]:
        """Return weight, bias, what the optimiser keeps, the tally, and the crossbars by label."""
        kept = self.digital.state() | {TALLY: self.tally.packed()}
        kept |= {f"{KEPT}{name}": values.copy() for name, values in self.kept.items()}
        for label, crossbar in self.crossbars.items():
            kept |= {f"{label}.{name}": values for name, values in crossbar.state().items()}
        return kept

    def load(self, state: Mapping[str, np.ndarray]) -> None:
        """Take over what the optimiser keeps, the tally, and the crossbars."""
        self.digital.load(state)
        if TALLY in state:
            self.tally.load(state[TALLY])
        for name, values in self.kept.items():
            values[...] = state[f"{KEPT}{name}"]
        for label, crossbar in self.crossbars.items():
            start = f"{label}."
            kept = {name.removeprefix(start): values for name, values in state.items() if name.startswith(start)}
            crossbar.load(kept, self.written)

    @property
    def written(self) -> np.ndarray | None:
        """What the devices were last written with, where it is kept in digital form; None where they alone hold it."""
        return None

    def performed(self) -> Tally:
        """Return what was done on all crossbars and beside them."""
        found = Tally()
        for tally in (*(crossbar.performed() for crossbar in self.crossbars.values()), self.tally):
            found.join(tally)
        return found

    def wear(self) -> list[Wear]:
        """Return the pulses that every device got; nothing where they are not counted."""
        return []

    def health(self) -> dict[str, float]:
        """Return shares that tell of limits."""
        return {}

    def coherence(self) -> dict[str, dict[str, float]]:
        """Return, by crossbar that trains go to, what tells whether its devices can learn; see :mod:`.scaling`."""
        return {}


def _scaled(part: Values, share: float) -> Values:
    return part if share == 1 else part * float(share)


def refuse_decay(rule: Optimiser, scheme: str) -> None:
    """Refuse weight decay, which needs the weights in digital form."""
    if rule.weight_decay:
        value = f"optimiser.weight_decay = {rule.weight_decay}"
        raise ConfigError(f"{value}: update scheme '{scheme}' cannot decay weights")
