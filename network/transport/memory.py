"""Tests use links inside one process.

There is no encryption: ids are given and believed. Everything above the link runs as it does on sockets.
"""

import asyncio
from collections import deque
from typing import Final

from inos.network.errors import HandshakeFailed, LinkError, NetworkError
from inos.network.identity import PeerAddress
from inos.network.link import MAX_FRAME_BYTES, HelloMaker, Link, LinkHandler
from inos.primitives.units import NodeId

BUFFER_FRAMES: Final = 4
"""In each direction this many frames may be in flight; more make the sender wait, like the buffer of a socket."""


class _Direction:
    """Carries the frames in one direction."""

    def __init__(self) -> None:
        self.frames: deque[bytes] = deque()
        self.is_closed = False
        self.changed = asyncio.Event()

    async def put(self, frame: bytes) -> None:
        while len(self.frames) >= BUFFER_FRAMES and not self.is_closed:
            await self._wait()
        if self.is_closed:
            raise LinkError("link-closed", "the link is closed")
        self.frames.append(frame)
        self.changed.set()

    async def get(self) -> bytes:
        while not self.frames:
            if self.is_closed:
                raise LinkError("link-closed", "the link is closed")
            await self._wait()
        frame = self.frames.popleft()
        self.changed.set()
        return frame

    async def _wait(self) -> None:
        self.changed.clear()
        await self.changed.wait()


class MemoryLink:
    """One end of a pair of links."""

    def __init__(
        self, out: _Direction, into: _Direction, remote_id: NodeId, hello: bytes, address: str, is_outbound: bool
    ) -> None:
        self._out = out
        self._in = into
        self.remote_id = remote_id
        self.remote_hello = hello
        self.remote_address = address
        self.is_outbound = is_outbound
        self.bytes_in = 0
        self.bytes_out = 0

    async def send(self, frame: bytes) -> None:
        if len(frame) > MAX_FRAME_BYTES:
            raise ValueError(f"a frame has at most {MAX_FRAME_BYTES} bytes, but this one has {len(frame)}")
        await self._out.put(frame)
        self.bytes_out += len(frame)

    async def receive(self) -> bytes:
        frame = await self._in.get()
        self.bytes_in += len(frame)
        return frame

    async def close(self) -> None:
        for direction in (self._out, self._in):
            direction.is_closed = True
            direction.changed.set()


def make_link_pair(
    dialler: NodeId, dialled: NodeId, hellos: tuple[bytes, bytes] = (b"", b"")
) -> tuple[MemoryLink, MemoryLink]:
    """Return the dialling and the dialled end; `hellos` are their handshake payloads in the same order."""
    there, back = _Direction(), _Direction()
    return (
        MemoryLink(there, back, dialled, hellos[1], dialled.hex()[:8], True),
        MemoryLink(back, there, dialler, hellos[0], dialler.hex()[:8], False),
    )


class MemoryNetwork:
    """Connects all transports that can reach each other, by host and port."""

    def __init__(self) -> None:
        self.listeners: dict[tuple[str, int], MemoryTransport] = {}

    def make_transport(self, node_id: NodeId, host: str, port: int) -> "MemoryTransport":
        """Return a transport for one node; other nodes can reach it once it listens."""
        return MemoryTransport(self, node_id, host, port)


class MemoryTransport:
    """Makes links inside one process. It satisfies `inos.network.link.Transport`."""

    def __init__(self, network: MemoryNetwork, node_id: NodeId, host: str, port: int) -> None:
        self._network = network
        self._id = node_id
        self._endpoint = (host, port)
        self._hello: HelloMaker | None = None
        self._handler: LinkHandler | None = None
        self._sessions: set[asyncio.Task[None]] = set()

    @property
    def port(self) -> int:
        return self._endpoint[1] if self._hello is not None else 0

    async def listen(self, hello: HelloMaker, handler: LinkHandler) -> None:
        if self._endpoint in self._network.listeners:
            raise NetworkError("port-in-use", f"something listens at {self._endpoint[0]}:{self._endpoint[1]} already")
        self._hello, self._handler = hello, handler
        self._network.listeners[self._endpoint] = self

    async def dial(self, address: PeerAddress, hello: HelloMaker) -> Link:
        other, other_hello = self._find(address)
        near, far = make_link_pair(self._id, other._id, (hello(), other_hello()))
        near.remote_address, far.remote_address = format_endpoint(other._endpoint), format_endpoint(self._endpoint)
        other.accept(far)
        return near

    async def verify_address(self, address: PeerAddress) -> None:
        self._find(address)

    def _find(self, address: PeerAddress) -> "tuple[MemoryTransport, HelloMaker]":
        other = self._network.listeners.get((address.host, address.port))
        if other is None or other._hello is None or other._handler is None:
            raise LinkError("cannot-dial", f"cannot reach {address}: no node listens there")
        if other._id != address.id:
            raise HandshakeFailed(
                "wrong-peer", f"{address.host} answers as {other._id.hex()}, expected {address.id.hex()}"
            )
        return other, other._hello

    def accept(self, link: MemoryLink) -> None:
        """Give a link to the handler in a task of its own, as a server does with a connection."""
        handler = self._handler
        if handler is None:
            raise LinkError("cannot-dial", "no node listens there")

        async def run() -> None:
            await handler(link)

        task = asyncio.get_running_loop().create_task(run())
        self._sessions.add(task)
        task.add_done_callback(self._sessions.discard)

    async def stop(self) -> None:
        self._network.listeners.pop(self._endpoint, None)
        for task in tuple(self._sessions):
            task.cancel()
        await asyncio.gather(*self._sessions, return_exceptions=True)


def format_endpoint(place: tuple[str, int]) -> str:
    return f"[{place[0]}]:{place[1]}" if ":" in place[0] else f"{place[0]}:{place[1]}"
