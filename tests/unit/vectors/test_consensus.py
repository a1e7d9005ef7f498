"""The code agrees with consensus.json, and so does a second, independent implementation."""

import json
import runpy
from pathlib import Path
from typing import Any

import pytest
from blake3 import blake3

from inos.consensus.records import Account, Committee, Finality, StateKey, account_key
from inos.consensus.statetree import OtherLeaf, StateProof, check_proof
from inos.primitives.blocks import Header, compute_block_id
from inos.primitives.bls import get_reference
from inos.primitives.codec import decode, encode
from inos.primitives.transactions import Transaction, compute_tx_id
from inos.primitives.units import Address, StateRoot

FOLDER = Path(__file__).parents[2] / "vectors"


@pytest.fixture(scope="module")
def vectors() -> Any:
    return json.loads((FOLDER / "consensus.json").read_text("utf-8"))


def h(context: str, data: bytes) -> str:
    return blake3(data, derive_key_context="inos v1 " + context).hexdigest()


def test_the_file_is_what_the_code_makes(vectors: Any) -> None:
    made = runpy.run_path(str(FOLDER / "make_consensus.py"))["make_vectors"]()
    assert json.loads(json.dumps(made)) == vectors


def test_transactions(vectors: Any) -> None:
    for case in vectors["transactions"]:
        data = bytes.fromhex(case["encoding"])
        tx = decode(Transaction, data, limit=4096)
        assert compute_tx_id(tx).hex() == case["id"] == h("transaction id", data)
        # the signature is the last field, with 2 bytes of head and 64 of signature; the array's head counts one field
        # less
        assert case["signing_hash"] == h("transaction", b"\x95" + data[1:-66])


def test_headers(vectors: Any) -> None:
    for case in vectors["headers"]:
        data = bytes.fromhex(case["encoding"])
        header = decode(Header, data, limit=1024)
        assert compute_block_id(header).hex() == case["id"] == h("header", data)
        seal = encode(header.seal)
        assert data.endswith(seal)
        assert case["anchor"] == h("anchor", b"\x9a" + data[1 : -len(seal)])


def test_proofs(vectors: Any) -> None:
    root = StateRoot(bytes.fromhex(vectors["state"]["roots"][-1]["root"]))
    kinds = set()
    for case in vectors["state"]["proofs"]:
        other = case["other"] and OtherLeaf(*(bytes.fromhex(case["other"][k]) for k in ("path", "value")))
        proof = StateProof(tuple(bytes.fromhex(s) for s in case["siblings"]), other)
        value = None if case["value"] is None else bytes.fromhex(case["value"])
        assert check_proof(root, StateKey(bytes.fromhex(case["key"])), value, proof)
        kinds.add((value is None, other is None))
    assert len(kinds) >= 2


def test_a_few_numbers_by_hand(vectors: Any) -> None:
    assert vectors["tx_roots"][0]["root"] == "00" * 32
    assert vectors["state"]["roots"][0]["root"] == "00" * 32
    asert = vectors["asert"]
    anchor = int(asert[0]["anchor_target"], 16)
    assert anchor == 2**256 // 600 - 1
    assert [int(c["target"], 16) for c in (asert[0], asert[3], asert[4])] == [anchor, 2 * anchor, anchor // 2]
    prices = {(c["m"], c["height"], c["mode"]): c for c in vectors["prices"]}
    # 50 credits * 125 * 512 tickets / (1000 * 20,000), and * 224 strips of 16 KiB / (1000 * 64 MiB)
    assert prices[512, 1, 0]["work"] == "160000000"
    assert prices[512, 1, 0]["product_bytes"] == (32 + 16 + 32) * 16_384
    assert prices[512, 1, 0]["bytes"] == str(-(-50 * 10**9 * 125 * 80 * 16_384 // (1000 * 2**26)))
    assert (prices[512, 1, 1]["bytes"], prices[1, 1, 1]["place"]) == ("0", "1000000")
    tasks = {c["units"]: c for c in vectors["task_prices"]}
    assert tasks[4097]["work"] == str(-(-49_500_000_000 * 125 * 4097 // (1000 * 600)))
    assert [tasks[units]["jury_mib"] for units in (1, 4096, 4097, 2**40)] == [1, 1, 2, 2**28]
    assert [c["at"] for c in vectors["reputation"]] == [1001, 500, 500, 250, 0]
    assert vectors["subsidies"][2] == {"height": 10_000, "subsidy": 49_500_000_000}
    assert vectors["targets"][1]["difficulty"] == "600"


def test_finality(vectors: Any) -> None:
    """Check the vectors again with py_ecc and plain hashes."""
    finality, bls = vectors["finality"], get_reference()
    link = bytes.fromhex(finality["link"])
    vote_hash = h("vote", b"\x92\x07" + link)
    assert finality["vote_hash"] == vote_hash
    for case in finality["keys"]:
        key, proof, vote = (bytes.fromhex(case[name]) for name in ("key", "proof", "vote"))
        assert bls.compute_public_key(bytes.fromhex(case["secret"])) == key
        message = key + bytes.fromhex(finality["owner"]) + (7).to_bytes(4, "little")
        assert bls.is_possession_proven(key, message, proof)
        assert bls.is_signed(key, bytes.fromhex(vote_hash), vote)
    aggregate = bytes.fromhex(finality["aggregate"])
    assert aggregate.startswith(b"\x93" + link + b"\xc4\x01\x05\xc4\x60")
    keys = [bytes.fromhex(case["key"]) for case in finality["keys"]]
    assert bls.is_aggregate_signed(keys, bytes.fromhex(vote_hash), aggregate[-96:])
    leaf = h("aggregate", aggregate)
    assert finality["aggregate_leaf"] == leaf == finality["tx_root_of_aggregate_alone"]
    assert [case["is_slashable"] for case in finality["slashable"]] == [False, True, True, True, False, True, False]
    weights = [m.weight for m in decode(Committee, bytes.fromhex(finality["committee"]), limit=1000).members]
    assert weights == [9, 5, 5]
    after = [decode(Finality, bytes.fromhex(case["after"]), limit=1000) for case in finality["links"]]
    assert [(each.justified.epoch, each.finalized.epoch) for each in after] == [(3, 2), (4, 1)]


def test_payments(vectors: Any) -> None:
    payments = vectors["payments"]
    codes = [case["code"] for case in payments["refused"]]
    assert codes == 4 * ["bad-payments"] + 2 * ["payments-not-sorted"] + [
        "payment-too-small",
        "zero-amount",
        "overflow",
    ]
    assert [(case["payments"], case["microseconds"]) for case in payments["costs"]] == [
        (n, 250 + 80 * n) for n in (1, 2, 100, 256)
    ]
    accepted = payments["accepted"]
    records = {case["key"]: case["value"] for case in accepted["records"]}
    changed = {case["key"]: case["value"] for case in accepted["changes"]}
    new = account_key(Address(b"\x07" * 20)).hex()
    assert new not in records
    assert decode(Account, bytes.fromhex(changed[new]), limit=1024).balance == 1_000_000 - 100_000  # less account_fee
