"""The encoding of programs: its bytes, and what a decoder refuses before it does any work."""

import tracemalloc
from typing import Any

import msgspec
import pytest

from inos.primitives.matrices import DType
from inos.programs import (
    Inline,
    Input,
    InvalidProgram,
    Stored,
    Type,
    compute_program_id,
    decode_program,
    encode_program,
    encoding,
)
from inos.programs.ops import Add, Clamp, Mul, View
from inos.work.files import compute_file_id
from support.program_parts import INT7, make, nest, one

TYPE = [4, 4, -64, 63]
GIVEN = [TYPE, [0]]
CLAMP = [[5, -64, 63], [0]]


def pack(value: Any) -> bytes:
    return msgspec.msgpack.encode(value)


def test_the_bytes_are_those_of_the_documents() -> None:
    """A program with each source, a loop and its attributes, written out."""
    inline = Input(Type(1, 2, -1, 300), Inline(bytes([255, 255, 255, 255, 44, 1, 0, 0])))
    stored = Input(INT7, Stored(b"\x07" * 32, DType.INT7))
    program = make(
        [INT7, inline, stored], (Mul(7), (0, 2)), (View(1, ((2, 1), (3, -1)), ((4, 0),)), (0,)), outputs=(3,)
    )
    inputs = [GIVEN, [[1, 2, -1, 300], [2, bytes([255, 255, 255, 255, 44, 1, 0, 0])]], [TYPE, [1, b"\x07" * 32, 1]]]
    nodes = [[[3, 7], [0, 2]], [[9, 1, [[2, 1], [3, -1]], [[4, 0]]], [0]]]
    assert encode_program(program) == pack([1, inputs, nodes, [3]])
    body = [1, [GIVEN], [CLAMP], [1]]
    assert encode_program(nest(1, Clamp(-64, 63))) == pack([1, [GIVEN], [[[13, 2, body, 1, 0], [0]]], [1]])


def test_the_id_is_that_of_a_file() -> None:
    program = one(Add(), INT7, INT7)
    assert compute_program_id(program) == compute_file_id(encode_program(program))


REFUSED: dict[str, tuple[str, Any]] = {
    "another version": ("malformed-program", [2, [GIVEN], [], [0]]),
    "a missing part": ("malformed-program", [1, [GIVEN], []]),
    "a part too many": ("malformed-program", [1, [GIVEN], [], [0], 0]),
    "a boolean": ("malformed-program", [1, [[[True, 1, 0, 1], [0]]], [], [0]]),
    "a float": ("malformed-program", [1, [[[1.0, 1, 0, 1], [0]]], [], [0]]),
    "a boolean among outputs": ("malformed-program", [1, [GIVEN], [], [False]]),
    "text": ("malformed-program", [1, [GIVEN], [], "0"]),
    "a map": ("malformed-program", {"inputs": []}),
    "nil": ("malformed-program", None),
    "an unknown operation": ("malformed-program", [1, [GIVEN], [[[14], [0]]], [0]]),
    "an attribute too many": ("malformed-program", [1, [GIVEN], [[[2, 0], [0, 0]]], [0]]),
    "an unknown source": ("malformed-program", [1, [[TYPE, [3]]], [], [0]]),
    "an id of 31 bytes": ("malformed-program", [1, [[TYPE, [1, bytes(31), 1]]], [], [0]]),
    "65 bytes inline": ("malformed-program", [1, [[[1, 65, 0, 1], [2, bytes(65)]]], [], [0]]),
    "an interval beyond 62 bits": ("malformed-program", [1, [[[1, 1, 0, 2**62 + 1], [0]]], [], [0]]),
    "65,537 nodes": ("malformed-program", [1, [GIVEN], [CLAMP] * 65_537, [0]]),
    "4,097 inputs": ("malformed-program", [1, [GIVEN] * 4097, [], [0]]),
    "1,025 operands": ("malformed-program", [1, [GIVEN], [[[11, 0], [0] * 1025]], [0]]),
    "65,537 nodes in bodies": (
        "too-many",
        [1, [GIVEN], [[[13, 1, [1, [GIVEN], [CLAMP] * 32_768, [0]], 0, 0], [0]]] * 2, [0]],
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_program_is_refused(name: str) -> None:
    code, value = REFUSED[name]
    with pytest.raises(InvalidProgram) as caught:
        decode_program(pack(value))
    assert caught.value.code == code, caught.value


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x94",
        b"\xdd\xff\xff\xff\xff",
        b"\x94\x01\xdd\xff\xff\xff\xff",
        b"\x94\x01\x90\xdd\x00\x00\xff\xff",
        b"\x94\x01\x91\x92\x94\x01\x01\x00\x01\x92\x02\xc6\xff\xff\xff\xff",
        b"\x91" * 100_000,
        b"\x94\x01\x90\x91\x92\x95\x0d\x01" + b"\x91" * 100_000,
        pack([1, [GIVEN], [], [0]]) + b"\x00",
    ],
)
def test_truncated_and_boundless_bytes_are_refused_at_once(data: bytes) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(InvalidProgram):
            decode_program(data)
        assert tracemalloc.get_traced_memory()[1] < 4_000_000
    finally:
        tracemalloc.stop()


def test_nesting_is_bounded_before_a_body_is_read() -> None:
    body: Any = [1, [GIVEN], [CLAMP], [1]]
    for _ in range(5):
        body = [1, [GIVEN], [[[13, 2, body, 1, 0], [0]]], [1]]
    with pytest.raises(InvalidProgram, match="deeper than 4"):
        decode_program(pack(body))


def test_four_mebibytes_are_the_most() -> None:
    with pytest.raises(InvalidProgram, match="more than 4194304"):
        decode_program(bytes(4 * 2**20 + 1))
    wide = make([INT7], *[(View(0, ((2**31, 2**31),) * 4, ((2**31, 2**31),) * 4), (0,))] * 60_000)
    with pytest.raises(InvalidProgram, match="more than 4194304"):
        encode_program(wide)


def test_large_constants_belong_into_the_mesh() -> None:
    with pytest.raises(InvalidProgram, match="in the mesh"):
        encode_program(make([Input(Type(1, 65, 0, 0), Inline(bytes(65)))]))


def test_a_loops_body_is_read_once_more_for_each_loop_around_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four loops around one body of 60,000 nodes: the sizes of what is decoded grow with the depth, and no faster."""
    body: Any = [1, [GIVEN], [CLAMP] * 60_000, [1]]
    flat = len(pack(body))
    for _ in range(4):
        body = [1, [GIVEN], [[[13, 2, body, 1, 0], [0]]], [1]]
    read: list[int] = []

    class Counting:
        def decode(self, data: bytes) -> Any:
            read.append(len(memoryview(data)))
            return decoder.decode(data)

    decoder = encoding._decoder
    monkeypatch.setattr(encoding, "_decoder", Counting())
    decode_program(pack(body))
    assert len(read) == 5
    assert sum(read) < 5 * flat + 1_000
