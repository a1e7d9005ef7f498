"""A node's RPC server on loopback for the fuzz targets, which send it raw bytes; it runs on the caller's own loop."""

import asyncio
import json
import logging
import random
import socket
import struct
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from inos.genesis.loading import load_network
from inos.rpc import RpcServer, RpcSettings
from inos.rpc.errors import INTERNAL_ERROR
from inos.rpc.server.http_log import HTTP_LOG
from support.fake_node import FakeNode

UPGRADE: Final = (
    b"GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)
RAW: Final = 0xFF
"""A frame with this first byte is sent as it is, without a head."""
ROUNDS: Final = 30
"""So many rounds of the loop without an answer mean that none follows: server and caller share the loop."""
NEW_SERVER_AFTER: Final = 2_000
"""Inputs after which server and node are made anew, so that what earlier inputs stored does not add up."""
HEAD_S: Final = 10.0


class Served:
    """The server, started when it is first needed, and what went wrong in it."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._loop.set_exception_handler(lambda loop, context: self._wrong.append(str(context)))
        self._wrong: list[str] = []
        self._server: RpcServer | None = None
        self._inputs = 0
        HTTP_LOG.addHandler(_Keep(self._wrong))

    def send(self, data: bytes, *, upgrade: bool) -> bytes:
        """Send the bytes over a new connection and return the answer; with `upgrade` both are what follows the upgrade.

        Raises:
            AssertionError: something failed inside the server.
        """
        answer = self._loop.run_until_complete(self._send(data, upgrade=upgrade))
        assert not self._wrong, self._wrong
        return answer

    def close(self) -> None:
        """Stop the server."""
        self._loop.run_until_complete(self._stop())
        self._loop.close()

    async def _send(self, data: bytes, *, upgrade: bool) -> bytes:
        server = await self._get_server()
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        # With this option, closing leaves no half-closed port behind, of which there are too few.
        connection = writer.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        try:
            if upgrade:
                writer.write(UPGRADE)
                head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), HEAD_S)
                assert head.startswith(b"HTTP/1.1 101 "), head
            writer.write(data)
            return await _read_all(reader)
        except ConnectionError:
            return b""  # The server refused what followed, and has closed.
        finally:
            writer.transport.abort()
            await asyncio.sleep(0)

    async def _get_server(self) -> RpcServer:
        self._inputs += 1
        if self._server is None or self._inputs % NEW_SERVER_AFTER == 0:
            await self._stop()
            random.seed(1)
            with tempfile.TemporaryDirectory() as folder:  # the token is read once, at the start
                settings = RpcSettings(
                    token_path=Path(folder) / "rpc.token", port=0, body_limit=1 << 20, has_explorer=True
                )
                node: Any = FakeNode(load_network("devnet"))
                self._server = RpcServer(node, settings)
                await self._server.start()
        return self._server

    async def _stop(self) -> None:
        if self._server is not None:
            await self._server.stop()
            self._server = None


class _Keep(logging.Handler):
    """Keeps what aiohttp logs as an error: a handler that raised, which the caller sees as status 500."""

    def __init__(self, kept: list[str]) -> None:
        super().__init__(logging.ERROR)
        self._kept = kept

    def emit(self, record: logging.LogRecord) -> None:
        self._kept.append(self.format(record))


async def _read_all(reader: asyncio.StreamReader) -> bytes:
    """Return what arrives until the connection ends, or until nothing more happens."""
    answer = b""
    waiting = asyncio.ensure_future(reader.read(1 << 20))
    quiet = 0
    try:
        while quiet < ROUNDS:
            await asyncio.sleep(0)
            quiet += 1
            if waiting.done():
                if not (part := waiting.result()):
                    break
                answer, quiet = answer + part, 0
                waiting = asyncio.ensure_future(reader.read(1 << 20))
    finally:
        waiting.cancel()
    return answer


def join_input(frames: list[tuple[int, bytes]]) -> bytes:
    """Return the fuzzer's input for frames of a first byte and a payload; `make_frames` reads it."""
    return b"".join(bytes([first]) + len(payload).to_bytes(2, "big") + payload for first, payload in frames)


def make_frames(data: bytes) -> bytes:
    """Return the WebSocket frames that an input describes, masked with zeros, so that the fuzzer sees their text."""
    frames, at = b"", 0
    while at + 3 <= len(data):
        first, size = data[at], int.from_bytes(data[at + 1 : at + 3], "big")
        payload = data[at + 3 : at + 3 + size]
        at += 3 + size
        if first == RAW:
            frames += payload
        elif len(payload) < 126:
            frames += bytes([first, 0x80 | len(payload)]) + bytes(4) + payload
        else:
            frames += bytes([first, 0x80 | 126]) + len(payload).to_bytes(2, "big") + bytes(4) + payload
    return frames


def check_frames(answer: bytes) -> None:
    """Check that a server's bytes are frames without mask and extensions, and that no text is an internal error."""
    for first, payload in _split_answer(answer):
        assert first & 0x70 == 0, "a frame with reserved bits"
        if first & 0x0F == 1:
            for one in _as_list(json.loads(payload)):
                assert one.get("error", {}).get("code") != INTERNAL_ERROR, one


def _split_answer(answer: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + 2 <= len(answer):
        size, head = answer[at + 1], 2
        assert size < 0x80, "a server masks nothing"
        if size >= 126:
            head = 4 if size == 126 else 10
            size = int.from_bytes(answer[at + 2 : at + head], "big")
        if at + head + size > len(answer):
            return  # The rest had not arrived yet.
        yield answer[at], answer[at + head : at + head + size]
        at += head + size


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
