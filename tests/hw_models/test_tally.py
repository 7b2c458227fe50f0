"""The tally: what a crossbar did by direction, shape, bits and phase, counters as its sums, and what a state keeps."""

from __future__ import annotations

import numpy as np
import pytest

import hw_models
from hw_models.arrays.crossbar import Crossbar
from hw_models.arrays.events import EventArray
from hw_models.arrays.pulses import PulsedDevices
from hw_models.chip import Chip, Events, Pulse
from hw_models.periphery.attention import PatternCrossbars
from hw_models.tally import CurrentPhase, Tally, Work

CHIP = {"crossbar": {"rows": 4, "columns": 3}, "dac": {"bits": 6, "range": 1.0}, "adc": {"bits": 5, "range": 0.5}}
SHAPE = (7, 10)


def driven() -> Crossbar:
    """A crossbar of 3 x 3 tiles, written once, read by 5 samples in one phase and by 2 and 4 in another."""
    bar = Crossbar(Chip.parse(CHIP), SHAPE, name="bar")
    draw = np.random.default_rng(0)
    bar.program(draw.normal(size=SHAPE))
    with bar.tally.now.during("free"):
        bar.forward(draw.normal(size=(5, 10)).astype(np.float32))
    with bar.tally.now.during("nudged"):
        bar.forward(draw.normal(size=(2, 10)).astype(np.float32))
        bar.transposed(draw.normal(size=(4, 7)).astype(np.float32))
    return bar


def test_numbers_add_up_by_what_they_are():
    tally = Tally()
    tally.add("a", "adc", 3, (2, 2), 8)
    with tally.now.during("free"):
        tally.add("a", "adc", 4, (2, 2), 8)
        tally.add("b", "adc", 5, (2, 2), 8, phase="update")
    tally.add("a", "adc", 1, (2, 2), 8)
    assert dict(tally.rows()) == {
        Work("a", "adc", (2, 2), 8, ""): 4,
        Work("a", "adc", (2, 2), 8, "free"): 4,
        Work("b", "adc", (2, 2), 8, "update"): 5,
    }
    assert (tally.number("adc"), tally.number("adc", "update"), tally.number("dac")) == (13, 5, 0)


def test_a_phase_ends_with_its_block():
    tally = Tally()
    with pytest.raises(KeyError), tally.now.during("free"):
        raise KeyError
    assert tally.phase == ""
    with pytest.raises(ValueError, match="phase = 'fre': allowed are '', 'free', 'nudged'"), tally.now.during("fre"):
        pass


def test_a_crossbar_says_what_it_did_in_each_phase():
    """Lines times the tiles that each drives or is sensed in, times samples."""
    found = driven().performed()
    assert {done.shape for done, _ in found.rows()} == {SHAPE}
    numbers = {(done.operation, done.bits, done.phase): number for done, number in found.rows() if number}
    numbers = {key: number for key, number in numbers.items() if not key[0].endswith("at_stop")}
    own = driven().devices.count
    assert numbers == {
        ("write", None, ""): own,
        ("dac forward", 6, "free"): 5 * 10 * 3,
        ("adc forward", 5, "free"): 5 * 7 * 3,
        ("addition forward", None, "free"): 5 * 7 * 2,
        ("read forward", None, "free"): 5 * own,
        ("activation forward", None, "free"): 5 * 9 * 2,
        ("product forward", None, "free"): 5,
        ("dac forward", 6, "nudged"): 2 * 10 * 3,
        ("adc forward", 5, "nudged"): 2 * 7 * 3,
        ("addition forward", None, "nudged"): 2 * 7 * 2,
        ("read forward", None, "nudged"): 2 * own,
        ("activation forward", None, "nudged"): 2 * 9 * 2,
        ("product forward", None, "nudged"): 2,
        ("dac transposed", 6, "nudged"): 4 * 7 * 3,
        ("adc transposed", 5, "nudged"): 4 * 10 * 3,
        ("addition transposed", None, "nudged"): 4 * 10 * 2,
        ("read transposed", None, "nudged"): 4 * own,
        ("activation transposed", None, "nudged"): 4 * 9 * 2,
        ("product transposed", None, "nudged"): 4,
    }


