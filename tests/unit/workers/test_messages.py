"""Messages survive encoding, keep within their limits, and nothing else is taken for one."""

import json
import runpy
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inos.primitives.blocks import compute_anchor
from inos.primitives.codec import encode
from inos.primitives.hashing import Context, compute_hash
from inos.primitives.matrices import MatrixRef
from inos.workers.errors import WorkerError
from inos.workers.limits import LIMITS
from inos.workers.messages import (
    NODE_KINDS,
    WORKER_KINDS,
    Ack,
    Assignment,
    Cancelled,
    Declined,
    Filler,
    GetRun,
    Hello,
    Local,
    Measured,
    NewTemplate,
    Piece,
    Refused,
    Result,
    Rows,
    RunData,
    Share,
    Totals,
    Welcome,
    WorkerKind,
    WorkHeader,
    decode_from_node,
    decode_from_worker,
    encode_message,
    make_header,
    make_work_header,
    peek_kind,
)
from support.documents import ROOT
from support.field_changes import change_fields

U32 = 2**32 - 1
U64 = 2**64 - 1
ID = b"\x07" * 32
WIDE = "\U0001f600"
HEADER = WorkHeader(U32, U32, U64, ID, U64, ID, ID, ID, bytes(20))
REF = MatrixRef(ID, U32, U32, ID)
SHARE = Share(U64, U32, U32, U32, ID)
LARGEST = [
    Hello(U32, bytes(16), bytes(20), ID, WIDE * 32, WorkerKind.CARD, WIDE * 32, 4096, 2**40, 2**40, 2**40, U64),
    Measured(2**40, 2**40, 2**40),
    Result(U32, U32, U32, (SHARE,) * 64, True),
    Rows(U32, U64, bytes(1 << 18)),
    GetRun(ID, 2**26 - 1),
    Declined(U32, WIDE * 200),
    Welcome(U32, WIDE * 200, WIDE * 32, ID, bytes(20), U32, U64, Local(WIDE * 1024, bytes(16))),
    NewTemplate(U32, HEADER, ID),
    Assignment(U32, ID, Piece(REF, REF, U32, U32, True)),
    Ack(U32, U32, Totals(U64, U64, U64, U64)),
    RunData(ID, 2**26 - 1, bytes(1 << 20), (ID,) * 28),
    Cancelled(U32),
    Refused(WIDE * 32, WIDE * 200, U32),
]


def decode(data: bytes, kind: Any) -> Any:
    read = decode_from_worker if kind in WORKER_KINDS else decode_from_node
    return read(data, limit=LIMITS[kind].max_bytes)


@pytest.mark.parametrize("message", LARGEST, ids=lambda message: type(message).__name__)
def test_the_largest_message_of_each_kind_is_within_its_limit(message: Any) -> None:
    data = encode_message(message)
    assert peek_kind(data) is type(message)
    assert decode(data, type(message)) == message
    with pytest.raises(WorkerError, match="too large"):
        decode(data.ljust(LIMITS[type(message)].max_bytes + 1, b"\0"), type(message))


def test_every_kind_has_a_limit_and_a_tag_of_its_own() -> None:
    kinds = [*WORKER_KINDS, *NODE_KINDS]
    assert list(LIMITS) == kinds == [type(message) for message in LARGEST]
    tags = [kind.__struct_config__.tag for kind in kinds]
    assert len(set(tags)) == len(tags)
    assert set(tags) <= set(range(1, 128))


@pytest.mark.parametrize("message", LARGEST, ids=lambda message: type(message).__name__)
def test_a_changed_field_gives_another_message_or_none(message: Any) -> None:
    """No two encodings mean the same, and no change of a type or beyond a range is taken."""
    if isinstance(message, Rows | RunData):
        message = type(message)(
            *[field[:16_384] if isinstance(field, bytes) else field for field in list_fields(message)]
        )
    data = encode_message(message)
    refused = 0
    for path, changed in change_fields(data):
        assert changed != data
        try:
            read = decode(changed, type(message))
        except WorkerError as error:
            refused += error.code == "bad-message"
            continue
        assert read != message, path
        assert encode_message(read) == changed, path
    assert refused


def list_fields(message: Any) -> list[Any]:
    return [getattr(message, name) for name in message.__struct_fields__]


def test_a_message_of_the_other_side_is_not_taken() -> None:
    for message in LARGEST:
        data = encode_message(message)
        read = decode_from_node if type(message) in WORKER_KINDS else decode_from_worker
        with pytest.raises(WorkerError) as error:
            read(data, limit=1 << 21)
        assert error.value.code == "bad-message"


@pytest.mark.parametrize("data", [b"", b"\x93", b"\xc0\x01", b"\x93\x00", b"\x93\x7f", b"\xdc\x00\x03\x01"])
def test_bytes_that_begin_like_no_message(data: bytes) -> None:
    with pytest.raises(WorkerError) as error:
        peek_kind(data)
    assert error.value.code == "not-a-message"


@given(st.binary(max_size=200))
def test_any_bytes_are_a_message_or_refused(data: bytes) -> None:
    for read in (decode_from_node, decode_from_worker):
        with suppress(WorkerError):
            assert encode_message(read(data, limit=1 << 21)) == data


u32, u64 = st.integers(0, U32), st.integers(0, U64)
shares = st.builds(Share, u64, u32, u32, u32, st.binary(min_size=32, max_size=32))


@given(st.builds(Result, u32, u32, u32, st.lists(shares, max_size=64).map(tuple), st.booleans()))
def test_results_survive_encoding(message: Result) -> None:
    assert decode(encode_message(message), Result) == message


@given(st.integers(2**31, U32), u32)
def test_the_anchor_is_the_hash_of_the_header_as_it_came(prefix: int, counter: int) -> None:
    nonce = prefix << 32 | counter
    sent = encode(HEADER)
    preimage = b"\x9a" + sent[1:] + b"\xcf" + nonce.to_bytes(8, "big")
    assert sent[0] == 0x99
    assert compute_anchor(make_header(HEADER, nonce)) == compute_hash(Context.ANCHOR, preimage)
    assert make_work_header(make_header(HEADER, nonce)) == HEADER


def test_fillers_and_pieces_have_ranges() -> None:
    for work in (
        Filler(ID, 8, 16, 64),
        Filler(ID, 16, 2**14 + 1, 64),
        Filler(ID, 16, 16, 63),
        Piece(REF, REF, U32 + 1, 1, True),
    ):
        with pytest.raises(WorkerError, match="cannot be decoded"):
            decode(encode_message(Assignment(1, ID, work)), Assignment)


def test_the_vectors_are_what_the_code_makes() -> None:
    vectors = json.loads((ROOT / "tests/vectors/workers.json").read_text("utf-8"))
    assert runpy.run_path(str(ROOT / "tests/vectors/make_workers.py"))["make_vectors"]() == vectors
    assert {each["name"] for each in vectors["messages"]} == {kind.__name__ for kind in LIMITS}
