# Tested by tests/analysis/chips/test_measured.py.
"""Arguments of ``neuroep fit``, which makes a chip of measured devices."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from neuroep.errors import ConfigError

NAMES = ("kind", "response", "readings", "g_min", "g_max", "citation")
"""Those that go on to the fit as they are, where they are given."""
EXAMPLES = """\
examples:
  neuroep fit pulses.csv --out my_device.toml --picture my_device.png
  neuroep fit pulses.csv programming.csv reads.csv drift.csv iv.csv --out my_device.toml
  neuroep fit traces.csv --kind read_noise --out my_device.toml
  neuroep fit reads.csv --law read_noise=proportional --out my_device.toml --force
"""


def add(command: argparse.ArgumentParser) -> None:
    """Add them to a command."""
    command.epilog = EXAMPLES
    about = "CSV file (docs/measured_device.md lists the columns), or NPZ file of pulses; several files make one chip"
    command.add_argument("files", nargs="+", metavar="FILE", help=about)
    command.add_argument("--out", metavar="FILE.toml", help="chip to write; comments hold all estimates")
    command.add_argument("--force", action="store_true", help="overwrite the file of --out if it is there")
    command.add_argument("--picture", metavar="FILE.png", help="picture to draw: measurements beside the fit")
    kinds = "pulses, programming, read_noise, retention or iv (default: the columns tell)"
    command.add_argument("--kind", metavar="NAME", help=f"what the files hold: {kinds}")
    about = "law of the response to pulses: auto (default), constant, linear, soft_bounds, exponential, power or table"
    command.add_argument("--response", metavar="NAME", help=about)
    about = "law to take for a kind of measurement, such as read_noise=proportional, retention=drift, iv=sinh or"
    command.add_argument("--law", action="append", default=[], dest="laws", metavar="KIND=NAME",
                         help=f"{about} programming=2 (order of the polynomial); may be repeated")  # fmt: skip
    about = "source of the noise in readings after pulses: write (default), read or instrument"
    command.add_argument("--readings", metavar="NAME", help=about)
    command.add_argument("--g-min", type=float, metavar="G", help="conductance G of the lowest weight [uS]")
    command.add_argument("--g-max", type=float, metavar="G", help="conductance G of weight 1 [uS]")
    command.add_argument("--citation", metavar="TEXT", help="publication of the measurements")


def laws_of(words: Sequence[str]) -> dict[str, str]:
    """Return laws by kind of measurement.

    Raises
    ------
    ConfigError
        If a word is not of the form KIND=NAME, or a kind is named twice.
    """
    found: dict[str, str] = {}
    for word in words:
        kind, joined, name = (part.strip() for part in word.partition("="))
        if not (kind and joined and name):
            raise ConfigError(f"--law '{word}': KIND=NAME is needed, as read_noise=proportional")
        if kind in found:
            raise ConfigError(f"--law '{word}': {kind} is '{found[kind]}' already")
        found[kind] = name
    return found
