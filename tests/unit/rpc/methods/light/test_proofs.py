"""light_*: the bytes hash to what they claim, and wrong requests are refused."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from inos.consensus.records import account_key
from inos.consensus.statetree import StateProof, check_proof
from inos.primitives.blocks import Header, compute_block_id
from inos.primitives.codec import decode
from inos.primitives.units import StateRoot
from support.fake_node import WORKER, FakeNode
from support.rpc_served import Ask, ask_server, make_fake_node, serve


@pytest.fixture
def node() -> FakeNode:
    return make_fake_node(0)


@pytest.fixture
async def ask(node: FakeNode, tmp_path: Path) -> AsyncIterator[Ask]:
    async with serve(node, tmp_path) as server, ask_server(server, tmp_path) as call:
        yield call


async def test_headers_are_the_bytes_that_are_hashed(ask: Ask, node: FakeNode) -> None:
    for _ in range(3):
        node.mine()
    found = await ask("chain_getRawHeaders", first=2, limit=5)
    headers = [decode(Header, bytes.fromhex(text), limit=1024) for text in found["headers"]]
    assert [compute_block_id(header) for header in headers] == [node.ledger.get_block_id(h) for h in (2, 3)]  # type: ignore[arg-type]
    assert found["height"] == 3
    assert (await ask("chain_getRawHeaders", first=9))["headers"] == []
    assert (await ask("chain_getRawHeaders", first=1, limit=513))["data"]["code"] == "invalid-params"


async def test_proof_leads_to_the_root_it_names(ask: Ask, node: FakeNode) -> None:
    node.mine()
    key = account_key(WORKER.address)
    found: dict[str, Any] = await ask("light_prove", key=key.hex(), block=node.ledger.tip.id.hex())
    proof = StateProof(tuple(bytes.fromhex(each) for each in found["siblings"]))  # type: ignore[arg-type]
    root = StateRoot(node.ledger.tip.header.state_root)
    assert check_proof(root, key, bytes.fromhex(found["value"]), proof)
    assert found == await ask("light_prove", key=key.hex())


async def test_states_that_are_not_kept(ask: Ask, node: FakeNode) -> None:
    node.mine()
    old = node.ledger.get_block_id(0)  # type: ignore[arg-type]
    assert old is not None
    assert (await ask("light_prove", key="05", block=old.hex()))["data"]["code"] == "state-not-kept"
    assert (await ask("light_prove", key="05", block="ab" * 32))["data"]["code"] == "block-unknown"
    assert (await ask("light_witnesses", blocks=["ab" * 32]))["witnesses"] == [None]
    assert (await ask("light_finalityProofs"))["proofs"] == []
