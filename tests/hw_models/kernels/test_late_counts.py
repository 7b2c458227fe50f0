"""Counts of a device: sums wait, many are read at once, and none is written twice."""

from __future__ import annotations

import torch

from hw_models.kernels import late_counts
from hw_models.kernels.late_counts import Counters, LateCount
from hw_models.tally import Tally

CPU = torch.device("cpu")


def counted(counters: Counters, number: int) -> LateCount:
    """Do what a kernel does that counts so many."""
    slots, slot = counters.next()
    slots.values[slot] += number
    return slots.count(slot)


def test_sums():
    counters = Counters(CPU)
    one, other = counted(counters, 3), counted(counters, 4)
    assert int(one + other) == int(sum([one, other])) == 7
    assert int(1 + one) == int(one + 1) == 4
    assert int(one) == int(one) == 3
    assert int(sum([])) == 0


def test_counts_that_come_after_one_was_read():
    counters = Counters(CPU)
    one = counted(counters, 3)
    assert int(one) == 3
    other = counted(counters, 4)
    assert int(other) == 4 and int(one + other) == 7


def test_more_than_one_piece_of_memory(monkeypatch):
    monkeypatch.setattr(late_counts, "SLOTS", 4)
    counters = Counters(CPU)
    counts = [counted(counters, number) for number in range(11)]
    assert len({id(slots) for each in counts for slots, _ in each._parts}) == 3
    assert [int(each) for each in counts] == list(range(11))


def test_many_are_read_at_once(monkeypatch):
    counters, reads, whole = Counters(CPU), [], torch.Tensor.tolist
    counts = [counted(counters, 2) for _ in range(100)]
    monkeypatch.setattr(torch.Tensor, "tolist", lambda self: reads.append(1) or whole(self))
    assert sum(int(each) for each in counts) == 200 and len(reads) == 1


def test_a_kernel_that_counts_nothing_takes_none():
    counters = Counters(CPU)
    assert counters.any()[0] is counters.any()[0]
    assert counted(counters, 5)._parts[0][1] == 0


def test_a_tally_waits():
    counters, tally = Counters(CPU), Tally()
    slots, slot = counters.next()
    tally.add_late("a", "adc", slots.count(slot), (2, 3), 8)
    slots.values[slot] += 6  # the kernel is done later
    assert tally.number("adc") == 6
