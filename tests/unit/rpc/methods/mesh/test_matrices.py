"""mesh_put and mesh_get."""

import base64
import io
from typing import Any

import numpy as np
import pytest

from inos import work
from inos.primitives.matrices import STRIP_BYTES
from support.fake_node import FakeNode
from support.rpc_requests import W, X
from support.rpc_served import Ask


async def test_matrices_in_and_out(ask: Ask) -> None:
    raw = {"data": base64.b64encode(X.tobytes()).decode(), "dtype": "int8", "rows": 20, "cols": 30}
    stored = await ask("mesh_put", **raw)
    ref = work.matrix_ref(X)
    assert stored == {"id": ref.id.hex(), "dtype": "int8", "rows": 20, "cols": 30, "root": ref.root.hex(), "size": 600}
    file = io.BytesIO()
    np.save(file, X)
    assert await ask("mesh_put", base64.b64encode(file.getvalue()).decode()) == stored
    fetched = await ask("mesh_get", stored["id"])
    assert fetched == stored | {"data": raw["data"]}
    y = X.astype(np.int32) @ W.astype(np.int32).T
    result = await ask("mesh_put", data=base64.b64encode(y.tobytes()).decode(), dtype="int32", rows=20, cols=10)
    assert result["id"] == work.matrix_id(y).hex()
    back = np.frombuffer(base64.b64decode((await ask("mesh_get", result["id"]))["data"]), "<i4").reshape(20, 10)
    assert np.array_equal(back, y)


async def test_invalid_matrices_are_refused(ask: Ask, node: FakeNode) -> None:
    wrong = X.copy()
    wrong[3, 4] = 64
    data = base64.b64encode(wrong.tobytes()).decode()
    error = await ask("mesh_put", data=data, dtype="int8", rows=20, cols=30)
    assert (error["code"], error["data"]["param"]) == (-32602, "data")
    assert "3" in error["message"]
    assert "4" in error["message"]
    for params, code in (
        ({"data": data, "dtype": "int8", "rows": 20, "cols": 31}, "bad-shape"),
        ({"data": data, "dtype": "int8", "rows": 20}, "invalid-params"),
        ({"data": data, "dtype": "float", "rows": 20, "cols": 30}, "invalid-params"),
        ({"data": data, "dtype": "int8", "rows": 0, "cols": 30}, "invalid-params"),
        ({"data": "!!!!", "dtype": "int8", "rows": 20, "cols": 30}, "not-base64"),
        ({"data": data}, "bad-npy"),
        ({"data": ""}, "bad-npy"),
        ({"data": data, "dtype": "bytes", "rows": 1, "cols": 600}, "invalid-params"),
        ({"data": "!!!!", "dtype": "bytes"}, "not-base64"),
    ):
        error = await ask("mesh_put", **params)
        assert (error["code"], error["data"]["code"]) == (-32602, code)
    assert node.store.arrays == {}


@pytest.mark.parametrize("length", [0, 1, 1024, 20_000])
async def test_files_in_and_out(ask: Ask, length: int) -> None:
    data = np.random.default_rng(length).bytes(length)
    text = base64.b64encode(data).decode()
    stored = await ask("mesh_put", data=text, dtype="bytes")
    ref = work.compute_file_ref(data)
    assert stored == {
        "id": ref.id.hex(),
        "dtype": "bytes",
        "rows": ref.rows,
        "cols": ref.cols,
        "root": ref.root.hex(),
        "size": length,
    }
    assert await ask("mesh_get", stored["id"]) == stored | {"data": text}


async def test_a_file_in_rows(ask: Ask) -> None:
    data = np.random.default_rng(5).bytes(2 * STRIP_BYTES + 3000)
    ref = work.compute_file_ref(data)
    shape = {"id": ref.id.hex(), "dtype": "bytes", "rows": ref.rows, "cols": ref.cols}

    async def put(first: int, part: bytes) -> Any:
        return await ask("mesh_putRows", **shape, first=first, data=base64.b64encode(part).decode())

    assert await ask("mesh_putRows", **shape) == {"rows_done": 0, "is_complete": False}
    for first, part in ((0, data[: STRIP_BYTES - 1]), (32, data[2 * STRIP_BYTES : -1]), (32, data[: 1024 * 4])):
        assert (await put(first, part))["data"]["code"] == "bad-shape"
    assert await put(0, data[: 2 * STRIP_BYTES]) == {"rows_done": 32, "is_complete": False}
    assert await put(32, data[2 * STRIP_BYTES :]) == {"rows_done": 35, "is_complete": True}
    described = shape | {"size": len(data)}
    for first, count, expected in ((0, 0, b""), (1, 2, data[1024:3072]), (34, 9, data[34 * 1024 :]), (35, 1, b"")):
        found = await ask("mesh_getRows", ref.id.hex(), count, first)
        assert found == described | {"first": first, "data": base64.b64encode(expected).decode()}


async def test_a_matrix_that_is_not_stored(ask: Ask) -> None:
    error = await ask("mesh_get", "00" * 32)
    assert (error["code"], error["data"]["code"]) == (-32002, "matrix-unknown")
    assert "wait_s" in error["data"]["hint"]
    assert (await ask("mesh_get", id="00" * 32, wait_s=61))["code"] == -32602


async def test_a_matrix_too_large_for_an_answer(ask: Ask, node: FakeNode, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inos.rpc.methods.mesh.matrices.MAX_ANSWER_BYTES", 599)
    error = await ask("mesh_get", node.store.put(X).id.hex())
    assert (error["code"], error["data"]["code"]) == (-32009, "answer-too-large")
