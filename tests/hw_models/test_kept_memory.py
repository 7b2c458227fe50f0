"""Memory that is kept from batch to batch."""

from __future__ import annotations

import pickle

import numpy as np

from hw_models.kept_memory import LEAST, KeptMemory

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
