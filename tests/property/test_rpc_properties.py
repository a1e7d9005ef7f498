"""The dispatcher answers any input as JSON-RPC requires, and matrices and ratios survive encoding and decoding."""

import asyncio
import io
import json
from decimal import ROUND_HALF_UP, Decimal, localcontext
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from inos.rpc.errors import MEANINGS, RpcError
from inos.rpc.method import method
from inos.rpc.methods.mesh.encoding import decode_base64, encode_matrix, read_npy, read_raw
from inos.rpc.models.values import Model, compute_ratio
from inos.rpc.server.dispatch import Caller, Dispatcher
from inos.rpc.server.turns import Turns

NODE: Any = object()


class Two(Model):
    a: int
    b: str = ""


@method("two")
async def two(node: Any, params: Two) -> Two:
    """Return the parameter."""
    return params


dispatcher = Dispatcher({"two": two}, NODE, Turns(32, 256))
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=10,
)
requests = st.fixed_dictionaries(
    {},
    optional={
        "jsonrpc": st.just("2.0") | values,
        "method": st.sampled_from(["two", "none"]) | values,
        "params": st.lists(values, max_size=3) | st.dictionaries(st.sampled_from("abc"), values) | values,
        "id": values,
        "other": values,
    },
)


def ask(body: bytes) -> Any:
    answer = asyncio.run(dispatcher.process(body, Caller(is_authorized=False)))
    return None if answer is None else json.loads(answer, parse_constant=pytest.fail)


def check_response(answer: Any) -> None:
    assert answer["jsonrpc"] == "2.0"
    assert ("result" in answer) != ("error" in answer)
    assert len(answer) == 3
    if "error" in answer:
        assert answer["error"]["code"] in MEANINGS
        assert answer["error"]["code"] != -32603
        assert answer["error"]["message"]
        assert answer["error"]["data"]["code"]


@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
def test_any_bytes_are_answered(body: bytes) -> None:
    answer = ask(body)
    if answer is not None:
        for one in answer if isinstance(answer, list) else [answer]:
            check_response(one)


@given(requests | st.lists(requests, max_size=4) | values)
def test_any_json_is_answered(value: Any) -> None:
    answer = ask(json.dumps(value).encode())
    if isinstance(answer, list):
        assert len(answer) <= len(value)
    if answer is not None:
        for one in answer if isinstance(answer, list) else [answer]:
            check_response(one)


@given(st.integers(), st.text(max_size=30), st.integers() | st.text(max_size=10))
def test_parameters_and_ids_come_through(number: int, text: str, request_id: int | str) -> None:
    answer = ask(json.dumps({"jsonrpc": "2.0", "method": "two", "params": [number, text], "id": request_id}).encode())
    if abs(number) < 2**63 and (isinstance(request_id, str) or abs(request_id) < 2**63):
        assert answer == {"jsonrpc": "2.0", "result": {"a": number, "b": text}, "id": request_id}
    else:
        check_response(answer)


arrays = st.sampled_from([np.int8, np.int32]).flatmap(
    lambda kind: hnp.arrays(kind, hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=9))
)


@given(arrays)
def test_matrices_survive_base64(array: NDArray[Any]) -> None:
    name: Any = array.dtype.name
    found = read_raw(decode_base64(encode_matrix(array)), name, *array.shape)
    assert found.dtype == array.dtype
    assert np.array_equal(found, array)


@given(arrays, st.booleans(), st.booleans())
def test_matrices_survive_npy_in_any_layout(array: NDArray[Any], is_column_major: bool, is_big_endian: bool) -> None:
    stored = np.asfortranarray(array) if is_column_major else array
    stored = stored.astype(stored.dtype.newbyteorder(">" if is_big_endian else "<"))
    file = io.BytesIO()
    np.save(file, stored)
    found = read_npy(file.getvalue())
    assert found.dtype == array.dtype
    assert found.flags.c_contiguous
    assert np.array_equal(found, array)


@given(st.binary(max_size=300))
def test_any_bytes_are_a_matrix_or_refused(data: bytes) -> None:
    for prefix in (b"", b"\x93NUMPY\x01\x00"):
        with pytest.raises(RpcError):
            read_npy(prefix + data)
    with pytest.raises(RpcError):
        read_raw(data, "int32", len(data) + 1, 2)


headers = st.text("{}[]()'\",: 0123456789L-descrfotanhp|i<u", max_size=200) | st.sampled_from(
    [
        "(" * 5000,
        "{'descr': [('a', '|O')], 'fortran_order': 0, 'shape': ()}",
        "-" * 9000 + "1",
        "{" * 2000,
        "\\\n",
        "'" * 3,
    ]
)


@given(headers)
@pytest.mark.filterwarnings("ignore")
def test_any_npy_header_is_read_or_refused(header: str) -> None:
    body = header.encode()
    with pytest.raises(RpcError):
        read_npy(b"\x93NUMPY\x01\x00" + len(body).to_bytes(2, "little") + body + b"12345678")


@given(st.integers(0, 2**80), st.integers(1, 2**80), st.integers(1, 9))
def test_ratios_are_rounded_exactly(part: int, whole: int, decimals: int) -> None:
    with localcontext() as context:
        context.prec = 200
        expected = (Decimal(part) / Decimal(whole)).quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP)
        assert Decimal(compute_ratio(part, whole, decimals)) == expected


def test_ratios_in_words() -> None:
    assert compute_ratio(1, 3, 6) == "0.333333"
    assert compute_ratio(2, 3, 6) == "0.666667"
    assert compute_ratio(3, 2, 3) == "1.5"
    assert compute_ratio(4, 2, 3) == "2"
    assert compute_ratio(0, 5, 3) == "0"
    assert compute_ratio(5, 0, 3) == "0"


@pytest.mark.parametrize("text", ["a", "====", "AAA", "AA A", "AAA\n", "ä"])
def test_base64_is_strict(text: str) -> None:
    with pytest.raises(RpcError) as caught:
        decode_base64(text)
    assert caught.value.code == "not-base64"


def test_a_header_that_promises_more_than_it_has() -> None:
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": "|i1", "fortran_order": False, "shape": (2**20, 2**20)})
    with pytest.raises(RpcError) as caught:
        read_npy(file.getvalue() + b"1234")
    assert caught.value.code == "bad-npy"


@pytest.mark.parametrize(
    ("array", "code"),
    [
        (np.zeros((2, 2), np.float32), "bad-dtype"),
        (np.zeros((2, 2), np.int64), "bad-dtype"),
        (np.zeros((2, 2), np.uint8), "bad-dtype"),
        (np.zeros((2, 2), bool), "bad-dtype"),
        (np.zeros(4, np.int8), "bad-shape"),
        (np.zeros((2, 2, 2), np.int8), "bad-shape"),
        (np.zeros((0, 2), np.int8), "bad-shape"),
    ],
)
def test_arrays_that_are_no_matrices(array: NDArray[Any], code: str) -> None:
    file = io.BytesIO()
    np.save(file, array)
    with pytest.raises(RpcError) as caught:
        read_npy(file.getvalue())
    assert caught.value.code == code


def test_pickled_objects_are_never_read() -> None:
    file = io.BytesIO()
    np.save(file, np.array([[{"a": 1}]], object), allow_pickle=True)
    with pytest.raises(RpcError) as caught:
        read_npy(file.getvalue())
    assert caught.value.code == "bad-dtype"
