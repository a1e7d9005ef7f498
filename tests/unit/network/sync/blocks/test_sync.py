"""Tests blocks from many peers: each at its pace, a stalling one replaced, a lying one detected."""

import asyncio
from unittest.mock import patch

import msgspec
import pytest

from inos.chain.checked import CheckedBlock
from inos.network.sync.blocks.pace import FIRST_RATE, LEAST, MOST, Pace
from inos.network.sync.blocks.window import Body, Window
from inos.primitives.blocks import compute_block_id
from support.network_fakes import (
    BAD_WITNESS,
    FAST,
    WITNESS,
    FakeNode,
    make_chain,
    syncing,
    until,
)

BLOCKS = make_chain(8)
CHECKED = CheckedBlock(BLOCKS[0], WITNESS, ())
IDS = [compute_block_id(block.header) for block in BLOCKS]
WANTED = [(id, block.header.parent, block.header.height) for id, block in zip(IDS, BLOCKS, strict=True)]


def put(window, peer, index, now=0.0):
    window.put(peer, Body(IDS[index], BLOCKS[index], WITNESS, 100), now)


def check_all(window):
    while (taken := window.take_unchecked()) is not None:
        window.set_checked(taken[0].id, 1.0, 2.0, CHECKED)


def test_a_peer_is_asked_for_as_many_blocks_as_it_gives_in_a_second():
    pace = Pace()
    assert pace.get_room() == FIRST_RATE
    for second in range(10):
        pace.begin(20, second)
        for block in range(20):
            pace.on_block(second + (block + 1) / 20)
    assert pace.rate == pytest.approx(20, rel=0.1)
    assert pace.get_room() == round(pace.rate)
    pace.begin(5, 20.0)
    assert pace.get_room() == round(pace.rate) - 5


def test_a_fast_peer_gets_more_and_never_without_bound_and_a_slow_one_keeps_a_little():
    fast, slow = Pace(), Pace()
    for turn in range(20):
        fast.begin(64, turn)
        for _ in range(64):
            fast.on_block(turn + 0.01)
        slow.begin(1, 10 * turn)
        slow.on_block(10 * turn + 9)
    assert fast.get_room() == MOST
    assert slow.get_room() == LEAST
    fast.begin(64, 100.0)
    fast.end(64, 120.0)
    fast.on_stall()
    assert fast.get_room() <= FIRST_RATE
    assert fast.in_flight == 0


def test_the_block_that_holds_up_the_others_is_found_and_asked_of_another():
    window = Window(100, 10_000)
    window.want(WANTED, 0.0)
    assert window.take("slow", 9, 2, 0.0) == IDS[:2]
    assert window.take("b", 9, 2, 0.0) == IDS[2:4]
    # Nothing waits behind it yet.
    assert window.find_stall(5.0, 2.0) is None
    put(window, "b", 2)
    assert window.find_stall(1.9, 2.0) is None
    holdup = window.find_stall(2.0, 2.0)
    assert (holdup.height, holdup.peer) == (1, "slow")
    assert window.list_overdue("slow", 1.9, 2.0) == []
    window.give_back("slow", window.list_overdue("slow", 2.0, 2.0), 2.0)
    assert window.find_stall(9.0, 2.0) is None
    assert window.take("slow", 9, 1, 2.0) == IDS[4:5]
    assert window.take("b", 9, 2, 2.0) == IDS[:2]
    # The first peer to give a block is believed, even if it is late.
    put(window, "slow", 0, 3.0)
    put(window, "b", 0, 4.0)
    check_all(window)
    assert [(ready.body.id, ready.source, ready.came_at) for ready in window.pop_ready(9)] == [(IDS[0], "slow", 3.0)]


def test_what_was_spoiled_is_asked_of_somebody_else():
    window = Window(100, 10_000)
    window.want(WANTED[:1], 0.0)
    window.take("liar", 9, 1, 0.0)
    put(window, "liar", 0)
    assert window.take_unchecked()[1] == "liar"
    assert window.take_unchecked() is None
    window.reject("liar", IDS[0], 1.0)
    assert window.take("liar", 9, 1, 1.0) == []
    assert window.take("b", 9, 1, 1.0) == IDS[:1]
    put(window, "b", 0)
    check_all(window)
    assert [ready.source for ready in window.pop_ready(9)] == ["b"]


