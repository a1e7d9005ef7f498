"""The code agrees with files.json, and so does a second, independent implementation."""

import json
import runpy
from pathlib import Path
from typing import Any

import pytest
from blake3 import blake3

FOLDER = Path(__file__).parents[2] / "vectors"


@pytest.fixture(scope="module")
def vectors() -> Any:
    return json.loads((FOLDER / "files.json").read_text("utf-8"))


def h(context: str, data: bytes) -> bytes:
    return blake3(data, derive_key_context="inos v1 " + context).digest()


def find_root(leaves: list[bytes], index: int, path: list[bytes]) -> bytes:
    """RFC 6962, section 2.1; the siblings of leaf `index` go to `path`, its own first."""
    if len(leaves) == 1:
        return leaves[0]
    split = 1 << (len(leaves) - 1).bit_length() - 1
    is_left = index < split
    left = find_root(leaves[:split], index, path if is_left else [])
    right = find_root(leaves[split:], index - split, [] if is_left else path)
    path.append(right if is_left else left)
    return h("matrix node", left + right)


def compute_id(rows: int, cols: int, root: bytes) -> str:
    return h("matrix", b"\3" + rows.to_bytes(4, "little") + cols.to_bytes(4, "little") + root).hex()


def test_the_file_is_what_the_code_makes(vectors: Any) -> None:
    assert runpy.run_path(str(FOLDER / "make_files.py"))["make_vectors"]() == vectors


def test_ids_again(vectors: Any) -> None:
    for each in vectors["files"]:
        data = blake3(f"file/{each['length']}".encode()).digest(length=each["length"])
        rows = [data[at : at + 1024] for at in range(0, len(data), 1024)] or [b""]
        assert (each["rows"], each["cols"]) == (len(rows), len(rows[-1]))
        padded = data + bytes(-len(data) % 16_384 if data else 16_384)
        leaves = [h("matrix strip", padded[at : at + 16_384]) for at in range(0, len(padded), 16_384)]
        path: list[bytes] = []
        assert find_root(leaves, len(leaves) - 1, path).hex() == each["root"]
        assert [node.hex() for node in path] == each["last_strip_path"]
        assert compute_id(each["rows"], each["cols"], bytes.fromhex(each["root"])) == each["id"]


def test_what_no_file_has(vectors: Any) -> None:
    for each in vectors["shapes"]:
        assert compute_id(each["rows"], each["cols"], bytes.fromhex(each["root"])) == each["id"]
        assert each["code"] == "bad-shape"
    for each in vectors["strips"]:
        data = bytearray(blake3(f"file/{each['length']}".encode()).digest(length=each["length"]).ljust(16_384, b"\0"))
        data[each["at"]] = 1
        assert each["at"] >= each["length"]
        assert h("matrix strip", bytes(data)).hex() == each["root"]
        assert each["code"] == "nonzero-padding"