def test_counters_are_sums_of_the_tally():
    bar = driven()
    made = bar.performed()
    for name, ways in (("dac", "dac"), ("adc", "adc"), ("additions", "addition"), ("reads", "read")):
        assert bar.counters[name] == sum(made.number(f"{ways} {way}") for way in ("forward", "transposed")) > 0
    assert bar.counters["adc_transposed"] == made.number("adc transposed")
    assert bar.counters["adc_forward_at_stop"] == made.number("adc_forward_at_stop") > 0


@pytest.mark.parametrize("phases", [True, False])
def test_a_tally_outlives_a_checkpoint(phases):
    """With its phases; a state from before there were any gives the same counters."""
    bar, other = driven(), hw_models.Crossbar(Chip.parse(CHIP), SHAPE, name="bar")
    state = {name: values for name, values in bar.state().items() if phases or name != "tally.counts"}
    other.load(state)
    assert other.counters == bar.counters
    assert (dict(other.tally.rows()) == dict(bar.tally.rows())) == phases
    assert {done.phase for done, _ in other.tally.rows()} == ({"", "free", "nudged"} if phases else {""})


@pytest.mark.parametrize("shape", [(7, 10), (5, 5)])
def test_an_event_array_says_what_it_sent(shape):
    """Rows, and changes of senders alone, each to all receivers; a state without a tally gives the same counters."""
    phase = CurrentPhase()
    array = EventArray(Events(state_range=1.0), shape, 0, "a", tally=Tally(phase))
    array.program(np.ones(shape, np.float32))
    memory = array.memory(2)
    with phase.during("free"):
        array.forward(np.ones((2, shape[1]), np.float32), memory)
        array.forward(np.ones((2, shape[1]), np.float32), memory)
    with phase.during("nudged"):
        array.transposed(np.eye(shape[0], dtype=np.float32)[:3])
    whole = (shape, array.events.weight_bits), (shape, array.events.state_bits)
    rows = {(done.operation, (done.shape, done.bits), done.phase): number for done, number in array.performed().rows()}
    assert {key: number for key, number in rows.items() if number} == {
        ("write", whole[0], ""): shape[0] * shape[1],
        ("product forward", (shape, None), "free"): 4,
        ("product transposed", (shape, None), "nudged"): 3,
        ("event forward", whole[1], "free"): 2 * shape[1],
        ("synaptic forward", whole[1], "free"): 2 * shape[1] * shape[0],
        ("event transposed", whole[1], "nudged"): 3,
        ("synaptic transposed", whole[1], "nudged"): 3 * shape[1],
    }
    assert array.counters == {"events": 2 * shape[1] + 3, "operations": 2 * shape[0] * shape[1] + 3 * shape[1]}
    for names in (("integers", "ranges", "counters"), array.state()):
        other = EventArray(Events(state_range=1.0), shape, 0, "a")
        other.load({name: array.state()[name] for name in names})
        assert other.counters == array.counters
    assert dict(other.tally.rows()) == dict(array.tally.rows())


def test_pulses_are_written_down():
    tally = Tally()
    devices = PulsedDevices(Pulse(dw_min=0.01), (2, 3), 0, "a", tally=tally)
    up, down = np.array([[3, 0, 1], [0, 0, 0]]), np.array([[0, 2, 0], [0, 0, 5]])
    with tally.now.during("update"):
        assert devices.apply(np.zeros((2, 3), np.float32), up, down, 1) == 11
    # Input by input, up before down: as many slots as the device of most pulses on it, (3 + 1) + (2 + 5).
    assert dict(tally.rows()) == {
        Work("a", "slot", (2, 3), None, "update"): 11,
        Work("a", "pulse", (2, 3), None, "update"): 11,
    }


def test_what_is_said_further_out_stays():
    phase = CurrentPhase()
    with phase.during("evaluate"):
        with phase.during("free"):
            assert phase.name == "evaluate"
        assert phase.name == "evaluate"
    assert phase.name == ""


def test_packed_rows_are_the_same_whatever_their_order():
    one, other, third = Tally(), Tally(), Tally()
    rows = [("a", "adc forward", 3, (2, 2), 8), ("a", "read forward", 4, (2, 2), None), ("b", "softmax", 1 << 40)]
    for row, back in zip(rows, reversed(rows), strict=True):
        one.add(*row)
        other.add(*back)
    np.testing.assert_array_equal(one.packed(), other.packed())
    third.load(one.packed())
    assert dict(third.rows()) == dict(one.rows())
    assert (third.total("adc"), third.total("ad"), third.number("softmax", part="a")) == (3, 0, 0)
    with pytest.raises(ValueError, match="these bytes are no tally"):
        third.load(one.packed()[:-1])
    assert dict(third.rows()) == dict(one.rows())


