"""Random programs: the interpreter and the checker against a slow evaluator on Python's own integers."""

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from random import Random
from typing import Any, Final
from unittest.mock import patch

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inos.programs import (
    Engine,
    InvalidProgram,
    check_program,
    decode_program,
    encode_program,
    kernels,
    products,
    run_program,
)
from inos.programs.native.library import find_targets
from support.random_programs import make_inputs, make_program
from support.slow_programs import evaluate

ENGINES: Final[tuple[Engine, ...]] = ("numpy", "native") if find_targets() else ("numpy",)
SEEDS = st.integers(0, 2**64 - 1)


@contextmanager
def tiny_blocks() -> Iterator[None]:
    """Cut even the smallest values into blocks and tiles, as large ones are."""
    with ExitStack() as stack:
        stack.enter_context(patch.object(kernels, "BLOCK", 3))
        for name, value in (("ROWS", 2), ("DEPTH", 3)):
            stack.enter_context(patch.object(products, name, value))
        yield


@settings(max_examples=3000, deadline=None)
@given(seed=SEEDS)
def test_every_result_interval_and_cost_is_right(seed: int) -> None:
    rng = Random(seed)
    program = make_program(rng)
    checked = check_program(program)
    inputs = make_inputs(program, rng)
    counts: Counter[str] = Counter()
    expected = evaluate(checked, inputs, counts)
    arrays = [np.array(each, dtype=np.int64) for each in inputs]
    for engine in ENGINES:
        with tiny_blocks() if seed % 2 else ExitStack():
            found = run_program(checked, arrays, engine=engine)
        assert [each.tolist() for each in found] == expected, engine
        assert [(each.shape, each.dtype) for each in found] == [(t.shape, t.storage) for t in checked.results]
    cost = {name: getattr(checked.cost, name) for name in ("tickets", "macs", "elements", "random_bytes", "units")}
    assert cost == {name: counts[name] for name in cost}


def pack(value: Any, rng: Random) -> bytes:
    """Encode as msgpack, with some lengths and numbers wider than needed."""
    wide = rng.random() < 0.05
    if isinstance(value, list):
        head = bytes([0x90 + len(value)]) if len(value) < 16 and not wide else b"\xdc" + len(value).to_bytes(2, "big")
        return head + b"".join(pack(each, rng) for each in value)
    if isinstance(value, bytes):
        return (b"\xc5" + len(value).to_bytes(2, "big") if wide else b"\xc4" + bytes([len(value)])) + value
    if wide:
        return b"\xd3" + value.to_bytes(8, "big", signed=True)
    return bytes(msgspec.msgpack.encode(value))


@settings(max_examples=200, deadline=None)
@given(seed=SEEDS)
def test_a_program_has_one_encoding(seed: int) -> None:
    rng = Random(seed)
    program = make_program(rng)
    data = encode_program(program)
    assert decode_program(data) == program
    other = pack(msgspec.msgpack.decode(data), rng)
    if other != data:
        with pytest.raises(InvalidProgram, match="canonical"):
            decode_program(other)


@settings(max_examples=400, deadline=None)
@given(seed=SEEDS)
def test_changed_bytes_are_another_program_or_none(seed: int) -> None:
    rng = Random(seed)
    data = bytearray(encode_program(make_program(rng)))
    for _ in range(rng.randint(1, 3)):
        data[rng.randrange(len(data))] = rng.randrange(256)
    try:
        program = decode_program(bytes(data))
    except InvalidProgram:
        return
    assert encode_program(program) == data
    try:
        checked = check_program(program)
    except InvalidProgram:
        return
    if checked.cost.units < 10_000 and checked.cost.peak_bytes < 2**20:
        run_program(checked, [np.array(each, dtype=np.int64) for each in make_inputs(program, rng)])
