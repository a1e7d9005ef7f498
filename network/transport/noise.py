"""Noise_XX_25519_ChaChaPoly_SHA256 runs over any pipe of binary messages.

The messages are: -> e; <- e, ee, s, es, hello; -> s, se, hello. Both sides prove their static key. The key of the
dialling side is shown only to a node that has proven its own. The prologue contains protocol version and genesis id, so
that nodes of another network fail in the handshake.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final, Protocol

from cryptography.exceptions import InvalidTag
from noise.connection import Keypair, NoiseConnection
from noise.exceptions import (
    NoiseHandshakeError,
    NoiseInvalidMessage,
    NoiseMaxNonceError,
    NoiseValueError,
)

from inos.network.errors import HandshakeFailed, LinkError
from inos.network.identity import NodeIdentity, compute_node_id
from inos.network.link import MAX_FRAME_BYTES, HelloMaker
from inos.network.settings import PROTOCOL_VERSION
from inos.primitives.codec import encode
from inos.primitives.units import BlockId, NodeId

PROTOCOL_NAME: Final = b"Noise_XX_25519_ChaChaPoly_SHA256"
MAX_NOISE_BYTES: Final = 65_535
_BROKEN: Final = (InvalidTag, NoiseValueError, NoiseInvalidMessage, NoiseHandshakeError, ValueError, TypeError)
"""The library raises these errors on bytes that are not the next message of this handshake."""


class Pipe(Protocol):
    """Carries whole binary messages of at most 65,535 bytes, in order, neither encrypted nor authenticated."""

    @property
    def address(self) -> str: ...

    @property
    def bytes_in(self) -> int: ...

    @property
    def bytes_out(self) -> int: ...

    async def send(self, message: bytes) -> None:
        """Send a message; raises LinkError if the pipe is closed."""

    async def receive(self) -> bytes:
        """Return the next message; raises LinkError if the pipe is closed or the message is too large."""

    async def close(self) -> None: ...


def make_prologue(genesis_id: BlockId) -> bytes:
    """Return the data on which both sides must agree before the handshake."""
    return encode(("inos link", PROTOCOL_VERSION, genesis_id))


class Handshake:
    """Holds one side of a handshake. It turns bytes into bytes and does no I/O."""

    def __init__(
        self, identity: NodeIdentity, prologue: bytes, *, is_initiator: bool, ephemeral: bytes | None = None
    ) -> None:
        """Start a handshake; only test vectors set `ephemeral`."""
        self._noise = NoiseConnection.from_name(PROTOCOL_NAME)
        self._noise.set_prologue(prologue)
        if is_initiator:
            self._noise.set_as_initiator()
        else:
            self._noise.set_as_responder()
        self._noise.set_keypair_from_private_bytes(Keypair.STATIC, identity.secret)
        if ephemeral is not None:
            self._noise.set_keypair_from_private_bytes(Keypair.EPHEMERAL, ephemeral)
        self._noise.start_handshake()
        # The library drops the handshake's state when it ends, and with it the other side's key.
        self._state = self._noise.noise_protocol.handshake_state

    def write(self, payload: bytes = b"") -> bytes:
        """Return the next message to send.

        Raises:
            HandshakeFailed: "bad-handshake", if no secret can be agreed on with the other side's key.
        """
        try:
            return bytes(self._noise.write_message(payload))
        except _BROKEN as error:
            raise HandshakeFailed("bad-handshake", "the other side's key is not usable") from error

    def read(self, message: bytes) -> bytes:
        """Return the payload of the other side's next message.

        Raises:
            HandshakeFailed: "bad-handshake".
        """
        try:
            return bytes(self._noise.read_message(message))
        except _BROKEN as error:
            raise HandshakeFailed(
                "bad-handshake",
                "the other side's handshake does not match ours",
                hint="it may belong to another network or run another version",
            ) from error

    @property
    def remote_id(self) -> NodeId:
        """This is the other side's id, once its key has arrived."""
        return compute_node_id(bytes(self._state.rs.public_bytes))

    @property
    def hash(self) -> bytes:
        """These 32 bytes are the same on both sides of a finished handshake, and differ for every other handshake."""
        return bytes(self._noise.get_handshake_hash())

    def encrypt(self, frame: bytes) -> bytes:
        """Encrypt a frame after the handshake."""
        return bytes(self._noise.encrypt(frame))

    def decrypt(self, message: bytes) -> bytes:
        """Decrypt a frame.

        Raises:
            LinkError: "bad-frame".
        """
        try:
            return bytes(self._noise.decrypt(message))
        except (*_BROKEN, NoiseMaxNonceError) as error:
            raise LinkError("bad-frame", "a frame is not what the other side encrypted") from error


