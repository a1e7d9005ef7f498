"""One side of a TCP connection that carries whole messages: first the HTTP upgrade, then strict WebSocket frames."""

import asyncio
import secrets
from collections import deque
from typing import Final

import structlog

from inos.network.errors import LinkError
from inos.network.transport.frames import FrameReader, encode_close, encode_message
from inos.network.transport.upgrade import END, MAX_HEAD_BYTES

log = structlog.get_logger("inos.network")

MAX_UNREAD: Final = 4
"""The socket is not read while this many messages wait for `receive`."""


class WebSocketPipe(asyncio.Protocol):
    """Satisfies `inos.network.transport.noise.Pipe`.

    Args:
        is_dialler: True on the side that dialled, which masks its frames.
        close_s: the seconds that the other side has to take what was sent before a close.
    """

    def __init__(self, *, is_dialler: bool, close_s: float) -> None:
        self._is_dialler = is_dialler
        self._close_s = close_s
        self._transport: asyncio.Transport | None = None
        self._head = bytearray()
        self._frames: FrameReader | None = None
        self._unread: deque[bytes] = deque()
        self._end: LinkError | None = None
        """The link ended for this reason; what arrives after it is dropped."""
        self._arrived = asyncio.Event()
        self._can_write = asyncio.Event()
        self._can_write.set()
        self._lost = asyncio.Event()
        self.address = "unknown"
        self.bytes_in = 0
        self.bytes_out = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # asyncio makes no other one for a TCP socket.
        self._transport = transport
        peer = transport.get_extra_info("peername")
        self.address = format_endpoint(*peer[:2]) if peer else "unknown"

    def data_received(self, data: bytes) -> None:
        if self._end is not None:
            return
        if self._frames is None:
            self._head += data
            if len(self._head) > MAX_HEAD_BYTES:
                self._finish(LinkError("bad-upgrade", f"an HTTP head has more than {MAX_HEAD_BYTES} bytes"))
            self._arrived.set()
            return
        self._take(data)

    def _take(self, data: bytes) -> None:
        assert self._frames is not None  # Only the head comes before them.
        assert self._transport is not None
        try:
            for message in self._frames.feed(data):
                self._unread.append(message)
                self.bytes_in += len(message)
        except LinkError as error:
            self._finish(error)
        if len(self._unread) >= MAX_UNREAD and self._end is None:
            self._transport.pause_reading()
        self._arrived.set()

    def eof_received(self) -> bool:
        self._finish(LinkError("link-closed", "the other side closed the link"))
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._finish(LinkError("link-closed", "the link is closed"))
        self._lost.set()

    def pause_writing(self) -> None:
        self._can_write.clear()

    def resume_writing(self) -> None:
        self._can_write.set()

    def _finish(self, error: LinkError) -> None:
        """Note the first reason for the end, and wake the tasks that wait for the link."""
        self._end = self._end or error
        self._arrived.set()
        self._can_write.set()

    async def receive_head(self) -> bytes:
        """Return the HTTP request or answer; frames follow it.

        Raises:
            LinkError: "bad-upgrade", "link-closed".
        """
        while (at := self._head.find(END)) < 0:
            await self._wait()
        head, rest = bytes(self._head[:at]), bytes(self._head[at + len(END) :])
        self._head.clear()
        self._frames = FrameReader(is_masked=not self._is_dialler)
        if rest:
            self._take(rest)
        return head

    def check_open(self) -> None:
        """Raise the reason of the end if the link has ended."""
        if self._end is not None:
            raise self._end

    async def _wait(self) -> None:
        """Wait for bytes; raise the reason of the end if none will come."""
        self.check_open()
        self._arrived.clear()
        await self._arrived.wait()

    async def receive(self) -> bytes:
        while not self._unread:
            await self._wait()
        message = self._unread.popleft()
        if len(self._unread) < MAX_UNREAD and self._transport is not None and self._end is None:
            self._transport.resume_reading()
        return message

    async def send(self, message: bytes) -> None:
        await self.send_bytes(encode_message(message, self._make_mask()))
        self.bytes_out += len(message)

    def _make_mask(self) -> bytes:
        return secrets.token_bytes(4) if self._is_dialler else b""

    async def send_bytes(self, data: bytes) -> None:
        """Send bytes as they are; wait while the other side accepts no more.

        Raises:
            LinkError: "link-closed".
        """
        if self._end is not None or self._transport is None or self._transport.is_closing():
            raise LinkError("link-closed", "the link is closed")
        self._transport.write(data)
        await self._can_write.wait()

    def abort(self) -> None:
        """Drop the connection at once, with all that was not sent."""
        self._finish(LinkError("link-closed", "the link is closed"))
        if self._transport is not None:
            self._transport.abort()

    async def close(self) -> None:
        """Say goodbye briefly, then drop the connection whether or not the other side answers."""
        transport = self._transport
        if transport is None or self._lost.is_set():
            return
        was_open = self._end is None
        self._finish(LinkError("link-closed", "the link is closed"))
        try:
            if not transport.is_closing():
                if was_open and self._frames is not None:
                    transport.write(encode_close(self._make_mask()))
                # A socket that is closed with unread bytes is reset, and the other side may lose the last words.
                transport.write_eof()
                transport.resume_reading()
            async with asyncio.timeout(self._close_s):
                await self._lost.wait()
        except (TimeoutError, OSError, RuntimeError):
            log.debug("link closed without goodbye", address=self.address)
        finally:
            transport.abort()


def format_endpoint(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
