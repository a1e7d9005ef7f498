"""finality_*, and the finality of blocks in other methods."""

from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from inos.agents.status import VoterStatus
from inos.primitives.transactions import RegisterVoter, Transfer, sign_transaction
from inos.primitives.units import Address, Nano, TxId
from inos.wallet.addresses import encode_address
from inos.wallet.keys import make_key
from support.fake_node import FEE, WORKER, FakeNode
from support.rpc_served import Ask, ask_server, make_fake_node, serve
from support.voters import get_bls_key, prove

ALICE = make_key(bytes(31) + b"\x01")


class FakeVoter:
    def __init__(self) -> None:
        self.bonds: list[int] = []
        self.address: Address | None = ALICE.address
        self.registrants: list[Address] = []

    def get_status(self) -> VoterStatus:
        return VoterStatus(
            key=get_bls_key("alice"),
            address=self.address,
            is_registered=True,
            bond=5,
            withdrawable_at=0,
            mined=770,
            weight=77,
            votes_sent=3,
            last_voted_epoch=2,
            last_error="",
        )

    def make_registration(self, address: Address, bond: Nano) -> RegisterVoter:
        self.registrants.append(address)
        return RegisterVoter(get_bls_key("alice"), prove("alice"), bond)

    async def register(self, bond: Nano) -> TxId:
        self.bonds.append(bond)
        return TxId(bytes(32))

    async def unbond(self) -> TxId:
        return TxId(b"\1" * 32)

    async def withdraw(self) -> TxId:
        return TxId(b"\2" * 32)


@pytest.fixture
def node() -> FakeNode:
    return make_fake_node(1000 * 10**9, ALICE.address, WORKER.address)


@pytest.fixture
async def ask(node: FakeNode, tmp_path: Path) -> AsyncIterator[Ask]:
    async with serve(node, tmp_path) as server, ask_server(server, tmp_path) as ask:
        yield ask


def append(node: FakeNode, payload: Any, nonce: int) -> None:
    tx = sign_transaction(ALICE.secret, node.params.chain_id, nonce, FEE, payload)
    node.ledger.append([tx], ALICE.address)


async def test_status_and_committee_before_and_after_there_are_voters(ask: Ask, node: FakeNode) -> None:
    status = await ask("finality_status")
    assert (status["epoch"], status["final_height"], status["ballots"], status["voter"]) == (0, 0, [], None)
    assert status["final"] == status["justified"] == {"epoch": 0, "id": node.genesis_id.hex()}
    assert (await ask("finality_committee"))["members"] == []
    node.ledger.append([], ALICE.address)
    append(node, RegisterVoter(get_bls_key("alice"), prove("alice"), node.params.min_voter_bond), 0)
    while len(node.ledger.blocks) < 11:
        node.ledger.append([], ALICE.address)
    node.ledger.final_height = 8
    node.votes.evidence.append(SimpleNamespace(first=SimpleNamespace(key=b"\1" * 48)))
    status = await ask("finality_status")
    assert (status["epoch"], status["final_height"], status["unfinalized_blocks"], status["voters"]) == (3, 8, 2, 1)
    assert status["slashable_keys"] == ["01" * 48]
    (ballot,) = status["ballots"]
    assert (ballot["target"]["epoch"], ballot["committee"], ballot["members"]) == (2, 1, 1)
    committee = await ask("finality_committee")
    (member,) = committee["members"]
    assert member["key"] == get_bls_key("alice").hex()
    assert member["address"] == encode_address("dinos", ALICE.address)
    assert committee["weight"] == member["weight"] != "0"
    assert member["mined"] == committee["mined"]
    assert int(committee["quorum"]) == int(committee["weight"]) * 2 // 3 + 1
    assert int(ballot["pot"]) == 4 * (50 * 10**9 // 64)
    assert int(status["mined"]) > int(committee["mined"])
    error = await ask("finality_committee", epoch=77)
    assert error["data"]["code"] == "unknown-committee"


async def test_registering_with_the_nodes_own_key(ask: Ask, node: FakeNode) -> None:
    error = await ask("finality_register")
    assert error["data"]["code"] == "no-voter"
    node.voter = voter = FakeVoter()
    found = await ask("finality_register", send=False)
    assert (found["transaction"], found["proof"], found["bond"]) == (
        None,
        prove("alice").hex(),
        str(node.params.min_voter_bond),
    )
    assert not voter.bonds
    sent = await ask("finality_register", bond="12345")
    assert (sent["transaction"], voter.bonds) == ("00" * 32, [12345])
    shown = (await ask("finality_status"))["voter"]
    assert (shown["mined"], shown["weight"]) == ("770", "77")
    assert voter.registrants == [ALICE.address] * 2
    cold = await ask("finality_register", send=False, address=encode_address("dinos", WORKER.address))
    assert cold["address"] == encode_address("dinos", WORKER.address)
    assert voter.registrants[-1] == WORKER.address
    voter.address = None
    error = await ask("finality_register", send=False)
    assert error["data"]["code"] == "no-account"
    assert [(await ask(f"finality_{what}"))["id"][:2] for what in ("unbond", "withdraw")] == ["01", "02"]


async def test_blocks_and_transactions_say_whether_they_are_final(ask: Ask, node: FakeNode) -> None:
    for nonce in range(3):
        append(node, Transfer(WORKER.address, 5), nonce)
    node.ledger.final_height = 2
    head = await ask("chain_head")
    assert (head["finality"], head["final_height"], head["justified_height"]) == ("none", 2, 2)
    assert [(await ask("chain_getHeader", block=height))["finality"] for height in (1, 2, 3)] == [
        "final",
        "final",
        "none",
    ]
    block = await ask("chain_getBlock", block=2)
    assert block["header"]["finality"] == "final"
    found = await ask("chain_getTransaction", id=block["transactions"][0]["id"])
    assert (found["status"], found["finality"]) == ("included", "final")
