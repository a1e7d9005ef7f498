"""Bad data is refused before anything is built, and the message names the first wrong entry."""

from typing import Any

import numpy as np
import pytest

from inos.learn.data import Pairs, Text, Tokens, check_labels, read_data, read_table
from inos.learn.errors import LearnError

GOOD = np.linspace(0, 1, 12, dtype=np.float32).reshape(3, 4)


def refuse(data: Any, *words: str) -> None:
    with pytest.raises(LearnError) as caught:
        read_data(data)
    assert caught.value.code == "bad-data"
    for word in words:
        assert word in str(caught.value)


def test_data_that_is_no_number_is_refused() -> None:
    for wrong in (np.nan, np.inf):
        x = GOOD.copy()
        x[1, 2] = wrong
        refuse((x, np.arange(3)), "inputs[1, 2]", str(wrong))
    refuse((GOOD.astype(str), np.arange(3)), "inputs hold <U")
    refuse((GOOD * 1j, np.arange(3)), "complex")
    refuse((np.ma.masked_greater(GOOD, 0.5), np.arange(3)), "masked")
    refuse(([[1.0, 2.0], [3.0]], np.arange(2)), "no array")


def test_data_of_the_wrong_shape_is_refused() -> None:
    refuse((GOOD, np.arange(4)), "3 inputs and 4 targets")
    refuse((GOOD[:0], np.arange(0)), "no examples")
    refuse((np.float32(3), np.arange(1)), "no examples")
    refuse(GOOD, "ndarray is no training data")
    refuse((GOOD * 100, np.arange(3)), "up to 100", "scale them")


def test_tokens_are_checked() -> None:
    refuse(Tokens(np.array([1.0, 2.0]), 1), "float64")
    refuse(Tokens(np.array([[1, 2]]), 1), "one row")
    refuse(Tokens(np.array([1, 2]), 2), "more than 2 tokens")
    refuse(Tokens(np.array([1, -2, 3]), 1), "tokens[1] is -2")
    read = read_data(Tokens(np.arange(10, dtype=np.uint8), 4))
    assert isinstance(read, Text)
    assert read.count == 6


def test_floats_take_the_fewest_bits_that_hold_them() -> None:
    assert read_table(np.arange(17)[:, None] / 16, "x").bits == 4
    assert read_table(np.array([[1.0], [3.0]]), "x").bits == 0
    third = read_table(np.array([[1 / 3]]), "x")
    assert (third.bits, third.rows.item()) == (12, round(4096 / 3))
    read = read_data((GOOD, np.arange(3)))
    assert isinstance(read, Pairs)
    assert (read.inputs.sizes, read.targets.sizes, read.targets.bits) == ((4,), (), None)


def test_a_label_outside_the_model_is_named() -> None:
    check_labels(np.array([[0], [9]]), 10)
    for wrong in (10, -1):
        with pytest.raises(LearnError, match=f"label of example 1 is {wrong}; the module has 10 classes") as caught:
            check_labels(np.array([[3], [wrong]]), 10)
        assert caught.value.code == "bad-labels"
