"""Tests services over real sockets on loopback, with a chain in memory behind them."""

import asyncio
import struct

import pytest

from inos.network.errors import HandshakeFailed, LinkError, NetworkError
from inos.network.identity import PeerAddress
from inos.network.peers.manager import PeerManager
from inos.network.settings import PROTOCOL_VERSION
from inos.network.transport.websocket import WebSocketTransport
from inos.network.wire.chain import AnnounceBlock, BlockData, GetBlocks, GetHeaders, Headers
from inos.network.wire.control import Ping
from inos.network.wire.matrices import GetMatrix, GetRun, MatrixHead, RunData
from inos.network.wire.messages import encode_message
from inos.network.wire.transactions import AnnounceTransactions
from inos.primitives.blocks import Block, compute_block_id
from inos.primitives.errors import MatrixMissing
from inos.primitives.transactions import compute_tx_id
from support.network_fakes import (
    BAD_WITNESS,
    FAST,
    GENESIS,
    GENESIS_ID,
    FakeNode,
    get_address,
    make_chain,
    make_header,
    make_identity,
    make_service,
    make_tx,
    raw_link,
    running,
    until,
)
from support.raw_links import hear, hear_end, is_refused, say, start_pair


async def test_a_new_node_syncs_fifty_blocks():
    full, empty = FakeNode(), FakeNode()
    blocks = make_chain(50)
    await full.add_chain(blocks)
    a, b = await start_pair(full, empty)
    async with running(a, b):
        await until(lambda: empty.ledger.tip.header.height == 50)
        assert empty.ledger.chain == full.ledger.chain
        assert empty.seen == [compute_block_id(block.header) for block in blocks]
        await until(lambda: a.peers()[0].height == 50 and a.peers()[0].latency_ms is not None)
        (seen_by_a,), (seen_by_b,) = a.peers(), b.peers()
        assert (seen_by_a.id, seen_by_a.is_outbound) == (b.node_id, False)
        assert (seen_by_b.id, seen_by_b.is_outbound) == (a.node_id, True)
        assert seen_by_b.bytes_in > 50 * 32_768
        assert seen_by_b.address == f"127.0.0.1:{a.listen_port}"


async def test_more_headers_than_one_message_holds():
    full, empty = FakeNode(), FakeNode()
    await full.add_chain(make_chain(1100))
    a, b = await start_pair(full, empty)
    async with running(a, b):
        await until(lambda: empty.ledger.tip.header.height == 1100)


async def test_blocks_and_transactions_go_along_a_line_of_three():
    nodes = [FakeNode() for _ in range(3)]
    a = make_service(nodes[0], 1)
    await a.start()
    b = make_service(nodes[1], 2, get_address(a))
    await b.start()
    c = make_service(nodes[2], 3, get_address(b))
    async with running(a, b, c):
        await until(lambda: len(b.peers()) == 2)
        (block,) = make_chain(1)
        await nodes[0].add_chain([block])
        await until(lambda: nodes[2].ledger.tip.header.height == 1)
        txs = [make_tx(nonce) for nonce in range(20)]
        for tx in txs:
            await nodes[2].add_transaction(tx)
        await until(lambda: len(nodes[0].mempool.transactions) == 20)
        assert nodes[0].seen.count(compute_tx_id(txs[0])) == 1
        assert nodes[1].seen.count(compute_tx_id(txs[0])) == 1


async def test_two_forks_meet_and_the_pool_is_told_to_a_new_peer():
    left, right = FakeNode(), FakeNode()
    await left.add_chain(make_chain(5, nonce=1))
    await right.add_chain(make_chain(9, nonce=2))
    tx = make_tx(0)
    await left.add_transaction(tx)
    a, b = await start_pair(left, right)
    async with running(a, b):
        await until(lambda: left.ledger.tip.header.height == 9)
        await until(lambda: right.mempool.has(compute_tx_id(tx)))
        assert left.ledger.tip.id == right.ledger.tip.id