class NoiseLink:
    """Carries encrypted messages over a pipe whose handshake is done."""

    def __init__(self, pipe: Pipe, handshake: Handshake, hello: bytes, *, is_outbound: bool) -> None:
        self._pipe = pipe
        self._handshake = handshake
        self._remote_id = handshake.remote_id
        self._hello = hello
        self._is_outbound = is_outbound

    @property
    def remote_id(self) -> NodeId:
        return self._remote_id

    @property
    def remote_address(self) -> str:
        return self._pipe.address

    @property
    def remote_hello(self) -> bytes:
        return self._hello

    @property
    def is_outbound(self) -> bool:
        return self._is_outbound

    @property
    def bytes_in(self) -> int:
        return self._pipe.bytes_in

    @property
    def bytes_out(self) -> int:
        return self._pipe.bytes_out

    async def send(self, frame: bytes) -> None:
        if len(frame) > MAX_FRAME_BYTES:
            raise ValueError(f"a frame has at most {MAX_FRAME_BYTES} bytes, but this one has {len(frame)}")
        await self._pipe.send(self._handshake.encrypt(frame))

    async def receive(self) -> bytes:
        return self._handshake.decrypt(await self._pipe.receive())

    async def close(self) -> None:
        await self._pipe.close()


async def open_link(
    pipe: Pipe, identity: NodeIdentity, prologue: bytes, hello: bytes, *, expected: NodeId, limit_s: float
) -> NoiseLink:
    """Run the dialling side's handshake and return the link.

    Raises:
        HandshakeFailed: "wrong-peer", "bad-handshake".
        LinkError: "link-closed", "handshake-timeout".
    """
    handshake = Handshake(identity, prologue, is_initiator=True)
    async with _limit(limit_s):
        remote_hello = await _receive_proof(pipe, handshake, expected)
        await pipe.send(handshake.write(hello))
    return NoiseLink(pipe, handshake, remote_hello, is_outbound=True)


async def prove_node(pipe: Pipe, identity: NodeIdentity, prologue: bytes, *, expected: NodeId, limit_s: float) -> None:
    """Run the first half of the dialling side's handshake, which proves the id of the other side.

    It raises the errors of `open_link`.
    """
    async with _limit(limit_s):
        await _receive_proof(pipe, Handshake(identity, prologue, is_initiator=True), expected)


async def _receive_proof(pipe: Pipe, handshake: Handshake, expected: NodeId) -> bytes:
    """Return the other side's hello, which proves that it holds the key of its id."""
    await pipe.send(handshake.write())
    hello = handshake.read(await pipe.receive())
    if handshake.remote_id != expected:
        raise HandshakeFailed(
            "wrong-peer",
            f"{pipe.address} answers as {handshake.remote_id.hex()}, expected {expected.hex()}",
            hint="ask the operator of the peer for its present ID@host:port",
        )
    return hello


async def accept_link(
    pipe: Pipe,
    identity: NodeIdentity,
    prologue: bytes,
    hello: HelloMaker,
    *,
    limit_s: float,
    wait_turn: Callable[[], Awaitable[None]] | None = None,
) -> NoiseLink:
    """Run the dialled side's handshake and return the link; raises as `open_link` does.

    Args:
        wait_turn: waits until this node may spend the work of another handshake.
    """
    async with _limit(limit_s):
        first = await pipe.receive()
        if wait_turn is not None:
            await wait_turn()
        handshake = Handshake(identity, prologue, is_initiator=False)
        handshake.read(first)
        await pipe.send(handshake.write(hello()))
        remote_hello = handshake.read(await pipe.receive())
    return NoiseLink(pipe, handshake, remote_hello, is_outbound=False)


@asynccontextmanager
async def _limit(seconds: float) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError:
        raise LinkError("handshake-timeout", "the other side did not finish the handshake in time") from None
