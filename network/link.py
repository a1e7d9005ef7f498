"""This is the interface that the rest of the network package needs of a transport."""

from collections.abc import Awaitable, Callable
from typing import Final, Protocol, TypeAlias

from inos.network.identity import PeerAddress
from inos.primitives.units import NodeId

MAX_FRAME_BYTES: Final = 65_519
"""A Noise message has at most 65,535 bytes, of which 16 are its tag. Links of every transport keep this limit."""


class Link(Protocol):
    """Carries ordered, reliable frames to one node whose id is proven. A closed link stays closed."""

    @property
    def remote_id(self) -> NodeId:
        """This is H("node id", the other side's static key), which the handshake has proven."""

    @property
    def remote_address(self) -> str:
        """This is the endpoint of the other side as text: host:port."""

    @property
    def remote_hello(self) -> bytes:
        """The other side sent these bytes as payload of its handshake message; they are not decoded or checked yet."""

    @property
    def is_outbound(self) -> bool:
        """The property is True if this side dialled."""

    @property
    def bytes_in(self) -> int: ...

    @property
    def bytes_out(self) -> int: ...

    async def send(self, frame: bytes) -> None:
        """Send a frame of at most MAX_FRAME_BYTES; wait while the other side accepts no more (the caller sets a time
        limit).

        Raises:
            LinkError: "link-closed".
        """

    async def receive(self) -> bytes:
        """Return the next frame, which has at most MAX_FRAME_BYTES.

        Raises:
            LinkError: "link-closed", or "bad-frame" if the bytes are not what the other side sent.
        """

    async def close(self) -> None:
        """End the link now. A waiting receive or send raises LinkError. This method never raises and may be called
        again."""


HelloMaker: TypeAlias = Callable[[], bytes]
"""Returns this node's handshake payload. It is called for each handshake, so that the payload is current."""
LinkHandler: TypeAlias = Callable[[Link], Awaitable[None]]
"""Serves a link that another node has dialled, and returns when the link has ended."""


class Transport(Protocol):
    """Makes links. Every handshake has its own time limit."""

    @property
    def port(self) -> int:
        """The transport listens on this port; it is 0 before it does."""

    async def listen(self, hello: HelloMaker, handler: LinkHandler) -> None:
        """Accept links until `stop`.

        Raises:
            NetworkError: "port-in-use", "cannot-listen".
        """

    async def dial(self, address: PeerAddress, hello: HelloMaker) -> Link:
        """Return a link to the node `address.id`, and to no other.

        Raises:
            LinkError: the node cannot be reached, or not in time.
            HandshakeFailed: "wrong-peer", "bad-handshake" (which also means another network or version).
        """

    async def verify_address(self, address: PeerAddress) -> None:
        """Dial and run the handshake until `address.id` is proven, but make no link. It raises the errors of `dial`."""

    async def stop(self) -> None:
        """Stop accepting links and abort the handshakes in progress."""
