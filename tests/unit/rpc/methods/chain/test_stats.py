"""chain_getStats."""

from itertools import pairwise

from inos.rpc.methods.chain.stats import MAX_POINTS
from support.fake_node import FakeNode
from support.rpc_requests import make_post, sign
from support.rpc_served import Ask


async def test_the_parts_of_a_range_join_and_add_up_to_the_whole(ask: Ask, node: FakeNode) -> None:
    await ask("tx_send", sign(node, make_post(node)))
    node.mine()
    for _ in range(22):
        node.work_jobs()
        node.mine()
    height = node.ledger.tip.header.height
    for points in (1, 4, 7, MAX_POINTS):
        stats = await ask("chain_getStats", points=points)
        found = stats["points"]
        assert len(found) == min(points, height)
        assert (stats["from_height"], stats["to_height"], found[-1]["height"]) == (1, height, height)
        assert found[0]["from_height"] == 1
        assert all(after["from_height"] == before["height"] + 1 for before, after in pairwise(found))
        assert sum(point["blocks"] for point in found) == height
        for name in ("tickets_settled", "jobs_posted", "jobs_settled", "transactions"):
            assert sum(point[name] for point in found) == (await ask("chain_getStats", points=1))["points"][0][name]
    whole = (await ask("chain_getStats", points=1))["points"][0]
    useful = await ask("chain_usefulWork", window=height)
    for name in ("tickets_posted", "tickets_settled", "paid_share", "burned", "settled_burn", "price_per_tera"):
        assert whole[name] == useful[name]
    assert (whole["jobs_posted"], whole["jobs_settled"], whole["jobs_open"], whole["tickets_open"]) == (1, 1, 0, 0)
    assert whole["spacing_ms"] == node.params.spacing_ms
    assert whole["supply"] == (await ask("state_supply"))["supply"]


async def test_what_is_open_is_told_for_the_end_of_each_part(ask: Ask, node: FakeNode) -> None:
    node.mine()
    await ask("tx_send", sign(node, make_post(node)))
    node.mine()
    first, second = (await ask("chain_getStats"))["points"]
    assert (first["jobs_open"], first["tickets_open"]) == (0, 0)
    assert (second["jobs_open"], second["tickets_open"]) == (1, second["tickets_posted"])


async def test_a_range_of_blocks_that_are_not_there_is_refused(ask: Ask, node: FakeNode) -> None:
    assert (await ask("chain_getStats"))["points"] == []
    node.mine()
    for params in ({"last": 2}, {"first": 2}, {"first": 1, "last": 0}):
        assert (await ask("chain_getStats", **params))["data"]["code"] == "bad-range"
    assert (await ask("chain_getStats", points=MAX_POINTS + 1))["code"] == -32602