async def test_a_matrix_comes_in_runs_from_two_peers():
    nodes = [FakeNode() for _ in range(3)]
    strips = [bytes([i % 64]) * 16_384 for i in range(300)]
    id = nodes[0].matrices.put(strips)
    nodes[1].matrices.put(strips)
    a, b = make_service(nodes[0], 1), make_service(nodes[1], 2)
    await a.start()
    await b.start()
    c = make_service(nodes[2], 3, get_address(a), get_address(b))
    async with running(a, b, c):
        await until(lambda: len(c.peers()) == 2)
        await c.sync.matrices.fetch(id, 60)
        assert nodes[2].matrices.parts[id] == dict(enumerate(strips))
        assert all(peer.bytes_in > 16_384 for peer in c.peers())


@pytest.mark.parametrize("lie", ["entries", "path", "another run", "short"])
async def test_who_serves_a_wrong_run_is_banned_and_nobody_else(lie):
    honest, node = FakeNode(), FakeNode()
    strips = [bytes([i % 61]) * 16_384 for i in range(200)]
    id = honest.matrices.put(strips)
    b = make_service(node, 2)
    async with running(b), raw_link(9, get_address(await _started(b))) as link, asyncio.TaskGroup() as group:
        await until(lambda: b.peers())
        fetched = group.create_task(b.sync.matrices.fetch(id, 60))
        asked = await hear(link, GetMatrix)
        info = honest.matrices.heads[id]
        await say(link, MatrixHead(asked.request, info.dtype, info.rows, info.cols, info.root))
        asked = await hear(link, GetRun)
        run, other = (honest.matrices.get_run(id, index) for index in (asked.index, asked.index + 1))
        data, path = {
            "entries": (run.data[:-1] + bytes([run.data[-1] ^ 1]), run.path),
            "path": (run.data, (*run.path, bytes(32))),
            "another run": (other.data, other.path),
            "short": (run.data[:16_384], run.path),
        }[lie]
        await say(link, RunData(asked.request, asked.index, data, path))
        await hear_end(link)
        a = make_service(honest, 1, get_address(b))
        async with running(a):
            await fetched
            assert node.matrices.parts[id] == dict(enumerate(strips))
            assert [ban.subject for ban in b.list_bans()] == [make_identity(9).node_id.hex()]
            assert [peer.id for peer in b.peers()] == [a.node_id]


async def test_a_matrix_wanted_by_the_node_comes_once_somebody_has_it():
    first, second = FakeNode(), FakeNode()
    a, b = await start_pair(first, second)
    async with running(a, b):
        await until(lambda: a.peers())
        strips = [b"\x07" * 16_384]
        id = FakeNode().matrices.put(strips)
        second.want_matrix(id)
        with pytest.raises(MatrixMissing):
            await b.sync.matrices.fetch(id, 0.1)
        first.matrices.put(strips)
        await until(lambda: second.matrices.has(id))


async def test_a_peer_that_announces_and_stalls_blocks_nothing():
    good, node = FakeNode(), FakeNode()
    blocks = make_chain(10)
    await good.add_chain(blocks)
    a = make_service(good, 1)
    await a.start()
    b = make_service(node, 2)
    async with running(b):
        tip = compute_block_id(blocks[-1].header)
        async with raw_link(9, get_address(b), tip=tip, height=10) as link:
            asked = await hear(link, GetHeaders)
            await say(link, Headers(asked.request, tuple(block.header for block in blocks)))
            # It is asked for bodies, and gives none; it answers pings, so it stays connected.
            await hear(link, GetBlocks)
            assert node.ledger.tip.header.height == 0
            c = make_service(good, 3, get_address(b))
            async with running(a, c):
                await until(lambda: node.ledger.tip.header.height == 10)


async def test_a_transaction_announced_by_a_stalling_peer_comes_from_another():
    good, node = FakeNode(), FakeNode()
    tx = make_tx(0)
    a = make_service(node, 1)
    async with running(a), raw_link(9, _address_of(await _started(a))) as link:
        await say(link, AnnounceTransactions((compute_tx_id(tx),)))
        await asyncio.sleep(0.05)
        await good.add_transaction(tx)
        b = make_service(good, 2, get_address(a))
        async with running(b):
            await until(lambda: node.mempool.has(compute_tx_id(tx)))


async def _started(service):
    await until(lambda: service.listen_port)
    return service


_address_of = get_address


