"""state_getAccount, and addresses as parameters."""

from typing import Any

import pytest

from inos.consensus.records import account_key
from inos.consensus.statetree import OtherLeaf, StateProof, check_proof
from inos.primitives.units import StateRoot
from inos.wallet.addresses import encode_address
from support.fake_node import WORKER, FakeNode
from support.rpc_requests import ALICE, BOB, FUNDS, text
from support.rpc_served import Ask


async def test_an_account_with_its_proof(ask: Ask, node: FakeNode) -> None:
    node.mine()
    account = await ask("state_getAccount", address=text(ALICE.address), prove=True)
    assert account["balance"] == str(FUNDS)
    assert account["height"] == 1
    proof = account["proof"]
    assert is_proven(proof)
    assert proof["key"] == account_key(ALICE.address).hex()
    assert not is_proven(proof | {"value": proof["value"][:-2] + "01"})
    absent = await ask("state_getAccount", address=text(BOB.address), prove=True)
    assert absent["balance"] == "0"
    assert absent["proof"]["value"] is None
    assert is_proven(absent["proof"])
    assert (await ask("state_getAccount", text(BOB.address)))["proof"] is None
    worker = await ask("state_getAccount", text(WORKER.address))
    assert worker["balance"] == str(FUNDS + 50 * 10**9 - 50 * 10**9 // 64)
    assert worker["reputation"] == "0"


def is_proven(proof: dict[str, Any]) -> bool:
    other = None
    if proof["other_path"] is not None:
        other = OtherLeaf(bytes.fromhex(proof["other_path"]), bytes.fromhex(proof["other_value"]))
    value = None if proof["value"] is None else bytes.fromhex(proof["value"])
    siblings = tuple(bytes.fromhex(one) for one in proof["siblings"])
    key: Any = bytes.fromhex(proof["key"])
    return check_proof(StateRoot(bytes.fromhex(proof["state_root"])), key, value, StateProof(siblings, other))


@pytest.mark.parametrize(
    ("address", "code"),
    [
        (encode_address("dinos", ALICE.address)[:-1] + "q", "bad-checksum"),
        (encode_address("tinos", ALICE.address), "other-network"),
        ("somewhere", "not-an-address"),
    ],
)
async def test_wrong_addresses(ask: Ask, address: str, code: str) -> None:
    error = await ask("state_getAccount", address)
    assert (error["code"], error["data"]["code"], error["data"]["param"]) == (-32602, code, "address")
    assert (await ask("job_list", worker=address))["data"]["param"] == "worker"
