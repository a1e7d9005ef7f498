"""The code agrees with multisig.json, and so does a reading with plain msgpack, hashes and one signature at a time."""

import json
import runpy
from pathlib import Path
from typing import Any

import pytest
from blake3 import blake3
from coincurve import PublicKeyXOnly
from msgspec import msgpack

from inos.consensus.costs import compute_transaction_cost
from inos.consensus.state import StateView
from inos.consensus.transactionrules import check_transaction_sanity
from inos.genesis import load_network
from inos.primitives.bls import get_bls
from inos.primitives.codec import decode
from inos.primitives.errors import CodecError, RuleViolation
from inos.primitives.transactions import Transaction, compute_tx_id, get_sender
from support.consensus_lab import Records

FOLDER = Path(__file__).parents[2] / "vectors"
PARAMS = load_network("devnet").params


@pytest.fixture(scope="module")
def vectors() -> Any:
    return json.loads((FOLDER / "multisig.json").read_text("utf-8"))


def h(context: str, data: bytes) -> bytes:
    return blake3(data, derive_key_context="inos v1 " + context).digest()


def is_valid(data: bytes) -> bool:
    """Read a transaction of several keys as the protocol says, without the product's code."""
    fields = msgpack.decode(data)
    (threshold, keys), joint = fields[1], fields[5]
    if not (2 <= len(keys) <= 16 and 1 <= threshold <= len(keys) and keys == sorted(set(keys))):
        return False
    digest = h("transaction", msgpack.encode(fields[:5]))
    who = [at for at in range(16) if int.from_bytes(joint[:2], "big") >> at & 1]
    if len(who) != threshold or max(who) >= len(keys) or len(joint) != 2 + 64 * threshold:
        return False
    parts = [joint[2 + 64 * at : 66 + 64 * at] for at in range(threshold)]
    return all(PublicKeyXOnly(keys[key]).verify(part, digest) for key, part in zip(who, parts, strict=True))


def test_the_file_is_what_the_code_makes(vectors: Any) -> None:
    made = runpy.run_path(str(FOLDER / "make_multisig.py"))["make_vectors"]()
    assert json.loads(json.dumps(made)) == vectors


def test_accepted(vectors: Any) -> None:
    for case in vectors["accepted"]:
        data = bytes.fromhex(case["transaction"])
        tx = decode(Transaction, data, limit=4096)
        check_transaction_sanity(PARAMS, tx, get_bls())
        fields = msgpack.decode(data)
        assert [fields[1][0], [key.hex() for key in fields[1][1]]] == [case["threshold"], case["keys"]]
        assert get_sender(tx).hex() == case["address"] == h("multisig address", msgpack.encode(fields[1]))[:20].hex()
        assert case["signing_hash"] == h("transaction", msgpack.encode(fields[:5])).hex()
        assert compute_tx_id(tx).hex() == case["id"] == h("transaction id", data).hex()
        assert compute_transaction_cost(PARAMS, StateView(Records({})), tx) == case["microseconds"]
        assert case["microseconds"] == 250 + 100 * (case["threshold"] - 1)
        assert is_valid(data)


def test_refused(vectors: Any) -> None:
    assert {case["code"] for case in vectors["refused"]} == {"bad-signature", "bad-multisig"}
    for case in vectors["refused"]:
        data = bytes.fromhex(case["transaction"])
        assert not is_valid(data)
        with pytest.raises((RuleViolation, CodecError)) as caught:
            check_transaction_sanity(PARAMS, decode(Transaction, data, limit=4096), get_bls())
        assert caught.value.code == case["code"]
