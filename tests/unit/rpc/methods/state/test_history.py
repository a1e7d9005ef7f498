"""state_getHistory."""

from typing import Any

from inos.primitives.transactions import CancelJob, Transfer
from support.fake_node import WORKER, FakeNode
from support.rpc_requests import ALICE, BOB, BURN, FUNDS, make_post, sign, text
from support.rpc_served import Ask


def list_moved(entry: dict[str, Any]) -> list[tuple[str, str, str]]:
    return [(each["reason"], each["balance"], each["bonded"]) for each in entry["movements"]]


async def test_history_from_both_sides(ask: Ask, node: FakeNode) -> None:
    await ask("tx_send", sign(node, Transfer(BOB.address, 100_005)))
    node.mine()
    job = (await ask("tx_send", sign(node, make_post(node), 1)))["id"]
    lost = (await ask("tx_send", sign(node, make_post(node, 7), 2)))["id"]
    node.mine()
    await ask("tx_send", sign(node, CancelJob(bytes.fromhex(lost)), 3))
    node.mine()
    node.work_jobs()
    alice = (await ask("state_getHistory", text(ALICE.address)))["entries"]
    fee = ("fee", "-1000", "0")
    assert [(e["kind"], list_moved(e)) for e in alice] == [
        ("submit_result", []),
        ("claim_job", []),
        ("cancel_job", [fee, ("job_reward_returned", "7", "0")]),
        ("post_job", [fee, ("job_reward_escrowed", "-7", "0"), ("job_burn", f"-{BURN}", "0")]),
        ("post_job", [fee, ("job_reward_escrowed", "-1000000000", "0"), ("job_burn", f"-{BURN}", "0")]),
        ("transfer", [fee, ("sent", "-100005", "0")]),
        ("genesis", [("allocated", str(FUNDS), "0")]),
    ]
    transfer = alice[-2]
    assert (transfer["balance"], transfer["bonded"], transfer["fee"], transfer["height"]) == ("-101005", "0", "1000", 1)
    assert transfer["movements"][1]["counterparty"] == text(BOB.address)
    assert {each["job"] for each in alice[4]["movements"]} == {None, job}
    bob = await ask("state_getHistory", address=text(BOB.address), limit=5)
    assert [(e["kind"], e["fee"], list_moved(e)) for e in bob["entries"]] == [
        ("transfer", "0", [("received", "5", "0")])
    ]
    assert bob["next"] is None
    entries = (await ask("state_getHistory", text(WORKER.address)))["entries"]
    bond = str(node.params.min_bond)
    worker = [entry for entry in entries if entry["kind"] not in ("block_reward", "genesis")]
    assert [(e["kind"], list_moved(e)[-2:]) for e in worker] == [
        ("submit_result", [("claim_bond_returned", bond, f"-{bond}"), ("job_paid", "1000000000", "0")]),
        ("claim_job", [fee, ("claim_bond_locked", f"-{bond}", bond)]),
    ]
    assert worker[0]["movements"][-1]["counterparty"] == text(ALICE.address)


async def test_history_comes_in_pages(ask: Ask, node: FakeNode) -> None:
    for nonce in range(7):
        await ask("tx_send", sign(node, Transfer(BOB.address, 100_001 + nonce), nonce))
        if nonce % 3 == 2:
            node.mine()
    node.mine()
    seen, before = [], {}
    while True:
        page = await ask("state_getHistory", address=text(BOB.address), limit=2, **before)
        seen += [int(e["balance"]) for e in page["entries"]]
        if page["next"] is None:
            break
        before = {"before": page["next"]}
    # the first one made the account, which burned 100,000
    assert seen == [*range(100_007, 100_001, -1), 1]
    assert (await ask("state_getHistory", address=text(BOB.address), before="nonsense"))["code"] == -32602
