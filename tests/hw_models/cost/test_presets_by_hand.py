"""What presets say of their time and of their cost, held against each other and against their papers."""

from __future__ import annotations

import pytest

from hw_models import presets
from hw_models.chip import Chip
from hw_models.cost import latency
from hw_models.cost.bill import price
from hw_models.cost.constants import Constants
from hw_models.tally import Tally
from tests.hw_models.cost.test_by_hand import near


@pytest.mark.parametrize("name", ["joshi_2020_pcm", "legallo_2023_hermes"])
def test_writes_take_the_iterations_that_their_rows_take(name):
    """15 us for a row are 20 pulses and reads: a device written anew takes 20 pulses of 77 pJ, not one."""
    made, tally = presets.load(name), Tally()
    tally.add("a", "write", 100, (10, 5))
    assert price(tally, made).by_formula()["writes"] == near(100 * 20 * 77e-12)
    assert made.timing.row == near(20 * 0.75e-6)


def test_pcm_writes_read_each_device_of_known_conductance_at_each_iteration():
    tally = Tally()
    tally.add("a", "write", 1, (1, 1))
    read = 0.2**2 * 250e-9 * 10e-6
    found = price(tally, presets.load("joshi_2020_pcm"), conductance={"a": 10.0})
    assert found.by_formula()["writes"] == near(20 * (77e-12 + read), rel=1e-9)


def test_isaac_sends_eight_bits_in_eight_cycles():
    """A 128 x 128 tile in four slices: 8 cycles of 100 ns, in each 128 lines driven and 128 conversions of 8 bits."""
    made, tally = presets.load("isaac_2016"), Tally()
    tally.add("a", "dac forward", 4 * 128, (128, 128), 8)
    tally.add("a", "adc forward", 4 * 128, (128, 128), 8)
    tally.add("a", "read forward", 4 * 128 * 128, (128, 128))
    found = price(tally, made).by_formula()
    assert found["DAC"] == near(4 * 8 * 128 * 4e-3 / 1024 * 100e-9)
    assert found["ADC"] == near(4 * 8 * 128 * 16e-3 / (8 * 1.28e9))
    assert found["cells"] == near(4 * 8 * 2.4e-3 / 8 * 100e-9)
    assert made.timing.integration == near(8 * 100e-9)


def test_rram_takes_the_time_of_the_papers_pulses():
    """Two phases of 15 and 7 steps of .27 us, 8 and 4 steps of .30 us, .30 us each, as the component is validated."""
    made = presets.load("wan_2022_reram")
    component = Chip.parse({
        "crossbar": {"rows": 128, "columns": 256}, "adc": {"bits": 8, "range": 1.0},
        "dac": {"bits": 8, "range": 1.0, "encoding": "pulses"}, "cost": {"components": ["wan_2022_core"]},
    })  # fmt: skip
    want = latency.product(Constants(component), (256, 128), "forward")
    assert want == near((15 + 7) * 0.27e-6 + (8 + 4) * 0.30e-6 + 2 * 0.30e-6)
    assert latency.product(Constants(made), (256, 128), "forward") == near(want, rel=0.1)


def test_rram_writes_a_core_cell_by_cell():
    """65,536 cells of 8.5 us, one behind the other."""
    made = presets.load("wan_2022_reram")
    assert (made.crossbar.rows or 0) * made.timing.row == near(256 * 256 * 8.5e-6)


def test_rram_sends_no_sign():
    """The preset's own seconds are those of 7 bits of an 8-bit input; so are its joules."""
    made, tally = presets.load("wan_2022_reram"), Tally()
    tally.add("a", "read forward", 1, (1, 1))
    assert price(tally, made).by_formula()["cells"] == near(7 * 3.85e-15)


@pytest.mark.parametrize(("component", "joule", "seconds"), [
    ("khaddam_2022_core", 12.5e-9, 130e-9), ("legallo_2023_core", 0.86e-6 / 64, 133e-9),
])  # fmt: skip
@pytest.mark.parametrize("slices", [1, 2, 3])
@pytest.mark.parametrize(("shape", "tiles"), [((256, 256), 1), ((10, 20), 1), ((257, 256), 2), ((600, 700), 9)])
def test_cores_take_their_energy_whole_and_work_side_by_side(component, joule, seconds, slices, shape, tiles):
    """A core for every tile and slice, whatever share of its lines is used; 5 samples one behind the other."""
    bar: dict[str, object] = {"rows": 256, "columns": 256}
    bar |= {"slices": slices, "slice_bits": 2} if slices > 1 else {}
    converter = {"bits": 8, "range": 1.0}
    made = Chip.parse({"crossbar": bar, "dac": converter, "adc": converter, "cost": {"components": [component]}})
    tally, cores = Tally(), 0
    for _ in range(5):
        for _ in range(tiles * slices):
            cores += 1
            tally.add("a", "activation forward", 2, shape)  # both sides of the pairs
        tally.add("a", "dac forward", 1000, shape, 8)  # in the core already
        tally.add("a", "adc forward", 1000, shape, 8)
    found = price(tally, made)
    assert found.by_part() == {"core": near(cores * joule, rel=1e-4)}
    assert latency.arrays(made, shape) == 2 * tiles * slices
    assert latency.product(Constants(made), shape, "forward") == near(seconds, rel=1e-3)
