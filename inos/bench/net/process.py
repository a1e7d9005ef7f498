"""A partner process: started, awaited, asked, and stopped."""

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import AsyncIterator
from typing import Any, Final

from inos.bench.errors import BenchError
from inos.node.process import make_child_environment, stop_process

READY_S: Final = 240.0
NICENESS: Final = 19
"""A real flood comes from other machines; here it must not take processor time from the node."""


class Partner:
    """A partner process that is ready; `ready` is what it printed then."""

    def __init__(self, process: asyncio.subprocess.Process, ready: dict[str, Any]) -> None:
        self.process = process
        self.ready = ready

    async def ask(self) -> dict[str, Any]:
        """Return its counts."""
        if self.process.stdin is None:
            raise BenchError("partner-died", "the other process of the measurement has no input")
        self.process.stdin.write(b"\n")
        return await read_line(self.process)


@contextlib.asynccontextmanager
async def open_partner(*arguments: str, is_nice: bool = False) -> AsyncIterator[Partner]:
    """Start `inos.bench.net.partner` and wait until it is ready.

    Args:
        is_nice: give it the least priority as soon as it is ready.

    Raises:
        BenchError: "partner-died".
    """
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "inos.bench.net.partner", *arguments),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env=make_child_environment(),
    )
    try:
        partner = Partner(process, await read_line(process))
        if is_nice:  # only now: on a busy machine it would take minutes to start
            os.setpriority(os.PRIO_PROCESS, process.pid, NICENESS)
        yield partner
    finally:
        await stop_process(process)


async def read_line(process: asyncio.subprocess.Process) -> dict[str, Any]:
    """Return the next line of JSON that the process prints.

    Raises:
        BenchError: "partner-died".
    """
    if process.stdout is None:
        raise BenchError("partner-died", "the other process of the measurement has no output")
    async with asyncio.timeout(READY_S):
        line = await process.stdout.readline()
    if not line:
        raise BenchError("partner-died", "the other process of the measurement ended")
    found: dict[str, Any] = json.loads(line)
    return found
