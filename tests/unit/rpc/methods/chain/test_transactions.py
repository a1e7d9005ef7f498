"""chain_getTransaction."""

from msgspec.structs import replace

from inos.primitives.transactions import Transfer, sign_transaction
from inos.wallet.build import encode_transaction
from support.fake_node import FakeNode
from support.rpc_requests import ALICE, BOB, make_post, sign, text
from support.rpc_served import Ask


async def test_a_transaction_before_and_after_it_is_mined(ask: Ask, node: FakeNode) -> None:
    sent = await ask("tx_send", sign(node, Transfer(BOB.address, 100_005)))
    pool = await ask("tx_pool")
    assert (pool["count"], pool["transactions"][0]["id"]) == (1, sent["id"])
    assert pool["transactions"][0]["kind"] == "transfer"
    assert pool["bytes"] == pool["transactions"][0]["size"]
    assert (await ask("tx_pool", limit=0))["transactions"] == []
    pending = await ask("chain_getTransaction", id=sent["id"])
    assert (pending["status"], pending["block"], pending["confirmations"]) == ("pending", None, 0)
    assert (await ask("state_getAccount", text(ALICE.address)))["pending_nonce"] == 1
    node.mine()
    found = await ask("chain_getTransaction", id=sent["id"])
    assert (found["status"], found["height"], found["index"], found["confirmations"]) == ("included", 1, 0, 1)
    assert found["tx"]["sender"] == text(ALICE.address)
    error = await ask("chain_getTransaction", id="00" * 32)
    assert (error["code"], error["data"]["code"]) == (-32002, "transaction-unknown")


async def test_the_largest_numbers_can_be_shown(ask: Ask, node: FakeNode) -> None:
    """The pool can hold transactions that no block can include."""
    most = 2**64 - 1
    payload = replace(make_post(node), reward=most, bond=most, claim_window=2**32 - 1, deadline=most, max_burn=most)
    sent = await ask("tx_send", encode_transaction(sign_transaction(ALICE.secret, 2**32 - 1, most, most, payload)))
    shown = (await ask("chain_getTransaction", id=sent["id"]))["tx"]
    assert (shown["nonce"], shown["fee"]) == (most, str(most))
    assert {name: shown["payload"][name] for name in ("reward", "bond", "max_burn")} == dict.fromkeys(
        ("reward", "bond", "max_burn"), str(most)
    )
    assert (shown["payload"]["deadline"], shown["payload"]["claim_window"]) == (most, 2**32 - 1)
    assert (await ask("tx_pool"))["transactions"][0]["fee"] == str(most)
