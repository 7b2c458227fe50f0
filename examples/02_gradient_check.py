"""Compare EP's gradient with the exact one, for two potentials.

    python examples/02_gradient_check.py --out runs/02_gradient_check

What to expect, after about half a minute: for each potential a table of relative errors by nudge beta. One-sided
errors fall in proportion to beta, centred ones to beta squared, down to rounding; step by step EP's updates are those
of BPTT. With the hard sigmoid the errors leave these lines where a large nudge pushes some neuron over a kink; the
smooth one has no kinks. Each folder holds ``gdu.png`` and ``gradient_error.png``.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from analysis import gradients
from neuroep.runs import config

CONFIG = Path(__file__).parent / "configs" / "reviews.toml"


def main(out: Path, fast: bool = False) -> dict[str, gradients.GradientCheck]:
    """Check two potentials; ``fast`` is for the tests: few samples, steps and nudges."""
    settings: dict[str, Any] = {"samples": 2, "steps": 4, "betas": (1e-3, 1e-2)} if fast else {}
    found = {}
    for potential in ("hard_sigmoid", "smooth_sigmoid"):
        network = config.load(CONFIG, ["--potential", potential])
        found[potential] = gradients.run(network, out / potential, **settings)
        print(f"{potential}: {found[potential].as_text()}\npictures: {out / potential}\n")
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("runs/02_gradient_check"), help="new folder")
    main(parser.parse_args().out)
