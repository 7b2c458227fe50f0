# %% [markdown]
# # The energy of a classification
#
# An analog array multiplies with almost no energy.
# Most of the energy goes into bringing numbers in and out.
# This notebook asks a chip for its bill, part by part, and then varies the resolution of its converters.
#
# Run it with `python examples/notebooks/energy.py`, or cell by cell in Jupyter or an editor.
# `NEUROEP_FAST=1 python examples/notebooks/energy.py` takes a few seconds and learns little.
# The picture is written to `runs/notebooks/energy.png`, below the current folder.

# %%
import os
import tempfile
from pathlib import Path

from analysis.drawing import style

import neuroep
from analysis import pictures

# %matplotlib inline

FAST = os.environ.get("NEUROEP_FAST") == "1"
REVIEWS = Path(neuroep.__file__).parents[1] / "examples" / "configs" / "reviews.toml"
OUT = Path("runs/notebooks")
HELD = tempfile.TemporaryDirectory(prefix="neuroep-")  # of runs; it goes with this process
WORK = Path(HELD.name)

EPOCHS = "1" if FAST else "4"
SETTINGS = ["--training.epochs", EPOCHS, "--optimiser.decay_epochs", EPOCHS]
SETTINGS += ["--training.batch", "25", "--projection_rate", "3e-2", "--dense_rate", "1e-2"]
SETTINGS += ["--data.limit", "100"] if FAST else []
record = neuroep.train(REVIEWS, WORK / "run", overrides=SETTINGS, progress=False)
print(f"exact arithmetic: {record['evaluate']['test']['accuracy']:.1%}")

# %% [markdown]
# ## A bill
#
# The bill is measured, not estimated.
# While reviews are classified, the chip counts conversions, products, digital additions, and what reads draw through
# the devices as they conduct.
# Constants with a source turn counts into joules.
# What has no constant is left out, and the bill names it.
#
# `isaac` is a preset of a published design with 8-bit converters.

# %%
SAMPLES = 50 if FAST else 500
found = neuroep.cost(WORK / "run", chip="isaac", update=False, samples=SAMPLES)
print(found.as_text())
found

# %%
bill = found.classification
for part, joule in bill.by_part().items():
    print(f"{part:<14} {1e9 * joule:8.2f} nJ   {joule / bill.energy:6.1%}")

# %% [markdown]
# ## Against bits
#
# Each further bit doubles the levels of a converter, though not always its energy.
# The other parts of a bill do not grow with the bits.
# So how much energy does a bit cost, and how much accuracy does it bring?
#
# To answer this, the number of sweeps has to be fixed.
# A chip settles until its states rest, and a coarse converter jumps between two codes and never rests.
# Such a chip goes on to the last sweep that is allowed, so that *fewer* bits may have the *larger* bill.
# Here every review takes four sweeps (`tolerance = 0`).

# %%
SWEEPS = ["--settling.free_steps", "4", "--settling.tolerance", "0"]
BITS = (4, 8) if FAST else (2, 3, 4, 5, 6, 7, 8)
bills, accuracy = {}, {}
for bits in BITS:
    words = ["--chip.adc.bits", str(bits), *SWEEPS]
    each = neuroep.cost(WORK / "run", chip="rram", overrides=words, update=False, samples=SAMPLES)
    bills[f"{bits} bits"], accuracy[bits] = each.classification.as_dict(), each.accuracy
    total, adc = each.classification.energy, each.classification.by_part().get("ADC", 0.0)
    print(f"{bits} bits: accuracy {each.accuracy:.1%}, {1e9 * total:.1f} nJ a review, of it ADC {1e9 * adc:.2f} nJ")

# %%
ax = pictures.plot_bills(bills, title="a classification, by bits of the ADC")
OUT.mkdir(parents=True, exist_ok=True)
style.save(ax, OUT / "energy.png")
print(f"picture: {OUT}/energy.png")
ax.figure

# %% [markdown]
# ## What to expect
#
# In full, seed 0, on one core of an AMD EPYC: about 10 seconds. The network learns 98.1 % in exact arithmetic.
# A review takes 283 nJ on `isaac`: 69 % of it the ADCs, 17 % the DACs, 11 % digital, 2 % the devices themselves.
# On `rram`, four sweeps a review:
#
# | bits | 2 | 3 | 4 | 5 | 6 | 7 | 8 |
# |---|---|---|---|---|---|---|---|
# | accuracy of 500 reviews [%] | 54.6 | 77.6 | 93.8 | 94.6 | 95.0 | 95.0 | 95.0 |
# | energy [nJ] | 51.1 | 51.6 | 52.1 | 53.2 | 54.3 | 55.3 | 56.4 |
# | of it the ADC [nJ] | 20.4 | 20.8 | 21.2 | 22.0 | 22.8 | 23.6 | 24.4 |
#
# Another processor rounds otherwise, and the network then learns a little otherwise: on an Intel Xeon it ends at
# 98.6 %, and `rram` at 85.6 % with 3 bits and 97.0 % with 6. The energies are the same.
#
# From 4 to 8 bits the bill grows by 8 % and the accuracy by a point: further bits are cheap on this preset.
# If the same chip settles until it rests, a review takes 117 nJ with 4 bits, 163 with 7 and 136 with 8.
# The number of sweeps then decides.
#
# ## What to try next
#
# - Let the chip settle until it rests: leave `SWEEPS` out of the overrides. Which chip now has the largest bill?
# - Ask for the update too, without `update=False`. How many classifications cost as much as one update?
# - Put a constant of your own in: `"--chip.cost.static_power", "100"` (uW), or a converter that you have measured.
# - Compare chips only where they know the same parts: look at what each bill leaves out.
#   [What a chip costs](../../docs/costs.md) has more bills, and where the constants come from.