GARBAGE = {
    "empty": b"",
    "one byte": b"\x80",
    "unknown bits": b"\x7f" + bytes(20),
    "no message": b"\x80" + b"\xff" * 50,
    "unknown tag": b"\x80" + b"\x92\x7e\x01",
    "wrong shape": b"\x80" + b"\x94\x01\xc0\xc0\xc0",
    "wrong lane": b"\x83" + encode_message(Ping(1, bytes(32), 0)),
    "trailing": b"\x80" + encode_message(Ping(1, bytes(32), 0)) + b"\x00",
    "not canonical": b"\x80\x94\x01\xcc\x01" + encode_message(Ping(1, bytes(32), 0))[3:],
    "short piece": b"\x00" + encode_message(Ping(1, bytes(32), 0)),
    "too large": b"\x80" + encode_message(Ping(1, bytes(32), 0)) + bytes(100),
}


@pytest.mark.parametrize("frame", GARBAGE.values(), ids=GARBAGE.keys())
async def test_a_malformed_frame_costs_its_sender_the_link_and_nobody_else(frame):
    nodes = FakeNode(), FakeNode()
    a, b = await start_pair(*nodes)
    async with running(a, b):
        await until(lambda: a.peers())
        async with raw_link(9, get_address(a)) as link:
            await link.send(frame)
            await hear_end(link)
        async with raw_link(9, get_address(a)) as again:
            assert await hear_end(again) == "banned"
        await nodes[0].add_chain(make_chain(1))
        await until(lambda: nodes[1].ledger.tip.header.height == 1)


async def test_a_frame_above_64_kb_and_a_text_frame_end_only_that_link():
    a = make_service(FakeNode(), 1)
    async with running(a):
        too_long, text = b"\x82\xff" + (70_000).to_bytes(8, "big"), b"\x81\x85\0\0\0\0hello"
        for data in (too_long, text):
            async with raw_link(9, get_address(a)) as link:
                await hear(link, Ping)
                await link._pipe.send_bytes(data)
                await hear_end(link)
        async with raw_link(9, get_address(a)) as link:
            await hear(link, Ping)


async def test_an_unsolicited_answer_is_counted_until_it_is_a_ban():
    a = make_service(FakeNode(), 1)
    async with running(a), raw_link(9, get_address(a)) as link:
        for request in range(1000, 1006):
            await say(link, Headers(request, ()))
        await hear_end(link)
        async with raw_link(9, get_address(a)) as again:
            assert await hear_end(again) == "banned"


async def test_flooding_above_the_rate_is_a_ban():
    a = make_service(FakeNode(), 1)
    async with running(a), raw_link(9, get_address(a)) as link:
        for nonce in range(100):
            await say(link, Ping(nonce, GENESIS_ID, 0))
        await hear_end(link)
        assert await is_refused(a, 9)


async def test_an_invalid_block_is_remembered_and_goes_no_further_than_those_who_want_blocks_pushed():
    """Its header and seal are good, so a peer that relayed it need not have known: nobody is banned for it."""
    nodes = [FakeNode() for _ in range(3)]
    (block,) = make_chain(1)
    id = compute_block_id(block.header)
    nodes[1].refuse_blocks.add(id)
    a = make_service(nodes[0], 1)
    await a.start()
    b = make_service(nodes[1], 2, get_address(a))
    await b.start()
    c = make_service(nodes[2], 3, get_address(b))
    async with running(a, b, c):
        await until(lambda: len(b.peers()) == 2)
        await nodes[0].add_chain([block])
        await until(lambda: nodes[1].ledger.get_status(id).startswith("invalid"))
        assert b.count_peers() == len(b.peers()) == 2
        assert id not in nodes[2].ledger.headers


async def test_a_spoiled_witness_is_its_senders_fault_and_not_the_blocks():
    node, good = FakeNode(), FakeNode()
    (block,) = make_chain(1)
    id = compute_block_id(block.header)
    a = make_service(node, 1)
    async with running(a):
        async with raw_link(9, get_address(a), tip=id, height=1) as link:
            asked = await hear(link, GetHeaders)
            await say(link, Headers(asked.request, (block.header,)))
            asked = await hear(link, GetBlocks)
            await say(link, BlockData(asked.request, block, BAD_WITNESS))
            await hear_end(link)
        assert id not in node.seen
        assert await is_refused(a, 9)
        await good.add_chain([block])
        async with running(make_service(good, 2, get_address(a))):
            await until(lambda: node.ledger.tip.id == id)


