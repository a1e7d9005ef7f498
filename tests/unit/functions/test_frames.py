"""Messages between parent and child: read as written, and refused when they are anything else."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inos.functions.frames import BadFrame, decode_frame, encode_frame

HEADERS = st.dictionaries(st.sampled_from("abcd"), st.integers() | st.text(max_size=5))


@given(HEADERS, st.lists(st.binary(max_size=9), max_size=4))
def test_messages_are_read_as_they_were_written(header: dict[str, Any], parts: list[bytes]) -> None:
    assert decode_frame(b"".join(encode_frame(header, *parts))) == (header, parts)


@given(st.binary(max_size=60))
def test_other_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(BadFrame):
        decode_frame(data)


@pytest.mark.parametrize(
    "parts", ["[-1]", "[1.5]", '"ab"', "[null]", "3", "[2]", "[99999999999999999999]", "[0,1,-1]", "[2,-1]"]
)
def test_wrong_lengths_are_refused(parts: str) -> None:
    head = f'{{"parts": {parts}}}'.encode()
    with pytest.raises(BadFrame):
        decode_frame(len(head).to_bytes(4, "little") + head + b"x")


def test_a_cut_or_longer_message_is_refused() -> None:
    data = b"".join(encode_frame({"a": 1}, b"part", b""))
    for wrong in (data[:-1], data + b"x", data[:3], b""):
        with pytest.raises(BadFrame):
            decode_frame(wrong)
