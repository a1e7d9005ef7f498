"""Headers come from several peers at once: in segments between named blocks, from any peer."""

import asyncio

import structlog

from inos.network.sync.headers.plan import HeaderPlan, is_chain
from inos.network.wire.chain import MAX_HEADERS
from inos.primitives.blocks import compute_block_id
from inos.primitives.errors import NotYet
from support.network_fakes import GENESIS_ID, FakeNode, make_chain, syncing, until

CHAIN = [block.header for block in make_chain(40)]
IDS = [compute_block_id(header) for header in CHAIN]


def make_plan(skeleton_peer="pilot", count=4, step=10):
    return HeaderPlan(skeleton_peer, GENESIS_ID, 0, IDS[step - 1 :: step][:count], step)


def test_segments_are_shared_out_and_put_together_in_order():
    plan = make_plan()
    first, second = plan.take("pilot", 40, 0.0, 5.0), plan.take("b", 40, 0.0, 5.0)
    assert [(each.start, each.end, each.height) for each in (first, second)] == [
        (GENESIS_ID, IDS[9], 10),
        (IDS[9], IDS[19], 20),
    ]
    assert plan.put("b", second, CHAIN[10:40])
    assert plan.pop_ready() is None
    assert plan.put("pilot", first, CHAIN[:10])
    assert [(plan.pop_ready().source, plan.pop_ready().headers) for _ in range(1)] == [("pilot", tuple(CHAIN[10:20]))]
    assert plan.take("short", 29, 0.0, 5.0) is None
    assert not plan.is_done


def test_an_overdue_segment_is_asked_of_another_and_the_first_answer_counts():
    plan = make_plan(count=1)
    slow = plan.take("slow", 40, 0.0, 5.0)
    assert plan.take("b", 40, 4.9, 5.0) is None
    again = plan.take("b", 40, 5.0, 5.0)
    assert again is slow
    assert plan.put("slow", slow, CHAIN[:10])
    assert plan.put("b", again, CHAIN[:10])
    assert plan.pop_ready().source == "slow"
    assert plan.is_done


def test_who_has_another_chain_is_not_asked_again_and_a_plan_its_pilot_cannot_fill_is_hopeless():
    plan = make_plan()
    segment = plan.take("b", 40, 0.0, 5.0)
    assert not plan.put("b", segment, [block.header for block in make_chain(10, nonce=3)])
    assert not plan.is_hopeless()
    assert plan.take("b", 40, 0.0, 5.0).start == IDS[9]
    assert not plan.put("pilot", plan.take("pilot", 40, 0.0, 5.0), CHAIN[:9])
    assert plan.is_hopeless()
    plan = make_plan()
    plan.give_back("pilot", plan.take("pilot", 40, 0.0, 5.0))
    assert plan.is_hopeless()


def test_headers_are_a_chain_only_without_gap_and_from_the_start():
    assert is_chain(GENESIS_ID, CHAIN)
    assert not is_chain(GENESIS_ID, [])
    assert not is_chain(GENESIS_ID, CHAIN[1:])
    assert not is_chain(GENESIS_ID, [*CHAIN[:3], *CHAIN[4:]])


async def test_a_chain_that_leaves_a_final_block_is_told_of_once_a_minute_and_no_fault_of_the_peer():
    node, other = FakeNode(), FakeNode()
    await other.add_chain(make_chain(3, nonce=4))
    asked = []

    async def refuse(headers):
        asked.append(headers)
        raise NotYet("conflicts-with-final", "the branch leaves the chain below its last final block, at height 2")

    node.add_headers = refuse
    with structlog.testing.capture_logs() as logs:
        async with syncing(node, other) as (service, _):
            await until(lambda: asked)
            await other.add_chain(make_chain(5, nonce=4)[3:])
            await until(lambda: len(asked) >= 2)
            assert [peer.score for peer in service.peers()] == [0]
    warnings = [each for each in logs if each["event"] == "a peer's chain leaves this node's below a final block"]
    assert [each["log_level"] for each in warnings] == ["warning"]
    assert "height 2" in warnings[0]["reason"]
    assert "inos finality status" in warnings[0]["hint"]


LONG = make_chain(10 * MAX_HEADERS + 100)


async def add_fast(node, blocks):
    """Add a chain like FakeNode.add_chain, whose time grows with the square of the chain's length."""
    ledger = node.ledger
    for block in blocks:
        id = compute_block_id(block.header)
        ledger.headers[id], ledger.blocks[id] = block.header, block
        ledger.chain.append(id)
    ledger.best = ledger.chain[-1]


async def test_a_long_chain_is_learned_from_all_who_have_it_and_a_liar_delays_nothing():
    good, other, liar, new = (FakeNode() for _ in range(4))
    for node in (good, other, liar):
        await add_fast(node, LONG)
    fork = make_chain(3 * MAX_HEADERS, nonce=4)
    # It names blocks of a chain it does not have.
    liar.ledger.get_skeleton = lambda locator, step, limit: (
        GENESIS_ID,
        [compute_block_id(block.header) for block in fork][step - 1 :: step],
    )
    asked = {}
    for name, node in (("good", good), ("other", other)):
        original = node.ledger.get_headers_after

        def count(locator, limit, name=name, original=original):
            asked[name] = asked.get(name, 0) + 1
            return original(locator, limit)

        node.ledger.get_headers_after = count

    # No bodies: only headers are of interest here.
    for node in (good, other, liar):
        node.ledger.get_witness = lambda id: None
    gate = asyncio.Event()

    def wait_for_all(services):
        for service in services:
            answers = service.sync._server

            async def answer(peer, request, answer=answers.handle_request):
                await gate.wait()
                await answer(peer, request)

            answers.handle_request = answer

    async with syncing(new, liar, good, other, spoil=wait_for_all) as (fresh, _):
        await until(lambda: len(fresh.peers()) == 3)
        gate.set()
        await until(lambda: new.ledger.best_header.header.height == len(LONG))
        assert new.ledger.best == compute_block_id(LONG[-1].header)
        assert len(fresh.peers()) == 3
    assert len(asked) == 2
    # Each header was asked for about once, not once of each.
    assert sum(asked.values()) <= 20
