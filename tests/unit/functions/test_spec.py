"""Specs: one encoding each, every bound, and the price in units."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inos.functions import FunctionSpec, InvalidFunction, compute_units, decode_spec, encode_spec
from inos.functions.spec import check_data
from support.functions import make_spec

SPECS = st.builds(
    make_spec,
    code=st.just(b""),
    module=st.binary(min_size=32, max_size=32),
    args=st.lists(st.binary(max_size=40).filter(lambda arg: b"\0" not in arg), max_size=5).map(tuple),
    pages=st.integers(1, 32768),
    steps=st.integers(1, 2**36),
    output_bytes=st.integers(0, 2**28),
    seed=st.none() | st.binary(min_size=32, max_size=32),
)


@given(SPECS)
def test_a_spec_is_read_as_it_was_written(spec: FunctionSpec) -> None:
    assert decode_spec(encode_spec(spec)) == spec


def test_the_encoding_is_the_documented_array() -> None:
    spec = make_spec(module=b"\x11" * 32, args=(b"a", b"\xff"), pages=2, steps=3, output_bytes=4)
    expected = b"\x97\x01\xc4\x20" + b"\x11" * 32 + b"\x92\xc4\x01a\xc4\x01\xff" + b"\x02\x03\x04\xc0"
    assert encode_spec(spec) == expected


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"version": 0}, "bad-spec-version"),
        ({"version": 2}, "bad-spec-version"),
        ({"pages": 0}, "bad-pages"),
        ({"pages": 32769}, "bad-pages"),
        ({"steps": 0}, "bad-steps"),
        ({"steps": 2**36 + 1}, "bad-steps"),
        ({"output_bytes": 2**28 + 1}, "bad-output-bytes"),
        ({"args": (b"",) * 257}, "too-many-args"),
        ({"args": (b"a" * 65_536,)}, "args-too-long"),
        ({"args": (b"a\0b",)}, "zero-in-arg"),
        ({"seed": b"short"}, "bad-seed"),
        ({"seed": b"a" * 33}, "bad-seed"),
    ],
)
def test_every_bound_is_checked_on_both_ways(changes: dict[str, Any], code: str) -> None:
    spec = make_spec(**changes)
    with pytest.raises(InvalidFunction) as writing:
        encode_spec(spec)
    with pytest.raises(InvalidFunction) as reading:
        decode_spec(msgspec.msgpack.encode(spec))
    assert writing.value.code == reading.value.code == code


def test_the_largest_values_are_allowed() -> None:
    spec = make_spec(args=(b"a" * 65_535,), pages=32768, steps=2**36, output_bytes=2**28, seed=b"s" * 32)
    assert decode_spec(encode_spec(spec)) == spec
    many = make_spec(args=(b"",) * 256)
    assert decode_spec(encode_spec(many)) == many


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ([1, bytes(32), [], 1, 1, 1], "malformed"),
        ([1, bytes(32), [], 1, 1, 1, None, 0], "malformed"),
        ([1, bytes(31), [], 1, 1, 1, None], "malformed"),
        ([True, bytes(32), [], 1, 1, 1, None], "malformed"),
        ([1, bytes(32), [], 1.0, 1, 1, None], "malformed"),
        ([1, bytes(32), ["text"], 1, 1, 1, None], "malformed"),
        ([1, bytes(32), [], -1, 1, 1, None], "malformed"),
        ({"version": 1}, "malformed"),
    ],
)
def test_other_values_are_refused(value: Any, code: str) -> None:
    with pytest.raises(InvalidFunction) as refused:
        decode_spec(msgspec.msgpack.encode(value))
    assert refused.value.code == code


def test_a_second_encoding_of_the_same_spec_is_refused() -> None:
    data = encode_spec(make_spec())
    for other in (data.replace(b"\x97\x01", b"\x97\xcc\x01", 1), b"\xdc\x00\x07" + data[1:]):
        with pytest.raises(InvalidFunction) as refused:
            decode_spec(other)
        assert refused.value.code == "not-canonical"
    with pytest.raises(InvalidFunction) as refused:
        decode_spec(data + b"\0" * 200_000)
    assert refused.value.code == "too-large"


def test_units_count_steps_and_carried_bytes() -> None:
    assert compute_units(make_spec(steps=1, output_bytes=0), 0, 0) == 1
    assert compute_units(make_spec(steps=2**36, output_bytes=0), 0, 0) == 2**16
    spec = make_spec(steps=2**20, output_bytes=16_384)
    assert compute_units(spec, 0, 0) == 2
    assert compute_units(spec, 16_384, 2 * 16_384) == 5
    half = make_spec(steps=2**19, output_bytes=8_192)
    assert compute_units(half, 0, 0) == 1
    assert compute_units(half, 8_191, 16_384) == 2


def test_module_input_and_output_together_are_bounded() -> None:
    spec = make_spec(output_bytes=2**27)
    check_data(spec, 2**20, 2**27 - 2**20)
    with pytest.raises(InvalidFunction, match="at most 268435456 are carried"):
        check_data(spec, 2**20, 2**27 - 2**20 + 1)
