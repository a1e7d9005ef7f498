"""The `inos` command as a process of its own, and what is left of it afterwards."""

import asyncio
import os
import sys
from pathlib import Path


async def start_inos(*arguments: str) -> asyncio.subprocess.Process:
    """`inos ARGUMENTS` in a session of its own, with both outputs as pipes."""
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "inos", *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )


def find_processes_naming(text: str) -> list[int]:
    """Processes whose command line holds `text`."""
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
