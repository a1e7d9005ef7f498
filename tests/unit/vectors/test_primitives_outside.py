"""The Merkle tree and BLS key generation against published vectors."""

import hashlib
from typing import Any

import pytest

from inos.primitives import merkle
from inos.primitives.bls import compute_secret

LEAVES = ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
ROOTS = (
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
)
"""The tree of Certificate Transparency's reference tests (RFC 6962), for the first 1 to 8 leaves."""
EIP2333 = (
    (
        "c55257c360c07c72029aebc1b53c05ed0362ada38ead3e3e9efa3708e53495531f09a6987599d18264c1e1c92f2cf141"
        "630c7a3c4ab7c81b2f001698e7463b04",
        6083874454709270928345386274498605044986640685124978867557563392430687146096,
    ),
    (
        "3141592653589793238462643383279502884197169399375105820974944592",
        29757020647961307431480504535336562678282505419141012933316116377660817309383,
    ),
    (
        "0099ff991111002299dd7744ee3355bbdd8844115566cc55663355668888cc00",
        27580842291869792442942448775674722299803720648445448686099262467207037398656,
    ),
    (
        "d4e56740f876aef8c010b86a40d5f56745a118d0906a34e69aec8c0db1cb8fa3",
        19022158461524446591288038168518313374041767046816487870552872741050760015818,
    ),
)
"""EIP-2333's test cases: a seed, and the master key, which is KeyGen of the BLS draft."""


@pytest.mark.parametrize(("seed", "master"), EIP2333)
def test_eip2333_master_keys(seed: str, master: int) -> None:
    assert int.from_bytes(compute_secret(bytes.fromhex(seed)), "big") == master


@pytest.mark.parametrize("count", range(1, 9))
def test_rfc6962_roots_and_paths(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """With SHA-256 in place of BLAKE3, the tree is that of Certificate Transparency."""

    def compute_hash(context: Any, data: bytes) -> bytes:
        return hashlib.sha256(b"\1" + data).digest()

    monkeypatch.setattr(merkle, "compute_hash", compute_hash)
    context: Any = None
    leaves = [hashlib.sha256(b"\0" + bytes.fromhex(leaf)).digest() for leaf in LEAVES[:count]]
    root = bytes.fromhex(ROOTS[count - 1])
    assert merkle.compute_root(context, leaves) == root
    for index, leaf in enumerate(leaves):
        path = merkle.compute_path(context, leaves, index)
        assert merkle.compute_root_from_path(context, leaf, index, count, path) == root
        assert merkle.compute_root_from_path(context, leaves[index - 1], index, count, path) != root or count == 1
