"""Cells as data: what cannot be, and what does not act, is refused in one line."""

from __future__ import annotations

import pytest

from hw_models.chip import Chip
from hw_models.errors import ChipError

PULSED = {"update": {"scheme": "pulsed"}}
PAIR = {"pulse": {"w_min": 0.0, "dw_min": 0.01}, "cell": {"kind": "one_sided"}}


def parse(device, crossbar=None, update=PULSED["update"]):
    return Chip.parse({"device": device, "crossbar": crossbar or {}, "update": update})


@pytest.mark.parametrize(
    ("device", "crossbar", "line"),
    [
        ({"cell": {"kind": "one_sided"}}, {}, "pulse.w_min = -1.0: devices of a pair conduct from g_min up, set 0"),
        ({"pulse": {"w_min": 0.0}}, {}, "pulse.w_min = 0.0: it should be below 0 with cell.kind 'single'"),
        (PAIR, {"mapping": "offset"}, "device.cell.kind = 'one_sided': a pair needs crossbar.mapping = 'differential'"),
        (
            {"pulse": {"w_min": 0.0, "response": "soft_bounds"}, "cell": {"kind": "bidirectional"}}, {},
            "pulse.response = 'soft_bounds': steps down that shrink towards w_min = 0 are those of 'power'",
        ),
        (PAIR | {"cell": {"kind": "one_sided", "refresh_above": 0.5}}, {}, "it acts only with refresh_every"),
        (
            PAIR | {"cell": {"kind": "one_sided", "refresh_every": 1, "refresh_above": 0.5, "refresh_lesser": 0.6}}, {},
            "refresh_lesser = 0.6: at most refresh_above = 0.5",
        ),
        ({"cell": {"refresh_every": 3}}, {}, "it acts only with cell.kind one_sided"),
        ({"cell": {"reset": 0.1}}, {}, "it acts only with cell.kind one_sided"),
        ({"cell": {"reference_mean": 0.1}}, {}, "it acts only with crossbar.reference device"),
        (
            {"pulse": {"w_min": 0.0, "w_min_spread": 0.2}, "cell": {"kind": "one_sided"}}, {},
            "it acts only with w_min below 0",
        ),
        (
            {
                "pulse": {"w_min": 0.0, "response": "power", "gamma_up": 1.0, "gamma_down": 1.0},
                "cell": {"kind": "one_sided"},
            },
            {}, "gamma_down = 1.0: it acts only where pulses go down",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(device, crossbar, line):
    with pytest.raises(ChipError, match=line):
        parse(device, crossbar)


def test_cells_and_references_are_of_weights_in_memory():
    for tables in ({"device": {"endurance": 5.0}}, {"crossbar": {"mapping": "offset", "reference": "device"}}):
        with pytest.raises(ChipError, match="it acts only where weights change in memory"):
            Chip.parse(tables)


def test_a_pulse_of_a_bidirectional_pair_is_two_steps():
    pair = {"pulse": {"w_min": 0.0, "dw_min": 0.01}}
    assert parse(pair | {"cell": {"kind": "bidirectional"}}).device.granule == 0.02
    assert parse(PAIR).device.granule == 0.01


def test_the_mean_device_has_no_spread_and_no_noise():
    pulse = parse({"pulse": {"dw_min_spread": 0.3, "noise": 1.0, "noise_base": 0.1, "corrupt": 0.2, "w_max": 0.5}})
    mean = pulse.device.pulse.mean()
    assert (mean.dw_min_spread, mean.noise, mean.noise_base, mean.corrupt) == (0.0, 0.0, 0.0, 0.0)
    assert mean.w_max == 0.5
