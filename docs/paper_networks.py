"""The paper's networks at full size on real data, EP beside back-propagation through time and implicit differentiation.

    python docs/paper_networks.py train ROWS snli ep --data FOLDER --vectors FILE [--beta B] [--mask] [--seed N]
        [--epochs N] [--every N] [--test N] [--frozen NAME ...] [--kept FOLDER] [--device cpu|cuda]
        [--as-drawn] [--stop tolerance|by_sample]
    python docs/paper_networks.py adopt ROWS snli --run RUN      # the epochs of a ``neuroep train`` as rows
    python docs/paper_networks.py memory ROWS snli METHOD --data FOLDER --vectors FILE --steps N ...
    python docs/paper_networks.py credit ROWS snli --data FOLDER --vectors FILE --weights CHECKPOINT
    python docs/paper_networks.py write ROWS docs                # the tables of the page and its picture

The networks are those of examples/configs/{snli,imdb}_paper.toml: Bal and Sengupta, IJCAI 2023 (arXiv 2209.09626). All
methods begin at the same weights and see the same batches in the same order; free phases end at the same tolerance,
Adam has the same rates, and what is learned is judged by the same engine.

ep        as ``neuroep train examples/configs/snli_paper.toml`` does it, and with the same bits
bptt      back-propagation through the last BPTT layer-wise sweeps of the free phase, on the torch engine
implicit  implicit differentiation at the end of the free phase, on the torch engine

On a GPU all three are on the torch engine, in single precision, and what is learned is judged there. A row of ``train``
is what a training has reached after so many updates: accuracy on the test split, or on the first N samples of a
permutation of it (--test), seconds of measuring and updating (of the CPU; on a GPU of the clock), without compiling and
without judging. Trainings go on from the checkpoint in --kept, written with each row.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from paper_measures import STEPWISE, credit, memory
from paper_tables import write
from paper_trainings import CONFIGS, METHODS, PLACES, Study, adopt, train

from neuroep.engines.schedule import STOPS


def main() -> None:
    """Do what is asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task", choices=("train", "adopt", "memory", "credit", "write"))
    parser.add_argument("rows", type=Path)
    parser.add_argument("network", nargs="?", choices=(*CONFIGS, "docs"), help="with write the folder of the page")
    parser.add_argument("method", nargs="?", choices=(*METHODS, *STEPWISE[2:]))
    parser.add_argument("--data")
    parser.add_argument("--vectors")
    parser.add_argument("--beta", type=float, default=0.1)
    parser.add_argument("--mask", action="store_true")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=float, default=1)
    parser.add_argument("--every", type=int, default=10**9)
    parser.add_argument("--test", type=int)
    parser.add_argument("--frozen", nargs="*", default=())
    parser.add_argument("--kept", type=Path)
    parser.add_argument("--as-drawn", action="store_true", help="leave the outputs' bias as it is drawn")
    parser.add_argument("--stop", choices=STOPS[:2], help="what ends phases; default as in the file")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--steps", type=int, nargs="+", default=(1, 5, 10, 20, 30))
    parser.add_argument("--run", type=Path)
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--limit", type=int, help="training samples")
    chosen = parser.parse_args()
    places = zip(PLACES, (chosen.data, chosen.vectors), strict=True)
    settings = () if chosen.data is None else tuple(word for pair in places for word in pair)
    settings += () if chosen.limit is None else ("--data.limit", str(chosen.limit))
    settings += () if chosen.stop is None else ("--settling.stop", chosen.stop)
    own = {"beta": chosen.beta, "mask": chosen.mask, "seed": chosen.seed, "frozen": tuple(chosen.frozen)}
    start = None if chosen.as_drawn else 1.0
    study = Study(chosen.network, chosen.method, settings, **own, output_bias=start, device=chosen.device)
    if chosen.task == "write":
        write(chosen.rows, Path(chosen.network))
    elif chosen.task == "train":
        train(chosen.rows, study, chosen.epochs, chosen.every, chosen.test, chosen.kept)
    elif chosen.task == "adopt":
        adopt(chosen.rows, chosen.network, chosen.run)
    elif chosen.task == "memory":
        memory(chosen.rows, study, chosen.method, chosen.steps)
    elif chosen.task == "credit":
        credit(chosen.rows, study, chosen.weights)


if __name__ == "__main__":
    main()