async def test_a_body_that_is_not_its_headersis_refused_before_the_node_sees_it():
    node = FakeNode()
    (block,) = make_chain(1)
    id = compute_block_id(block.header)
    a = make_service(node, 1)
    async with running(a), raw_link(9, get_address(a), tip=id, height=1) as link:
        asked = await hear(link, GetHeaders)
        await say(link, Headers(asked.request, (block.header,)))
        asked = await hear(link, GetBlocks)
        await say(link, BlockData(asked.request, Block(block.header, (make_tx(0),)), BAD_WITNESS))
        await hear_end(link)
        assert node.seen == []
        assert await is_refused(a, 9)


async def test_headers_that_break_a_rule_or_do_not_follow_are_a_ban():
    for wrong in (
        (make_header(GENESIS, nonce=1), make_header(GENESIS, nonce=2)),
        (
            Block(make_header(GENESIS), ()).header.__class__(
                *[*_fields(make_header(GENESIS))[:4], 0, *_fields(GENESIS)[5:]]
            ),
        ),
    ):
        a = make_service(FakeNode(), 1)
        async with running(a), raw_link(9, get_address(a), tip=b"\x01" * 32, height=2) as link:
            asked = await hear(link, GetHeaders)
            await say(link, Headers(asked.request, wrong))
            await hear_end(link)
            assert await is_refused(a, 9)


def _fields(header):
    return [getattr(header, name) for name in header.__struct_fields__]


async def test_an_announced_block_that_cannot_be_connected_yet_is_no_fault():
    node = FakeNode()
    far = make_chain(5)[-1]
    a = make_service(node, 1)
    async with running(a), raw_link(9, get_address(a)) as link:
        await say(link, AnnounceBlock(far.header))
        asked = await hear(link, GetHeaders)
        assert asked.locator[-1] == GENESIS_ID
        assert len(a.peers()) == 1


async def test_both_dialling_leaves_one_link_dialled_by_the_smaller_id():
    first, second = FakeNode(), FakeNode()
    a, b = make_service(first, 1), make_service(second, 2)
    await a.start()
    await b.start()
    a2 = make_service(first, 1, get_address(b), port=a.listen_port)
    b2 = make_service(second, 2, get_address(a), port=b.listen_port)
    await a.stop()
    await b.stop()
    async with running(a2, b2):
        await until(lambda: len(a2.peers()) == len(b2.peers()) == 1)
        smaller_is_a = a2.node_id < b2.node_id
        await until(lambda: _is_agreed(a2, b2))
        await first.add_chain(make_chain(1))
        await until(lambda: second.ledger.tip.header.height == 1)
        assert smaller_is_a == (a2.node_id == min(a2.node_id, b2.node_id))
        # Nothing flaps afterwards.
        since = a2.peers()[0].since_ms, b2.peers()[0].since_ms
        await asyncio.sleep(0.5)
        assert (a2.peers()[0].since_ms, b2.peers()[0].since_ms) == since


def _is_agreed(a, b):
    (there,), (back,) = a.peers() or [None], b.peers() or [None]
    return there is not None and back is not None and there.is_outbound != back.is_outbound


async def test_a_dead_link_shuts_nobody_out():
    """A peer whose old link hangs is accepted again with the same key, no matter which side had dialled."""
    a = make_service(FakeNode(), 1)
    async with running(a), raw_link(9, get_address(a)) as dead:
        await hear(dead, Ping)
        async with raw_link(9, get_address(a)) as fresh:
            await hear(fresh, Ping)
            await say(fresh, GetHeaders(1, (GENESIS_ID,)))
            await hear(fresh, Headers)
            assert len(a.peers()) == 1


async def test_a_peer_is_dialled_again_after_it_restarts():
    first, second = FakeNode(), FakeNode()
    a = make_service(first, 1)
    await a.start()
    port = a.listen_port
    b = make_service(second, 2, get_address(a))
    async with running(b):
        async with running(a):
            await until(lambda: b.peers())
        await until(lambda: not b.peers())
        async with running(make_service(first, 1, port=port)):
            await until(lambda: b.peers())
            await first.add_chain(make_chain(2))
            await until(lambda: second.ledger.tip.header.height == 2)


