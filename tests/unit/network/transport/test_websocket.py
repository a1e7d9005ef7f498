"""The WebSocket transport with peers that do not finish what they begin."""

import asyncio
import logging
import socket
import struct

import pytest

from inos.network.transport.websocket import PATH, WebSocketTransport
from support.network_fakes import FAST, GENESIS_ID, make_identity, until

UPGRADE = (
    f"GET {PATH} HTTP/1.1\r\nHost: node\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
).encode()
TIMES = 40


async def nobody(link: object) -> None:
    raise AssertionError("no link can come of this")


def dial_and_vanish(port: int) -> None:
    """Ask for the upgrade and reset the connection in the same moment."""
    with socket.create_connection(("127.0.0.1", port)) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.sendall(UPGRADE)


async def test_who_dials_and_is_gone_leaves_no_error_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    transport = WebSocketTransport(make_identity(1), GENESIS_ID, host="127.0.0.1", port=0, limits=FAST)
    await transport.listen(lambda: b"", nobody)
    try:
        with caplog.at_level(logging.WARNING):
            for _ in range(TIMES):
                dial_and_vanish(transport.port)
                await asyncio.sleep(0.001)
            await until(lambda: not transport._unproven and not transport._idle)
        assert caplog.records == []
    finally:
        await transport.stop()
