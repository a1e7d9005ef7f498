"""state_listAccounts."""

from typing import Any

from inos.rpc.methods.state.listing import MAX_ACCOUNTS
from support.fake_node import WORKER, FakeNode
from support.rpc_requests import ALICE, FUNDS, make_post, sign, text
from support.rpc_served import Ask


async def test_accounts_by_what_they_have_mined_and_settled(ask: Ask, node: FakeNode) -> None:
    await ask("tx_send", sign(node, make_post(node)))
    node.mine(ALICE.address)
    node.work_jobs()
    rich = await ask("state_listAccounts")
    assert (rich["height"], rich["counted_from"], rich["next"]) == (3, 1, None)
    held = [int(each["balance"]) + int(each["bonded"]) for each in rich["accounts"]]
    assert [int(each["value"]) for each in rich["accounts"]] == held == sorted(held, reverse=True)
    assert text(ALICE.address) in [each["address"] for each in rich["accounts"]]
    assert held[0] > FUNDS // 2
    mined = (await ask("state_listAccounts", by="mined"))["accounts"]
    assert [(each["address"], each["value"], each["mined"]) for each in mined] == [
        (text(WORKER.address), "2", 2),
        (text(ALICE.address), "1", 1),
    ]
    (settled,) = (await ask("state_listAccounts", by="settled"))["accounts"]
    record = await ask("job_trackRecord", text(WORKER.address))
    assert (settled["address"], settled["value"]) == (text(WORKER.address), "2")
    assert (settled["worker"], settled["poster"]) == (record["worker"], record["poster"])


async def test_pages_join_to_the_whole(ask: Ask, node: FakeNode) -> None:
    node.mine()
    whole = (await ask("state_listAccounts"))["accounts"]
    assert len(whole) > 1
    paged: list[Any] = []
    after = None
    while True:
        page = await ask("state_listAccounts", limit=1, after=after)
        paged += page["accounts"]
        after = page["next"]
        if after is None:
            break
    assert paged == whole


async def test_a_cursor_that_is_none_and_a_page_without_end_are_refused(ask: Ask) -> None:
    for after in ("", "7", "-x", f"{2**64}-{text(ALICE.address)}"):
        assert (await ask("state_listAccounts", after=after))["data"]["code"] == "bad-cursor"
    assert (await ask("state_listAccounts", after="1-inos1nonsense"))["code"] == -32602
    assert (await ask("state_listAccounts", limit=MAX_ACCOUNTS + 1))["code"] == -32602
