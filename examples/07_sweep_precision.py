"""How many bits does the converter behind the columns need? Sweep them, several chips each, and draw the answer.

    python examples/07_sweep_precision.py --out runs/07_precision

What to expect, after a quarter of a minute: with 2 bits nothing is left, since the only levels beside zero are the ends
of the range; 3 bits give 87 %, 4 bits 88 %; from 5 bits on the devices cost nine points and the converter hardly any:
88.5 to 89.3 %, with a spread of 5 % over the chips, against 98.4 % without a chip.

The same on the command line, killable at any moment and finished by running it again:

    neuroep sweep runs/07_precision/run --chip rram --vary chip.adc.bits=2:8 --seeds 3 --out runs/07_precision/bits
    neuroep report runs/07_precision/bits
"""

from __future__ import annotations

import argparse
from pathlib import Path

from analysis.drawing import style

from analysis.sweep import pictures as sweeps, runner
from analysis.sweep.results import Sweep
from neuroep.runs import config, deployment, training

HERE = Path(__file__).parent


def main(out: Path, fast: bool = False) -> Sweep:
    """Train into ``out/run``, sweep into ``out/bits``; ``fast`` is for the tests: few samples, two bits."""
    overrides = ["--epochs", "1", "--limit", "100"] if fast else []
    training.train(config.load(HERE / "configs" / "reviews.toml", overrides), out / "run", resume=True)
    ideal = deployment.evaluate(out / "run").accuracy
    vary = ["chip.adc.bits=2,8" if fast else "chip.adc.bits=2:8"]
    settings = {"seeds": 1 if fast else 3, "samples": 50 if fast else None, "workers": 1 if fast else None}
    found = runner.run(out / "run", vary, overrides=["--chip", "rram"], out=out / "bits", **settings)
    print(found.as_text())
    style.save(sweeps.plot_accuracy(found.rows, "chip.adc.bits", ideal=ideal), out / "bits.png")
    print(f"without a chip: {ideal:.1%}; picture: {out / 'bits.png'}")
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("runs/07_precision"), help="new directory")
    main(parser.parse_args().out)
