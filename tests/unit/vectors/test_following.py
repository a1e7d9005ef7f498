"""The code agrees with following.json, and so does a second, independent implementation."""

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest
from blake3 import blake3

FOLDER = Path(__file__).parents[2] / "vectors"


@pytest.fixture(scope="module")
def vectors() -> Any:
    return json.loads((FOLDER / "following.json").read_text("utf-8"))


def test_the_file_is_what_the_code_makes(vectors: Any) -> None:
    spec = importlib.util.spec_from_file_location("make_following", FOLDER / "make_following.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.make() == vectors


def compute_hash(context: str, data: bytes) -> bytes:
    return blake3(data, derive_key_context=f"inos v1 {context}").digest()


def compute_subtree(leaves: list[tuple[str, bytes]], depth: int) -> bytes:
    """Return the leaves by their paths in binary digits."""
    if len(leaves) < 2:
        return leaves[0][1] if leaves else bytes(32)
    halves = [[leaf for leaf in leaves if leaf[0][depth] == side] for side in "01"]
    return compute_hash("state node", b"".join(compute_subtree(half, depth + 1) for half in halves))


def test_every_range_leads_to_the_root(vectors: Any) -> None:
    ranges, seen = vectors["ranges"], set()
    for place in ranges["places"]:
        bits = f"{int(place['path'], 16):0256b}"
        if "halves" in place:
            node = compute_hash("state node", b"".join(map(bytes.fromhex, place["halves"])))
        else:
            leaves = []
            for key in map(bytes.fromhex, place["keys"]):
                number = next(n for n in range(ranges["records"]) if blake3(f"key {n}".encode()).digest(20) == key[1:])
                value = blake3(f"value {number}".encode()).digest(ranges["value_bytes"])
                path = compute_hash("state key", key)
                leaves.append((f"{int.from_bytes(path, 'big'):0256b}", compute_hash("state leaf", path + value)))
                seen.add(number)
            assert all(path.startswith(bits[: place["depth"]]) for path, _ in leaves)
            node = compute_subtree(leaves, place["depth"])
            assert node.hex() == place["node"]
        for level in reversed(range(place["depth"])):
            sibling = bytes.fromhex(place["siblings"][level])
            node = compute_hash("state node", sibling + node if bits[level] == "1" else node + sibling)
        assert node.hex() == ranges["root"]
    assert len(seen) == ranges["records"]
    assert any("halves" in place for place in ranges["places"])
