"""Hostile bytes: other encodings of each part, announced lengths of gigabytes, and deep nesting."""

import struct
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inos.consensus.records import (
    Account,
    Claim,
    DisputeRecord,
    Job,
    JobState,
    Juror,
    Market,
    NetworkMined,
    ProductWork,
    TaskWork,
)
from inos.consensus.statetree import OtherLeaf, StateProof
from inos.primitives.blocks import Block, Header
from inos.primitives.codec import decode, encode
from inos.primitives.errors import CodecError
from inos.primitives.matrices import MatrixRef, Seal, StripRow, Witness
from inos.primitives.multisig import Multisig
from inos.primitives.transactions import (
    CancelJob,
    Challenge,
    ClaimJob,
    JobMode,
    PostJob,
    PostTask,
    SubmitOutcome,
    SubmitResult,
    TaskKind,
    Transaction,
    Transfer,
    TransferMany,
    Verdict,
)

LIMIT = 1 << 20
HASH, ADDRESS = bytes(range(32)), bytes(range(20))
REF = MatrixRef(HASH, 16, 300, HASH)
ROW = StripRow(bytes(16384), (HASH,))
SEAL = Seal(REF, REF, 1, 200, 70_000, HASH)
HEADER = Header(2, 77, 2**40, HASH, 2**41, HASH, HASH, HASH, ADDRESS, 2**64 - 1, SEAL)
POST = PostJob(REF, REF, 10**10, 5, 20, 2**33, JobMode.CHECKED, 127)
TASK = PostTask(TaskKind.PROGRAM, HASH, (HASH,), 3, 300, 10**10, 5, 20, 2**33, 127)
TXS = tuple(
    Transaction(7, HASH, 128, 255, payload, bytes(64))
    for payload in (
        Transfer(ADDRESS, 300),
        POST,
        ClaimJob(HASH),
        SubmitResult(HASH, REF),
        TASK,
        SubmitOutcome(HASH, (HASH, HASH)),
        TransferMany(ADDRESS + bytes(7) + b"\x09"),
    )
)
VALUES: tuple[Any, ...] = (
    *TXS,
    Transaction(7, HASH, 128, 255, Challenge(HASH, 1, 300, ROW, ROW, ROW), bytes(64)),
    Transaction(7, Multisig(2, (HASH, bytes(32), HASH)), 128, 255, CancelJob(HASH), bytes(130)),
    HEADER,
    msgspec.structs.replace(HEADER, seal=None),
    Block(HEADER, TXS),
    Witness(bytes(16384), (HASH, HASH), bytes(16384), ()),
    Account(1, 2**40, 3, 4, 5, 6, 7, 8),
    Job(ADDRESS, ProductWork(REF, REF, JobMode.CHECKED, REF), 1, 2, 3, 4, 5, 6, JobState.SETTLED, ADDRESS, 7),
    Job(ADDRESS, TaskWork(TaskKind.FUNCTION, HASH, (HASH,), 0, 9), 1, 2, 3, 4, 5, 6, JobState.OPEN, None, 0),
    Claim(ADDRESS, 1, 2, 3),
    DisputeRecord(bytes(20), 2, 1, 5, 7, (Juror(bytes(20), bytes(48), 3, HASH, Verdict.WRONG),)),
    NetworkMined(5, 7),
    Market(1, 2, 3),
    StateProof((HASH,), OtherLeaf(HASH, b"value")),
)
KINDS = tuple(type(value) for value in VALUES)


