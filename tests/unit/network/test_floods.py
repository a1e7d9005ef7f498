"""Peers that send bad messages in any number, answer nothing, or leave at once."""

import asyncio

import msgspec

from inos.network.settings import TimeLimits
from inos.network.sync.relay.transactions import TransactionTracker
from inos.network.wire.chain import AnnounceBlock, GetHeaders
from inos.primitives.units import TxId
from support.network_fakes import (
    FAST,
    FakeNode,
    get_address,
    make_chain,
    make_header,
    make_identity,
    make_service,
    raw_link,
    running,
    until,
)
from support.raw_links import hear, say

IDS = range(20, 32)
SLOW = msgspec.structs.replace(FAST, headers=20.0)


def make_bad_header(number):
    return msgspec.structs.replace(make_header(make_chain(1)[0].header, nonce=number), time_ms=0, parent=GENESIS_OF)


GENESIS_OF = make_chain(1)[0].header.parent


def is_banned(service, seed):
    return service.bans.is_banned(make_identity(seed).node_id)


async def test_whoever_sends_an_invalid_header_and_leaves_at_once_is_banned_all_the_same():
    a = make_service(FakeNode(), 1)
    async with running(a):
        for seed in IDS:
            async with raw_link(seed, get_address(a)) as link:
                await say(link, AnnounceBlock(make_bad_header(seed)))
        await until(lambda: all(is_banned(a, seed) for seed in IDS))
        assert len(a.bans.list_ids()) == len(IDS)


async def test_invalid_headers_are_found_while_the_sender_owes_an_answer():
    """A peer that claims an unknown tip and answers no question once kept its own messages unread for 20 to 40 s."""
    a = make_service(FakeNode(), 1, limits=SLOW)
    async with running(a), asyncio.timeout(SLOW.headers / 2):
        for seed in IDS:
            async with raw_link(seed, get_address(a), tip=bytes([seed]) * 32, height=5) as link:
                await hear(link, GetHeaders)
                await say(link, AnnounceBlock(make_bad_header(seed)))
                await until(lambda seed=seed: is_banned(a, seed))


async def test_thousands_of_bad_messages_are_one_ban_for_each_sender():
    a = make_service(FakeNode(), 1)

    async def send(seed):
        async with raw_link(seed, get_address(a)) as link:
            for number in range(50):
                await say(link, AnnounceBlock(make_bad_header(number)))

    async with running(a):
        await asyncio.gather(*(send(seed) for seed in IDS), return_exceptions=True)
        await until(lambda: len(a.bans.list_ids()) == len(IDS))


def test_announcements_of_few_peers_keep_nobody_elses_out():
    """Four ids could fill the table of announced transactions with ids that they never give."""
    tracker = TransactionTracker(limit=100)
    number = 0
    for peer in ("a", "b", "c", "d"):
        for _ in range(1000):
            number += 1
            tracker.announce(peer, TxId(number.to_bytes(32, "big")))
    assert len(tracker) == 100
    assert tracker.take("a", 10) != []
    honest = [TxId((10**6 + at).to_bytes(32, "big")) for at in range(20)]
    for id in honest:
        tracker.announce("honest", id)
    assert tracker.take("honest", 20) == honest
    assert len(tracker) <= 100
    for peer in ("a", "b", "c", "d", "honest"):
        tracker.forget(peer)
    tracker.give_back("a", [])


def test_limits_exist_for_everything_that_waits():
    assert all(getattr(TimeLimits(), name) > 0 for name in TimeLimits.__struct_fields__)
