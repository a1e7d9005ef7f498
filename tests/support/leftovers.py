"""Finds the processes that the suite started, and their descendants, by a variable of their environment.

This module imports the standard library only, and `watchdog.py` runs it as a program.
"""

import os
import signal
import time
from pathlib import Path
from typing import Final

MARK: Final = "TEST_SUITE_MARK"
"""Each child inherits this variable: the run, the pytest process and the test file that started it."""
KEPT: Final = "multiprocessing.resource_tracker"
"""Python starts this process once and keeps it as long as the process that started it; it ends by itself."""
KILL_S: Final = 10.0
POLL_S: Final = 0.02


def find_marked(mark: str) -> dict[int, str]:
    """Return the commands of processes other than this one whose mark begins with `mark`, by process id.

    Only Linux tells; elsewhere nothing is found.
    """
    wanted = f"{MARK}={mark}".encode()
    found = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            variables = (entry / "environ").read_bytes().split(b"\0")
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
        except OSError:  # it has ended, or it is another user's
            continue
        is_marked = any(value.startswith(wanted) for value in variables)
        if is_marked and command and KEPT not in command and int(entry.name) != os.getpid():
            found[int(entry.name)] = command
    return found


def kill_marked(mark: str) -> dict[int, str]:
    """Kill the processes that `find_marked` finds and those that they start meanwhile, and return them all.

    A process that has ended but was not waited for has no command line any more, and counts as gone.
    """
    killed: dict[int, str] = {}
    until = time.monotonic() + KILL_S
    while (found := find_marked(mark)) and time.monotonic() < until:
        killed |= found
        for process in found:
            try:
                os.kill(process, signal.SIGKILL)
            except ProcessLookupError:
                continue
        time.sleep(POLL_S)
    return killed
