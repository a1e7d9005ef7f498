"""The liars as processes, which are started beside the fleet and report their lies at the end."""

import asyncio
import contextlib
import json
import sys
from collections import Counter
from collections.abc import AsyncIterator
from typing import Final

from inos.devnet.chaos.fleet import Fleet
from inos.devnet.chaos.wiring import Wiring
from inos.node.process import make_child_environment, stop_process

LAST_WORDS_S: Final = 20.0


@contextlib.asynccontextmanager
async def open_liars(count: int, fleet: Fleet, wiring: Wiring, seed: int) -> AsyncIterator[Counter[str]]:
    """Run `count` liars against every node; the yielded counter contains their lies once they are stopped."""
    lies: Counter[str] = Counter()
    targets = []
    for node in fleet.nodes:
        host, port = wiring.get_door(node.index)
        targets.append(f"{node.id}@{host}:{port}")
    liars = [await _start(number, fleet, wiring, seed, targets) for number in range(count)]
    try:
        yield lies
    finally:
        for liar in liars:
            lies.update(await _stop(liar))


async def _start(
    number: int, fleet: Fleet, wiring: Wiring, seed: int, targets: list[str]
) -> asyncio.subprocess.Process:
    prefix = wiring.get_prefix(len(fleet.nodes) + number)
    return await asyncio.create_subprocess_exec(
        *(*prefix, sys.executable, "-P", "-m", "inos.devnet.chaos.liar", "devnet", str(seed + number), *targets),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        start_new_session=True,
        env=make_child_environment(),
    )


async def _stop(liar: asyncio.subprocess.Process) -> dict[str, int]:
    """Stop a liar, and return its counts, which are empty if it ended by itself."""
    if liar.stdout is None:
        return {}
    async with asyncio.TaskGroup() as group:
        reading = group.create_task(_read(liar.stdout))
        await stop_process(liar)
    try:
        told: dict[str, int] = json.loads(reading.result())
    except ValueError:
        return {"liars that ended by themselves": 1}
    return told


async def _read(stream: asyncio.StreamReader) -> bytes:
    try:
        async with asyncio.timeout(LAST_WORDS_S):
            return await stream.read()
    except TimeoutError:
        return b""
