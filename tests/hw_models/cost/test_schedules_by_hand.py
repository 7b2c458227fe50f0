"""Seconds by an event-by-event schedule, square metres line by line, and durations that tally and clock agree about."""

from __future__ import annotations

from itertools import product as every

import pytest

from hw_models.chip import Chip
from hw_models.cost import latency
from hw_models.cost.area import area
from hw_models.cost.coding import sending
from hw_models.cost.constants import Constants
from hw_models.cost.latency import Stages, Step
from hw_models.tally import Tally
from tests.hw_models.cost.test_by_hand import near, tiles

TIMES = {"dac": 3e-9, "integration": 40e-9, "adc": 5e-9, "digital": 11e-9}
SHAPES = {"in": (6, 9), "a": (10, 6), "b": (4, 10), "c": (10, 10)}
"""Weight matrices (out, in)."""


def constants(**tables: object) -> Constants:
    return Constants(Chip.parse({"cost": {"dac_energy": 1.0}, **tables}))


def crossbar(rows: int | None, columns: int | None, **more: object) -> dict[str, object]:
    return {name: size for name, size in (("rows", rows), ("columns", columns)) if size} | more


def by_events(shape: tuple[int, int], way: str, bar: dict[str, object], shared: int) -> float:
    """Every ADC of every tile converts its lines one after the other; digital steps begin behind the last of all."""
    lines, size = (shape[0], bar.get("columns")) if way == "forward" else (shape[1], bar.get("rows"))
    ends = []
    for tile in tiles(lines, size):
        free = [TIMES["dac"] + TIMES["integration"]] * -(-len(tile) // shared)
        for line in range(len(tile)):
            free[line // shared] += TIMES["adc"]
        ends += free
    return max(ends) + TIMES["digital"]


@pytest.mark.parametrize("shape", SHAPES.values())
@pytest.mark.parametrize("tiling", [(None, None), (4, 3), (3, 4), (7, 7), (16, 16), (1, 1), (9, 6)])
@pytest.mark.parametrize("shared", [1, 2, 3, 8, 64])
@pytest.mark.parametrize("way", ["forward", "transposed"])
def test_a_product_with_shared_converters(shape, tiling, shared, way):
    bar = crossbar(*tiling)
    made = constants(timing=TIMES, crossbar=bar, adc={"columns": shared} if shared > 1 else {})
    assert latency.product(made, shape, way) == near(by_events(shape, way, bar, shared))


def counted(made: Constants, reads: dict[tuple[str, str], int]) -> Tally:
    tally = Tally()
    for (part, way), number in reads.items():
        arrays = latency.arrays(made.chip, SHAPES[part])
        tally.add(part, f"activation {way}", number * arrays, SHAPES[part], None, "free")
    return tally


@pytest.mark.parametrize("tiling", [(None, None), (4, 3), (16, 16)])
@pytest.mark.parametrize("mapping", [{}, {"mapping": "offset"}, {"slices": 2, "slice_bits": 2}])
@pytest.mark.parametrize("shared", [1, 4])
@pytest.mark.parametrize("order", ["layerwise", "synchronous"])
@pytest.mark.parametrize("sweeps", [1, 5])
def test_sweeps_of_a_network(tiling, mapping, shared, order, sweeps):
    """Tokens one by one; then, sweep by sweep, a group begins when the last layer of the group before has ended."""
    bar = crossbar(*tiling, **mapping)
    device = {"device": {"levels": 4}} if "slices" in mapping else {}
    made = constants(timing=TIMES, crossbar=bar, adc={"columns": shared} if shared > 1 else {}, **device)
    first = Step("first", (("a", "forward"), ("b", "transposed")))
    second, third = Step("second", (("b", "forward"),)), Step("third", (("c", "forward"), ("c", "transposed")))
    groups = ((first, third), (second,)) if order == "layerwise" else ((first, second, third),)
    tokens, reads = 13, {("in", "forward"): 13}
    for step in (first, second, third):
        reads |= dict.fromkeys(step.products, sweeps)
    now = 0.0
    for _ in range(tokens):
        now += by_events(SHAPES["in"], "forward", bar, shared)
    for _, group in every(range(sweeps), groups):
        now += max(by_events(SHAPES[part], way, bar, shared) for step in group for part, way in step.products)
    found = latency.phases(counted(made, reads), made, Stages((("in", "forward"),), groups), ("free", "nudged"))
    assert found == {"free": near(now)}


def test_an_adc_of_a_component_takes_a_step_for_every_bit_and_line():
    """ISAAC: one ADC converts the 128 columns of an array, 8 bits at 1.28 GS/s, within the cycle of 100 ns."""
    cost = {"components": ["shafiee_2016_adc"]}
    eight = {"bits": 8, "range": 1.0}
    made = constants(cost=cost, adc=eight, crossbar={"rows": 128, "columns": 128})
    assert latency.product(made, (128, 128), "forward") == near(128 / 1.28e9)
    assert latency.product(made, (32, 128), "forward") == near(32 / 1.28e9)
    assert latency.product(made, (32, 128), "transposed") == near(128 / 1.28e9)
    shared, tile = eight | {"columns": 16}, {"rows": 128, "columns": 128}
    own = constants(cost=cost, adc=shared, crossbar=tile, timing={"adc": 1e-9})
    assert latency.product(own, (128, 128), "forward") == near(16e-9)


@pytest.mark.parametrize("bits", range(2, 13))
@pytest.mark.parametrize("most", [None, 3, 5])
@pytest.mark.parametrize("sign", ["signed", "unsigned"])
def test_pulses_are_sent_bit_by_bit(bits, most, sign):
    """Bits of the magnitude in one or two phases, bit p for 2^p steps; what is left to convert gets shorter."""
    cost = {"dac_energy": 1.0} | ({"phase_bits": most} if most else {})
    made = constants(cost=cost, dac={"bits": bits, "range": 1.0, "sign": sign, "encoding": "pulses"})
    sent = bits - (sign == "signed")
    assert made.chip.dac.sent(sign == "unsigned") == sent
    halves = [sent] if most is None or sent <= most else [sent - sent // 2, sent // 2]
    steps = before = converted = 0
    for half in halves:
        for place in range(half):
            steps += 2**place
        converted += max(10 - before, 0)
        before += half
    found = sending(made, sent, 10)
    assert (found.passes, found.integrations, found.steps, found.phases) == (sent, steps, converted, len(halves))
    assert found.conversions == 1 and sum(halves) == sent


@pytest.mark.parametrize("coding", ["serial", "pulses"])
@pytest.mark.parametrize("digit", [1, 2, 3])
def test_digits_that_are_counted_already_are_not_sent_again(coding, digit):
    """``dac.digit_bits`` counts every digit as a read of its own: a bill sends but the bits of one."""
    dac = {"bits": 8, "range": 1.0, "digit_bits": digit, "encoding": coding}
    made = constants(cost={"dac_energy": 1.0}, dac=dac)
    for unsigned in (False, True):
        found = sending(made, made.chip.dac.sent(unsigned), 6)
        assert found.passes == digit
        assert found.integrations == (digit if coding == "serial" else 2**digit - 1)
        assert found.conversions == (digit if coding == "serial" else 1)


@pytest.mark.parametrize("sides", [1, 2])
@pytest.mark.parametrize("shape", [(6, 8), (7, 5), (3, 30)])
@pytest.mark.parametrize("tiling", [(4, 3), (2, 6), (5, 5)])
@pytest.mark.parametrize("lines", [1, 2, 4, 100])
@pytest.mark.parametrize("slices", [1, 3])
def test_area_tile_by_tile(sides, shape, tiling, lines, slices):
    """Every tile, slice by slice, is there in full, with converters of its own for the direction of more lines."""
    sizes = {"node": 20.0, "cell_area": 6.0, "adc_area": 900.0, "dac_area": 2.0, "adc_lines": lines}
    more = {"mapping": "offset" if sides == 1 else "differential"}
    more |= {"slices": slices, "slice_bits": 1} if slices > 1 else {}
    made = constants(cost=sizes, crossbar=crossbar(*tiling, **more))
    cells = converters = drivers = cores = 0
    for _, _, _ in every(range(slices), tiles(shape[0], tiling[1]), tiles(shape[1], tiling[0])):
        cores += 1
        drivers += max(tiling)
        line = 0
        while line < max(tiling):
            converters, line = converters + 1, line + lines
        for _, _, _ in every(range(sides), range(tiling[0]), range(tiling[1])):
            cells += 1
    found = area(made, [shape])
    want = {"cells": cells * 6 * 20e-9**2, "ADC": converters * 900e-12, "DAC": drivers * 2e-12}
    assert found == {name: near(size) for name, size in want.items()}
    assert area(made, [shape, shape])["ADC"] == near(2 * found["ADC"])
    whole = constants(cost={"core_area": 0.5}, crossbar=crossbar(*tiling, **more))
    assert area(whole, [shape]) == {"core": near(cores * 0.5e-6)}


@pytest.mark.parametrize("references", [None, 1, 2])
def test_reference_lines_take_place_as_other_lines_do(references):
    """A tile of 3 columns and L reference columns, on 4 rows; L as many as outputs where nothing is said."""
    bar = {"mapping": "offset", "reference": "analog"} | ({"reference_lines": references} if references else {})
    made = constants(cost={"node": 20.0, "cell_area": 6.0}, crossbar=crossbar(4, 3, **bar), dac={"range": 1.0})
    cells = sum(4 for _ in range(2 * 2) for _ in range(3 + (references or 3)))
    assert area(made, [(6, 8)]) == {"cells": near(cells * 6 * 20e-9**2)}


@pytest.mark.parametrize(("tiling", "rows"), [((None, None), 9), ((4, 3), 3), ((8, 3), 5), ((16, 16), 9)])
def test_reprogramming_takes_the_rows_of_the_largest_tile(tiling, rows):
    """Tiles of 9 inputs are cut as evenly as can be and written side by side, row by row."""
    made, tally = constants(timing={"row": 1e-5}, crossbar=crossbar(*tiling)), Tally()
    tally.add("in", "write", 2 * 6 * 9, (6, 9))
    tally.add("a", "write", 2, (10, 6))  # a single pair: less than a row
    assert latency.update(tally, made) == near(rows * 1e-5)
    verified = constants(cost={"write_time": 2e-6, "write_iterations": 7.0}, crossbar=crossbar(*tiling))
    assert latency.update(tally, verified) == near(rows * 7 * 2e-6)


def test_events_take_turns_at_a_core_and_layers_meet_at_barriers():
    """Loihi: 3.5 ns a synaptic operation on each of two cores, and a barrier whenever neurons have moved."""
    made = constants(substrate="event_driven", cost={"components": ["davies_2018_core"], "cores": 2})
    tally, sweeps = Tally(), 6
    tally.add("in", "synaptic forward", 500, SHAPES["in"], None, "free")
    tally.add("a", "synaptic forward", 1200, SHAPES["a"], None, "free")
    tally.add("b", "synaptic transposed", 300, SHAPES["b"], None, "free")
    for name, size in (("x", 10), ("y", 4)):
        tally.add(f"neurons.{name}", "response", size * sweeps, (size,), None, "free")
    groups = ((Step("x", (("a", "forward"), ("b", "transposed")), "neurons.x"),), (Step("y", (), "neurons.y"),))
    now = 500 * 3.5e-9 / 2 + max(1200, 300) * 3.5e-9 / 2
    for _, _ in every(range(sweeps), groups):
        now += 113e-9
    found = latency.phases(tally, made, Stages((("in", "forward"),), groups), ("free",))
    assert found == {"free": near(now)}


@pytest.mark.parametrize("bits", [2, 5, 8])
@pytest.mark.parametrize("digit", [1, 2, 3])
@pytest.mark.parametrize("sign", ["signed", "unsigned"])
def test_products_in_digits_go_on_digitally_once(bits, digit, sign):
    """Lines, integration and conversions for every digit, one behind the other; sums and neurons behind the last."""
    left, digits = bits - (sign == "signed"), 0
    if digit >= left:
        return
    while left > 0:
        left, digits = left - digit, digits + 1
    dac = {"bits": bits, "range": 1.0, "sign": sign, "digit_bits": digit}
    made, now = constants(timing=TIMES, crossbar=crossbar(4, 3), dac=dac), 0.0
    for _ in range(7):
        for _ in range(digits):
            now += TIMES["dac"] + TIMES["integration"] + TIMES["adc"]
        now += TIMES["digital"]
    tally = counted(made, {("a", "forward"): 7 * digits})
    found = latency.phases(tally, made, Stages((("a", "forward"),), ()), ("free",))
    assert found == {"free": near(now)}


@pytest.mark.parametrize("codings", [("amplitude", 1), ("pulse_width", 1), ("serial", 7), ("pulses", 1)])
@pytest.mark.parametrize("bits", [4, 6, 9])
def test_components_convert_as_inputs_are_sent(codings, bits):
    """A step for every bit of a conversion; of serial inputs a conversion for every bit that is sent."""
    coding, conversions = codings
    dac, adc = {"bits": 8, "range": 1.0, "encoding": coding}, {"bits": bits, "range": 1.0}
    made = constants(cost={"adc_step": 2e-9}, dac=dac, adc=adc)
    steps = sum(1 for _, _ in every(range(conversions), range(bits)))
    assert latency.timing(made).adc == near(steps * 2e-9)
    assert latency.product(made, (6, 9), "forward") == near(steps * 2e-9)


@pytest.mark.parametrize("whole", range(1, 30))
@pytest.mark.parametrize("tile", [None, 1, 2, 3, 7, 16, 64])
def test_the_largest_tile_is_that_of_an_even_cut(whole, tile):
    assert latency.largest(whole, tile) == max(len(lines) for lines in tiles(whole, tile))


@pytest.mark.parametrize("rate", [1.0, 0.25])
def test_layers_of_different_time_constants_take_their_own_steps(rate):
    """A sweep takes dt of the fastest: the slower layer goes on for the same seconds, whatever products take."""
    made, tally = constants(timing={"tau": {"x": 2e-6, "y": 8e-6}, **TIMES}), Tally()
    for name, size in (("x", 10), ("y", 4)):
        tally.add(f"neurons.{name}", "response", size * 12, (size,), None, "free")
    tally.join(counted(made, {("a", "forward"): 5}))
    x, y = Step("x", (("a", "forward"),), "neurons.x"), Step("y", (), "neurons.y")
    now = 0.0
    for _ in range(12):
        now += rate * 2e-6
    together = latency.phases(tally, made, Stages((), ((x, y),), rate), ("free",))
    assert together == {"free": near(now)}
    apart = latency.phases(tally, made, Stages((), ((x,), (y,)), rate), ("free",))
    assert apart == {"free": near(2 * now)}


@pytest.mark.parametrize("lines", [(3, 40), (40, 3), (17, 17)])
def test_rows_of_several_arrays_are_written_side_by_side(lines):
    """The array of the most rows decides; a tenth of its devices takes a tenth of its rows."""
    made, tally = constants(timing={"row": 1e-5}, crossbar=crossbar(16, 16)), Tally()
    rows = []
    for number, inputs in enumerate(lines):
        tally.add(f"{number}", "write", 2 * 10 * inputs // 2, (10, inputs))
        rows.append(max(len(tile) for tile in tiles(inputs, 16)) / 2)
    assert latency.update(tally, made) == near(max(rows) * 1e-5)
