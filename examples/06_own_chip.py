"""Write a chip of your own, look at it, and read one of its arrays.

    python examples/06_own_chip.py

What to expect, in a few seconds: the fields that differ from an ideal chip, with units; the relative error of a
product on a 256 x 256 array as its effects are added one after another, nine percent in the end; and the one line that
an impossible chip gets.
"""

from __future__ import annotations

import numpy as np

from hw_models import Chip, ChipError, Crossbar
from hw_models.chip import pages

STEPS = {
    "8-bit converters": {"dac": {"bits": 8, "range": 3.5}, "adc": {"bits": 8, "range": 12.0}},
    "256 programmable levels": {"device": {"levels": 256}},
    "programming noise of 0.3 uS": {"device": {"programming_noise": [0.3]}},
    "read noise of 0.1 uS": {"device": {"read_noise": 0.1}},
    "tiles of 128 x 128": {"crossbar": {"rows": 128, "columns": 128}},
    "wires of 0.5 ohm": {"wires": {"r_word": 0.5, "r_bit": 0.5}},
}


def main(fast: bool = False) -> dict[str, float]:
    """Return the relative error behind each step; ``fast`` is for the tests: a smaller array."""
    size = 32 if fast else 256
    generator = np.random.default_rng(0)
    weight = generator.normal(0, 0.1, (size, size)).astype("float32")
    x = generator.normal(0, 1, (64, size)).astype("float32")
    exact, found = x @ weight.T, {}
    values: dict = {"name": "mine", "device": {}}
    for what, change in STEPS.items():
        for table, fields in change.items():
            values[table] = {**values.get(table, {}), **fields}
        chip = Chip.parse(values)
        crossbar = Crossbar(chip, weight.shape, seed=0, name="example")
        crossbar.program(weight)
        found[what] = float(np.linalg.norm(crossbar.forward(x) - exact) / np.linalg.norm(exact))
    print(pages.page(chip), "\n")
    for what, error in found.items():
        print(f"+ {what:<30} relative error {error:.2%}")
    try:
        Chip.parse({"device": {"g_min": 30.0}})
    except ChipError as error:
        print(f"\n{error}")
    return found


if __name__ == "__main__":
    main()
