"""Accuracy of linear models on the test split beside the networks of configurations: docs/accuracy.md.

    python docs/linear_models.py reviews pairs digits

A logistic regression on word counts or on all numbers, as the data are; of data with two sequences also on each of
them alone.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from neuroep.data.baseline import linear_accuracy
from neuroep.runs.session import Session

CONFIGS = Path(__file__).parents[1] / "examples" / "configs"


def main() -> None:
    """Read the arguments, fit, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="+", choices=sorted(path.stem for path in CONFIGS.glob("*.toml")))
    for name in parser.parse_args().names:
        corpus = Session.open(CONFIGS / f"{name}.toml").corpus
        print(f"{name}: {100 * linear_accuracy(corpus):.1f} %")
        for sequence in corpus.sequences if len(corpus.sequences) > 1 else ():
            print(f"{name}, {sequence} alone: {100 * linear_accuracy(corpus, sequences=(sequence,)):.1f} %")


if __name__ == "__main__":
    main()
