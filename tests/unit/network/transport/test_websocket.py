"""The WebSocket transport with peers that do not finish what they begin, and with floods beside its messages."""

import asyncio
import logging
import socket
import struct
from contextlib import asynccontextmanager

import msgspec
import pytest

from inos.network.errors import LinkError
from inos.network.identity import PeerAddress
from inos.network.transport import websocket
from inos.network.transport.websocket import WebSocketTransport
from support.network_fakes import FAST, GENESIS_ID, make_identity, until

UPGRADE = (
    b"GET /inos HTTP/1.1\r\nHost: node\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
TIMES = 40
PING, PONG, TEXT, CONTINUATION = 0x89, 0x8A, 0x81, 0x00
BREACHES = {
    "a ping": bytes([PING, 0x80]) + bytes(4),
    "a pong": bytes([PONG, 0x80]) + bytes(4),
    "a text": bytes([TEXT, 0x80 | 20]) + bytes(24),
    "an empty continuation": bytes([CONTINUATION, 0x80]) + bytes(4),
    "a first fragment": bytes([0x02, 0x80 | 20]) + bytes(24),
    "a compressed message": bytes([0xC2, 0x80 | 20]) + bytes(24),
    "an empty message": bytes([0x82, 0x80]) + bytes(4),
    "an unmasked message": bytes([0x82, 20]) + bytes(20),
    "a length of 2^62": bytes([0x82, 0xFF]) + (1 << 62).to_bytes(8, "big"),
}


async def keep(link):
    """Read a link until it ends."""
    try:
        while True:
            await link.receive()
    except LinkError:
        pass


async def nobody(link):
    raise AssertionError("no link can come of this")


@asynccontextmanager
async def listening(handler=keep, limits=FAST):
    transport = WebSocketTransport(make_identity(1), GENESIS_ID, host="127.0.0.1", port=0, limits=limits)
    await transport.listen(lambda: b"", handler)
    try:
        yield transport
    finally:
        await transport.stop()


@asynccontextmanager
async def dialling(transport, seed=2):
    """Return a link to a listening transport, to be used as a context."""
    dialler = WebSocketTransport(make_identity(seed), GENESIS_ID, host="127.0.0.1", port=0, limits=FAST)
    try:
        yield await dialler.dial(PeerAddress(make_identity(1).node_id, "127.0.0.1", transport.port), lambda: b"")
    finally:
        await dialler.stop()


async def read_end(reader):
    """Return all that arrives until the other side closes the connection."""
    async with asyncio.timeout(2 * FAST.handshake):
        try:
            return await reader.read()
        except ConnectionResetError:
            return b""


async def open_raw(port, first=b""):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(first)
    return reader, writer


def dial_and_vanish(port):
    """Request the upgrade and reset the connection at the same moment."""
    with socket.create_connection(("127.0.0.1", port)) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.sendall(UPGRADE)


async def test_who_dials_and_is_gone_leaves_no_error_in_the_log(caplog):
    async with listening(nobody) as transport:
        with caplog.at_level(logging.WARNING):
            for _ in range(TIMES):
                dial_and_vanish(transport.port)
                await asyncio.sleep(0.001)
            await until(lambda: transport.count_open() == (0, 0))
        assert caplog.records == []


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET /inos HTTP/1.1\r\nHost: x\r\n\r\n", b"426"),
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"404"),
        (b"POST /inos HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n", b"405"),
        (b"nonsense\r\n\r\n", b"400"),
        (UPGRADE.replace(b"dGhlIHNhbXBsZSBub25jZQ==", b"x"), b"400"),
    ],
)
async def test_a_request_that_opens_no_websocket_is_answered_and_closed_at_once(request_, status):
    async with listening(nobody) as transport:
        reader, writer = await open_raw(transport.port, request_)
        async with asyncio.timeout(FAST.handshake / 2):
            assert (await reader.read()).split(b" ")[1] == status
        writer.close()
        await until(lambda: transport.count_open() == (0, 0))


async def test_a_head_without_an_end_is_cut_off():
    async with listening(nobody) as transport:
        reader, writer = await open_raw(transport.port, b"GET /inos HTTP/1.1\r\nX: " + b"x" * 9000)
        async with asyncio.timeout(FAST.handshake / 2):
            await read_end(reader)
        writer.close()


async def test_a_connection_that_stays_without_a_proof_is_closed_whatever_it_sends():
    """An occasional byte, or repeated requests, do not keep a connection open."""
    async with listening(nobody, msgspec.structs.replace(FAST, handshake=1.0)) as transport:
        reader, writer = await open_raw(transport.port, UPGRADE[:-1])
        async with asyncio.timeout(FAST.handshake):
            await read_end(reader)
        writer.close()


