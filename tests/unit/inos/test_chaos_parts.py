"""The chaotic devnet's parts: what a person may ask for, and links that are slow or cut."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from inos.devnet.chaos.plan import ChaosPlan, parse_duration, parse_plan
from inos.devnet.chaos.relay import Relay
from inos.devnet.processes import DevnetError


@pytest.mark.parametrize(
    ("text", "plan"),
    [
        (
            "kill=6/min,partition=2/min,delay=200ms,liars=2",
            ChaosPlan(kills_per_min=6, partitions_per_min=2, delay_s=0.2, liars=2),
        ),
        (" kill=0.1/s , delay=1s", ChaosPlan(kills_per_min=6, delay_s=1)),
        ("partition=30/h", ChaosPlan(partitions_per_min=0.5)),
        ("liars=0", ChaosPlan()),
    ],
)
def test_a_plan_is_read(text: str, plan: ChaosPlan) -> None:
    assert parse_plan(text) == plan


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "empty"),
        ("kil=6/min", "'kil'"),
        ("kill=6", "kill=6"),
        ("kill=61/min", "at most 60/min"),
        ("kill=-1/min", "kill=-1/min"),
        ("delay=9s", "at most 5 s"),
        ("delay=fast", "'fast' is no time"),
        ("liars=9", "up to 8"),
        ("liars=x", "liars=x"),
        ("liars=1,liars=2", "twice"),
    ],
)
def test_a_wrong_plan_is_refused_naming_the_part(text: str, words: str) -> None:
    with pytest.raises(DevnetError) as refused:
        parse_plan(text)
    assert refused.value.code in ("bad-chaos", "bad-duration")
    assert words in refused.value.message


def test_times_have_units() -> None:
    assert [parse_duration("t", text) for text in ("500ms", "90s", "2m", "1h", "1.5min")] == [0.5, 90, 120, 3600, 90]
    with pytest.raises(DevnetError):
        parse_duration("t", "5")


@pytest.fixture
async def echo() -> AsyncIterator[int]:
    """The port of a server that says everything back."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1000):
            writer.write(data)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()


async def test_a_slow_link_keeps_order_and_takes_its_time(echo: int) -> None:
    async with Relay(echo, delay_s=0.1) as relay:
        reader, writer = await asyncio.open_connection("127.0.0.1", relay.port)
        start = asyncio.get_running_loop().time()
        for n in range(50):
            writer.write(bytes([n]))
            await writer.drain()
        assert await reader.readexactly(50) == bytes(range(50))
        assert asyncio.get_running_loop().time() - start >= 0.2
        relay.set_delay(0.0)
        writer.write(b"now")
        assert await reader.readexactly(3) == b"now"
        writer.close()
        assert await reader.read() == b""


async def is_refused(port: int) -> bool:
    """Whether a connection is dropped before anything comes through it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(b"x")
        return await reader.read(1) == b""
    except ConnectionError:
        return True
    finally:
        writer.close()


async def test_a_cut_link_drops_what_it_has_and_lets_nothing_through(echo: int) -> None:
    async with Relay(echo) as relay:
        reader, writer = await asyncio.open_connection("127.0.0.1", relay.port)
        writer.write(b"a")
        assert await reader.readexactly(1) == b"a"
        relay.cut()
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await reader.readexactly(1)
        writer.close()
        assert await is_refused(relay.port)
        relay.heal()
        assert not await is_refused(relay.port)


async def test_a_relay_to_nobody_refuses() -> None:
    async with Relay() as relay:
        assert await is_refused(relay.port)
