"""A filler's operands follow from its seed alone."""

import numpy as np
from blake3 import blake3

from inos.work import matrix_id
from inos.workers.filler import make_operands
from inos.workers.messages import Filler


def test_operands_are_the_seeds_stream() -> None:
    seed = bytes(range(32))
    x, w = make_operands(Filler(seed, 40, 32, 100))
    for operand, purpose, rows in ((x, b"filler x", 40), (w, b"filler w", 32)):
        stream = blake3(purpose, key=seed).digest(length=rows * 100)
        expected = np.array([(byte & 127) - 64 for byte in stream], np.int8).reshape(rows, 100)
        assert np.array_equal(operand.array, expected)
        assert operand.ref.id == matrix_id(expected)
    assert x.ref.id != w.ref.id
