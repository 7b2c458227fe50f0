"""Memory that is kept from batch to batch."""

from __future__ import annotations

import os
import pickle

import numpy as np
import pytest

from hw_models.kept_memory import LEAST, KeptMemory, sparse

LARGE, SINGLE = (LEAST // 4, 2), np.dtype(np.float32)


def place(array):
    return array.__array_interface__["data"][0]


def test_memory_of_an_array_that_is_gone_is_lent_again():
    memory = KeptMemory()
    first = memory.empty(LARGE, SINGLE)
    first[:] = 3
    where = place(first)
    del first
    second = memory.empty((LARGE[0], 1), SINGLE)
    assert place(second) == where and second.flags.writeable and (second == 3).all()


def test_memory_somebody_looks_into_is_not_lent():
    memory = KeptMemory()
    first = memory.empty(LARGE, SINGLE)
    view = first[5:, 1]
    view[:] = 1
    del first
    second = memory.empty(LARGE, SINGLE)
    second[:] = 2
    assert (view == 1).all() and not np.shares_memory(view, second)


def test_no_more_blocks_are_kept_than_asked_for_and_none_too_small():
    memory = KeptMemory(most=1)
    arrays = [memory.empty(LARGE, SINGLE) for _ in range(3)]
    arrays.clear()
    assert len(memory._free) == 1
    larger = memory.empty((2 * LARGE[0], 2), SINGLE)
    assert not memory._free and larger.shape == (2 * LARGE[0], 2)


def test_small_arrays_and_new_blocks_hold_zeros():
    memory = KeptMemory()
    assert not memory.empty((3, 4), SINGLE).any() and not memory.empty(LARGE, SINGLE).any()


def test_a_copy_for_another_process_has_no_blocks():
    memory = KeptMemory(most=3)
    del_me = memory.empty(LARGE, SINGLE)
    del del_me
    assert len(memory._free) == 1
    assert not pickle.loads(pickle.dumps(memory))._free


def test_the_largest_block_is_lent_where_it_is_asked_for():
    memory = KeptMemory()
    blocks = [memory.empty((rows, 2), SINGLE) for rows in (LARGE[0], 2 * LARGE[0])]
    places = [place(block) for block in blocks]
    blocks.clear()
    large = memory.empty(LARGE, SINGLE, largest=True)
    assert [place(large), place(memory.empty(LARGE, SINGLE))] == places[::-1]


def test_zeros_are_zeros_whatever_was_there():
    memory = KeptMemory()
    memory.empty(LARGE, SINGLE)[:] = 3
    assert not memory.zeros(LARGE, SINGLE).any() and not memory.zeros((2, 2), SINGLE).any()


def resident():
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="no /proc")
def test_sparse_zeros_take_memory_where_they_are_written_to():
    before, shape = resident(), (64, LEAST // 4)
    found = sparse(shape, SINGLE)
    found[:4] = 1
    assert found.shape == shape and found.flags.writeable and not found[4:].any() and found[:4].all()
    assert resident() - before < 16 * LEAST
    assert sparse((2, 3), SINGLE).tolist() == [[0, 0, 0], [0, 0, 0]]
