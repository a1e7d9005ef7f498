"""Choosing entries, against numpy."""

import numpy as np

from inos.programs.library import argmax, one_hot, reshape, rows_of, transpose
from support.built_programs import compute


def test_argmax_is_the_first_of_the_largest() -> None:
    x = np.random.default_rng(1).integers(-3, 4, (200, 9))
    (found,) = compute(argmax, (x, -(2**40), 2**40))
    assert found[:, 0].tolist() == x.argmax(axis=1).tolist()


def test_one_hot_rows() -> None:
    index = np.array([[0], [4], [2]])
    (found,) = compute(lambda v: one_hot(v, 5), (index, 0, 4))
    assert found.tolist() == np.eye(5)[index[:, 0]].tolist()


def test_views() -> None:
    x = np.arange(12).reshape(3, 4)
    found = compute(lambda v: [transpose(v), reshape(v, 2, 6), rows_of(v, 1, 2)], (x, 0, 11))
    assert [each.tolist() for each in found] == [x.T.tolist(), x.reshape(2, 6).tolist(), x[1:].tolist()]