def respell(value: Any) -> Iterator[bytes]:
    """Other msgpack encodings that a lax decoder could accept for the same value, and invalid ones close to them."""
    if isinstance(value, bool):
        yield from (b"\x01" if value else b"\x00", b"\xc0")
    elif isinstance(value, int):
        yield b"\xcf" + value.to_bytes(8, "big") if value < 2**32 else encode(float(value))
        yield from (encode(float(value)), encode(str(value)), b"\xff", b"\xc0", b"\xc3", b"\xc7\x08\x01" + bytes(8))
        if value < 2**63:
            yield b"\xd3" + value.to_bytes(8, "big")
        for code, width in ((0xCC, 1), (0xCD, 2), (0xCE, 4)):
            spelled = bytes([code]) + value.to_bytes(9, "big")[-width:]
            if spelled != encode(value):
                yield spelled
    elif isinstance(value, bytes):
        size = len(value)
        yield b"\xc6" + struct.pack(">I", size) + value
        yield from (b"\xd9" + bytes([size % 256]) + value, b"\xc7" + bytes([size % 256]) + b"\x05" + value, b"\xc0")
        yield from (encode(value[:-1]), encode(value + b"\x00"), encode(value.hex()), encode(list(value)[:40]))
    elif value is None:
        yield from (b"\xc2", b"\x00", b"\x90", b"\xc4\x00")
    elif isinstance(value, list):
        items = [encode(item) for item in value]
        yield b"\xdc" + struct.pack(">H", len(items)) + b"".join(items)
        yield b"\xdd" + struct.pack(">I", len(items)) + b"".join(items)
        yield b"\x80" + b"".join(items)
        yield bytes([0x90 | len(items) + 1]) + b"".join([*items, b"\x00"])
        if items:
            yield bytes([0x90 | len(items) - 1]) + b"".join(items[:-1])
            yield bytes([0x90 | len(items) - 1]) + b"".join(items[1:])


def spell_each_part(value: Any) -> Iterator[bytes]:
    """Return the whole with one part, at any depth, encoded differently."""
    yield from respell(value)
    for at, item in enumerate(value if isinstance(value, list) else ()):
        for spelled in spell_each_part(item):
            parts = [encode(other) for other in value]
            yield bytes([0x90 | len(value)]) + b"".join([*parts[:at], spelled, *parts[at + 1 :]])


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_every_part_has_one_spelling(value: Any) -> None:
    good = encode(value)
    assert decode(type(value), good, limit=LIMIT) == value
    tried = 0
    for spelled in spell_each_part(msgspec.msgpack.decode(good)):
        try:
            other = decode(type(value), spelled, limit=LIMIT)
        except CodecError:
            tried += 1
            continue
        assert other != value  # this is another value with a valid encoding: a shorter list, or an absent seal
        assert encode(other) == spelled
    assert tried >= 9
    for tail in (b"\x00", b"\xc0", good):
        with pytest.raises(CodecError):
            decode(type(value), good + tail, limit=LIMIT)


PROMISES = [code + b"\xff\xff\xff\xff" for code in (b"\xc6", b"\xc9", b"\xdb", b"\xdd", b"\xdf")]
"""4 GiB of bytes, of an extension and of text, 2^32 items and 2^32 pairs."""


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_promises_of_gigabytes_cost_nothing(kind: type) -> None:
    fillers = (b"\x01", b"\xc4\x20" + bytes(32), b"\xc4\x14" + bytes(20))
    heads = [bytes([0x90 | count]) for count in (1, 2, 4, 6, 7, 12, 14)]
    texts = [head + f * n + p + bytes(20) for head in heads for f in fillers for n in range(4) for p in PROMISES]
    tracemalloc.start()
    started = time.perf_counter()
    try:
        for text in [*PROMISES, *texts]:
            with pytest.raises(CodecError):
                decode(kind, text, limit=LIMIT)
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()
    assert time.perf_counter() - started < 10


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("bracket", [b"\x91", b"\x92\x01", b"\x81\x01", b"\xdc\x00\x01", b"\xdd\x00\x00\x00\x01"])
def test_towers_of_brackets_are_refused(kind: type, bracket: bytes) -> None:
    with pytest.raises(CodecError):
        decode(kind, bracket * (LIMIT // len(bracket)), limit=LIMIT)


@given(st.sampled_from(VALUES), st.data())
def test_where_a_promise_stands_does_not_matter(value: Any, data: st.DataObject) -> None:
    good = encode(value)
    at = data.draw(st.integers(0, min(len(good), 600)))
    text = good[:at] + data.draw(st.sampled_from(PROMISES)) + good[at:][:64]
    tracemalloc.start()
    try:
        # Inside of bytes, such as a signature, a promise is only bytes.
        with suppress(CodecError):
            assert encode(decode(type(value), text, limit=LIMIT)) == text
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()
