"""Messages sent and received on a link by hand, and pairs of services to send them to."""

import asyncio

from inos.network.errors import LinkError
from inos.network.wire.control import Bye, Ping, Pong
from inos.network.wire.framing import Assembler, split
from inos.network.wire.limits import get_limit
from inos.network.wire.messages import decode_message, encode_message
from support.network_fakes import get_address, make_service, raw_link


async def say(link, message):
    for frame in split(encode_message(message), get_limit(type(message)).lane):
        await link.send(frame)


async def hear(link, *kinds):
    """Return the next message of one of `kinds`; answer pings and ignore the rest."""
    assembler = Assembler()
    async with asyncio.timeout(60):
        while True:
            whole = assembler.add(await link.receive())
            if whole is None:
                continue
            message = decode_message(whole[1], limit=1 << 24)
            if isinstance(message, Ping):
                await say(link, Pong(message.nonce, message.tip, message.height))
            if isinstance(message, kinds):
                return message


async def hear_end(link):
    """Read until the link ends, and return the reason that the other side gave, or ""."""
    assembler, reason = Assembler(), ""
    try:
        async with asyncio.timeout(60):
            while True:
                whole = assembler.add(await link.receive())
                if whole is not None and whole[0] is Bye:
                    reason = decode_message(whole[1], limit=1 << 20).reason
    except LinkError:
        return reason


async def start_pair(first, second, **changes):
    a = make_service(first, 1, **changes)
    await a.start()
    return a, make_service(second, 2, get_address(a), **changes)


async def is_refused(service, seed):
    async with raw_link(seed, get_address(service)) as again:
        return await hear_end(again) == "banned"
