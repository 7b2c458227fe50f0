"""See which words of a review attend to which, on exact arithmetic and on chips, and how many at a time.

    python examples/09_attention_maps.py --out runs/09_attention

What to expect, in ten seconds: a negative review of 21 words. Function words spread over 15 to 20 of them; "actors"
attends to 1.7 words, "felt" to 3.3. PCM devices (hermes) move most rows by a key or less and "tasteless"
from 7.7 to 3.2; an exponential of 2 bits drops the small weights, so that "tasteless" attends to 1.0 and most rows to
fewer words. All three predict the right class. ``attention_*.png`` are the maps.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from analysis.drawing.style import save

from analysis.run.attention import AttentionMap, attend, plot_attention
from neuroep.runs import training
from neuroep.runs.session import Session

HERE = Path(__file__).parent
CHIPS = {
    "exact": [],
    "hermes": ["--chip", "hermes"],
    "2-bit exponential": ["--chip", "ideal", "--chip.attention.exp_bits", "2"],
}
SAMPLE = 4


def main(out: Path, fast: bool = False) -> dict[str, AttentionMap]:
    """Train into ``out`` and draw there; ``fast`` is for the tests: a few samples, one epoch."""
    small = ["--epochs", "1", "--limit", "100"] if fast else ["--epochs", "5", "--decay_epochs", "5"]
    training.train(HERE / "configs" / "reviews.toml", out, overrides=small)
    found = {}
    for name, overrides in CHIPS.items():
        session = Session.open(out, overrides=overrides)
        (found[name],) = attend(session.engine, session.corpus, "test", SAMPLE, session.estimator.free)
    exact = found["exact"]
    print(f"a {exact.label} review: {' '.join(exact.queries)}\n\neffective number of keys, of {len(exact.keys)}")
    print(f"{'query':<14}" + "".join(f"{name:>20}" for name in found))
    for number, word in enumerate(exact.queries):
        print(f"{word:<14}" + "".join(f"{one.effective[number]:>20.1f}" for one in found.values()))
    print(f"{'predicted':<14}" + "".join(f"{one.predicted:>20}" for one in found.values()))
    for name, one in found.items():
        ax = plot_attention(one.weights, one.keys, queries=one.queries, effective=one.effective, title=name)
        picture = out / f"attention_{name.replace(' ', '_')}.png"
        save(ax, picture)
        print(f"picture: {picture}")
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("runs/09_attention"), help="new run directory")
    main(parser.parse_args().out)
