"""A relay carries bytes in order, delays them, stops them, and breaks connections on request."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from inos.devnet.chaos.relay import Relay, lead_to

LIMIT_S = 60


@contextlib.asynccontextmanager
async def open_echo() -> AsyncIterator[int]:
    """Open a server that returns what it gets; when it is closed, it waits for its connections to end."""
    ended: list[asyncio.Event] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ended.append(asyncio.Event())
        end = ended[-1]
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65_536):
                writer.write(data)
                await writer.drain()
        writer.transport.abort()
        end.set()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]
        for end in ended:
            await end.wait()


@contextlib.asynccontextmanager
async def through(relay: Relay) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", relay.port)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


async def test_all_bytes_come_in_order() -> None:
    data = bytes(range(256)) * 20_000  # more than a relay buffers
    async with (
        asyncio.timeout(LIMIT_S),
        open_echo() as port,
        Relay(lead_to(port)) as relay,
        through(relay) as ends,
    ):
        reader, writer = ends
        async with asyncio.TaskGroup() as group:
            back = group.create_task(reader.readexactly(len(data)))
            writer.write(data)
            await writer.drain()
        assert back.result() == data


async def test_every_byte_is_late_by_the_delay_each_way() -> None:
    clock = asyncio.get_running_loop()
    relay = Relay(delay_s=0.1)
    async with asyncio.timeout(LIMIT_S), open_echo() as port, relay:
        relay.connect = lead_to(port)
        async with through(relay) as (reader, writer):
            started = clock.time()
            for _ in range(10):  # they are in flight together, so the delays do not add up
                writer.write(b"x")
                await writer.drain()
            await reader.readexactly(10)
            assert 0.2 <= clock.time() - started < 1.0
            relay.delay_s = 0.0
            started = clock.time()
            writer.write(b"x")
            await reader.readexactly(1)
            assert clock.time() - started < 0.1


async def test_a_stalled_connection_lives_and_delivers_when_healed() -> None:
    async with (
        asyncio.timeout(LIMIT_S),
        open_echo() as port,
        Relay(lead_to(port)) as relay,
        through(relay) as ends,
    ):
        reader, writer = ends
        relay.stall()
        writer.write(b"late")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.read(1), 0.1)
        relay.heal()
        assert await reader.readexactly(4) == b"late"


async def test_a_cut_breaks_connections_and_refuses_new_ones() -> None:
    async with asyncio.timeout(LIMIT_S), open_echo() as port, Relay(lead_to(port)) as relay:
        async with through(relay) as (reader, writer):
            writer.write(b"x")
            await reader.readexactly(1)
            relay.cut()
            with contextlib.suppress(ConnectionError):
                assert await reader.read(1) == b""
        async with through(relay) as (reader, _):
            with contextlib.suppress(ConnectionError):
                assert await reader.read(1) == b""
        relay.heal()
        async with through(relay) as (reader, writer):
            writer.write(b"y")
            assert await reader.readexactly(1) == b"y"


async def test_a_cut_ends_what_is_stalled() -> None:
    async with (
        asyncio.timeout(LIMIT_S),
        open_echo() as port,
        Relay(lead_to(port)) as relay,
        through(relay) as ends,
    ):
        reader, writer = ends
        relay.stall()
        writer.write(b"never")
        relay.cut()
        with contextlib.suppress(ConnectionError):
            assert await reader.read(1) == b""


async def test_without_a_target_connections_are_dropped_until_there_is_one() -> None:
    async with asyncio.timeout(LIMIT_S), open_echo() as port, Relay() as relay:
        async with through(relay) as (reader, _):
            with contextlib.suppress(ConnectionError):
                assert await reader.read(1) == b""
        relay.connect = lead_to(port)
        async with through(relay) as (reader, writer):
            writer.write(b"z")
            assert await reader.readexactly(1) == b"z"
