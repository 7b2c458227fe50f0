# %% [markdown]
# # From a pulse curve to a chip that learns
#
# A laboratory sends pulses to devices and reads their conductance after each one.
# This notebook starts from such a file.
# It fits a law to the curves, makes a chip of it, and lets a network learn on devices of that kind.
#
# The file is written here, by devices whose numbers we know.
# So we can ask what a laboratory cannot: did the fit find the truth?
#
# Run it with `python examples/notebooks/measured_device.py`, or cell by cell in Jupyter or an editor.
# `NEUROEP_FAST=1 python examples/notebooks/measured_device.py` takes a few seconds and learns little.
# The picture is written to `runs/notebooks/measured_device.png`, below the current folder.

# %%
import csv
import os
import tempfile
from pathlib import Path

from analysis.drawing import style

import numpy as np

import hw_models
import neuroep
from analysis.chips import measured
from hw_models.measured import chip_files

# %matplotlib inline

FAST = os.environ.get("NEUROEP_FAST") == "1"
REVIEWS = Path(neuroep.__file__).parents[1] / "examples" / "configs" / "reviews.toml"
OUT = Path("runs/notebooks")
HELD = tempfile.TemporaryDirectory(prefix="neuroep-")  # of runs; it goes with this process
WORK = Path(HELD.name)

# %% [markdown]
# ## The devices
#
# A pulse up raises the conductance, a pulse down lowers it.
# The devices have *soft bounds*: a step shrinks as the device comes near the bound that it moves toward.
# At the middle of the range a pulse up moves a device by 0.4 uS, and one down by 0.8 of that.
# No step is quite like another (`noise`), no device quite like its neighbour (`spread`).
# The instrument adds an error of its own to each reading.

# %%
STEP, DOWN, LOW, HIGH = 0.4, 0.8, 5.0, 25.0  # uS, share, uS, uS
NOISE, SPREAD, INSTRUMENT = 0.5, 0.15, 0.1  # of a step, of a device's step, uS
DEVICES, CYCLES, PULSES = (6, 2, 60) if FAST else (20, 4, 120)

draw = np.random.default_rng(2).normal
with (WORK / "curves.csv").open("w", newline="", encoding="utf-8") as file:
    rows = csv.writer(file)
    rows.writerow(["device", "pulse", "conductance [uS]"])
    for device in range(DEVICES):
        step, g = STEP * (1 + SPREAD * draw()), LOW
        rows.writerow([device, 0, f"{g + INSTRUMENT * draw():.3f}"])
        for sign in CYCLES * ([1] * PULSES + [-1] * PULSES):
            ahead = (HIGH - g if sign > 0 else g - LOW) / (0.5 * (HIGH - LOW))
            move = step * ahead * (1.0 if sign > 0 else DOWN)
            g = min(max(g + sign * move * (1 + NOISE * draw()), LOW), HIGH)
            rows.writerow([device, sign, f"{g + INSTRUMENT * draw():.3f}"])
print((WORK / "curves.csv").read_text(encoding="utf-8")[:80])

# %% [markdown]
# ## The fit
#
# `neuroep fit curves.csv --out my_device.toml --picture my_device.png` does this from the command line.
# In Python it is `fit_files`.
# It does not fit the mean curve by eye.
# Each curve gets a likelihood, pulse by pulse, so that noise of steps and noise of readings are told apart.
# The law is chosen by cycles that were left out of the fit.

# %%
found = chip_files.fit_files(
    [WORK / "curves.csv"], name="my_device", readings="instrument", g_min=LOW, g_max=HIGH,
    response="soft_bounds" if FAST else "auto",
)  # fmt: skip
print(found.as_text())

# %%
sheet = measured.sheet(found)
OUT.mkdir(parents=True, exist_ok=True)
style.save(sheet, OUT / "measured_device.png")
print(f"picture: {OUT}/measured_device.png")
sheet

# %% [markdown]
# The dashed line is the fit of the measured devices, each with its own numbers. It lies on the measured mean.
# The band holds 90 % of 200 new devices that the fitted *chip* draws: the measured ones should lie within it.
#
# ## Fit and truth
#
# Weights are counted from -1 at `g_min` to 1 at `g_max`, so half of the range is one.

# %%
truth = {
    "dw_min": STEP / (0.5 * (HIGH - LOW)),
    "dw_min_spread": SPREAD,
    "up_down": 1 - DOWN,
    "noise": NOISE,
}
within = {}
for name, value in truth.items():
    estimate = found.response.estimates[name]
    within[name] = estimate.low <= value <= estimate.high
    print(f"{name:<14} truth {value:.4f}   fit {estimate.value:.4f}   95 % [{estimate.low:.4f}, {estimate.high:.4f}]")

# %% [markdown]
# ## Learn on it
#
# The fit is a chip, so it takes a network like any other.
# Nothing holds the weights but the devices, and only pulses change them.
# AGAD is a learning rule for devices whose steps up and down differ.
# It gathers gradients on a fast array and estimates the symmetry point of that array's devices.

# %%
EPOCHS = "1" if FAST else "6"
settings = ["--training.epochs", EPOCHS, "--optimiser.decay_epochs", EPOCHS, "--chip.update.scheme", "agad"]
settings += ["--data.limit", "100"] if FAST else []
hw_models.save(found.chip, WORK / "my_device.toml")
HERE = Path(tempfile.mkdtemp(dir=WORK))  # empty, so that this cell can be run again
record = neuroep.train(
    REVIEWS, HERE / "run", overrides=["--chip", str(WORK / "my_device.toml"), *settings], progress=False
)
accuracy = record["evaluate"]["test"]["accuracy"]
print(f"learned on the fitted devices: {accuracy:.1%}; pulses of the last epoch {record['counters']['pulses']:,}")

# %% [markdown]
# ## What to expect
#
# In full, seeds 2 (devices) and 0 (network), on an Intel Xeon; most of the time goes into learning.
#
# | number | truth | fit | 95 % interval |
# |---|---|---|---|
# | step of a pulse at weight 0 | 0.0400 | 0.0414 | 0.0374 to 0.0449 |
# | its spread from device to device | 0.150 | 0.178 | 0.132 to 0.265 |
# | asymmetry: steps down are smaller by | 0.200 | 0.209 | 0.191 to 0.228 |
# | noise of a step | 0.500 | 0.494 | 0.479 to 0.508 |
#
# All four truths lie within their intervals.
# The law that is chosen is `linear`, with slopes of 0.98 and 1.00: soft bounds are that law with slopes of 1.
# `soft_bounds` itself comes second by less than its standard error, and a constant step is refused.
# The upper bound comes out at 0.981 (0.973 to 0.990), a little below the true 1, and its slope is off by as much.
# The reason is that these devices stop dead at the bound, and no law of the fit does.
# So an interval is only as good as its law.
# The network reaches 90.6 % of the test reviews in six epochs on such devices.
#
# ## What to try next
#
# - Give the file of your own devices to `fit_files`. [From a measured device](../../docs/measured_device.md) lists the
#   forms that are read, and other kinds of measurement: programming, reads, drift, currents.
# - Fit fewer devices. Which numbers can the fit then no longer find, and does it say so?
# - Make the steps down half of those up, `DOWN = 0.5`. Which rule still learns on that? See
#   [the rules compared](in_memory_rules.md).