async def test_a_silent_peer_is_noticed():
    limits = FAST.__class__(**{**{name: getattr(FAST, name) for name in FAST.__struct_fields__}, "ping": 0.2})
    a = make_service(FakeNode(), 1, limits=limits)
    async with running(a), raw_link(9, get_address(a)):
        await until(lambda: len(a.peers()) == 1)
        await until(lambda: len(a.peers()) == 0, 60)
        async with raw_link(9, get_address(a)) as again:
            await hear(again, Ping)


async def test_self_other_chain_and_a_full_house_are_refused():
    a = make_service(FakeNode(), 1, max_inbound=1)
    async with running(a):
        async with raw_link(1, get_address(a)) as link:
            assert await hear_end(link) == "self"
        async with raw_link(9, get_address(a), chain_id=8) as link:
            assert await hear_end(link) == "other-chain"
        async with raw_link(9, get_address(a), version=PROTOCOL_VERSION + 1) as link:
            assert await hear_end(link) == "other-version"
        async with raw_link(9, get_address(a)) as link:
            await hear(link, Ping)
            async with raw_link(10, get_address(a)) as other:
                assert await hear_end(other) == "full"


async def test_a_link_for_a_few_requests_is_no_way_into_a_full_house():
    a = make_service(FakeNode(), 1, max_inbound=1)
    async with running(a), raw_link(9, get_address(a)) as first:
        await hear(first, Ping)
        async with raw_link(10, get_address(a), is_brief=True):
            await until(lambda: len(a.peers()) == 2)
            async with raw_link(10, get_address(a)) as again:
                assert await hear_end(again) == "full"
            assert [peer.is_brief for peer in a.peers()] == [False, True]
        await first.close()
        await until(lambda: not a.peers())
        async with raw_link(10, get_address(a), is_brief=True), raw_link(10, get_address(a)) as alone:
            await hear(alone, Ping)
            assert [peer.is_brief for peer in a.peers()] == [False]


async def test_another_node_or_another_network_at_the_addressis_refused():
    a = make_service(FakeNode(), 1)
    async with running(a):
        wrong = PeerAddress(make_identity(77).node_id, "127.0.0.1", a.listen_port)
        transport = WebSocketTransport(make_identity(9), GENESIS_ID, host="127.0.0.1", port=0, limits=FAST)
        with pytest.raises(HandshakeFailed) as refused:
            await transport.dial(wrong, lambda: b"")
        assert refused.value.code == "wrong-peer"
        await transport.stop()
        transport = WebSocketTransport(make_identity(9), b"\x01" * 32, host="127.0.0.1", port=0, limits=FAST)
        with pytest.raises(LinkError):
            await transport.dial(get_address(a), lambda: b"")
        await transport.stop()
        assert a.peers() == []


async def test_a_port_in_use_is_told():
    a = make_service(FakeNode(), 1)
    async with running(a):
        b = make_service(FakeNode(), 2, port=a.listen_port)
        with pytest.raises(NetworkError) as error:
            await b.start()
        assert error.value.code == "port-in-use"
        await b.stop()


async def test_a_connection_that_says_nothing_is_shut():
    limits = FAST.__class__(**{**{name: getattr(FAST, name) for name in FAST.__struct_fields__}, "handshake": 0.2})
    a = make_service(FakeNode(), 1, limits=limits)
    async with running(a):
        reader, writer = await asyncio.open_connection("127.0.0.1", a.listen_port)
        async with asyncio.timeout(20):
            with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
                await reader.readexactly(1)
        writer.close()
        reader, writer = await asyncio.open_connection("127.0.0.1", a.listen_port)
        writer.write(b"GET /inos HTTP/1.1\r\n" + struct.pack("<Q", 0))
        async with asyncio.timeout(20):
            await reader.read()
        writer.close()


async def test_a_fault_of_our_own_ends_one_session_only(monkeypatch):
    node = FakeNode()
    a = make_service(node, 1)

    def fail(locator, limit):
        raise KeyError("a bug")

    monkeypatch.setattr(node.ledger, "get_headers_after", fail)
    async with running(a):
        async with raw_link(9, get_address(a)) as link:
            await say(link, GetHeaders(1, (GENESIS_ID,)))
            await hear_end(link)
        async with raw_link(9, get_address(a)) as link:
            await hear(link, Ping)
    assert isinstance(a.manager, PeerManager)
    assert not a.bans.is_banned(make_identity(9).node_id)
