"""What waits of a peer's messages, and what is left of it when the peer goes."""

import asyncio
import gc
import weakref

import pytest

from inos.network.errors import Misbehaviour
from inos.network.peers.inbox import MAX_NOTICE_BYTES, MAX_NOTICES, MAX_URGENT, MAX_URGENT_BYTES, Inbox
from inos.network.peers.peer import MAX_REQUEST_BYTES, Peer
from inos.network.peers.requests import OpenRequests
from inos.network.transport.memory import make_link_pair
from inos.network.wire.chain import AnnounceBlock, BlockData, GetBlocks, Headers
from inos.network.wire.compact import GetBlockTransactions
from inos.network.wire.control import Hello, NotFound
from inos.network.wire.framing import Assembler, split
from inos.network.wire.limits import Lane
from inos.network.wire.transactions import AnnounceTransactions
from inos.primitives.clock import SystemClock
from inos.primitives.units import BlockId, NodeId
from support.network_fakes import CHAIN_ID, GENESIS, GENESIS_ID

NEWS = AnnounceTransactions((bytes(32),))
BLOCK = AnnounceBlock(GENESIS)


def make_peer():
    link, _ = make_link_pair(NodeId(bytes(32)), NodeId(b"\x01" * 32))
    hello = Hello(1, CHAIN_ID, GENESIS_ID, "test", GENESIS_ID, 0, bytes(32), 0)
    return Peer(link, hello, SystemClock())


async def test_notices_are_bounded_in_number_and_in_bytes():
    """Announcements of random transactions of four ids once took 460 MB."""
    inbox = Inbox()
    for _ in range(10 * MAX_NOTICES):
        inbox.add(NEWS, 10)
    assert len(inbox) == MAX_NOTICES
    for _ in range(100):
        inbox.add(NEWS, 40 << 10)
        assert inbox.bytes <= MAX_NOTICE_BYTES
    for _ in range(2 * MAX_URGENT):
        inbox.add(BLOCK, 10)
    assert await inbox.next() is BLOCK
    for _ in range(MAX_URGENT):
        inbox.add(BLOCK, 700 << 10)
        assert inbox.bytes <= MAX_NOTICE_BYTES + MAX_URGENT_BYTES


async def test_it_is_idle_when_the_last_notice_was_processed():
    inbox = Inbox()
    inbox.add(NEWS, 1)
    inbox.add(BLOCK, 1)
    assert [await inbox.next(), await inbox.next()] == [BLOCK, NEWS]
    assert not inbox.is_idle.is_set(), "the second is being processed"
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(inbox.next(), 0.01)
    assert inbox.is_idle.is_set()


async def test_requests_that_wait_are_bounded_in_bytes():
    peer = make_peer()
    request = GetBlockTransactions(1, GENESIS_ID, (0,))
    for _ in range(MAX_REQUEST_BYTES // (24 << 10)):
        peer.queue_request(request, 24 << 10)
    for _ in range(5):
        peer.queue_request(request, 24 << 10)
    with pytest.raises(Misbehaviour, match="requests"):
        peer.queue_request(request, 24 << 10)
    assert peer.queued_bytes <= MAX_REQUEST_BYTES
    while peer.queued_requests:
        peer.pop_request()
    assert peer.queued_bytes == 0


async def test_a_peer_that_is_gone_holds_nothing_even_before_the_collector_runs():
    peer = make_peer()
    peer.inbox.add(NEWS, 40 << 10)
    peer.queue_request(GetBlocks(1, (GENESIS_ID,)), 40)
    peer.out.offer(NEWS)
    peer.known_blocks.add(BlockId(bytes(32)))
    assert peer.out.count_bytes() > 0
    await peer.close("test")
    peer.drop_memory()
    held = (len(peer.inbox), peer.inbox.bytes, len(peer.queued_requests), len(peer.known_blocks))
    assert held == (0, 0, 0, 0)
    assert peer.out.count_bytes() == 0


async def test_pieces_of_a_long_reply_that_nobody_requested_are_not_kept():
    """Each link could otherwise hold an unfinished reply of 8 MiB."""
    requests = OpenRequests()
    frame = next(split(b"\x92\x09" + bytes(200_000), Lane.BLOCKS))
    with pytest.raises(Misbehaviour) as caught:
        Assembler(requests.expects).add(frame)
    assert (caught.value.code, caught.value.penalty) == ("unsolicited", 20)
    with requests.open(BlockData):
        assert Assembler(requests.expects).add(frame) is None
    assert Assembler(requests.expects).add(frame) is None, "it may be late"


async def test_each_late_answer_comes_once():
    requests = OpenRequests()
    with requests.open(Headers, 2) as pending:
        requests.deliver(Headers(pending.request, ()))
    requests.deliver(Headers(pending.request, ()))
    with pytest.raises(Misbehaviour, match="not requested"):
        requests.deliver(Headers(pending.request, ()))
    with requests.open(Headers) as pending:
        pass
    with pytest.raises(Misbehaviour, match="not requested"):
        requests.deliver(BlockData(pending.request, None, None))
    with requests.open(Headers) as pending:
        pass
    requests.deliver(NotFound(pending.request, ()))
    assert not requests.expects(BlockData)


async def test_a_forgotten_peer_leaves_with_the_last_reference():
    peer = make_peer()
    seen = weakref.ref(peer)
    await peer.close("test")
    del peer
    gc.collect()
    assert seen() is None
