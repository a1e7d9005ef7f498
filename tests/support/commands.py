"""The `inos` command as a separate process, and a search for processes that it left behind."""

import asyncio
import os
import sys
from pathlib import Path


async def start_inos(*arguments: str) -> asyncio.subprocess.Process:
    """Start `inos ARGUMENTS` in its own session, with both outputs as pipes."""
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "inos", *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )


def find_processes_naming(text: str) -> list[int]:
    """Return the processes whose command line contains `text`."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                command = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if text.encode() in command and int(entry.name) != os.getpid():
                found.append(int(entry.name))
    return found