def test_pattern_crossbars_keep_what_those_of_past_batches_did():
    """Batches of sentences of three lengths; each sample is one read of its own patterns."""
    phase, draw = CurrentPhase(), np.random.default_rng(0)
    chip = Chip.parse(CHIP | {"attention": {"kind": "analog", "pattern_range": 1.0}})
    stored = PatternCrossbars(chip, "a", 0, "float32", phase)
    for lengths in ([3, 5], [5, 4]):
        patterns = [draw.uniform(-1, 1, (n, 6)).astype(np.float32) for n in lengths]
        with phase.during("free"):
            for bar in stored.written(patterns, np.concatenate(patterns)):
                bar.forward(draw.uniform(-1, 1, (2, 6)).astype(np.float32))
    made = stored.performed()
    numbers = {done.shape: n for done, n in made.rows() if done.operation == "dac forward"}
    assert numbers == {(3, 6): 2 * 6, (5, 6): 2 * 2 * 6 * 2, (4, 6): 2 * 6 * 2}
    assert {done.phase for done, _ in made.rows()} == {"free"}
    assert stored.counters()["dac"] == made.total("dac") == sum(numbers.values())
    stored.recall(made.packed())
    assert dict(stored.performed().rows()) == dict(made.rows())


def test_what_is_done_in_continuous_time_is_kept_apart():
    """A time step stands for its seconds, in sums as any other, in a state with what it stands for."""
    tally = Tally()
    tally.add("a", "adc", 3, (2, 2), 8)
    with tally.now.lasting(1e-7):
        tally.add("a", "adc", 4, (2, 2), 8)
        tally.add("a", "adc", 5, (2, 2), 8, sent=6)
    assert tally.now.span == 0.0 and tally.number("adc") == tally.total("adc") == 12
    assert {done.span: number for done, number in tally.rows() if done.sent is None} == {0.0: 3, 1e-7: 4}
    again = Tally()
    again.load(tally.packed())
    assert dict(again.rows()) == dict(tally.rows())


class Asked:
    """A number that tells how often it was asked for."""

    def __init__(self, number: int) -> None:
        self.number, self.times = number, 0

    def __int__(self) -> int:
        self.times += 1
        return self.number


def test_numbers_that_are_asked_for_when_somebody_looks():
    tally, late, none = Tally(), Asked(3), Asked(0)
    with tally.now.during("free"):
        tally.add_late("a", "adc", late, (2, 2), 8)
        tally.add_late("a", "dac", none, (2, 2), 8)
    tally.add_late("a", "adc", 4, (2, 2), 8)
    tally.add_late("a", "dac", 0, (2, 2), 8)
    assert late.times == none.times == 0
    assert tally.number("adc") == 7 and tally.number("adc", "free") == 3 and tally.total("dac") == 0
    assert [work.operation for work, _ in tally.rows()] == ["adc", "adc"]
    assert late.times == none.times == 1


@pytest.mark.parametrize("look", [
    lambda tally: dict(tally.rows())[Work("a", "adc")], lambda tally: tally.number("adc"),
    lambda tally: tally.total("adc"), lambda tally: joined(tally).number("adc"),
    lambda tally: again(tally).number("adc"),
])  # fmt: skip
def test_whoever_looks_sees_all(look):
    tally = Tally()
    tally.add_late("a", "adc", Asked(3))
    assert look(tally) == 3


def joined(tally: Tally) -> Tally:
    """Return another tally that one was joined to."""
    found = Tally()
    found.join(tally)
    return found


def again(tally: Tally) -> Tally:
    """Return a tally as a checkpoint keeps it; what it waited for is gone."""
    found = Tally()
    found.add_late("b", "adc", Asked(100))
    found.load(tally.packed())
    return found


def test_what_is_forgotten_is_not_asked_for():
    tally, late = Tally(), Asked(3)
    tally.add_late("a", "adc", late)
    tally.clear()
    assert tally.number("adc") == 0 and late.times == 0


def test_a_tally_does_not_wait_for_too_many(monkeypatch):
    monkeypatch.setattr("hw_models.tally.LATE", 3)
    tally, late = Tally(), [Asked(1) for _ in range(5)]
    for each in late:
        tally.add_late("a", "adc", each)
    assert [each.times for each in late] == [1, 1, 1, 0, 0] and tally.number("adc") == 5