@pytest.mark.parametrize("first", [b"", UPGRADE], ids=["silent", "upgraded"])
async def test_many_unproven_connections_keep_no_newcomer_out(first):
    async with listening() as transport:
        idle = [await open_raw(transport.port, first) for _ in range(150)]
        async with asyncio.timeout(FAST.handshake / 2), dialling(transport) as link:
            await link.send(b"hello")
            assert transport.count_open()[1] <= 64
            await link.close()
        for _, writer in idle:
            writer.close()


async def test_a_scan_of_the_port_keeps_no_newcomer_out():
    async with listening() as transport:
        for _ in range(200):
            with socket.create_connection(("127.0.0.1", transport.port)):
                await asyncio.sleep(0)
        async with asyncio.timeout(FAST.handshake / 2), dialling(transport) as link:
            await link.close()
        await until(lambda: transport.count_open() == (0, 0))


@pytest.mark.parametrize("name", BREACHES)
async def test_frames_that_no_node_sends_end_the_link(name):
    """They cost their sender the link, because no budget would count them."""
    ended = asyncio.Event()

    async def handle(link):
        with pytest.raises(LinkError, match="WebSocket"):
            await link.receive()
        ended.set()

    async with listening(handle) as transport, dialling(transport) as link:
        await link._pipe.send_bytes(BREACHES[name] * 2000)
        async with asyncio.timeout(FAST.handshake):
            await ended.wait()
        await link.close()


async def test_a_listener_that_floods_its_dialler_is_left():
    async def flood(link):
        await link._pipe.send_bytes(bytes([PING, 0]) * 2000)
        await keep(link)

    async with listening(flood) as transport, dialling(transport) as link:
        with pytest.raises(LinkError, match="frame"):
            await link.receive()
        await link.close()


async def test_messages_of_every_size_arrive_in_both_directions():
    async def echo(link):
        try:
            while True:
                await link.send(await link.receive())
        except LinkError:
            pass

    async with listening(echo) as transport, dialling(transport) as link:
        for size in (1, 100, 109, 110, 125, 126, 65_519):
            await link.send(bytes([size % 251]) * size)
            assert await link.receive() == bytes([size % 251]) * size
        with pytest.raises(ValueError, match="65519"):
            await link.send(bytes(65_520))
        await link.close()


async def test_a_peer_that_sends_more_than_is_read_waits():
    release = asyncio.Event()

    async def slow(link):
        await release.wait()
        await keep(link)

    async def send_for_ever(link):
        while True:
            await link.send(bytes(65_519))

    async with listening(slow) as transport, dialling(transport) as link:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(send_for_ever(link), 0.3)
        assert link.bytes_out < 32 << 20
        release.set()
        await link.close()


async def test_all_connections_together_are_bounded(monkeypatch):
    """Proven ones that the node refuses still leave one after the other."""
    monkeypatch.setattr(websocket, "MAX_LEAVING", 0)
    monkeypatch.setattr(websocket, "MAX_UNPROVEN", 2)
    monkeypatch.setattr(websocket, "DEFAULT_PROVEN", 0)
    transport = WebSocketTransport(make_identity(1), GENESIS_ID, host="127.0.0.1", port=0, limits=FAST, max_proven=1)
    await transport.listen(lambda: b"", keep)
    pairs = [await open_raw(transport.port) for _ in range(3)]
    await until(lambda: transport.count_open()[0] == 3)
    reader, writer = await open_raw(transport.port)
    async with asyncio.timeout(FAST.handshake / 2):
        assert await read_end(reader) == b""
    assert transport.count_open()[0] == 3
    pairs[0][1].close()
    await until(lambda: transport.count_open()[0] == 2)
    async with dialling(transport) as link:
        await link.close()
    for _, writer_ in (*pairs, (reader, writer)):
        writer_.close()
    await transport.stop()


async def test_handshakes_are_answered_one_after_the_other(monkeypatch):
    """Each costs 1.4 ms before the other side has shown who it is."""
    monkeypatch.setattr(websocket, "HANDSHAKES_PER_S", 20.0)
    async with listening() as transport:
        began = asyncio.get_running_loop().time()

        async def dial(seed):
            async with dialling(transport, seed) as link:
                await link.close()

        await asyncio.gather(*(dial(seed) for seed in range(2, 8)))
        assert asyncio.get_running_loop().time() - began >= 5 / 20
