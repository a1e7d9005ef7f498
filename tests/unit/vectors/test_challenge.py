"""The code agrees with challenge.json, and so does a second, independent implementation."""

import json
import runpy
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from blake3 import blake3
from numpy.typing import NDArray

FOLDER = Path(__file__).parents[2] / "vectors"


@pytest.fixture(scope="module")
def vectors() -> Any:
    return json.loads((FOLDER / "challenge.json").read_text("utf-8"))


def h(context: str, data: bytes) -> bytes:
    return blake3(data, derive_key_context="inos v1 " + context).digest()


def draw(name: str, rows: int, cols: int) -> NDArray[np.int64]:
    stream = np.frombuffer(blake3(name.encode()).digest(length=rows * cols), dtype=np.uint8)
    return (stream & 127).astype(np.int64).reshape(rows, cols) - 64


def cut(array: NDArray[Any]) -> list[list[bytes]]:
    """Return strips of 16 rows x 1024 bytes by row and panel, padded with zeros."""
    width = 1024 // array.itemsize
    rows, cols = -(-array.shape[0] // 16) * 16, -(-array.shape[1] // width) * width
    padded = np.zeros((rows, cols), array.dtype)
    padded[: array.shape[0], : array.shape[1]] = array
    return [[padded[i : i + 16, p : p + width].tobytes() for p in range(0, cols, width)] for i in range(0, rows, 16)]


def find_root(leaves: list[bytes]) -> bytes:
    """RFC 6962, section 2.1."""
    if len(leaves) == 1:
        return leaves[0]
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return h("matrix node", find_root(leaves[:split]) + find_root(leaves[split:]))


def find_range_path(leaves: list[bytes], first: int, last: int) -> list[bytes]:
    """Return the siblings on each level of a tree whose odd last node moves up, the left one first."""
    path: list[bytes] = []
    while len(leaves) > 1:
        if first % 2:
            path.append(leaves[first - 1])
        if last % 2 and last < len(leaves):
            path.append(leaves[last])
        pairs = [leaves[at : at + 2] for at in range(0, len(leaves), 2)]
        leaves = [h("matrix node", b"".join(pair)) if len(pair) == 2 else pair[0] for pair in pairs]
        first, last = first // 2, (last + 1) // 2
    return path


def test_the_file_is_what_the_code_makes(vectors: Any) -> None:
    made = runpy.run_path(str(FOLDER / "make_challenge.py"))["make_vectors"]()
    assert json.loads(json.dumps(msgspec.to_builtins(made))) == vectors


def test_tiles_read_again(vectors: Any) -> None:
    verdicts = set()
    for case in vectors["tiles"]:
        x, w = draw(case["name"] + "/x", case["m"], case["k"]), draw(case["name"] + "/w", case["n"], case["k"])
        right = x @ w.T
        y = right.copy()
        if case["wrong"]:
            row, col, added = case["wrong"]
            y[row, col] += added
        y32 = y.astype(np.int32)
        i, j = case["i"], case["j"]
        verdicts.add(case["verdict"])
        if case["verdict"] == "index-outside-matrix":
            assert i >= -(-case["m"] // 16) or j >= -(-case["n"] // 16)
            continue
        tile = np.s_[16 * i : 16 * i + 16, 16 * j : 16 * j + 16]
        assert (case["verdict"] == "wrong") is bool((y32[tile] != right[tile]).any())
        wanted = ((x.astype(np.int8), 1, i, None), (w.astype(np.int8), 1, j, None), (y32, 2, i, j // 16))
        for side, (array, dtype, row, panel) in zip("xwy", wanted, strict=True):
            strips = cut(array)
            leaves = [h("matrix strip", strip) for line in strips for strip in line]
            panels = len(strips[0])
            first, last = (row * panels, row * panels + panels) if panel is None else (row * panels + panel,) * 2
            last += panel is not None
            assert [node.hex() for node in find_range_path(leaves, first, last)] == case[f"{side}_path"]
            head = bytes([dtype]) + array.shape[0].to_bytes(4, "little") + array.shape[1].to_bytes(4, "little")
            assert h("matrix", head + find_root(leaves)).hex() == case[f"{side}_id"]
    assert verdicts == {"wrong", "tile-is-right", "index-outside-matrix"}


def test_what_a_wrong_result_costs_and_a_right_one_brings(vectors: Any) -> None:
    bond, reward, burned, fee = 10**8 + 1, 10**9, 1000, 1000
    steps = {step["name"]: step["records"] for step in vectors["state"]["steps"]}
    worker = next(k for k in steps["before"] if k.startswith("01") and read(steps["before"][k])[2] == bond)
    watcher = next(k for k in steps["before"] if k.startswith("01") and k != worker)
    market, job, due = "05", "02" + "44" * 32, "06" + (9).to_bytes(8, "big").hex() + "44" * 32
    assert read(steps["delivered"][due]) == []
    assert "04" + (26).to_bytes(8, "big").hex() + "44" * 32 not in steps["delivered"]
    # while it is not closed it waits for its deadline; then it stays for 5,000 blocks
    deadline, removal = (
        f"{kind:02x}" + height.to_bytes(8, "big").hex() + "44" * 32 for kind, height in ((7, 1001), (8, 5009))
    )
    assert [deadline in steps[name] for name in steps] == [True, True, True, False]
    assert [removal in steps[name] for name in steps] == [False, False, False, True]
    assert [read(steps[name][job])[8] for name in steps] == [1, 4, 0, 2]
    assert read(steps["delivered"][worker]) == [2, 10**12 - fee, bond, 1234, 5, 1, 0, 0]
    assert read(steps["challenged"][worker]) == [2, 10**12 - fee, 0, 0, 0, 0, 0, 0]
    assert read(steps["challenged"][watcher])[1] == 10**9 - fee + bond // 2
    assert read(steps["paid"][worker]) == [2, 10**12 - fee + bond + reward, 0, 1234 + burned, 9, 0, 0, 0]
    assert [read(steps[name][market])[1] for name in steps] == [1, 1, 1 + bond - bond // 2, 1]
    assert [read(steps[name][market])[2] for name in steps] == [reward, reward, reward, 0]
    assert not any(key.startswith(("03", "06")) for name in ("challenged", "paid") for key in steps[name])


def read(text: str) -> Any:
    return msgspec.msgpack.decode(bytes.fromhex(text))
