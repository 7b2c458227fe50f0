"""Draw the picture of bits and repeated reads in docs/costs.md from the first sweep that its commands make.

    python docs/front.py sweeps/rram docs
"""

from __future__ import annotations

import argparse
from pathlib import Path

from analysis.drawing import style

from analysis.sweep import bills, results


def main(sweep: Path, out: Path) -> None:
    """Read a sweep and write its accuracy against energy."""
    priced = bills.priced(results.load(sweep).rows, "energy")
    style.save(bills.plot_price(priced), out / "front.png")
    for number in priced.front:
        print(f"{priced.name[number]}: {100 * priced.accuracy[number]:.1f} %, {1e6 * priced.price[number]:.1f} uJ")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sweep", type=Path)
    parser.add_argument("out", type=Path)
    main(**vars(parser.parse_args()))
