"""job_get, job_list and job_quote."""

from inos.rpc.health import Check
from support.fake_node import WORKER, FakeNode
from support.rpc_requests import ALICE, BOB, BURN, make_post, sign, text
from support.rpc_served import Ask


async def test_a_jobs_life(ask: Ask, node: FakeNode) -> None:
    job = (await ask("tx_send", sign(node, make_post(node))))["id"]
    error = await ask("job_get", job)
    assert (error["code"], error["data"]["code"]) == (-32002, "job-unknown")
    assert "pool" in error["data"]["hint"]
    node.mine()
    found = await ask("job_get", job)
    assert (found["state"], found["poster"], found["reward"]) == ("open", text(ALICE.address), "1000000000")
    assert found["tickets"] == 2
    assert found["burned"] == BURN
    assert (found["claim"], found["worker"], found["y"], found["closed_at"]) == (None, None, None, None)
    assert (await ask("job_list", state="open"))["jobs"] == [found]
    supply = await ask("state_supply", audit=True)
    assert (supply["escrowed"], supply["burned"], supply["is_conserved"]) == ("1000000000", BURN, True)
    node.work_jobs()
    done = await ask("job_get", job)
    assert (done["state"], done["worker"], done["closed_at"]) == ("settled", text(WORKER.address), 3)
    assert (done["y"]["rows"], done["y"]["cols"]) == (20, 10)
    assert (await ask("job_list", state="open"))["jobs"] == []
    assert (await ask("job_list", worker=text(WORKER.address)))["jobs"] == [done]
    assert (await ask("job_list", poster=text(BOB.address)))["jobs"] == []
    useful = await ask("chain_usefulWork", window=2)
    assert (useful["from_height"], useful["to_height"], useful["blocks"]) == (2, 3, 2)
    assert (useful["weight_mined"], useful["tickets_settled"], useful["tickets_posted"]) == ("40000", 2, 0)
    assert useful["paid_share"] == "0.00005"
    useful = await ask("chain_usefulWork", 1000)
    assert (useful["from_height"], useful["blocks"], useful["tickets_posted"]) == (1, 3, 2)
    assert (useful["burned"], useful["settled_burn"]) == (BURN, BURN)
    assert useful["burned_share"] == "0.000061"  # of three subsidies of 50 credits, rounded down
    assert useful["price_per_tera"] == "1192092895508"  # an eighth of 50 credits for 20,000 tickets of 2^18
    assert (await ask("state_getAccount", text(WORKER.address)))["reputation"] == BURN
    history = await ask("job_history", job)
    assert [(e["event"], e["height"], e["worker"], e["amount"]) for e in history["events"]] == [
        ("posted", 1, None, BURN),
        ("claimed", 2, text(WORKER.address), found["bond"]),
        ("settled", 3, text(WORKER.address), "1000000000"),
    ]
    record = await ask("job_trackRecord", text(WORKER.address))
    assert (record["height"], record["poster"]["posted"]) == (3, 0)
    assert {name: record["worker"][name] for name in ("claimed", "settled", "lapsed", "tickets", "earned")} == {
        "claimed": 1, "settled": 1, "lapsed": 0, "tickets": 2, "earned": "1000000000",
    }  # fmt: skip
    poster = (await ask("job_trackRecord", text(ALICE.address)))["poster"]
    assert (poster["posted"], poster["settled"], poster["paid"], poster["burned"]) == (1, 1, "1000000000", BURN)
    nobody = await ask("job_trackRecord", text(BOB.address))
    assert (nobody["worker"]["claimed"], nobody["poster"]["posted"]) == (0, 0)
    assert (await ask("job_history", "ab" * 32))["data"]["code"] == "job-unknown"


async def test_jobs_come_in_pages(ask: Ask, node: FakeNode) -> None:
    ids = [(await ask("tx_send", sign(node, make_post(node, 10**9 + i), nonce=i)))["id"] for i in range(5)]
    node.mine()

    async def walk(**order: str) -> list[str]:
        seen: list[str] = []
        after: dict[str, str] = {}
        while True:
            page = await ask("job_list", limit=2, **order, **after)
            assert len(page["jobs"]) <= 2
            seen += [job["id"] for job in page["jobs"]]
            if page["next"] is None:
                return seen
            after = {"after": page["next"]}

    assert await walk() == await walk(order="oldest") == ids
    assert await walk(order="newest") == ids[::-1]
    assert (await ask("job_list", order="best"))["code"] == -32602
    gone = await ask("job_list", after="ab" * 32)
    assert (gone["code"], gone["data"]["code"], gone["data"]["param"]) == (-32602, "bad-cursor", "after")
    assert (await ask("job_list", state="lost"))["code"] == -32602
    assert (await ask("job_list", limit=0))["code"] == -32602
    assert (await ask("job_list", limit=201))["code"] == -32602


async def test_a_quote_says_when_nobody_mines(ask: Ask, node: FakeNode) -> None:
    new = await ask("job_quote", 512, 256, 1024)
    assert (new["is_mined"], new["expected_s"]) == (False, None)  # no block yet
    node.mine()
    mined = await ask("job_quote", 512, 256, 1024)
    assert (mined["is_mined"], mined["expected_s"]) == (True, 2.0 * mined["expected_blocks"])
    node.checks = tuple(c if c.name != "tip" else Check("tip", False, "block 1 is 90 s old") for c in node.checks)
    old = await ask("job_quote", 512, 256, 1024)
    assert (old["is_mined"], old["expected_s"]) == (False, None)
