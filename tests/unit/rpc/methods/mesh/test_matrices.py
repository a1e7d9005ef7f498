"""mesh_put and mesh_get."""

import base64
import io

import numpy as np
import pytest

from inos import work
from support.fake_node import FakeNode
from support.rpc_requests import W, X
from support.rpc_served import Ask


async def test_matrices_in_and_out(ask: Ask) -> None:
    raw = {"data": base64.b64encode(X.tobytes()).decode(), "dtype": "int8", "rows": 20, "cols": 30}
    stored = await ask("mesh_put", **raw)
    ref = work.matrix_ref(X)
    assert stored == {"id": ref.id.hex(), "dtype": "int8", "rows": 20, "cols": 30, "root": ref.root.hex()}
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
    ):
        error = await ask("mesh_put", **params)
        assert (error["code"], error["data"]["code"]) == (-32602, code)
    assert node.store.arrays == {}


async def test_a_matrix_that_is_not_stored(ask: Ask) -> None:
    error = await ask("mesh_get", "00" * 32)
    assert (error["code"], error["data"]["code"]) == (-32002, "matrix-unknown")
    assert "wait_s" in error["data"]["hint"]
    assert (await ask("mesh_get", id="00" * 32, wait_s=61))["code"] == -32602


async def test_a_matrix_too_large_for_an_answer(ask: Ask, node: FakeNode, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inos.rpc.methods.mesh.matrices.MAX_ANSWER_BYTES", 599)
    error = await ask("mesh_get", node.store.put(X).id.hex())
    assert (error["code"], error["data"]["code"]) == (-32009, "answer-too-large")
