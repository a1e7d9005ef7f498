"""An attacking node: proven links and the real encoding, and otherwise only the behaviour that it is given."""

import asyncio
from collections import Counter
from collections.abc import Sequence

from msgspec import Struct

from inos.network.errors import LinkError, Misbehaviour
from inos.network.identity import PeerAddress
from inos.network.link import Link
from inos.network.settings import PROTOCOL_VERSION
from inos.network.transport.simulated import Line
from inos.network.wire.base import Message
from inos.network.wire.control import Bye, Hello, Ping, Pong
from inos.network.wire.framing import Assembler, split
from inos.network.wire.limits import get_limit
from inos.network.wire.messages import decode_message, encode_message
from inos.primitives.codec import encode
from inos.primitives.units import BlockId, NodeId
from support.sim_node import SimNode
from support.sim_world import World

FAST_LINE = (60e6, 60e6)
REDIAL_S = 5.0


class Claim(Struct, frozen=True):
    """The hello that the attacker sends."""

    tip: BlockId
    height: int
    weight: int = 0


class Attacker:
    """It keeps links to its victims, answers pings, and passes all other messages to `on_message`.

    Subclasses define the attack: `on_link` for a new link, `on_message` for each message.
    """

    def __init__(self, world: World, number: int, *, host: str = "") -> None:
        self.world = world
        self.rng = world.rng
        self.id = NodeId(bytes([0xEE]) + number.to_bytes(4, "big") + world.rng.randbytes(27))
        self.place = (host or f"{140 + number // 250}.{number % 250}.9.1", 9000)
        self.claim = Claim(world.chain.genesis_id, 0)
        self.is_reading = True
        self.links: dict[NodeId, Link] = {}
        self.refusals: Counter[str] = Counter()
        """The reasons that victims gave for closing links."""
        self._transport = world.net.make_transport(self.id, *self.place, Line(*FAST_LINE))
        world.climate.place(self.id)
        self._tasks: list[asyncio.Task[None]] = []
        world.at_end(self.stop)

    @property
    def address(self) -> PeerAddress:
        return PeerAddress(self.id, *self.place)

    async def listen(self) -> None:
        await self._transport.listen(self.make_hello, self._serve)

    def attack(self, victims: Sequence[SimNode]) -> None:
        """Keep a link to each victim and reconnect when it is lost."""
        self._tasks += [self.world.group.create_task(self._hold(victim.address)) for victim in victims]

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await self._transport.stop()
        for link in tuple(self.links.values()):
            await link.close()

    async def _hold(self, address: PeerAddress) -> None:
        while True:
            try:
                await self._serve(await self._transport.dial(address, self.make_hello))
            except LinkError as error:
                self.refusals[error.code] += 1
            await asyncio.sleep(REDIAL_S)

    def make_hello(self) -> bytes:
        return encode(
            Hello(
                version=PROTOCOL_VERSION,
                chain_id=self.world.chain.params.chain_id,
                genesis_id=self.world.chain.genesis_id,
                user_agent="nice",
                tip=self.claim.tip,
                height=self.claim.height,
                weight=self.claim.weight.to_bytes(32, "big"),
                listen_port=self.place[1],
            )
        )

    async def _serve(self, link: Link) -> None:
        self.links[link.remote_id] = link
        assembler, work = Assembler(), None
        try:
            async with asyncio.TaskGroup() as group:
                work = group.create_task(self._work(link))
                while True:
                    if not self.is_reading:
                        await asyncio.sleep(3600)
                    whole = assembler.add(await link.receive())
                    if whole is not None:
                        kind, data = whole
                        await self._take(link, decode_message(data, limit=get_limit(kind).max_bytes))
        except* (LinkError, Misbehaviour) as errors:
            self.refusals[str(getattr(errors.exceptions[0], "code", "?"))] += 1
        finally:
            if work is not None:
                work.cancel()
            if self.links.get(link.remote_id) is link:
                del self.links[link.remote_id]
            await link.close()

    async def _work(self, link: Link) -> None:
        try:
            await self.on_link(link)
        except LinkError:
            return

    async def _take(self, link: Link, message: Message) -> None:
        if isinstance(message, Ping):
            await self.send(link, Pong(message.nonce, self.claim.tip, self.claim.height))
        elif isinstance(message, Bye):
            self.refusals[f"bye: {message.reason}"] += 1
        else:
            await self.on_message(link, message)

    async def send(self, link: Link, message: Message) -> None:
        """Send a message in pieces, as a peer would."""
        for frame in split(encode_message(message), get_limit(type(message)).lane):
            await link.send(frame)

    async def on_link(self, link: Link) -> None:
        """Handle a new link."""

    async def on_message(self, link: Link, message: Message) -> None:
        """Handle a message that is neither ping nor goodbye."""
