"""What the rest of the network package needs of a transport, and nothing more."""

from collections.abc import Awaitable, Callable
from typing import Final, Protocol, TypeAlias

from inos.network.identity import PeerAddress
from inos.primitives.units import NodeId

MAX_FRAME_BYTES: Final = 65_519
"""A Noise message is at most 65,535 bytes and 16 of them are its tag; links of every transport keep to that."""


class Link(Protocol):
    """Ordered, reliable frames to one node whose id is proven. Closing is final."""

    @property
    def remote_id(self) -> NodeId:
        """H("node id", the other side's static key), proven by the handshake."""

    @property
    def remote_address(self) -> str:
        """Where the other side is, for people: host:port."""

    @property
    def remote_hello(self) -> bytes:
        """The payload of the other side's handshake message, as bytes nobody has checked yet."""

    @property
    def is_outbound(self) -> bool:
        """Whether this side dialled."""

    @property
    def bytes_in(self) -> int: ...

    @property
    def bytes_out(self) -> int: ...

    async def send(self, frame: bytes) -> None:
        """Send at most MAX_FRAME_BYTES; waits while the other side takes no more (the caller sets a time limit).

        Raises:
            LinkError: "link-closed".
        """

    async def receive(self) -> bytes:
        """The next frame, at most MAX_FRAME_BYTES.

        Raises:
            LinkError: "link-closed", or "bad-frame" where the bytes are not what the other side sent.
        """

    async def close(self) -> None:
        """End the link now; a waiting receive or send raises LinkError. Never raises, may be repeated."""


HelloMaker: TypeAlias = Callable[[], bytes]
"""Makes this node's handshake payload; called for each handshake, so that it is fresh."""
LinkHandler: TypeAlias = Callable[[Link], Awaitable[None]]
"""Takes over a link another node has dialled, and returns when it has ended."""


class Transport(Protocol):
    """A way to make links. All handshakes have time limits of their own."""

    @property
    def port(self) -> int:
        """Where it listens; 0 before it does."""

    async def listen(self, hello: HelloMaker, handler: LinkHandler) -> None:
        """Accept links until `stop`.

        Raises:
            NetworkError: "port-in-use", "cannot-listen".
        """

    async def dial(self, address: PeerAddress, hello: HelloMaker) -> Link:
        """A link to the node `address.id`, and to no other.

        Raises:
            LinkError: nobody there, or not in time.
            HandshakeFailed: "wrong-peer", "bad-handshake" (another network or version looks like this too).
        """

    async def verify_address(self, address: PeerAddress) -> None:
        """Dial just far enough to see that `address.id` lives there; the other side sees no link. Raises as `dial`."""

    async def stop(self) -> None:
        """Accept no more and end what is still in its handshake."""
