"""Train on ideal arithmetic, then program the weights on chips and see what is left of the accuracy.

    python examples/04_deploy_on_a_chip.py --out runs/04_deploy

What to expect, after less than a minute: 98.4 or 98.6 % without a chip, by how the processor rounds; 97 % on the two
phase-change presets and 91 % +- 5 % on the resistive one, a day of drift included; and 85 % +- 6 % on an array with one
device per weight whose devices conduct 10 % more or less than they were programmed to. After +- stands the standard
deviation over four chips.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from neuroep.runs import config, deployment, training

HERE = Path(__file__).parent
CHIPS = ("pcm", "hermes", "rram", str(HERE / "chips" / "mismatched.toml"))


def main(out: Path, fast: bool = False) -> dict[str, float]:
    """Train into ``out`` and deploy; ``fast`` is for the tests: a few samples, one chip of each kind."""
    overrides = ["--epochs", "1", "--limit", "100"] if fast else []
    training.train(config.load(HERE / "configs" / "reviews.toml", overrides), out)
    ideal = deployment.evaluate(out)
    print(f"{'no chip':<22} accuracy {ideal.accuracy:.1%}")
    found = {"no chip": ideal.accuracy}
    for chip in CHIPS:
        deployed = deployment.deploy(out, overrides=["--chip", chip], seeds=1 if fast else 4)
        spread = "" if fast else f" +- {deployed.spread:.1%}"
        print(f"{deployed.chip:<22} accuracy {deployed.accuracy:.1%}{spread}")
        found[deployed.chip] = deployed.accuracy
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("runs/04_deploy"), help="new run directory")
    main(parser.parse_args().out)
