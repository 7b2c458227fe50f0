# %% [markdown]
# # Why EP feels what changes between its phases
#
# An analog chip errs in two ways.
# Some errors are *frozen*: a device was written a little too high, and stays so.
# Others are *drawn anew*: each read of the same device gives another number.
# A chip that only classifies is hurt by both in much the same way.
# A chip that learns by Equilibrium Propagation (EP) hardly feels the first kind.
# The second kind may stop it from learning.
# This notebook gives both the same size and looks at the gradient.
#
# Run it with `python examples/notebooks/between_phases.py`, or cell by cell in Jupyter or an editor.
# `NEUROEP_FAST=1 python examples/notebooks/between_phases.py` takes a few seconds and learns little.
# The picture is written to `runs/notebooks/between_phases.png`, below the current folder.

# %%
import itertools
import os
from pathlib import Path

from analysis.drawing import style

import numpy as np

import neuroep
from neuroep.gradients.yardsticks import cosine

# %matplotlib inline

FAST = os.environ.get("NEUROEP_FAST") == "1"
REVIEWS = Path(neuroep.__file__).parents[1] / "examples" / "configs" / "reviews.toml"
OUT = Path("runs/notebooks")

# %% [markdown]
# ## Two phases and their difference
#
# In EP the network settles twice: with its outputs nudged by +beta toward the label, and by -beta away from it.
# At each synapse the product of the states at its two ends is taken in both phases.
# The gradient is their difference, divided by 2 beta.
# The nudge moves states by a few thousandths only, so two large numbers are subtracted that are nearly equal.
#
# An error that is the same in both phases drops out of such a difference.
# (It is then the gradient of a network with slightly other weights: those that the chip really has.)
# An error that differs from phase to phase does not drop out: it is divided by 2 beta, and grows.
#
# ## A network halfway
#
# Gradients are compared in a network that has learned something, but not everything.
# Training is a loop over batches: measure both phases, update.

# %%
session = neuroep.Session.open(REVIEWS, overrides=["--data.limit", "200"] if FAST else [])
for epoch in range(1 if FAST else 2):
    rates = session.rates(epoch)
    for step, batch in enumerate(session.shuffled(epoch)):
        measured = session.estimator.measure(session.engine, batch.keyed("train", step), step)
        session.engine.update(measured.contrasts, rates)
session

# %% [markdown]
# ## One gradient, many chips
#
# The weights are written on a chip that is ideal but for one fault.
# A gradient is measured there, on the same batches as on the ideal chip.
# Its cosine with that of the ideal chip says how much of it still points the right way.
# At 1 nothing is lost, at 0 the update is a random step.

# %%
BATCHES = 2 if FAST else 6
IDEAL = ["--chip", "ideal", "--engine.chip_seed", "1"]


def agreement(*settings: str) -> float:
    """Return the mean cosine of the weights' gradients with those of an ideal chip."""
    found = []
    for words in ([], settings):
        chip = session.programmed(neuroep.load_config(REVIEWS, [*IDEAL, *words]))
        batches = itertools.islice(session.shuffled(0), BATCHES)
        keyed = [batch.keyed("train", step) for step, batch in enumerate(batches)]
        found.append([chip.estimator.gradient(chip.engine, batch, step) for step, batch in enumerate(keyed)])
    names = [name for name in found[0][0] if name.endswith(".weight")]
    return float(np.mean([cosine(one[name], other[name]) for one, other in zip(*found, strict=True) for name in names]))


# %% [markdown]
# ## Frozen or drawn anew
#
# `device.programming_noise` is an error of the write: drawn once, and the same in both phases.
# `device.read_noise` is an error of the read: drawn at each read.
# Both are standard deviations in uS of the same Gaussian, on devices that conduct up to 25 uS.

# %%
SIZES = (0.01, 0.25) if FAST else (0.0025, 0.01, 0.05, 0.25, 1.0)
FAULTS = {
    "frozen: programming noise": "--chip.device.programming_noise",
    "drawn anew: read noise": "--chip.device.read_noise",
}
courses = {
    name: [agreement(field, f"[{size}]" if "programming" in field else str(size)) for size in SIZES]
    for name, field in FAULTS.items()
}
for name, course in courses.items():
    print(f"{name:<28}" + "  ".join(f"{size:g} uS: {value:.3f}" for size, value in zip(SIZES, course, strict=True)))

# %%
ax = style.axes(None)
for number, (name, course) in enumerate(courses.items()):
    ax.plot(SIZES, course, color=style.colour(number), marker=style.marker(number), label=name)
ax.set_xscale("log")
ax.axhline(0, color=style.GREY, linewidth=0.8)
style.dress(ax, x="standard deviation [uS]", y="cosine with the ideal gradient [1]", title="The same error, twice")
style.legend(ax)
OUT.mkdir(parents=True, exist_ok=True)
style.save(ax, OUT / "between_phases.png")
print(f"picture: {OUT}/between_phases.png")
ax.figure

# %% [markdown]
# ## A drift between the phases, and its cure
#
# Noise is not the only thing that differs.
# Say all conductances fall by a thousandth from one phase to the next, because the chip's supply sags.
# No classification would notice.
# The gradient does: the second nudged phase is another network than the first.
#
# The cure is in the order of the phases.
# With + - the second phase always has the lower conductances.
# With + - - + each sign comes early once and late once, and what grows linearly in time drops out again.

# %%
SAG = ["--chip.device.phase_drift", "-1e-3"]
sagging = agreement(*SAG)
mirrored = agreement(*SAG, "--estimator.order", "mirrored")
print(f"conductances fall by 1e-3 a phase: cosine {sagging:.3f}; with the order + - - +: {mirrored:.3f}")

# %% [markdown]
# ## What to expect
#
# In full, seed 0, on one core of an AMD EPYC: 10 seconds. The same error, frozen and drawn anew:
#
# | standard deviation [uS] | 0.0025 | 0.01 | 0.05 | 0.25 | 1 |
# |---|---|---|---|---|---|
# | frozen | 1.000 | 1.000 | 1.000 | 0.996 | 0.970 |
# | drawn anew | 1.000 | 0.998 | 0.959 | 0.672 | 0.325 |
#
# A read noise of 1 % of the range costs a third of the cosine; a write error of 4 % costs three hundredths.
# Conductances that fall by a thousandth a phase leave 0.988, and 1.000 with the order + - - +.
# In the fast mode, where the network has hardly learned and other batches are measured, they leave 0.875.
#
# ## What to try next
#
# - Make the nudge larger: `"--estimator.beta", "0.5"` in both lists of settings. The signal grows, the noise does not.
#   What grows with it is the bias of the estimate; `"--estimator.points", "4"` takes it away.
# - Read each product 16 times: `"--chip.crossbar.repeats", "16"`. By how much does the cosine rise?
# - Try `--chip.device.mismatch` (frozen) and `--chip.device.phase_drift` of other sizes.
# - [What differs between the phases](../../docs/between_phases.md) has each fault and each cure with its price.
