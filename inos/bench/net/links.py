"""One link between two processes: how many small messages and how many bytes it carries, and at which cost."""

import asyncio
import os
import statistics
import time
from typing import Final

from msgspec import Struct

from inos.bench.net.partner import STRIPS, make_hello, make_transport, send
from inos.bench.net.process import Partner, open_partner
from inos.genesis import load_network
from inos.network.identity import parse_peer_address
from inos.network.link import Link
from inos.network.wire.framing import Assembler
from inos.network.wire.matrices import GetStrips
from inos.network.wire.transactions import AnnounceTransactions
from inos.primitives.matrices import STRIP_BYTES

NETWORK: Final = "devnet"
SMALL: Final = 31
"""Ids in a small message of 1 KB."""
CALM_PER_S: Final = 200
MB_REQUESTS: Final = 40
REQUEST_ANSWERS: Final = (1 << 20) // (STRIPS * STRIP_BYTES)


class LinkStats(Struct, frozen=True):
    """A link of two processes over loopback, with Noise, WebSocket and codec."""

    small_per_s: float
    """Messages of 1 KB that the receiver decodes per second when the sender sends as fast as it can."""
    calm_cpu: float
    """Part of one core that the receiver needs for 200 messages per second."""
    mb_per_s: float
    """10^6 bytes per second in requests of 1 MiB, one at a time."""
    mb_per_s_four: float
    """10^6 bytes per second with four requests at a time."""


async def measure_links(seconds: float) -> LinkStats:
    """Measure one link; the first two figures take `seconds` each."""
    network = load_network(NETWORK)
    async with open_partner(NETWORK, "serve") as partner:
        transport = make_transport(network, os.urandom(32))
        link = await transport.dial(parse_peer_address(partner.ready["address"]), lambda: make_hello(network))
        try:
            small = await _measure_small(link, partner, seconds)
            calm = await _measure_calm(link, partner, seconds)
            one = await _measure_bytes(link, 1)
            four = await _measure_bytes(link, 4)
        finally:
            await link.close()
            await transport.stop()
    return LinkStats(small, calm, one, four)


def _make_small() -> AnnounceTransactions:
    return AnnounceTransactions(tuple(os.urandom(32) for _ in range(SMALL)))


async def _measure_small(link: Link, partner: Partner, seconds: float) -> float:
    message, before = _make_small(), (await partner.ask())["messages"]
    began, sent = time.monotonic(), 0
    while time.monotonic() - began < seconds:
        for _ in range(100):
            await send(link, message)
        sent += 100
    while (await partner.ask())["messages"] - before < sent:  # noqa: ASYNC110 -- the other process only answers when asked
        await asyncio.sleep(0.005)
    return sent / (time.monotonic() - began)


async def _measure_calm(link: Link, partner: Partner, seconds: float) -> float:
    message, before = _make_small(), await partner.ask()
    began = time.monotonic()
    for number in range(round(seconds * CALM_PER_S)):
        await asyncio.sleep(max(0.0, began + number / CALM_PER_S - time.monotonic()))
        await send(link, message)
    after = await partner.ask()
    return float((after["cpu_s"] - before["cpu_s"]) / (time.monotonic() - began))


async def _measure_bytes(link: Link, at_once: int) -> float:
    """Return the median rate of the requests, after a first one to warm up."""
    assembler, request = Assembler(), bytes(32)
    speeds = []
    for _ in range(MB_REQUESTS // at_once + 1):
        began, missing = time.monotonic(), REQUEST_ANSWERS * at_once
        for number in range(at_once):
            await send(link, GetStrips(number, request, 0, REQUEST_ANSWERS))
        while missing:
            missing -= assembler.add(await link.receive()) is not None
        speeds.append(at_once * (1 << 20) / 1e6 / (time.monotonic() - began))
    return statistics.median(speeds[1:])
