"""Tests what the RPC of a pruned node says of blocks that are not there any more."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from inos.primitives.transactions import compute_tx_id
from inos.rpc.errors import RpcError
from inos.rpc.methods.chain.blocks import BlockParams, HeaderParams, chain_get_block, chain_get_header
from inos.rpc.methods.chain.certificate import chain_get_certificate
from inos.rpc.methods.chain.transactions import TransactionParams, chain_get_transaction
from support.chain_maker import EASY, feed
from support.final_chain import make_voted_branch


async def test_what_was_removed_has_a_code_of_its_own(tmp_path: Path) -> None:
    branch = make_voted_branch(4)
    ledger = branch.open_ledger(tmp_path)
    feed(ledger, branch.blocks)
    ledger.prune(0, 1000)
    old = next(made for made in branch.blocks if made.block.transactions)
    tx = compute_tx_id(old.block.transactions[0])
    node: Any = SimpleNamespace(
        ledger=ledger.view,
        network=SimpleNamespace(hrp="inos"),
        params=EASY,
        mempool=SimpleNamespace(get=lambda tx: None),
    )
    for name in (old.block.header.height, old.id.hex()):
        with pytest.raises(RpcError) as caught:
            await chain_get_block.call(node, BlockParams(block=name))
        assert caught.value.code == "block-removed"
        assert f"from height {ledger.view.first_block} on" in caught.value.message
    with pytest.raises(RpcError) as caught:
        await chain_get_transaction.call(node, TransactionParams(id=tx.hex()))
    assert caught.value.code == "block-removed"
    with pytest.raises(RpcError) as caught:
        await chain_get_transaction.call(node, TransactionParams(id="00" * 32))
    assert caught.value.code == "transaction-unknown"
    assert (await chain_get_header.call(node, HeaderParams(block=old.id.hex()))).status == "connected"
    assert (await chain_get_certificate.call(node, HeaderParams(block=old.id.hex()))).witness is None
    ledger.close()
