"""Failures a user can mend: each carries one clear line, and the command line turns it into exit code 2."""

from __future__ import annotations

from hw_models.errors import (
    UserError,
    begun,
    given_as,
    nearest,
    nearest_path,
    of_commands,
    reason,
    setting,
    slips,
    unknown,
)

__all__ = [
    "CheckpointError",
    "ConfigError",
    "DataError",
    "DivergenceError",
    "NeuroepError",
    "UserError",
    "begun",
    "given_as",
    "nearest",
    "nearest_path",
    "of_commands",
    "reason",
    "setting",
    "slips",
    "unknown",
]


class NeuroepError(UserError):
    """A failure of a run: its settings, its data, its files, its numbers."""


class ConfigError(NeuroepError):
    """A setting that cannot be: unknown key, wrong type, value out of range."""


class DataError(NeuroepError):
    """Data that cannot be used: missing file, unreadable vectors, empty split, label out of range, NaN."""


class CheckpointError(NeuroepError):
    """A checkpoint or run directory that cannot be read, or that belongs to another network."""


class DivergenceError(NeuroepError):
    """A state or a weight is no longer finite.

    Parameters
    ----------
    where : str
        Layer or synapse in which it was seen.
    step : int
        Settle step (states) or update number (weights), counted from 1.
    what : str
        ``"state"`` or ``"weight"``.
    """

    def __init__(self, where: str, step: int, what: str = "state") -> None:
        self.where, self.step, self.what = where, step, what
        counted = "settle step" if what == "state" else "update"
        cure = "smaller weights, learning rate or beta"
        super().__init__(f"diverged: {what} of '{where}' is not finite at {counted} {step}; try {cure}")

    def __reduce__(self) -> tuple[object, ...]:
        """Let a process hand it to another one, with what was added to its text."""
        return type(self), (self.where, self.step, self.what), {"args": self.args}
