"""Let the chip learn: recover by local updates on the chip what its mismatch took, then learn from scratch in memory.

    python examples/05_learn_on_a_chip.py --out runs/05_learn

What to expect, after less than a minute: the deployed weights lose more than 15 points to the mismatch of the devices;
two epochs of learning on the very chip, whose mismatch the local updates feel, bring all but a point or two back. A
capacitive array without a digital master copy, which learns by pulse trains alone, comes from 50 % to about 74 % in
ten epochs: its rule is plain gradient descent.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from neuroep.runs import config, deployment, training

HERE = Path(__file__).parent
CONFIG = HERE / "configs" / "reviews.toml"
MISMATCHED = ["--chip", str(HERE / "chips" / "mismatched.toml"), "--chip_seed", "1"]
GENTLE = ["--epochs", "2", "--decay_epochs", "2", "--projection_rate", "5e-3", "--dense_rate", "2e-3"]
IN_MEMORY = [
    "--chip", "capacitor", "--chip.update.signals", "contrast", "--chip.crossbar.weight_headroom", "2.0",
    "--optimiser.kind", "sgd", "--decay_epochs", "0",
    "--rates.query", "30.0", "--rates.dense_1", "0.5", "--rates.dense_2", "0.1",
]  # fmt: skip


def main(out: Path, fast: bool = False) -> dict[str, float]:
    """Train into folders of ``out``; ``fast`` is for the tests: a few samples, one epoch."""
    small = ["--limit", "100", "--epochs", "1"] if fast else []
    found = {}

    training.train(config.load(CONFIG, small), out / "ideal")
    found["ideal"] = deployment.evaluate(out / "ideal").accuracy
    found["deployed"] = deployment.evaluate(out / "ideal", overrides=MISMATCHED).accuracy
    tuned = config.load(CONFIG, [*MISMATCHED, *GENTLE, *small])
    record = training.train(tuned, out / "tuned", start=out / "ideal")
    found["learned on the chip"] = record["evaluate"]["test"]["accuracy"]
    scratch = config.load(CONFIG, [*IN_MEMORY, *small])
    record = training.train(scratch, out / "in_memory")
    found["in memory, from scratch"] = record["evaluate"]["test"]["accuracy"]

    for name, accuracy in found.items():
        print(f"{name:<24} accuracy {accuracy:.1%}")
    print(f"pulses of the last epoch {record['counters']['pulses']:,}")
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("runs/05_learn"), help="new directory")
    main(parser.parse_args().out)
