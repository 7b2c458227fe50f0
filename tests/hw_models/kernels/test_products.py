"""Products in either order are the sums they stand for, wherever they are written."""

import itertools

import numpy as np
import pytest

from hw_models.kernels import products

ROWS = (1, 2, 5, 96, 97)
OUTPUTS = (1, 127, 128, 300)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("rows, outputs", list(itertools.product(ROWS, OUTPUTS)))
def test_the_sums(rows, outputs, dtype):
    draw = np.random.default_rng(rows * outputs)
    for inputs in (1, 2, 44, 300):
        x = draw.normal(size=(rows, inputs + 3)).astype(dtype)[:, 3:]
        weight = draw.normal(size=(outputs, inputs + 2)).astype(dtype)[:, :inputs]
        exact = np.einsum("ri,oi->ro", x.astype(np.longdouble), weight.astype(np.longdouble))
        size = np.einsum("ri,oi->ro", np.abs(x.astype(float)), np.abs(weight.astype(float)))
        near = inputs * np.finfo(dtype).eps * size
        room = np.full((rows, outputs + 2), np.nan, dtype=dtype)
        products.multiply(x, weight.T, room[:, 1:-1])
        assert (np.abs(room[:, 1:-1] - exact) <= near).all()
        assert np.isnan(room[:, [0, -1]]).all()
        alone = products.product(x, weight.T)
        assert alone.dtype == dtype and np.array_equal(alone, room[:, 1:-1])
        straight = np.empty((rows, outputs), dtype=dtype)
        products.multiply(x, np.ascontiguousarray(weight.T), straight)
        assert (np.abs(straight - exact) <= near).all()


def test_few_rows_are_turned_and_nothing_else(monkeypatch):
    called, matmul = [], np.matmul

    def noted(one, other, **how):
        called.append(len(one))
        return matmul(one, other, **how)

    monkeypatch.setattr(products.np, "matmul", noted)
    for dtype, rows, outputs in itertools.product((np.float32, np.float64), ROWS, OUTPUTS):
        x, weight = np.ones((rows, 7), dtype), np.ones((outputs, 7), dtype)
        products.multiply(x, weight.T, np.empty((rows, outputs), dtype))
        turned = dtype is np.float32 and 2 <= rows <= 96 and outputs >= 128
        assert called.pop() == (outputs if turned else rows)
        products.multiply(x, np.ones((7, outputs), dtype), np.empty((rows, outputs), dtype))
        assert called.pop() == rows


def test_what_is_no_number_stays_where_it_is():
    x, weight = np.ones((4, 9), np.float32), np.ones((200, 9), np.float32)
    x[2, 5], weight[150, 3] = np.nan, np.inf
    found = np.empty((4, 200), np.float32)
    products.multiply(x, weight.T, found)
    assert np.isnan(found[2]).all() and np.isinf(found[[0, 1, 3], 150]).all()
    assert (np.delete(found[[0, 1, 3]], 150, axis=1) == 9).all()