def test_a_run_is_one_chain_and_a_suspect_block_comes_alone():
    window = Window(100, 10_000)
    fork = make_chain(2, nonce=9)
    fork_ids = [compute_block_id(block.header) for block in fork]
    window.want([(id, b.header.parent, b.header.height) for id, b in zip(fork_ids, fork, strict=True)], 0.0)
    window.want(WANTED[:5], 0.0)
    for index in (0, 1, 2, 4):
        put(window, "a", index)
    for id, block in zip(fork_ids, fork, strict=True):
        window.put("a", Body(id, block, WITNESS, 100), 0.0)
    while (taken := window.take_unchecked()) is not None:
        window.set_checked(taken[0].id, 1.0, 2.0, None if taken[0].id == IDS[2] else CHECKED)
    runs = [[ready.body.id for ready in window.pop_ready(9)] for _ in range(2)]
    assert sorted(runs) == sorted([fork_ids, IDS[:2]])
    assert window.pop_ready(9) == []
    for id in IDS[:2]:
        window.remove(id)
    assert [ready.checked for ready in window.pop_ready(9)] == [None]
    window.postpone(IDS[2], 9.0)
    window.remove(IDS[3])
    assert window.pop_ready(9)[0].body.id == IDS[4]


async def test_one_lacks_blocks_and_one_lies_and_all_blocks_come_from_the_third():
    chain = make_chain(300)
    honest, lacking, lying, new = (FakeNode() for _ in range(4))
    for node in (honest, lacking):
        await node.add_chain(chain)
    await lying.add_chain(chain, BAD_WITNESS)
    get_block = lacking.ledger.get_block
    lacking.ledger.get_block = lambda id: get_block(id) if lacking.ledger.headers[id].height > 250 else None
    async with syncing(new, honest, lacking, lying) as (fresh, services):
        await until(lambda: new.ledger.tip.header.height == 300)
        # The liar is banned; who lacks a block is not.
        await until(lambda: {peer.id for peer in fresh.peers()} == {service.node_id for service in services[:2]})
        assert fresh.sync.monitor.get_status().height == 300


async def test_a_liar_is_detected_too_where_processes_check_whole_blocks():
    """What they find wrong is checked again step by step, which tells whose fault it is."""
    chain = make_chain(60)
    honest, lying, new = (FakeNode() for _ in range(3))
    await honest.add_chain(chain)
    await lying.add_chain(chain, BAD_WITNESS)
    whole: list[bool] = []

    async def check_block(params, block, witness):
        whole.append(witness != BAD_WITNESS)
        return () if whole[-1] else None

    new.verifier.backend.check_block = check_block
    async with syncing(new, honest, lying) as (fresh, services):
        await until(lambda: new.ledger.tip.header.height == 60)
        await until(lambda: {peer.id for peer in fresh.peers()} == {services[0].node_id})
    assert whole.count(True) >= 60
    assert False in whole


async def test_who_holds_up_the_others_is_replaced_and_not_banned():
    chain = make_chain(120)
    honest, silent, new = (FakeNode() for _ in range(3))
    for node in (honest, silent):
        await node.add_chain(chain)
    asked = []

    def spoil(services):
        async def answer_nothing(peer, request):
            asked.append(request)
            await asyncio.Event().wait()

        services[1].sync._server._send_blocks = answer_nothing

    limits = msgspec.structs.replace(FAST, block=60.0)
    with patch("support.network_fakes.FAST", limits), patch("inos.network.sync.blocks.sync.STALL_S", 0.2):
        async with syncing(new, honest, silent, spoil=spoil) as (fresh, _):
            # Long before its questions time out.
            async with asyncio.timeout(50.0):
                await until(lambda: new.ledger.tip.header.height == 120)
            assert asked
            assert len(fresh.peers()) == 2
