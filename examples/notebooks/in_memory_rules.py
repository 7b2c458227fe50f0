# %% [markdown]
# # Rules that learn in memory
#
# A chip can hold its weights in devices that only pulses change.
# There is no digital copy of a weight that one could correct and write again.
# The learning rule then has to cope with the device: with its steps, their noise, and their asymmetry.
# This notebook lets four rules learn the same problem on the same devices.
#
# Run it with `python examples/notebooks/in_memory_rules.py`, or cell by cell in Jupyter or an editor.
# `NEUROEP_FAST=1 python examples/notebooks/in_memory_rules.py` takes a few seconds and learns little.
# The picture is written to `runs/notebooks/in_memory_rules.png`, below the current folder.

# %%
import json
import os
import tempfile
from pathlib import Path

from analysis.drawing import style

import hw_models
import neuroep
from analysis import pictures

# %matplotlib inline

FAST = os.environ.get("NEUROEP_FAST") == "1"
REVIEWS = Path(neuroep.__file__).parents[1] / "examples" / "configs" / "reviews.toml"
OUT = Path("runs/notebooks")
HELD = tempfile.TemporaryDirectory(prefix="neuroep-")  # of runs; it goes with this process
WORK = Path(HELD.name)

# %% [markdown]
# ## The device
#
# `reram_sb` is a preset: soft-bounds ReRAM as it was published.
# In its picture the conductance rises with pulses up and falls with pulses down.
# Steps are large near the far bound and small near the close one.
# So a pulse up and a pulse down cancel at one state only, the *symmetry point*.
# Everywhere else, a pair of them pulls the device toward that point.
# This is how learning by pulses forgets.

# %%
CHIP = "reram_sb"
print(hw_models.load(CHIP).citation)

# %% [markdown]
# ## The rules
#
# - `pulsed` sends trains of pulses straight to the weights. It is the simplest, and each pulse forgets a little.
# - `tiki_taka` gathers the gradient on a second, fast array, and moves the weights by what is read there.
#   Noise averages out on the fast array, but only if the symmetry point of its devices stands for zero.
# - `agad` does the same, and estimates where that zero lies.
# - `mixed_precision` gathers the gradient in digital memory.
#   It sends a pulse only when the gathered change is as large as one. This takes the fewest pulses, but digital
#   arithmetic for each weight.
#
# `update.scaling = "auto"` finds rates, ranges and pulse numbers from the device, so that no rule is tuned by hand.

# %%
RULES = ("pulsed", "tiki_taka", "agad", "mixed_precision")
EPOCHS = "1" if FAST else "4"
SETTINGS = ["--training.epochs", EPOCHS, "--optimiser.decay_epochs", EPOCHS]
SETTINGS += ["--data.limit", "100", "--training.batch", "25"] if FAST else []
OWN = {
    "pulsed": ["--optimiser.kind", "sgd", "--chip.update.signals", "contrast"],
    "tiki_taka": ["--optimiser.kind", "sgd"],
    "agad": ["--optimiser.kind", "sgd"],
}
HERE = Path(tempfile.mkdtemp(dir=WORK))  # empty, so that this cell can be run again
metrics = {}
for rule in RULES:
    words = ["--chip", CHIP, "--chip.update.scheme", rule, "--chip.update.scaling", "auto"]
    neuroep.train(REVIEWS, HERE / rule, overrides=[*words, *OWN.get(rule, []), *SETTINGS], progress=False)
    lines = (HERE / rule / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    metrics[rule] = [json.loads(line) for line in lines]

# %%
accuracy = {rule: records[-1]["evaluate"]["test"]["accuracy"] for rule, records in metrics.items()}
pulses = {rule: sum(record["counters"]["pulses"] for record in records) for rule, records in metrics.items()}
for rule in RULES:
    print(f"{rule:<16} accuracy {accuracy[rule]:.1%}   pulses {pulses[rule]:,}")

# %%
ax = pictures.plot_training(metrics, train=False)
OUT.mkdir(parents=True, exist_ok=True)
style.save(ax, OUT / "in_memory_rules.png")
print(f"picture: {OUT}/in_memory_rules.png")
ax.figure

# %% [markdown]
# ## What to expect
#
# In full, seed 0: 200 seconds of computing on one core, compiling included, most of it for the pulses on fast arrays.
# Four epochs are the beginning of a curve, and do not rank the rules:
# `pulsed` 48.9 % with 12 million pulses, `tiki_taka` 61.0 % with 114 million, `agad` 64.6 % with 121 million,
# `mixed_precision` 63.4 % with a third of a million.
# Twelve epochs and seeds 0, 1 and 2, from [the table of all devices](../../docs/in_memory.md):
#
# | rule | accuracy [%] | pulses of a device |
# |---|---|---|
# | `pulsed` | 55.0 +- 6.0 | 9,800 on the weights |
# | `tiki_taka` | 70.1 +- 3.3 | 550 on the weights, 88,100 on the fast array |
# | `agad` | 70.1 +- 1.7 | 1,200 on the weights, 98,700 on the fast array |
# | `mixed_precision` | 95.4 +- 4.0 | 158 on the weights |
#
# The device decides. The steps of `reram_sb` are coarse and noisy, so its devices soon forget what is gathered on them.
# Digital memory does not forget. On the small, even steps of `ecram_mo` all four end at 98 to 99 %.
#
# ## What to try next
#
# - Take another device: `CHIP = "ecram_mo"` has small and even steps, `"reram_om"` a write noise of 13 % of its range.
# - Train twelve epochs, and other seeds (`"--training.seed", "1"`), before you rank the rules.
# - Ask what an update costs: `neuroep.cost(HERE / "agad")`.
# - [Every device by every rule](../../docs/in_memory.md), and [how to choose](../../docs/learning_in_memory.md).
