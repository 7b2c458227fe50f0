"""The values among which a requirement is looked for."""

from __future__ import annotations

import pytest

from analysis.require.scales import scale, scales
from neuroep.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "steps", "texts"),
    [
        ("chip.adc.bits", 17, [str(n) for n in range(2, 13)]),
        ("chip.adc.bits=8:3:-1", 17, ["3", "4", "5", "6", "7", "8"]),
        ("chip.adc.bits=2..12", 3, ["2", "7", "12"]),
        ("chip.device.mismatch=0.3,0,0.1,0.10", 17, ["0", "0.1", "0.3"]),
        ("chip.device.mismatch=0..0.4", 5, ["0", "0.1", "0.2", "0.3", "0.4"]),
        ("chip.device.read_noise=log:0.1..10", 3, ["0.1", "1", "10"]),
        ("estimator.beta=0.1..0.2", 2, ["0.1", "0.2"]),
        ("chip.device.mismatch=0.1234567..1234567.5", 3, ["0.1234567", "617284", "1234567.5"]),
    ],
)
def test_values_in_their_order(text, steps, texts):
    found = scale(text, steps)
    assert list(found.texts) == texts and found.name == text.partition("=")[0]


@pytest.mark.parametrize(
    ("texts", "steps", "line"),
    [
        ([], 17, "no field is named: add fields=[\"chip.adc.bits=2:10\"]"),
        (["chip.device.mismatch"], 17, "say among which values to look, for example chip.device.mismatch=0..0.5"),
        (["chip.adc.bits=4"], 17, "a requirement needs at least two values"),
        (["chip.adc.bits=none,4"], 17, "'none' is no number, and has no place in an order"),
        (["chip.device.mismatch=0:0.3"], 17, "'0:0.3' counts whole numbers; list the values, or take the range 0..0.3"),
        (["chip.device.mismatch=0:1e-1:0.02"], 17, "or take the range 0..1e-1 where one is asked for"),
        (["chip=pcm,rram"], 17, "'pcm' is no number"),
        (["chip.adc.bitz=3:4"], 17, "did you mean 'chip.adc.bits'?"),
        (["chip.adc.bits=3:4", "chip.adc.bits=5:6"], 17, "field chip.adc.bits is given twice"),
        (["chip.device.mismatch=0..1"], 1, "steps is 1: a range has at least 2"),
        (["chip.device.mismatch=0..1"], 2.5, "steps is 2.5: allowed are whole numbers from 1"),
        ("chip.adc.bits=2:4", 17, "fields are 'chip.adc.bits=2:4': give a list"),
        (["chip.device.mismatch=0..1"], 10**9, "steps is 1000000000: a range has at most 100000"),
    ],
)
def test_what_cannot_be_is_one_line(texts, steps, line):
    with pytest.raises(ConfigError) as error:
        scales(texts, steps)
    assert line in str(error.value) and "\n" not in str(error.value)
