# Tested by tests/neuroep/runs/test_adoption.py.
"""Whose tensor of a file is whose parameter of a network; rules: :mod:`neuroep.runs.adoption`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from neuroep.errors import CheckpointError, ConfigError, given_as, nearest
from neuroep.network import Network
from neuroep.runs import weight_files

Shape = tuple[int, ...]
NOTHING, ZEROS, TRANSPOSE = "none", "zeros", ".T"
"""What a tensor is that is left out, what a parameter is that no tensor holds, and what asks for a transpose."""
PARTS = ("weight", "bias")


class TensorMatch:
    """The tensors of a file and the parameters of a network.

    Parameters
    ----------
    file : str or Path
        For messages.
    held : mapping
        What it holds by name, as of :func:`neuroep.runs.weight_files.read`.
    network : Network
        Whose parameters are sought.

    Attributes
    ----------
    wanted : dict of str to tuple
        Shapes by parameter.
    names : dict of str to str
        Tensor by parameter, as far as it is found.
    by_shape : list of str
        Parameters whose tensor was found by its shape.
    left_out : list of str
        Tensors that are said to be nobody's.
    """

    def __init__(self, file: str | Path, held: Mapping[str, object], network: Network) -> None:
        self.file, self.held, self.synapses = file, held, [synapse.name for synapse in network.synapses]
        self.wanted = network.parameter_shapes()
        self.names: dict[str, str] = {}
        self.by_shape: list[str] = []
        self.left_out: list[str] = []

    @property
    def _left(self) -> list[str]:
        """Tensors that are nobody's yet."""
        used = {self._source(theirs)[0] for theirs in self.names.values()}
        return [name for name in self.held if name not in used and name not in self.left_out]

    @property
    def _open(self) -> list[str]:
        """Parameters that have no tensor yet."""
        return [ours for ours in self.wanted if ours not in self.names]

    def take(self, given: Mapping[str, str], left_out: Sequence[str]) -> None:
        """Take over what is said: tensors by parameter or synapse, and those of nobody.

        Raises
        ------
        ConfigError, CheckpointError
            If the network has no such parameter, one is given twice, or the file has no such tensor.
        """
        for theirs in left_out:
            under = [] if theirs in self.held else [one for one in self.held if one.startswith(f"{theirs}.")]
            if not under:
                self._known(theirs)
            self.left_out += under or [theirs]
        for ours, theirs in given.items():
            if ours in self.synapses:
                self._take_synapse(theirs, ours)
                continue
            if theirs != ZEROS:
                self._known(theirs)
            self._put(theirs, ours)

    def _take_synapse(self, theirs: str, ours: str) -> None:
        """Take weight and bias of a synapse from tensors whose names begin alike."""
        turned = TRANSPOSE if theirs.endswith(TRANSPOSE) else ""
        start = theirs.removesuffix(TRANSPOSE)
        parts = [part for part in PARTS if f"{ours}.{part}" in self.wanted and f"{start}.{part}" in self.held]
        if not parts:
            self._known(f"{start}.weight")
        for part in parts:
            self._put(f"{start}.{part}{turned if part == 'weight' else ''}", f"{ours}.{part}")

    def _known(self, theirs: str) -> None:
        """Refuse a name that the file does not have."""
        if self._source(theirs)[0] not in self.held:
            few = (", ".join(list(self.held)[:12]) or "nothing") + (", ..." if len(self.held) > 12 else "")
            raise CheckpointError(f"'{self.file}' has no '{theirs}': it holds {few}{nearest(theirs, self.held)}")

    def _put(self, theirs: str, ours: str) -> None:
        if ours not in self.wanted:
            allowed = f"{', '.join([*self.wanted, *self.synapses])}{nearest(ours, self.wanted)}"
            raise ConfigError(f"the network has no parameter '{ours}': allowed are {allowed}")
        if ours in self.names:
            raise ConfigError(f"parameter '{ours}' is given twice, as '{self.names[ours]}' and as '{theirs}'")
        if (source := self._source(theirs)[0]) in self.left_out:
            raise ConfigError(f"tensor '{source}' is left out, and given as '{ours}': which one is meant?")
        self._check_shape(theirs, ours)
        self.names[ours] = theirs

    def _source(self, theirs: str) -> tuple[str, bool]:
        """Return the tensor that a name stands for, and whether its transpose is meant."""
        turned = theirs not in self.held and theirs.endswith(TRANSPOSE)
        return (theirs.removesuffix(TRANSPOSE) if turned else theirs), turned

    def _check_shape(self, theirs: str, ours: str) -> None:
        name, turned = self._source(theirs)
        shape, wanted = weight_files.shape_of(self.held.get(name)), self.wanted[ours]
        if shape is None:
            return  # zeros, or what is refused once it is read
        found = shape[::-1] if turned else shape
        if found != wanted:
            fits, other = ("it fits as it is", name) if turned else ("its transpose fits", f"{name}{TRANSPOSE}")
            cure = f": {fits}, {_named(other, ours)}" if found[::-1] == wanted else ""
            what = f"is of shape {found}, {_parameter(ours, wanted)} is wanted{cure}"
            raise CheckpointError(f"'{self.file}': '{theirs}' {what}")

    def find(self) -> None:
        """Find the others, by name, then by shape; refuse what stays open, or is left over."""
        for ours in self._open:
            if ours in self._left:
                self._put(ours, ours)
        shapes = {theirs: weight_files.shape_of(self.held[theirs]) for theirs in self._left}
        alone = {ours: [theirs for theirs in shapes if shapes[theirs] == self.wanted[ours]] for ours in self._open}
        for ours, fitting in alone.items():
            rivals = [other for other in alone if self.wanted[other] == self.wanted[ours]]
            if len(fitting) == len(rivals) == 1:
                self.names[ours] = fitting[0]
                self.by_shape.append(ours)
        for ours in self._open:
            raise CheckpointError(f"'{self.file}': {self._missing(ours, alone[ours])}")
        for theirs in self._left:
            start = theirs.rpartition(".")[0]
            under = [one for one in self.held if start and one.startswith(f"{start}.")]
            several = len(under) > 1 and set(under) <= set(self._left)
            cure = f"if it is none of its weights, leave it out by {_unused(theirs)}"
            cure += f", or all {len(under)} of '{start}' by {_unused(start)}" if several else ""
            what = _described(weight_files.shape_of(self.held[theirs]))
            raise CheckpointError(f"'{self.file}': the network has no place for '{theirs}', {what}: {cure}")
        self.names = {ours: self.names[ours] for ours in self.wanted}

    def _missing(self, ours: str, fitting: Sequence[str]) -> str:
        """Say what could be done about a parameter without a tensor."""
        shape = self.wanted[ours]
        if fitting:
            may = " or ".join(fitting)
            return f"{_parameter(ours, shape)} may be {may}: say which by {_named(fitting[0], ours)}"
        turned = [theirs for theirs in self._left if weight_files.shape_of(self.held[theirs]) == shape[::-1]]
        if turned and len(shape) == 2:
            cure = f"'{turned[0]}' is its transpose, {_named(f'{turned[0]}{TRANSPOSE}', ours)}"
            return f"{_parameter(ours, shape)} is missing; {cure}"
        left = ", ".join(f"'{name}' {_described(weight_files.shape_of(self.held[name]))}" for name in self._left[:8])
        zero = f"; if there is none, {_named(ZEROS, ours)}" if ours.endswith(".bias") else ""
        found = f"no tensor that is left has that shape: {left}" if left else "no tensor is left"
        return f"{_parameter(ours, shape)} is missing: {found}{zero}"

    def parameter(self, ours: str, dtype: str) -> np.ndarray:
        """Return the values of a parameter."""
        theirs, shape = self.names[ours], self.wanted[ours]
        if theirs == ZEROS and ZEROS not in self.held:
            return np.zeros(shape, dtype=dtype)
        name, turned = self._source(theirs)
        found = weight_files.array(self.file, name, self.held[name], dtype)
        return np.ascontiguousarray(found.T) if turned else found


def _parameter(name: str, shape: Shape) -> str:
    """Return a parameter with its shape, and what that counts."""
    return f"'{name}' of shape {shape}{' (outputs, inputs)' if len(shape) == 2 else ''}"


def _described(shape: Shape | None) -> str:
    return "no tensor" if shape is None else f"of shape {shape}"


def _named(theirs: str, ours: str) -> str:
    """Say how it is given whose parameter a tensor is."""
    return given_as(f"--map {theirs}={ours}", f"names={{'{ours}': '{theirs}'}}")


def _unused(theirs: str) -> str:
    """Say how it is given that a tensor is no parameter's."""
    return given_as(f"--map {theirs}={NOTHING}", f"left_out=['{theirs}']")
